/* SPDX-License-Identifier: MIT */
/*
 * The functions whose place we take, found by dlsym() on the first call. dlsym() may itself call
 * calloc, and other libraries' constructors allocate before ours has run: what is asked for in
 * between comes from a small buffer and stays there.
 */
#include "record.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EARLY_SIZE 32768
#define EARLY_ALIGN 16

static struct {
	void *(*malloc)(size_t size);
	void *(*calloc)(size_t n, size_t size);
	void *(*realloc)(void *p, size_t size);
	void (*free)(void *p);
	void *(*aligned_alloc)(size_t align, size_t size);
	void *(*memalign)(size_t align, size_t size);
	int (*posix_memalign)(void **p, size_t align, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
	size_t (*usable)(void *p);
} real;

static _Alignas(EARLY_ALIGN) char early[EARLY_SIZE];
static size_t early_used;

/* The loader calls us before there are threads, and main() comes after our constructor. */
static bool resolve(void)
{
	static enum { UNKNOWN, AT_IT, KNOWN } state;

	if (__builtin_expect(state == KNOWN, 1))
		return true;
	if (state == AT_IT)
		return false;
	state = AT_IT;
	*(void **)&real.malloc = dlsym(RTLD_NEXT, "malloc");
	*(void **)&real.calloc = dlsym(RTLD_NEXT, "calloc");
	*(void **)&real.realloc = dlsym(RTLD_NEXT, "realloc");
	*(void **)&real.free = dlsym(RTLD_NEXT, "free");
	*(void **)&real.aligned_alloc = dlsym(RTLD_NEXT, "aligned_alloc");
	*(void **)&real.memalign = dlsym(RTLD_NEXT, "memalign");
	*(void **)&real.posix_memalign = dlsym(RTLD_NEXT, "posix_memalign");
	*(void **)&real.valloc = dlsym(RTLD_NEXT, "valloc");
	*(void **)&real.pvalloc = dlsym(RTLD_NEXT, "pvalloc");
	*(void **)&real.usable = dlsym(RTLD_NEXT, "malloc_usable_size");
	if (!real.malloc || !real.calloc || !real.realloc || !real.free) {
		static const char text[] = "trace: there is no malloc to be recorded\n";

		if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
			abort();
		abort();
	}
	state = KNOWN;
	return true;
}

static bool is_early(const void *p)
{
	return (const char *)p >= early && (const char *)p < early + EARLY_SIZE;
}

/* Zeroed. The size stands before the object. */
static void *early_alloc(size_t align, size_t size)
{
	size_t at;

	if (align < EARLY_ALIGN)
		align = EARLY_ALIGN;
	at = (early_used + sizeof(size) + align - 1) & ~(align - 1);
	if (at > EARLY_SIZE || size > EARLY_SIZE - at) {
		errno = ENOMEM;
		return NULL;
	}
	early_used = at + size;
	memcpy(early + at - sizeof(size), &size, sizeof(size));
	return early + at;
}

static size_t early_size(const void *p)
{
	size_t size;

	memcpy(&size, (const char *)p - sizeof(size), sizeof(size));
	return size;
}

void *record_real_malloc(size_t size)
{
	return resolve() ? real.malloc(size) : early_alloc(EARLY_ALIGN, size);
}

void *record_real_calloc(size_t n, size_t size)
{
	if (resolve())
		return real.calloc(n, size);
	return size && n > EARLY_SIZE / size ? NULL : early_alloc(EARLY_ALIGN, n * size);
}

void *record_real_realloc(void *p, size_t size)
{
	bool known = resolve();
	void *other;

	if (known && !is_early(p))
		return real.realloc(p, size);
	other = known ? real.malloc(size) : early_alloc(EARLY_ALIGN, size);
	if (other && p)
		memcpy(other, p, early_size(p) < size ? early_size(p) : size);
	return other;
}

void record_real_free(void *p)
{
	if (!is_early(p) && resolve())
		real.free(p);
}

void *record_real_aligned_alloc(size_t align, size_t size)
{
	return resolve() ? real.aligned_alloc(align, size) : early_alloc(align, size);
}

void *record_real_memalign(size_t align, size_t size)
{
	return resolve() ? real.memalign(align, size) : early_alloc(align, size);
}

int record_real_posix_memalign(void **p, size_t align, size_t size)
{
	if (resolve())
		return real.posix_memalign(p, align, size);
	*p = early_alloc(align, size);
	return *p ? 0 : ENOMEM;
}

void *record_real_valloc(size_t size)
{
	return resolve() ? real.valloc(size) : NULL;
}

void *record_real_pvalloc(size_t size)
{
	return resolve() ? real.pvalloc(size) : NULL;
}

size_t record_real_usable(void *p)
{
	if (is_early(p))
		return early_size(p);
	return p && resolve() ? real.usable(p) : 0;
}
