/* SPDX-License-Identifier: MIT */
/* What the tests of forks with objects in limbo share. */
#ifndef BMA_UNIT_RCU_FORK_H
#define BMA_UNIT_RCU_FORK_H

#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern const struct rcu_flavor_struct urcu_mb_flavor, urcu_qsbr_flavor, urcu_bp_flavor;
/* <urcu/urcu-bp.h> would make bp what rcu_flavor means. */
extern void urcu_bp_before_fork(void), urcu_bp_after_fork_parent(void),
	urcu_bp_after_fork_child(void);

#define N 600 /* of 30 in a magazine: some are sealed, some gather */

static const struct rcu_flavor_struct *rcu;
static struct bma_cache *cache;
static void *objs[N];

/* In a child, which has nobody to tell. */
#define MUST(x)                                                                                    \
	do {                                                                                       \
		if (!(x)) {                                                                        \
			dprintf(STDERR_FILENO, "child, line %d: %s\n", __LINE__, #x);              \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static inline struct bma_cache *create_for(const struct rcu_flavor_struct *flavor)
{
	struct bma_cache_attr a = attr(64);

	a.rcu = flavor;
	a.batch = 30;
	a.limbo_max = 64 * N / 4;
	return make(&a);
}

static inline void start(const struct rcu_flavor_struct *flavor, const char *conf)
{
	setenv("BMA_CONF", conf, 1);
	rcu = flavor;
	cache = create_for(flavor);
	take_tagged(cache, objs, N);
}

static inline void fork_and_check(void (*child)(void))
{
	pid_t pid;
	int status;

	if (rcu == &urcu_bp_flavor)
		urcu_bp_before_fork();
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		if (rcu == &urcu_bp_flavor)
			urcu_bp_after_fork_child();
		alarm(5);
		child();
		_exit(0);
	}
	if (rcu == &urcu_bp_flavor)
		urcu_bp_after_fork_parent();
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "status %x", (unsigned int)status);
}

static inline void parent_goes_on(void)
{
	cr_assert_eq(bma_rcu_barrier(cache), 0);
	cr_assert_eq(stats(cache).limbo, 0);
	cr_assert_eq(rcu_stats(cache).frozen, 0);
	cr_assert_eq(tagged_among(cache, 5000), N);
	cr_assert_eq(stats(cache).live, 0);
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

#endif /* BMA_UNIT_RCU_FORK_H */
