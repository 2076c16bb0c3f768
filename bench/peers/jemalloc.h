/* SPDX-License-Identifier: MIT */
#ifndef PEER_NAME
#define PEER_NAME "jemalloc"
#endif
#define PEER_LIBRARY "libjemalloc"

#include <jemalloc/jemalloc.h>

#include "malloc.h"

static inline const char *peer_version(void)
{
	const char *version = NULL;
	size_t size = sizeof(version);

	if (mallctl("version", &version, &size, NULL, 0))
		bench_die("jemalloc tells no version");
	return version;
}

static inline void peer_trim(peer_pool pool)
{
	char all[64];

	(void)pool;
	snprintf(all, sizeof(all), "arena.%d.purge", (int)MALLCTL_ARENAS_ALL);
	if (mallctl("thread.tcache.flush", NULL, NULL, NULL, 0) ||
	    mallctl(all, NULL, NULL, NULL, 0))
		bench_die("jemalloc does not purge");
}
