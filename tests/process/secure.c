/* SPDX-License-Identifier: MIT */
/*
 * A program that may do more than the user who starts it does not do what that user's environment says: no file is made for BMA_CONF, and hwloc, which loads plugins
 * from where its variables point to, is not called. The test is a copy of this program that belongs to root and is started by nobody.
 */
#include <bma/bma.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/auxv.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

#define NOBODY 65534
#define SKIPPED 77

static char *environment[] = {"BMA_CONF=export,worker:off,rseq:off",
			      "HWLOC_SYNTHETIC=numa:2 core:1 pu:1", NULL};

static int privileged(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "c", .size = 64};
	struct bma_stats s;
	struct stat st;
	char path[64];

	if (!getauxval(AT_SECURE))
		return SKIPPED; /* where the copy is, such programs are as others */
	CHECK(bma_cache_create(&a), "errno %d", errno);
	CHECK(bma_poll(0) >= 0, "poll");
	CHECK(!bma_stats_get(&s, sizeof s), "figures");
	CHECK(s.nodes == 1, "hwloc was asked: %llu nodes", (unsigned long long)s.nodes);
	snprintf(path, sizeof path, "/dev/shm/bma-%u-%d", (unsigned int)geteuid(), (int)getpid());
	CHECK(stat(path, &st) && errno == ENOENT, "%s is there", path);
	return 0;
}

static void copy_to(const char *path)
{
	int from = open("/proc/self/exe", O_RDONLY), to = open(path, O_WRONLY | O_CREAT, 0700);
	struct stat st;

	CHECK(from >= 0 && to >= 0 && !fstat(from, &st), "errno %d", errno);
	while (sendfile(to, from, NULL, (size_t)st.st_size) > 0)
		;
	CHECK(!fchmod(to, S_ISUID | 0755) && !close(to) && !close(from), "errno %d", errno);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/bma-secure-XXXXXX", path[64], *args[] = {path, "copy", NULL};
	int status = -1;
	pid_t pid;

	(void)argv;
	if (argc > 1)
		return privileged();
	if (getuid()) {
		puts("left out: only root can make such a program");
		return SKIPPED;
	}
	CHECK(mkdtemp(dir) && !chmod(dir, 0755), "errno %d", errno);
	snprintf(path, sizeof path, "%s/copy", dir);
	copy_to(path);
	pid = fork();
	if (!pid) {
		CHECK(!setgroups(0, NULL) && !setgid(NOBODY) && !setuid(NOBODY), "errno %d", errno);
		execve(path, args, environment);
		_exit(1);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status), "status %d", status);
	CHECK(!unlink(path) && !rmdir(dir), "errno %d", errno);
	return WEXITSTATUS(status);
}
