/* SPDX-License-Identifier: MIT */
/*
 * Sampled guard pages (BMA_CACHE_SAMPLE): from time to time one object of a cache stands between two pages that
 * nobody may touch, and nobody may touch its own when it was freed. After the kernel's KFENCE and GWP-ASan.
 *
 * Gate. The mask in the handle of a sampled cache is 0 while its gate is open: then each hot call leaves by its slow
 * half, which comes here. Everything else uses the mask in the engine's own head, which never changes. The worker
 * opens gates, a few in each interval; the next allocation gets a guarded object, and the gate is shut a few calls
 * after that one was freed through it, or after GATE_CALLS calls. Invariant: the handle's mask is 0 or the engine's,
 * and tells only which half of a call is run. Either half is right at any time, so it is stored and loaded relaxed,
 * and nobody has to wait for who still sees the other value. A sequence that tests it twice would not be right with a
 * mask that changes in between: BMA__STEP_POP and BMA__STEP_PUSH take the engine's head.
 *
 * Stand-in. A guarded object stands for an ordinary one of its cache, which is in the place's hand meanwhile. So it
 * counts where it is (with the user, in a magazine, in limbo, in a reserve), and the ordinary one nowhere: the
 * equation of engine.h holds with nothing more to count. Where it comes home, to a slab or through the gate, the
 * ordinary one goes on in its stead. What stands in the object is carried over both ways.
 *
 * States of a place, in a word with the stamp of when it was freed last:
 *
 *	FREE -> BUSY -> LIVE				an allocation through the gate
 *	LIVE -> BUSY -> FREE				a plain free through the gate, or home to the slab
 *	LIVE -> DEFERRED				a deferred free through the gate
 *	LIVE, DEFERRED -> PARKED -> DEFERRED		a free that found no magazine (park.h)
 *	LIVE, DEFERRED -> BUSY -> FREE			after a grace period
 *
 * Each arrow is one compare-and-exchange, or a release store by who made it BUSY; who fails is the second one who
 * frees. LIVE is also what was freed past the gate, and may be handed out again with its guards. Ordering: acquire on
 * the way in, release on the way out; fields of a place are written while it is BUSY only. ABA: a place that was
 * freed has another stamp. Places are taken in the order in which they were freed, so a freed object stays closed for
 * as long as can be. Lock-free: a place that somebody is stopped on is passed over.
 */
#ifndef BMA_CACHE_SAMPLE_H
#define BMA_CACHE_SAMPLE_H

#include "engine.h"

#define BMA__SAMPLE_PLACES 256u
/* Larger objects are not sampled. */
#define BMA__SAMPLE_SIZE_MAX BMA_PAGE
#define BMA__SAMPLE_BYTES ((2 * BMA__SAMPLE_PLACES + 1) * BMA_PAGE)

/* Where the places are; 0: there are none yet. */
extern _Atomic uintptr_t bma__sample_base;

/* Does @at lie in a place, or in a page beside one? Any context. */
static inline bool bma__sample_has(const void *at)
{
	uintptr_t base = atomic_load_explicit(&bma__sample_base, memory_order_relaxed);

	return base && (uintptr_t)at - base < BMA__SAMPLE_BYTES;
}

/* Before the first sampled engine is made, and each other one. May sleep. 0 or -ENOMEM. */
int bma__sample_prepare(void);
/* An engine begins, or ends; nothing if its flags do not ask for it. */
void bma__sample_begin(struct bma__engine *e);
void bma__sample_end(const struct bma__engine *e);

/* Open the gate of @e. Any context. */
void bma__sample_open(struct bma__engine *e);
/* Open some gates, if it is time to. Returns nanoseconds until it is again. May sleep. */
uint64_t bma__sample_tick(void);

/*
 * Through the gate: the user is to get @obj of @e. Returns what he gets: a guarded one that stands for it, or itself.
 * Any context.
 */
void *bma__sample_taken(struct bma__engine *e, void *obj);
/* Through the gate: the user gives @obj back. Returns what is to be freed in its stead, mostly itself. Any context. */
void *bma__sample_given(struct bma__engine *e, void *obj);
/* The same where it waits for a grace period. */
void bma__sample_given_rcu(struct bma__engine *e, void *obj);

/* Guarded objects, elsewhere. Each aborts, naming @call, if the address is no such object of @e. Any context. */
struct bma__slab *bma__sample_slab(struct bma__engine *e, const void *obj, const char *call);
/* It comes home: close it; returns what it stood for. */
void *bma__sample_home(struct bma__engine *e, const void *obj, const char *call);
void bma__sample_park(struct bma__engine *e, const void *obj, const char *call);
/* Is @obj of @e parked, even if its place may be another's by now? And how many of @e are? */
bool bma__sample_is_parked(const struct bma__engine *e, const void *obj);
uint32_t bma__sample_count_parked(const struct bma__engine *e);
/* Take up to @n parked ones of @e into @objs; returns how many. */
uint32_t bma__sample_unpark(struct bma__engine *e, void **objs, uint32_t n);
/* A magazine in hand, after its grace period: what was deferred through the gate is closed. */
void bma__sample_let_go(struct bma__engine *e, uintptr_t word);

/* Print who had it, or what was touched at @at. Before the end. */
void bma__sample_show(const void *obj);
void bma__sample_fault(const void *at);

#endif /* BMA_CACHE_SAMPLE_H */
