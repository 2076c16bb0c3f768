/* SPDX-License-Identifier: MIT */
/*
 * What hangs from a group for when it runs out: its policy, its release function, its list of preferred victims, its triggers, its figures. Who asks whom, and runs what, is the
 * layer above's.
 *
 * Hooks: a policy or a release function is a piece of memory of its own with a count of who has it in hand (pins), and among these who is in it (running). All under the lock
 * of groups, but for the calls themselves, which hold none. One that ends while it is in hand stands in a list of ended ones and is freed by the last who has it. Who ends
 * one waits until it does not run, unless he is himself in a call of a hook: two of these could wait for each other.
 *
 * Turns: of those whom one limit refuses one at a time looks for victims; the others wait, for what he finds may be enough for them.
 *
 * Release functions stand in a queue. Whoever serves takes one out and runs it; @done is how often it ended, or was taken out without a run, and what who wants it waits
 * for. One that somebody wants twice runs once.
 */
#ifndef BMA_GROUP_OOM_H
#define BMA_GROUP_OOM_H

#include "group.h"

#include <bma/oom.h>

struct bma__prefer;
struct bma__trigger;

struct bma__hook {
	struct bma__hook *next;	 /* of the ended ones */
	struct bma_group *group; /* [const] whose it is, or was */
	size_t bytes;		 /* [const] of all of it */
	uint32_t pins, running;
	bool ended;
};

struct bma__policy {
	struct bma__hook hook;
	enum bma_oom_answer (*decide)(struct bma_oom *oom, void *ctx); /* [const], all of these */
	void *ctx;
	uint64_t budget_ns;
	char name[32];
};

struct bma__release {
	struct bma__hook hook;
	uint64_t (*fn)(uint64_t bytes, void *ctx); /* [const] */
	void *ctx;				   /* [const] */
	int32_t score;				   /* [const] */
	bool queued;
	uint64_t bytes; /* the most that anybody wants of it */
	struct bma__release *next;
	_Atomic uint32_t done; /* read without the lock by who waits */
};

/* [lock: group], all of it */
struct bma__oom_state {
	struct bma__policy *policy;
	struct bma__release *release;
	struct bma__prefer *prefer;
	struct bma__trigger *triggers;
	uintptr_t turn; /* the thread that looks for victims, 0: none */
	uint64_t last_victim_ns;
	struct bma_oom_stats stats; /* without stall and name */
};

/* oom.c */
/* That of @g, made if need be; NULL: no memory. Under the lock. */
struct bma__oom_state *bma__oom_state(struct bma__group *g);
/* The online group of @handle with its state; 0, -ESTALE or -ENOMEM. Under the lock. */
int bma__oom_online(const struct bma_group *handle, struct bma__group **g);
/* @g is being destroyed: all ends but the figures. Its place is given back. Under the lock. */
void bma__oom_end(struct bma__group *g);
void bma__oom_free(struct bma__group *g);
/* Under the lock. */
void bma__oom_figures(const struct bma__group *g, struct bma_oom_stats *stats);
/* Add to a figure of a group that may be gone. May sleep. */
void bma__oom_count(const struct bma_group *handle, size_t offset, uint64_t n);
#define BMA__OOM_COUNT(handle, field, n)                                                           \
	bma__oom_count((handle), offsetof(struct bma_oom_stats, field), (n))
/* Does its limit allow @bytes more now? A group that is gone has none. Any context. */
bool bma__oom_has_room(const struct bma_group *handle, uint64_t bytes);
/* False: somebody else's turn. May sleep. */
bool bma__oom_take_turn(const struct bma_group *handle);
void bma__oom_end_turn(const struct bma_group *handle);
/* Counts turns that ended: what others wait for. */
extern _Atomic uint32_t bma__oom_turns;
/* In a child of fork, under the lock: what other threads were at is forgotten. */
void bma__oom_after_fork(void);

/* hook.c */
void *bma__hook_make(size_t bytes, struct bma_group *group);
/* Nobody is to begin it any more. Under the lock. */
void bma__hook_end(struct bma__hook *h);
/* In hand until it is put down. Under the lock. */
void bma__hook_hold(struct bma__hook *h);
void bma__hook_put(struct bma__hook *h);
/* Around a call. Under the lock. */
void bma__hook_enter(struct bma__hook *h);
void bma__hook_leave(struct bma__hook *h);
/* Is the calling thread in a call of a hook? */
bool bma__hook_inside(void);
/* End @h (NULL: nothing), and wait as above. Under the lock, which is dropped. */
void bma__hook_end_and_wait(struct bma__hook *h);
/* Wait until no hook of @group that has ended runs, unless the caller is in one. May sleep. */
void bma__hook_wait_ended(const struct bma_group *group);
/* In a child of fork: of a hook, and of all that have ended. Under the lock. */
void bma__hook_forget(struct bma__hook *h);
void bma__hook_forget_ended(void);

/* policy.c */
int bma__policy_attach(struct bma_group *handle, const struct bma_oom_policy *policy);
int bma__policy_detach(const struct bma_group *handle);
/*
 * The policy of the first group at or above *@at that has one, entered, to be left by the caller; *@at is its parent from then on, NULL above the root. NULL: there is none. May sleep.
 */
struct bma__policy *bma__policy_enter(const struct bma_group **at);
void bma__policy_leave(struct bma__policy *p);

/* release.c */
int bma__release_set(struct bma_group *handle, uint64_t (*fn)(uint64_t bytes, void *ctx), void *ctx,
		     int32_t score);
/* Into the queue, held by the caller; @seen: what @done is until it has run. NULL: it has ended. May sleep. */
struct bma__release *bma__release_want(const struct bma_group *handle, uint64_t bytes,
				       uint32_t *seen);
void bma__release_put(struct bma__release *r);
/* Run the first in the queue, or @only if it is there; false: there was none. May sleep. */
bool bma__release_run(struct bma__release *only);
/* Out of the queue. Under the lock. */
void bma__release_cancel(struct bma__release *r);
void bma__release_forget(struct bma__release *r);

/* prefer.c */
int bma__prefer_set(struct bma_group *handle, struct bma_group *const *victims, size_t n, int fd);
/*
 * The first candidate of @oom in the lists of the group that ran out and those above; NULL: there is none. Out of its list from now on. @list: whose that was. May sleep.
 */
struct bma_group *bma__prefer_take(struct bma_oom *oom, struct bma_group **list);
/* What was taken from the list of @list was tried. May sleep. */
void bma__prefer_tried(const struct bma_group *list);
/* Under the lock. */
void bma__prefer_end(struct bma__oom_state *s);
void bma__prefer_forget(struct bma__oom_state *s); /* in a child of fork */
/* @g is no candidate of anybody's any more. Under the lock. */
void bma__prefer_leave(const struct bma__group *g);

/* stall.c */
/* A caller waited for @ns until @now on behalf of a group that may be gone. May sleep. */
void bma__stall_add(const struct bma_group *handle, uint64_t ns, uint64_t now);
int bma__trigger_add(struct bma_group *handle, uint64_t stall_ns, uint64_t window_ns, int fd);
int bma__trigger_remove(const struct bma_group *handle, int fd);
void bma__trigger_end(struct bma__oom_state *s); /* under the lock */

/* victim.c: candidates of one event. */
struct bma__candidate {
	struct bma_group *group;
	uint64_t usage, protection, last_victim_ns, created_ns;
	int32_t score;
	bool gone, ignored, failed;
};

/* So many there are if there is no memory for more. */
#define BMA__OOM_FEW 16u

struct bma_oom {
	struct bma_group *group; /* whose limit it is */
	uint64_t bytes;
	struct bma__candidate *all; /* parents first */
	uint32_t n, at;		    /* at: where bma_oom_next() goes on */
	struct bma__candidate *selected;
	uint32_t *index; /* places in @all, plus 1, by a hash of the handle; NULL: there is none */
	uint32_t mask;
	size_t mapped; /* bytes of @all and @index */
	struct bma__candidate few[BMA__OOM_FEW];
};

/* Fill in, with what is true now. May sleep. */
void bma__victims_begin(struct bma_oom *oom, struct bma_group *group, uint64_t bytes);
void bma__victims_refresh(struct bma_oom *oom);
void bma__victims_end(struct bma_oom *oom);
/* A candidate that may be chosen; NULL: it may not, or is none. */
struct bma__candidate *bma__victim_find(struct bma_oom *oom, const struct bma_group *group);
bool bma__victim_next(struct bma_oom *oom, struct bma_oom_candidate *candidate);
/* The choice of the policies that are there already; NULL: nobody is left. */
struct bma__candidate *bma__victim_built_in(struct bma_oom *oom);
struct bma__candidate *bma__victim_largest(struct bma_oom *oom);
struct bma__candidate *bma__victim_by_score(struct bma_oom *oom);
struct bma__candidate *bma__victim_oldest(struct bma_oom *oom);

#endif /* BMA_GROUP_OOM_H */
