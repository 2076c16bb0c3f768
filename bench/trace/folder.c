/* SPDX-License-Identifier: MIT */
#include "folder.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[PATH_MAX - 256];

static void find_folder(void)
{
	const char *named = getenv("BENCH_TRACES");
	char *slash;
	ssize_t n;

	if (named) {
		snprintf(folder, sizeof(folder), "%s", named);
		return;
	}
	n = readlink("/proc/self/exe", folder, sizeof(folder) - 16);
	folder[n > 0 ? n : 0] = 0;
	slash = strrchr(folder, '/');
	strcpy(slash ? slash + 1 : folder, "traces");
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

size_t trace_names(char **names)
{
	static const char suffix[] = ".trace";
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	find_folder();
	dir = opendir(folder);
	while (dir && n < TRACE_NAMES_MAX && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name), end = length - strlen(suffix);

		if (length > strlen(suffix) && !strcmp(entry->d_name + end, suffix))
			names[n++] = strndup(entry->d_name, end);
	}
	if (dir)
		closedir(dir);
	qsort(names, n, sizeof(names[0]), compare_names);
	return n;
}

void trace_load(struct trace *trace, const char *name)
{
	struct trace_error error;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s.trace", folder, name);
	if (trace_read(trace, path, &error)) {
		fprintf(stderr, "bench: %s\n", error.text);
		exit(2);
	}
}
