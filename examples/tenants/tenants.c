/* SPDX-License-Identifier: MIT */
/*
 * Twenty tenants in one process, a heap and a group with limits for each, and one that misbehaves: it leaks until its max,
 * and then asks again and again, by calls that may sleep and by calls that may not. All it gets is EDQUOT, or NULL. None of the
 * others ever fails; one of them lives at its own limit, by a shrinker that gives back what it could make again.
 *
 * What it teaches: a limit for each, one for all, min and low for some, an eventfd that tells when four fifths of a limit are
 * used, and how to read the figures: who failed, why, and whose limit it was.
 *
 * It prints how long allocations of the nineteen took (printed, not checked: that depends on the machine), then the table of
 * groups. Exit status: 0, or 1 and a message. An argument: seconds, 1 if there is none.
 */
#include "tenants.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TENANTS 20u
#define BAD 7u	  /* leaks */
#define KEEPER 3u /* has a shrinker */
#define MAX ((uint64_t)2 << 20)
#define ALL_MAX ((uint64_t)32 << 20) /* less than twenty times MAX: not all of them at once */

static struct tenant tenant[TENANTS];

static struct bma_group_stats stat_of(struct bma_group *group)
{
	struct bma_group_stats stats;

	CHECK(!bma_group_stat(group, &stats, sizeof stats));
	return stats;
}

static void make(unsigned int i, struct bma_group *all)
{
	char name[16];
	struct bma_group_attr ga = {.attr_size = sizeof ga, .name = name, .max = MAX};
	struct bma_heap_attr ha = {.attr_size = sizeof ha, .name = name};
	struct tenant *t = &tenant[i];

	snprintf(name, sizeof name, "%u", i);
	ga.min = i % 4 == 0 ? MAX / 8 : 0; /* not reclaimed for others at all */
	ga.low = i % 4 == 1 ? MAX / 4 : 0; /* not while there is anything else */
	t->seed = i;
	pthread_mutex_init(&t->lock, NULL);
	t->group = ha.group = bma_group_create(all, &ga);
	t->heap = t->group ? bma_heap_create(&ha) : NULL;
	if (!t->heap)
		err(1, "tenant %u", i);
}

static void start(void)
{
	for (unsigned int i = 0; i < TENANTS; i++) {
		void *(*run)(void *) = i == BAD	     ? tenant_leaks
				       : i == KEEPER ? tenant_keeps
						     : tenant_good;

		CHECK(!pthread_create(&tenant[i].thread, NULL, run, &tenant[i]));
	}
}

/* Did the threshold's eventfd say that it was crossed? */
static void check_told(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t times = 0;

	/* The worker writes to it, soon. */
	CHECK(poll(&p, 1, 10000) == 1);
	CHECK(read(fd, &times, sizeof times) == sizeof times && times);
	printf("tenant %u used four fifths of its limit, the eventfd says\n", BAD);
}

static void check(struct bma_group *all)
{
	struct bma_group_stats bad = stat_of(tenant[BAD].group), s;

	for (unsigned int i = 0; i < TENANTS; i++) {
		if (i == BAD)
			continue;
		s = stat_of(tenant[i].group);
		CHECK(tenant[i].calls && !tenant[i].failed && s.peak <= MAX);
		CHECK(i == KEEPER || !s.events[BMA_GROUP_EVENT_MAX]);
	}
	CHECK(tenant[KEEPER].evicted);
	CHECK(tenant[BAD].refused && tenant[BAD].refused_any);
	CHECK(bad.peak <= MAX && bad.current > MAX - MAX / 8);
	CHECK(bad.fails[BMA_GROUP_FAIL_LIMIT] && bad.events[BMA_GROUP_EVENT_OOM]);
	s = stat_of(all);
	CHECK(s.peak <= ALL_MAX && !s.events_local[BMA_GROUP_EVENT_MAX]); /* never its own limit */
	printf("tenant %u was refused %lu times by EDQUOT, %lu times by NULL in a call that cannot "
	       "wait\n",
	       BAD, tenant[BAD].refused, tenant[BAD].refused_any);
	printf("tenant %u gave back %lu objects by its shrinker\n", KEEPER, tenant[KEEPER].evicted);
}

/* Of tenants from @first to @last together: what @permille of a thousand allocations took at most, nanoseconds. */
static unsigned long latency(unsigned int first, unsigned int last, unsigned long permille)
{
	unsigned long calls = 0, seen = 0, bucket;

	for (unsigned int i = first; i <= last; i++)
		calls += i == KEEPER && first != last ? 0 : tenant[i].calls;
	for (bucket = 0; bucket < BUCKETS - 1; bucket++) {
		for (unsigned int i = first; i <= last; i++)
			seen += i == KEEPER && first != last ? 0 : tenant[i].latency[bucket];
		if (seen * 1000 >= calls * permille)
			break;
	}
	return 2ul << bucket;
}

static void show_latency(const char *who, unsigned int first, unsigned int last)
{
	printf("%s: of 1000 allocations 500 took at most %lu ns, 999 %lu, all %lu\n", who,
	       latency(first, last, 500), latency(first, last, 999), latency(first, last, 1000));
}

static void end(struct bma_group *all)
{
	for (unsigned int i = 0; i < TENANTS; i++)
		tenant_free(&tenant[i]);
	CHECK(!bma_trim() && !stat_of(all).current);
	for (unsigned int i = 0; i < TENANTS; i++)
		CHECK(!bma_heap_destroy(tenant[i].heap) && !bma_group_destroy(tenant[i].group));
	CHECK(!bma_group_destroy(all));
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1;
	struct bma_group_attr attr = {.attr_size = sizeof attr, .name = "tenants", .max = ALL_MAX};
	struct bma_group *all = bma_group_create(NULL, &attr);
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	struct bma_shrinker *shrinker;

	if (!all || fd < 0)
		err(1, "a group and an eventfd");
	for (unsigned int i = 0; i < TENANTS; i++)
		make(i, all);
	CHECK(!bma_group_notify(tenant[BAD].group, MAX / 10 * 8, fd));
	shrinker = bma_shrinker_register(tenant[KEEPER].group, keeps_count, keeps_scan,
					 &tenant[KEEPER]);
	CHECK(shrinker);
	start();
	sleep(seconds);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < TENANTS; i++)
		CHECK(!pthread_join(tenant[i].thread, NULL));
	check_told(fd);
	check(all);
	show_latency("the eighteen others", 0, TENANTS - 1);
	show_latency("the one with the shrinker", KEEPER, KEEPER);
	fflush(stdout);
	CHECK(!bma_stats_print(STDOUT_FILENO));
	bma_shrinker_unregister(shrinker);
	CHECK(!bma_group_unnotify(tenant[BAD].group, fd));
	end(all);
	return 0;
}
