/* SPDX-License-Identifier: MIT */
/*
 * Attributes of any content: the cache works, or it is refused with the errno that cache.h says. Pointers are
 * valid ones or NULL, and the stock is bounded, for that much would be carved.
 */
#include <bma/bma.h>
#include <bma/fuzz.h>

#include <errno.h>
#include <string.h>
#include <urcu/urcu-memb.h>

#include "attr_rules.h"
#include "fuzz.h"

#define STOCK_MAX ((uint64_t)4 << 20)
#define PAGE 4096u
#define OBJECTS 24
/* What a cache may take besides objects: a chunk or two, magazines of its class. */
#define SLACK ((uint64_t)64 << 20)
#define SENTINEL 4711

static uint64_t constructed, destructed;

static void ctor(void *obj, void *ctx)
{
	FUZZ_CHECK(ctx == &constructed, "another ctx");
	*(unsigned char *)obj = 0xc0;
	constructed++;
}

static void dtor(void *obj, void *ctx)
{
	FUZZ_CHECK(ctx == &constructed && obj, "another ctx");
	destructed++;
}

/* Bytes over the whole struct, where there are any; then what would be too much, or no pointer. */
static void get_attr(struct fuzz_input *in, struct bma_cache_attr *a)
{
	uint8_t how = fuzz_u8(in), pointers = fuzz_u8(in);
	uint64_t stride;

	memset(a, 0, sizeof *a);
	a->attr_size = how & 1 ? fuzz_u64(in) : sizeof *a;
	a->size = fuzz_u64(in) & (how & 2 ? UINT64_MAX : 0x1fffff);
	if (how & 4)
		a->align = how & 8 ? fuzz_u64(in) : (size_t)1 << (fuzz_u8(in) & 31);
	a->flags = how & 16 ? fuzz_u64(in) : fuzz_u16(in) & ATTR_FLAGS;
	a->low = (uint32_t)fuzz_u16(in) * (how & 32 ? 65537u : 1);
	a->high = (uint32_t)fuzz_u16(in) * (how & 64 ? 65537u : 1);
	a->batch = (uint32_t)fuzz_u16(in) * (how & 128 ? 65537u : 1);
	a->reserve = fuzz_u64(in);
	a->limbo_max = fuzz_u64(in);
	a->rcu = pointers & 1 ? &urcu_memb_flavor : NULL;
	a->ctor = pointers & 2 ? ctor : NULL;
	a->dtor = pointers & 4 ? dtor : NULL;
	a->name = pointers & 8 ? "a name that is longer than thirty-one characters" : NULL;
	a->ctx = &constructed;
	stride = a->flags & BMA_CACHE_GUARD ? 2 * PAGE : 0;
	stride += (a->size ? a->size : 1) + (a->align <= BMA_CACHE_ALIGN_MAX ? a->align : 0);
	if (!attr_error(a) && a->reserve > STOCK_MAX / stride) {
		a->reserve %= STOCK_MAX / stride + 1;
		if (a->low > a->reserve)
			a->low = (uint32_t)a->reserve;
	}
}

static void check_stats(struct bma_cache *cache, const struct bma_cache_attr *a, uint64_t live)
{
	uint32_t high = a->flags & BMA_CACHE_KERNEL_MARKS ? 0 : a->high;
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_stats_get(cache, &s, sizeof s), "stats");
	FUZZ_CHECK(s.live == live, "live %llu of %llu", (unsigned long long)s.live,
		   (unsigned long long)live);
	FUZZ_CHECK(s.live + s.cached + s.limbo + s.parked + s.reserved + s.slab_free == s.carved,
		   "the ledger does not add up");
	FUZZ_CHECK(s.object_size == a->size && s.stride >= a->size, "size %llu",
		   (unsigned long long)s.object_size);
	FUZZ_CHECK(strlen(s.name) && strlen(s.name) <= 31, "name");
	FUZZ_CHECK(!a->batch || a->batch > 510 || a->flags & BMA_CACHE_KERNEL_MARKS ||
			   s.capacity >= a->batch,
		   "capacity %llu", (unsigned long long)s.capacity);
	/* Rounded up to whole magazines; a slot that keeps something keeps one. */
	FUZZ_CHECK(!high || s.slot_high <= (uint64_t)high + s.capacity, "slot_high %llu",
		   (unsigned long long)s.slot_high);
	FUZZ_CHECK(!s.slots_used || s.capacity == 1 || s.slot_high >= s.capacity,
		   "slot_high %llu of %u", (unsigned long long)s.slot_high, high);
	FUZZ_CHECK(a->flags & BMA_CACHE_PERCPU ||
			   s.slab_bytes <= 8 * (STOCK_MAX + s.capacity * 3 * s.stride) + SLACK,
		   "%llu bytes of slabs", (unsigned long long)s.slab_bytes);
}

static void use(struct bma_cache *cache, const struct bma_cache_attr *a)
{
	size_t align = a->align ? a->align : 1;
	unsigned char *objs[OBJECTS];

	FUZZ_CHECK(bma_cache_size(cache) == a->size, "size");
	for (unsigned int i = 0; i < OBJECTS; i++) {
		objs[i] = bma_cache_alloc_flags(cache, BMA_SLEEP);
		FUZZ_CHECK(objs[i], "no object");
		FUZZ_CHECK(!((uintptr_t)objs[i] & (align - 1)), "%p", (void *)objs[i]);
		FUZZ_CHECK(!a->ctor || *objs[i] == 0xc0, "not constructed");
		memset(objs[i], (int)i, a->size);
	}
	check_stats(cache, a, OBJECTS);
	if (attr_refuses(a))
		FUZZ_CHECK(bma_cache_destroy(cache) == -EBUSY, "destroyed with live objects");
	for (unsigned int i = 0; i < OBJECTS; i++) {
		for (size_t j = 0; j < a->size; j += j < 64 || a->size - j <= 64 ? 1 : 61)
			FUZZ_CHECK(objs[i][j] == i, "byte %zu of object %u", j, i);
		*objs[i] = a->ctor ? 0xc0 : *objs[i];
		if (i % 3)
			bma_cache_free(cache, objs[i]);
		else
			FUZZ_CHECK(!bma_cache_free_rcu_flags(cache, objs[i], BMA_SLEEP), "free");
	}
	check_stats(cache, a, 0);
}

BMA_FUZZ(attr)
{
	struct bma_cache_attr a;
	struct bma_cache *cache;
	struct bma_stats s;
	int want;

	FUZZ_CHECK(!bma_fuzz_set_slot(0), "no slot");
	constructed = destructed = 0;
	get_attr(in, &a);
	want = attr_error(&a);
	errno = SENTINEL;
	cache = bma_cache_create(&a);
	fuzz_operations++;
	FUZZ_CHECK(!cache == !!want, "size %zu flags %llx: made %d, want errno %d", a.size,
		   (unsigned long long)a.flags, cache != NULL, want);
	FUZZ_CHECK(cache || errno == want, "errno %d, want %d", errno, want);
	if (!cache)
		return;
	use(cache, &a);
	FUZZ_CHECK(!bma_cache_destroy(cache), "not destroyed");
	fuzz_operations += 2 * OBJECTS;
	/* An orphan's destructors run in one, its memory goes in the next. */
	for (int i = 0; i < 4; i++)
		FUZZ_CHECK(!bma_trim(), "trim");
	FUZZ_CHECK(!a.dtor || !a.ctor || destructed >= constructed, "%llu made, %llu destructed",
		   (unsigned long long)constructed, (unsigned long long)destructed);
	FUZZ_CHECK(!a.dtor || !a.ctor || a.flags & BMA_CACHE_DTOR_RECYCLE ||
			   destructed == constructed,
		   "%llu made, %llu destructed", (unsigned long long)constructed,
		   (unsigned long long)destructed);
	FUZZ_CHECK(!bma_stats_get(&s, sizeof s) && !s.caches && !s.slab_bytes && !s.purge_bytes,
		   "%llu bytes are left", (unsigned long long)s.slab_bytes);
}
