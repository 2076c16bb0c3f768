/* SPDX-License-Identifier: MIT */
/*
 * What is said of an address whose touch is a SIGSEGV, and that memory is guarded as it should be. The handler is
 * called by hand, so that the process lives to tell; tests/misuse touches.
 */
#include <bma/bma.h>

#include "base/guard.h"
#include "said.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define SIZE 64
#define PAGE 4096

static struct bma_cache *cache;
static char *obj;
static const char *at;

/* Is the page of @p there for the asking? A system call tells by EFAULT. */
static bool is_open(const void *p)
{
	int fd[2];
	bool yes;

	cr_assert_eq(pipe(fd), 0);
	yes = write(fd[1], p, 1) == 1;
	close(fd[0]);
	close(fd[1]);
	return yes;
}

static void start(size_t size, size_t align, uint64_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .name = "cache",
				   .size = size,
				   .align = align,
				   .flags = BMA_CACHE_GUARD | flags};

	setenv("BMA_CONF", "worker:off", 1);
	signal(SIGSEGV, SIG_DFL); /* the test's framework has one */
	cache = bma_cache_create(&a);
	cr_assert_not_null(cache);
	obj = bma_cache_alloc_flags(cache, BMA_SLEEP);
	cr_assert_not_null(obj);
}

static void fault(void)
{
	siginfo_t info = {.si_addr = (void *)(uintptr_t)at};
	struct sigaction now;

	cr_assert_eq(sigaction(SIGSEGV, NULL, &now), 0);
	cr_assert(now.sa_flags & SA_SIGINFO, "the library has a handler");
	now.sa_sigaction(SIGSEGV, &info, NULL);
	cr_assert_eq(sigaction(SIGSEGV, NULL, &now), 0);
	cr_assert(now.sa_handler == SIG_DFL, "once");
}

static void touch(const char *address)
{
	at = address;
	listen_to(fault);
}

static void expect(const char *format)
{
	char line[200];

	snprintf(line, sizeof line, format, (void *)obj);
	cr_assert_eq(times_said(line), 1, "said: %s", said);
}

Test(touched, behind_an_object)
{
	start(SIZE, 0, 0);
	touch(obj + SIZE + 5);
	expect("bma: cache \"cache\": object %p of 64 bytes: byte 5 behind its end was touched\n");
}

Test(touched, before_an_object)
{
	start(SIZE, 0, 0);
	touch(obj - 3);
	expect("bma: cache \"cache\": object %p of 64 bytes: byte 3 before it was touched\n");
}

Test(touched, an_object_that_is_free)
{
	start(SIZE, 0, BMA_CACHE_TRACK);
	bma_cache_free(cache, obj);
	touch(obj + 9);
	expect("bma: cache \"cache\": object %p of 64 bytes: byte 9 was touched, and nobody has "
	       "the object\n");
	cr_assert_eq(times_said("  allocated by thread "), 1);
	cr_assert_eq(times_said("  freed by thread "), 1);
}

Test(touched, what_is_not_guarded_is_not_ours_to_tell)
{
	struct bma_cache_attr plain = {.attr_size = sizeof plain, .size = SIZE};
	struct bma_cache *other;

	start(SIZE, 0, 0);
	other = bma_cache_create(&plain);
	touch(bma_cache_alloc_flags(other, BMA_SLEEP));
	cr_assert_str_empty(said);
}

Test(touched, nobodys_address_is_not_either)
{
	start(SIZE, 0, 0);
	touch((char *)16);
	cr_assert_str_empty(said);
}

static void pages_are_guarded(size_t size, size_t align)
{
	size_t end;

	start(size, align, 0);
	end = (size_t)(PAGE - ((uintptr_t)obj + size) % PAGE) % PAGE;
	cr_assert(align <= PAGE ? end < (align > 16 ? align : 16) : end < align);
	cr_assert_eq((uintptr_t)obj % (align ? align : 8), 0);
	cr_assert(is_open(obj) && is_open(obj + size - 1));
	cr_assert_not(is_open(obj + size + end));
	bma_cache_free_rcu(cache, obj);
	cr_assert(is_open(obj), "readers may look");
	cr_assert_eq(bma_rcu_barrier(cache), 0);
	cr_assert_not(is_open(obj) || is_open(obj + size - 1));
	cr_assert_eq(bma_cache_destroy(cache), 0);
}

Test(touched, pages_of_a_small_object)
{
	pages_are_guarded(SIZE, 0);
}

Test(touched, pages_of_a_large_object)
{
	pages_are_guarded(300000, 0);
}

Test(touched, pages_of_an_aligned_object)
{
	pages_are_guarded(5000, 1 << 14);
}

static int seen;

static void construct(void *p, void *ctx)
{
	(void)ctx;
	memset(p, 7, SIZE);
}

static void destruct(void *p, void *ctx)
{
	(void)ctx;
	seen += *(char *)p == 7;
}

/* Around both the pages are open, though nobody has the object. */
Test(touched, constructors_and_destructors_may_touch)
{
	struct bma_cache_attr a = {.attr_size = sizeof a,
				   .size = SIZE,
				   .flags = BMA_CACHE_GUARD,
				   .ctor = construct,
				   .dtor = destruct};
	char *p;

	setenv("BMA_CONF", "worker:off", 1);
	cache = bma_cache_create(&a);
	p = bma_cache_alloc_flags(cache, BMA_SLEEP);
	cr_assert_eq(*p, 7);
	bma_cache_free(cache, p);
	cr_assert_not(is_open(p));
	cr_assert_eq(bma_cache_destroy(cache), 0);
	cr_assert_gt(seen, 0);
}

/* Too many mappings: objects that cannot be guarded are not handed out as if they were. */
static void no_such_memory(void)
{
	bma__guard_close((void *)(uintptr_t)(1ull << 60), 1);
}

Test(touched, a_refused_guard_aborts, .signal = SIGABRT)
{
	no_such_memory();
}
