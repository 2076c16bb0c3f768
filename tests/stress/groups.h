/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the run with groups share: the tree as the test knows it, who pays, and the objects.
 *
 * The tree and the payers change in the main thread alone; what a payer's objects are charged is kept by who takes and frees them. So between rounds, when
 * all threads wait, each group's figures can be said to the byte.
 */
#ifndef BMA_STRESS_GROUPS_H
#define BMA_STRESS_GROUPS_H

#include <bma/bma.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define GROUPS_NODES 40
#define GROUPS_SOURCES 22
#define GROUPS_PAYERS 2048
#define GROUPS_BOXES 6000
#define GROUPS_LARGE 40 /* boxes of large objects */
#define GROUPS_SHRINKERS 6
#define GROUPS_HELD 0x6e0c
#define GROUPS_FREE 0x6eee

/* A group; the first is the root. @bound: what is charged may not be more. */
struct node {
	struct bma_group *group; /* NULL: a free entry */
	int parent;
	uint64_t max, bound;
	bool calm; /* its max was not changed in this round */
};

enum kind { MERGED, SHARED_HEAP, PRIVATE_CACHE, PRIVATE_HEAP };

/* One record of the library: a handle, or what is left of a closed one. */
struct payer {
	enum kind kind;
	unsigned int shape; /* of a merged cache: handles of one shape share an engine */
	struct bma_cache *cache;
	struct bma_heap *heap;
	bool open, left; /* left: the library may still have it */
	int node;
	uint64_t loosest; /* the most that was its tightest limit: its stocks may be of that size */
	_Atomic uint64_t bytes, objects, large;
};

/* The first words of each object. */
struct object {
	_Atomic uint64_t mark;
	uint64_t bytes; /* what is charged for it */
	uint32_t payer;
	uint32_t large;
};

extern struct node groups_node[GROUPS_NODES];
extern struct payer groups_payer[GROUPS_PAYERS];
extern int groups_payers; /* so many there were */
/* Open ones, as indices of payers: the first SHAPES x HANDLES are merged caches, handle by handle. */
extern int groups_source[GROUPS_SOURCES];
extern _Atomic(struct object *) groups_box[GROUPS_BOXES], groups_large[GROUPS_LARGE];
extern struct bma_shrinker *groups_shrinker[GROUPS_SHRINKERS];
/* What the library has from the root for itself. */
extern uint64_t groups_root_slabs;
extern _Atomic long groups_nulls, groups_refused, groups_shrunk;

/* objects: take, give, by whom does not matter. */
struct object *groups_take(uint64_t *rng, unsigned int flags);
struct object *groups_take_large(uint64_t *rng);
void groups_give(struct object *obj, uint64_t r);
void groups_handler(int sig);
void groups_step(uint64_t *rng);

/* The tree, changed at random. */
int groups_some_node(uint64_t *rng);
void groups_make_node(uint64_t *rng);
void groups_recharge(uint64_t *rng);
void groups_change(uint64_t *rng);
void groups_churn(uint64_t *rng);
struct bma_group_stats groups_stat(int node);
uint64_t groups_tightest(int node);

/* All of it is made, and given up. */
void groups_make(uint64_t *rng);
void groups_end(void);
/* Between rounds: one handle is closed, with what is live of it, and another made. */
void groups_replace(uint64_t *rng);

/* Between rounds: is every figure as it has to be? */
void groups_check(void);
/* At any moment. */
void groups_check_max(uint64_t *rng);

#endif /* BMA_STRESS_GROUPS_H */
