/* SPDX-License-Identifier: MIT */
/*
 * Pressure: what happens at the limits of groups. Who may sleep reclaims and tries again; who may not fails, and the worker reclaims.
 *
 * Reclaim for a group, of it and all below: stocks are emptied and what is pending is uncharged; then slots and depots of the caches that pay by the slab are drained
 * and empty slabs given up; then its shrinkers are asked. What min protects is spared, what low protects is spared in a first round. No lock is held
 * while caches are drained or shrinkers run.
 */
#ifndef BMA_CACHE_PRESSURE_H
#define BMA_CACHE_PRESSURE_H

#include "record.h"

/* One allocation at a limit. */
struct bma__pressure {
	uint64_t bytes; /* what it needs */
	uint64_t since; /* when the caller began to wait, as far as that is not counted yet */
	uint32_t tries;
	struct bma_group *group; /* whose limit refused last */
	uint32_t calls, victims; /* oom.h */
};

/* Reclaim about @bytes. Returns by how much less is charged to it. May sleep. */
uint64_t bma__pressure_reclaim(const struct bma_group *group, uint64_t bytes);
/*
 * @group (NULL: nobody's limit) refused an allocation: reclaim, and where that finds nothing, a victim (oom.h). False: nothing more can be done. The
 * time that it took is counted. May sleep.
 */
bool bma__pressure_relieve(struct bma__pressure *p, struct bma_group *group);
/* The first group at or above @group whose limit would refuse so much now, or @group itself. May sleep. */
struct bma_group *bma__pressure_refuser(const struct bma_group *group, uint64_t bytes);
/* It went on, or failed, after that: count it once. */
void bma__pressure_end(const struct bma__pressure *p, const struct bma__record *r, bool went_on);
/* Charge; reclaim and slow the caller down if need be. False: EDQUOT. May sleep. */
bool bma__pressure_charge(struct bma__record *r, uint64_t bytes);
bool bma__pressure_charge_large(struct bma__record *r, uint64_t bytes);
/* Slow the caller down if a group that pays is above its high. May sleep. */
void bma__pressure_throttle(struct bma__record *r);
/* What is charged to @group; UINT64_MAX if it is gone: then nothing was gained. A snapshot. */
uint64_t bma__pressure_usage(const struct bma_group *group);
/* What was freed on purpose, and stands in stocks, slots and depots, is given up. Returns by how much less than @before is charged. May sleep. */
uint64_t bma__pressure_flush(const struct bma_group *group, uint64_t before, uint64_t bytes);
/* What charges asked for: reclaim, notifications, release functions; and records that have ended. Returns when something is left to do, nanoseconds; UINT64_MAX. May sleep. */
uint64_t bma__pressure_pass(void);
/* In a child of fork: who made a pass may not be there. */
void bma__pressure_after_fork(void);

/* All stocks are emptied, and records that have ended are freed. May sleep. */
void bma__pressure_trim(void);

#endif /* BMA_CACHE_PRESSURE_H */
