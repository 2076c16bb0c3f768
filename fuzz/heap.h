/* SPDX-License-Identifier: MIT */
/*
 * Heaps and merged caches of one thread that goes from slot to slot. What is known: who has which object, its size and alignment, and a
 * stamp at both ends of it, in each copy if it is per CPU. So what is given out twice, or is too small, is seen when either is given back.
 */
#ifndef FUZZ_HEAP_H
#define FUZZ_HEAP_H

#include <bma/bma.h>
#include <bma/fuzz.h>
#include <urcu/flavor.h>

#include "fuzz.h"

#define HEAP_HEAPS 4u
#define HEAP_OWNERS 8u /* heaps, then caches */
#define HEAP_OBJECTS 1024u
#define HEAP_BYTES ((size_t)6 << 20)
#define HEAP_BULK 16u
#define HEAP_SENTINEL 4711

/* What has to be equal for two to share memory. */
struct heap_key {
	uint64_t cache_flags; /* with BMA_CACHE_PERCPU */
	const struct rcu_flavor_struct *rcu;
};

struct heap_owner {
	struct bma_heap *heap;	 /* either of them */
	struct bma_cache *cache; /* both NULL: closed */
	struct heap_key key;
	uint64_t flags; /* BMA_HEAP_*, or of the cache */
	size_t size;	/* of the cache's objects */
	struct bma_reserve *reserve;
	struct bma_cache *reserve_of;
	size_t reserve_size, reserve_n, reserve_count;
	uint64_t small, large; /* live objects */
	uint64_t too_large, maybe_too_large;
};

/* What was in memory that was given out: not known, zeros, what realloc carried there. */
enum heap_fresh { HEAP_ANY, HEAP_ZEROED, HEAP_CARRIED };
enum heap_state { HEAP_NONE, HEAP_LIVE, HEAP_WAITING };

struct heap_object {
	unsigned char *at;
	struct heap_owner *owner; /* NULL: it is closed, and the object stayed */
	struct heap_key key;
	size_t size; /* asked for, or what was usable then: stamps are at the ends of it */
	size_t asked;
	size_t align;
	uint64_t serial, sum;
	enum heap_state state;
	bool large, sized, of_cache, kernel;
};

struct heap_model {
	struct heap_owner owners[HEAP_OWNERS];
	struct heap_object objects[HEAP_OBJECTS];
	uint32_t used; /* the first of objects[] are live or wait */
	size_t bytes;
	uint64_t serial, failing, fails;
};

extern struct heap_model heap_model;
extern struct rcu_flavor_struct heap_flavor;

struct heap_call {
	struct heap_owner *o;
	unsigned int arg;
};

static inline bool heap_open(const struct heap_owner *o)
{
	return o->heap || o->cache;
}

static inline bool heap_percpu(const struct heap_key *k)
{
	return k->cache_flags & BMA_CACHE_PERCPU;
}

static inline bool heap_own(const struct heap_owner *o)
{
	return o->heap && o->flags & (BMA_HEAP_PRIVATE | BMA_HEAP_DESTROY_ALL);
}

/* Does it know what is live? */
bool heap_counts(const struct heap_owner *o);

/* heap_object.c */

bool heap_room(const struct heap_owner *o, size_t size, size_t n);
/* @o gave @at out for @size bytes: checked, and stamped. */
struct heap_object *heap_add(struct heap_owner *o, void *at, size_t size, size_t align,
			     enum heap_fresh fresh);
/* A live object of @o (NULL: of any), or NULL. */
struct heap_object *heap_pick(const struct heap_owner *o, unsigned int nth);
/* Its stamps are as they were written. */
void heap_compare(const struct heap_object *h);
/* It is given back: compared, and not known any more, or (@rcu) looked at once more before a grace period ends. */
void *heap_take(struct heap_object *h, bool rcu);
/* Moved by realloc to @at: what fits is as it was. */
void heap_moved(struct heap_object *h, void *at, size_t size);
void heap_add_here(struct heap_object *h, uint64_t n);
/* A grace period has ended. */
void heap_period(void);
/* Forget one that is free; what @o has. */
void heap_forget_one(struct heap_object *h);
void heap_forget(const struct heap_owner *o);

/* heap_owner.c */

void heap_begin(struct fuzz_input *in);
void heap_end(void);
void heap_stats(struct heap_owner *o);
void heap_call_owner(struct heap_call *call);
void heap_call_reserve(struct heap_call *call);
void heap_call_reserve_alloc(struct heap_call *call);
/* Another one through which @h may be freed, or NULL. */
struct bma_heap *heap_other(const struct heap_object *h, unsigned int nth);
/* Frees an object whose owner is closed. */
void heap_free_left(struct heap_object *h);

/* heap_calls.c */

size_t heap_size(unsigned int arg);
void heap_call_alloc(struct heap_call *call);
void heap_call_alloc_flags(struct heap_call *call);
void heap_call_aligned(struct heap_call *call);
void heap_call_bulk(struct heap_call *call);
void heap_call_free(struct heap_call *call);
void heap_call_free_rcu(struct heap_call *call);
void heap_call_free_bulk(struct heap_call *call);
void heap_call_realloc(struct heap_call *call);
void heap_call_look(struct heap_call *call);
void heap_call_add(struct heap_call *call);
void heap_call_slot(struct heap_call *call);
void heap_call_poll(struct heap_call *call);
void heap_call_fail(struct heap_call *call);
void heap_call_trim(struct heap_call *call);
void heap_check_errno(void);

/* heap_types.c */

void heap_types_begin(void);
/* Counters of types stay for ever: make them. */
void heap_types_warm(void);
void heap_types_close(const struct heap_owner *o);
void heap_call_new(struct heap_call *call);
void heap_call_drop(struct heap_call *call);
void heap_call_get(struct heap_call *call);
void heap_call_xchg(struct heap_call *call);
void heap_types_check(void);

#endif /* FUZZ_HEAP_H */
