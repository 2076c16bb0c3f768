/* SPDX-License-Identifier: MIT */
/* Heaps and caches that are opened and closed, see heap.h. */
#include "heap.h"

#include <errno.h>
#include <string.h>

#include <bma/compat/bpf_mem_alloc.h>

static const uint16_t cache_sizes[] = {24, 48, 96, 100, 512, 4096, 7, 1};

bool heap_counts(const struct heap_owner *o)
{
	if (o->heap)
		return heap_own(o) || o->flags & BMA_HEAP_COUNT;
	return o->flags & BMA_CACHE_MERGE ? o->flags & BMA_CACHE_COUNT
					  : !(o->flags & BMA_CACHE_DESTROY_ASYNC);
}

static uint64_t checks(unsigned int which, bool percpu)
{
	static const uint64_t flags[16] = {
		[6] = BMA_CACHE_KEY,
		[7] = BMA_CACHE_RANDOM,
		[8] = BMA_CACHE_DEBUG,
		[9] = BMA_CACHE_DEBUG | BMA_CACHE_POISON | BMA_CACHE_REDZONE,
		[10] = BMA_CACHE_QUARANTINE | BMA_CACHE_POISON,
		[11] = BMA_CACHE_ZERO_FREE | BMA_CACHE_REDZONE,
		[12] = BMA_CACHE_QUARANTINE | BMA_CACHE_DEBUG,
		[13] = BMA_CACHE_REDZONE,
		[14] = BMA_CACHE_ZERO_FREE | BMA_CACHE_RANDOM,
		[15] = BMA_CACHE_GUARD,
	};
	uint64_t not_percpu = BMA_CACHE_KEY | BMA_CACHE_POISON | BMA_CACHE_REDZONE |
			      BMA_CACHE_ZERO_FREE | BMA_CACHE_GUARD;

	return flags[which & 15] & ~(percpu ? not_percpu : 0);
}

/*
 * What shares with the global heap stays for the next input, with a stock that grows by what was missing: rare, or each input takes
 * longer than the last.
 */
static const struct rcu_flavor_struct *flavor_for(unsigned int what, unsigned int more)
{
	return what & 128 && !(more & 0xf0) ? NULL : &heap_flavor;
}

static void open_heap(struct heap_owner *o, unsigned int what, unsigned int more)
{
	static const uint64_t kinds[8] = {0,
					  0,
					  BMA_HEAP_COUNT,
					  BMA_HEAP_COUNT,
					  BMA_HEAP_PRIVATE,
					  BMA_HEAP_DESTROY_ALL,
					  BMA_HEAP_PRIVATE | BMA_HEAP_DESTROY_ALL,
					  BMA_HEAP_PRIVATE};
	struct bma_heap_attr attr = {.attr_size = sizeof attr, .name = "fuzz"};

	attr.flags = kinds[what & 7];
	attr.flags |= (what >> 3 & 3) == 3 ? BMA_HEAP_KERNEL_CLASSES : 0;
	attr.flags |= (what >> 5 & 3) == 3 ? BMA_HEAP_PERCPU : 0;
	attr.cache_flags = checks(more, attr.flags & BMA_HEAP_PERCPU);
	attr.rcu = flavor_for(what, more);
	o->heap = bma_heap_create(&attr);
	o->flags = attr.flags;
	o->key.cache_flags =
		attr.cache_flags | (attr.flags & BMA_HEAP_PERCPU ? BMA_CACHE_PERCPU : 0);
	o->key.rcu = attr.rcu;
}

static void open_cache(struct heap_owner *o, unsigned int what, unsigned int more)
{
	static const uint64_t kinds[4] = {
		BMA_CACHE_MERGE, BMA_CACHE_MERGE | BMA_CACHE_COUNT, BMA_CACHE_DESTROY_ASYNC,
		BMA_CACHE_MERGE | BMA_CACHE_COUNT | BMA_CACHE_DESTROY_ASYNC};
	struct bma_cache_attr attr = {.attr_size = sizeof attr, .name = "fuzz"};
	bool percpu = (what >> 5 & 3) == 3;

	attr.size = o->size = cache_sizes[what >> 2 & 7];
	attr.flags = kinds[what & 3] | checks(more & 7 ? 0 : more >> 3, percpu);
	attr.flags |= percpu ? BMA_CACHE_PERCPU : 0;
	attr.rcu = flavor_for(what, more);
	o->cache = bma_cache_create(&attr);
	o->flags = attr.flags;
	o->key.cache_flags =
		attr.flags & ~(BMA_CACHE_MERGE | BMA_CACHE_COUNT | BMA_CACHE_DESTROY_ASYNC);
	o->key.rcu = attr.rcu;
}

static void open_owner(struct heap_owner *o, unsigned int what, unsigned int more)
{
	memset(o, 0, sizeof *o);
	errno = 0;
	if (o < &heap_model.owners[HEAP_HEAPS])
		open_heap(o, what, more);
	else
		open_cache(o, what, more);
	fuzz_operations++;
	FUZZ_CHECK(heap_open(o) || (errno == ENOMEM && heap_model.failing), "errno %d", errno);
}

static void reserve_drop(struct heap_owner *o)
{
	bma_reserve_destroy(o->reserve);
	o->reserve = NULL;
	o->reserve_count = 0;
}

static bool is_busy(const struct heap_owner *o)
{
	if (o->heap && o->flags & BMA_HEAP_DESTROY_ALL)
		return o->reserve;
	return o->reserve || o->large || (heap_counts(o) && o->small);
}

static void close_owner(struct heap_owner *o)
{
	bool all = o->heap && o->flags & BMA_HEAP_DESTROY_ALL, busy;
	int rc;

	/* Nobody counts them: then they have to go before. */
	if (o->heap && (all || !heap_counts(o)))
		heap_types_close(o);
	if (!heap_counts(o))
		reserve_drop(o);
	busy = is_busy(o);
	rc = o->heap ? bma_heap_destroy(o->heap) : bma_cache_destroy(o->cache);
	fuzz_operations++;
	FUZZ_CHECK(rc == (busy ? -EBUSY : 0), "%d, %llu and %llu live", rc,
		   (unsigned long long)o->small, (unsigned long long)o->large);
	if (rc)
		return;
	if (all)
		heap_forget(o);
	for (uint32_t i = 0; i < heap_model.used; i++) {
		if (heap_model.objects[i].owner == o)
			heap_model.objects[i].owner = NULL;
	}
	o->heap = NULL;
	o->cache = NULL;
}

void heap_call_owner(struct heap_call *call)
{
	if (heap_open(call->o))
		close_owner(call->o);
	else
		open_owner(call->o, call->arg & 255, call->arg >> 8);
}

static bool same(const struct heap_key *a, const struct heap_key *b)
{
	return a->rcu == b->rcu && a->cache_flags == b->cache_flags;
}

static bool has_class(struct bma_heap *heap, size_t size)
{
	struct bma_cache *cache = bma_heap_cache(heap, size);

	return cache && bma_cache_size(cache) == size;
}

static bool shares(const struct heap_owner *o, const struct heap_object *h)
{
	size_t usable = bma_heap_usable_size(h->at);

	return o->heap && !heap_counts(o) && same(&o->key, &h->key) && usable &&
	       has_class(o->heap, usable);
}

/* One of a heap that counts has to go there. What is aligned may be inside a larger one, whose class nobody knows. */
struct bma_heap *heap_other(const struct heap_object *h, unsigned int nth)
{
	if (h->large || h->of_cache || !h->sized || (h->owner && heap_counts(h->owner)))
		return NULL;
	if (!(nth & 7) && !h->key.rcu && !h->key.cache_flags)
		return bma_heap_global();
	for (unsigned int i = 0; i < HEAP_HEAPS; i++) {
		const struct heap_owner *o = &heap_model.owners[(nth + i) % HEAP_HEAPS];

		if (shares(o, h))
			return o->heap;
	}
	return NULL;
}

/* A heap of its classes has its memory, or it goes where its address says. */
void heap_free_left(struct heap_object *h)
{
	struct bma_heap_attr attr = {.attr_size = sizeof attr, .rcu = h->key.rcu};
	struct bpf_mem_alloc none = {0};
	struct bma_heap *heap;

	if (h->sized || h->of_cache) {
		bpf_mem_free(&none, heap_take(h, false));
		return;
	}
	attr.flags = (heap_percpu(&h->key) ? BMA_HEAP_PERCPU : 0) |
		     (h->kernel ? BMA_HEAP_KERNEL_CLASSES : 0);
	attr.cache_flags = h->key.cache_flags & ~BMA_CACHE_PERCPU;
	heap = bma_heap_create(&attr);
	if (!heap) {
		FUZZ_CHECK(errno == ENOMEM && heap_model.failing, "errno %d", errno);
		return;
	}
	bma_heap_free(heap, heap_take(h, false));
	FUZZ_CHECK(!bma_heap_destroy(heap), "a heap that knows nothing");
}

static void heap_only(struct heap_owner *o)
{
	struct bma_heap_stats s;

	FUZZ_CHECK(!bma_heap_stats_get(o->heap, &s, sizeof s), "stats");
	FUZZ_CHECK(s.large >= o->large, "%llu large", (unsigned long long)s.large);
	FUZZ_CHECK(s.too_large >= o->too_large && s.too_large <= o->too_large + o->maybe_too_large,
		   "%llu too large, not %llu", (unsigned long long)s.too_large,
		   (unsigned long long)o->too_large);
	if (heap_counts(o))
		FUZZ_CHECK(s.live - s.large == o->small, "%llu live, not %llu",
			   (unsigned long long)(s.live - s.large), (unsigned long long)o->small);
	else
		FUZZ_CHECK(s.live == UINT64_MAX, "%llu live", (unsigned long long)s.live);
}

/* Who shares the memory of @cache is known exactly. */
static void check_handles(const struct heap_owner *cache, uint64_t handles)
{
	uint64_t caches = 0, heaps = 0;

	for (unsigned int i = 0; i < HEAP_OWNERS; i++) {
		const struct heap_owner *o = &heap_model.owners[i];

		if (!same(&o->key, &cache->key))
			continue;
		caches += o->cache && o->flags & BMA_CACHE_MERGE && o->size == cache->size;
		heaps += o->heap && !heap_own(o) && has_class(o->heap, cache->size);
	}
	if (!cache->key.rcu && !cache->key.cache_flags)
		heaps += has_class(bma_heap_global(), cache->size);
	if (!(cache->flags & BMA_CACHE_MERGE))
		caches = heaps = 0;
	FUZZ_CHECK(handles == caches + heaps, "%llu handles, not %llu and %llu",
		   (unsigned long long)handles, (unsigned long long)caches,
		   (unsigned long long)heaps);
	FUZZ_CHECK(bma_cache_names(cache->cache, NULL, 0) == (caches ? caches : 1), "names");
}

void heap_stats(struct heap_owner *o)
{
	struct bma_cache_stats s;

	fuzz_operations++;
	if (o->heap)
		heap_only(o);
	if (!o->cache)
		return;
	FUZZ_CHECK(!bma_cache_stats_get(o->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free == s.carved,
		   "the ledger: %llu carved", (unsigned long long)s.carved);
	check_handles(o, s.handles);
	if (!(o->flags & BMA_CACHE_MERGE))
		FUZZ_CHECK(s.live == o->small, "%llu live", (unsigned long long)s.live);
	else if (o->flags & BMA_CACHE_COUNT)
		FUZZ_CHECK(s.counted == o->small && s.live >= o->small, "%llu counted, not %llu",
			   (unsigned long long)s.counted, (unsigned long long)o->small);
	else
		FUZZ_CHECK(s.live >= o->small, "%llu live", (unsigned long long)s.live);
}

void heap_call_reserve(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	int rc;

	fuzz_operations++;
	if (!o->reserve) {
		o->reserve_size = o->cache ? o->size : heap_size(call->arg);
		o->reserve_of = o->cache ? o->cache : bma_heap_cache(o->heap, o->reserve_size);
		o->reserve_n = 1 + call->arg % 7;
		if (!o->reserve_of || o->reserve_size > 8192)
			return;
		o->reserve = bma_reserve_create(o->reserve_of, o->reserve_n);
		FUZZ_CHECK(o->reserve || (errno == ENOMEM && heap_model.failing), "errno %d",
			   errno);
		o->reserve_count = o->reserve ? o->reserve_n : 0;
	} else if (call->arg & 3) {
		rc = bma_reserve_refill(o->reserve);
		FUZZ_CHECK(!rc || (rc == -ENOMEM && heap_model.failing), "%d", rc);
		o->reserve_count = bma_reserve_count(o->reserve);
		FUZZ_CHECK(rc || o->reserve_count == o->reserve_n, "%zu", o->reserve_count);
	} else {
		reserve_drop(o);
	}
}

void heap_call_reserve_alloc(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	struct heap_object *h;
	void *p;

	if (!o->reserve || !heap_room(o, o->reserve_size, 1))
		return;
	p = bma_reserve_alloc(o->reserve);
	heap_check_errno();
	FUZZ_CHECK(!p == !o->reserve_count, "%zu were left", o->reserve_count);
	if (!p)
		return;
	o->reserve_count--;
	h = heap_add(o, p, o->reserve_size, 1, HEAP_ANY);
	(void)h;
}

struct rcu_flavor_struct heap_flavor;
static struct bma_stats baseline;
extern const struct rcu_flavor_struct urcu_memb_flavor;

/* There is no reader but the model. */
static void synchronize(void)
{
	heap_period();
}

static void warm(void)
{
	heap_flavor = urcu_memb_flavor;
	heap_flavor.update_synchronize_rcu = synchronize;
	FUZZ_CHECK(!bma_fuzz_set_slot(0), "slots");
	FUZZ_CHECK(bma_heap_global(), "the global heap");
	heap_types_warm();
	FUZZ_CHECK(!bma_trim(), "trim");
	FUZZ_CHECK(!bma_stats_get(&baseline, sizeof baseline), "stats");
}

void heap_begin(struct fuzz_input *in)
{
	unsigned int open;

	if (!baseline.slots)
		warm();
	FUZZ_CHECK(!bma_fuzz_set_slot(0), "slots");
	memset(&heap_model, 0, sizeof heap_model);
	heap_types_begin();
	open = fuzz_u8(in);
	for (unsigned int i = 0; i < HEAP_OWNERS; i++) {
		uint16_t what = open >> i & 1 ? fuzz_u16(in) : 0;

		if (open >> i & 1)
			open_owner(&heap_model.owners[i], what & 255, what >> 8);
	}
}

void heap_end(void)
{
	struct heap_object *h;
	struct bma_stats s;

	heap_model.failing = 0;
	bma_fuzz_fail_after(0);
	for (unsigned int i = 0; i < HEAP_OWNERS; i++) {
		struct heap_owner *o = &heap_model.owners[i];

		if (!heap_open(o))
			continue;
		heap_stats(o);
		if (is_busy(o) && (o->large || heap_counts(o)))
			close_owner(o); /* which is refused */
		reserve_drop(o);
		heap_types_close(o);
		while ((h = heap_pick(o, 0))) {
			void *p = heap_take(h, false);

			if (o->heap)
				bma_heap_free(o->heap, p);
			else
				bma_cache_free(o->cache, p);
		}
		heap_stats(o);
		close_owner(o);
	}
	heap_types_check();
	while ((h = heap_pick(NULL, 0)))
		heap_free_left(h);
	FUZZ_CHECK(!bma_trim(), "trim");
	FUZZ_CHECK(!heap_model.used, "%u still wait", heap_model.used);
	FUZZ_CHECK(!bma_stats_get(&s, sizeof s), "stats");
	FUZZ_CHECK(s.caches == baseline.caches && s.slab_bytes == baseline.slab_bytes &&
			   !s.purge_bytes,
		   "%llu caches, %llu bytes of slabs are left, there were %llu, %llu",
		   (unsigned long long)s.caches, (unsigned long long)s.slab_bytes,
		   (unsigned long long)baseline.caches, (unsigned long long)baseline.slab_bytes);
}
