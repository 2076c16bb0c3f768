/* SPDX-License-Identifier: MIT */
/*
 * Events on their way to the file. Each thread fills a buffer of its own, which becomes a chunk when
 * it is full, when the thread ends and when the process does; buffers come from a BMA cache.
 *
 * The number of an event is taken while the thread holds the lock of its buffer, and only if
 * recording is still on. At the end recording is switched off first, then every buffer is locked in
 * turn: whoever took a number has written its event by then, and nobody takes one any more, so no
 * number is missing in the file. The lock of the list orders the switch towards threads that come
 * to the list later.
 *
 * The file is opened for every chunk and appended to: no descriptor is kept that the program could
 * close or count, and the system puts chunks of different threads one after the other. System calls
 * are made directly where the C library's would be points of cancellation.
 */
#include "record.h"

#include <bma/bma.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HEADER_MAX (4 * TRACE_NUMBER_MAX)

struct record_buffer {
	record_lock lock;
	struct record_buffer *next, **link; /* [list_lock] */
	uint64_t thread;		    /* plus 1 */
	uint64_t events, first, last;
	size_t used; /* of @bytes, behind the place of the header */
	unsigned char bytes[32 * 1024 - 80];
};

__thread struct record_self record_self __attribute__((tls_model("initial-exec")));

static atomic_bool active, failed;
static _Atomic uint64_t next_event;
static _Atomic uint32_t next_thread;
static uint64_t most_events;
static char path[PATH_MAX];
static struct bma_cache *cache;
static pthread_key_t ending;
static record_lock list_lock;
static struct record_buffer *list;

/* acquire: with the release of record_lock_drop(), here and below. */
void record_lock_take(record_lock *lock)
{
	for (unsigned int i = 0; atomic_exchange_explicit(lock, 1, memory_order_acquire); i++) {
		if (i >= 100)
			sched_yield();
	}
}

bool record_lock_try(record_lock *lock)
{
	for (int i = 0; atomic_exchange_explicit(lock, 1, memory_order_acquire); i++) {
		struct timespec a_moment = {0, 1000000};

		if (i == 1000)
			return false;
		syscall(SYS_nanosleep, &a_moment, NULL);
	}
	return true;
}

void record_lock_drop(record_lock *lock)
{
	atomic_store_explicit(lock, 0, memory_order_release);
}

bool record_active(void)
{
	return atomic_load_explicit(&active, memory_order_relaxed);
}

static void write_out(const unsigned char *bytes, size_t n)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0);

	/* Part of a chunk may be there then, but no end mark will be. */
	if (fd < 0 || syscall(SYS_write, fd, bytes, n) != (long)n)
		atomic_store(&failed, true);
	if (fd >= 0)
		syscall(SYS_close, fd);
}

/* With the lock held. The header goes right before the events. */
static void flush(struct record_buffer *b)
{
	unsigned char header[HEADER_MAX];
	size_t n;

	if (!b->events)
		return;
	n = trace_put(header, b->thread);
	n += trace_put(header + n, b->events);
	n += trace_put(header + n, b->first);
	n += trace_put(header + n, b->used);
	memcpy(b->bytes + HEADER_MAX - n, header, n);
	write_out(b->bytes + HEADER_MAX - n, n + b->used);
	b->events = 0;
	b->used = 0;
}

/* A thread ends. Destructors that run after this one may allocate: they get another buffer. */
static void end_thread(void *value)
{
	struct record_buffer *b = value;
	bool inside = record_self.inside;

	/* After a fork buffers are the parent's. */
	if (!record_active())
		return;
	record_self.inside = true;
	/* Both: who finishes the file finds it in the list, or its events in the file. */
	record_lock_take(&list_lock);
	record_lock_take(&b->lock);
	flush(b);
	*b->link = b->next;
	if (b->next)
		b->next->link = b->link;
	record_lock_drop(&list_lock);
	record_self.buffer = NULL;
	bma_cache_free(cache, b);
	record_self.inside = inside;
}

static struct record_buffer *new_buffer(void)
{
	struct record_buffer *b = bma_cache_alloc_flags(cache, BMA_SLEEP);

	if (!b)
		return NULL;
	atomic_init(&b->lock, 0);
	b->thread = record_self.number;
	b->events = 0;
	b->used = 0;
	record_lock_take(&list_lock);
	b->next = list;
	b->link = &list;
	if (list)
		list->link = &b->next;
	list = b;
	record_lock_drop(&list_lock);
	record_self.buffer = b;
	pthread_setspecific(ending, b);
	return b;
}

uint32_t record_thread_number(void)
{
	uint32_t number = atomic_fetch_add(&next_thread, 1) + 1;

	if (number > TRACE_THREADS_MAX) {
		atomic_store(&failed, true);
		atomic_store(&active, false);
	}
	return number;
}

static void encode(struct record_buffer *b, uint64_t order, enum trace_kind kind, uint32_t object,
		   unsigned int align, size_t size)
{
	unsigned char *at = b->bytes + HEADER_MAX + b->used, *from = at;
	uint64_t gap = b->events ? order - b->last - 1 : 0;

	if (!b->events)
		b->first = order;
	at += trace_put(at, gap << TRACE_KIND_BITS | (uint64_t)kind);
	if (kind == TRACE_THREAD)
		at += trace_put(at, object);
	if (kind == TRACE_FREE || kind == TRACE_REALLOC)
		at += trace_put(at, order - object);
	if (kind == TRACE_ALIGNED)
		at += trace_put(at, align);
	if (kind != TRACE_FREE && kind != TRACE_THREAD)
		at += trace_put(at, size < UINT32_MAX ? size : UINT32_MAX);
	b->last = order;
	b->events++;
	b->used += (size_t)(at - from);
}

bool record_event(enum trace_kind kind, uint32_t object, unsigned int align, size_t size,
		  uint32_t *order)
{
	struct record_buffer *b;
	uint64_t number;

	if (!record_self.number) {
		uint32_t self = record_thread_number();

		record_self.number = self;
		if (self > 1 && !record_event(TRACE_THREAD, self - 1, 0, 0, order))
			return false;
	}
	b = record_self.buffer ? record_self.buffer : new_buffer();
	if (!b) {
		atomic_store(&active, false);
		return false;
	}
	record_lock_take(&b->lock);
	if (!atomic_load_explicit(&active, memory_order_relaxed)) {
		record_lock_drop(&b->lock);
		return false;
	}
	if (b->used + HEADER_MAX + TRACE_EVENT_MAX > sizeof(b->bytes))
		flush(b);
	number = atomic_fetch_add_explicit(&next_event, 1, memory_order_relaxed);
	if (number < most_events)
		encode(b, number, kind, object, align, size);
	else
		atomic_store(&active, false);
	record_lock_drop(&b->lock);
	*order = (uint32_t)number;
	return number < most_events;
}

bool record_stream_start(const char *file, uint64_t most)
{
	struct bma_cache_attr attr;
	long fd;

	memset(&attr, 0, sizeof(attr));
	attr.attr_size = sizeof(attr);
	attr.name = "trace-buffers";
	attr.size = sizeof(struct record_buffer);
	cache = bma_cache_create(&attr);
	if (!cache || pthread_key_create(&ending, end_thread) ||
	    snprintf(path, sizeof(path), "%s", file) >= (int)sizeof(path))
		return false;
	fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return false;
	syscall(SYS_close, (int)fd);
	write_out((const unsigned char *)TRACE_MAGIC, TRACE_MAGIC_SIZE);
	most_events = most;
	record_self.number = record_thread_number();
	atomic_store(&active, !atomic_load(&failed));
	return atomic_load(&active);
}

void record_stream_forget(void)
{
	atomic_store(&active, false);
}

void record_stream_finish(void)
{
	unsigned char mark[2 * TRACE_NUMBER_MAX];
	uint64_t total;
	size_t n;

	atomic_store(&active, false);
	/* A signal handler that ends the process may have interrupted the holder of a lock. */
	if (record_lock_try(&list_lock)) {
		for (struct record_buffer *b = list; b; b = b->next) {
			if (record_lock_try(&b->lock)) {
				flush(b);
				record_lock_drop(&b->lock);
			} else {
				atomic_store(&failed, true);
			}
		}
		record_lock_drop(&list_lock);
	} else {
		atomic_store(&failed, true);
	}
	if (atomic_load(&failed)) {
		dprintf(STDERR_FILENO, "trace: %s is not complete\n", path);
		return;
	}
	total = atomic_load(&next_event);
	n = trace_put(mark, 0);
	n += trace_put(mark + n, total < most_events ? total : most_events);
	write_out(mark, n);
}
