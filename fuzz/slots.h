/* SPDX-License-Identifier: MIT */
/*
 * Many virtual CPUs in one thread: cheap calls, by the million. What is known of a cache is a table of the objects
 * that somebody has. Each has a stamp at both ends, of which the first names its place in the table, so that what
 * the allocator hands out tells by itself whether somebody has it.
 */
#ifndef FUZZ_SLOTS_H
#define FUZZ_SLOTS_H

#include <bma/bma.h>
#include <bma/fuzz.h>

#include "fuzz.h"

#define SLOTS_CACHES 4u
/* Live objects and such as wait for a grace period, of one cache. */
#define SLOTS_OBJECTS 4096u
#define SLOTS_LIVE_BYTES ((size_t)128 << 10)
#define SLOTS_BULK 64u
/* No errno: calls that may not touch it are made with this. */
#define SLOTS_SENTINEL 4711

enum slots_state {
	SLOTS_NONE,
	SLOTS_LIVE,
	/* No grace period has begun and ended since it was passed to free_rcu. */
	SLOTS_WAITING,
};

struct slots_object {
	unsigned char *at;
	uint64_t serial;
	enum slots_state state;
};

struct slots_cache {
	struct bma_cache *cache; /* NULL: there is none */
	struct bma_cache_attr attr;
	struct bma_reserve *reserve;
	size_t reserve_n, reserve_count;
	uint64_t deferred; /* passed to free_rcu since all of these were waited for */
	uint64_t fails;	   /* any-context allocations that gave nothing */
	uint64_t constructed, destructed;
	uint64_t due;  /* destructions, one for each free, with %BMA_CACHE_DTOR_RECYCLE */
	uint32_t most; /* live objects */
	uint32_t live, waiting;
	/* Places: the live ones, those that are free, and those that wait, from the end. */
	uint16_t order[SLOTS_OBJECTS];
	uint16_t waits[SLOTS_OBJECTS];
	struct slots_object objects[SLOTS_OBJECTS];
};

struct slots {
	struct slots_cache caches[SLOTS_CACHES];
	unsigned int used;    /* caches of this input */
	unsigned int reading; /* nesting of read sections */
	uint64_t serial;
	uint64_t failing; /* bma_fuzz_fail_after() */
};

extern struct slots slots;

/* One operation: a cache, a number of times, a number. */
struct slots_call {
	struct slots_cache *c;
	unsigned int times;
	unsigned int arg;
};

/* slots_object.c */

/* There is no object of @c. */
void slots_objects_begin(struct slots_cache *c);
/* Is there room for @n more? */
bool slots_room(const struct slots_cache *c, size_t n);
/* A call gave @at out: nobody has it, and it is as the flags say. It is stamped. */
void slots_add(struct slots_cache *c, void *at, bool zeroed);
/* The @nth live object, or NULL: what is in it is compared. It is the caller's, who gives it back. */
void *slots_take(struct slots_cache *c, unsigned int nth, bool rcu);
/* The last one that was taken, after all not. */
void slots_put_back(struct slots_cache *c, void *at);
/* A grace period has ended: until then what waited stayed as it was. */
void slots_period(struct slots_cache *c);
/* Who has @at, or had it last? */
enum slots_state slots_state_of(const struct slots_cache *c, const void *at);

/* slots_cache.c */

void slots_begin(struct fuzz_input *in);
void slots_end(void);
void slots_create(struct slots_cache *c);
/* Returns what bma_cache_destroy() did. */
int slots_destroy(struct slots_cache *c);
/* The ledger and the counts. */
void slots_stats(struct slots_cache *c);
/* All that was deferred has been waited for. */
void slots_waited(void);

/* Any context: slots_any.c. */
void slots_call_slot(struct slots_call *call);
void slots_call_alloc(struct slots_call *call);
void slots_call_alloc_flags(struct slots_call *call);
void slots_call_alloc_bulk(struct slots_call *call);
void slots_call_free(struct slots_call *call);
void slots_call_free_bulk(struct slots_call *call);
void slots_call_free_rcu(struct slots_call *call);
void slots_call_reserve_alloc(struct slots_call *call);
void slots_call_read(struct slots_call *call);

/* May sleep: slots_sleep.c. */
void slots_call_free_rcu_flags(struct slots_call *call);
void slots_call_stats(struct slots_call *call);
void slots_call_poll(struct slots_call *call);
void slots_call_trim(struct slots_call *call);
void slots_call_barrier(struct slots_call *call);
void slots_call_grace_period(struct slots_call *call);
void slots_call_fail(struct slots_call *call);
void slots_call_reserve(struct slots_call *call);
void slots_call_cache(struct slots_call *call);

#endif /* FUZZ_SLOTS_H */
