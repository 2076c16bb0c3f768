/* SPDX-License-Identifier: MIT */
/*
 * Purge: pages of free units go back to the system some time after they became free.
 *
 * Units that are freed stay as they are, *dirty*, for those who want units next; see units.h for their states. When the first dirty unit of a
 * chunk has been so for purge_ms (BMA_CONF; 0: at once) all dirty units of it go back, neighbours in one call. Of chunks that are wholly free
 * one a node stays mapped, without its pages, the others are unmapped.
 *
 * Where a chunk may be a huge page (thp:on, or the system gives them to everybody) a hole in it breaks the page. So while more
 * than half of its units are in use its dirty ones are *held*: they can be taken, and are given back when so much more has become free. This goes
 * for bma_trim(), too.
 */
#ifndef BMA_PAGE_PURGE_H
#define BMA_PAGE_PURGE_H

#include <stdbool.h>
#include <stdint.h>

struct bma__chunk;

/* Once, before the first chunk. */
void bma__purge_init(void);

/*
 * Give back what has been dirty for purge_ms at @now (of bma__os_now()). May sleep. Returns the nanoseconds after which more will be due,
 * UINT64_MAX: nothing waits. Then bma__purge_wake is called when something does again.
 */
uint64_t bma__purge_tick(uint64_t now);
/* Give back all that is dirty and not held. May sleep. */
void bma__purge_all(void);

/* Whom to tell that something waits where nothing did. Set once, at first use; with locks held, so it takes none. */
extern void (*bma__purge_wake)(void);

/* Of @c the units @mask, which are free, became dirty; or @mask of its dirty ones are no longer. [lock: chunk] */
void bma__purge_add(struct bma__chunk *c, uint32_t mask);
void bma__purge_drop(struct bma__chunk *c, uint32_t mask);
/* A chunk of @node in which an aligned run of @units is dirty; its first unit in @first. NULL: there is none. [lock: chunk] */
struct bma__chunk *bma__purge_find(uint32_t node, uint32_t units, uint32_t *first);

/* Bytes that are free and not given back, and bytes that ever were given back. */
uint64_t bma__purge_dirty(void);
uint64_t bma__purge_given(void);

extern struct bma__lock bma__advise_lock;

#endif /* BMA_PAGE_PURGE_H */
