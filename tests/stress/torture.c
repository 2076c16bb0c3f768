/* SPDX-License-Identifier: MIT */
/*
 * Torture of deferred frees, in the manner of the Linux kernel's rcutorture.
 *
 * Readers hold objects of a shared table in read sections of all lengths and look at them again and again;
 * updaters put new objects in their place and pass the old ones to free_rcu, from which they come back as new ones and
 * are overwritten at once. A keeper trims, polls and waits for barriers meanwhile. torture_object.c says what is
 * looked at. At the end nothing may be missing.
 *
 * Words: memb (default), mb, qsbr, bp: the flavour. migrate: the threads are moved between the CPUs all the time.
 * storm: each gets signals whose handler updates the same table. flush: the keeper does nothing but wait for barriers,
 * which flush, one after the other. recycle: with a destructor on recycling. debug:
 * with BMA_CACHE_DEBUG. limit=BYTES: what may wait, and then all who free respect it. batch=N, readers=N, updaters=N.
 * broken: the cache is given a flavour that waits for nobody, and it is a success if a reader sees an object change.
 */
#include "torture.h"

#include <errno.h>
#include <pthread.h>

#include "storm.h"

extern const struct rcu_flavor_struct urcu_memb_flavor, urcu_mb_flavor, urcu_qsbr_flavor,
	urcu_bp_flavor;

struct torture torture = {.rcu = &urcu_memb_flavor, .readers = 4, .updaters = 2};
struct tally tally;

static const struct {
	const char *name;
	const struct rcu_flavor_struct *table;
} flavors[] = {
	{"memb", &urcu_memb_flavor},
	{"mb", &urcu_mb_flavor},
	{"qsbr", &urcu_qsbr_flavor},
	{"bp", &urcu_bp_flavor},
};

static void wait_for_nobody(void)
{
}

/* Returns whether @word is @name with a number, which is then in @value. */
static bool number(const char *word, const char *name, unsigned long *value)
{
	size_t len = strlen(name);

	if (strncmp(word, name, len) != 0)
		return false;
	*value = strtoul(word + len, NULL, 0);
	return true;
}

static void flavor_word(const char *word)
{
	for (size_t i = 0; i < sizeof flavors / sizeof flavors[0]; i++) {
		if (!strcmp(word, flavors[i].name)) {
			torture.rcu = flavors[i].table;
			return;
		}
	}
	CHECK(false, "word \"%s\" is not known", word);
}

static void word(const char *word, struct bma_cache_attr *a)
{
	unsigned long n;

	if (!strcmp(word, "migrate"))
		torture.migrate = true;
	else if (!strcmp(word, "storm"))
		torture.storm = true;
	else if (!strcmp(word, "flush"))
		torture.flush = true;
	else if (!strcmp(word, "broken"))
		torture.broken = true;
	else if (!strcmp(word, "debug"))
		a->flags |= BMA_CACHE_DEBUG;
	else if (!strcmp(word, "recycle"))
		torture.recycle = true;
	else if (number(word, "limit=", &n))
		a->limbo_max = n;
	else if (number(word, "batch=", &n))
		a->batch = (uint32_t)n;
	else if (number(word, "readers=", &n))
		torture.readers = (unsigned int)n;
	else if (number(word, "updaters=", &n))
		torture.updaters = (unsigned int)n;
	else
		flavor_word(word);
}

static void words(int argc, char **argv, struct bma_cache_attr *a)
{
	static struct rcu_flavor_struct broken;

	for (int i = 3; i < argc; i++)
		word(argv[i], a);
	CHECK(torture.readers && torture.readers + torture.updaters < THREADS_MAX, "threads");
	torture.seed = test_seed;
	torture.qsbr = torture.rcu == &urcu_qsbr_flavor;
	torture.limited = a->limbo_max != 0;
	broken = *torture.rcu;
	broken.update_synchronize_rcu = wait_for_nobody;
	a->rcu = torture.broken ? &broken : torture.rcu;
	if (torture.recycle) {
		a->flags |= BMA_CACHE_DTOR_RECYCLE;
		a->dtor = object_dtor;
	}
}

static void run(double seconds)
{
	unsigned int threads = torture.readers + torture.updaters + 1;
	uint64_t rng = test_seed;
	pthread_t t[THREADS_MAX];

	for (uintptr_t i = 0; i < threads; i++)
		CHECK(!pthread_create(&t[i], NULL, torture_thread, (void *)i), "thread");
	for (seconds += test_seconds(); test_seconds() < seconds;) {
		usleep(torture.migrate ? 50 : 10000);
		if (torture.migrate)
			torture_move(test_random(&rng));
	}
	torture.stop = true;
	for (unsigned int i = 0; i < threads; i++)
		CHECK(!pthread_join(t[i], NULL), "join");
}

static struct bma_cache_stats get_stats(void)
{
	struct bma_cache_stats s;

	CHECK(!bma_cache_stats_get(torture.cache, &s, sizeof s), "stats");
	return s;
}

#define ULL(x) ((unsigned long long)(x))

static void report(const struct bma_cache_stats *s)
{
	struct bma_stats all;

	bma_stats_get(&all, sizeof all);
	printf("%s: sections %llu updates %llu barriers %llu grace periods %llu limbo peak %llu "
	       "overruns %llu\n",
	       s->rcu, ULL(tally.sections), ULL(tally.updates), ULL(tally.barriers),
	       ULL(all.grace_periods), ULL(s->limbo_peak), ULL(s->limbo_overruns));
	printf("nulls %llu signals %llu moves %llu aborts %llu parks %llu drains %llu carved "
	       "%llu\n",
	       ULL(tally.nulls), ULL(tally.signals), ULL(tally.moves), ULL(s->aborts),
	       ULL(s->parks), ULL(s->drains), ULL(s->carved));
}

/* What waits stays under the limit, but for a magazine in each slot and an object in each thread's hand. */
static void check_limit(const struct bma_cache_stats *s)
{
	uint64_t slack = s->slots_used * s->capacity + THREADS_MAX;

	CHECK(s->limbo_peak <= s->limbo_max + slack, "limbo %llu, limit %llu, slack %llu",
	      ULL(s->limbo_peak), ULL(s->limbo_max), ULL(slack));
}

static void check_end(void)
{
	struct object *last = object_new(BMA_SLEEP);
	struct bma_cache_stats s;
	uint64_t away;

	table_clear();
	CHECK(!bma_rcu_barrier(torture.cache), "barrier");
	s = get_stats();
	CHECK(!s.limbo && !s.parked, "%llu in limbo, %llu parked after a barrier", ULL(s.limbo),
	      ULL(s.parked));
	CHECK(!bma_shutdown(), "shutdown");
	s = get_stats();
	report(&s);
	away = s.cached + s.limbo + s.parked + s.reserved + s.slab_free;
	CHECK(s.live == 1 && s.live + away == s.carved, "live %llu, elsewhere %llu, carved %llu",
	      ULL(s.live), ULL(away), ULL(s.carved));
	CHECK(!s.fail_system && !s.fail_refill, "the system refused nothing");
	if (torture.limited && !torture.storm)
		check_limit(&s);
	CHECK(bma_cache_destroy(torture.cache) == -EBUSY, "one object is live");
	object_free_private(last);
	CHECK(!bma_cache_destroy(torture.cache), "objects are missing");
}

int main(int argc, char **argv)
{
	double seconds = test_args(argc, argv, 3);
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = "torture", .size = object_size(), .batch = 14};

	words(argc, argv, &a);
	storm_handler(torture_signal);
	torture.cache = bma_cache_create(&a);
	CHECK(torture.cache, "create");
	table_fill();
	run(seconds);
	CHECK(!torture.broken, "no reader saw that nobody waited for it");
	check_end();
	return 0;
}
