/* SPDX-License-Identifier: MIT */
/* GLib's slices, which since GLib 2.76 are malloc() under another name. */
#include <glib.h>

#define PEER_NAME "gslice"
#define PEER_WORKLOADS WORKLOAD_ALL

/* The pool is the size, which the caller has to know again when it frees. */
typedef size_t peer_pool;

static inline void peer_init(const char *argv0)
{
	(void)argv0;
	if (!GLIB_CHECK_VERSION(2, 10, 0) || glib_check_version(2, 10, 0))
		bench_die("this GLib has no slices");
	if (!glib_check_version(2, 76, 0))
		bench_die("this GLib's slices are malloc()");
}

static inline const char *peer_version(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "GLib %u.%u.%u", glib_major_version, glib_minor_version,
		 glib_micro_version);
	return text;
}

static inline peer_pool peer_create(size_t size, size_t objects)
{
	(void)objects;
	return size;
}

static inline void *peer_alloc(peer_pool pool)
{
	return g_slice_alloc(pool);
}

static inline void *peer_alloc_slow(peer_pool pool)
{
	(void)pool;
	bench_die("out of memory");
}

static inline void peer_free(peer_pool pool, void *p)
{
	g_slice_free1(pool, p);
}

static inline void peer_trim(peer_pool pool)
{
	(void)pool; /* slices have no such call */
}

static inline void peer_thread_enter(void)
{
}

static inline void peer_thread_leave(void)
{
}
