/* SPDX-License-Identifier: MIT */
/* With guard pages: what touches memory that nobody has stops at the instruction. */
#include "misuse.h"

#include <sys/mman.h>

#define OF(n) "cache \"cache\": object @ of " #n " bytes: byte # "

static volatile char sink;

static int behind(void)
{
	volatile char *obj = misuse_taken(misuse_cache(64, 0));

	sink = obj[64];
	return 1;
}

static int write_behind(void)
{
	volatile char *obj = misuse_taken(misuse_cache(4096, 0));

	obj[4096 + 100] = 1;
	return 1;
}

static int behind_by_flag(void)
{
	volatile char *obj = misuse_taken(misuse_cache(100000, BMA_CACHE_GUARD));

	/* To a multiple of 16 there is room. */
	sink = obj[100000 + 16];
	return 1;
}

static int before(void)
{
	struct bma_cache *cache = misuse_cache(4096, 0);
	volatile char *one = misuse_taken(cache), *other = misuse_taken(cache);

	/* The page behind the one before it. */
	sink = (one > other ? one : other)[-1];
	return 1;
}

static int after_free(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	volatile char *obj = misuse_taken(cache);

	bma_cache_free(cache, (void *)obj);
	sink = obj[3];
	return 1;
}

static int after_grace_period(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	volatile char *obj = misuse_taken(cache);

	bma_cache_free_rcu(cache, (void *)obj);
	/* A reader may still look. */
	sink = obj[3];
	bma_rcu_barrier(cache);
	sink = obj[3];
	return 1;
}

static int never_taken(void)
{
	volatile char *obj = misuse_taken(misuse_cache(64, 0));

	sink = obj[2 * 4096];
	return 1;
}

/* The report shows bytes up to the object's end, and no further: there is the guard page. */
static int written_at_the_end(void)
{
	struct bma_cache *cache = misuse_cache(4096, BMA_CACHE_GUARD | BMA_CACHE_POISON);
	char *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	mprotect(obj, 4096, PROT_READ | PROT_WRITE);
	obj[4095] = 1;
	for (int i = 0; i < 10000; i++)
		misuse_taken(cache);
	return 1;
}

const struct misuse misuse_guard[] = {
	{"guard_behind", "debug:guard", behind, MISUSE_FAULTS, OF(64) "behind its end was touched",
	 NULL},
	{"guard_write_behind", "debug:guard", write_behind, MISUSE_FAULTS,
	 OF(4096) "behind its end was touched", NULL},
	{"guard_by_flag", "", behind_by_flag, MISUSE_FAULTS,
	 OF(100000) "behind its end was touched", NULL},
	{"guard_before", "debug:guard", before, MISUSE_FAULTS,
	 OF(4096) "behind its end was touched", NULL},
	{"guard_after_free", "debug:guard", after_free, MISUSE_FAULTS,
	 OF(64) "was touched, and nobody has the object", NULL},
	{"guard_tracked", "debug:guard+track", after_free, MISUSE_FAULTS,
	 OF(64) "was touched, and nobody has the object", "  freed by thread #:"},
	{"guard_after_grace_period", "debug:guard", after_grace_period, MISUSE_FAULTS,
	 OF(64) "was touched, and nobody has the object", NULL},
	{"guard_never_taken", "debug:guard", never_taken, MISUSE_FAULTS,
	 OF(64) "was touched, and nobody has the object", NULL},
	{"guard_written_at_the_end", "", written_at_the_end, MISUSE_ABORTS,
	 "bma_cache_alloc_flags: cache \"cache\": object @ of 4096 bytes: was written to after it "
	 "was freed, first at byte 4095",
	 "  bytes from @: 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b 6b[01]"},
	{0},
};
