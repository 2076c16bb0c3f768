/* SPDX-License-Identifier: MIT */
/*
 * Caches that cannot be made while others walk over all that there are.
 *
 * Threads ask for reserves that their group's limit does not allow, with constructor and destructor, so each creation fails half way. Meanwhile
 * others trim, poll and reclaim: none of them may touch what is being made. When a creation has failed each object that was
 * constructed has been destructed, and nothing is after that, for the context is the caller's again.
 */
#include <bma/bma.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "test.h"

#define MAKERS 2
#define WALKERS 3
#define THREADS (MAKERS + WALKERS)
#define GROUP_MAX ((uint64_t)1 << 20)

struct context {
	struct context *next;
	_Atomic bool gone;
	_Atomic long made, ended;
};

static struct bma_group *group;
static _Atomic bool stop;
static _Atomic long failed, looks;

static void construct(void *obj, void *arg)
{
	struct context *c = arg;

	CHECK(!c->gone, "constructed for a cache that is gone");
	*(uint64_t *)obj = 1;
	if (!(atomic_fetch_add(&c->made, 1) & 255))
		sched_yield();
}

static void destruct(void *obj, void *arg)
{
	struct context *c = arg;

	CHECK(!c->gone, "destructed for a cache that is gone");
	CHECK(*(uint64_t *)obj == 1, "destructed twice");
	*(uint64_t *)obj = 2;
	atomic_fetch_add(&c->ended, 1);
}

/* Returns its context, which is kept for whoever comes too late. */
static struct context *fail_cache(void)
{
	struct context *c = calloc(1, sizeof *c);
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "unmade",
				   .size = 1000,
				   .reserve = 4000,
				   .ctor = construct,
				   .dtor = destruct,
				   .ctx = c,
				   .group = group};

	CHECK(c, "memory");
	CHECK(!bma_cache_create(&a) && errno == EDQUOT, "a cache over the limit, error %d", errno);
	CHECK(c->made == c->ended, "%ld constructed, %ld destructed", (long)c->made,
	      (long)c->ended);
	c->gone = true;
	atomic_fetch_add(&failed, 1);
	return c;
}

static void *makes(void *arg)
{
	struct context *first = NULL, *c;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		c = fail_cache();
		c->next = first;
		first = c;
	}
	return first;
}

static void *walks(void *arg)
{
	struct bma_group_stats s;

	test_pin((unsigned int)(uintptr_t)arg);
	while (!stop) {
		switch ((uintptr_t)arg % WALKERS) {
		case 0:
			bma_trim();
			break;
		case 1:
			bma_poll(BMA_POLL_GP);
			break;
		default:
			bma_group_reclaim(group, GROUP_MAX);
			CHECK(!bma_group_stat(group, &s, sizeof s), "figures of a group");
		}
		atomic_fetch_add(&looks, 1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .name = "small", .max = GROUP_MAX};
	double end = test_args(argc, argv, 2);
	pthread_t t[THREADS];
	void *kept[THREADS];

	group = bma_group_create(NULL, &a);
	CHECK(group, "group");
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, i < MAKERS ? makes : walks, (void *)i),
		      "thread");
	for (end += test_seconds(); test_seconds() < end;)
		usleep(10000);
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], &kept[i]);
	printf("failed %ld looks %ld\n", (long)failed, (long)looks);
	CHECK(failed && looks, "nothing was tried");
	CHECK(!bma_trim(), "trim");
	for (int i = 0; i < THREADS; i++) {
		for (struct context *c = kept[i], *next; c; c = next) {
			next = c->next;
			free(c);
		}
	}
	return 0;
}
