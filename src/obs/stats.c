/* SPDX-License-Identifier: MIT */
/* Figures of the process and of one cache. Ordering: MO-19 (docs/memory-ordering.md). */
#include "obs.h"

#include <errno.h>
#include <string.h>

#define STACK_MOST (1u << 20)
#define QUIET_TRIES 1000
#define QUIET_NAP 100000u /* nanoseconds */

static void copy_out(void *to, size_t size, const void *from, size_t known)
{
	memcpy(to, from, size < known ? size : known);
}

static void of_process(struct bma_stats *s)
{
	s->mode = bma__cpu.mode;
	s->mode_reason = bma__cpu.reason;
	s->slots = bma__cpu.slots;
	s->nodes = bma__topo.nodes;
	s->caches = bma__engine_number();
	s->chunk_bytes = bma__chunk_mapped();
	s->slab_bytes = bma__chunk_used();
	s->magazine_bytes = bma__mag_bytes();
	s->meta_bytes = bma__meta_bytes();
	bma__flavor_for_each (f) {
		s->purge_bytes += atomic_load_explicit(&f->dying_bytes, memory_order_relaxed);
		s->grace_periods += atomic_load_explicit(&f->periods, memory_order_relaxed);
		s->grace_periods_frozen |= atomic_load_explicit(&f->frozen, memory_order_relaxed);
	}
	s->worker_wakes = bma__worker_wakes();
	s->worker_passes = bma__worker_passes();
	s->cache_budget = bma__budget_total();
	s->cache_budget_used = bma__budget_used();
	s->dirty_bytes = bma__purge_dirty();
	s->purged_bytes = bma__purge_given();
	s->pressure_events = bma__squeeze_events();
}

int bma_stats_get(struct bma_stats *stats, size_t size)
{
	struct bma_stats s = {0};

	if (!stats || !size)
		return -EINVAL;
	if (bma__is_ready())
		of_process(&s);
	copy_out(stats, size, &s, sizeof s);
	return 0;
}

int bma_rcu_stats_get(unsigned int nth, struct bma_rcu_stats *stats, size_t size)
{
	struct bma_rcu_stats s = {0};
	const struct bma__flavor *f;
	uint64_t since;

	if (!stats || !size)
		return -EINVAL;
	if (nth >= bma__flavor_number())
		return -ENOENT;
	f = &bma__flavors[nth];
	memcpy(s.name, f->rcu.name, sizeof s.name);
	since = atomic_load_explicit(&f->since, memory_order_relaxed);
	s.running_ns = since ? bma__os_now() - since : 0;
	s.longest_ns = atomic_load_explicit(&f->longest, memory_order_relaxed);
	s.grace_periods = atomic_load_explicit(&f->periods, memory_order_relaxed);
	s.limbo_bytes = bma__count_read(&f->limbo_bytes);
	s.limbo_peak_bytes = atomic_load_explicit(&f->limbo_peak, memory_order_relaxed);
	s.purge_bytes = atomic_load_explicit(&f->dying_bytes, memory_order_relaxed);
	s.frozen = atomic_load_explicit(&f->frozen, memory_order_relaxed);
	copy_out(stats, size, &s, sizeof s);
	return 0;
}

/* Objects on a stack that others change meanwhile: bounded, and right when nobody does. */
static uint64_t on_stack(const struct bma__engine *e, const struct bma__mag_stack *stack)
{
	uint32_t index = (uint32_t)atomic_load_explicit(&stack->head, memory_order_acquire);
	uint64_t n = 0;

	for (uint32_t most = STACK_MOST; most-- && bma__mag_is_index(e->class, index);
	     index = bma__stack_next(e->class, index))
		n += bma__mag_count(e->class, bma__stack_word(e->class, index));
	return n;
}

static void slots_and_depot(struct bma__engine *e, struct bma_cache_stats *s)
{
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		uint64_t high = bma__slot_high(e, plane);

		s->slots_used++;
		s->slot_high = high > s->slot_high ? high : s->slot_high;
		s->cached += bma__slot_count(e, plane);
	}
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		struct bma__depot *d = &e->depot[node];

		for (uint32_t i = 0; i < BMA__DEPOT_STACKS; i++)
			s->depot += on_stack(e, bma__depot_stack(d, i));
		s->depot_exchanges += bma__depot_exchanges(d);
	}
	s->cached += s->depot + atomic_load_explicit(&e->quarantined, memory_order_relaxed);
	s->depot_target = (uint64_t)atomic_load_explicit(&e->target_mags, memory_order_relaxed) *
			  e->capacity * bma__topo.nodes;
}

static void counters(struct bma__engine *e, struct bma_cache_stats *s)
{
	s->limbo = bma__count_read(&e->limbo) + bma__limbo_count(e);
	s->limbo_peak = atomic_load_explicit(&e->limbo_peak, memory_order_relaxed);
	s->limbo_max = atomic_load_explicit(&e->limbo_max, memory_order_relaxed);
	s->limbo_overruns = atomic_load_explicit(&e->limbo_overruns, memory_order_relaxed);
	s->rcu = e->flavor->rcu.name;
	s->reserved = atomic_load_explicit(&e->reserved, memory_order_relaxed);
	s->parked = bma__park_count(e);
	s->parks = bma__count_read(&e->parks);
	s->refills = atomic_load_explicit(&e->refills, memory_order_relaxed);
	s->drains = atomic_load_explicit(&e->drains, memory_order_relaxed);
	s->fail_depot_empty = atomic_load_explicit(&e->fail_empty, memory_order_relaxed) +
			      atomic_load_explicit(&e->fail_charge, memory_order_relaxed);
	s->fail_system = atomic_load_explicit(&e->fail_system, memory_order_relaxed);
	s->fail_refill = atomic_load_explicit(&e->fail_refill, memory_order_relaxed);
	s->aborts = atomic_load_explicit(&e->aborts, memory_order_relaxed);
	s->slot_grows = atomic_load_explicit(&e->slot_grows, memory_order_relaxed);
	s->slot_shrinks = atomic_load_explicit(&e->slot_shrinks, memory_order_relaxed);
	s->budget_refused = atomic_load_explicit(&e->budget_refused, memory_order_relaxed);
	s->idle_drains = atomic_load_explicit(&e->idle_drains, memory_order_relaxed);
}

/* One of the lines that is not exact while calls are in progress, by @n at most. Returns by how many. */
static uint64_t less(struct bma_cache_stats *s, uint64_t n)
{
	uint64_t *const lines[] = {&s->cached, &s->limbo, &s->parked, &s->reserved};
	size_t i = 0;

	while (i < 3 && !*lines[i])
		i++;
	n = n < *lines[i] ? n : *lines[i];
	*lines[i] -= n;
	return n;
}

static void snapshot(struct bma__engine *e, struct bma_cache_stats *s)
{
	uint64_t away;

	memset(s, 0, sizeof *s);
	memcpy(s->name, e->name, sizeof s->name);
	s->object_size = e->size;
	s->stride = e->geo.stride;
	s->capacity = e->capacity;
	slots_and_depot(e, s);
	counters(e, s);
	bma__lock_take(&e->lock);
	s->carved = e->objs_carved;
	s->slab_free = e->objs_home;
	s->slabs = e->nslabs;
	s->slab_bytes = e->nslabs * bma__engine_slab_charge(e);
	bma__lock_drop(&e->lock);
	away = s->cached + s->limbo + s->parked + s->reserved + s->slab_free;
	/* An object that was seen twice on its way is on it once. */
	while (away > s->carved)
		away -= less(s, away - s->carved);
	s->live = s->carved - away;
}

void bma__stats_snapshot(struct bma__engine *e, struct bma_cache_stats *s)
{
	for (int tries = 0; tries < QUIET_TRIES; tries++) {
		uint32_t ended = atomic_load_explicit(&e->ended, memory_order_seq_cst);

		snapshot(e, s);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&e->begun, memory_order_seq_cst) == ended)
			return;
		bma__os_sleep(QUIET_NAP);
	}
}

/* What is the handle's own. */
static void handle(struct bma_cache *cache, struct bma_cache_stats *s)
{
	const struct bma__merged *m = bma__merge_of(cache);

	if (m)
		memcpy(s->name, m->name, sizeof s->name);
	if (cache->record && cache->record->live)
		s->counted = bma__percpu_sum(cache->record->live);
	bma__lock_take(&bma__merge_lock);
	s->handles = cache->engine->refs;
	bma__lock_drop(&bma__merge_lock);
}

struct names {
	char (*to)[32];
	size_t room, n;
};

static void take_name(struct bma__merged *m, void *arg)
{
	struct names *names = arg;

	if (names->n < names->room)
		memcpy(names->to[names->n], m->name, sizeof m->name);
	names->n++;
}

size_t bma_cache_names(struct bma_cache *cache, char (*names)[32], size_t n)
{
	struct names all = {names, n, 0};

	bma__merge_visit(cache->engine, take_name, &all);
	if (!all.n && n)
		memcpy(names[0], cache->engine->name, sizeof cache->engine->name);
	return all.n ? all.n : 1;
}

int bma_heap_stats_get(struct bma_heap *heap, struct bma_heap_stats *stats, size_t size)
{
	struct bma_heap_stats s = {0};
	bool owns;

	if (!heap || !stats || !size)
		return -EINVAL;
	memcpy(s.name, heap->name, sizeof s.name);
	s.flags = heap->flags;
	s.classes = heap->engines;
	s.large = atomic_load_explicit(&heap->large_live, memory_order_relaxed);
	s.large_bytes = atomic_load_explicit(&heap->large_bytes, memory_order_relaxed);
	s.too_large = atomic_load_explicit(&heap->too_large, memory_order_relaxed);
	owns = heap->flags & BMA__HEAP_OWN;
	s.live = owns ? s.large
		 : heap->record && heap->record->live
			 ? s.large + bma__percpu_sum(heap->record->live)
			 : UINT64_MAX;
	for (uint32_t i = 0; i < heap->engines; i++) {
		struct bma_cache_stats c;

		bma__stats_snapshot(heap->engine[i], &c);
		s.slab_bytes += c.slab_bytes;
		if (owns)
			s.live += c.live;
	}
	copy_out(stats, size, &s, sizeof s);
	return 0;
}

struct bma__engine *bma__stats_next(struct bma__engine *e, const char *prefix)
{
	size_t n = prefix ? strlen(prefix) : 0;

	do
		e = bma__engine_next(e);
	while (e && n && strncmp(e->name, prefix, n));
	return e;
}

static void handles(const struct bma__engine *e, struct bma_cache_stats *s)
{
	bma__lock_take(&bma__merge_lock);
	s->handles = e->refs;
	bma__lock_drop(&bma__merge_lock);
}

void bma__stats_of(struct bma__engine *e, struct bma_cache_stats *s)
{
	bma__stats_snapshot(e, s);
	handles(e, s);
}

void bma__stats_at_once(struct bma__engine *e, struct bma_cache_stats *s)
{
	snapshot(e, s);
	handles(e, s);
}

int bma_cache_visit(const char *prefix, int (*fn)(const struct bma_cache_stats *stats, void *arg),
		    void *arg)
{
	struct bma__engine *e = NULL;
	int rc = 0;

	while (!rc && (e = bma__stats_next(e, prefix))) {
		struct bma_cache_stats s;

		bma__stats_of(e, &s);
		rc = fn(&s, arg);
	}
	if (e)
		bma__engine_unpin(e);
	return rc;
}

int bma_cache_stats_get(struct bma_cache *cache, struct bma_cache_stats *stats, size_t size)
{
	struct bma_cache_stats s;

	if (!cache || !stats || !size)
		return -EINVAL;
	bma__stats_snapshot(cache->engine, &s);
	handle(cache, &s);
	copy_out(stats, size, &s, sizeof s);
	return 0;
}
