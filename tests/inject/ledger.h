/* SPDX-License-Identifier: MIT */
/*
 * What the test knows of each object of a world, and calls that keep it up. A call changes the ledger before it
 * gives an object away and after it has got one, so a handler in between finds it right.
 */
#ifndef BMA_INJECT_LEDGER_H
#define BMA_INJECT_LEDGER_H

#include "calls.h"

#define LEDGER_OBJECTS 1024
#define LEDGER_LIVE 256

enum ledger_state {
	LEDGER_UNKNOWN, /* not carved */
	LEDGER_FREE,
	LEDGER_LIVE_STATE,
	LEDGER_LIMBO,	/* given to free_rcu: may not come back, for no grace period ends */
	LEDGER_RESERVE, /* set aside */
};

struct ledger {
	char *base; /* of the one slab that all objects are of */
	size_t stride;
	unsigned char state[LEDGER_OBJECTS];
	void *live[LEDGER_LIVE]; /* a stack */
	int nlive;
	uint32_t nulls;	      /* allocations from the cache that found nothing */
	uint32_t outer_nulls; /* of these, not by a handler */
	uint32_t taken;	      /* objects got from the cache */
	uint32_t reserve_taken, reserve_nulls;
	uint64_t added;	   /* to the word */
	const char *wrong; /* first thing that was */
};

extern struct ledger ledger;
/* What calls are made on. */
extern const struct calls *ledger_calls;
extern void *ledger_cache, *ledger_reserve;
/* A heap whose class of that size has the cache's objects, and a per-CPU word. */
extern void *ledger_heap;
extern size_t ledger_size;
extern uint64_t *ledger_word;
/* Objects of a magazine. */
extern size_t ledger_capacity;

/* Number of an object, or -1. */
int ledger_number(const void *obj);
void ledger_fail(const char *wrong);

/* The calls of cases and of handlers. */
void ledger_alloc(void);
void ledger_zeroed(void);
void ledger_alloc_bulk(void);
void ledger_free(void);
void ledger_free_null(void);
void ledger_free_bulk(void);
void ledger_free_rcu(void);
void ledger_free_rcu_flags(void);
void ledger_reserve_alloc(void);
void ledger_reserve_count(void);
void ledger_rcu_stats(void);
void ledger_heap_alloc(void);
void ledger_heap_free(void);
void ledger_heap_free_sized(void);
void ledger_heap_free_rcu(void);
void ledger_add(void);
/* Programs of handlers. */
void ledger_two_and_back(void); /* alloc, alloc, free */
/*
 * Out and home again: where a call stands at an end of the tape, the slot's word is afterwards what it was, and its
 * neighbours are not. Only the generation tells.
 */
void ledger_left_and_home(void);     /* alloc, free, free, alloc */
void ledger_right_and_home(void);    /* free, alloc, alloc, free */
void ledger_bulk_and_back(void);     /* three at once */
void ledger_magazine_and_back(void); /* more than a magazine's worth, then all of it back */
void ledger_magazine_to_limbo(void); /* more than a magazine's worth of deferred frees */
void ledger_add_twice(void);	     /* to the word, and to a cache and back */
void ledger_reserve_and_back(void);  /* two out of the reserve, one to the cache */

#endif /* BMA_INJECT_LEDGER_H */
