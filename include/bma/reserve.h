/* SPDX-License-Identifier: MIT */
/*
 * Reserves: a guaranteed number of objects for those who can neither fail nor wait, set aside
 * before the critical section begins. Where the idea comes from: the kernel's mempool_t, and the
 * sheaves that its slab allocator hands out prefilled.
 */
#ifndef BMA_RESERVE_H
#define BMA_RESERVE_H

#include <bma/cache.h>

BMA_BEGIN_DECLS

/** struct bma_reserve - Objects set aside. Opaque. */
struct bma_reserve;

/**
 * bma_reserve_create - Set objects of a cache aside.
 * @cache: the cache; it cannot be destroyed while the reserve exists.
 * @n: how many, at least 1.
 *
 * Context: may sleep.
 * Returns: the reserve, full; or NULL with errno EINVAL (n is 0 or over 2^24) or ENOMEM, EDQUOT (then
 * nothing is held back).
 */
BMA_API struct bma_reserve *bma_reserve_create(struct bma_cache *cache, size_t n);

/**
 * bma_reserve_alloc - Take an object from a reserve.
 * @reserve: which.
 *
 * Cannot fail as long as fewer than n objects were taken since the last complete refill, however
 * many contexts take at once: each entry is one atomic exchange.
 *
 * Context: any. Lock-free: a round over the n entries, and one more for each refill meanwhile. The object is freed by bma_cache_free() as any other.
 * Returns: an object, not cleared; NULL when the reserve is empty.
 * Memory ordering: acquire.
 */
BMA_API void *bma_reserve_alloc(struct bma_reserve *reserve);

/**
 * bma_reserve_refill - Fill a reserve up again.
 * @reserve: which.
 *
 * Context: may sleep. Thread-safe, also against bma_reserve_alloc().
 * Returns: 0, or -ENOMEM or -EDQUOT if it could not be filled completely.
 */
BMA_API int bma_reserve_refill(struct bma_reserve *reserve);

/** bma_reserve_count - Objects that are in the reserve now (a snapshot). Context: any. */
BMA_API size_t bma_reserve_count(const struct bma_reserve *reserve);

/**
 * bma_reserve_destroy - Give what is left in a reserve back to its cache.
 * @reserve: which; NULL is a no-op. Nobody may use it any more.
 *
 * Context: may sleep.
 */
BMA_API void bma_reserve_destroy(struct bma_reserve *reserve);

BMA_END_DECLS

#endif /* BMA_RESERVE_H */
