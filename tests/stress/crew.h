/* SPDX-License-Identifier: MIT */
/*
 * What the long runs share: words of the command line, objects that change hands, the ledger.
 *
 * An object is stamped by one atomic exchange when it is taken and when it is given back, so one
 * that is handed out twice shows at once. Threads leave objects in boxes for each other: most are
 * freed by somebody else, somewhere else. A failure prints the command line that runs it again.
 */
#ifndef BMA_CREW_H
#define BMA_CREW_H

#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define CREW_BOXES 4096
#define CREW_MAX 64
#define CREW_HELD 0xc4e3
#define CREW_FREE 0xf4ee
#define CREW_SKIP 77

struct crew {
	struct bma_cache *cache;
	_Atomic(void *) box[CREW_BOXES];
	_Atomic long live, nulls, deferred;
	_Atomic int stop;
	int argc;
	char **argv;
	char line[400];
};

static struct crew crew;

#define MUST(cond, ...)                                                                            \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: not true: %s: ", __FILE__, __LINE__, #cond);       \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\nagain with: %s\n", crew.line);                          \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static inline void crew_hung(int sig)
{
	static const char text[] = "it hangs; again with: ";

	(void)sig;
	if (write(2, text, sizeof text - 1) < 0 || write(2, crew.line, strlen(crew.line)) < 0 ||
	    write(2, "\n", 1) < 0)
		_exit(2);
	_exit(1);
}

/* What follows "name=" on the command line, as a number. */
static inline uint64_t crew_number(const char *name, uint64_t otherwise)
{
	size_t n = strlen(name);

	for (int i = 3; i < crew.argc; i++) {
		if (!strncmp(crew.argv[i], name, n) && crew.argv[i][n] == '=')
			return strtoull(crew.argv[i] + n + 1, NULL, 0);
	}
	return otherwise;
}

static inline bool crew_word(const char *word)
{
	for (int i = 3; i < crew.argc; i++) {
		if (!strcmp(crew.argv[i], word))
			return true;
	}
	return false;
}

/* One more word for the library, which reads them in the first call. */
static inline void crew_conf(const char *word)
{
	const char *old = getenv("BMA_CONF");
	char conf[200];

	snprintf(conf, sizeof conf, "%s%s%s", old ? old : "", old ? "," : "", word);
	setenv("BMA_CONF", conf, 1);
}

/*
 * Seconds, seed, words: guest, cid and cpu choose the slots; hang=N, after how many seconds beyond the
 * wanted ones it hangs. Returns the seconds.
 */
static inline double crew_args(int argc, char **argv, double seconds)
{
	size_t n;

	seconds = test_args(argc, argv, seconds);
	crew.argc = argc;
	crew.argv = argv;
	n = (size_t)snprintf(crew.line, sizeof crew.line, "%s %g %llu", argv[0], seconds,
			     (unsigned long long)test_seed);
	for (int i = 3; i < argc && n < sizeof crew.line; i++)
		n += (size_t)snprintf(crew.line + n, sizeof crew.line - n, " %s", argv[i]);
	if (crew_word("guest"))
		crew_conf("rseq:off");
	if (crew_word("cid"))
		crew_conf("index:cid");
	if (crew_word("cpu"))
		crew_conf("index:cpu");
	signal(SIGALRM, crew_hung);
	alarm((unsigned int)seconds + (unsigned int)crew_number("hang", 120));
	return seconds;
}

static inline void crew_create(const char *name)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = name, .size = 64};
	struct bma_stats s;

	a.batch = (uint32_t)crew_number("batch", 0);
	crew.cache = bma_cache_create(&a);
	MUST(crew.cache, "create: %s", strerror(errno));
	bma_stats_get(&s, sizeof s);
	printf("slots: %s\n", s.mode_reason);
}

static inline uint64_t crew_seed(uintptr_t n)
{
	return test_seed * (2 * n + 3);
}

static inline void *crew_mark(void *p)
{
	uint64_t old;

	if (!p) {
		atomic_fetch_add_explicit(&crew.nulls, 1, memory_order_relaxed);
		return NULL;
	}
	old = atomic_exchange((_Atomic uint64_t *)p, CREW_HELD);
	MUST(old != CREW_HELD, "object %p was given out twice", p);
	atomic_fetch_add_explicit(&crew.live, 1, memory_order_relaxed);
	return p;
}

static inline void crew_unmark(void *p)
{
	uint64_t old = atomic_exchange((_Atomic uint64_t *)p, CREW_FREE);

	MUST(old == CREW_HELD, "object %p held %llx", p, (unsigned long long)old);
	atomic_fetch_sub_explicit(&crew.live, 1, memory_order_relaxed);
}

static inline void *crew_get(unsigned int flags)
{
	return crew_mark(flags ? bma_cache_alloc_flags(crew.cache, flags)
			       : bma_cache_alloc(crew.cache));
}

static inline void crew_put(void *p, bool rcu)
{
	if (!p)
		return;
	crew_unmark(p);
	if (!rcu) {
		bma_cache_free(crew.cache, p);
		return;
	}
	atomic_fetch_add_explicit(&crew.deferred, 1, memory_order_relaxed);
	bma_cache_free_rcu(crew.cache, p);
}

/* Leaves an object, or nothing, in a box and frees what was there. */
static inline void crew_step(uint64_t *rng, unsigned int flags)
{
	uint64_t r = test_random(rng);
	void *p = r >> 32 & 1 ? crew_get(flags) : NULL;

	p = atomic_exchange(&crew.box[r % CREW_BOXES], p);
	crew_put(p, !(r >> 34 & 3));
}

/* Many at once, more than a tape's ends: through the depot. */
static inline void crew_burst(uint64_t *rng, unsigned int flags)
{
	void *objs[600];
	uint64_t r = test_random(rng);
	size_t n = 0, most = r % 600;

	while (n < most && (objs[n] = crew_get(flags)))
		n++;
	while (n--)
		crew_put(objs[n], !(r >> (32 + n % 16) & 3));
}

static inline void crew_start(pthread_t *t, int n, void *(*thread)(void *))
{
	for (uintptr_t i = 0; i < (uintptr_t)n; i++)
		MUST(!pthread_create(&t[i], NULL, thread, (void *)i), "thread");
}

static inline void crew_join(const pthread_t *t, int n)
{
	crew.stop = 1;
	for (int i = 0; i < n; i++)
		MUST(!pthread_join(t[i], NULL), "join");
}

/* All threads are joined: everything comes home, nothing is left anywhere. */
static inline void crew_end(void)
{
	struct bma_cache_stats s;

	for (int i = 0; i < CREW_BOXES; i++)
		crew_put(atomic_exchange(&crew.box[i], NULL), i & 1);
	MUST(!crew.live, "the test holds %ld", (long)crew.live);
	MUST(!bma_rcu_barrier(crew.cache), "barrier");
	MUST(!bma_trim(), "trim");
	MUST(!bma_shutdown(), "shutdown");
	bma_cache_stats_get(crew.cache, &s, sizeof s);
	MUST(!s.live, "live %llu", (unsigned long long)s.live);
	MUST(!s.limbo && !s.parked, "%llu in limbo, %llu parked", (unsigned long long)s.limbo,
	     (unsigned long long)s.parked);
	MUST(s.cached + s.slab_free == s.carved, "cached %llu, in slabs %llu, carved %llu",
	     (unsigned long long)s.cached, (unsigned long long)s.slab_free,
	     (unsigned long long)s.carved);
	printf("nulls %ld deferred %ld aborts %llu parks %llu exchanges %llu\n", (long)crew.nulls,
	       (long)crew.deferred, (unsigned long long)s.aborts, (unsigned long long)s.parks,
	       (unsigned long long)s.depot_exchanges);
	MUST(!bma_cache_destroy(crew.cache), "objects are missing");
}

#endif /* BMA_CREW_H */
