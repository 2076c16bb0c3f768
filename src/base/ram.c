/* SPDX-License-Identifier: MIT */
/* Memory of the machine and of the cgroup, see ram.h. */
#include "base.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/sys/fs/cgroup"
#define PATH_BYTES 4096

/* The number in a file; UINT64_MAX: "max", or there is no such file. */
static uint64_t number_in(const char *path)
{
	FILE *f = fopen(path, "re");
	uint64_t n = UINT64_MAX;

	if (f && fscanf(f, "%" SCNu64, &n) != 1)
		n = UINT64_MAX;
	if (f)
		fclose(f);
	return n;
}

/*
 * The path of the process's cgroup, from its slash, without the newline, where a line of it goes "number", @mark, path. False: there is
 * none, or it cannot be read.
 */
static bool cgroup(const char *mark, char *path, size_t bytes)
{
	FILE *f = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES];
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f)) {
		const char *at = strchr(line, ':');

		found = at && !strncmp(at, mark, strlen(mark)) && at[strlen(mark)] == '/';
		if (found) {
			line[strcspn(line, "\n")] = 0;
			snprintf(path, bytes, "%s", at + strlen(mark));
		}
	}
	if (f)
		fclose(f);
	return found;
}

/* The least limit of the process's cgroup and of those above it. */
static uint64_t least_of(const char *mark, const char *root, const char *name)
{
	char path[PATH_BYTES], file[PATH_BYTES + 64];
	uint64_t least = UINT64_MAX, n;
	char *slash;

	if (!cgroup(mark, path, sizeof path))
		return least;
	while ((slash = strrchr(path, '/'))) {
		snprintf(file, sizeof file, "%s%s/%s", root, path[1] ? path : "", name);
		n = number_in(file);
		least = n < least ? n : least;
		/* "/a" goes on to "/", which is the last. */
		if (slash == path && !path[1])
			break;
		slash[slash == path] = 0;
	}
	return least;
}

/* Both versions: the limit is where the controller is. */
static uint64_t cgroup_max(void)
{
	uint64_t v2 = least_of("::", ROOT, "memory.max");
	uint64_t v1 = least_of(":memory:", ROOT "/memory", "memory.limit_in_bytes");

	return v1 < v2 ? v1 : v2;
}

uint64_t bma__ram_bytes(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
	uint64_t machine = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_MAX;
	uint64_t most = cgroup_max();

	return most < machine ? most : machine;
}
