/* SPDX-License-Identifier: MIT */
/*
 * bma-trace check FILE...    what is in a trace; exit 2 if it is not whole
 * bma-trace dump FILE        a line for each event: number thread kind object size
 *
 * Of a trace that is not whole, both show what comes before the first bad event.
 */
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Objects that are larger are not replayed, see schedule.h. */
#define LARGE (256u << 10)

static const char *const kinds[] = {"?",      "malloc",	 "free",  "realloc",
				    "calloc", "aligned", "thread"};

struct figures {
	size_t of[8];
	size_t live, live_peak;
	uint64_t bytes, bytes_peak;
	size_t handed_over, large;
	/* Objects made of up to 16, 64, 256, 1024, 4096 bytes, 64 KiB, and more. */
	size_t sizes[7];
};

static void count_size(struct figures *f, uint32_t size)
{
	static const uint32_t ends[] = {16, 64, 256, 1024, 4096, 65536, UINT32_MAX};
	size_t i = 0;

	while (size > ends[i])
		i++;
	f->sizes[i]++;
	f->large += size > LARGE;
}

static void count(const struct trace *t, struct figures *f)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct trace_event *e = &t->events[i];

		f->of[e->kind]++;
		if (trace_takes(e->kind)) {
			const struct trace_event *made = &t->events[e->object];

			f->handed_over += made->thread != e->thread;
			f->live--;
			f->bytes -= made->size;
		}
		if (trace_makes(e->kind)) {
			count_size(f, e->size);
			f->live++;
			f->bytes += e->size;
		}
		if (f->live > f->live_peak)
			f->live_peak = f->live;
		if (f->bytes > f->bytes_peak)
			f->bytes_peak = f->bytes;
	}
}

static void show(const char *path, const struct trace *t)
{
	struct figures f = {0};

	count(t, &f);
	printf("%s: %zu events, %u threads\n", path, t->n, t->threads);
	for (int kind = TRACE_ALLOC; kind <= TRACE_THREAD; kind++)
		printf("  %s %zu", kinds[kind], f.of[kind]);
	printf("\n  given back by another thread than the maker: %zu\n", f.handed_over);
	printf("  live at the end %zu, at most %zu objects and %.1f KiB\n", f.live, f.live_peak,
	       (double)f.bytes_peak / 1024);
	printf("  made: up to 16 bytes %zu, 64: %zu, 256: %zu, 1024: %zu, 4096: %zu, 64 KiB: %zu, "
	       "more %zu; over 256 KiB %zu\n",
	       f.sizes[0], f.sizes[1], f.sizes[2], f.sizes[3], f.sizes[4], f.sizes[5], f.sizes[6],
	       f.large);
}

static void dump(const struct trace *t)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct trace_event *e = &t->events[i];

		printf("%zu %u %s", i, e->thread, kinds[e->kind]);
		if (trace_takes(e->kind) || e->kind == TRACE_THREAD)
			printf(" %lu", (unsigned long)e->object);
		if (e->kind != TRACE_THREAD)
			printf(" %lu", (unsigned long)e->size);
		if (e->kind == TRACE_ALIGNED)
			printf(" %llu", 1ULL << e->align);
		putchar('\n');
	}
}

int main(int argc, char **argv)
{
	bool dumping = argc == 3 && !strcmp(argv[1], "dump");
	struct trace_error error;
	struct trace trace;
	int status = 0;

	if (!dumping && (argc < 3 || strcmp(argv[1], "check") != 0)) {
		fprintf(stderr, "usage: bma-trace check FILE... | dump FILE\n");
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		bool bad = trace_read(&trace, argv[i], &error) != 0;

		if (dumping)
			dump(&trace);
		else if (trace.n || !bad)
			show(argv[i], &trace);
		if (bad) {
			fflush(stdout);
			fprintf(stderr, "%s\n", error.text);
			status = 2;
		}
		trace_drop(&trace);
	}
	return status;
}
