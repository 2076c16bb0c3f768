/* SPDX-License-Identifier: MIT */
/* With sampled guard pages: the same bugs, told of the object that stands between two. */
#include "misuse.h"

#include <unistd.h>

#define CONF "debug:sample,sample_ms:1"
#define OF(n) "object @ of " #n " bytes: "
#define FAULT(n) "cache \"cache\": " OF(n) "byte # "
#define FREE "bma_cache_free: cache \"cache\": object @ "
#define PAGE 4096
/* A guarded object is in no chunk. */
#define CHUNK_SHIFT 21

static volatile char sink;

static bool apart(const char *a, const char *b)
{
	return ((uintptr_t)a ^ (uintptr_t)b) >> CHUNK_SHIFT;
}

/* The next one; the gate stands open for the calls that follow. */
static char *guarded(struct bma_cache *cache)
{
	static char *kept;
	char *obj;

	/* Of two that are not apart neither is guarded; the first of all may be. */
	while (!kept) {
		obj = misuse_taken(cache);
		if (!apart(obj, misuse_taken(cache)))
			kept = obj;
	}
	while (!apart(obj = misuse_taken(cache), kept))
		bma_cache_free(cache, obj);
	return obj;
}

/* One at the end of its page, so that there is room before it; or at the beginning. */
static char *guarded_at(struct bma_cache *cache, bool end)
{
	char *obj = guarded(cache);

	while (((uintptr_t)obj % PAGE != 0) != end) {
		bma_cache_free(cache, obj);
		obj = guarded(cache);
	}
	return obj;
}

static int behind(void)
{
	sink = guarded_at(misuse_cache(64, 0), true)[64];
	return 1;
}

static int before(void)
{
	sink = guarded_at(misuse_cache(64, 0), false)[-1];
	return 1;
}

static int by_flag(void)
{
	sink = guarded_at(misuse_cache(4000, BMA_CACHE_SAMPLE), true)[4000];
	return 1;
}

/* Its size is no multiple of its alignment. */
static int behind_by_one(void)
{
	struct bma_cache *cache = misuse_cache(61, 0);
	char *obj = guarded(cache);

	obj[61] = 1;
	bma_cache_free(cache, obj);
	return 1;
}

static int behind_deferred(void)
{
	struct bma_cache *cache = misuse_cache(61, 0);
	char *obj = guarded(cache);

	obj[61] = 1;
	bma_cache_free_rcu(cache, obj);
	return 1;
}

static int before_by_one(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded_at(cache, true);

	obj[-1] = 1;
	bma_cache_free(cache, obj);
	return 1;
}

/* Freed when the gate is shut: found when it comes home. */
static int behind_and_home(void)
{
	struct bma_cache *cache = misuse_cache(61, 0);
	char *obj = guarded(cache);

	obj[61] = 1;
	for (int i = 0; i < 2000; i++)
		bma_cache_free(cache, misuse_taken(cache));
	bma_cache_free(cache, obj);
	return misuse_home_all();
}

static int after_free(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded(cache);

	bma_cache_free(cache, obj);
	sink = obj[3];
	return 1;
}

static int after_grace_period(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded(cache);

	bma_cache_free_rcu(cache, obj);
	/* A reader may still look. */
	sink = obj[3];
	bma_rcu_barrier(cache);
	sink = obj[3];
	return 1;
}

static int free_free(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

static int defer_free(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded(cache);

	bma_cache_free_rcu(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

static int of_another_cache(void)
{
	struct bma_cache *one = misuse_cache(64, 0), *other = misuse_cache(64, 0);
	char *obj = guarded(one);

	/* Nobody calls it, so its gate is opened and stays so. */
	usleep(100000);
	bma_cache_free(other, obj);
	return 1;
}

static int inside(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	char *obj = guarded(cache);

	bma_cache_free(cache, obj + 8);
	return 1;
}

const struct misuse misuse_sample[] = {
	{"sample_behind", CONF, behind, MISUSE_FAULTS, FAULT(64) "behind its end was touched",
	 "  allocated by thread #:"},
	{"sample_before", CONF, before, MISUSE_FAULTS, FAULT(64) "before it was touched",
	 "  allocated by thread #:"},
	{"sample_by_flag", "sample_ms:1", by_flag, MISUSE_FAULTS,
	 FAULT(4000) "behind its end was touched", NULL},
	{"sample_guest", CONF ",rseq:off", behind, MISUSE_FAULTS,
	 FAULT(64) "behind its end was touched", NULL},
	{"sample_behind_by_one", CONF, behind_by_one, MISUSE_ABORTS,
	 FREE "of 61 bytes: was written to behind its end, first at byte 61", "  bytes from @:"},
	{"sample_behind_deferred", CONF, behind_deferred, MISUSE_ABORTS,
	 "bma_cache_free_rcu: cache \"cache\": " OF(
		 61) "was written to behind its end, first at byte 61",
	 NULL},
	{"sample_before_by_one", CONF, before_by_one, MISUSE_ABORTS,
	 FREE "of 64 bytes: was written to before its beginning, first at byte -1",
	 "  allocated by thread #:"},
	{"sample_behind_and_home", "debug:sample,sample_ms:2000", behind_and_home, MISUSE_ABORTS,
	 "drain of what bma_cache_free or bma_cache_free_rcu took: cache \"cache\": " OF(
		 61) "was written to behind its end, first at byte 61",
	 NULL},
	{"sample_after_free", CONF, after_free, MISUSE_FAULTS,
	 FAULT(64) "was touched, and nobody has the object", "  freed by thread #:"},
	{"sample_after_grace_period", CONF, after_grace_period, MISUSE_FAULTS,
	 FAULT(64) "was touched, and nobody has the object", "  freed by thread #:"},
	{"sample_free_free", CONF, free_free, MISUSE_ABORTS, FREE "is free already (freed twice)",
	 "  freed by thread #:"},
	{"sample_defer_free", CONF, defer_free, MISUSE_ABORTS,
	 FREE "was freed before, by bma_cache_free_rcu", "  freed by thread #:"},
	{"sample_of_another_cache", CONF, of_another_cache, MISUSE_ABORTS,
	 FREE "is not an object of this cache", "  allocated by thread #:"},
	{"sample_inside", CONF, inside, MISUSE_ABORTS, FREE "points inside an object of this cache",
	 "  allocated by thread #:"},
	{0},
};
