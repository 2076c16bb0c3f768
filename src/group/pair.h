/* SPDX-License-Identifier: MIT */
/*
 * What is known of pairs, found in O(1): a hash table of entries that are part of what they name. All under the lock of groups; never fails: where it cannot grow its lists
 * get longer.
 */
#ifndef BMA_GROUP_PAIR_H
#define BMA_GROUP_PAIR_H

#include <stddef.h>

#define BMA__PAIRS_FIRST 64u

struct bma__pair {
	struct bma__pair *next;
	const void *a, *b;
};

/* Zeroed: an empty one. */
struct bma__pairs {
	struct bma__pair **bucket; /* NULL: @first */
	size_t buckets;		   /* of @bucket, a power of two */
	size_t n;
	struct bma__pair *first[BMA__PAIRS_FIRST];
};

/* The entry of @a and @b, in this order, or NULL. */
struct bma__pair *bma__pair_find(const struct bma__pairs *t, const void *a, const void *b);
/* @p, which names a pair that is not there. */
void bma__pair_add(struct bma__pairs *t, struct bma__pair *p, const void *a, const void *b);
void bma__pair_remove(struct bma__pairs *t, struct bma__pair *p);

#endif /* BMA_GROUP_PAIR_H */
