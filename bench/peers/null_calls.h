/* SPDX-License-Identifier: MIT */
/* The library behind the null-call peer. */
#ifndef BENCH_NULL_CALLS_H
#define BENCH_NULL_CALLS_H

struct null_pool;

/** null_alloc - Returns @pool. */
void *null_alloc(struct null_pool *pool);
/** null_free - Returns. */
void null_free(struct null_pool *pool, void *p);

#endif /* BENCH_NULL_CALLS_H */
