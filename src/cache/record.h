/* SPDX-License-Identifier: MIT */
/*
 * Records: who pays for what. One for each handle that has a payer: it stands between objects and slabs, which name the record, and the group, which can change.
 *
 * Equation, when no call is in progress:
 *	charged = bytes of live objects and slabs + stocks of all slots + pending
 * and the group, with all above it, is charged for exactly that.
 *
 * Stock: a word per slot (copies of a per-CPU object), bytes that are charged ahead. A charge that it has enough for is one restartable sequence on it, and so is
 * an uncharge that it has room for (up to @cap); the hot calls do that and the change of the tape in one sequence. The design document had one word
 * with the record's number in it for each of a few entries of a slot. A word for each record has no entry to look for and none to throw out when groups take turns, and where few use a slot
 * it is as small.
 *
 * Pending: what did not fit. Whoever adds to it carries it up the tree when it is more than a stock, so that what is charged and free stays
 * bounded without the worker: by (slots + 2) x @cap for each record.
 *
 * Gate: how many callers are between reading @group and being done with it, and a bit that says "closed", by which all but stock and pending is shut. Who moves
 * a record closes it, waits until nobody is inside, moves what is charged, and opens it. A caller that meets a closed gate has read no group: a charge fails or waits, an
 * uncharge leaves it at pending. So no charge and no uncharge reaches a group after its record has left it.
 *	Ordering: entering is a sequentially consistent add whose result tells whether it is closed; closing is a sequentially consistent or, after which the mover reads the
 *	count. Either he counts the caller or the caller sees him. Leaving is a release that the mover acquires.
 *
 * Frozen: a stock with its sign bit set, which no sequence takes from or adds to. Who drains sets the bit by an atomic or and fences; a sequence that had loaded the word before has stored over the bit by then, or
 * never will. So after the fence a word with the bit is as it was when the bit was set, nobody changes it, and what it holds is the drainer's; one without it was in use, and is left. The
 * last copy is changed by atomic operations alone and needs none of this.
 *
 * End: a closed handle's record is freed when its stocks and pending are all that is charged, it has no slab, and nobody is in the gate: no object names it then. They are read in this
 * order: charged, pending, stocks, slabs, the gate. No call charges it any more, so what is charged only falls, and what a free takes from the live bytes shows in pending or a stock, or is
 * carried and gone from both sides: what is found in pending and stocks is at most what was charged when that was read less what is live at the end. An uncharge is done with the
 * record when its store to the stock is made, or when it leaves the gate, which it entered before it added to pending.
 */
#ifndef BMA_CACHE_RECORD_H
#define BMA_CACHE_RECORD_H

#include "engine.h"

#include "group/group.h"

/* The gate's word: closed; the generation of forks; callers inside. */
#define BMA__RECORD_CLOSED ((uint64_t)1 << 63)
#define BMA__RECORD_GENERATION ((uint64_t)0x7fffffff << 32)
#define BMA__RECORD_INSIDE ((uint64_t)UINT32_MAX)
/* A stock's word: nobody may touch it. */
#define BMA__RECORD_FROZEN ((uint64_t)1 << 63)

struct bma__record_place {
	/* A reference on a shared one. Stored with release, last: figures are read while a handle is being made. */
	_Atomic(struct bma__engine *) engine;
	uint16_t owner;
};

struct bma__record {
	/* Known to assembly. */
	uint64_t *words;      /* [const] stocks; NULL: nothing is stocked */
	_Atomic uint64_t cap; /* a stock's most */
	/* [const] */
	uint64_t *live; /* per-CPU counter of objects that users have; NULL: they are not counted */
	bool uncharged; /* counted by the root alone, against no limit */
	bool indexed;	/* sequences may use the stock */
	uint32_t places;
	_Atomic uint32_t reserves; /* of handles that count */

	/* NULL: nothing is charged, objects are only counted. Written under the lock with the gate closed and empty. */
	_Atomic(struct bma__group *) group;
	/* Its handle, written with it: one word says who pays, for by way of the place it could be who stands there since. */
	_Atomic(struct bma_group *) handle;

	_Atomic uint64_t gate __attribute__((aligned(BMA_CACHELINE)));
	_Atomic uint64_t charged, pending;
	_Atomic uint64_t slabs, slab_bytes; /* of slabs and large objects */
	_Atomic uint64_t large;		    /* large objects */
	_Atomic uint64_t pinned; /* objects whose owner is not in their slab, see pin.h */

	/* [lock: group] */
	struct bma__record *next, *prev; /* of its group */
	struct bma__group *origin;	 /* the offline group that it was of */
	struct bma__record *origin_next;
	struct bma__record *orphan_next; /* its handle is gone */
	/* Filled in from the first on; who counts the group's objects may look meanwhile. */
	struct bma__record_place place[];
};

_Static_assert(offsetof(struct bma__record, words) == BMA__RSEQ_WORDS, "known to assembly");
_Static_assert(offsetof(struct bma__record, cap) == BMA__RSEQ_CAP, "known to assembly");

/* The engine of place @i, whose owner is known then; NULL: there is none, nor one behind it. */
static inline struct bma__engine *bma__record_engine(const struct bma__record *r, uint32_t i)
{
	return i < r->places ? atomic_load_explicit(&r->place[i].engine, memory_order_acquire)
			     : NULL;
}

/* How a record is to be made. */
struct bma__record_attr {
	const struct bma_group *group; /* who pays; NULL: nobody, objects are counted only */
	bool stocked;		       /* objects are charged, not only slabs */
	bool counted;		       /* objects that users have are counted */
	bool uncharged;
	uint32_t places;
};

/* What pays for shared engines without owners; made with the library. */
extern struct bma__record *bma__record_root;

/* Once. 0 or -ENOMEM. May sleep. */
int bma__record_init(void);
/* NULL and a negative errno in @rc: -ESTALE, -ENOMEM. No lock above that of groups is held. May sleep. */
struct bma__record *bma__record_make(const struct bma__record_attr *attr, int *rc);
/* Its handle is gone: it goes with the last object. Drops its references on engines then. May sleep. */
void bma__record_close(struct bma__record *r);
/* Free the records of gone handles of which nothing is left. May sleep. */
void bma__record_reap(void);
/* @g pays from now on. Under the lock, with the gate closed and empty, or before anybody has it. */
void bma__record_set_group(struct bma__record *r, struct bma__group *g);
/* Into the list of those that @g pays for, and out of it. Under the lock. */
void bma__record_link(struct bma__record *r, struct bma__group *g);
void bma__record_unlink(struct bma__record *r, struct bma__group *g);
/* Bytes in stocks and pending: a snapshot. */
uint64_t bma__record_stocked(const struct bma__record *r);
/* Fill in what records know of their group, of an offline one's that were its own. Under the lock; takes locks of engines. */
void bma__record_figures(const struct bma__group *g, struct bma_group_stats *s);
/* What records were charged for on behalf of @g; and what is left of what was the offline group @g's, which others pay for. Under the lock. */
uint64_t bma__record_own(const struct bma__group *g);
uint64_t bma__record_once_own(const struct bma__group *g);
/* Out of the list of the offline group that it was of, and the group with its last one. Under the lock. */
void bma__record_leave_origin(struct bma__record *r);
/* In a child of fork: nobody is in a gate. Under the lock. */
void bma__record_after_fork(void);

#endif /* BMA_CACHE_RECORD_H */
