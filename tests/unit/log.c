/* SPDX-License-Identifier: MIT */
/* Messages: lines that are too long, or cannot be made, writes that are interrupted; lists of what is live. */
#include <bma/bma.h>

#include "base/log.h"
#include "said.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <wchar.h>

static int interrupted;

/* In the place of the C library's. */
ssize_t write(int fd, const void *data, size_t n)
{
	if (interrupted && interrupted--) {
		errno = EINTR;
		return -1;
	}
	return syscall(SYS_write, fd, data, n);
}

static void long_line(void)
{
	bma__log_line("%02000d", 5);
}

Test(log, a_long_line_is_cut_and_ends)
{
	listen_to(long_line);
	cr_assert_eq(strlen(said), 511, "%zu", strlen(said));
	cr_assert_eq(strncmp(said, "bma: 000", 8), 0);
	cr_assert_eq(said[510], '\n');
}

static void no_line(void)
{
	static const wchar_t bad[] = {0x7fffff00, 0};

	errno = 4711;
	bma__log_line("%ls", bad);
	cr_assert_eq(errno, 4711);
}

Test(log, what_cannot_be_printed_is_an_empty_line)
{
	listen_to(no_line);
	cr_assert_str_eq(said, "bma: \n");
}

static void interrupted_line(void)
{
	interrupted = 3;
	errno = 4711;
	bma__log_line("one");
	cr_assert_eq(errno, 4711);
}

Test(log, a_write_that_is_interrupted_is_made_again)
{
	listen_to(interrupted_line);
	cr_assert_eq(interrupted, 0);
	cr_assert_str_eq(said, "bma: one\n");
}

static struct bma_cache *cache;

/* One call stack for each @path: its bits choose between two functions, which differ so that they stay two. */
static volatile int turns[2];
static void *take_right(unsigned int path, int left);

static __attribute__((noinline)) void *take_left(unsigned int path, int left)
{
	void *obj;

	if (!left)
		obj = bma_cache_alloc_flags(cache, BMA_SLEEP);
	else if (path & 1)
		obj = take_right(path / 2, left - 1);
	else
		obj = take_left(path / 2, left - 1);
	turns[0]++;
	return obj;
}

static __attribute__((noinline)) void *take_right(unsigned int path, int left)
{
	void *obj;

	if (!left)
		obj = bma_cache_alloc_flags(cache, BMA_SLEEP);
	else if (path & 1)
		obj = take_right(path / 2, left - 1);
	else
		obj = take_left(path / 2, left - 1);
	turns[1]++;
	return obj;
}

static void leave(void)
{
	cr_assert_eq(bma_cache_destroy(cache), -EBUSY);
}

static void leak(unsigned int places)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = "cache", .size = 64, .flags = BMA_CACHE_TRACK};

	setenv("BMA_CONF", "worker:off", 1);
	cache = bma_cache_create(&a);
	cr_assert_not_null(cache);
	for (unsigned int i = 0; i < places; i++)
		cr_assert_not_null(take_left(i, 5));
	listen_to(leave);
}

Test(log, live_objects_are_listed_by_place)
{
	leak(3);
	cr_assert_eq(times_said("bma: cache \"cache\": 1 live objects, 64 bytes\n"), 3, "%s", said);
	cr_assert_eq(times_said("allocated by thread"), 3);
}

Test(log, places_that_are_too_many_are_one)
{
	leak(20);
	cr_assert_eq(times_said("bma: cache \"cache\": "), 16, "%s", said);
	cr_assert_eq(times_said("5 live objects, 320 bytes of this and other places\n"), 1);
}
