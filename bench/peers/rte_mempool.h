/* SPDX-License-Identifier: MIT */
/*
 * DPDK's rte_mempool with a cache per lcore of the largest size that DPDK allows, without huge
 * pages and devices. Threads other than the first register for an lcore of their own.
 */
#include <stdbool.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>
#include <rte_version.h>

#define PEER_NAME "rte_mempool"
/* Its ring spins for a thread that lost its CPU in the middle of a call: 16 threads on 2 CPUs take
 * microseconds per object. A pool takes megabytes, as it has a cache for each of 128 lcores. */
#define PEER_WORKLOADS (WORKLOAD_ALL & ~(WORKLOAD_CROWD | WORKLOAD_MAPS))

typedef struct rte_mempool *peer_pool;

static inline void peer_init(const char *argv0)
{
	/* 768 MiB: the million objects of the footprint take 240. The first thread is one lcore
	 * that may run on every CPU; the workloads bind it. */
	char name[256];
	char args[][16] = {"--no-huge", "--no-pci",	 "--no-shconf",	  "-m", "768", "-l",
			   "0",		"--log-level=3", "--no-telemetry"};
	char *argv[sizeof(args) / sizeof(args[0]) + 2] = {name};
	int argc = 1;

	snprintf(name, sizeof(name), "%s", argv0);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++)
		argv[argc++] = args[i];
	if (rte_eal_init(argc, argv) < 0)
		bench_die("rte_eal_init failed");
}

static inline const char *peer_version(void)
{
	return rte_version();
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	static unsigned int pools;
	const unsigned int cache = RTE_MEMPOOL_CACHE_MAX_SIZE;
	/* A cache holds up to 1.5 times its size, and what it holds nobody else can get. */
	unsigned int n = (unsigned int)objects + 20 * cache * 3 / 2;
	struct rte_mempool *mp;
	char name[RTE_MEMPOOL_NAMESIZE];

	/* The address tells the workloads apart, each of which has a copy of this function. */
	snprintf(name, sizeof(name), "%lx-%u", (unsigned long)(uintptr_t)&pools, pools);
	pools++;
	mp = rte_mempool_create(name, n, (unsigned int)size, cache, 0, NULL, NULL, NULL, NULL,
				SOCKET_ID_ANY, 0);
	if (!mp)
		bench_die("rte_mempool_create failed");
	return mp;
}

static inline void *peer_alloc(peer_pool pool)
{
	void *p;

	return rte_mempool_get(pool, &p) ? NULL : p;
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("rte_mempool is empty");
}

static inline void peer_free(peer_pool pool, void *p)
{
	rte_mempool_put(pool, p);
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool; /* a mempool keeps what it was made with */
}

static inline void peer_thread_enter(void)
{
	if (rte_thread_register())
		bench_die("rte_thread_register failed");
}

static inline void peer_thread_leave(void)
{
	rte_thread_unregister();
}
