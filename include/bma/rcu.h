/* SPDX-License-Identifier: MIT */
/*
 * Deferred frees: an object is reused only after an RCU grace period.
 *
 * The object stays readable and unchanged until every reader that might hold it has left: nothing is
 * written to it, no header, no rcu_head, and there is no work per object afterwards. Objects gather in
 * magazines per CPU; a full magazine, or after 10 ms also one that is not full, waits for a grace period
 * together with all others of its flavour, and goes back to its cache as a whole.
 *
 * Who waits for readers is liburcu. The flavour of a cache is chosen when it is made (attr.rcu). Readers
 * register, go offline and report quiescent states as liburcu's README demands of that flavour; who
 * only allocates and frees need not be registered. The idea of the call is that of the Linux kernel's
 * bpf_mem_cache_free_rcu().
 */
#ifndef BMA_RCU_H
#define BMA_RCU_H

#include <bma/cache.h>

BMA_BEGIN_DECLS

/**
 * bma_cache_free_rcu_flags - Give an object back after a grace period, saying how.
 * @cache: the cache it came from.
 * @obj: the object; NULL is a no-op.
 * @flags: 0 or %BMA_SLEEP.
 *
 * With %BMA_SLEEP the caller waits while the objects of the cache that wait for a grace period take
 * attr.limbo_max bytes or more: for one grace period, or for several while readers keep up with none. So
 * what waits stays under that limit, but for one magazine per CPU.
 *
 * Context: any without %BMA_SLEEP, and then as bma_cache_free_rcu(). With it: may sleep, outside any read
 * section of the cache's flavour, and holding no lock that a reader takes inside one. An online thread of
 * the QSBR flavour goes offline meanwhile: the call is a quiescent state.
 * Returns: 0; -EINVAL for unknown flags; -EDEADLK with %BMA_SLEEP inside a read section. Then nothing was
 * done: the object is still the caller's.
 */
BMA_API int bma_cache_free_rcu_flags(struct bma_cache *cache, void *obj, unsigned int flags);

/**
 * bma_rcu_barrier - Wait until all that was passed to free_rcu may be reused.
 * @cache: which.
 *
 * When it returns 0, every object whose bma_cache_free_rcu() returned before this call can be allocated
 * again, and its destructor, if the cache runs it on recycling, has run.
 *
 * Context: may sleep, as above outside any read section. Waits for threads that are in the middle of a
 * call on @cache. Thread-safe.
 * Returns: 0; -EDEADLK inside a read section: nothing was done; -ETIMEDOUT in a child of fork in which
 * liburcu can end no grace period of this flavour; what the system said if it refused a fence, or -ENOMEM if parked
 * objects could not be collected.
 */
BMA_API int bma_rcu_barrier(struct bma_cache *cache);

#if defined(BMA_NO_INLINE) || defined(BMA_IMPLEMENTATION)
/**
 * bma_cache_free_rcu - Give an object back after a grace period.
 * @cache: the cache it came from.
 * @obj: the object; NULL is a no-op. It must no longer be reachable for new readers.
 *
 * Neither reused nor changed nor unmapped until every reader that was inside a read section of the
 * cache's flavour during the call has left it. Reusable, without any further call, within
 * BMA_CONF=gp_flush_ms (10 ms) and two grace periods.
 *
 * Context: any, also inside a read section. Never fails, never allocates, never locks, never touches
 * errno; lock-free. What waits may exceed attr.limbo_max; that is counted.
 * Memory ordering: release, towards the alloc that hands the object out again; full, towards readers:
 * what a reader did in its section happens before that alloc returns.
 * Misuse: as bma_cache_free(); an object that was freed before, by either call, is reported when it
 * reaches its slab; with %BMA_CACHE_DEBUG at this call.
 * Fork: works in the child. What waited there waits on, see docs/rcu.md.
 */
BMA_API void bma_cache_free_rcu(struct bma_cache *cache, void *obj);
#endif

BMA_END_DECLS

#endif /* BMA_RCU_H */
