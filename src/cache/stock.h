/* SPDX-License-Identifier: MIT */
/* Charging a record, see record.h for the protocol. */
#ifndef BMA_CACHE_STOCK_H
#define BMA_CACHE_STOCK_H

#include "plane.h"
#include "record.h"

/* A stock holds at most twice this: what is charged ahead in one go. */
#define BMA__STOCK_BATCH ((uint64_t)64 << 10)

/* Known to sequences that change no slot: where the index is. Set with the first record. */
extern struct bma__head bma__stock_head;

/* What happened to a charge. */
struct bma__refusal {
	struct bma_group
		*group; /* if it failed: whose limit it was; NULL: the record was being moved */
	bool walked;	/* if it did not: groups were charged, no stock had enough */
};

/* Charge @bytes, by way of the caller's stock if it has one. False: refused. Any context. */
bool bma__stock_charge(struct bma__record *r, uint64_t bytes, struct bma__refusal *why);
/* The same; waits while the record is moved. May sleep. */
bool bma__stock_charge_wait(struct bma__record *r, uint64_t bytes, struct bma__refusal *why);
/* Take it back. Any context; the record may be gone after. */
void bma__stock_uncharge(struct bma__record *r, uint64_t bytes);
/* Slabs and large objects: no stock, no waiting while it is moved unless @wait. */
bool bma__stock_charge_slab(struct bma__record *r, uint64_t bytes, bool large, bool wait,
			    struct bma__refusal *why);
void bma__stock_uncharge_slab(struct bma__record *r, uint64_t bytes, bool large);

/*
 * Empty the stocks of all records of @top and the groups below it (of the root: of shared groups, too), and carry what is pending up the tree. Under the lock of groups. May sleep. 0, or a negative errno if the
 * fence failed: then stocks are as they were.
 */
int bma__stock_drain(struct bma__group *top);
/* The same for one record. */
int bma__stock_drain_one(struct bma__record *r);

/* A max of @top has changed: so do the caps of stocks of it and all below. Under the lock of groups. */
void bma__stock_set_caps(struct bma__group *top);

/* Close the gate and wait until nobody is inside, or it is @deadline (bma__os_now()); false: it is open again. May sleep, under the lock of groups. */
bool bma__stock_close(struct bma__record *r, uint64_t deadline);
void bma__stock_open(struct bma__record *r);

/*
 * How long a caller is to be slowed down, nanoseconds, for the group that is most above its high of those that pay for @r, which is @group then; counted as done. Any context.
 */
uint64_t bma__stock_penalty(struct bma__record *r, const struct bma_group **group);
/* Is the calling thread, interrupted by the handler that asks, in a gate? */
bool bma__stock_inside(void);

#endif /* BMA_CACHE_STOCK_H */
