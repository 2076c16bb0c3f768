/* SPDX-License-Identifier: MIT */
/* Objects that are freed while they are pinned: by each call, with each end of who pinned or pays, and by threads at the same time. */
#include "shared.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>

#define SIZE 320 /* no other test's: what is allocated next tells whether an object was freed */
#define MANY 3000

struct room {
	struct bma_group *shared, *group;
	struct bma_cache *cache;
	struct bma_pin_owner *owner;
};

static struct bma_cache *checked_cache(struct bma_group *group, uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = SIZE,
				   .flags = BMA_CACHE_MERGE | flags,
				   .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static struct room room(uint64_t flags)
{
	struct room r = {.shared = make_shared(NULL), .group = make(NULL, NULL)};

	r.cache = checked_cache(r.shared, flags);
	attach(r.shared, r.group, BMA_SHARED_NOTHING);
	r.owner = bma_pin_owner_open(r.group);
	return r;
}

static void write_to(void *const *objs)
{
	for (int i = 0; i < MANY; i++)
		memset(objs[i], i & 0x7f, SIZE);
}

static void check(void *const *objs)
{
	for (int i = 0; i < MANY; i++) {
		const char *bytes = objs[i];

		for (int k = 0; k < SIZE; k++)
			cr_assert_eq(bytes[k], i & 0x7f);
	}
}

static void barrier(const struct room *r)
{
	cr_assert_eq(bma_rcu_barrier(r->cache), 0);
}

enum how { PLAIN, DEFERRED, BY_ANOTHER, DEFERRED_BY_ANOTHER, IN_BULK, HOWS };

static void free_all(struct room *r, struct bma_cache *other, void *const *objs, enum how how)
{
	if (how == IN_BULK) {
		bma_cache_free_bulk(r->cache, objs, MANY);
		return;
	}
	for (int i = 0; i < MANY; i++) {
		switch (how) {
		case PLAIN:
			bma_cache_free(r->cache, objs[i]);
			break;
		case BY_ANOTHER:
			bma_cache_free(other, objs[i]);
			break;
		case DEFERRED:
			bma_cache_free_rcu(r->cache, objs[i]);
			break;
		default:
			bma_cache_free_rcu(other, objs[i]);
		}
	}
	barrier(r);
}

static void stays_until_unpinned(uint64_t flags)
{
	struct room r = room(flags);
	struct bma_group *g = make(NULL, NULL);
	struct bma_cache *other = checked_cache(g, flags);
	static void *objs[MANY], *more[MANY];
	uint64_t each;

	objs[0] = get(r.cache);
	each = in_use(r.shared);
	bma_cache_free(r.cache, objs[0]);
	for (int how = 0; how < HOWS; how++) {
		for (int i = 0; i < MANY; i++) {
			objs[i] = get(r.cache);
			cr_assert_eq(bma_shared_pin(r.owner, objs[i]), 0);
		}
		write_to(objs);
		free_all(&r, other, objs, (enum how)how);
		/* What is allocated now are others. */
		for (int i = 0; i < MANY; i++)
			more[i] = get(r.cache);
		check(objs);
		cr_assert_eq(in_use(r.shared), 2 * MANY * each, "%d", how);
		cr_assert_eq(bma_shared_pin(r.owner, objs[0]), -EINVAL);
		for (int i = 0; i < MANY; i++) {
			bma_cache_free(r.cache, more[i]);
			cr_assert_eq(bma_shared_unpin(r.owner, objs[i]), 0);
		}
		barrier(&r);
		cr_assert_eq(in_use(r.shared), 0, "%d", how);
		cr_assert_eq(stat_of(r.shared).objects, 0);
		cr_assert_eq(in_use(g), 0);
	}
}

Test(pin_free, it_stays_until_the_last_unpin)
{
	stays_until_unpinned(0);
}

Test(pin_free, so_it_does_where_calls_are_checked)
{
	stays_until_unpinned(BMA_CACHE_DEBUG | BMA_CACHE_POISON);
	stays_until_unpinned(BMA_CACHE_REDZONE);
	stays_until_unpinned(BMA_CACHE_QUARANTINE);
}

Test(pin_free, and_where_objects_have_keys)
{
	stays_until_unpinned(BMA_CACHE_KEY);
}

/* Unpinned between the free and the end of the grace period: it goes as any other. */
Test(pin_free, unpinned_while_it_waits)
{
	struct room r = room(0);
	static void *objs[MANY];

	for (int i = 0; i < MANY; i++) {
		objs[i] = get(r.cache);
		cr_assert_eq(bma_shared_pin(r.owner, objs[i]), 0);
		bma_cache_free_rcu(r.cache, objs[i]);
		cr_assert_eq(bma_shared_unpin(r.owner, objs[i]), 0);
	}
	barrier(&r);
	cr_assert_eq(in_use(r.shared), 0);
}

/* Of a magazine some are pinned and some are not. */
Test(pin_free, every_other_one)
{
	struct room r = room(0);
	static void *objs[MANY];

	for (int i = 0; i < MANY; i++) {
		objs[i] = get(r.cache);
		if (i % 2)
			cr_assert_eq(bma_shared_pin(r.owner, objs[i]), 0);
	}
	write_to(objs);
	for (int i = 0; i < MANY; i++)
		bma_cache_free_rcu(r.cache, objs[i]);
	barrier(&r);
	cr_assert_eq(in_use(r.shared), MANY / 2 * SIZE);
	for (int i = 1; i < MANY; i += 2)
		cr_assert_eq(((char *)objs[i])[SIZE - 1], i & 0x7f);
	cr_assert_eq(bma_pin_owner_close(r.owner), MANY / 2);
	barrier(&r);
	cr_assert_eq(in_use(r.shared), 0);
}

Test(pin_free, its_cache_is_destroyed)
{
	struct room r = room(0);
	void *obj = get(r.cache), *late = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(bma_shared_pin(r.owner, late), 0);
	memset(obj, 1, SIZE);
	bma_cache_free(r.cache, obj);
	bma_cache_free_rcu(r.cache, late);
	barrier(&r);
	cr_assert_eq(bma_cache_destroy(r.cache), 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(((char *)obj)[SIZE - 1], 1);
	cr_assert_eq(in_use(r.shared), 2 * SIZE);
	cr_assert_eq(bma_shared_unpin(r.owner, obj), 0);
	cr_assert_eq(bma_shared_unpin(r.owner, late), 0);
	cr_assert_eq(in_use(r.shared), 0);
	cr_assert_eq(bma_shared_destroy(r.shared), 0);
	cr_assert_eq(bma_shared_detach(r.shared, r.group), 0);
	cr_assert_eq(bma_trim(), 0);
	cr_assert(is_gone(r.shared));
}

Test(pin_free, its_group_is_destroyed)
{
	struct room r = room(0);
	void *freed = get(r.cache), *kept = get(r.cache), *later = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, freed), 0);
	cr_assert_eq(bma_shared_pin(r.owner, kept), 0);
	cr_assert_eq(bma_shared_pin(r.owner, later), 0);
	bma_cache_free(r.cache, freed);
	bma_cache_free_rcu(r.cache, later);
	barrier(&r);
	cr_assert_eq(in_use(r.shared), 3 * SIZE);
	cr_assert_eq(bma_group_destroy(r.group), 0);
	barrier(&r);
	cr_assert_eq(in_use(r.shared), SIZE);
	cr_assert_eq(bma_shared_pin(r.owner, kept), -ESTALE);
	cr_assert_eq(bma_shared_unpin(r.owner, kept), -ENOENT);
	cr_assert_eq(bma_pin_owner_close(r.owner), 0);
	bma_cache_free(r.cache, kept);
	cr_assert_eq(in_use(r.shared), 0);
}

Test(pin_free, the_shared_group_is_destroyed)
{
	struct room r = room(0);
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(bma_shared_destroy(r.shared), 0);
	/* Who is attached may pin. */
	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(pair_of(r.shared, r.group).pinned, SIZE);
	bma_cache_free(r.cache, obj);
	cr_assert_eq(bma_cache_destroy(r.cache), 0);
	cr_assert_eq(in_use(r.shared), SIZE);
	cr_assert_eq(bma_pin_owner_close(r.owner), 2);
	cr_assert_eq(in_use(r.shared), 0);
	cr_assert_eq(bma_shared_detach(r.shared, r.group), 0);
	cr_assert(is_gone(r.shared));
}

Test(pin_free, a_second_free_is_found, .signal = SIGABRT)
{
	struct room r = room(0);
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	bma_cache_free(r.cache, obj);
	bma_cache_free(r.cache, obj);
}

Test(pin_free, and_one_after_a_grace_period, .signal = SIGABRT)
{
	struct room r = room(0);
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	bma_cache_free_rcu(r.cache, obj);
	barrier(&r);
	bma_cache_free(r.cache, obj);
}

/* A handler frees what the thread it interrupted has pinned. */
static struct room of_handler;
static void *in_handler;

static void handler(int sig)
{
	(void)sig;
	bma_cache_free(of_handler.cache, in_handler);
}

Test(pin_free, in_a_handler)
{
	struct room *r = &of_handler;

	*r = room(0);
	in_handler = get(r->cache);
	signal(SIGUSR1, handler);
	cr_assert_eq(bma_shared_pin(r->owner, in_handler), 0);
	raise(SIGUSR1);
	cr_assert_eq(in_use(r->shared), SIZE);
	cr_assert_eq(bma_shared_unpin(r->owner, in_handler), 0);
	cr_assert_eq(in_use(r->shared), 0);
}

/* Two hand objects over: one pins, the other frees, while the first takes the pin back. */
#define ROUNDS 20000

static struct room both;
static _Atomic(void *) given;

/* The other one may have no CPU. */
static void wait_a_little(int spin)
{
	if (spin % 1000 == 999)
		sched_yield();
}

static void *freeing(void *how)
{
	for (int i = 0; i < ROUNDS; i++) {
		void *obj;

		for (int spin = 0; !(obj = atomic_exchange(&given, NULL)); spin++)
			wait_a_little(spin);
		if (how)
			bma_cache_free_rcu(both.cache, obj);
		else
			bma_cache_free(both.cache, obj);
	}
	return NULL;
}

static void race(void *how)
{
	pthread_t thread;

	both = room(0);
	cr_assert_eq(pthread_create(&thread, NULL, freeing, how), 0);
	for (int i = 0; i < ROUNDS; i++) {
		unsigned char *obj = get(both.cache);

		memset(obj, 0xa5, SIZE);
		cr_assert_eq(bma_shared_pin(both.owner, obj), 0);
		for (int spin = 0; atomic_load(&given); spin++)
			wait_a_little(spin);
		atomic_store(&given, obj);
		for (int spin = 0; spin < i % 64; spin++)
			__asm__ volatile("" ::: "memory");
		cr_assert_eq(obj[i % SIZE], 0xa5);
		cr_assert_eq(bma_shared_unpin(both.owner, obj), 0);
	}
	pthread_join(thread, NULL);
	barrier(&both);
	cr_assert_eq(in_use(both.shared), 0);
	cr_assert_eq(pair_of(both.shared, both.group).pinned, 0);
}

Test(pin_free, a_free_races_with_the_last_unpin)
{
	race(NULL);
}

Test(pin_free, so_does_a_deferred_one)
{
	race(&both);
}
