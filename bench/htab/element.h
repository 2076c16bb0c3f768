/* SPDX-License-Identifier: MIT */
/* What the two maps store: an element as large as the Linux kernel's, 48 bytes before the key. */
#ifndef BENCH_HTAB_ELEMENT_H
#define BENCH_HTAB_ELEMENT_H

#include "workloads/rcu/memb.h"

#include <urcu/rculfhash.h>

/* Where call_rcu()'s head is. */
#define BENCH_HEAD_AT 16
#define BENCH_NO_RETRY

#include "crew.h"
#include "deferrals/deferral.h"

#include <errno.h>
#include <stdatomic.h>

struct element {
	union {
		struct cds_lfht_node node;
		struct {
			_Atomic uintptr_t next; /* an element, or an end marker */
			void *link;		/* [preallocated] */
		};
	};
	struct rcu_head head;
	uint32_t hash;
	uint32_t unused[3];
	uint32_t key;
	uint64_t value;
};

_Static_assert(sizeof(struct element) == 64, "48 bytes, a key of 4 in 8, a value of 8");
_Static_assert(offsetof(struct element, key) == 48, "as the kernel's");
_Static_assert(offsetof(struct element, head) == BENCH_HEAD_AT, "where the methods write");

/* murmur3's finalizer. */
static inline uint32_t element_hash(uint32_t key)
{
	key ^= key >> 16;
	key *= 0x85ebca6bu;
	key ^= key >> 13;
	key *= 0xc2b2ae35u;
	return key ^ key >> 16;
}

/**
 * element_take - An element for @key that takes the place of @old, or NULL.
 *
 * The map holds a lock or is in a read section: the call for any context, with no second try. With
 * peers that exchange, @old is theirs from now on; then *@old is NULL.
 */
static inline struct element *element_take(peer_pool pool, uint32_t key, struct element **old)
{
	struct element *e;

#ifdef PEER_EXCHANGES
	if (*old) {
		e = peer_exchange(pool, *old);
		*old = NULL;
	} else
#endif
		e = peer_alloc(pool);
	(void)old;
	if (e) {
		e->key = key;
		e->hash = element_hash(key);
		e->value = 0;
	}
	return e;
}

#endif /* BENCH_HTAB_ELEMENT_H */
