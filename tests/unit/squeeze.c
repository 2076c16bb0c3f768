/* SPDX-License-Identifier: MIT */
/* Memory pressure: where the system tells it, and what is done then. */
#include "cache/cache.h"

#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000u
#define PROC "35 1 0:31 / /proc rw - proc proc rw\n"

static void path_is(const char *cgroup, const char *mounts, const char *want)
{
	char c[512], m[1024], path[256] = "";
	int rc;

	strcpy(c, cgroup);
	strcpy(m, mounts);
	rc = bma__psi_path(c, m, path, sizeof path);
	cr_assert_eq(rc, want ? 0 : -ENOENT, "%d: %s", rc, cgroup);
	cr_assert_str_eq(path, want ? want : "");
}

Test(psi, the_file_is_that_of_the_own_group)
{
	static const char plain[] =
		PROC "36 25 0:32 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";

	path_is("0::/user.slice/a\n", plain, "/sys/fs/cgroup/user.slice/a/memory.pressure");
	path_is("12:memory:/x\n1:cpu:/\n0::/\n", plain, "/sys/fs/cgroup/memory.pressure");
	path_is("0::/a", PROC "36 25 0:32 / /my\\040dir rw - cgroup2 none rw",
		"/my dir/a/memory.pressure");
	/* A mount that begins further down, as containers have it. */
	path_is("0::/box/7/a\n", "36 25 0:32 /box/7 /cg rw - cgroup2 cgroup2 rw\n",
		"/cg/a/memory.pressure");
	path_is("0::/box/7\n", "36 25 0:32 /box/7 /cg rw - cgroup2 cgroup2 rw\n",
		"/cg/memory.pressure");
	/* Not what only begins with the same letters. */
	path_is("0::/box/77\n", "36 25 0:32 /box/7 /cg rw - cgroup2 cgroup2 rw\n", NULL);
	path_is("0::/box/77\n",
		"36 25 0:32 /box/7 /cg rw - cgroup2 a rw\n37 25 0:32 /box /d rw - cgroup2 a rw\n",
		"/d/77/memory.pressure");
	path_is("4:memory:/x\n", plain, NULL);
	path_is("0::/a\n", PROC "36 25 0:32 / /cg rw - cgroup cgroup rw,memory\n", NULL);
	path_is("0::/a\n", "36 25 0:32 / - cgroup2 a rw\n", NULL);
	path_is("", "", NULL);
}

Test(psi, a_path_that_is_too_long_is_none)
{
	char c[] = "0::/a", m[] = "36 25 0:32 / /sys/fs/cgroup rw - cgroup2 a rw", path[20];

	cr_assert_eq(bma__psi_path(c, m, path, sizeof path), -ENAMETOOLONG);
}

static char asked_for[8][96];
static int asks, succeeds_at, own_rc;

static int fake_read(const char *path, char *text, size_t room)
{
	if (own_rc)
		return own_rc;
	strcpy(text,
	       strstr(path, "mountinfo") ? "36 25 0:32 / /cg rw - cgroup2 a rw\n" : "0::/a\n");
	cr_assert_gt(room, 4096);
	return (int)strlen(text);
}

static int fake_watch(const char *path, const char *what)
{
	snprintf(asked_for[asks % 8], sizeof asked_for[0], "%s: %s", path, what);
	return asks++ == succeeds_at ? open("/dev/null", O_RDWR) : -EINVAL;
}

Test(psi, one_after_the_other_is_tried)
{
	static const char *const order[] = {
		"/cg/a/memory.pressure: some 100000 1000000",
		"/cg/a/memory.pressure: some 200000 2000000",
		"/proc/pressure/memory: some 100000 1000000",
		"/proc/pressure/memory: some 200000 2000000",
	};

	bma__os.read = fake_read;
	bma__os.watch = fake_watch;
	for (int n = 0; n <= 4; n++) {
		asks = 0;
		succeeds_at = n;
		cr_assert_eq(bma__psi_open() < 0, n == 4);
		cr_assert_eq(asks, n < 4 ? n + 1 : 4);
		for (int i = 0; i < asks; i++)
			cr_assert_str_eq(asked_for[i], order[i]);
	}
	own_rc = -EACCES;
	asks = succeeds_at = 0;
	cr_assert_geq(bma__psi_open(), 0);
	cr_assert_str_eq(asked_for[0], order[2]);
	own_rc = 0;
}

/* The system's word: a descriptor that can be read means pressure. */
static int pressure_fd = -1, fail_waits;

static int watch_ours(const char *path, const char *what)
{
	(void)path, (void)what;
	return fcntl(pressure_fd, F_DUPFD_CLOEXEC, 0);
}

static int no_watch(const char *path, const char *what)
{
	(void)path, (void)what;
	return -ENOENT;
}

#include <poll.h>

static int wait_ours(int told, int stop, int ms)
{
	struct pollfd fds[] = {{told, POLLIN, 0}, {stop, POLLIN, 0}};
	uint64_t n;

	if (fail_waits)
		return -ENOMEM;
	if (poll(fds, 2, ms) < 0)
		return -errno;
	if (fds[1].revents)
		return BMA__WAIT_STOP;
	return fds[0].revents && read(told, &n, sizeof n) > 0 ? BMA__WAIT_TOLD : BMA__WAIT_NOTHING;
}

static void press(void)
{
	uint64_t one = 1;

	cr_assert_eq(write(pressure_fd, &one, sizeof one), sizeof one);
}

static struct bma_stats figures(void)
{
	struct bma_stats s;

	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	return s;
}

static struct bma_cache *pressed(const char *conf)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 256};
	struct bma_cache *c;

	pressure_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	bma__os.watch = watch_ours;
	bma__os.wait = wait_ours;
	setenv("BMA_CONF", conf, 1);
	c = bma_cache_create(&a);
	cr_assert_not_null(c);
	return c;
}

static void nap(void)
{
	bma__os_sleep(MS);
}

enum { N = 40000 };

static void spend(struct bma_cache *c)
{
	static void *objs[N];

	for (int i = 0; i < N; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		memset(objs[i], 1, 256);
	}
	for (int i = 0; i < N; i++)
		bma_cache_free(c, objs[i]);
}

/* In each chunk there is a slab, but for one chunk that is kept. */
static bool chunks_are_used(void)
{
	struct bma_stats s = figures();

	return s.chunk_bytes / BMA__CHUNK_SIZE <= s.slab_bytes / BMA__UNIT_SIZE + 1;
}

/* Nothing would be given back for ten minutes. */
Test(pressure, memory_goes_at_once, .timeout = 60)
{
	struct bma_cache *c = pressed("pressure:on,purge_ms:600000");
	uint64_t purged;

	spend(c);
	while (figures().dirty_bytes < 4 << 20)
		nap();
	purged = figures().purged_bytes;
	cr_assert_eq(figures().pressure_events, 0);
	press();
	while (figures().dirty_bytes || !chunks_are_used())
		nap();
	cr_assert_eq(figures().pressure_events, 1);
	cr_assert_gt(figures().purged_bytes, purged + (4 << 20));
	/* The stock stays. */
	cr_assert_not_null(bma_cache_alloc(c));
}

Test(pressure, slots_are_emptied_and_the_stock_is_there, .timeout = 60)
{
	struct bma_cache *c = pressed("pressure:on,purge_ms:600000");
	struct bma_cache_stats s;
	void *p[300];

	spend(c);
	do {
		nap();
		bma_cache_stats_get(c, &s, sizeof s);
	} while (s.depot > s.depot_target);
	cr_assert_gt(s.cached, s.depot, "the slot has some");
	press();
	do {
		nap();
		bma_cache_stats_get(c, &s, sizeof s);
	} while (s.cached > s.depot || figures().pressure_events != 1);
	cr_assert_gt(s.depot, 300);
	for (int i = 0; i < 300; i++) {
		p[i] = bma_cache_alloc(c);
		cr_assert_not_null(p[i]);
	}
}

static int always_pressed(int told, int stop, int ms)
{
	return told >= 0 ? BMA__WAIT_TOLD : wait_ours(-1, stop, ms);
}

Test(pressure, not_more_often_than_every_100_ms, .timeout = 60)
{
	uint64_t begun, before, n;

	pressed("pressure:on");
	bma__os.wait = always_pressed;
	press();
	while (!figures().pressure_events)
		nap();
	begun = bma__os_now();
	before = figures().pressure_events;
	while ((n = figures().pressure_events - before) < 5)
		nap();
	cr_assert_leq(n, (bma__os_now() - begun) / (100 * MS) + 1);
}

static int descriptors(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(pressure, the_thread_ends_and_comes_back, .timeout = 60)
{
	struct bma_cache *c = pressed("pressure:on");
	int before;

	press();
	while (figures().pressure_events != 1)
		nap();
	cr_assert_eq(bma_shutdown(), 0);
	before = descriptors();
	for (uint64_t i = 2; i < 8; i++) {
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
		bma_poll(0);
		press();
		while (figures().pressure_events != i)
			nap();
		cr_assert_eq(bma_shutdown(), 0);
		cr_assert_eq(descriptors(), before);
	}
	/* At once after its start. */
	for (int i = 0; i < 100; i++) {
		bma_poll(0);
		cr_assert_eq(bma_shutdown(), 0);
	}
	cr_assert_eq(descriptors(), before);
}

Test(pressure, a_child_of_fork_has_its_own, .timeout = 60)
{
	struct bma_cache *c = pressed("pressure:on");
	int status, before;
	pid_t pid;

	press();
	while (figures().pressure_events != 1)
		nap();
	before = descriptors() - 2; /* those of the thread */
	pid = fork();
	if (!pid) {
		int own = eventfd(0, EFD_NONBLOCK);

		alarm(20);
		/* Or the parent's thread takes what the child's is told. */
		dup2(own, pressure_fd);
		close(own);
		if (descriptors() != before)
			_exit(1);
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
		bma_poll(0);
		press();
		while (figures().pressure_events != 2)
			nap();
		_exit(bma_shutdown() ? 2 : descriptors() == before ? 0 : 3);
	}
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0, "%x", (unsigned int)status);
}

/* One line, and all goes on. */
Test(pressure, where_the_system_does_not_tell_nothing_is_lost, .timeout = 60)
{
	struct bma_cache *c;
	char text[512] = "";
	int ends[2], saved = dup(2);

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], 2);
	c = pressed("pressure:on");
	cr_assert_eq(bma_shutdown(), 0);
	bma__os.watch = no_watch;
	bma_poll(0);
	while (!strstr(text, "does not tell")) {
		size_t n = strlen(text);

		cr_assert_gt(read(ends[0], text + n, sizeof text - n - 1), 0);
	}
	dup2(saved, 2);
	cr_assert_str_eq(text, "bma: BMA_CONF: pressure:on: the system does not tell, error 2\n");
	spend(c);
	cr_assert_eq(bma_shutdown(), 0);
	cr_assert_eq(figures().pressure_events, 0);
}

static int no_event(void)
{
	return -EMFILE;
}

Test(pressure, without_descriptors_to_spare_it_ends_all_the_same, .timeout = 60)
{
	pressed("pressure:on");
	cr_assert_eq(bma_shutdown(), 0);
	bma__os.event = no_event;
	bma_poll(0);
	press();
	while (!figures().pressure_events)
		nap();
	cr_assert_eq(bma_shutdown(), 0);
	bma__os.event = bma__os_real.event;
	bma_poll(0);
	fail_waits = 1;
	press();
	bma__os_sleep(20 * MS);
	cr_assert_eq(bma_shutdown(), 0);
}

/* What the system itself says; not every one lets us ask. */
Test(pressure, the_real_thing_starts_and_ends, .timeout = 60)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 256};
	struct bma_cache *c;

	setenv("BMA_CONF", "pressure:on", 1);
	c = bma_cache_create(&a);
	spend(c);
	cr_assert_eq(bma_shutdown(), 0);
}
