/* SPDX-License-Identifier: MIT */
/* Tools that watch memory, see tools.h. */
#include "base.h"

struct bma__tools bma__tools;

#ifdef BMA_NO_TOOLS

void bma__tools_init(void)
{
}

void bma__tools_slab(void *base, size_t bytes, bool begins)
{
	(void)base, (void)bytes, (void)begins;
}

void bma__tools_pool(const void *pool, bool begins)
{
	(void)pool, (void)begins;
}

void bma__tools_taken(const void *pool, void *obj, size_t size, bool fresh)
{
	(void)pool, (void)obj, (void)size, (void)fresh;
}

void bma__tools_given(const void *pool, void *obj, size_t size)
{
	(void)pool, (void)obj, (void)size;
}

void bma__tools_forget(void *objs, size_t size)
{
	(void)objs, (void)size;
}

void bma__tools_open(void *obj, size_t size)
{
	(void)obj, (void)size;
}

void bma__tools_close(void *obj, size_t size)
{
	(void)obj, (void)size;
}

#else

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define IF_VALGRIND(request)                                                                       \
	do {                                                                                       \
		if (bma__tools.valgrind)                                                           \
			request;                                                                   \
	} while (0)
#else
#define RUNNING_ON_VALGRIND 0
#define IF_VALGRIND(request) ((void)0)
#endif

/* Their names and types are those of the sanitizers' interface headers. */
extern void __asan_poison_memory_region(const volatile void *p, size_t n) __attribute__((weak));
extern void __asan_unpoison_memory_region(const volatile void *p, size_t n) __attribute__((weak));
extern void __lsan_register_root_region(const void *p, size_t n) __attribute__((weak));
extern void __lsan_unregister_root_region(const void *p, size_t n) __attribute__((weak));
extern void __msan_allocated_memory(const volatile void *p, size_t n) __attribute__((weak));

void bma__tools_init(void)
{
	bma__tools.address = __asan_poison_memory_region && __asan_unpoison_memory_region;
	bma__tools.memory = __msan_allocated_memory != NULL;
	bma__tools.valgrind = RUNNING_ON_VALGRIND != 0;
	bma__tools.any =
		bma__env.tools && (bma__tools.address || bma__tools.memory || bma__tools.valgrind);
	if (!bma__tools.any)
		bma__tools = (struct bma__tools){0};
}

static void shut(void *p, size_t n)
{
	if (bma__tools.address)
		__asan_poison_memory_region(p, n);
	IF_VALGRIND(VALGRIND_MAKE_MEM_NOACCESS(p, n));
}

static void open(void *p, size_t n)
{
	if (bma__tools.address)
		__asan_unpoison_memory_region(p, n);
}

void bma__tools_slab(void *base, size_t bytes, bool begins)
{
	if (!bma__tools.any)
		return;
	if (begins) {
		shut(base, bytes);
		/* What objects point to is not lost. */
		if (__lsan_register_root_region)
			__lsan_register_root_region(base, bytes);
		return;
	}
	open(base, bytes);
	IF_VALGRIND(VALGRIND_MAKE_MEM_UNDEFINED(base, bytes));
	if (__lsan_unregister_root_region)
		__lsan_unregister_root_region(base, bytes);
}

void bma__tools_pool(const void *pool, bool begins)
{
	(void)pool;
	if (begins)
		IF_VALGRIND(VALGRIND_CREATE_MEMPOOL(pool, 0, 0));
	else
		IF_VALGRIND(VALGRIND_DESTROY_MEMPOOL(pool));
}

void bma__tools_taken(const void *pool, void *obj, size_t size, bool fresh)
{
	(void)pool;
	open(obj, size);
	if (bma__tools.memory && fresh)
		__msan_allocated_memory(obj, size);
	IF_VALGRIND(VALGRIND_MEMPOOL_ALLOC(pool, obj, size));
	if (!fresh)
		IF_VALGRIND(VALGRIND_MAKE_MEM_DEFINED(obj, size));
}

void bma__tools_given(const void *pool, void *obj, size_t size)
{
	(void)pool;
	IF_VALGRIND(VALGRIND_MEMPOOL_FREE(pool, obj));
	if (bma__tools.address)
		__asan_poison_memory_region(obj, size);
}

/* memcheck looks for pointers in all memory that was written. */
void bma__tools_forget(void *objs, size_t size)
{
	(void)objs, (void)size;
	IF_VALGRIND(VALGRIND_MAKE_MEM_UNDEFINED(objs, size));
}

void bma__tools_open(void *obj, size_t size)
{
	if (!bma__tools.any)
		return;
	open(obj, size);
	IF_VALGRIND(VALGRIND_MAKE_MEM_DEFINED(obj, size));
}

void bma__tools_close(void *obj, size_t size)
{
	if (bma__tools.any)
		shut(obj, size);
}

#endif /* BMA_NO_TOOLS */
