/* SPDX-License-Identifier: MIT */
#define PEER_NAME "glibc"
#define PEER_LIBRARY "libc.so"

#include "malloc.h"

#include <gnu/libc-version.h>
#include <malloc.h>

static inline const char *peer_version(void)
{
	return gnu_get_libc_version();
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool;
	malloc_trim(0);
}
