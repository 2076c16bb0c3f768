/* SPDX-License-Identifier: MIT */
/*
 * A container whose memory is limited (cgroup, memory.max). There maps do not fail: pages are counted when they are first
 * touched, and who touches one too many is killed. So: what was given back by bma_trim() does not count any more, what
 * every call does elsewhere it does there, and who takes too much is killed or told ENOMEM, but does not crash.
 *
 * Skipped (77) where no cgroup can be made.
 */
#include <bma/bma.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "scenario.h"
#include "test.h"

#define LIMIT ((size_t)64 << 20)
#define SHARE ((size_t)40 << 20) /* of it; twice that is too much */
#define SKIPPED 77
#define TOLD 3 /* exit status: ENOMEM */

static char group[512];

static bool put(const char *file, const char *text)
{
	char path[600];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", group, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n > 0;
}

/* A limited group below @parent, of either version. */
static bool make_in(const char *parent)
{
	char limit[32];

	snprintf(limit, sizeof limit, "%zu", LIMIT);
	snprintf(group, sizeof group, "%.400s/bma-test-%d", parent, getpid());
	if (mkdir(group, 0755))
		return false;
	if (put("memory.max", limit) || put("memory.limit_in_bytes", limit)) {
		/* Swap is no way out, where there is any. */
		put("memory.swap.max", "0");
		put("memory.memsw.limit_in_bytes", limit);
		return true;
	}
	rmdir(group);
	return false;
}

/* Below the own group; where processes are in the way, as version 2 has it, below the root. */
static bool make(void)
{
	static const char *const roots[] = {"/sys/fs/cgroup/memory", "/sys/fs/cgroup"};
	char line[400], parent[500];
	FILE *own = fopen("/proc/self/cgroup", "re");
	bool made = false;

	while (own && !made && fgets(line, sizeof line, own)) {
		char *path = strrchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (!path || (!strstr(line, ":memory:") && strncmp(line, "0::", 3)))
			continue;
		snprintf(parent, sizeof parent, "%s%s", roots[line[0] == '0'], path + 1);
		made = make_in(parent);
	}
	if (own)
		fclose(own);
	return made || make_in(roots[1]);
}

/* Returns the wait status of a child in the group that runs @what, which returns its exit status. */
static int inside(int (*what)(void))
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0, "fork");
	if (!pid) {
		char self[32];

		alarm(60);
		snprintf(self, sizeof self, "%d", getpid());
		CHECK(put("cgroup.procs", self), "not let in: %s", strerror(errno));
		_exit(what());
	}
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	return status;
}

static struct bma_cache *create(size_t size)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .size = size};

	return bma_cache_create(&attr);
}

/* Returns how many objects there are for @bytes, each written. */
static size_t take(struct bma_cache *cache, void **objs, size_t size, size_t bytes)
{
	size_t n = 0;

	while (n < bytes / size && (objs[n] = bma_cache_alloc_flags(cache, BMA_SLEEP)))
		memset(objs[n++], 1, size);
	return n;
}

static void *objs[8 * LIMIT / 1024];
static bool trims;

/* Needs what the library had: it is not enough that its own caches can have it again. */
static void somebody_else(void)
{
	char *p = mmap(NULL, SHARE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED, "%s", strerror(errno));
	memset(p, 1, SHARE);
	CHECK(!munmap(p, SHARE), "%s", strerror(errno));
}

/* One cache after the other takes more than half of the limit. */
static int in_turn(void)
{
	static const size_t sizes[] = {1024, 65536, 1500, 4096};
	struct bma_cache *caches[4];

	for (int i = 0; i < 4; i++) {
		size_t n;

		caches[i] = create(sizes[i]);
		CHECK(caches[i], "%s", strerror(errno));
		n = take(caches[i], objs, sizes[i], SHARE);
		CHECK(n == SHARE / sizes[i], "%zu of %zu bytes", n, sizes[i]);
		bma_cache_free_bulk(caches[i], objs, n / 2);
		while (n-- > SHARE / sizes[i] / 2)
			bma_cache_free_rcu(caches[i], objs[n]);
		CHECK(!bma_rcu_barrier(caches[i]), "barrier");
		if (!trims)
			continue;
		CHECK(!bma_trim(), "trim");
		somebody_else();
	}
	for (int i = 0; i < 4; i++)
		CHECK(!bma_cache_destroy(caches[i]), "live objects");
	return 0;
}

static int scenario(void)
{
	scenario_play();
	CHECK(!scenario_refused(), "%ld creations failed", scenario_refused());
	scenario_end();
	return 0;
}

static int too_much(void)
{
	struct bma_cache *cache = create(1024);

	CHECK(cache, "%s", strerror(errno));
	CHECK(take(cache, objs, 1024, 4 * LIMIT) < 4 * LIMIT / 1024, "more than there may be");
	return errno == ENOMEM ? TOLD : 1;
}

static bool killed_or_told(int status)
{
	return (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ||
	       (WIFEXITED(status) && WEXITSTATUS(status) == TOLD);
}

int main(void)
{
	int played, turns, kept, much;

	setenv("BMA_CONF", "worker:off", 1);
	if (!make()) {
		printf("skipped: no cgroup with a limit of memory can be made here\n");
		return SKIPPED;
	}
	played = inside(scenario);
	trims = true;
	turns = inside(in_turn);
	trims = false;
	kept = inside(in_turn);
	much = inside(too_much);
	CHECK(!rmdir(group), "%s: %s", group, strerror(errno));
	CHECK(!played, "the scenario: status %x", (unsigned int)played);
	CHECK(!turns, "what was given back counts still: status %x", (unsigned int)turns);
	/* Else the line before says nothing. */
	CHECK(kept, "what was not given back does not count");
	CHECK(killed_or_told(much), "too much: status %x", (unsigned int)much);
	printf("%s: killed where too much was taken\n", group);
	return 0;
}
