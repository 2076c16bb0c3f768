/* SPDX-License-Identifier: MIT */
/*
 * What the files of the torture share, see torture.c.
 *
 * torture.c            words, threads, what must hold at the end
 * torture_thread.c     readers, updaters, the keeper, the storm
 * torture_object.c     objects, the table they are found in, who is in a section
 */
#ifndef BMA_TORTURE_H
#define BMA_TORTURE_H

#include <bma/bma.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <urcu/flavor.h>

#define THREADS_MAX 64u

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
void section_enter(unsigned int n);
void section_leave(unsigned int n);
/* Free an object and wait: who was in a section when something was freed before may not be in it after. */
void section_barrier(uint64_t r);

/* An object changed under a reader. Does not return. */
void torture_changed(const struct object *o, uint64_t generation, const char *when);

/* Thread @n of readers, then updaters, then the keeper. */
void *torture_thread(void *n);
/* Move one of them to some CPU. */
void torture_move(uint64_t r);
void torture_signal(int sig);

#endif /* BMA_TORTURE_H */
