/* SPDX-License-Identifier: MIT */
/* What readers of the torture do in their sections. */
#include "torture.h"

#include <errno.h>

/* What CHECK prints. */
#define test_seed torture.seed

#define HELD 4u

struct held {
	uint64_t place;
	struct object *object;
	uint64_t generation;
};

/* Stay in a section: mostly not for long, at times across a grace period's worth of updates. */
static void linger(struct self *t)
{
	uint64_t r = test_random(&t->rng);

	if (r % 512 == 0)
		usleep((unsigned int)(r >> 32 & 2047));
	else if (r % 32 == 1)
		sched_yield();
	else if (r % 8 == 2)
		for (uint64_t i = r >> 32 & 4095; i; i--)
			atomic_signal_fence(memory_order_seq_cst);
	if (torture.migrate && !(r >> 48 & 15))
		torture_move(r);
}

/* With a broken flavour that is what was looked for. */
static void changed(const struct object *o, uint64_t generation, const char *when)
{
	fprintf(stderr, "object %p of generation %llu changed %s, is of %llu (seed %llu)\n",
		(const void *)o, (unsigned long long)generation, when,
		(unsigned long long)object_generation(o), (unsigned long long)torture.seed);
	_exit(torture.broken ? 0 : 1);
}

static void check(const struct held *held, unsigned int n, const char *when)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!object_is(held[i].object, held[i].generation))
			changed(held[i].object, held[i].generation, when);
	}
}

static void hold(struct held *held, uint64_t place)
{
	held->place = place;
	held->object = table_look(place);
	held->generation = object_generation(held->object);
}

/* An update in a section, at times of the very object that is held: it has to last all the same. */
static void update_inside(struct self *t, const struct held *held, unsigned int n)
{
	uint64_t r = test_random(&t->rng);

	table_replace(r >> 8 & 1 ? held[r % n].place : r, 0, 0);
}

/* What would have to wait says so instead, and does nothing. */
static void try_to_wait(const struct held *held)
{
	CHECK(bma_rcu_barrier(torture.cache) == -EDEADLK, "barrier in a section");
	CHECK(bma_cache_free_rcu_flags(torture.cache, held->object, BMA_SLEEP) == -EDEADLK,
	      "a free that may wait, in a section");
}

static void look(struct self *t, struct held *held, unsigned int *n)
{
	bool nested = chance(&t->rng, 8);

	if (nested)
		torture.rcu->read_lock();
	if (*n < HELD)
		hold(&held[(*n)++], test_random(&t->rng));
	linger(t);
	/* A QSBR section ends where its thread waits. */
	if (!torture.qsbr && chance(&t->rng, 256))
		try_to_wait(&held[0]);
	if (nested)
		torture.rcu->read_unlock();
	check(held, *n, "within a section");
	if (!torture.limited && chance(&t->rng, 8))
		update_inside(t, held, *n);
}

void torture_read(struct self *t)
{
	struct held held[HELD];
	unsigned int n = 0;

	torture.rcu->read_lock();
	witness_enter(t->n);
	for (uint64_t looks = 1 + test_random(&t->rng) % 8; looks; looks--)
		look(t, held, &n);
	check(held, n, "at the end of a section");
	witness_leave(t->n);
	torture.rcu->read_unlock();
	torture.rcu->read_quiescent_state();
	count(&tally.sections);
}
