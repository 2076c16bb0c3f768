/* SPDX-License-Identifier: MIT */
/* Tenants: what each of them is, and what its thread does. */
#ifndef TENANTS_TENANTS_H
#define TENANTS_TENANTS_H

#include <bma/bma.h>
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define LIVE 512u /* objects that a tenant has */
#define SIZE_MOST 1024u
#define KEEPS 16384u /* more than the group of the tenant that keeps has room for */
#define BUCKETS 40u  /* of latencies, by powers of two */

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			errx(1, "%s:%d: not so: %s", __FILE__, __LINE__, #claim);                  \
	} while (0)

struct tenant {
	pthread_t thread;
	struct bma_group *group;
	struct bma_heap *heap;
	unsigned int seed;
	unsigned long calls, failed; /* allocations */
	unsigned long latency[BUCKETS];
	/* Of the one that leaks: what it has, a list; refusals by EDQUOT, and of calls that cannot wait. */
	void **leaked;
	unsigned long refused, refused_any;
	/* Of the one that keeps what it could make again: a ring, and what the shrinker gave back. */
	pthread_mutex_t lock;
	void *kept[KEEPS];
	unsigned long first, end, evicted;
};

extern atomic_bool stop;

/* Threads. @tenant: a struct tenant. */
void *tenant_good(void *tenant);
void *tenant_keeps(void *tenant);
void *tenant_leaks(void *tenant);

/* A shrinker: the oldest of what it keeps. */
uint64_t keeps_count(void *tenant);
uint64_t keeps_scan(uint64_t bytes, void *tenant);

/* All that it has. */
void tenant_free(struct tenant *t);

#endif /* TENANTS_TENANTS_H */
