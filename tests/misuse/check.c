/* SPDX-License-Identifier: MIT */
/* With the mode "check", or BMA_CACHE_DEBUG: what is found in the call that is wrong. */
#include "misuse.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#define FREE "bma_cache_free: cache \"cache\": object @ "
#define DEFER "bma_cache_free_rcu: cache \"cache\": object @ "
#define FREED "was freed before, by bma_cache_free, or never allocated"
#define FREED_RCU "was freed before, by bma_cache_free_rcu"

typedef void (*giver)(struct bma_cache *cache, void *obj);

static void plain(struct bma_cache *cache, void *obj)
{
	bma_cache_free(cache, obj);
}

static void deferred(struct bma_cache *cache, void *obj)
{
	bma_cache_free_rcu(cache, obj);
}

/* Each returns 1 only if nothing was found. */
static int two(giver first, giver second)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	first(cache, obj);
	second(cache, obj);
	return 1;
}

static int free_free(void)
{
	return two(plain, plain);
}

static int free_defer(void)
{
	return two(plain, deferred);
}

static int defer_free(void)
{
	return two(deferred, plain);
}

static int defer_defer(void)
{
	return two(deferred, deferred);
}

static int by_flag(void)
{
	struct bma_cache *cache = misuse_cache(64, BMA_CACHE_DEBUG);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

static int in_bulk(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *objs[2];

	objs[0] = objs[1] = misuse_taken(cache);
	bma_cache_free_bulk(cache, objs, 2);
	return 1;
}

static int sleeping_free(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache);

	bma_cache_free(cache, obj);
	bma_cache_free_rcu_flags(cache, obj, BMA_SLEEP);
	return 1;
}

static int of_a_reserve(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	struct bma_reserve *reserve = bma_reserve_create(cache, 4);
	void *obj = bma_reserve_alloc(reserve);

	bma_cache_free(cache, obj);
	bma_cache_free(cache, obj);
	return 1;
}

/* Has been handed out again: the second free is not the first one's, and a third one is. */
static int after_it_was_taken_again(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);
	void *obj = misuse_taken(cache), *again;

	bma_cache_free(cache, obj);
	again = misuse_taken(cache);
	bma_cache_free(cache, again);
	bma_cache_free(cache, again);
	return 1;
}

static struct bma_cache *shared;
static void *object;

static void *give(void *arg)
{
	(void)arg;
	bma_cache_free(shared, object);
	return NULL;
}

static int by_another_thread(void)
{
	pthread_t thread;

	shared = misuse_cache(64, 0);
	object = misuse_taken(shared);
	bma_cache_free(shared, object);
	pthread_create(&thread, NULL, give, NULL);
	pthread_join(thread, NULL);
	return 1;
}

static void on_signal(int sig)
{
	(void)sig;
	bma_cache_free(shared, object);
}

static int in_a_handler(void)
{
	signal(SIGUSR1, on_signal);
	shared = misuse_cache(64, 0);
	object = misuse_taken(shared);
	bma_cache_free(shared, object);
	raise(SIGUSR1);
	return 1;
}

static int of_malloc(void)
{
	bma_cache_free(misuse_cache(64, 0), malloc(64));
	return 1;
}

static int deferred_of_malloc(void)
{
	bma_cache_free_rcu(misuse_cache(64, 0), malloc(64));
	return 1;
}

static int of_another_cache(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	bma_cache_free(cache, misuse_taken(misuse_cache(64, 0)));
	return 1;
}

static int inside(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	bma_cache_free(cache, (char *)misuse_taken(cache) + 8);
	return 1;
}

static int deferred_inside(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	bma_cache_free_rcu(cache, (char *)misuse_taken(cache) + 8);
	return 1;
}

static int never_handed_out(void)
{
	struct bma_cache *cache = misuse_cache(64, 0);

	/* The neighbour is carved, and stands in a magazine. */
	bma_cache_free(cache, (char *)misuse_taken(cache) + 64);
	return 1;
}

const struct misuse misuse_check[] = {
	{"check_free_free", "debug:check", free_free, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_free_defer", "debug:check", free_defer, MISUSE_ABORTS, DEFER FREED, NULL},
	{"check_defer_free", "debug:check", defer_free, MISUSE_ABORTS, FREE FREED_RCU, NULL},
	{"check_defer_defer", "debug:check", defer_defer, MISUSE_ABORTS, DEFER FREED_RCU, NULL},
	{"check_guest", "debug:check,rseq:off", free_free, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_by_flag", "", by_flag, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_in_bulk", "debug:check", in_bulk, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_sleeping_free", "debug:check", sleeping_free, MISUSE_ABORTS, DEFER FREED, NULL},
	{"check_of_a_reserve", "debug:check", of_a_reserve, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_after_it_was_taken_again", "debug:check", after_it_was_taken_again, MISUSE_ABORTS,
	 FREE FREED, NULL},
	{"check_by_another_thread", "debug:check", by_another_thread, MISUSE_ABORTS, FREE FREED,
	 NULL},
	{"check_in_a_handler", "debug:check", in_a_handler, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_of_malloc", "debug:check", of_malloc, MISUSE_ABORTS,
	 FREE "is not an object of this cache", NULL},
	{"check_deferred_of_malloc", "debug:check", deferred_of_malloc, MISUSE_ABORTS,
	 DEFER "is not an object of this cache", NULL},
	{"check_of_another_cache", "debug:check", of_another_cache, MISUSE_ABORTS,
	 FREE "is not an object of this cache", NULL},
	{"check_inside", "debug:check", inside, MISUSE_ABORTS,
	 FREE "points inside an object of this cache", NULL},
	{"check_deferred_inside", "debug:check", deferred_inside, MISUSE_ABORTS,
	 DEFER "points inside an object of this cache", NULL},
	{"check_never_handed_out", "debug:check", never_handed_out, MISUSE_ABORTS, FREE FREED,
	 NULL},
	{"check_quarantined", "debug:quarantine", free_free, MISUSE_ABORTS, FREE FREED, NULL},
	{"check_all", "debug:all", free_free, MISUSE_ABORTS, FREE FREED, "  freed by thread #:"},
	{0},
};
