/* SPDX-License-Identifier: MIT */
/*
 * What does a random mix of sizes leave behind? First LIVE bytes of small objects are allocated;
 * then random 99 of 100 of them are freed, and memory is given back as far as the peer can be told
 * to; then the bytes that are missing are allocated as larger objects, between the survivors. After
 * each step: resident bytes over live ones. Once per process.
 */
#include "workloads/workload.h"

#include <string.h>

#define LIVE ((size_t)32 << 20)
#define CLASSES 6
#define KINDS (2 * CLASSES)
#define MOST (LIVE / 16)

static const size_t sizes[KINDS] = {16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024};

static struct {
	void *p;
	size_t kind;
} objects[MOST];
static peer_pool pools[KINDS];

/* Mean size of the classes from @first on, of which each is as likely as the other. */
static size_t mean(size_t first)
{
	size_t sum = 0;

	for (size_t i = first; i < first + CLASSES; i++)
		sum += sizes[i];
	return sum / CLASSES;
}

static void make_pools(void)
{
	for (size_t i = 0; i < KINDS; i++) {
		size_t share = LIVE / mean(i / CLASSES * CLASSES) / CLASSES;

		/* Chance makes one class somewhat more frequent than the next. */
		pools[i] = peer_create(sizes[i], share + share / 8);
	}
}

/* Allocates until @live reaches LIVE; returns how many objects there are then. */
static size_t fill(size_t n, size_t *live, size_t first, uint64_t *seed)
{
	while (*live < LIVE && n < MOST) {
		size_t kind = first + workload_random(seed) % CLASSES;

		objects[n].kind = kind;
		objects[n].p = bench_take(pools[kind]);
		memset(objects[n].p, 1, sizes[kind]);
		*live += sizes[kind];
		n++;
	}
	return n;
}

/* Frees random 99 of 100; returns how many are left. */
static size_t thin(size_t n, size_t *live, uint64_t *seed)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		if (workload_random(seed) % 100) {
			peer_free(pools[objects[i].kind], objects[i].p);
			*live -= sizes[objects[i].kind];
		} else {
			objects[left++] = objects[i];
		}
	}
	return left;
}

static double over(size_t before, size_t live)
{
	return ((double)host_resident() - (double)before) / (double)live;
}

static void mix(struct bench_state *st, void *arg)
{
	size_t before, n, live = 0;
	uint64_t seed = 2463534242u;
	double start;

	(void)arg;
	host_pin(0);
	memset(objects, 1, sizeof(objects)); /* these pages are not the peer's */
	before = host_resident();
	while (bench_keep_running(st)) {
		start = host_seconds();
		host_unpin();
		make_pools();
		host_pin(0);
		n = fill(0, &live, 0, &seed);
		bench_set_counter(st, "full_ratio", over(before, live), 0);
		n = thin(n, &live, &seed);
		for (size_t i = 0; i < KINDS; i++)
			peer_trim(pools[i]);
		bench_set_counter(st, "thin_ratio", over(before, live), 0);
		n = fill(n, &live, CLASSES, &seed);
		bench_set_counter(st, "mixed_ratio", over(before, live), 0);
		bench_set_iteration_time(st, host_seconds() - start);
		for (size_t i = 0; i < n; i++)
			peer_free(pools[objects[i].kind], objects[i].p);
	}
}

void mix_register(void)
{
	struct bench *b = bench_register("mix", mix, NULL);

	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
}
