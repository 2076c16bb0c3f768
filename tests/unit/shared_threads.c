/* SPDX-License-Identifier: MIT */
/* Random operations by eight threads at the same time; and two that do not fit together. */
#include "shared.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define SHARED 4
#define GROUPS 24
#define SIZE 448

static struct bma_group *shared[SHARED], *group[GROUPS];
static int parent[GROUPS]; /* -1: the root */
static struct bma_cache *cache[SHARED];

/* Many at the same time: each thread undoes what it does. */
#define THREADS 8
#define TURNS 20000

static void *thread_main(void *arg)
{
	uint64_t state = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u + 1;
	struct bma_pin_owner *mine = NULL;
	struct bma_group *leaf = NULL;

	for (int i = 0; i < TURNS; i++) {
		int s = (int)(next_random(&state) % SHARED);
		struct bma_group *g = group[next_random(&state) % GROUPS];
		uint64_t bytes = next_random(&state) % 4000;
		void *obj;

		if (!leaf) {
			leaf = make(g, NULL);
			mine = bma_pin_owner_open(leaf);
			attach(shared[s], leaf, (enum bma_shared_policy)(next_random(&state) % 3));
		}
		if (!bma_shared_borrow(shared[s], g, bytes) &&
		    bma_shared_unborrow(shared[s], g, bytes))
			abort();
		bma_shared_borrow(shared[s], leaf, bytes);
		if (!charge(g, bytes))
			uncharge(g, bytes);
		obj = bma_cache_alloc(cache[s]);
		if (obj) {
			int rc = bma_shared_pin(mine, obj);

			if (bytes % 2)
				bma_cache_free_rcu(cache[s], obj);
			else
				bma_cache_free(cache[s], obj);
			if (!rc && bytes % 3)
				rc = bma_shared_unpin(mine, obj);
			if (rc && rc != -ENOENT)
				abort();
		}
		if (bytes % 16 == 0)
			stat_of(g);
		if (bytes % 64 == 0)
			bma_poll(0);
		if (bytes % 32 == 0) {
			if (bytes % 128)
				bma_pin_owner_close(mine);
			if (bma_group_destroy(leaf))
				abort();
			if (!(bytes % 128))
				bma_pin_owner_close(mine);
			leaf = NULL;
		}
	}
	if (leaf) {
		bma_pin_owner_close(mine);
		bma_group_destroy(leaf);
	}
	return NULL;
}

Test(shared_threads, eight_threads)
{
	pthread_t thread[THREADS];

	for (int g = 0; g < GROUPS; g++) {
		parent[g] = g < 4 ? -1 : g / 2;
		group[g] = make(parent[g] < 0 ? NULL : group[parent[g]], NULL);
	}
	for (int s = 0; s < SHARED; s++) {
		shared[s] = make_shared(NULL);
		cache[s] = cache_of(shared[s], SIZE);
		cr_assert_eq(charge(shared[s], 100000), 0);
		for (int g = s; g < GROUPS; g += 2)
			attach(shared[s], group[g], (enum bma_shared_policy)(g % 3));
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, thread_main, (void *)(i + 1)), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (int s = 0; s < SHARED; s++) {
		struct bma_shared_stats got = pair_of(shared[s], bma_group_root());

		cr_assert_eq(bma_rcu_barrier(cache[s]), 0);
		cr_assert_eq(got.pinned, 0);
		cr_assert_eq(got.upper, 0);
		for (int g = s; g < GROUPS; g += 2)
			cr_assert_eq(bma_shared_detach(shared[s], group[g]), 0);
		uncharge(shared[s], 100000);
		cr_assert_eq(in_use(shared[s]), 0);
		cr_assert_eq(bma_cache_destroy(cache[s]), 0);
		cr_assert_eq(bma_shared_destroy(shared[s]), 0);
		cr_assert(is_gone(shared[s]));
	}
	for (int g = 0; g < GROUPS; g++)
		cr_assert_eq(current(group[g]), 0);
}

/* A charge and a borrow of which only one fits, begun at the same time again and again. */
#define MEETINGS 300000

static _Atomic int at_gate, both_in;

/* Until both threads are here for the @n-th time. */
static void meet(int n)
{
	atomic_fetch_add(&at_gate, 1);
	for (int spin = 0; atomic_load(&at_gate) < 2 * n; spin++) {
		if (spin % 1000 == 999)
			sched_yield();
	}
}

static void *charge_main(void *arg)
{
	(void)arg;
	for (int i = 0; i < MEETINGS; i++) {
		bool got;

		meet(3 * i + 1);
		got = !charge(group[0], 600);
		atomic_fetch_add(&both_in, got);
		meet(3 * i + 2);
		if (got)
			uncharge(group[0], 600);
		meet(3 * i + 3);
	}
	return NULL;
}

Test(shared_threads, two_that_do_not_fit_together)
{
	pthread_t thread;

	shared[0] = make_shared(NULL);
	group[0] = make_limited(NULL, NULL, 1000);
	cr_assert_eq(charge(shared[0], 600), 0);
	attach(shared[0], group[0], BMA_SHARED_BORROWED);
	cr_assert_eq(pthread_create(&thread, NULL, charge_main, NULL), 0);
	for (int i = 0; i < MEETINGS; i++) {
		struct bma_group *refused;
		bool got;

		atomic_store(&both_in, 0);
		meet(3 * i + 1);
		for (volatile int spin = 0; spin < i % 32; spin++)
			;
		got = !bma__shared_borrow(shared[0], group[0], 600, &refused);
		atomic_fetch_add(&both_in, got);
		meet(3 * i + 2);
		cr_assert_leq(atomic_load(&both_in), 1);
		if (got)
			cr_assert_eq(bma_shared_unborrow(shared[0], group[0], 600), 0);
		meet(3 * i + 3);
	}
	pthread_join(thread, NULL);
	cr_assert_eq(current(group[0]), 0);
}
