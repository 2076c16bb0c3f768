/* SPDX-License-Identifier: MIT */
/* Caches, and what begins and ends an input, see slots.h. */
#include "slots.h"

#include <errno.h>
#include <string.h>
#include <urcu/flavor.h>

#include "attr_rules.h"

/* Where a cache has much memory, its time goes to the system. */
#define STOCK_BYTES ((size_t)32 << 10)
#define FILLED_BYTES 256
#define MAGAZINE_BYTES ((size_t)16 << 10)

extern const struct rcu_flavor_struct urcu_memb_flavor;

struct slots slots;
/* memb, of which this thread is the only reader; it says itself when it is one. */
static struct rcu_flavor_struct flavor;

static void ctor(void *obj, void *ctx)
{
	struct slots_cache *c = ctx;

	(void)obj;
	c->constructed++;
}

static void dtor(void *obj, void *ctx)
{
	struct slots_cache *c = ctx;
	enum slots_state state = slots_state_of(c, obj);

	FUZZ_CHECK(state == SLOTS_NONE, "%p is destructed, and is %s", obj,
		   state == SLOTS_LIVE ? "live" : "readable");
	c->destructed++;
}

static int read_ongoing(void)
{
	return slots.reading != 0;
}

static void synchronize(void)
{
	FUZZ_CHECK(!slots.reading, "waits for itself");
	for (unsigned int i = 0; i < slots.used; i++)
		slots_period(&slots.caches[i]);
}

static void attr(struct fuzz_input *in, struct slots_cache *c)
{
	static const uint16_t sizes[] = {8,  16,  24,  32,   40,   64,	 96,   128,
					 20, 256, 512, 1000, 2048, 4096, 9000, 32768};
	static const uint16_t batches[] = {1, 2, 6, 14, 30, 62, 6, 0};
	static const uint16_t flags[] = {
		0,
		0,
		BMA_CACHE_KERNEL_MARKS,
		BMA_CACHE_DTOR_RECYCLE,
		BMA_CACHE_DEBUG,
		BMA_CACHE_DEBUG | BMA_CACHE_POISON | BMA_CACHE_REDZONE,
		BMA_CACHE_QUARANTINE | BMA_CACHE_POISON,
		BMA_CACHE_ZERO_FREE | BMA_CACHE_REDZONE,
	};
	uint8_t shape = fuzz_u8(in), marks = fuzz_u8(in), more = fuzz_u8(in);
	struct bma_cache_attr *a = &c->attr;

	memset(a, 0, sizeof *a);
	a->attr_size = sizeof *a;
	a->size = sizes[shape & 15];
	a->batch = batches[shape >> 4 & 7];
	if ((a->batch ? a->batch : 254) * a->size > MAGAZINE_BYTES)
		a->batch = (uint32_t)(MAGAZINE_BYTES / a->size + 1);
	a->flags = flags[marks & 7];
	/* Pages of a fresh object that is cleared for the destructor, or filled, come from the system. */
	if (a->size > FILLED_BYTES)
		a->flags &= ~(ATTR_FILLINGS | BMA_CACHE_DTOR_RECYCLE);
	/* Fillings do not go with them. */
	if (!(a->flags & ATTR_FILLINGS)) {
		a->ctor = marks & 8 ? ctor : NULL;
		if (a->size <= FILLED_BYTES && (marks & 16 || a->flags & BMA_CACHE_DTOR_RECYCLE))
			a->dtor = dtor;
	}
	if (marks & 32 && a->size <= 4096)
		a->align = (size_t)8 << (more & 3);
	if (marks & 64)
		a->high = a->batch + (uint32_t)(more >> 2);
	if (marks & 128) {
		a->reserve = (size_t)1 + more % (STOCK_BYTES / a->size);
		a->low = (uint32_t)a->reserve / 2;
	}
	if (shape & 128)
		a->limbo_max = (size_t)more << 4;
	a->rcu = &flavor;
	a->ctx = c;
	c->most = (uint32_t)(SLOTS_LIVE_BYTES / a->size);
	if (c->most > SLOTS_OBJECTS / 2)
		c->most = SLOTS_OBJECTS / 2;
}

void slots_create(struct slots_cache *c)
{
	c->constructed = c->destructed = c->due = c->deferred = c->fails = 0;
	errno = 0;
	c->cache = bma_cache_create(&c->attr);
	fuzz_operations++;
	FUZZ_CHECK(c->cache || (errno == ENOMEM && slots.failing), "not made, errno %d", errno);
	FUZZ_CHECK(!attr_error(&c->attr), "made, not refused");
}

int slots_destroy(struct slots_cache *c)
{
	bool busy = c->live || c->reserve, must = slots.reading && c->attr.dtor && !c->reserve;
	int rc = bma_cache_destroy(c->cache);

	fuzz_operations++;
	/* In a read section: what was deferred or parked may have been waited for before. */
	if (!slots.reading || rc != -EDEADLK)
		FUZZ_CHECK(!must && rc == (busy ? -EBUSY : 0), "%d, %u live", rc, c->live);
	if (rc)
		return rc;
	FUZZ_CHECK(!c->waiting, "%u are readable", c->waiting);
	FUZZ_CHECK(!c->attr.ctor || !c->attr.dtor || c->destructed == c->constructed + c->due,
		   "%llu constructed, %llu due, %llu destructed",
		   (unsigned long long)c->constructed, (unsigned long long)c->due,
		   (unsigned long long)c->destructed);
	c->cache = NULL;
	return 0;
}

void slots_stats(struct slots_cache *c)
{
	struct bma_cache_stats s;

	if (!c->cache)
		return;
	fuzz_operations++;
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(s.live == c->live, "live %llu, there are %u", (unsigned long long)s.live,
		   c->live);
	FUZZ_CHECK(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free == s.carved,
		   "the ledger: %llu carved", (unsigned long long)s.carved);
	FUZZ_CHECK(s.reserved == c->reserve_count, "%llu reserved, not %zu",
		   (unsigned long long)s.reserved, c->reserve_count);
	FUZZ_CHECK(s.limbo >= c->waiting || s.parked, "limbo %llu, %u wait",
		   (unsigned long long)s.limbo, c->waiting);
	FUZZ_CHECK(s.limbo <= c->deferred + s.parks, "limbo %llu of %llu",
		   (unsigned long long)s.limbo, (unsigned long long)c->deferred);
	FUZZ_CHECK(s.fail_depot_empty == c->fails, "%llu failed, not %llu",
		   (unsigned long long)s.fail_depot_empty, (unsigned long long)c->fails);
}

void slots_waited(void)
{
	for (unsigned int i = 0; i < slots.used; i++) {
		struct slots_cache *c = &slots.caches[i];

		FUZZ_CHECK(!c->waiting, "%u are readable after a wait", c->waiting);
		c->deferred = 0;
		slots_stats(c); /* limbo is at most what was parked */
	}
}

void slots_begin(struct fuzz_input *in)
{
	flavor = urcu_memb_flavor;
	flavor.read_ongoing = read_ongoing;
	flavor.update_synchronize_rcu = synchronize;
	FUZZ_CHECK(!bma_fuzz_set_slot(0), "slots");
	slots.serial = slots.failing = 0;
	slots.reading = 0;
	slots.used = 1 + fuzz_u8(in) % SLOTS_CACHES;
	for (unsigned int i = 0; i < slots.used; i++) {
		attr(in, &slots.caches[i]);
		slots_objects_begin(&slots.caches[i]);
		slots_create(&slots.caches[i]);
	}
}

void slots_end(void)
{
	struct bma_stats s;

	slots.reading = 0;
	slots.failing = 0;
	bma_fuzz_fail_after(0);
	for (unsigned int i = 0; i < slots.used; i++) {
		struct slots_cache *c = &slots.caches[i];

		if (!c->cache)
			continue;
		slots_stats(c);
		bma_reserve_destroy(c->reserve);
		c->reserve = NULL;
		c->reserve_count = 0;
		for (; c->live; fuzz_operations++)
			bma_cache_free(c->cache, slots_take(c, c->live - 1, false));
		slots_stats(c);
		FUZZ_CHECK(!slots_destroy(c), "the cache is still there");
	}
	FUZZ_CHECK(!bma_trim(), "trim");
	FUZZ_CHECK(!bma_stats_get(&s, sizeof s), "stats");
	FUZZ_CHECK(!s.caches && !s.slab_bytes && !s.purge_bytes,
		   "%llu caches, %llu bytes of slabs are left", (unsigned long long)s.caches,
		   (unsigned long long)s.slab_bytes);
}
