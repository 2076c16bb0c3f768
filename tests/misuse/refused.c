/* SPDX-License-Identifier: MIT */
/* Attributes that make no sense, and words of BMA_CONF that are none: said in one line, and nothing is done. */
#include "misuse.h"

#include <errno.h>

static int refused(struct bma_cache_attr *attr, int expected)
{
	errno = 0;
	return bma_cache_create(attr) || errno != expected;
}

#define ATTR .attr_size = sizeof(struct bma_cache_attr), .name = "cache"

static int no_attr(void)
{
	return refused(NULL, EINVAL);
}

static int attr_size(void)
{
	return refused(&(struct bma_cache_attr){.attr_size = 1, .size = 64}, E2BIG);
}

static int size_none(void)
{
	return refused(&(struct bma_cache_attr){ATTR}, EINVAL);
}

static int size_most(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = BMA_CACHE_SIZE_MAX + 1}, EINVAL);
}

static int align_odd(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .align = 24}, EINVAL);
}

static int align_most(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .align = 2 * BMA_CACHE_ALIGN_MAX},
		       EINVAL);
}

static int flags_unknown(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .flags = (uint64_t)1 << 63},
		       EINVAL);
}

static int recycle_without(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .flags = BMA_CACHE_DTOR_RECYCLE},
		       EINVAL);
}

static void touch(void *obj, void *ctx)
{
	(void)obj;
	(void)ctx;
}

static int poison_with_ctor(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .flags = BMA_CACHE_POISON,
						.ctor = touch},
		       EINVAL);
}

static int zero_with_dtor(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .flags = BMA_CACHE_ZERO_FREE,
						.dtor = touch},
		       EINVAL);
}

static int redzone_without_room(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = BMA_CACHE_SIZE_MAX,
						.flags = BMA_CACHE_REDZONE},
		       EINVAL);
}

static int guard_with_redzone(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64,
						.flags = BMA_CACHE_GUARD | BMA_CACHE_REDZONE},
		       EINVAL);
}

static int sample_with_check(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64,
						.flags = BMA_CACHE_SAMPLE | BMA_CACHE_DEBUG},
		       EINVAL);
}

static int sample_with_ctor(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .flags = BMA_CACHE_SAMPLE,
						.ctor = touch},
		       EINVAL);
}

static int high_below_batch(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .high = 10, .batch = 20}, EINVAL);
}

static int low_over_reserve(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .low = 20, .reserve = 10},
		       EINVAL);
}

static int reserve_too_large(void)
{
	return refused(&(struct bma_cache_attr){ATTR, .size = 64, .reserve = SIZE_MAX / 64},
		       EINVAL);
}

const struct misuse misuse_refused[] = {
	{"no_attr", "verbose", no_attr, MISUSE_GOES_ON, "bma_cache_create: no attributes", NULL},
	{"attr_size", "verbose", attr_size, MISUSE_GOES_ON,
	 "bma_cache_create: attr_size 1, this library knows #", NULL},
	{"size_none", "verbose", size_none, MISUSE_GOES_ON,
	 "bma_cache_create: size is 0 or over BMA_CACHE_SIZE_MAX", NULL},
	{"size_most", "verbose", size_most, MISUSE_GOES_ON,
	 "bma_cache_create: size is 0 or over BMA_CACHE_SIZE_MAX", NULL},
	{"align_odd", "verbose", align_odd, MISUSE_GOES_ON,
	 "bma_cache_create: align is no power of two or over BMA_CACHE_ALIGN_MAX", NULL},
	{"align_most", "verbose", align_most, MISUSE_GOES_ON,
	 "bma_cache_create: align is no power of two or over BMA_CACHE_ALIGN_MAX", NULL},
	{"flags_unknown", "verbose", flags_unknown, MISUSE_GOES_ON,
	 "bma_cache_create: flags has an unknown bit", NULL},
	{"recycle_without", "verbose", recycle_without, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_DTOR_RECYCLE without dtor", NULL},
	{"poison_with_ctor", "verbose", poison_with_ctor, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_POISON or BMA_CACHE_ZERO_FREE with ctor or dtor", NULL},
	{"zero_with_dtor", "verbose", zero_with_dtor, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_POISON or BMA_CACHE_ZERO_FREE with ctor or dtor", NULL},
	{"redzone_without_room", "verbose", redzone_without_room, MISUSE_GOES_ON,
	 "bma_cache_create: size leaves no room for BMA_CACHE_REDZONE", NULL},
	{"guard_with_redzone", "verbose", guard_with_redzone, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_GUARD with BMA_CACHE_REDZONE, or size is too large for it",
	 NULL},
	{"sample_with_check", "verbose", sample_with_check, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_SAMPLE with ctor, dtor, BMA_CACHE_MERGE, BMA_CACHE_PERCPU or "
	 "a flag "
	 "that has each call checked",
	 NULL},
	{"sample_with_ctor", "verbose", sample_with_ctor, MISUSE_GOES_ON,
	 "bma_cache_create: BMA_CACHE_SAMPLE with ctor, dtor, BMA_CACHE_MERGE, BMA_CACHE_PERCPU or "
	 "a flag "
	 "that has each call checked",
	 NULL},
	{"high_below_batch", "verbose", high_below_batch, MISUSE_GOES_ON,
	 "bma_cache_create: high is below batch", NULL},
	{"low_over_reserve", "verbose", low_over_reserve, MISUSE_GOES_ON,
	 "bma_cache_create: low is over reserve", NULL},
	{"reserve_too_large", "verbose", reserve_too_large, MISUSE_GOES_ON,
	 "bma_cache_create: reserve is too large", NULL},
	{0},
};

/* The library goes on as if the word were not there. */
static int conf(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	return !obj || bma_cache_destroy(cache);
}

const struct misuse misuse_conf[] = {
	{"conf_word", "nonsense", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"nonsense\" is not known, ignored; the nearest is \"verbose\"", NULL},
	{"conf_value", "worker:maybe", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"worker:maybe\" is not known, ignored; the nearest is \"worker:off\"", NULL},
	{"conf_none", "gp_flush_ms:0", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"gp_flush_ms:0\" is not known, ignored; the nearest is \"gp_flush_ms:N\"",
	 NULL},
	{"conf_number", "gp_flush_ms:1x", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"gp_flush_ms:1x\" is not known, ignored; the nearest is \"gp_flush_ms:N\"",
	 NULL},
	{"conf_sample", "sample_ms:10001", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"sample_ms:10001\" is not known, ignored; the nearest is \"sample_ms:N\"",
	 NULL},
	{"conf_debug_none", "debug:", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"debug:\" is not known, ignored; the nearest is \"debug:check\"", NULL},
	{"conf_debug_word", "debug:check+chek", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"debug:check+chek\" is not known, ignored; the nearest is \"debug:check\"",
	 NULL},
	{"conf_debug_plus", "debug:check+", conf, MISUSE_GOES_ON,
	 "BMA_CONF: \"debug:check+\" is not known, ignored; the nearest is \"debug:check\"", NULL},
	{0},
};
