/* SPDX-License-Identifier: MIT */
/* How long callers waited, and who is told. */
#include "cache/cache.h"
#include "oom.h"

#define MS ((uint64_t)1000000)

static struct bma_group *g, *below;
static uint64_t begun;

static void plant(void)
{
	g = make(NULL, "g");
	below = make(g, "below");
	begun = bma__os_now();
}

/* @ns were waited until @ms after the beginning. */
static void waited(struct bma_group *group, uint64_t ns, uint64_t ms)
{
	bma__stall_add(group, ns, begun + ms * MS);
}

Test(oom_stall, counted_for_all_above)
{
	plant();
	waited(below, 5, 0);
	waited(g, 7, 0);
	cr_assert_eq(oom_of(below).stall_ns, 5);
	cr_assert_eq(oom_of(g).stall_ns, 12);
	cr_assert_eq(oom_of(bma_group_root()).stall_ns, 12);
	cr_assert_eq(bma_group_destroy(below), 0);
	waited(below, 5, 0);
	cr_assert_eq(oom_of(g).stall_ns, 12, "it is gone");
}

Test(oom_stall, a_trigger)
{
	int fd = event_fd();

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 10 * MS, 100 * MS, fd), 0);
	waited(below, 9 * MS, 10);
	cr_assert_eq(told(fd), 0);
	waited(below, 1 * MS, 20);
	cr_assert_eq(told(fd), 1);
	waited(below, 50 * MS, 90);
	cr_assert_eq(told(fd), 0, "once a window");
	waited(below, 1 * MS, 130);
	cr_assert_eq(told(fd), 1, "most of the 60 ms lies within the last 100");
	waited(below, 1 * MS, 500);
	cr_assert_eq(told(fd), 0, "long ago");
	waited(below, 8 * MS, 510);
	cr_assert_eq(told(fd), 0);
	waited(below, 2 * MS, 520);
	cr_assert_eq(told(fd), 1);
}

Test(oom_stall, what_was_waited_in_the_window_before_fades)
{
	int fd = event_fd();

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 60 * MS, 1000 * MS, fd), 0);
	waited(g, 50 * MS, 100);
	cr_assert_eq(told(fd), 0);
	/* 80% into the next window: 10 of the 50 count. */
	waited(g, 45 * MS, 1850);
	cr_assert_eq(told(fd), 0);
	waited(g, 8 * MS, 1850);
	cr_assert_eq(told(fd), 1);
}

Test(oom_stall, a_long_wait_counts_for_a_window_only)
{
	int fd = event_fd();

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 90 * MS, 100 * MS, fd), 0);
	waited(g, 5000 * MS, 5000);
	cr_assert_eq(told(fd), 1);
	waited(g, 1, 5001);
	waited(g, 1, 5150);
	cr_assert_eq(told(fd), 0, "not for ever after");
	/* Times that come out of order do no harm. */
	waited(g, 1, 4000);
	cr_assert_eq(told(fd), 0);
}

Test(oom_stall, triggers_end)
{
	int fd = event_fd(), other = event_fd();

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS, fd), 0);
	cr_assert_eq(bma_pressure_trigger(g, 2, 100 * MS, fd), 0);
	cr_assert_eq(bma_pressure_trigger(below, 1, 100 * MS, other), 0);
	cr_assert_eq(bma_pressure_untrigger(g, other), -ENOENT);
	cr_assert_eq(bma_pressure_untrigger(g, -1), -ENOENT);
	waited(below, 5, 0);
	cr_assert_eq(told(fd), 2);
	cr_assert_eq(told(other), 1);
	cr_assert_eq(bma_pressure_untrigger(g, fd), 0);
	cr_assert_eq(bma_pressure_untrigger(g, fd), -ENOENT);
	waited(below, 5, 1000);
	cr_assert_eq(told(fd), 0);
	cr_assert_eq(told(other), 1);
	cr_assert_eq(bma_group_destroy(below), 0);
	waited(g, 5, 2000);
	cr_assert_eq(told(other), 0);
	cr_assert_eq(bma_pressure_untrigger(below, other), -ESTALE);
}

Test(oom_stall, what_triggers_refuse)
{
	int fd = event_fd(), blocking = eventfd(0, 0);

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 0, 100 * MS, fd), -EINVAL);
	cr_assert_eq(bma_pressure_trigger(g, 101 * MS, 100 * MS, fd), -EINVAL);
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS - 1, fd), -EINVAL);
	cr_assert_eq(bma_pressure_trigger(g, 1, 10000 * MS + 1, fd), -EINVAL);
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS, blocking), -EINVAL);
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS, -1), -EBADF);
	for (int i = 0; i < 8; i++)
		cr_assert_eq(bma_pressure_trigger(g, 10000 * MS, 10000 * MS, fd), 0);
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS, fd), -ENOSPC);
	cr_assert_eq(bma_group_destroy(below), 0);
	cr_assert_eq(bma_pressure_trigger(below, 1, 100 * MS, fd), -ESTALE);
}

/* A descriptor that takes no more, or is none any more, stops nobody. */
Test(oom_stall, full_descriptors)
{
	const uint64_t most = UINT64_MAX - 1;
	int fd = event_fd();

	plant();
	cr_assert_eq(bma_pressure_trigger(g, 1, 100 * MS, fd), 0);
	cr_assert_eq(write(fd, &most, sizeof most), (ssize_t)sizeof most);
	errno = 55;
	waited(g, 5, 0);
	close(fd);
	waited(g, 5, 1000);
	cr_assert_eq(errno, 55);
}

static uint64_t slow(uint64_t bytes, void *ctx)
{
	bma__os_sleep(30 * MS);
	return tenant_release(bytes, ctx);
}

/* By callers that do wait: for a victim, and for being slowed down. */
Test(oom_stall, what_is_waited)
{
	struct bma_group *top = make_limited(NULL, "top", 16 * KIB);
	struct tenant *t = tenant(top, "t", 0);
	int fd = event_fd();
	uint64_t before;

	cr_assert_eq(bma_oom_set_release(t->group, slow, t, 0), 0);
	cr_assert_eq(bma_pressure_trigger(top, 20 * MS, 10000 * MS, fd), 0);
	fill(t, 16);
	before = oom_of(top).stall_ns;
	cr_assert_eq(told(fd), 0);
	cr_assert_not_null(take(t));
	cr_assert_geq(oom_of(top).stall_ns - before, 30 * MS);
	cr_assert_eq(told(fd), 1);
	before = oom_of(top).stall_ns;
	cr_assert_eq(bma_group_set(top, BMA_GROUP_HIGH, 1), 0);
	fill(t, 2);
	cr_assert_geq(oom_of(top).stall_ns - before, 100 * MS);
	cr_assert_geq(stat_of(top).throttled_ns, 100 * MS);
}
