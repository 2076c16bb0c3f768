/* SPDX-License-Identifier: MIT */
/*
 * What does one more pool take where there are ten thousand already: time to make it and to destroy it, and memory? All are of one
 * size, and empty. Bytes are those of the 10 000, resident and by the peer's own figures, divided by their number.
 *
 * The last one is destroyed and made again, some hundred times; what counts is the median.
 */
#include "workloads/workload.h"

#if (PEER_WORKLOADS) & WORKLOAD_HANDLES

#define HANDLES 10000
#define SIZE 64
#define MOST 1001
#define SECONDS 0.5

static peer_pool handles[HANDLES];
static double taken[MOST];

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The median of making and destroying the last one, ns. */
static double make_and_destroy(void)
{
	double until = host_seconds() + SECONDS;
	size_t n = 0;

	while (n < MOST && (!n || host_seconds() < until)) {
		uint64_t t = host_tick_begin();
		peer_pool last = peer_create(SIZE, 0);

		peer_destroy(last);
		taken[n++] = (double)(host_tick_end() - t) * host_tick_ns();
	}
	qsort(taken, n, sizeof(taken[0]), compare);
	return taken[n / 2];
}

static void handle(struct bench_state *st, void *arg)
{
	size_t before;
	double start, ns;

	(void)arg;
	host_unpin();
	host_tick_ns();
	for (size_t i = 0; i < MOST; i++)
		*(volatile double *)&taken[i] = 1;
	for (size_t i = 0; i < sizeof(handles); i += 4096)
		((volatile char *)handles)[i] = 0; /* these pages are not the peer's */
	before = host_resident();
#ifdef PEER_META_BYTES
	uint64_t meta = peer_meta_bytes();
#endif
	while (bench_keep_running(st)) {
		start = host_seconds();
		for (size_t i = 0; i < HANDLES - 1; i++)
			handles[i] = peer_create(SIZE, 0);
		start = host_seconds() - start;
		ns = make_and_destroy();
		handles[HANDLES - 1] = peer_create(SIZE, 0);
		bench_set_iteration_time(st, ns * 1e-9);
		bench_set_counter(st, "last_ns", ns, 0);
		bench_set_counter(st, "mean_create_ns", start * 1e9 / (HANDLES - 1), 0);
		bench_set_counter(st, "handle_bytes",
				  ((double)host_resident() - (double)before) / HANDLES, 0);
#ifdef PEER_META_BYTES
		bench_set_counter(st, "meta_bytes", (double)(peer_meta_bytes() - meta) / HANDLES,
				  0);
#endif
	}
	for (size_t i = 0; i < HANDLES; i++)
		peer_destroy(handles[i]);
}

void merge_handle_register(void)
{
	static const char *const names[] = {"handles"};
	struct bench *b = bench_register("merge/handle", handle, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, HANDLES);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
}
#endif
