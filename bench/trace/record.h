/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the recorder know of each other. It is preloaded, and takes the place of the
 * program's malloc: whatever it needs itself comes from BMA caches.
 */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "format.h"

#include <stdatomic.h>

/* On what takes the place of a function of that name. */
#define RECORD_INTERPOSED __attribute__((visibility("default")))

/*
 * What this thread is doing. @inside: within the recorder or within the real malloc, where calls
 * are not the program's; @number: of the thread plus 1, 0: not known yet.
 */
struct record_self {
	bool inside;
	uint32_t number;
	struct record_buffer *buffer;
};

/* Preloaded libraries have their place in every thread from the start: no call, no allocation. */
extern __thread struct record_self record_self __attribute__((tls_model("initial-exec")));

/* record_stream.c: events on their way to the file. */
bool record_stream_start(const char *path, uint64_t most);
/* Nothing is recorded from here on; write out what there is and end the file. Any thread, once. */
void record_stream_finish(void);
/* In a child: it records nothing, and leaves the file alone. */
void record_stream_forget(void);
bool record_active(void);
/* A number for a thread that is not known yet; plus 1, as in record_self. */
uint32_t record_thread_number(void);
/*
 * One event of this thread. @object: of kinds that take one its number, of THREAD the new one's.
 * False: it is not recorded. *@order: its own number.
 */
bool record_event(enum trace_kind kind, uint32_t object, unsigned int align, size_t size,
		  uint32_t *order);

/* record_objects.c: which object is at an address. */
bool record_objects_start(void);
struct record_object;
/* To be had before the event is recorded, so that it is recorded only if it can be remembered. */
struct record_object *record_object_new(void);
void record_object_drop(struct record_object *object);
void record_object_put(struct record_object *object, const void *at, uint32_t number);
/* NULL: none that we know. Afterwards there is none. */
struct record_object *record_object_take(const void *at);
uint32_t record_object_number(const struct record_object *object);
const void *record_object_at(const struct record_object *object);

/* record_thread.c: who creates threads. */
bool record_thread_start(void);

/* record_real.c: the functions whose place we take. */
void *record_real_malloc(size_t size);
void *record_real_calloc(size_t n, size_t size);
void *record_real_realloc(void *p, size_t size);
void record_real_free(void *p);
void *record_real_aligned_alloc(size_t align, size_t size);
void *record_real_memalign(size_t align, size_t size);
int record_real_posix_memalign(void **p, size_t align, size_t size);
void *record_real_valloc(size_t size);
void *record_real_pvalloc(size_t size);
size_t record_real_usable(void *p);

/* Locks: short, and not held across anything that blocks but a write to the file. */
typedef atomic_uint record_lock;
void record_lock_take(record_lock *lock);
/* False: somebody holds it for longer than a second. */
bool record_lock_try(record_lock *lock);
void record_lock_drop(record_lock *lock);

#endif /* TRACE_RECORD_H */
