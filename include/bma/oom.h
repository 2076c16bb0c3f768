/* SPDX-License-Identifier: MIT */
/*
 * Out of memory: who is to give memory back when a group is at its limit and reclaim did not find enough; and how long callers waited for reclaim.
 *
 * Only allocations that may sleep come here; those from any context fail at once, and a recharge makes no victims. The group that ran out is the one whose limit refused: that of the
 * cache or heap, or one above. Candidates are the groups in its subtree, itself included, that have a release function. In each round of an event, of which there are at most three:
 *
 *	1. the first candidate in the lists of bma_oom_prefer(), of the group that ran out, then of those above it;
 *	2. else policies are asked, from the group that ran out up to the root, until one answers;
 *	3. else the built-in choice: the largest usage above protection, weighed by score (nothing at the least score, once at 0, twice at the most).
 *
 * The victim's release function runs, and what it freed is brought home. It counts only if what is charged to the group that ran out fell by that; one that freed nothing is not offered
 * again in this event. Then the allocation is tried again, or fails. One event at a time for each group; others that it refuses meanwhile wait, and try again first if there is room.
 *
 * Each event is told in a line on the standard error, at most ten of them a second. docs/oom.md tells it in full.
 *
 * The design follows the OOM policies in BPF of the Linux kernel (Gushchin 2025, Zhou 2023): ask up the tree, claim and proof of progress, a fall-back that always exists.
 */
#ifndef BMA_OOM_H
#define BMA_OOM_H

#include <bma/group.h>
#include <stdbool.h>

BMA_BEGIN_DECLS

/** struct bma_oom - One event, as its policies see it. Opaque; valid during the call, in the thread that was called. */
struct bma_oom;

/** BMA_OOM_SCORE_MIN, BMA_OOM_SCORE_MAX - Least and most likely victims. At the least one is chosen by the built-in policy only if there is no other. */
#define BMA_OOM_SCORE_MIN (-1000)
#define BMA_OOM_SCORE_MAX 1000

/**
 * struct bma_oom_candidate - A group that could give memory back. As of the beginning of the round.
 * @group: it. It may have been destroyed since; then it cannot be selected.
 * @usage: charged to it and below it; @protection: what its min and low protect of that against the group that ran out. Bytes.
 * @score: as bma_oom_set_release() was told.
 * @last_victim_ns: when it was last chosen, CLOCK_MONOTONIC; 0: never. @created_ns: when it was made, the same clock.
 */
struct bma_oom_candidate {
	struct bma_group *group;
	uint64_t usage, protection;
	int32_t score;
	uint64_t last_victim_ns, created_ns;
};

/**
 * enum bma_oom_answer - What a policy says.
 * @BMA_OOM_NO_POLICY: nothing; the next one is asked. So it is with any other value, and with %BMA_OOM_SELECTED of who selected nobody.
 * @BMA_OOM_ABORT: nobody is to be asked any more: the allocation fails.
 * @BMA_OOM_SELECTED: bma_oom_select() named a victim.
 */
enum bma_oom_answer {
	BMA_OOM_NO_POLICY,
	BMA_OOM_ABORT,
	BMA_OOM_SELECTED,
};

/**
 * struct bma_oom_policy - A policy. Clear it, set @attr_size, @name and @decide.
 * @attr_size: sizeof this struct as the caller knows it, bytes.
 * @name: in reports and statistics; copied, 1 to 31 bytes.
 * @decide: called by the thread whose allocation ran out, with no lock held, by several threads at once for different groups that ran out. In it, and in the iterators that it calls, BMA
 * calls that allocate return NULL (where they set errno, EDEADLK), and count as violations; frees are allowed. All signals but those of faults are blocked meanwhile: a handler would find its own
 * allocations refused. It must return, and not wait for others who allocate. It may use all calls on groups, also detach itself and destroy its own group.
 * @ctx: passed to it. @budget_ns: a call that took longer, nanoseconds, is counted, and told in a line; 0: 5 ms.
 */
struct bma_oom_policy {
	size_t attr_size;
	const char *name;
	enum bma_oom_answer (*decide)(struct bma_oom *oom, void *ctx);
	void *ctx;
	uint64_t budget_ns;
};

/**
 * bma_oom_policy_attach - From now on @policy is asked for @group, and for those below it whose own policies have no answer.
 * @policy: copied, but for what @ctx leads to.
 *
 * It ends with bma_oom_policy_detach() or with its group. A child of fork has it, too.
 *
 * Context: may sleep. Thread-safe.
 * Returns: 0; -EBUSY the group has one; -EINVAL no @decide, or @name is missing, empty or too long; -E2BIG attr_size; -ESTALE; -ENOMEM.
 */
BMA_API int bma_oom_policy_attach(struct bma_group *group, const struct bma_oom_policy *policy);
/**
 * bma_oom_policy_detach - It decides no more.
 *
 * After the call, whatever it returns, its function does not run: it waits for calls in progress, and so does bma_group_destroy(), which ends a policy with its group. A shared group keeps it until
 * it is gone, which nobody may wait for: who let it go ends it by this call. But from inside a policy or release function none waits, for two of these could wait for each other.
 *
 * Context: may sleep. Thread-safe. In a child of fork calls that other threads had in progress are forgotten.
 * Returns: 0; -ENOENT there is none; -ESTALE.
 */
BMA_API int bma_oom_policy_detach(struct bma_group *group);

/**
 * bma_oom_largest, bma_oom_by_score, bma_oom_oldest - Ready policies, for @decide; @ctx is not looked at.
 *
 * The largest usage above protection; the highest score, of equals the largest; the one that was made first. Candidates that are charged for nothing are passed over.
 *
 * Context: in a policy. Return %BMA_OOM_SELECTED, or %BMA_OOM_NO_POLICY if there is no candidate.
 */
BMA_API enum bma_oom_answer bma_oom_largest(struct bma_oom *oom, void *ctx);
BMA_API enum bma_oom_answer bma_oom_by_score(struct bma_oom *oom, void *ctx);
BMA_API enum bma_oom_answer bma_oom_oldest(struct bma_oom *oom, void *ctx);

/* For policies, while they decide: in the thread that was called; they take no lock. */
/** bma_oom_group - The group that ran out. Context: in a policy. */
BMA_API struct bma_group *bma_oom_group(const struct bma_oom *oom);
/** bma_oom_bytes - What the allocation needs, bytes. Context: in a policy. */
BMA_API uint64_t bma_oom_bytes(const struct bma_oom *oom);
/**
 * bma_oom_next - The next candidate. Parents come before what is below them.
 * Those that were ignored, failed in this event, or were destroyed meanwhile are not among them. Context: in a policy.
 * Returns: false if there is none, and the next call begins anew; @candidate is left as it was then.
 */
BMA_API bool bma_oom_next(struct bma_oom *oom, struct bma_oom_candidate *candidate);
/**
 * bma_oom_ignore - Nobody is to be offered @group in the rest of this event: no other policy, nor the built-in one. Where all are ignored the allocation fails. Context: in a policy.
 * Returns: 0; -ENOENT it is no candidate, or not any more.
 */
BMA_API int bma_oom_ignore(struct bma_oom *oom, struct bma_group *group);
/** bma_oom_select - @group is to be the victim. The last call counts. Context: in a policy. Returns: 0; -ENOENT it is no candidate, or not any more. */
BMA_API int bma_oom_select(struct bma_oom *oom, struct bma_group *group);

/**
 * bma_oom_set_release - What a group does when it is chosen, which makes it a candidate.
 * @release: gives about @bytes back, more if it likes (a whole request, a session); returns how many it thinks it gave, which nobody relies on. One call at a time, with no lock held, on the worker, or in
 * bma_poll(); in the thread whose allocation ran out where there is no worker, or it did not come to it within a second. That thread waits, at most five seconds: what takes longer has freed nothing, as far as this
 * event goes. It may free by any call, use all calls on groups and destroy its own; what it allocates may be refused, and makes no event of its own. It must not wait for others who allocate. NULL: the group is no candidate any more.
 * @ctx: passed to it.
 * @score: %BMA_OOM_SCORE_MIN to %BMA_OOM_SCORE_MAX; 0: neither likely nor unlikely.
 *
 * What was set before is replaced, and does not run after the call, whatever it returns, with the exception that bma_oom_policy_detach() has. It ends with its group, and that of a shared group that was let go
 * by NULL here. A child of fork has it, too.
 *
 * Memory of caches and heaps that pay by the slab is given back after a grace period, which ends on its own where there is a worker; without one @release has to call bma_poll(BMA_POLL_GP).
 *
 * Context: may sleep. Thread-safe. Returns: 0; -EINVAL the score; -ESTALE; -ENOMEM.
 */
BMA_API int bma_oom_set_release(struct bma_group *group,
				uint64_t (*release)(uint64_t bytes, void *ctx), void *ctx,
				int32_t score);

/**
 * bma_oom_prefer - Name victims in advance: they are tried in this order before any policy is asked.
 * @victims: @n groups (at most 64), each @group or below it, none twice; copied. 0: the list ends, and no descriptor is told.
 * @dry_fd: an eventfd(2), nonblocking, to which 1 is added once, when the last one has been tried or has left: then the list has ended, and it can be closed. -1: none.
 *
 * One that is tried leaves the list, whether it freed anything or not, and so does one that is destroyed. One that is no candidate in an event (not below the group that ran out, without a release
 * function, ignored) stays. What was set before is replaced.
 *
 * Context: may sleep. Thread-safe. A child of fork has the list, and writes to the descriptor that it shares with its parent.
 * Returns: 0; -EINVAL; -ESTALE @group or one of @victims was destroyed; -ENOMEM; -EBADF. Unless it returns 0 nothing has changed.
 */
BMA_API int bma_oom_prefer(struct bma_group *group, struct bma_group *const *victims, size_t n,
			   int dry_fd);

/**
 * struct bma_oom_stats - Of a group.
 * @events: times it ran out and victims were looked for; @asked: policies asked for that.
 * @chosen: times it was a victim; @freed: by how much less was charged to who ran out after that, bytes; @useless: times that was nothing.
 * @violations: allocations in its policy, in calls; @overruns: calls of it over the budget.
 * @stall_ns: how long callers waited for reclaim, for a victim or for being slowed down, on its behalf or that of a group below, nanoseconds in all; several that wait at a time add up.
 * @policy: its policy's name, or empty.
 */
struct bma_oom_stats {
	uint64_t events, asked, chosen, freed, useless, violations, overruns, stall_ns;
	char policy[32];
};
/**
 * bma_oom_stat - Figures of a group.
 * @stats: where they go; @size: sizeof(struct bma_oom_stats) as the caller knows it; at most that many bytes are written.
 * Context: may sleep. Thread-safe. Returns: 0, -EINVAL, -ESTALE.
 */
BMA_API int bma_oom_stat(struct bma_group *group, struct bma_oom_stats *stats, size_t size);

/**
 * bma_pressure_trigger - Write to an eventfd when callers of a group, or of one below, have waited for reclaim for @stall_ns within @window_ns, as the triggers of the kernel's pressure
 * stall information: 1 is added, at most once a window, by a caller that waited.
 * @stall_ns: 1 to @window_ns. @window_ns: 100 ms to 10 s. @fd: an eventfd(2), nonblocking; it must stay open until bma_pressure_untrigger() or the end of the group.
 *
 * Context: may sleep. Thread-safe. A child of fork has it, and writes to the descriptor that it shares with its parent.
 * Returns: 0; -EINVAL; -EBADF; -ESTALE; -ENOSPC 8 of this group exist; -ENOMEM.
 */
BMA_API int bma_pressure_trigger(struct bma_group *group, uint64_t stall_ns, uint64_t window_ns,
				 int fd);
/** bma_pressure_untrigger - End all triggers of @group to @fd. Nobody writes to it after the call. Context: may sleep. Thread-safe. Returns: 0, -ENOENT, -ESTALE. */
BMA_API int bma_pressure_untrigger(struct bma_group *group, int fd);

BMA_END_DECLS

#endif /* BMA_OOM_H */
