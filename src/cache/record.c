/* SPDX-License-Identifier: MIT */
/* The making and the end of records, see record.h. Ordering: MO-34 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

struct bma__record *bma__record_root;
static struct bma__record *orphans; /* [lock: group] */
static uint32_t forks;		    /* [fork] that led to this process */

static size_t bytes_of(const struct bma__record *r)
{
	return sizeof *r + r->places * sizeof r->place[0];
}

void bma__record_set_group(struct bma__record *r, struct bma__group *g)
{
	atomic_store_explicit(&r->group, g, memory_order_relaxed);
	atomic_store_explicit(&r->handle, bma__group_handle(g), memory_order_relaxed);
}

void bma__record_link(struct bma__record *r, struct bma__group *g)
{
	r->prev = NULL;
	r->next = g->records;
	if (r->next)
		r->next->prev = r;
	g->records = r;
	g->payers++;
}

void bma__record_unlink(struct bma__record *r, struct bma__group *g)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		g->records = r->next;
	if (r->next)
		r->next->prev = r->prev;
	g->payers--;
}

static void unmake(struct bma__record *r)
{
	if (r->words)
		bma__percpu_counter_free(r->words);
	if (r->live)
		bma__percpu_counter_free(r->live);
	bma__meta_free(r, bytes_of(r));
}

static int join(struct bma__record *r, const struct bma_group *handle)
{
	struct bma__group *g;
	int rc = -ESTALE;

	bma__tree_lock();
	g = bma__group_online(handle);
	if (g) {
		bma__record_set_group(r, g);
		bma__record_link(r, g);
		rc = 0;
	}
	bma__tree_unlock();
	return rc;
}

struct bma__record *bma__record_make(const struct bma__record_attr *attr, int *rc)
{
	struct bma__record *r =
		bma__meta_alloc(sizeof *r + attr->places * sizeof(struct bma__record_place));

	*rc = -ENOMEM;
	if (!r)
		return NULL;
	r->places = attr->places;
	r->uncharged = attr->uncharged;
	if ((attr->stocked && !(r->words = bma__percpu_counter())) ||
	    (attr->counted && !(r->live = bma__percpu_counter())))
		goto failed;
	r->indexed = r->words && bma__cpu.mode != BMA_MODE_GUEST;
	*rc = attr->group ? join(r, attr->group) : 0;
	if (!*rc)
		return r;
failed:
	unmake(r);
	return NULL;
}

int bma__record_init(void)
{
	const struct bma__record_attr attr = {.group = bma__group_handle(bma__group_root)};
	int rc = 0;

	bma__stock_head.index = bma__cpu.mode == BMA_MODE_GUEST ? BMA__RSEQ_CPU_ID : bma__cpu.index;
	if (!bma__record_root)
		bma__record_root = bma__record_make(&attr, &rc);
	return rc;
}

uint64_t bma__record_stocked(const struct bma__record *r)
{
	uint64_t sum = atomic_load_explicit(&r->pending, memory_order_acquire);

	for (uint64_t i = 0; r->words && i <= bma__percpu.slots; i++)
		sum += __atomic_load_n((uint64_t *)bma__percpu_at(r->words, i), __ATOMIC_ACQUIRE) &
		       ~BMA__RECORD_FROZEN;
	return sum;
}

/* See "End" in record.h: in this order. */
static bool ended(const struct bma__record *r)
{
	uint64_t charged = atomic_load_explicit(&r->charged, memory_order_acquire);

	return bma__record_stocked(r) == charged &&
	       !atomic_load_explicit(&r->slabs, memory_order_acquire) &&
	       !atomic_load_explicit(&r->large, memory_order_acquire) &&
	       !(atomic_load_explicit(&r->gate, memory_order_acquire) & BMA__RECORD_INSIDE);
}

void bma__record_leave_origin(struct bma__record *r)
{
	struct bma__record **link;

	if (!r->origin)
		return;
	for (link = &r->origin->origins; *link != r;)
		link = &(*link)->origin_next;
	*link = r->origin_next;
	if (!r->origin->origins)
		bma__group_free(r->origin);
	r->origin = NULL;
}

/* Off the lists, with what it was charged ahead. Under the lock. */
static void take_off(struct bma__record *r)
{
	struct bma__group *g = atomic_load_explicit(&r->group, memory_order_relaxed);

	if (g) {
		bma__group_uncharge(g, atomic_load_explicit(&r->charged, memory_order_relaxed));
		bma__record_unlink(r, g);
		bma__shared_reap(g);
	}
	bma__record_leave_origin(r);
}

static struct bma__record *take_ended(void)
{
	struct bma__record **link = &orphans, *r;

	bma__tree_lock();
	while ((r = *link) && !ended(r))
		link = &r->orphan_next;
	if (r) {
		*link = r->orphan_next;
		take_off(r);
	}
	bma__tree_unlock();
	return r;
}

static void finish(struct bma__record *r)
{
	struct bma__engine *e;

	for (uint32_t i = 0; (e = bma__record_engine(r, i)); i++) {
		bma__owner_leave(e, r->place[i].owner);
		bma__merge_put(e);
	}
	unmake(r);
}

void bma__record_reap(void)
{
	struct bma__record *r;

	while ((r = take_ended()))
		finish(r);
}

void bma__record_close(struct bma__record *r)
{
	bool done;

	if (!r)
		return;
	bma__tree_lock();
	done = ended(r);
	if (done) {
		take_off(r);
	} else {
		r->orphan_next = orphans;
		orphans = r;
	}
	bma__tree_unlock();
	if (done)
		finish(r);
}

uint64_t bma__record_own(const struct bma__group *g)
{
	uint64_t own = 0;

	for (const struct bma__record *r = g->records; r; r = r->next)
		own += atomic_load_explicit(&r->charged, memory_order_relaxed);
	return own;
}

uint64_t bma__record_once_own(const struct bma__group *g)
{
	uint64_t own = 0;

	for (const struct bma__record *r = g->origins; r; r = r->origin_next)
		own += atomic_load_explicit(&r->charged, memory_order_relaxed);
	return own;
}

static uint64_t objects_of(const struct bma__record *r)
{
	uint64_t n = atomic_load_explicit(&r->large, memory_order_relaxed) +
		     atomic_load_explicit(&r->pinned, memory_order_relaxed);
	struct bma__engine *e;

	for (uint32_t i = 0; (e = bma__record_engine(r, i)); i++)
		n += bma__owner_count(e, r->place[i].owner);
	return n;
}

static void add_record(const struct bma__record *r, struct bma_group_stats *s)
{
	s->stocked += bma__record_stocked(r);
	s->slabs += atomic_load_explicit(&r->slabs, memory_order_relaxed);
	s->slab_bytes += atomic_load_explicit(&r->slab_bytes, memory_order_relaxed);
	s->objects += objects_of(r);
}

void bma__record_figures(const struct bma__group *g, struct bma_group_stats *s)
{
	for (const struct bma__record *r = g->records; r; r = r->next)
		add_record(r, s);
	for (const struct bma__record *r = g->origins; r; r = r->origin_next)
		add_record(r, s);
}

void bma__record_after_fork(void)
{
	uint64_t generation = (uint64_t)++forks << 32 & BMA__RECORD_GENERATION;
	struct bma__group *g = NULL;

	while ((g = bma__group_each(bma__group_root, g))) {
		for (struct bma__record *r = g->records; r; r = r->next)
			atomic_store_explicit(&r->gate, generation, memory_order_relaxed);
	}
}
