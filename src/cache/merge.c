/* SPDX-License-Identifier: MIT */
/* Merging, see merge.h. */
#include "cache.h"

#include <errno.h>
#include <stdio.h>

#define BUCKETS 256u
#define NAP 100000u

struct bma__lock bma__merge_lock = BMA__LOCK_INIT(BMA__RANK_MERGE);
static struct bma__engine *bucket[BUCKETS]; /* [lock: merge] */

/* By size alone: what differs otherwise is seen, and told, while one looks. */
static struct bma__engine **bucket_of(size_t size)
{
	return &bucket[(size * 0x9e3779b97f4a7c15u) >> 56];
}

static const char *difference(const struct bma__engine *e, const struct bma__engine_attr *attr)
{
	if (e->align != attr->align)
		return "alignment";
	if (e->flags != attr->flags)
		return "flags";
	if (atomic_load_explicit(&e->owners_used, memory_order_relaxed) == BMA__OWNER_ODD - 1)
		return "owners, of which one has all that there can be,";
	return e->flavor != attr->flavor ? "flavour of RCU" : NULL;
}

/* One of the size that was not taken, and what differs: owners come and go without the lock, so it is not asked for again. */
struct other {
	const struct bma__engine *e;
	const char *difference;
};

static struct bma__engine *find(const struct bma__engine_attr *attr, struct other *other)
{
	struct bma__engine *e = *bucket_of(attr->size);
	const char *is;

	for (; e; e = e->merge_next) {
		if (e->size != attr->size)
			continue;
		is = difference(e, attr);
		if (!is)
			return e;
		*other = (struct other){e, is};
	}
	return NULL;
}

static struct bma__engine *make_engine(const struct bma__engine_attr *attr,
				       const struct other *other, int *rc)
{
	struct bma__engine **first = bucket_of(attr->size), *e;

	if (other->e)
		bma__log_verbose(
			"bma_cache_create: \"%s\" is not merged with \"%s\": their %s differ",
			attr->name ? attr->name : "?", other->e->name, other->difference);
	e = bma__engine_create(attr, rc);
	if (!e)
		return NULL;
	e->shared = true;
	e->merge_next = *first;
	*first = e;
	return e;
}

/* Under the lock, which is dropped while an orphan is looked at: it is given back then, or can be had. */
static struct bma__engine *get(const struct bma__engine_attr *attr, int *rc)
{
	struct other other = {0};
	struct bma__engine *e;

	while ((e = find(attr, &other)) && e->reaped) {
		bma__lock_drop(&bma__merge_lock);
		bma__os_sleep(NAP);
		bma__lock_take(&bma__merge_lock);
		other = (struct other){0};
	}
	if (!e)
		e = make_engine(attr, &other, rc);
	if (e && !e->refs++)
		bma__reclaim_undo(e); /* it may have been an orphan */
	return e;
}

/* What asks the dynamic linker is done with no lock of ours held: a constructor of a library may call us under the linker's. */
static void prepare(const struct bma__engine_attr *attr)
{
	if (attr->flags & BMA_CACHE_TRACK)
		bma__track_prepare();
}

struct bma__engine *bma__merge_get(const struct bma__engine_attr *attr, int *rc)
{
	struct bma__engine *e;

	prepare(attr);
	bma__lock_take(&bma__merge_lock);
	e = get(attr, rc);
	bma__lock_drop(&bma__merge_lock);
	return e;
}

void bma__merge_forget(struct bma__engine *e)
{
	struct bma__engine **link = bucket_of(e->size);

	while (*link != e)
		link = &(*link)->merge_next;
	*link = e->merge_next;
}

static void put(struct bma__engine *e)
{
	if (!--e->refs)
		bma__orphan_add_locked(e);
}

void bma__merge_put(struct bma__engine *e)
{
	bma__lock_take(&bma__merge_lock);
	put(e);
	bma__lock_drop(&bma__merge_lock);
}

static struct bma__merged *make(bool counted, const struct bma_group *payer, int *rc)
{
	const struct bma__record_attr attr = {
		.group = payer, .stocked = payer, .counted = counted, .places = payer ? 1 : 0};
	struct bma__merged *m = bma__meta_alloc(sizeof *m);

	*rc = -ENOMEM;
	if (m && (counted || payer)) {
		m->cache.record = bma__record_make(&attr, rc);
		if (!m->cache.record) {
			bma__meta_free(m, sizeof *m);
			return NULL;
		}
	}
	return m;
}

static void unmake(struct bma__merged *m)
{
	bma__record_close(m->cache.record);
	bma__meta_free(m, sizeof *m);
}

bool bma__merge_pay(struct bma__engine *e, struct bma_cache *cache, struct bma__record *r,
		    uint32_t i)
{
	uint16_t owner = bma__owner_enter(e, r);

	if (!owner)
		return false;
	cache->owner = owner;
	cache->quick = e->quick && !r->live;
	r->place[i].owner = owner;
	atomic_store_explicit(&r->place[i].engine, e, memory_order_release);
	return true;
}

static int link_handle(struct bma__engine *e, struct bma__merged *m, bool pays)
{
	if (pays) {
		if (!bma__merge_pay(e, &m->cache, m->cache.record, 0))
			return -ENOSPC;
		e->refs++; /* the record's */
	}
	m->cache.merged = true;
	m->cache.engine = e;
	m->cache.head = bma__engine_head(e);
	if (m->cache.record)
		m->cache.head.mask = 0;
	m->next = e->handles;
	if (m->next)
		m->next->prev = m;
	e->handles = m;
	return 0;
}

struct bma_cache *bma__merge_open(const struct bma__engine_attr *attr, bool counted,
				  const struct bma_group *payer, int *rc)
{
	struct bma__merged *m = make(counted, payer, rc);
	struct bma__engine *e;

	if (!m)
		return NULL;
	if (attr->name)
		snprintf(m->name, sizeof m->name, "%s", attr->name);
	else
		snprintf(m->name, sizeof m->name, "cache-%zu", attr->size);
	prepare(attr);
	bma__lock_take(&bma__merge_lock);
	*rc = 0;
	e = get(attr, rc);
	if (e)
		*rc = link_handle(e, m, payer);
	if (e && *rc)
		put(e);
	bma__lock_drop(&bma__merge_lock);
	if (!*rc)
		return &m->cache;
	unmake(m);
	return NULL;
}

int bma__merge_close(struct bma_cache *cache)
{
	struct bma__merged *m = bma__merge_of(cache);
	struct bma__engine *e = cache->engine;
	struct bma__record *r = cache->record;
	uint64_t live = r && r->live ? bma__percpu_sum(r->live) : 0;
	uint32_t reserves = r ? atomic_load_explicit(&r->reserves, memory_order_acquire) : 0;

	if (live || reserves) {
		bma__log_verbose("bma_cache_destroy: cache \"%s\": %llu objects live, %u reserves",
				 m->name, (unsigned long long)live, reserves);
		return -EBUSY;
	}
	bma__lock_take(&bma__merge_lock);
	if (m->prev)
		m->prev->next = m->next;
	else
		e->handles = m->next;
	if (m->next)
		m->next->prev = m->prev;
	put(e);
	bma__lock_drop(&bma__merge_lock);
	unmake(m);
	return 0;
}

void bma__merge_visit(struct bma__engine *e, void (*fn)(struct bma__merged *m, void *arg),
		      void *arg)
{
	bma__lock_take(&bma__merge_lock);
	for (struct bma__merged *m = e->handles; m; m = m->next)
		fn(m, arg);
	bma__lock_drop(&bma__merge_lock);
}
