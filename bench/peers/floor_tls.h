/* SPDX-License-Identifier: MIT */
/* The thread-local arrays of floor-tls-magazine. */
#ifndef BENCH_PEERS_FLOOR_TLS_H
#define BENCH_PEERS_FLOOR_TLS_H

#include "floor.h"

#define FLOOR_TLS_CAPACITY 10240

/** struct floor_tls - What a thread has free of one pool. */
struct floor_tls {
	size_t count;
	void *objects[FLOOR_TLS_CAPACITY];
};

extern _Thread_local struct floor_tls floor_tls[FLOOR_POOLS];

/** floor_tls_refill - An object for a thread that has none: what an ended thread left, or new. */
void *floor_tls_refill(struct floor_pool *pool);
/** floor_tls_leave - This thread ends: hand on what it has. */
void floor_tls_leave(void);

#endif /* BENCH_PEERS_FLOOR_TLS_H */
