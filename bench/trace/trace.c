/* SPDX-License-Identifier: MIT */
/*
 * Two steps: every event goes to the place that its number says, whatever the order of chunks in the
 * file; then they are looked at one after the other. Where a place is empty the trace ends, and a
 * chunk that cannot be read is passed over, so that the event that is named is the first bad one.
 */
#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct reader {
	struct trace *trace;
	struct trace_error *error; /* the bad event with the lowest number so far */
	const char *path;
	const unsigned char *at;
	const unsigned char *end;
	uint64_t total;
	bool ended; /* with an end mark */
	bool bad;
};

void *trace_map(size_t bytes)
{
	void *at = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		perror("trace: mmap");
		exit(1);
	}
	return at;
}

void trace_unmap(void *at, size_t bytes)
{
	munmap(at, bytes ? bytes : 1);
}

void trace_drop(struct trace *trace)
{
	if (trace->events)
		trace_unmap(trace->events, trace->room * sizeof(trace->events[0]));
	memset(trace, 0, sizeof(*trace));
}

__attribute__((format(printf, 3, 4))) static void complain(struct reader *r, uint64_t record,
							   const char *format, ...)
{
	va_list args;
	int n;

	if (r->bad && r->error->record <= record)
		return;
	r->bad = true;
	r->error->record = (size_t)record;
	n = snprintf(r->error->text, sizeof(r->error->text), "%s: record %llu: ", r->path,
		     (unsigned long long)record);
	if (n < 0 || (size_t)n >= sizeof(r->error->text))
		return;
	va_start(args, format);
	vsnprintf(r->error->text + n, sizeof(r->error->text) - (size_t)n, format, args);
	va_end(args);
}

static uint32_t capped(uint64_t size)
{
	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

/* What stands behind the head of an event. False: @at ends too early or the values make no sense. */
static bool get_event(const unsigned char **at, const unsigned char *end, unsigned int kind,
		      uint64_t order, struct trace_event *event)
{
	uint64_t age = 0, size = 0, align = 0;

	if (trace_takes(kind) && !trace_get(at, end, &age))
		return false;
	if (kind == TRACE_ALIGNED && !trace_get(at, end, &align))
		return false;
	if (kind != TRACE_FREE && !trace_get(at, end, &size))
		return false;
	/* It was made before. */
	if (trace_takes(kind) && (!age || age > order))
		return false;
	if (align > 63 || (kind == TRACE_THREAD && size >= TRACE_THREADS_MAX))
		return false;
	event->kind = (uint8_t)kind;
	event->align = (uint8_t)align;
	event->object = (uint32_t)(kind == TRACE_THREAD ? size : order - age);
	event->size = kind == TRACE_THREAD ? 0 : capped(size);
	return true;
}

static void read_events(struct reader *r, uint64_t thread, uint64_t n, uint64_t order,
			const unsigned char *end)
{
	const unsigned char *at = r->at;

	for (uint64_t i = 0; i < n; i++, order++) {
		struct trace_event event = {.thread = (uint16_t)thread};
		uint64_t head;

		if (!trace_get(&at, end, &head)) {
			complain(r, order, "ends in the middle");
			return;
		}
		order += head >> TRACE_KIND_BITS;
		if (order >= TRACE_EVENTS_MAX) {
			complain(r, order, "a number out of range");
			return;
		}
		head &= (1u << TRACE_KIND_BITS) - 1;
		if (!head || head > TRACE_THREAD ||
		    !get_event(&at, end, (unsigned int)head, order, &event)) {
			complain(r, order,
				 end == r->end && at == end ? "ends in the middle"
							    : "makes no sense");
			return;
		}
		/* More than a file of that size can hold: then an earlier one is missing. */
		if (order >= r->trace->room)
			continue;
		if (r->trace->events[order].kind)
			complain(r, order, "is there twice");
		r->trace->events[order] = event;
	}
	if (at != end && end != r->end)
		complain(r, order, "more bytes than events");
}

/* False: nothing more to be read. */
static bool read_chunk(struct reader *r)
{
	uint64_t thread, n, order, bytes;
	const unsigned char *end;

	if (!trace_get(&r->at, r->end, &thread) || !trace_get(&r->at, r->end, &n))
		return false;
	if (!thread) {
		r->ended = true;
		r->total = n;
		return false;
	}
	if (!trace_get(&r->at, r->end, &order) || !trace_get(&r->at, r->end, &bytes))
		return false;
	end = bytes < (size_t)(r->end - r->at) ? r->at + bytes : r->end;
	if (thread > TRACE_THREADS_MAX || order >= TRACE_EVENTS_MAX)
		complain(r, order, "a number out of range");
	else
		read_events(r, thread - 1, n, order, end);
	r->at = end;
	return true;
}

/* Events from 0 to the first that is not there. */
static void find_end(struct reader *r)
{
	struct trace *t = r->trace;

	while (t->n < t->room && t->events[t->n].kind)
		t->n++;
	if (!r->ended)
		complain(r, t->n, "missing, the file is cut off");
	else if (t->n < r->total)
		complain(r, t->n, "missing");
	else if (t->n > r->total)
		complain(r, r->total, "comes after the end");
	else if (r->at != r->end)
		complain(r, t->n, "bytes after the end");
	if (r->bad && r->error->record < t->n)
		t->n = r->error->record;
}

static void check(struct reader *r)
{
	struct trace *t = r->trace;
	unsigned char *live = trace_map(t->n), *known = trace_map(TRACE_THREADS_MAX);
	size_t i, n = t->n;

	known[0] = 1;
	t->threads = 1;
	for (i = 0; i < n; i++) {
		struct trace_event *e = &t->events[i];

		if (e->kind == TRACE_THREAD && known[e->object]) {
			complain(r, i, "thread %u begins again", (unsigned int)e->object);
			break;
		}
		if (e->kind == TRACE_THREAD) {
			known[e->object] = 1;
			if (e->object >= t->threads)
				t->threads = e->object + 1;
		}
		if (!known[e->thread]) {
			complain(r, i, "of the unknown thread %u", (unsigned int)e->thread);
			break;
		}
		if (trace_takes(e->kind)) {
			if (!live[e->object]) {
				complain(r, i, "%s of the unknown object %lu",
					 e->kind == TRACE_FREE ? "free" : "realloc",
					 (unsigned long)e->object);
				break;
			}
			live[e->object] = 0;
			if (e->kind == TRACE_FREE)
				e->size = t->events[e->object].size;
		}
		if (trace_makes(e->kind))
			live[i] = 1;
	}
	t->n = i;
	trace_unmap(live, n);
	trace_unmap(known, TRACE_THREADS_MAX);
}

static bool open_file(struct reader *r, size_t *bytes)
{
	int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *at = MAP_FAILED;

	*bytes = 0;
	if (fd >= 0 && !fstat(fd, &status)) {
		*bytes = (size_t)status.st_size;
		at = mmap(NULL, *bytes ? *bytes : 1, PROT_READ, MAP_PRIVATE, fd, 0);
	}
	if (at == MAP_FAILED)
		snprintf(r->error->text, sizeof(r->error->text), "%s: %s", r->path,
			 strerror(errno));
	if (fd >= 0)
		close(fd);
	if (at == MAP_FAILED)
		return false;
	if (*bytes < TRACE_MAGIC_SIZE || memcmp(at, TRACE_MAGIC, TRACE_MAGIC_SIZE)) {
		snprintf(r->error->text, sizeof(r->error->text), "%s: record 0: not a trace",
			 r->path);
		munmap(at, *bytes ? *bytes : 1);
		return false;
	}
	r->at = (unsigned char *)at + TRACE_MAGIC_SIZE;
	r->end = (unsigned char *)at + *bytes;
	return true;
}

int trace_read(struct trace *trace, const char *path, struct trace_error *error)
{
	struct reader r = {.trace = trace, .error = error, .path = path};
	size_t bytes;

	memset(trace, 0, sizeof(*trace));
	memset(error, 0, sizeof(*error));
	if (!open_file(&r, &bytes))
		return -1;
	/* No event is shorter than two bytes. */
	trace->room = bytes / 2 + 1;
	trace->events = trace_map(trace->room * sizeof(trace->events[0]));
	while (r.at < r.end && read_chunk(&r))
		;
	find_end(&r);
	check(&r);
	munmap((void *)(uintptr_t)(r.end - bytes), bytes);
	return r.bad ? -1 : 0;
}
