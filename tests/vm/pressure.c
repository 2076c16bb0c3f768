/* SPDX-License-Identifier: MIT */
/*
 * A neighbour in the same control group needs memory that this process only keeps. The kernel stalls the neighbour, measures that, and tells.
 *
 * Property: with BMA_CONF=pressure:on what is free goes back at once, though its time (purge_ms) has not come, and the neighbour
 * gets what it needs; stock stays, so calls of any context are still served. Without, nothing goes, which shows that it was this that did it.
 */
#include "guest.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define ROOT "/sys/fs/cgroup"
#define MIB ((size_t)1 << 20)
#define KEPT (48 * MIB)
#define NEEDED (32 * MIB)
#define SPARE (4 * MIB)
#define SIZE 1024
#define PATIENCE 40000 /* ms */
#define STALLED 3000   /* ms that the neighbour is watched getting nothing */

static char group[64];

static void write_to(const char *file, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	MUST(fd >= 0, "%s: %s", path, strerror(errno));
	MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s: %s", path, text,
	     strerror(errno));
	close(fd);
}

static size_t read_number(const char *path, int field)
{
	char text[256] = "", *at = text;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0 && read(fd, text, sizeof text - 1) > 0, "%s: %s", path, strerror(errno));
	close(fd);
	while (field--)
		strtoull(at, &at, 10);
	return strtoull(at, NULL, 10);
}

static size_t resident(void)
{
	return read_number("/proc/self/statm", 1) * 4096;
}

/* This process, and those that it makes, in a group of their own. */
static void enter(const char *name)
{
	char me[16];

	snprintf(group, sizeof group, ROOT);
	write_to("cgroup.subtree_control", "+memory");
	snprintf(group, sizeof group, ROOT "/%s", name);
	MUST(!mkdir(group, 0755), "%s: %s", group, strerror(errno));
	snprintf(me, sizeof me, "%d", getpid());
	write_to("cgroup.procs", me);
}

/* No more than what there is and a little. */
static void narrow(void)
{
	char path[128], text[32];

	snprintf(path, sizeof path, "%s/memory.current", group);
	snprintf(text, sizeof text, "%zu", read_number(path, 0) + SPARE);
	write_to("memory.high", text);
}

struct neighbour {
	pid_t pid;
	int go[2], done[2];
};

/* Made while there is no memory that it could share. */
static void neighbour_make(struct neighbour *n)
{
	char c = 0;

	MUST(!pipe(n->go) && !pipe(n->done), "pipe");
	n->pid = fork();
	MUST(n->pid >= 0, "fork");
	if (n->pid)
		return;
	close(n->go[1]);
	if (read(n->go[0], &c, 1) == 1) {
		volatile char *p = mmap(NULL, NEEDED, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t at = 0; p != MAP_FAILED && at < NEEDED; at += 4096)
			p[at] = 1;
		if (write(n->done[1], "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static bool neighbour_served(struct neighbour *n, int ms)
{
	struct pollfd p = {.fd = n->done[0], .events = POLLIN};

	return poll(&p, 1, ms) == 1;
}

static void neighbour_end(struct neighbour *n)
{
	kill(n->pid, SIGKILL);
	MUST(waitpid(n->pid, NULL, 0) == n->pid, "wait");
}

static struct bma_cache *keep(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "kept", .size = SIZE};
	struct bma_cache *c = bma_cache_create(&a);
	void **objs = malloc(KEPT / SIZE * sizeof *objs);

	MUST(c && objs, "no memory");
	for (size_t i = 0; i < KEPT / SIZE; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		MUST(objs[i], "no memory");
		memset(objs[i], 1, SIZE);
	}
	for (size_t i = 0; i < KEPT / SIZE; i++)
		bma_cache_free(c, objs[i]);
	free(objs);
	return c;
}

static void run(const char *word)
{
	bool told = strstr(word, "pressure:on");
	struct neighbour n;
	struct bma_cache *c;
	struct bma_stats s;
	size_t before, after;

	enter(told ? "told" : "untold");
	neighbour_make(&n);
	c = keep();
	usleep(500000);
	before = resident();
	MUST(before > KEPT, "%zu resident: it went by itself", before);
	narrow();
	MUST(write(n.go[1], "", 1) == 1, "pipe");
	MUST(neighbour_served(&n, told ? PATIENCE : STALLED) == told, "the neighbour %s",
	     told ? "waits" : "was served");
	after = resident();
	MUST(!bma_stats_get(&s, sizeof s), "stats");
	printf("resident %zu KiB before, %zu KiB after; events %llu; given back %llu KiB\n",
	       before >> 10, after >> 10, (unsigned long long)s.pressure_events,
	       (unsigned long long)s.purged_bytes >> 10);
	MUST((s.pressure_events != 0) == told, "%llu events",
	     (unsigned long long)s.pressure_events);
	MUST(told ? before - after > NEEDED - SPARE : after > KEPT, "%zu resident", after);
	for (int i = 0; i < 64; i++)
		MUST(bma_cache_alloc(c), "no stock is left");
	neighbour_end(&n);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"purge_ms:60000,idle_ms:60000",
					    "purge_ms:60000,idle_ms:60000,pressure:on"};

	crew_args(argc, argv, 0);
	guest_only();
	guest_each(modes, 2, run);
	return 0;
}
