/* SPDX-License-Identifier: MIT */
/*
 * Shared groups: memory that several parties use is charged once, to an accounting object that lives as long as that memory, and borrowed by those who use it. No
 * party's end leaves a zombie behind, and none is charged for what another allocated first.
 *
 * A shared group is a struct bma_group outside the tree: it can be named as the payer of caches and heaps (attr.group, bma_group_enter(), bma_group_recharge()), has limits
 * (bma_group_set()), events and figures (bma_group_stat()), can be reclaimed from, and is found by the path "@<name>". It cannot be a parent, and bma_group_destroy() does not take it: both say EINVAL.
 *
 * What a group borrows is added to the current of the group and of all above it, by the policy of its attachment, and max, high, peak and notifications go by that sum; what is charged to the group itself does
 * not change. docs/shared.md tells it in full.
 *
 * All calls are thread-safe. Shared groups, attachments, borrows and pins exist in a child of fork, and are its own from then on.
 *
 * The design follows the proposal of a shared memory controller for the Linux kernel (Chris Li, T.J. Mercier, LSF/MM 2023), which was never written.
 */
#ifndef BMA_SHARED_H
#define BMA_SHARED_H

#include <bma/group.h>

BMA_BEGIN_DECLS

/** struct bma_pin_owner - Who pins: a device, a connection, a client of a driver. Opaque. */
struct bma_pin_owner;

/**
 * enum bma_shared_policy - What an attachment adds to the current of the group it is made to, and of those above.
 * @BMA_SHARED_NOTHING: nothing: borrows are counted only.
 * @BMA_SHARED_BORROWED: what the group borrows. Above several: the sum, but at most what is charged to the shared group.
 * @BMA_SHARED_ALL: whatever is charged to the shared group, borrowed or not; brought up to date by the worker, by bma_poll(), by bma_group_stat() of the group and by borrows. Where the
 *                  shared group grows it may bring the group over its max, and charges fail until there is room.
 */
enum bma_shared_policy {
	BMA_SHARED_NOTHING,
	BMA_SHARED_BORROWED,
	BMA_SHARED_ALL,
};

/**
 * struct bma_shared_attr - How a shared group is to be made. Clear it and set @attr_size.
 * @attr_size: sizeof this struct as the caller knows it, bytes.
 * @name: as a group's; no other shared group has it. NULL: "shared-<number>". @max: as a group's, bytes; 0: none.
 */
struct bma_shared_attr {
	size_t attr_size;
	const char *name;
	uint64_t max;
};

/**
 * bma_shared_create - Make a shared group.
 * @attr: read only during the call; NULL: all of it as it is cleared.
 * Context: may sleep. Returns: its handle, or NULL with errno: EINVAL the name; E2BIG attr_size; EEXIST the name; ENOSPC %BMA_GROUPS_MAX; ENOMEM.
 */
BMA_API struct bma_group *bma_shared_create(const struct bma_shared_attr *attr);
/**
 * bma_shared_destroy - Let it go: no cache or heap is made that it pays for, none is recharged to it, and nothing is attached. It is gone when nothing is charged, attached or pinned any more and
 * no cache or heap pays through it, and until then has its name and its limits, and can be found, asked and detached; what is attached may borrow and pin. NULL is a no-op.
 * Context: may sleep. Returns: 0; -EINVAL no shared group; -ESTALE it was let go before.
 */
BMA_API int bma_shared_destroy(struct bma_group *shared);

/**
 * bma_shared_attach - @group uses what @shared pays for.
 * @policy: what that adds to its current. @borrow_max: what it may borrow at most, bytes; %BMA_GROUP_NO_LIMIT: as much as is charged.
 *
 * Pins that others have do not become its own. bma_group_destroy() of @group detaches it, with its pins.
 *
 * Context: may sleep.
 * Returns: 0; -EEXIST it is attached; -EINVAL (a shared @group, a @shared that is none, an unknown policy); -EDQUOT (%BMA_SHARED_ALL: more than a limit at or above @group allows, also after
 * a reclaim); -ESTALE; -ENOMEM. Unless it returns 0 nothing has changed.
 */
BMA_API int bma_shared_attach(struct bma_group *shared, struct bma_group *group,
			      enum bma_shared_policy policy, uint64_t borrow_max);
/**
 * bma_shared_detach - It does no more; what it borrows is dropped.
 * Context: may sleep. Returns: 0; -EBUSY while it has pins; -ENOENT it is not attached; -EINVAL as bma_shared_attach(); -ESTALE.
 */
BMA_API int bma_shared_detach(struct bma_group *shared, struct bma_group *group);

/**
 * bma_shared_borrow - @group uses @bytes more of it ("share"). What is charged to @shared does not change.
 *
 * Where the charge falls below a borrow the borrow is shown, and counts, as the charge; what was borrowed is remembered, and is to be given back as it was taken.
 *
 * Context: may sleep; at most 100 ns where nobody contends and no limit is near.
 * Returns: 0; -EDQUOT over @borrow_max, or over a limit at or above @group (by policy), also after a reclaim; -ERANGE it would be more than is charged to @shared; -ENOENT it is not
 * attached; -EINVAL as bma_shared_attach(); -ESTALE. Unless it returns 0 nothing has changed.
 */
BMA_API int bma_shared_borrow(struct bma_group *shared, struct bma_group *group, uint64_t bytes);
/**
 * bma_shared_unborrow - @bytes less ("unshare").
 * Context: may sleep; time as bma_shared_borrow(). Returns: 0; -ERANGE it has borrowed less (nothing is changed); -ENOENT; -EINVAL; -ESTALE.
 */
BMA_API int bma_shared_unborrow(struct bma_group *shared, struct bma_group *group, uint64_t bytes);
/**
 * bma_shared_borrow_object - The same for the bytes of a live object that @shared pays for: what it is charged for, or, where a cache pays for its slabs, what it takes of one.
 * Context: may sleep. Returns: as bma_shared_borrow(); -EINVAL for an object that another pays for.
 */
BMA_API int bma_shared_borrow_object(struct bma_group *shared, struct bma_group *group,
				     const void *obj);
/** bma_shared_unborrow_object - The same back, before the object is freed. Context: may sleep. Returns: as bma_shared_unborrow(); -EINVAL for an object that another pays for. */
BMA_API int bma_shared_unborrow_object(struct bma_group *shared, struct bma_group *group,
				       const void *obj);

/**
 * struct bma_shared_stats - Of a shared group and a group that is attached to it, or above one. Bytes, unless another unit is named.
 * @charge: charged to the shared group. @borrowed: by the group itself, at most @charge. @borrow_max: its limit; @policy: enum bma_shared_policy; both 0 where the group itself is not attached.
 * @lower, @upper: between these lies what the group and all below it use: the largest borrow, and the sum of borrows, but at most @charge. Which bytes of whom are the same is not known: sets for each
 * object would cost more than the objects.
 * @pinned: pinned by it and all below it, an object once for each group that has it pinned.
 * @attached: 1: the group itself is; 0: one below it.
 */
struct bma_shared_stats {
	uint64_t charge, borrowed, borrow_max, lower, upper, pinned;
	uint32_t policy, attached;
};
/**
 * bma_shared_stat - Figures of a pair.
 * @group: attached, or above a group that is. @stats: where they go; @size: sizeof(struct bma_shared_stats) as the caller knows it; at most that many bytes are written.
 * Context: may sleep. Returns: 0; -ENOENT neither; -EINVAL (@stats, @size, or as bma_shared_attach()); -ESTALE.
 */
BMA_API int bma_shared_stat(struct bma_group *shared, struct bma_group *group,
			    struct bma_shared_stats *stats, size_t size);
/**
 * bma_shared_visit - Call @fn for each shared group, also those let go (stats->offline is 1). As bma_group_visit().
 * Context: may sleep. Returns: what @fn returned last, 0 or -ENOMEM.
 */
BMA_API int bma_shared_visit(int (*fn)(struct bma_group *shared,
				       const struct bma_group_stats *stats, void *arg),
			     void *arg);

/**
 * bma_pin_owner_open - Somebody who pins on behalf of @group. It has to be closed also after @group was destroyed.
 * Context: may sleep. Returns: the owner, or NULL with errno EINVAL (a shared @group), ESTALE or ENOMEM.
 */
BMA_API struct bma_pin_owner *bma_pin_owner_open(struct bma_group *group);
/**
 * bma_pin_owner_close - Its end; what it forgot to unpin is unpinned.
 * Context: may sleep. Returns: how many pins that were. NULL, and one that was closed, unless another was opened at its place, is a no-op.
 */
BMA_API size_t bma_pin_owner_close(struct bma_pin_owner *owner);
/**
 * bma_pin_set_max - What all owners of @group, and of the groups below it, may have pinned: otherwise a group below would be a way around it. %BMA_GROUP_NO_LIMIT: as much as there is.
 * @bytes: below what is pinned: nothing is unpinned, new pins are refused.
 * Context: may sleep. Returns: 0; -EINVAL a shared @group; -ESTALE; -ENOMEM.
 */
BMA_API int bma_pin_set_max(struct bma_group *group, uint64_t bytes);
/**
 * bma_shared_pin - Keep an object, that the caller may use, from being freed.
 * @obj: of a merged cache or a shared heap that a shared group, attached to the owner's group, pays for. Not a large object, nor one of a cache or heap that pays for its slabs.
 *
 * The object is charged to the owner's group as pinned, once for each group, however often it is pinned. Freed while it is pinned, by any call, it stays as it is and charged, and is free after the last
 * unpin (by a deferred free: a grace period after that); it cannot be pinned again, and freeing it twice is found as always. The call may not race with a free of the object.
 *
 * Context: may sleep.
 * Returns: 0; -EDQUOT over a bma_pin_set_max() at or above the group; -EINVAL no such object, or it was freed; -ENOENT the group is not attached; -ESTALE the group was destroyed, or the owner
 * closed; -ENOMEM. Unless it returns 0 nothing has changed.
 */
BMA_API int bma_shared_pin(struct bma_pin_owner *owner, void *obj);
/** bma_shared_unpin - Take one pin back. Context: may sleep. Returns: 0; -ENOENT the owner has none on @obj, or was closed, or its group destroyed. */
BMA_API int bma_shared_unpin(struct bma_pin_owner *owner, void *obj);

BMA_END_DECLS

#endif /* BMA_SHARED_H */
