/* SPDX-License-Identifier: MIT */
/*
 * Layer 2: groups. A tree of counters with limits; knows nothing of caches. Who charges keeps records of his own (cache/record.h), which hang from the group
 * that pays.
 *
 * Invariants. Let own(g) be the sum of what was charged to g itself and not yet uncharged:
 *	usage(g) = own(g) + the sum of usage(c) over its children c			(when no charge is in progress)
 *	usage(g) + borrowed(g) <= max(g), at any moment, unless max was lowered below that, or a shared group grew: then usage only falls.
 * A charge goes from the group to the root. At each level it is one compare and exchange, which fails where the sum would exceed max; then the levels below
 * are undone in the same order. So a charge that fails was visible for a moment in groups below the one that refused it, and may have made
 * another charge there fail that would have fitted: both callers see a group that was full when both are counted.
 *
 * A max that is lowered while a charge is in progress: that charge looks at max again when it has added, and takes itself back. So it can be seen above
 * the new max for a moment, and never stays there unless bma_group_set() saw it.
 *
 * Memory ordering: all counters are relaxed, but for usage and max, which a charge and who lowers max write and then read of each other. No data is published by a charge; what a limit promises is a property of each counter's own modification order. A
 * caller reads who pays from a record that is closed and drained of callers before its payer changes, so a group is not reached by a charge after it was destroyed.
 *
 * Groups stand in a region of their own, in places of 512 bytes, and never leave it. A handle is where the region begins plus 1 KiB for each place before it plus the
 * generation of the place: one that outlived its group has another one.
 */
#ifndef BMA_GROUP_GROUP_H
#define BMA_GROUP_GROUP_H

#include "page/page.h"

#include <bma/group.h>

#define BMA__GROUP_SHIFT 9    /* of places */
#define BMA__GROUP_HANDLES 10 /* of handles: bits of a generation */
#define BMA__GROUP_NAME_MAX 32

struct bma__record;
struct bma__notify;
struct bma__sharing;
struct bma__oom_state;

enum bma__group_state {
	BMA__GROUP_FREE,
	BMA__GROUP_ONLINE,
	BMA__GROUP_GONE, /* offline: destroyed, and kept for its name */
};

/* What reclaim and throttling have to do: set by charges in any context, served by who may sleep. */
enum bma__group_work {
	BMA__GROUP_WORK_RECLAIM = 1, /* a charge was refused, or ended above high */
	BMA__GROUP_WORK_NOTIFY = 2,  /* a threshold was crossed */
};

struct bma__group {
	/* Read by each charge. */
	_Atomic uint64_t usage;
	_Atomic uint64_t max, high;
	struct bma__group *parent; /* [const] NULL: the root, or a shared one */
	_Atomic uint64_t peak;
	/* What is charged outside [notify_low, notify_high): a threshold was crossed. 0 and UINT64_MAX: there is none. */
	_Atomic uint64_t notify_low, notify_high;
	_Atomic uint64_t borrowed; /* what its shares add to usage, see shared.h */

	_Atomic uint32_t generation __attribute__((aligned(BMA_CACHELINE))); /* 1 .. 1023 */
	_Atomic uint32_t state; /* enum bma__group_state */
	_Atomic uint32_t work;	/* enum bma__group_work */
	uint32_t depth;
	uint64_t flags;
	char name[BMA__GROUP_NAME_MAX];
	_Atomic uint64_t low, min;
	_Atomic uint64_t events[BMA_GROUP_EVENTS], local[BMA_GROUP_EVENTS];
	_Atomic uint64_t fails[BMA_GROUP_CAUSES];
	_Atomic uint64_t throttled_ns;
	_Atomic uint64_t uncharged;
	_Atomic uint64_t stall_ns; /* how long callers waited on its behalf, or of a group below */
	/* The most and the least that was seen outside the window since bma__notify_run() looked: what went there and came back was there. */
	_Atomic uint64_t notify_top, notify_bottom;

	/* [lock: group] */
	uint64_t effective_low, effective_min;	/* as of the last bma__group_protect() */
	struct bma__group *child, *next, *prev; /* first child; brothers */
	uint32_t children;
	uint32_t payers;
	struct bma__record *records; /* that it pays for */
	struct bma__record *origins; /* of an offline group: those that were its own */
	struct bma_shrinker *shrinkers;
	struct bma__notify *notify;
	struct bma__oom_state *oom; /* NULL until it is needed, see oom.h */
	uint64_t created_ns;
	struct bma__group *free_next;
	struct bma__group *hash_next; /* names are looked up by a hash of parent and name */
	struct bma__sharing *sharing; /* NULL: it has nothing to do with shared groups */
};

_Static_assert(sizeof(struct bma__group) <= (size_t)1 << BMA__GROUP_SHIFT, "a place is 512 bytes");

/* The tree, the lists that hang from its groups, and limits (read without it). */
extern struct bma__lock bma__group_lock;
extern struct bma__group *bma__group_root;
/* Wakes who does a group's work; set by the layer above. Any context. */
extern void (*bma__group_wake)(void);

/*
 * Take and drop it, with all signals of the thread blocked in between: a handler that forks there would leave a child with half a change. May sleep.
 */
void bma__tree_lock(void);
void bma__tree_unlock(void);

/* Once. Returns 0 or -ENOMEM. May sleep. */
int bma__group_init(void);
/* How many there are, the root included. Under the lock. */
uint32_t bma__group_count(void);

/* The group of a handle; NULL if it was destroyed, or never was one. An offline one is found. Any context. */
struct bma__group *bma__group_of(const struct bma_group *handle);
/* The same if it is online: neither destroyed nor kept for its name. Any context. */
struct bma__group *bma__group_online(const struct bma_group *handle);
struct bma_group *bma__group_handle(const struct bma__group *g);

/* Charge @bytes to @g and all above. 0; or -EDQUOT, with the group that refused in @refused, its event counted and its work set. Any context. */
int bma__group_charge(struct bma__group *g, uint64_t bytes, struct bma__group **refused);
/* Take it back. Any context. */
void bma__group_uncharge(struct bma__group *g, uint64_t bytes);
/*
 * What was charged to @from is charged to @to from now on: groups above both do not see it. 0, or -EDQUOT with nothing changed. The caller sees to it that nobody
 * charges or uncharges by way of what moves. Under the lock.
 */
int bma__group_move(struct bma__group *from, struct bma__group *to, uint64_t bytes,
		    struct bma__group **refused);

/* What is charged to @g, with what it borrows. Any context; a snapshot. */
static inline uint64_t bma__group_current(const struct bma__group *g)
{
	uint64_t usage = atomic_load_explicit(&g->usage, memory_order_seq_cst), sum;

	return __builtin_add_overflow(
		       usage, atomic_load_explicit(&g->borrowed, memory_order_seq_cst), &sum)
		       ? UINT64_MAX
		       : sum;
}
/*
 * It borrows so many bytes more, modulo 2^64; groups above it have shares of their own. Under the lock, which makes a plain store of it. Before bma__group_lend_fits() of one that borrows more there is to be a
 * sequentially consistent fence: one for all levels.
 */
static inline void bma__group_lend(struct bma__group *g, uint64_t bytes)
{
	uint64_t was = atomic_load_explicit(&g->borrowed, memory_order_relaxed);

	atomic_store_explicit(&g->borrowed, was + bytes, memory_order_relaxed);
}
/* Is it within its max? Any context. */
bool bma__group_lend_fits(const struct bma__group *g);
/* It was not: its event is counted, and its work set. Any context. */
void bma__group_lend_refuse(struct bma__group *g);
/* What it borrows has changed, and stays: peak, high, thresholds. Any context. */
void bma__group_lend_settle(struct bma__group *g);

/* The most that a charge of @g can still take before any max refuses it. Any context; a snapshot. */
uint64_t bma__group_room(const struct bma__group *g);
/* The lowest max at or above @g. Any context. */
uint64_t bma__group_tightest(const struct bma__group *g);
/* The peak is what is charged now; false: it is not online. Any context. */
bool bma__group_reset_peak(const struct bma_group *handle);
/* The group at or above @g that is furthest above its high, in relation to it, or NULL. Any context. */
struct bma__group *bma__group_over_high(struct bma__group *g);
/* How long a caller is to be slowed down for that, nanoseconds: 1 ms for each percent above high, 0 to 100 ms. */
uint64_t bma__group_penalty(const struct bma__group *g);

/* Count an event, of @g itself and of all above. Any context. */
void bma__group_event(struct bma__group *g, enum bma_group_event event);
void bma__group_fail(struct bma__group *g, enum bma_group_cause cause);
/* Ask for work. Any context. */
void bma__group_want(struct bma__group *g, uint32_t work);
/* Ask for it again without waking anybody: who asks will look by himself. Any context. */
void bma__group_want_later(struct bma__group *g, uint32_t work);
/* Which place it stands at, below BMA_GROUPS_MAX; 0 for NULL. Any context. */
uint32_t bma__group_index(const struct bma__group *g);
/* Take what is asked of some group: @work; NULL: nothing is. The group may be destroyed meanwhile: its handle is what it returns. */
struct bma_group *bma__group_take_work(uint32_t *work);

/* The child of @parent of that name (@length bytes), also an offline one, or NULL; @parent NULL: the shared one. Under the lock. */
struct bma__group *bma__group_child(const struct bma__group *parent, const char *name,
				    size_t length);
/* As bma_group_path(), 0-ended where @size is not 0; returns the length of the whole. Under the lock. */
size_t bma__group_path(const struct bma__group *g, char *path, size_t size);
#define BMA__GROUP_PATH_MAX ((size_t)BMA_GROUP_DEPTH_MAX * BMA__GROUP_NAME_MAX + 2)

/*
 * Walk: the first group of the subtree of @top for @g NULL, then the one after @g, parents first. Under the lock.
 */
struct bma__group *bma__group_next(struct bma__group *top, struct bma__group *g);
/* The same for all groups there are, shared ones after the tree, if @top is the root. Under the lock. */
struct bma__group *bma__group_each(struct bma__group *top, struct bma__group *g);
/* Is @g @top or below it? Under the lock, or of groups that cannot go. */
bool bma__group_below(const struct bma__group *g, const struct bma__group *top);

/*
 * Effective protections of all in the subtree of @top against reclaim for @top, as cgroup v2 has them: what a group is protected by is bounded by its parent's effective
 * protection, and where the children's protected usage (the lesser of usage and protection) is more than that, shared in proportion to it.
 * @top itself, and where @top is the root or the group whose limit was hit, is not protected against itself; its children have theirs in full. Under the lock.
 */
void bma__group_protect(struct bma__group *top);

/*
 * Run the shrinkers of @g itself for @bytes, in the order in which they were registered, with no lock held. One that runs is passed over; who is in a
 * shrinker runs no other (0 is returned). Returns what they said that they gave back. May sleep.
 */
uint64_t bma__shrinkers_run(struct bma_group *g, uint64_t bytes);
struct bma_shrinker *bma__shrinker_add(struct bma_group *g, uint64_t (*count)(void *ctx),
				       uint64_t (*scan)(uint64_t bytes, void *ctx), void *ctx,
				       int *rc);
void bma__shrinker_remove(struct bma_shrinker *s);
/* In a child of fork, under the lock: those that other threads ran there run no more. */
void bma__shrinkers_forget(void);
/* Those of a group that is being destroyed: unregistered by it, freed by their owner's call. Under the lock. */
void bma__shrinkers_end(struct bma__group *g);

/* Write to the eventfds of thresholds that were crossed. May sleep. */
void bma__notify_run(struct bma_group *g);
/* What is charged to @g was @now, which is outside its window. Any context. */
void bma__notify_crossed(struct bma__group *g, uint64_t now);
/* 0 or a negative errno, as bma_group_notify() and bma_group_unnotify(). May sleep. */
int bma__notify_add(struct bma_group *g, uint64_t bytes, int fd);
int bma__notify_remove(struct bma_group *g, int fd);
void bma__notify_end(struct bma__group *g); /* under the lock */

/*
 * The parts of destroying one that are the tree's; its shrinkers, notifications and shares end. Without BMA_GROUP_OFFLINE: it is taken out, and its handle names
 * nothing any more. With it: it stays as an offline one, without limits and protections, until bma__group_free(). Under the lock; nothing is charged
 * to it any more, and there are no groups below it.
 */
void bma__group_unlink(struct bma__group *g);
/* The last record of an offline group is gone, or it has none. Nothing, if it is free already. Under the lock. */
void bma__group_free(struct bma__group *g);
/*
 * Make one, of an @attr that was checked; @parent NULL: a shared one. NULL and a negative errno in @rc: EINVAL, ESTALE, EEXIST, ELOOP, ENOSPC. Under the lock.
 */
struct bma__group *bma__group_make(struct bma__group *parent, const struct bma_group_attr *attr,
				   int *rc);

/* In a child of fork, under the lock: usage of all from @own, a function of what the records have; bma__shrinkers_forget(). */
void bma__group_recount(uint64_t (*own)(const struct bma__group *g));

#include "oom.h"
#include "shared.h"

#endif /* BMA_GROUP_GROUP_H */
