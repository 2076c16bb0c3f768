/* SPDX-License-Identifier: MIT */
/*
 * Flavours in use, and what waits for a grace period of each. See defer.h for the protocol.
 */
#ifndef BMA_CACHE_FLAVOR_H
#define BMA_CACHE_FLAVOR_H

#include "need.h"
#include "rcu.h"

#define BMA__FLAVORS_MAX 8u

struct bma__flavor {
	struct bma__rcu rcu; /* [const] */
	struct bma__thread thread;

	/* What waits. */
	struct bma__need sealed;       /* engines with sealed magazines */
	struct bma__need filling;      /* engines with limbo magazines in slots */
	struct bma__count mags;	       /* sealed and not let go */
	_Atomic uint64_t collecting;   /* bytes sealed since a batch was taken; a hint */
	struct bma__count limbo_bytes; /* objects sealed and not let go, bytes */
	_Atomic uint64_t limbo_peak;   /* the most that was */
	_Atomic uint64_t dying_bytes;  /* slabs given up and not let go */
	struct bma__slab *dying;       /* [lock: purge] given up, not yet waited for */
	struct bma__slab
		*doomed;	/* [lock: purge, in_period] the running grace period is for these */
	struct bma__need batch; /* [in_period] engines whose magazines it is for */
	_Atomic uint32_t waiters; /* threads that wait for a batch to end */
	_Atomic bool urgent;	  /* a cache is half way to its limit */
	_Atomic bool watching;	  /* the thread looks in by itself every flush time */

	/* What ran. */
	_Atomic bool in_period;	  /* somebody runs a batch */
	_Atomic uint32_t batches; /* ended; waiters sleep on it */
	_Atomic uint64_t ended;	  /* when the last one did, ns */
	_Atomic uint64_t period;  /* not so early after that does a small one begin, ns */
	_Atomic uint64_t since;	  /* when the running grace period began, ns; 0: none runs */
	_Atomic uint64_t longest; /* ns */
	_Atomic uint64_t periods;
	_Atomic bool frozen; /* a child of fork in which liburcu can end no grace period */
	bool fork_holds;     /* [fork] the prepare handler keeps batches from beginning */
};

extern struct bma__flavor bma__flavors[BMA__FLAVORS_MAX];

/* Flavours in use are the first of them. */
uint32_t bma__flavor_number(void);

#define bma__flavor_for_each(f)                                                                    \
	for (struct bma__flavor * (f) = bma__flavors; (f) < bma__flavors + bma__flavor_number();   \
	     (f)++)

/* The entry of a table (NULL: memb), made if need be; NULL if there are too many. May sleep. */
struct bma__flavor *bma__flavor_get(const struct rcu_flavor_struct *table);

/* Start, stop and join the grace-period threads of all flavours in use. May sleep. 0 or a negative errno. */
int bma__flavor_start_all(void);
void bma__flavor_stop_all(void);

/* Does anything wait, of any flavour? */
bool bma__flavor_pending(void);
/*
 * A call that waits for whatever waits, of all flavours: the caller is offline meanwhile where he can be.
 * bma__flavor_wait_all() returns 0, -EDEADLK if something waits for a flavour in a read section of which he is, or
 * -ETIMEDOUT. May sleep.
 */
struct bma__flavor_wait {
	bool online[BMA__FLAVORS_MAX];
	bool reading[BMA__FLAVORS_MAX]; /* in a read section */
	uint32_t n;
};
/* Returns whether the caller is in a read section of any flavour in use. */
bool bma__flavor_begin_wait_all(struct bma__flavor_wait *w);
int bma__flavor_wait_all(const struct bma__flavor_wait *w);
void bma__flavor_end_wait_all(const struct bma__flavor_wait *w);

/*
 * Fork. Before: let running grace periods end, at most @ns in all, and keep the next from beginning; then in
 * the parent, and in the child.
 */
void bma__flavor_before_fork(uint64_t ns, void *const *readers);
/* bma__rcu_reader() of every flavour, for the former. With no lock held. */
void bma__flavor_readers(void **readers);
void bma__flavor_after_fork_parent(void);
void bma__flavor_after_fork_child(void);

#endif /* BMA_CACHE_FLAVOR_H */
