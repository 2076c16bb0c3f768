/* SPDX-License-Identifier: MIT */
/* Memory pressure, see psi.h. */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SYSTEM "/proc/pressure/memory"
#define TEXT ((size_t)256 << 10)
#define FIELDS 6 /* before the optional ones: two numbers, device, root, mount point, options */

/* The path after "0::", or NULL. */
static const char *own_group(char *cgroup)
{
	for (char *line = strtok_r(cgroup, "\n", &cgroup); line;
	     line = strtok_r(NULL, "\n", &cgroup)) {
		if (!strncmp(line, "0::/", 4))
			return line + 3;
	}
	return NULL;
}

/* Blanks and backslashes stand there as three octal digits. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; to++) {
		unsigned int c;

		if (*text == '\\' && sscanf(text + 1, "%3o", &c) == 1) {
			*to = (char)c;
			text += 4;
		} else {
			*to = *text++;
		}
	}
	*to = 0;
}

/* What of @group lies below @root, or NULL: it is not there. */
static const char *below(const char *group, const char *root)
{
	size_t n = strlen(root);

	if (n == 1)
		return group[1] ? group : "";
	if (strncmp(group, root, n) || (group[n] && group[n] != '/'))
		return NULL;
	return group + n;
}

/* One line of mountinfo. False: it is not where @group is. */
static bool mounted(char *line, const char *group, char *path, size_t room, int *rc)
{
	char *kind = strstr(line, " - cgroup2 "), *field[FIELDS];
	const char *rest;
	int n = 0;

	if (!kind)
		return false;
	*kind = 0;
	for (char *f = strtok_r(line, " ", &line); f && n < FIELDS; f = strtok_r(NULL, " ", &line))
		field[n++] = f;
	if (n < FIELDS)
		return false;
	unescape(field[3]);
	unescape(field[4]);
	rest = below(group, field[3]);
	if (!rest)
		return false;
	n = snprintf(path, room, "%s%s/memory.pressure", field[4], rest);
	*rc = n < 0 || (size_t)n >= room ? -ENAMETOOLONG : 0;
	return true;
}

int bma__psi_path(char *cgroup, char *mounts, char *path, size_t room)
{
	const char *group = own_group(cgroup);
	int rc = -ENOENT;

	if (!group)
		return -ENOENT;
	for (char *line = strtok_r(mounts, "\n", &mounts); line;
	     line = strtok_r(NULL, "\n", &mounts)) {
		if (mounted(line, group, path, room, &rc))
			break;
	}
	return rc;
}

static int read_text(const char *path, char *text)
{
	int n = bma__os.read(path, text, TEXT - 1);

	if (n >= 0)
		text[n] = 0;
	return n;
}

static int own_path(char *path, size_t room)
{
	char *text = bma__os.map(2 * TEXT);
	int rc;

	if (!text)
		return -ENOMEM;
	rc = read_text("/proc/self/cgroup", text);
	if (rc >= 0)
		rc = read_text("/proc/self/mountinfo", text + TEXT);
	if (rc >= 0)
		rc = bma__psi_path(text, text + TEXT, path, room);
	bma__os.unmap(text, 2 * TEXT);
	return rc;
}

/* Microseconds. The second: who is not privileged gets whole multiples of two seconds only. */
static int watch(const char *path)
{
	int fd = bma__os.watch(path, "some 100000 1000000");

	return fd >= 0 ? fd : bma__os.watch(path, "some 200000 2000000");
}

int bma__psi_open(void)
{
	char path[4096];
	int fd = own_path(path, sizeof path);

	if (!fd)
		fd = watch(path);
	return fd >= 0 ? fd : watch(SYSTEM);
}
