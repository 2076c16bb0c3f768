/* SPDX-License-Identifier: MIT */
#define PEER_NAME "gperftools"
#define PEER_LIBRARY "libtcmalloc_minimal"

#include "malloc.h"

#include <gperftools/malloc_extension_c.h>
#include <gperftools/tcmalloc.h>

static inline const char *peer_version(void)
{
	int major, minor;
	const char *patch;

	return tc_version(&major, &minor, &patch);
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool;
	MallocExtension_ReleaseFreeMemory();
}
