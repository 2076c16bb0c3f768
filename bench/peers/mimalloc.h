/* SPDX-License-Identifier: MIT */
#ifndef PEER_NAME
#define PEER_NAME "mimalloc"
#endif
#define PEER_LIBRARY "libmimalloc"

#include "malloc.h"

/* The angle brackets matter: this file has the same name. */
#include <mimalloc.h>

static inline const char *peer_version(void)
{
	static char text[16];
	int v = mi_version(); /* 209 is 2.0.9 */

	snprintf(text, sizeof(text), "%d.%d.%d", v / 100, v / 10 % 10, v % 10);
	return text;
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool;
	mi_collect(true);
}
