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

/*
 * Figures are made of the lists below: F(name, unit, text) is a uint64_t of a struct (BMA__FIGURE of <bma/numa.h>), a word in what bma_stats_write() prints, and a line of docs/statistics.md.
 */
/* The process. */
#define BMA_STATS_FIGURES(F)                                                                       \
	F(slots, "slots", "slot indices that exist")                                               \
	F(nodes, "nodes", "NUMA nodes that are told apart")                                        \
	F(caches, "caches", "engines: caches and heap classes, those that share memory once")      \
	F(chunk_bytes, "bytes", "mapped for slabs")                                                \
	F(slab_bytes, "bytes", "of these in slabs and large objects")                              \
	F(magazine_bytes, "bytes", "mapped for magazines")                                         \
	F(meta_bytes, "bytes", "mapped for metadata of slabs, caches and heaps")                   \
	F(purge_bytes, "bytes", "of slabs that wait for a grace period before they go back")       \
	F(grace_periods, "count", "grace periods waited for, of all flavours")                     \
	F(grace_periods_frozen, "flag",                                                            \
	  "1: a child of fork in which none can end, of one flavour at least")                     \
	F(worker_wakes, "count", "times that the worker was woken")                                \
	F(worker_passes, "count", "passes of the worker, or of bma_poll(), over a cache")          \
	F(cache_budget, "bytes",                                                                   \
	  "of objects that the slots of all caches may hold (BMA_CONF=cache_budget)")              \
	F(cache_budget_used, "bytes", "that they may hold now, each by its own limit")             \
	F(dirty_bytes, "bytes",                                                                    \
	  "that slabs held and that are free, but not given back to the system yet")               \
	F(purged_bytes, "bytes", "that were, ever")                                                \
	F(pressure_events, "count",                                                                \
	  "times that the system told of memory pressure (BMA_CONF=pressure:on)")

/**
 * struct bma_stats - The whole process.
 *
 * @mode: an enum bma_mode; @mode_reason: why that one, a constant string. The rest: BMA_STATS_FIGURES.
 */
struct bma_stats {
	uint32_t mode;
	const char *mode_reason;
	BMA_STATS_FIGURES(BMA__FIGURE)
};

/* One cache; of those that share memory, what they share. */
#define BMA_CACHE_FIGURES(F)                                                                       \
	F(object_size, "bytes", "asked for")                                                       \
	F(stride, "bytes", "that an object takes in its slab")                                     \
	F(capacity, "objects", "per magazine")                                                     \
	F(slot_high, "objects", "that a slot keeps at most; the largest slot's")                   \
	F(slots_used, "slots", "that hold or held objects of it")                                  \
	F(carved, "objects", "carved from slabs")                                                  \
	F(live, "objects", "with users")                                                           \
	F(cached, "objects", "in magazines of slots and depots")                                   \
	F(limbo, "objects", "passed to free_rcu and not yet reusable")                             \
	F(parked, "objects", "freed with no magazine at hand, to be collected")                    \
	F(reserved, "objects", "in reserves")                                                      \
	F(slab_free, "objects", "back in their slabs")                                             \
	F(slabs, "slabs", "held")                                                                  \
	F(slab_bytes, "bytes", "of these, with copies")                                            \
	F(depot, "objects", "in depots, part of cached")                                           \
	F(depot_target, "objects", "the stock that the worker keeps there")                        \
	F(depot_exchanges, "magazines",                                                            \
	  "that moved between a slot and a depot, full or empty, either way")                      \
	F(refills, "magazines", "carved")                                                          \
	F(drains, "magazines", "returned to slabs")                                                \
	F(parks, "objects", "ever parked")                                                         \
	F(fail_depot_empty, "calls",                                                               \
	  "that got NULL because slot and depot were empty, or because a group refused the "       \
	  "charge")                                                                                \
	F(fail_system, "calls", "that may sleep and got NULL because the system had no memory")    \
	F(fail_refill, "magazines", "that the worker could not refill because the system refused") \
	F(aborts, "calls", "that left a restartable sequence for a guest slot after 8 aborts")     \
	F(limbo_peak, "objects",                                                                   \
	  "that waited for a grace period at once, at most; those that still gathered in a slot "  \
	  "not counted")                                                                           \
	F(limbo_max, "objects", "that may wait, see struct bma_cache_attr")                        \
	F(limbo_overruns, "objects", "that any-context calls freed beyond it")                     \
	F(handles, "handles",                                                                      \
	  "merged caches and heaps that share this memory; 0: a cache that shares nothing")        \
	F(counted, "objects", "live of this cache alone, if it is merged and has BMA_CACHE_COUNT") \
	F(slot_grows, "count", "times that a slot got twice the magazines")                        \
	F(slot_shrinks, "count",                                                                   \
	  "times that a slot was drained and begins anew, by bma_trim() and others, too")          \
	F(idle_drains, "count", "of these, because it was idle or others missed room")             \
	F(budget_refused, "count", "times that the budget began to refuse a slot what it asked for")

/**
 * struct bma_cache_stats - One cache.
 *
 * The ledger: live + cached + limbo + parked + reserved + slab_free = carved, always; exact when no call of
 * the program is in progress (passes of the worker are waited for); otherwise an object that is on its way may be missing from its line and shows as
 * live.
 *
 * @name: its name; @rcu: name of the flavour, a string that stays. The rest: BMA_CACHE_FIGURES.
 */
struct bma_cache_stats {
	char name[32];
	const char *rcu;
	BMA_CACHE_FIGURES(BMA__FIGURE)
};

/* One flavour of RCU. */
#define BMA_RCU_FIGURES(F)                                                                         \
	F(running_ns, "ns",                                                                        \
	  "that the present grace period has been running; 0: none runs; one that never ends has " \
	  "a reader that never leaves")                                                            \
	F(longest_ns, "ns", "of the longest that ended")                                           \
	F(grace_periods, "count", "that ended")                                                    \
	F(limbo_bytes, "bytes", "of objects that wait")                                            \
	F(limbo_peak_bytes, "bytes", "of these at most")                                           \
	F(purge_bytes, "bytes", "of slabs that wait before they go back to the system")            \
	F(frozen, "flag", "1: a child of fork in which no grace period can end")

/**
 * struct bma_rcu_stats - One flavour of RCU in use.
 *
 * @name: "memb", "mb", "qsbr", "bp"; or the address of its table. The rest: BMA_RCU_FIGURES.
 */
struct bma_rcu_stats {
	char name[16];
	BMA_RCU_FIGURES(BMA__FIGURE)
};

/* Where the memory of all caches and heaps is. */
#define BMA_LEDGER_FIGURES(F)                                                                      \
	F(live, "bytes", "of objects with users, and of large ones")                               \
	F(cached, "bytes", "of objects in magazines and reserves")                                 \
	F(limbo, "bytes", "of objects that wait for a grace period, and of slabs that do")         \
	F(parked, "bytes", "of objects freed with no magazine at hand")                            \
	F(slab_free, "bytes",                                                                      \
	  "of slabs that hold no object: free, not carved yet, colour, tails; and of chunks that " \
	  "hold no slab but have pages")                                                           \
	F(metadata, "bytes", "of everything that is not in slabs")                                 \
	F(resident, "bytes", "all of these")

/**
 * struct bma_ledger - The process's memory by where it is: live + cached + limbo + parked + slab_free + metadata = resident, always; exact when no call of
 * the program is in progress. Resident is what the library may have touched, not what the system counts: pages of a slab that nobody touched yet are in it.
 *
 * The fields: BMA_LEDGER_FIGURES.
 */
struct bma_ledger {
	BMA_LEDGER_FIGURES(BMA__FIGURE)
};

/**
 * bma_stats_get - Figures of the process.
 * @stats: where they go.
 * @size: sizeof(struct bma_stats) as the caller knows it; at most that many bytes are written.
 *
 * Before the first cache, heap or group was made all of them are 0, and the mode is %BMA_MODE_NONE.
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

/**
 * bma_ledger_get - The ledger of the process.
 * @ledger: where it goes; @size: sizeof(struct bma_ledger) as the caller knows it.
 *
 * Looks at all caches: for people and tools, not for each request. Context: may sleep. Returns: 0, or -EINVAL.
 */
BMA_API int bma_ledger_get(struct bma_ledger *ledger, size_t size);

/**
 * bma_cache_visit - Call a function for each cache and heap class, those that share memory once.
 * @prefix: of their names; NULL or "": all.
 * @fn: gets figures and @arg; a result other than 0 ends the walk. It may make any call but destroy what it is told of.
 *
 * Context: may sleep. Returns: what @fn returned last, 0 if there is none.
 */
BMA_API int bma_cache_visit(const char *prefix,
			    int (*fn)(const struct bma_cache_stats *stats, void *arg), void *arg);

/** BMA_STATS_JSON - For bma_stats_write(): JSON, one object with a key for each part; else text, a line for each thing. */
#define BMA_STATS_JSON 1u
/** BMA_STATS_PROCESS - The process and its ledger. */
#define BMA_STATS_PROCESS 2u
/** BMA_STATS_CACHES - Each cache. */
#define BMA_STATS_CACHES 4u
/** BMA_STATS_SLOTS - Each slot of each cache. */
#define BMA_STATS_SLOTS 8u
/** BMA_STATS_NODES - Each NUMA node. */
#define BMA_STATS_NODES 16u
/** BMA_STATS_RCU - Each flavour of RCU. */
#define BMA_STATS_RCU 32u
/** BMA_STATS_GROUPS - Each accounting group in the words of cgroup v2, then the shared ones, with "stall", how long callers waited on its behalf. */
#define BMA_STATS_GROUPS 64u
/** BMA_STATS_ALL - All parts. */
#define BMA_STATS_ALL 126u

/**
 * bma_stats_write - Write figures to a file descriptor.
 * @fd: where to. @flags: parts, and %BMA_STATS_JSON; 0: as %BMA_STATS_PROCESS | %BMA_STATS_GROUPS, which is little.
 * @prefix: only caches whose names begin so; NULL: all.
 *
 * The words are those of the structs. In text a byte of a name that is not printable, a space and a backslash are three octal digits behind a backslash, as in
 * /proc/mounts; in JSON what is not UTF-8 is U+FFFD. BMA_CONF=stats:exit writes all of it, as text, to the standard error when the process ends by exit().
 *
 * Context: may sleep. Returns: 0 or a negative errno: -EINVAL  an unknown flag; what write(2) said.
 */
BMA_API int bma_stats_write(int fd, unsigned int flags, const char *prefix);

/** bma_stats_print - bma_stats_write() with flags 0. Context: may sleep. */
BMA_API int bma_stats_print(int fd);
/** bma_stats_write_json - The same as JSON. Context: may sleep. */
BMA_API int bma_stats_write_json(int fd);

BMA_END_DECLS

#endif /* BMA_STATS_H */
