/* SPDX-License-Identifier: MIT */
/*
 * What the files of the torture share, see torture.c.
 *
 * torture.c          words, threads, what must hold at the end
 * torture_thread.c   what threads do: readers, updaters, the keeper, the storm
 * torture_reader.c   read sections
 * torture_object.c   objects, and the table in which they are found
 * torture_witness.c  who was in a section when an object was freed
 */
#ifndef BMA_TORTURE_H
#define BMA_TORTURE_H

#include <bma/bma.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <urcu/flavor.h>

#include "test.h"

#define THREADS_MAX 64u
#define TABLE 64u

/* Set before the threads begin, but for stop. */
struct torture {
	struct bma_cache *cache;
	const struct rcu_flavor_struct *rcu; /* of the readers */
	uint64_t seed;
	unsigned int readers, updaters;
	bool qsbr, migrate, storm, flush, recycle, limited;
	bool broken; /* a changed object is what is looked for */
	_Atomic bool stop;
};

extern struct torture torture;

struct tally {
	_Atomic uint64_t sections, updates, nulls, barriers, signals, moves;
};

extern struct tally tally;

static inline void count(_Atomic uint64_t *n)
{
	atomic_fetch_add_explicit(n, 1, memory_order_relaxed);
}

struct object;

/* Objects. Any context, but for @flags with BMA_SLEEP. */
struct object *object_new(unsigned int flags);
/* One that nobody else has seen. */
void object_free_private(struct object *o);
/* Are generation and contents of @o those of @generation? */
bool object_is(const struct object *o, uint64_t generation);
uint64_t object_generation(const struct object *o);
void object_dtor(void *obj, void *unused);
size_t object_size(void);

/* The table: full from before the threads begin until they have ended. */
void table_fill(void);
void table_clear(void);
/* The object at a place. In a section. */
struct object *table_look(uint64_t place);
/* Put a new object in the place of what is there, and free that. False: no object was to be had. */
bool table_replace(uint64_t place, unsigned int alloc_flags, unsigned int free_flags);

/* Reader @n is in a section, or no longer. Called inside it. */
void witness_enter(unsigned int n);
void witness_leave(unsigned int n);
/* A section that is under way, of any reader from @first on; 0: there is none. */
uint64_t witness_find(uint64_t first);
/* Is it still? */
bool witness_inside(uint64_t w);
/* What was at @place has been passed to free_rcu, in presence of @w. */
void witness_freed(uint64_t place, uint64_t w, uint64_t generation);
/* By one thread at a time. */
void witness_destructed(uint64_t generation);
/* Free an object, wait for a barrier, and look whether it kept its promise. */
void witness_barrier(uint64_t r);

struct self {
	unsigned int n;
	uint64_t rng;
	bool registered;
};

static inline bool chance(uint64_t *rng, uint64_t one_in)
{
	return test_random(rng) % one_in == 0;
}

/* One read section. */
void torture_read(struct self *t);
/* Thread @n of readers, then updaters, then the keeper. */
void *torture_thread(void *n);
/* Move one of them to some CPU. */
void torture_move(uint64_t r);
void torture_signal(int sig);

#endif /* BMA_TORTURE_H */
