/* SPDX-License-Identifier: MIT */
/*
 * Files of traces: any bytes are read or refused with a message, and what was read can be scheduled: an
 * object is made in a place that is empty, goes from one that is not, and what is left is what stands there.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "schedule.h"

#define MAPS 64

/* A schedule's memory is never given back; here it is, so the linker brings its calls here (--wrap). */
void *__real_trace_map(size_t bytes);
void *__wrap_trace_map(size_t bytes);
void __real_trace_unmap(void *at, size_t bytes);
void __wrap_trace_unmap(void *at, size_t bytes);

static struct map {
	void *at;
	size_t bytes;
} maps[MAPS];
static unsigned int n_maps;

void *__wrap_trace_map(size_t bytes)
{
	void *at = __real_trace_map(bytes);

	FUZZ_CHECK(n_maps < MAPS, "%u maps", n_maps);
	maps[n_maps++] = (struct map){at, bytes};
	return at;
}

void __wrap_trace_unmap(void *at, size_t bytes)
{
	unsigned int i = 0;

	while (i < n_maps && maps[i].at != at)
		i++;
	FUZZ_CHECK(i < n_maps && maps[i].bytes == bytes, "unmapped what was not mapped");
	maps[i] = maps[--n_maps];
	__real_trace_unmap(at, bytes);
}

static void check_events(const struct trace *t)
{
	bool *live = calloc(t->n + 1, sizeof *live), *known = calloc(TRACE_THREADS_MAX, 1);

	FUZZ_CHECK(live && known, "no memory");
	known[0] = true;
	for (size_t i = 0; i < t->n; i++) {
		const struct trace_event *e = &t->events[i];

		fuzz_operations++;
		FUZZ_CHECK(e->kind && e->kind <= TRACE_THREAD, "kind %u", e->kind);
		if (e->kind == TRACE_THREAD) {
			FUZZ_CHECK(e->object < t->threads && !known[e->object], "thread %u",
				   e->object);
			known[e->object] = true;
		}
		FUZZ_CHECK(e->thread < t->threads && known[e->thread], "of thread %u", e->thread);
		if (trace_takes(e->kind)) {
			FUZZ_CHECK(e->object < i && live[e->object], "object %u", e->object);
			live[e->object] = false;
		}
		if (trace_makes(e->kind))
			live[i] = true;
	}
	free(live);
	free(known);
}

/* What stands in the places of one thread. Shared places of a thread's order alone mean nothing, they are counted. */
static size_t check_thread(const struct schedule_thread *t, uint32_t shared, uint64_t *made,
			   uint64_t *gone)
{
	bool *full = calloc(t->slots + 1, sizeof *full);
	size_t left = 0;

	FUZZ_CHECK(full, "no memory");
	for (size_t i = 0; i < t->n; i++) {
		struct schedule_op op = t->ops[i];
		unsigned int kind = schedule_kind(op);

		if (kind == SCHEDULE_SPAWN || kind == SCHEDULE_PACE)
			continue;
		FUZZ_CHECK(schedule_size(op) && schedule_size(op) <= SCHEDULE_LARGE, "size %zu",
			   schedule_size(op));
		FUZZ_CHECK(op.slot < (schedule_shared(op) ? shared : t->slots), "slot %u", op.slot);
		if (kind == SCHEDULE_FREE || kind == SCHEDULE_REALLOC) {
			++*gone;
			FUZZ_CHECK(schedule_shared(op) || full[op.slot], "slot %u is empty",
				   op.slot);
			full[schedule_shared(op) ? t->slots : op.slot] = false;
		} else {
			++*made;
			FUZZ_CHECK(schedule_shared(op) || !full[op.slot], "slot %u is full",
				   op.slot);
			full[schedule_shared(op) ? t->slots : op.slot] = true;
		}
	}
	for (uint32_t i = 0; i < t->slots; i++)
		left += full[i];
	free(full);
	return left;
}

static void check_schedule(const struct trace *t)
{
	uint64_t made = 0, gone = 0;
	size_t left = 0;
	struct schedule s;

	schedule_make(&s, t);
	FUZZ_CHECK(s.n == t->threads && s.events <= t->n, "%u threads, %zu events", s.n, s.events);
	for (unsigned int i = 0; i < s.n; i++)
		left += check_thread(&s.threads[i], s.shared, &made, &gone);
	FUZZ_CHECK(made - gone == s.n_left, "%zu left of %llu less %llu", s.n_left,
		   (unsigned long long)made, (unsigned long long)gone);
	FUZZ_CHECK(left == s.n_left, "%zu in places, %zu left", left, s.n_left);
	while (n_maps) {
		n_maps--;
		__real_trace_unmap(maps[n_maps].at, maps[n_maps].bytes);
	}
}

BMA_FUZZ(trace)
{
	size_t n = fuzz_left(in);
	struct trace_error error;
	struct trace trace;
	char path[64];
	int fd = memfd_create("trace", 0), rc;

	FUZZ_CHECK(fd >= 0, "no file");
	FUZZ_CHECK(write(fd, in->at, n) == (ssize_t)n, "not written");
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = trace_read(&trace, path, &error);
	fuzz_operations++;
	FUZZ_CHECK(!rc == !error.text[0], "%d: \"%s\"", rc, error.text);
	check_events(&trace);
	if (trace.n)
		check_schedule(&trace);
	trace_drop(&trace);
	close(fd);
}
