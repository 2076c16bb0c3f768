/* SPDX-License-Identifier: MIT */
/*
 * An engine in a state that is described by a shape, written by hand into its slot and depot, and restored
 * byte for byte before each run. So a call takes the same way each time, up to where it is interrupted.
 */
#ifndef BMA_INJECT_WORLD_H
#define BMA_INJECT_WORLD_H

#include "cache/cache.h"

/* Objects per magazine, objects of a world that are live, entries of its reserve. */
#define WORLD_CAPACITY 6
#define WORLD_LIVE 64
#define WORLD_RESERVE 4

/* Who pays for objects, and what a charge finds. */
enum shape_payer {
	PAYER_NOBODY,
	PAYER_STOCK,   /* half a stock */
	PAYER_EMPTY,   /* none */
	PAYER_PENDING, /* none, but something is pending */
	PAYER_FULL,    /* a whole one: nothing fits */
	PAYER_CARRIES, /* and as much as may be is pending */
	PAYER_FROZEN,  /* it is being drained */
	PAYER_MOVING,  /* and the gate is closed */
	PAYER_REFUSED, /* the group is full */
};

/* What the budget has left. */
enum shape_room {
	ROOM_MUCH,
	ROOM_ONE, /* for one magazine */
	ROOM_NONE,
};

/* @top: no magazine at all; 0 is an empty one. */
#define WORLD_NONE (-1)

struct shape {
	int left, top, right;	 /* tape: full ones, objects in the loaded one, empty ones */
	int full, short_, empty; /* depot: full ones, ones with one object, empty ones */
	int limbo;		 /* objects in the slot's limbo magazine; 0: it has none */
	int guest;		 /* objects in the magazine of a guest slot; 0: it has none */
	int reserve;		 /* entries of the reserve that are taken */
	int ring, recent;	 /* full ones: in the stock, and back from a grace period */
	bool put_last;		 /* the last exchange was a put: the tape is to grow */
	bool frozen, frozen_limbo;
	bool low, high; /* any get is below the mark, any put above it */
	bool asleep;	/* worker and grace-period thread, who have to be woken */
	bool single;	/* magazines of one object: slots keep nothing */
	enum shape_payer payer;
	enum shape_room room;
	bool idle, fresh; /* one idle magazine of the class; fresh ones without end. Else neither */
};

/* Everything that a run may change, and how it was. */
extern struct world {
	struct bma__engine *e;
	struct bma_cache *cache;
	struct bma_reserve *reserve;
	struct bma__slab *slab;
	const struct shape *shape;
	uint32_t plane;	  /* that the shape was written to */
	uint32_t stock;	  /* objects that an alloc of the caller can get */
	uint64_t starved; /* allocations that found nothing though a guest slot had some */
	uint64_t others;  /* bytes of the budget that are not its slots' */
	uint64_t mags;	  /* magazines in it, without the idle one */
	struct bma__waker *worker;
	bool forked; /* this is the child, */
	bool alone; /* and the thread that was in a call is not there: what it had in hand is lost */
} world;

/* Initialise the library without its threads. @conf: words of BMA_CONF. */
void world_init(const char *conf);
/* Planes that runs use besides the caller's. */
void world_also_plane(uint32_t plane);
void world_make(const struct shape *shape);
void world_restore(void);
/* errno as a run is to leave it; the last thing before the call. */
void world_touch(void);
/* In a child of fork: nobody is there who could use a part of the budget. */
void world_forked(void);
/* What is wrong now: every object must be in one place, every count right. NULL: nothing. */
const char *world_check(void);
/* Bring everything home as it stands, and give the engine up. What is wrong, or NULL. */
const char *world_end(void);

#endif /* BMA_INJECT_WORLD_H */
