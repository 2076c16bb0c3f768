/* SPDX-License-Identifier: MIT */
/*
 * Accounting groups: who owns the bytes. A tree of groups inside one process, as the Linux kernel's memory cgroups are for processes: each
 * cache and heap has a group that pays for it, charges count in that group and in all above it, limits hold at each level.
 *
 * Handles: a struct bma_group pointer is a token, not an address; one that outlives its group is recognized, for the next thousand groups
 * that stand at the same place, and refused. All limits and figures are bytes.
 *
 * What is charged: a cache with memory of its own (not BMA_CACHE_MERGE) and a private heap pay for their slabs, when they take one; a merged
 * cache and a shared heap pay for each object, when it is allocated, however it is freed. An object that waits for a grace period is still paid for.
 * docs/accounting.md tells it in full.
 *
 * The design follows the kernel's memory controller (cgroup v2) and its obj_cgroup, which stands between objects and the group that pays so that the payer
 * can change at a cost that does not depend on the number of objects.
 */
#ifndef BMA_GROUP_H
#define BMA_GROUP_H

#include <bma/cache.h>
#include <bma/heap.h>

BMA_BEGIN_DECLS

/** struct bma_group - A group. Opaque; a token. */
struct bma_group;
/** struct bma_shrinker - What can give memory back when its group needs it. Opaque. */
struct bma_shrinker;

/** BMA_GROUP_NO_LIMIT - As a limit: none. */
#define BMA_GROUP_NO_LIMIT UINT64_MAX
/** BMA_GROUP_DEPTH_MAX - Levels of groups below the root, at most. */
#define BMA_GROUP_DEPTH_MAX 16
/** BMA_GROUPS_MAX - Groups that can exist at a time, the root included. */
#define BMA_GROUPS_MAX 65535

/**
 * BMA_GROUP_OFFLINE - When it is destroyed while something is charged, its charges go to its parent as always, but its name stays visible, to
 * bma_group_visit(), bma_group_find() and the statistics, with what is left of them, until the last byte is gone. It takes no new caches, heaps or groups.
 */
#define BMA_GROUP_OFFLINE ((uint64_t)1 << 0)

/**
 * struct bma_group_attr - How a group is to be made. Clear the whole struct and set @attr_size; every other field may stay 0.
 *
 * @attr_size: sizeof this struct as the caller knows it, bytes.
 * @name: copied, 1 to 31 bytes, none of them '/'; no brother has the same, nor one that is kept by %BMA_GROUP_OFFLINE. NULL: "group-<number>".
 * @flags: BMA_GROUP_*.
 * @max: hard limit: a charge that would go over it fails. 0: none.
 * @high: above it callers that may sleep are slowed down and memory is reclaimed in the background; never fails. 0: none.
 * @low: memory that is not reclaimed for others as long as there is any other.
 * @min: memory that is not reclaimed for others at all.
 */
struct bma_group_attr {
	size_t attr_size;
	const char *name;
	uint64_t flags;
	uint64_t max;
	uint64_t high;
	uint64_t low;
	uint64_t min;
};

/** enum bma_group_limit - Which one bma_group_set() is to change. */
enum bma_group_limit {
	BMA_GROUP_MAX,
	BMA_GROUP_HIGH,
	BMA_GROUP_LOW,
	BMA_GROUP_MIN,
};

/**
 * enum bma_group_event - What is counted of a group, as in cgroup v2's memory.events.
 * @BMA_GROUP_EVENT_LOW: it was reclaimed although it was below its low, for nothing else was left.
 * @BMA_GROUP_EVENT_HIGH: a charge ended above high: the caller was slowed down, or the worker asked to reclaim.
 * @BMA_GROUP_EVENT_MAX: a charge was about to go over max.
 * @BMA_GROUP_EVENT_OOM: an allocation that may sleep failed, for neither reclaim nor a victim (<bma/oom.h>) gave enough.
 * @BMA_GROUP_EVENT_OOM_RECLAIM: reclaim at the limit, or a victim, made room: the allocation went on.
 */
enum bma_group_event {
	BMA_GROUP_EVENT_LOW,
	BMA_GROUP_EVENT_HIGH,
	BMA_GROUP_EVENT_MAX,
	BMA_GROUP_EVENT_OOM,
	BMA_GROUP_EVENT_OOM_RECLAIM,
	BMA_GROUP_EVENTS,
};

/**
 * enum bma_group_cause - Why an allocation that the group was to pay for failed.
 * @BMA_GROUP_FAIL_LIMIT: a max, its own or of a group above.
 * @BMA_GROUP_FAIL_MOVING: its caller cannot wait, and a bma_group_recharge() or bma_group_destroy() was under way.
 * @BMA_GROUP_FAIL_MEMORY: the charge was made, and taken back, for there was no object to be had.
 */
enum bma_group_cause {
	BMA_GROUP_FAIL_LIMIT,
	BMA_GROUP_FAIL_MOVING,
	BMA_GROUP_FAIL_MEMORY,
	BMA_GROUP_CAUSES,
};

/**
 * struct bma_group_stats - Figures of one group. Bytes, unless another unit is named.
 *
 * @name: as given; the root's is empty. @depth: 0: the root.
 * @offline: 1: destroyed, and kept for its name, see %BMA_GROUP_OFFLINE.
 * @groups: groups right below it. @payers: caches and heaps that it pays for, also closed ones of which something is left.
 * @current: charged to it and to all below it, and what these borrow (<bma/shared.h>). @peak: the most that was, since bma_group_reset_peak().
 * @max, @high, @low, @min: as set. @effective_low, @effective_min: what of these holds, seen from the root: a parent's protection is shared among its
 * children in proportion to what they use of theirs.
 * @own: of what is charged, what is not charged to a group below. @stocked: of @own, what is charged ahead and no object has yet: at most 128 KiB for each payer and CPU,
 * and what was freed and not yet carried up. @current - @stocked is exact when no call is in progress.
 * @objects: objects of merged caches and shared heaps, and large ones, that it pays for itself. @slabs, @slab_bytes: slabs that it pays for itself.
 * @uncharged: the root's: slabs of caches with BMA_CACHE_NOCHARGE, not in @current.
 * @events: by enum bma_group_event, of it and all below it; @events_local: of itself. @fails: by enum bma_group_cause, of itself, in calls.
 * @throttled_ns: how long callers were slowed down for its high, in all.
 */
struct bma_group_stats {
	char name[32];
	uint32_t depth;
	uint32_t offline;
	uint64_t groups, payers;
	uint64_t current, peak;
	uint64_t max, high, low, min;
	uint64_t effective_low, effective_min;
	uint64_t own, stocked;
	uint64_t objects, slabs, slab_bytes;
	uint64_t uncharged;
	uint64_t events[BMA_GROUP_EVENTS];
	uint64_t events_local[BMA_GROUP_EVENTS];
	uint64_t fails[BMA_GROUP_CAUSES];
	uint64_t throttled_ns;
};

/** bma_group_root - The group above all others; it always exists. Context: may sleep in the first call of the process, any after. NULL, errno ENOMEM, if that failed. */
BMA_API struct bma_group *bma_group_root(void);

/**
 * bma_group_create - Make a group.
 * @parent: the group above it; NULL: the caller's active group, or the root.
 * @attr: read only during the call; NULL: all of it as it is cleared.
 *
 * Context: may sleep. Thread-safe. The groups exist in a child of fork, and are its own from then on.
 * Returns: the group, or NULL with errno: EINVAL  an unknown flag, a name with '/', empty or too long, max below min, a shared @parent (BMA_CONF=verbose says which);
 * E2BIG  attr_size; EEXIST  the name; ESTALE  @parent was destroyed; ELOOP  %BMA_GROUP_DEPTH_MAX; ENOSPC  %BMA_GROUPS_MAX; ENOMEM.
 */
BMA_API struct bma_group *bma_group_create(struct bma_group *parent,
					   const struct bma_group_attr *attr);

/**
 * bma_group_destroy - Take a group away.
 * @group: the group; NULL is a no-op.
 *
 * What is charged to it, its parent pays for from now on, as do the caches and heaps that it paid for: in a time that depends on how many
 * of these there are, not on objects. Shrinkers and notifications of the group end, and so do its policy, release function and triggers (<bma/oom.h>): it waits until
 * the two functions do not run in another thread, unless it is called by such a function.
 *
 * Context: may sleep. Thread-safe.
 * Returns: 0; -EBUSY while there are groups below it, or when calls in progress did not end within a second (nothing was done); -EINVAL the root or a shared group;
 * -ESTALE it was destroyed before.
 */
BMA_API int bma_group_destroy(struct bma_group *group);

/**
 * bma_group_set - Change a limit.
 * @group: the group; @limit: which; @bytes: to what; %BMA_GROUP_NO_LIMIT: none.
 *
 * Below what is charged already: memory is reclaimed, by this call and then in the background, and charges fail until it is enough; nothing that is live is lost.
 *
 * Context: may sleep. Thread-safe.
 * Returns: 0; -EINVAL an unknown limit, a max below min, a min above max; -ESTALE.
 */
BMA_API int bma_group_set(struct bma_group *group, enum bma_group_limit limit, uint64_t bytes);

/** bma_group_reset_peak - The peak is what is charged now. Context: any. Returns 0 or -ESTALE. */
BMA_API int bma_group_reset_peak(struct bma_group *group);

/**
 * bma_group_enter - From now on what this thread creates is paid for by @group: caches, heaps and groups whose attributes name nobody.
 * @group: NULL: nobody in particular; then the root pays.
 *
 * Nests: give what it returns to bma_group_leave(). It says nothing of allocations: their payer is that of the cache or heap, whoever makes them. A thread
 * may end in a group. The group is not held: where it was destroyed meanwhile creating fails with ESTALE.
 *
 * Context: any. Thread-local.
 * Returns: the group that was active before.
 */
BMA_API struct bma_group *bma_group_enter(struct bma_group *group);
/** bma_group_leave - @previous is active again. Context: any. Thread-local. */
BMA_API void bma_group_leave(struct bma_group *previous);
/** bma_group_active - The caller's active group, or NULL. Context: any. */
BMA_API struct bma_group *bma_group_active(void);

/**
 * bma_group_find - Look a group up by its path: "/" the root, "/agent/flows" the one below it of that name, and so on; "@maps" the shared group (<bma/shared.h>) of that name. Context: may sleep.
 * Returns: the group, or NULL with errno ENOENT, ENOMEM or EINVAL (no path: it does not begin with '/' or '@', or a name in it is empty).
 */
BMA_API struct bma_group *bma_group_find(const char *path);
/**
 * bma_group_path - The path of a group.
 * @path: where it goes, ended by 0, cut if need be; @size: bytes there.
 * Context: may sleep. Returns: the length of the whole, or -ESTALE.
 */
BMA_API int bma_group_path(struct bma_group *group, char *path, size_t size);

/**
 * bma_group_visit - Call @fn for @group and all below it, parents first.
 * @group: where to begin; NULL: the root. @fn: returns 0 to go on; may use all calls, also destroy the group that it is given; may sleep.
 * Groups that come or go meanwhile may be missed.
 *
 * Context: may sleep. Returns: what @fn returned last, 0, -ESTALE or -ENOMEM.
 */
BMA_API int bma_group_visit(struct bma_group *group,
			    int (*fn)(struct bma_group *group, const struct bma_group_stats *stats,
				      void *arg),
			    void *arg);

/**
 * bma_group_stat - Figures of a group.
 * @stats: where they go; @size: sizeof(struct bma_group_stats) as the caller knows it; at most that many bytes are written.
 * Context: may sleep. Returns: 0, -EINVAL, -ESTALE.
 */
BMA_API int bma_group_stat(struct bma_group *group, struct bma_group_stats *stats, size_t size);

/**
 * bma_cache_recharge - Another group pays for a cache.
 * @cache: one that has a payer of its own: not a merged one made without a group (its objects are nobody's in particular), nor one with
 *         BMA_CACHE_NOCHARGE. @group: who is to pay.
 *
 * All that it was charged for moves, or nothing, while other threads allocate and free. This is what lets a cache outlive its owner: the next owner takes it over.
 *
 * Context: may sleep. Thread-safe, but not with a bma_cache_destroy() of the cache.
 * Returns: 0; -EDQUOT it is too much for a limit at or above @group, also after a reclaim; -EBUSY calls in progress did not end within a second; -ESTALE; -EOPNOTSUPP it has no
 * payer of its own. Unless it returns 0 nothing has changed.
 */
BMA_API int bma_cache_recharge(struct bma_cache *cache, struct bma_group *group);
/** bma_heap_recharge - The same for a heap. */
BMA_API int bma_heap_recharge(struct bma_heap *heap, struct bma_group *group);
/** bma_cache_group - Who pays for a cache; the root for one that has no payer of its own. Context: any. */
BMA_API struct bma_group *bma_cache_group(struct bma_cache *cache);
/** bma_heap_group - Who pays for a heap. Context: any. */
BMA_API struct bma_group *bma_heap_group(struct bma_heap *heap);

#ifndef __cplusplus
/** bma_group_recharge - bma_cache_recharge() or bma_heap_recharge(), by the type of the first argument. */
#define bma_group_recharge(cache_or_heap, group)                                                   \
	_Generic((cache_or_heap), struct bma_cache *                                               \
		 : bma_cache_recharge, struct bma_heap *                                           \
		 : bma_heap_recharge)((cache_or_heap), (group))
#endif

/**
 * bma_group_reclaim - Give memory back that the group and those below it are charged for and do not use: stocks, cached objects, empty slabs; then ask the
 * shrinkers, sparing what min and low protect.
 * @bytes: how much is wanted.
 * Context: may sleep; for grace periods of slabs that it gave up it waits a moment, not in a read section. Returns: by how much what is charged fell, bytes.
 */
BMA_API uint64_t bma_group_reclaim(struct bma_group *group, uint64_t bytes);

/**
 * bma_shrinker_register - Name a pair of functions that give memory back, of a program's own caches of objects that it could make again.
 * @group: whose memory that is. @count: how many bytes could be given back now. @scan: give back about so many bytes; returns how many were. Both may sleep, may
 * free by any call, may not allocate with BMA_SLEEP from caches of the group, and are called by whoever needs memory, one at a time.
 *
 * Context: may sleep. Returns: the shrinker, or NULL with errno EINVAL, ESTALE or ENOMEM. The idea is that of the kernel's shrinkers.
 */
BMA_API struct bma_shrinker *bma_shrinker_register(struct bma_group *group,
						   uint64_t (*count)(void *ctx),
						   uint64_t (*scan)(uint64_t bytes, void *ctx),
						   void *ctx);
/** bma_shrinker_unregister - End it; after the call neither function runs. NULL is a no-op. Context: may sleep, but not from one of its functions. */
BMA_API void bma_shrinker_unregister(struct bma_shrinker *shrinker);

/**
 * bma_group_notify - Write to an eventfd whenever what is charged to a group rises to @bytes or falls below again.
 * @fd: an eventfd(2), nonblocking; 1 is added to it each time, by the worker (or bma_poll()); it must stay open until the notification is ended.
 *      What rises and falls before the worker looks is told all the same: 2 is added.
 *
 * Context: may sleep. Returns: 0; -ENOSPC 16 of this group exist; -EINVAL @bytes is 0, or @fd blocks; -EBADF; -ESTALE; -ENOMEM.
 */
BMA_API int bma_group_notify(struct bma_group *group, uint64_t bytes, int fd);
/** bma_group_unnotify - End all notifications of @group to @fd. Context: may sleep. Returns: 0, -ENOENT or -ESTALE. */
BMA_API int bma_group_unnotify(struct bma_group *group, int fd);

BMA_END_DECLS

#endif /* BMA_GROUP_H */
