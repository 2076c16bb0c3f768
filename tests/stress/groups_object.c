/* SPDX-License-Identifier: MIT */
/* Objects of all kinds of payers, see groups.h. */
#include "groups.h"

#include <errno.h>

#include "test.h"

#define SENTINEL 4712 /* no error number */
#define HANDLES 4
#define SHAPES 4
#define HANDLER_MOST 70

_Atomic(struct object *) groups_box[GROUPS_BOXES], groups_large[GROUPS_LARGE];
_Atomic long groups_nulls, groups_refused, groups_shrunk;

static const size_t sizes[] = {24, 64, 200, 1000, 9000, 40000};

static struct object *header(const struct payer *p, void *obj)
{
	return p->kind == MERGED && p->shape == 3 ? bma_per_cpu_ptr(obj, 0) : obj;
}

static struct object *hold(int id, void *obj, uint64_t bytes, bool large)
{
	struct payer *p = &groups_payer[id];
	struct object *o = header(p, obj);
	uint64_t old = atomic_exchange(&o->mark, GROUPS_HELD);

	CHECK(old != GROUPS_HELD, "object %p was given out twice", obj);
	o->bytes = bytes;
	o->payer = (uint32_t)id;
	o->large = large;
	/* Those that pay by the slab pay for their objects so. */
	if (p->kind == MERGED || p->kind == SHARED_HEAP)
		atomic_fetch_add(&p->bytes, bytes);
	atomic_fetch_add(large ? &p->large : &p->objects, large ? bytes : 1);
	return o;
}

static void missed(unsigned int flags)
{
	atomic_fetch_add_explicit(&groups_nulls, 1, memory_order_relaxed);
	if (!(flags & BMA_SLEEP)) {
		CHECK(errno == SENTINEL, "an any-context call set errno to %d", errno);
		return;
	}
	CHECK(errno == EDQUOT, "errno %d", errno);
	atomic_fetch_add_explicit(&groups_refused, 1, memory_order_relaxed);
}

static void *get(const struct payer *p, struct bma_cache *cache, size_t size, unsigned int flags)
{
	if (cache)
		return flags ? bma_cache_alloc_flags(cache, flags) : bma_cache_alloc(cache);
	return flags ? bma_heap_alloc_flags(p->heap, size, flags) : bma_heap_alloc(p->heap, size);
}

/* What one of a cache costs; @copies: of a per-CPU one. */
static uint64_t price(struct bma_cache *cache, uint64_t copies)
{
	return (bma_cache_size(cache) + 7) / 8 * 8 * copies;
}

struct object *groups_take(uint64_t *rng, unsigned int flags)
{
	uint64_t r = test_random(rng);
	int id = groups_source[r % GROUPS_SOURCES], saved = errno;
	const struct payer *p = &groups_payer[id];
	size_t size = sizes[r / 64 % 64 * 6 / 64 % (r >> 40 & 7 ? 4 : 6)];
	uint64_t bytes;
	void *obj;

	errno = SENTINEL;
	obj = get(p, p->cache, size, flags);
	if (!obj)
		missed(flags);
	errno = saved;
	if (!obj)
		return NULL;
	bytes = price(p->cache ? p->cache : bma_heap_cache(p->heap, size),
		      p->kind == MERGED && p->shape == 3 ? bma_percpu_copies() : 1);
	return hold(id, obj, bytes, false);
}

/* Of a heap of either kind; may sleep. */
struct object *groups_take_large(uint64_t *rng)
{
	uint64_t r = test_random(rng);
	int id = groups_source[r % GROUPS_SOURCES];
	size_t size = BMA_HEAP_CLASS_MAX + 1 + (r >> 32 & 0xfffff);
	void *obj;

	if (!groups_payer[id].heap)
		return NULL;
	errno = SENTINEL;
	obj = bma_heap_alloc_flags(groups_payer[id].heap, size, BMA_SLEEP);
	if (!obj) {
		missed(BMA_SLEEP);
		return NULL;
	}
	return hold(id, obj, (size + 4095) / 4096 * 4096, true);
}

/* Any handle of the engine will do: who pays is found from the address. */
static struct bma_cache *some_handle(const struct payer *p, uint64_t r)
{
	if (p->kind == MERGED)
		return groups_payer[groups_source[p->shape * HANDLES + r % HANDLES]].cache;
	return p->cache;
}

static struct bma_heap *some_heap(const struct payer *p, uint64_t r, bool large)
{
	if (p->kind == SHARED_HEAP && !large)
		return groups_payer[groups_source[SHAPES * HANDLES + r % 2]].heap;
	return p->heap;
}

void groups_give(struct object *o, uint64_t r)
{
	struct payer *p = &groups_payer[o->payer];
	bool large = o->large, rcu = !(r & 3);
	uint64_t old = atomic_exchange(&o->mark, GROUPS_FREE);
	struct bma_cache *cache = some_handle(p, r >> 8);

	CHECK(old == GROUPS_HELD, "object %p held %llx", (void *)o, (unsigned long long)old);
	if (p->kind == MERGED || p->kind == SHARED_HEAP)
		atomic_fetch_sub(&p->bytes, o->bytes);
	atomic_fetch_sub(large ? &p->large : &p->objects, large ? o->bytes : 1);
	if (cache && rcu)
		bma_cache_free_rcu(cache, o);
	else if (cache)
		bma_cache_free(cache, o);
	else if (rcu)
		bma_heap_free_rcu(some_heap(p, r >> 8, large), o);
	else
		bma_heap_free(some_heap(p, r >> 8, large), o);
}

void groups_handler(int sig)
{
	static _Atomic uint64_t signals;
	uint64_t n = atomic_fetch_add(&signals, 1), rng = n * 2654435761u | 1;
	int most = n % 16 ? (int)(n % 5) + 1 : HANDLER_MOST, have = 0;
	struct object *objs[HANDLER_MOST];

	(void)sig;
	while (have < most && (objs[have] = groups_take(&rng, 0)))
		have++;
	while (have--)
		groups_give(objs[have], n + (uint64_t)have);
}

/* Leaves an object, or nothing, in a box and frees what was there. */
void groups_step(uint64_t *rng)
{
	uint64_t r = test_random(rng);
	struct object *o = NULL;

	if (!(r >> 20 & 511)) {
		o = atomic_exchange(&groups_large[r % GROUPS_LARGE],
				    r >> 32 & 1 ? groups_take_large(rng) : NULL);
	} else {
		if (r >> 32 & 1)
			o = groups_take(rng, r >> 33 & 15 ? 0 : BMA_SLEEP);
		o = atomic_exchange(&groups_box[r % GROUPS_BOXES], o);
	}
	if (o)
		groups_give(o, r >> 34);
	if (!(r >> 44 & 1023))
		test_pin((unsigned int)(r >> 54 & 7));
}
