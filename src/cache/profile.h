/* SPDX-License-Identifier: MIT */
/*
 * Heap profile: call stacks of a sample of the objects that users have.
 *
 * Caches and heaps that are made while it is on (BMA__CACHE_PROFILE) have handles with a mask of 0: each of their calls leaves by its slow half, as
 * those of checked.h do, so every allocation and every free is seen, and handles made while it is off know nothing of it.
 *
 * What is sampled: bytes are counted down per slot from an interval that is drawn from the exponential distribution; the allocation that reaches 0
 * is sampled, and the next interval begins behind it. So events fall on allocated bytes as a Poisson process of one in @mean does,
 * whatever the pattern of sizes and CPUs, an allocation of b bytes is sampled with probability p = 1 - exp(-b / mean), and a sample stands for 1 / p allocations:
 * what they sum up to is an unbiased estimate of what is live. A countdown is one compare-and-exchange, from old to old - b or to a fresh
 * interval: a handler in between makes it start again, and there is no moment at which a sample is due and nobody takes it.
 *
 * The table: SETS sets of WAYS places; the address says which set. A word for each place, the key:
 *
 *	0 -> address | BUSY -> address -> 0
 *
 * Invariant: a key without BUSY is the address of an object that is a user's. It is written by the call that hands the object out, before
 * it returns, and cleared by the call that takes it back, before the object is out of reach: both have the object in hand, so nobody else writes that key
 * but the end of an engine, when its objects are nobody's. Who finds no place drops the sample, and it is counted. A thread that is stopped for ever
 * between the first two arrows, or that a fork left behind there, costs a place.
 *
 * Ordering: a reader who copies a place takes the key (acquire), the words (relaxed), a fence (acquire), and the key again, which has to be the same.
 * The writer sets BUSY, a fence (release), writes the words (relaxed), then the key (release). If the reader saw any word of a later sample, he sees BUSY,
 * or a key of after it; 16 bits of stamp in the key tell that from the first one, though the address be the same. All calls are lock-free; none but set and visit are slow.
 */
#ifndef BMA_CACHE_PROFILE_H
#define BMA_CACHE_PROFILE_H

#include "engine.h"

#define BMA__PROFILE_DEPTH 30u
#define BMA__PROFILE_MEAN_MAX ((uint64_t)1 << 40)

/* Bytes from one sample to the next, on average; 0: off. */
extern _Atomic uint64_t bma__profile_mean;

struct bma__profile_sample {
	uint64_t bytes;	 /* of the object */
	uint64_t stands; /* bytes that it stands for */
	char name[BMA__NAME_MAX];
	uint64_t n;
	uint64_t pc
		[BMA__PROFILE_DEPTH]; /* innermost first, from the caller of the library on or a bit before */
};

/* Switch on with @mean, or off with 0: for what is made from now on. May sleep. 0 or -ENOMEM. */
int bma__profile_set(uint64_t mean);
/* @obj of @e (NULL: a large one) goes to the user. Any context. */
void bma__profile_taken(const struct bma__engine *e, const void *obj, uint64_t bytes,
			const char *name);
/* It comes back. Any context. */
void bma__profile_given(const void *obj);
/* All objects of @e are nobody's. */
void bma__profile_end(const struct bma__engine *e);
/* Call @fn with a copy of each sample that is live. */
void bma__profile_visit(void (*fn)(const struct bma__profile_sample *s, void *arg), void *arg);
/* Samples that were dropped. */
uint64_t bma__profile_dropped(void);

/* 1 - exp(-@x), and -log(@u), for 0 < u <= 1. To a few digits; without the library of mathematics. */
double bma__profile_chance(double x);
double bma__profile_minus_log(double u);

#endif /* BMA_CACHE_PROFILE_H */
