/* SPDX-License-Identifier: MIT */
/* Caches of the model, see model.h. */
#include "model.h"

#include <string.h>
#include <urcu/flavor.h>
#include <urcu/urcu-memb.h>

#include "attr_rules.h"

/* A stock of more only costs time. */
#define STOCK_BYTES ((size_t)256 << 10)
/* Slots into which a thread looks whose own is empty, as the depot is. */
#define NEIGHBOURS 3

extern const struct rcu_flavor_struct urcu_memb_flavor;

struct model model;
/* memb with a grace period of ours; only where the library has no threads that would wait for it. */
static struct rcu_flavor_struct flavor;

static void ctor(void *obj, void *ctx)
{
	struct model_cache *c = ctx;

	*(unsigned char *)obj = MODEL_CONSTRUCTED;
	atomic_fetch_add(&c->constructed, 1);
}

static void dtor(void *obj, void *ctx)
{
	struct model_cache *c = ctx;

	FUZZ_CHECK(!c->attr.ctor || *(unsigned char *)obj == MODEL_CONSTRUCTED,
		   "%p is not as it was freed", obj);
	if (c->attr.flags & BMA_CACHE_DTOR_RECYCLE && c->attr.size > 1)
		((unsigned char *)obj)[c->attr.size - 1] = MODEL_DESTRUCTED;
	atomic_fetch_add(&c->destructed, 1);
}

int model_attr(struct fuzz_input *in, struct model_cache *c)
{
	static const size_t sizes[] = {8,   1,	  16,	24,   32,    40,    64,	    100,
				       256, 1000, 2048, 4096, 10000, 70000, 300000, 1 << 20};
	static const uint32_t batches[] = {0, 1, 2, 3, 6, 14, 30, 254};
	uint8_t shape = fuzz_u8(in), more = fuzz_u8(in), marks = fuzz_u8(in);
	struct bma_cache_attr *a = &c->attr;

	memset(c, 0, sizeof *c);
	a->attr_size = sizeof *a;
	a->size = sizes[shape & 15];
	a->batch = batches[shape >> 4 & 7];
	if (shape & 128)
		a->align = (size_t)1 << (more & 15);
	a->flags = (uint64_t)more >> 4 & ~BMA_CACHE_DTOR_RECYCLE;
	if (marks & 1)
		a->flags |= (uint64_t)(fuzz_u8(in) & 63) << 4;
	a->ctor = marks & 2 ? ctor : NULL;
	a->dtor = marks & 4 ? dtor : NULL;
	if (marks & 8)
		a->flags |= BMA_CACHE_DTOR_RECYCLE;
	if (marks & 16)
		a->high = fuzz_u8(in);
	if (marks & 32)
		a->reserve = fuzz_u8(in) % (STOCK_BYTES / a->size + 1);
	if (marks & 64)
		a->low = fuzz_u8(in) & 15;
	if (marks & 128)
		a->limbo_max = (size_t)fuzz_u8(in) << 4;
	a->rcu = baton_native() ? NULL : &flavor;
	a->ctx = c;
	return attr_error(a);
}

/*
 * A grace period that this thread waits for: readers leave when it has begun, and not before, so what did not
 * wait for it is found where it looks at what they may still look at.
 */
static void synchronize(void)
{
	FUZZ_CHECK(!model_reading(), "waits for itself");
	model_leave_all();
	urcu_memb_flavor.update_synchronize_rcu();
}

void model_begin(void)
{
	memset(&model, 0, sizeof model);
	flavor = urcu_memb_flavor;
	flavor.update_synchronize_rcu = synchronize;
}

void model_leave_all(void)
{
	for (unsigned int i = 0; i < BATON_THREADS; i++) {
		while (model.reading[i])
			baton_run(i, call_unlock, NULL);
	}
}

bool model_has_reserves(const struct model_cache *c)
{
	return c->reserves[0].reserve || c->reserves[1].reserve;
}

bool model_reading(void)
{
	return model.reading[baton_self()] != 0;
}

void model_stats(struct model_cache *c)
{
	uint64_t reserved = 0, once = atomic_load(&c->constructed);
	struct bma_cache_stats s;

	for (unsigned int i = 0; i < MODEL_RESERVES; i++)
		reserved += c->reserves[i].count;
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(s.live == c->live, "live %llu, the model has %llu", (unsigned long long)s.live,
		   (unsigned long long)c->live);
	FUZZ_CHECK(
		s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free == s.carved,
		"%llu live %llu cached %llu limbo %llu parked %llu reserved %llu free, %llu carved",
		(unsigned long long)s.live, (unsigned long long)s.cached,
		(unsigned long long)s.limbo, (unsigned long long)s.parked,
		(unsigned long long)s.reserved, (unsigned long long)s.slab_free,
		(unsigned long long)s.carved);
	FUZZ_CHECK(s.reserved == reserved, "reserved %llu, not %llu",
		   (unsigned long long)s.reserved, (unsigned long long)reserved);
	FUZZ_CHECK(s.limbo <= c->deferred + s.parks, "limbo %llu of %llu",
		   (unsigned long long)s.limbo, (unsigned long long)c->deferred);
	FUZZ_CHECK(baton_native() || s.slots_used <= BATON_THREADS + NEIGHBOURS, "%llu slots",
		   (unsigned long long)s.slots_used);
	FUZZ_CHECK(baton_native() || s.capacity == 1 ||
			   s.slots_used >= (unsigned int)__builtin_popcount(c->users),
		   "%llu slots, threads %x", (unsigned long long)s.slots_used, c->users);
	FUZZ_CHECK(s.object_size == c->attr.size && s.stride >= s.object_size, "size");
	/* What is carved was constructed, each once, and not yet destructed. */
	FUZZ_CHECK(!c->attr.ctor || c->attr.flags & BMA_CACHE_DTOR_RECYCLE ||
			   once - atomic_load(&c->destructed) >= (c->attr.dtor ? s.carved : 0),
		   "%llu constructed, %llu carved", (unsigned long long)once,
		   (unsigned long long)s.carved);
}

void model_stats_all(void)
{
	for (unsigned int i = 0; i < MODEL_CACHES; i++) {
		if (model.caches[i].cache)
			model_stats(&model.caches[i]);
	}
}

void model_waited(struct model_cache *c)
{
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.limbo, "%llu in limbo after a wait", (unsigned long long)s.limbo);
	c->deferred = 0;
}
