/* SPDX-License-Identifier: MIT */
/* Writes where nobody may write: redzones, filling, and who had the object. */
#include "misuse.h"

#include <string.h>

#define OF(n) "object @ of " #n " bytes: "
#define BEHIND "was written to behind its end, first at byte #"
#define AFTER "was written to after it was freed, first at byte #"
#define FREE "bma_cache_free: cache \"cache\": "
#define DEFER "bma_cache_free_rcu: cache \"cache\": "
#define TAKE "bma_cache_alloc_flags: cache \"cache\": "

static int behind(size_t size, size_t offset, bool rcu)
{
	struct bma_cache *cache = misuse_cache(size, 0);
	char *obj = misuse_taken(cache);

	obj[offset] = 1;
	if (rcu)
		bma_cache_free_rcu(cache, obj);
	else
		bma_cache_free(cache, obj);
	return 1;
}

static int behind_by_one(void)
{
	return behind(64, 64, false);
}

static int behind_by_fifteen(void)
{
	return behind(64, 79, false);
}

static int behind_deferred(void)
{
	return behind(64, 64, true);
}

static int behind_one_byte(void)
{
	return behind(1, 1, false);
}

static int behind_odd(void)
{
	return behind(13, 13, false);
}

static int behind_large(void)
{
	return behind(100000, 100000, false);
}

static int behind_by_a_string(void)
{
	struct bma_cache *cache = misuse_cache(8, 0);
	char *obj = misuse_taken(cache);

	memcpy(obj, "12345678", 9);
	bma_cache_free(cache, obj);
	return 1;
}

static int behind_by_clearing(void)
{
	struct bma_cache *cache = misuse_cache(40, 0);
	void *obj = bma_cache_alloc_flags(cache, BMA_SLEEP | BMA_ZERO);

	memset(obj, 0, 48);
	bma_cache_free(cache, obj);
	return 1;
}

/* What is before an object is behind the one before it. */
static int before(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *low = misuse_taken(cache), *high = misuse_taken(cache), *t;

	if (high < low) {
		t = low;
		low = high;
		high = t;
	}
	high[-1] = 1;
	bma_cache_free(cache, high);
	bma_cache_free(cache, low);
	return 1;
}

static int behind_by_flag(void)
{
	struct bma_cache *cache = misuse_cache(64, BMA_CACHE_REDZONE);
	char *obj = misuse_taken(cache);

	obj[64] = 1;
	bma_cache_free(cache, obj);
	return 1;
}

static int behind_of_a_reserve(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = bma_reserve_alloc(bma_reserve_create(cache, 2));

	obj[64] = 1;
	bma_cache_free(cache, obj);
	return 1;
}

/* Takes until the object comes that was written to. */
static int taken_again(struct bma_cache *cache)
{
	for (int i = 0; i < 100000; i++)
		misuse_taken(cache);
	return 1;
}

static int after(size_t size, size_t offset, int value, uint64_t flags)
{
	struct bma_cache *cache = misuse_cache(size, flags);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	obj[offset] = (char)value;
	return taken_again(cache);
}

static int after_first(void)
{
	return after(64, 0, 1, 0);
}

static int after_last(void)
{
	return after(64, 63, 1, 0);
}

static int after_zero(void)
{
	return after(64, 32, 0, 0);
}

static int after_by_flag(void)
{
	return after(64, 8, 1, BMA_CACHE_POISON);
}

static int after_zeroed(void)
{
	return after(64, 8, 1, BMA_CACHE_POISON | BMA_CACHE_ZERO_FREE);
}

static int after_large(void)
{
	struct bma_cache *cache = misuse_cache(100000, 0);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	obj[50000] = 1;
	for (int i = 0; i < 1000; i++)
		misuse_taken(cache);
	return 1;
}

static int after_in_quarantine(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *kept = misuse_taken(cache), *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	/* Nobody gets it for a while, so nobody's data are hit. */
	for (int i = 0; i < 100; i++) {
		char *other = misuse_taken(cache);

		if (other == obj)
			return 2;
		bma_cache_free(cache, other);
	}
	obj[5] = 1;
	/* Out of quarantine, home to its slab, which stays for the one that is kept. */
	bma_trim();
	bma_cache_free(cache, kept);
	return taken_again(cache);
}

/* A reader that stayed too long, and writes. */
static int after_grace_period(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = misuse_taken(cache);

	bma_cache_free_rcu(cache, obj);
	bma_rcu_barrier(cache);
	obj[3] = 1;
	return taken_again(cache);
}

static int in_bma_cache_alloc(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	obj[0] = 1;
	bma_cache_alloc(cache);
	return 1;
}

/* Each is another call, but all are made from one place. */
static __attribute__((noinline)) void lose(struct bma_cache *cache)
{
	if (!misuse_taken(cache))
		__builtin_trap();
}

static int leak(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void (*volatile loser)(struct bma_cache *) = lose;

#pragma GCC unroll 1
	for (int i = 0; i < 3; i++)
		loser(cache);
	return bma_cache_destroy(cache) != -16;
}

const struct misuse misuse_memory[] = {
	{"redzone_by_one", "debug:redzone", behind_by_one, MISUSE_ABORTS, FREE OF(64) BEHIND,
	 "  bytes from @:"},
	{"redzone_by_fifteen", "debug:redzone", behind_by_fifteen, MISUSE_ABORTS,
	 FREE OF(64) BEHIND, NULL},
	{"redzone_deferred", "debug:redzone", behind_deferred, MISUSE_ABORTS, DEFER OF(64) BEHIND,
	 NULL},
	{"redzone_one_byte", "debug:redzone", behind_one_byte, MISUSE_ABORTS, FREE OF(1) BEHIND,
	 NULL},
	{"redzone_odd", "debug:redzone", behind_odd, MISUSE_ABORTS, FREE OF(13) BEHIND, NULL},
	{"redzone_large", "debug:redzone", behind_large, MISUSE_ABORTS, FREE OF(100000) BEHIND,
	 NULL},
	{"redzone_by_a_string", "debug:redzone", behind_by_a_string, MISUSE_ABORTS,
	 FREE OF(8) BEHIND, NULL},
	{"redzone_by_clearing", "debug:redzone", behind_by_clearing, MISUSE_ABORTS,
	 FREE OF(40) BEHIND, NULL},
	{"redzone_before", "debug:redzone", before, MISUSE_ABORTS, FREE OF(64) BEHIND, NULL},
	{"redzone_by_flag", "", behind_by_flag, MISUSE_ABORTS, FREE OF(64) BEHIND, NULL},
	{"redzone_of_a_reserve", "debug:redzone", behind_of_a_reserve, MISUSE_ABORTS,
	 FREE OF(64) BEHIND, NULL},
	{"redzone_tracked", "debug:redzone+track", behind_by_one, MISUSE_ABORTS, FREE OF(64) BEHIND,
	 "  allocated by thread #:"},
	{"poison_first", "debug:poison", after_first, MISUSE_ABORTS, TAKE OF(64) AFTER,
	 "  bytes from @:[01] 6b 6b"},
	{"poison_last", "debug:poison", after_last, MISUSE_ABORTS, TAKE OF(64) AFTER, NULL},
	{"poison_zero", "debug:poison", after_zero, MISUSE_ABORTS, TAKE OF(64) AFTER, NULL},
	{"poison_by_flag", "", after_by_flag, MISUSE_ABORTS, TAKE OF(64) AFTER, NULL},
	{"poison_zeroed", "", after_zeroed, MISUSE_ABORTS, TAKE OF(64) AFTER, NULL},
	{"poison_guest", "debug:poison,rseq:off", after_first, MISUSE_ABORTS, TAKE OF(64) AFTER,
	 NULL},
	{"poison_large", "debug:poison", after_large, MISUSE_ABORTS, TAKE OF(100000) AFTER, NULL},
	{"poison_in_quarantine", "debug:poison+quarantine", after_in_quarantine, MISUSE_ABORTS,
	 TAKE OF(64) AFTER, NULL},
	{"poison_grace_period", "debug:poison", after_grace_period, MISUSE_ABORTS,
	 TAKE OF(64) AFTER, NULL},
	{"poison_tracked", "debug:poison+track", after_first, MISUSE_ABORTS, TAKE OF(64) AFTER,
	 "  freed by thread #:"},
	{"poison_in_any_context", "debug:poison", in_bma_cache_alloc, MISUSE_ABORTS,
	 "bma_cache_alloc: cache \"cache\": " OF(64) AFTER, NULL},
	{"leak", "debug:track,verbose", leak, MISUSE_GOES_ON,
	 "bma_cache_destroy: cache \"cache\": 3 objects live, 0 reserves",
	 "cache \"cache\": 3 live objects, 192 bytes"},
	{0},
};
