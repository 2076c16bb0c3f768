/* SPDX-License-Identifier: MIT */
/*
 * Sizes that nobody knows before: each is drawn from those that a recorded program asked for, as often as it did. Pairs of an
 * allocation and its free; batches of a thousand that are freed in random order, and the same with one word of each
 * object written. What the draws take is the same for every peer: a table of them, read from front to end, is
 * long enough that no branch predictor learns it.
 *
 * Objects over SCHEDULE_LARGE bytes are left out for every peer, as in the replays.
 */
#include "workloads/workload.h"

#include "trace/folder.h"
#include "trace/heap.h"

#ifdef HEAP_ANY_SIZE

#define PAIRS 1024
#define BATCH 1000
#define WARM_UP 64
/* A power of two. */
#define DRAWN 65536

enum work { PAIR, BATCHES, TOUCHED };

struct mix {
	char *name;
	uint32_t *drawn;
	double mean; /* of the drawn ones */
};

struct row {
	struct mix *mix;
	enum work work;
};

static struct mix mixes[TRACE_NAMES_MAX];
static struct row rows[TRACE_NAMES_MAX][3];
static struct heap_object objects[BATCH];
static uint32_t order[BATCH];

static void draw(struct mix *m)
{
	uint64_t seed = 2463534242u;
	struct trace trace;
	uint32_t *sizes;
	double sum = 0;
	size_t n = 0;

	trace_load(&trace, m->name);
	sizes = trace_map(trace.n * sizeof(sizes[0]) + 1);
	for (size_t i = 0; i < trace.n; i++) {
		const struct trace_event *e = &trace.events[i];

		if (trace_makes(e->kind) && e->size <= SCHEDULE_LARGE)
			sizes[n++] = e->size ? e->size : 1;
	}
	if (!n)
		bench_die("a trace that makes no object");
	m->drawn = trace_map(DRAWN * sizeof(m->drawn[0]));
	for (size_t i = 0; i < DRAWN; i++) {
		m->drawn[i] = sizes[workload_random(&seed) % n];
		sum += m->drawn[i];
	}
	m->mean = sum / DRAWN;
	trace_unmap(sizes, trace.n * sizeof(sizes[0]) + 1);
	trace_drop(&trace);
}

static inline __attribute__((always_inline)) size_t pairs(const uint32_t *drawn, size_t at)
{
	struct heap_object o;

	for (int i = 0; i < PAIRS; i++) {
		heap_alloc(&o, drawn[at++ % DRAWN]);
		bench_use(o.p);
		heap_free(&o);
	}
	return at;
}

static inline __attribute__((always_inline)) size_t batch(const uint32_t *drawn, size_t at,
							  bool touch)
{
	for (size_t i = 0; i < BATCH; i++) {
		heap_alloc(&objects[i], drawn[at++ % DRAWN]);
		if (touch) /* one byte, for some have no more */
			*(volatile char *)objects[i].p = 1;
	}
	for (size_t i = 0; i < BATCH; i++)
		heap_free(&objects[order[i]]);
	return at;
}

static void unknown(struct bench_state *st, void *arg)
{
	const struct row *r = arg;
	size_t at = 0;

	host_unpin();
	if (!r->mix->drawn)
		draw(r->mix);
	heap_init(NULL);
	host_pin(0);
	workload_shuffle(order, BATCH);
	for (int i = 0; i < WARM_UP; i++)
		at = batch(r->mix->drawn, at, true);
	switch (r->work) {
	case PAIR:
		while (bench_keep_running_batch(st, PAIRS))
			at = pairs(r->mix->drawn, at);
		break;
	case BATCHES:
		while (bench_keep_running_batch(st, BATCH))
			at = batch(r->mix->drawn, at, false);
		break;
	case TOUCHED:
		while (bench_keep_running_batch(st, BATCH))
			at = batch(r->mix->drawn, at, true);
		break;
	}
	bench_set_items_processed(st, bench_iterations(st));
	bench_set_counter(st, "mean_bytes", r->mix->mean, 0);
}

void heap_sizes_register(void)
{
	static const char *const works[] = {"pair", "batch", "touched"};
	char *names[TRACE_NAMES_MAX], row[320];
	size_t n = trace_names(names);

	for (size_t i = 0; i < n; i++) {
		mixes[i].name = names[i];
		for (size_t w = 0; w < BENCH_ARRAY_SIZE(works); w++) {
			rows[i][w] = (struct row){&mixes[i], (enum work)w};
			snprintf(row, sizeof(row), "heap/%s/%s", works[w], names[i]);
			bench_measure_process_cpu_time(bench_register(row, unknown, &rows[i][w]));
		}
	}
}
#else
/* Not a peer for objects of any size. */
void heap_sizes_register(void)
{
}
#endif
