/* SPDX-License-Identifier: MIT */
/*
 * Figures about the process and about one cache. Snapshots: taken without stopping anybody, exact
 * at a quiescent point.
 */
#ifndef BMA_STATS_H
#define BMA_STATS_H

#include <bma/cache.h>

BMA_BEGIN_DECLS

/**
 * enum bma_mode - How slots are found.
 * @BMA_MODE_NONE: nothing was created yet.
 * @BMA_MODE_RSEQ_CID: restartable sequences, slot = concurrency id (mm_cid).
 * @BMA_MODE_RSEQ_CPU: restartable sequences, slot = CPU number.
 * @BMA_MODE_GUEST: guest slots behind an ownership word.
 */
enum bma_mode {
	BMA_MODE_NONE,
	BMA_MODE_RSEQ_CID,
	BMA_MODE_RSEQ_CPU,
	BMA_MODE_GUEST,
};

/**
 * struct bma_stats - The whole process.
 *
 * @mode: an enum bma_mode; @mode_reason: why that one, a constant string.
 * @slots: slot indices that exist; @nodes: NUMA nodes that are told apart; @caches: caches that
 * exist.
 * @chunk_bytes: bytes mapped for slabs; @slab_bytes: bytes of these that slabs hold.
 * @magazine_bytes: bytes mapped for magazines; @meta_bytes: bytes mapped for slabs' metadata.
 * @purge_bytes: bytes of slabs that wait for a grace period before they go back to the system.
 * @grace_periods: grace periods waited for, of all flavours; @grace_periods_frozen: 1 in a child of fork in
 * which none can end, of one flavour at least; @worker_wakes: times the worker was woken.
 * @worker_passes: passes of the worker or of bma_poll() over a cache.
 */
struct bma_stats {
	uint32_t mode;
	uint32_t slots;
	const char *mode_reason;
	uint64_t nodes;
	uint64_t caches;
	uint64_t chunk_bytes;
	uint64_t slab_bytes;
	uint64_t magazine_bytes;
	uint64_t meta_bytes;
	uint64_t purge_bytes;
	uint64_t grace_periods;
	uint64_t grace_periods_frozen;
	uint64_t worker_wakes;
	uint64_t worker_passes;
};

/**
 * struct bma_cache_stats - One cache. Objects, unless another unit is named.
 *
 * The ledger: live + cached + limbo + parked + reserved + slab_free = carved, exact when no call of
 * the program is in progress (passes of the worker are waited for); otherwise an object that is on its way may be missing from its line and shows as
 * live.
 *
 * @object_size: bytes asked for; @stride: bytes an object takes in its slab.
 * @capacity: objects per magazine; @slot_high: objects a slot keeps at most (the largest slot's).
 * @slots_used: slots that hold or held objects of this cache.
 * @carved: objects carved from slabs; @live: with the user; @cached: in magazines of slots and
 * depot.
 * @rcu: name of the flavour, a string that stays.
 * @limbo: passed to free_rcu and not yet reusable; @limbo_peak: the most that were waiting at once for a grace
 * period, those that still gathered in a slot not counted; @limbo_max: the limit, see struct bma_cache_attr;
 * @limbo_overruns: objects that any-context calls freed beyond it. @parked: freed with no magazine at hand, to be collected.
 * @reserved: in reserves; @slab_free: back in their slabs.
 * @slabs: slabs held; @slab_bytes: their bytes.
 * @depot: objects in the depot (part of @cached); @depot_target: the stock the worker keeps there.
 * @depot_exchanges: magazines that moved between a slot and the depot, full or empty, either way.
 * @refills: magazines carved; @drains: magazines returned to slabs; @parks: objects ever parked.
 * @fail_depot_empty: any-context allocations that returned NULL because slot and depot were empty.
 * @fail_system: may-sleep allocations that returned NULL because the system had no memory.
 * @fail_refill: refills by the worker that the system refused.
 * @handles: merged caches and heaps that share this memory, 0 for a cache that shares nothing: the other figures but @name are then those of all of
 * them. @counted: live objects of this cache alone, if it is merged and made with %BMA_CACHE_COUNT.
 * @aborts: calls that left a restartable sequence for a guest slot after 8 aborts.
 */
struct bma_cache_stats {
	char name[32];
	uint64_t object_size;
	uint64_t stride;
	uint64_t capacity;
	uint64_t slot_high;
	uint64_t slots_used;
	uint64_t carved;
	uint64_t live;
	uint64_t cached;
	uint64_t limbo;
	uint64_t parked;
	uint64_t reserved;
	uint64_t slab_free;
	uint64_t slabs;
	uint64_t slab_bytes;
	uint64_t depot;
	uint64_t depot_target;
	uint64_t depot_exchanges;
	uint64_t refills;
	uint64_t drains;
	uint64_t parks;
	uint64_t fail_depot_empty;
	uint64_t fail_system;
	uint64_t fail_refill;
	uint64_t aborts;
	const char *rcu;
	uint64_t limbo_peak;
	uint64_t limbo_max;
	uint64_t limbo_overruns;
	uint64_t handles;
	uint64_t counted;
};

/**
 * struct bma_rcu_stats - One flavour of RCU in use.
 *
 * @name: "memb", "mb", "qsbr", "bp"; or the address of its table.
 * @running_ns: how long the present grace period has been running; 0: none runs. One that never ends has
 * a reader that never leaves.
 * @longest_ns: the longest that ended; @grace_periods: how many did.
 * @limbo_bytes: bytes of objects that wait; @limbo_peak_bytes: the most there were.
 * @purge_bytes: bytes of slabs that wait before they go back to the system.
 * @frozen: 1 in a child of fork in which no grace period can end.
 */
struct bma_rcu_stats {
	char name[16];
	uint64_t running_ns;
	uint64_t longest_ns;
	uint64_t grace_periods;
	uint64_t limbo_bytes;
	uint64_t limbo_peak_bytes;
	uint64_t purge_bytes;
	uint64_t frozen;
};

/**
 * bma_stats_get - Figures of the process.
 * @stats: where they go.
 * @size: sizeof(struct bma_stats) as the caller knows it; at most that many bytes are written.
 *
 * Context: may sleep. Returns: 0, or -EINVAL if @stats is NULL or @size is 0.
 */
BMA_API int bma_stats_get(struct bma_stats *stats, size_t size);

/**
 * bma_cache_stats_get - Figures of one cache.
 * @cache: which; it must not be destroyed meanwhile.
 * @stats: where they go; @size: as above.
 *
 * Context: may sleep. Returns: 0, or -EINVAL.
 */
BMA_API int bma_cache_stats_get(struct bma_cache *cache, struct bma_cache_stats *stats,
				size_t size);

/**
 * bma_cache_names - Names of the caches that share the memory of one.
 * @cache: a cache; @names: where they go, 32 bytes each, ended by 0; @n: room for so many.
 *
 * Context: may sleep. Returns: how many there are, which may be more than @n; 1 for a cache that shares nothing.
 */
BMA_API size_t bma_cache_names(struct bma_cache *cache, char (*names)[32], size_t n);

/**
 * bma_rcu_stats_get - Figures of one flavour.
 * @nth: 0 for the first that was used, and so on.
 * @stats: where they go; @size: as above.
 *
 * Context: any. Returns: 0, -EINVAL, or -ENOENT if so many are not in use.
 */
BMA_API int bma_rcu_stats_get(unsigned int nth, struct bma_rcu_stats *stats, size_t size);

BMA_END_DECLS

#endif /* BMA_STATS_H */
