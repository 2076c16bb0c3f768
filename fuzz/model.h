/* SPDX-License-Identifier: MIT */
/*
 * What a program that uses caches knows of them: which objects it has, what is in them, who is in a read
 * section. The calls of BMA are compared with it. No cleverness: tables that are searched from the front.
 */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include <bma/bma.h>
#include <bma/fuzz.h>

#include <stdatomic.h>

#include "baton.h"
#include "fuzz.h"

#define MODEL_CACHES 4u
#define MODEL_RESERVES 2u
#define MODEL_OBJECTS 512u
/* Bytes of objects that may be live: inputs are to be about calls, not about memory. */
#define MODEL_BYTES ((size_t)8 << 20)
/* No errno: calls that may not touch it are made with this. */
#define MODEL_SENTINEL 4711
/* What the constructor writes to the first byte. */
#define MODEL_CONSTRUCTED 0xc0
/* What the destructor writes to the last byte of what may be handed out again. */
#define MODEL_DESTRUCTED 0xd0

enum model_state {
	MODEL_NONE,
	MODEL_LIVE,
	/* Passed to free_rcu while somebody was in a read section: nobody may touch it. */
	MODEL_READABLE,
};

struct model_object {
	unsigned char *at;
	size_t size;
	uint64_t serial; /* makes the pattern */
	unsigned int cache;
	enum model_state state;
	unsigned int readers; /* bit by thread: those that may still look */
};

struct model_cache {
	struct bma_cache *cache; /* NULL: there is none */
	struct bma_cache_attr attr;
	uint64_t live;
	uint64_t deferred; /* passed to free_rcu since all of these were waited for */
	_Atomic uint64_t constructed, destructed;
	unsigned int users; /* bit by thread: those that freed into a slot */
	struct model_reserve {
		struct bma_reserve *reserve;
		size_t n, count;
	} reserves[MODEL_RESERVES];
};

struct model {
	struct model_cache caches[MODEL_CACHES];
	struct model_object objects[MODEL_OBJECTS];
	unsigned int reading[BATON_THREADS]; /* nesting */
	size_t bytes;
	uint64_t serial;
	uint64_t failing;  /* bma_fuzz_fail_after() */
	unsigned int next; /* object to be looked at */
};

extern struct model model;

/* Object table, object.c. */

/* Is there room for @n objects of @c? */
bool model_room(const struct model_cache *c, size_t n);
/* A call gave @at out: nobody else has it, it is aligned, and as the flags say. It is filled. */
void model_add(struct model_cache *c, void *at, bool zeroed);
/* The @nth live object of @c, or NULL; then it is the caller's, who gives it back: what is in it is compared. */
void *model_take(struct model_cache *c, unsigned int nth, bool rcu);
/* It was not taken after all. */
void model_put_back(struct model_cache *c, void *at);
/* Look at @n objects, going round. */
void model_look(unsigned int n);
/* A thread left its read section. */
void model_left(unsigned int thread);

/* Caches, model.c. */

void model_begin(void);
/* The readers of all threads leave; the caller is none. */
void model_leave_all(void);
/* The attributes from the input, and the errno to be expected. */
int model_attr(struct fuzz_input *in, struct model_cache *c);
/* The ledger and the counts; all threads are at rest. */
void model_stats(struct model_cache *c);
void model_stats_all(void);
/* All that was deferred has been waited for. */
void model_waited(struct model_cache *c);
bool model_has_reserves(const struct model_cache *c);
/* Is the calling thread in a read section? */
bool model_reading(void);

/* One operation: @c of the input, and what else it says. Run on a thread. */
struct model_call {
	struct fuzz_input *in;
	struct model_cache *c;
	unsigned int arg;
};

/* calls.c */
void call_create(void *call);
void call_alloc(void *call);
void call_alloc_flags(void *call);
void call_alloc_bulk(void *call);
void call_free(void *call);
void call_free_bulk(void *call);
void call_free_rcu(void *call);
void call_nothing(void *call);
void call_stats(void *call);
void call_fail(void *call);

/* reserves.c */
void call_reserve_create(void *call);
void call_reserve_alloc(void *call);
void call_reserve_refill(void *call);
void call_reserve_destroy(void *call);

/* waits.c: all but the last two may wait for a grace period. Where the library has threads, readers left before. */
void call_free_rcu_flags(void *call);
void call_barrier(void *call);
void call_poll(void *call);
void call_trim(void *call);
void call_shutdown(void *call);
void call_grace_period(void *call);
void call_destroy(void *call);
void call_lock(void *call);
void call_unlock(void *call);

#endif /* FUZZ_MODEL_H */
