/* SPDX-License-Identifier: MIT */
/*
 * From addresses to names, once, at the end: the list of mappings says which file an address came
 * from, the file says the rest. /proc/self/maps rather than the loader's list, because that one is
 * behind a lock. A library that was unloaded meanwhile is gone from it: its code has no name.
 */
#include "sigprof.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPS_MAX ((size_t)64 << 20)

struct mapping {
	uintptr_t start, end;
	size_t offset;
	bool executable;
	const char *path;
};

static bool open_image(const char *path, struct sigprof_image *image)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *at = MAP_FAILED;

	if (fd < 0)
		return false;
	if (!fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_size > 0)
		at = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (at == MAP_FAILED)
		return false;
	image->bytes = at;
	image->size = (size_t)status.st_size;
	return true;
}

/* Distributions ship symbols apart, under the build id; they count where they are installed. */
static void names_from_elsewhere(const struct sigprof_image *image, uintptr_t bias,
				 struct sigprof_place *places, size_t n)
{
	struct sigprof_image debug;
	char hex[64 + 1], path[128];

	if (!sigprof_elf_build_id(image, hex, sizeof(hex)))
		return;
	snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%.2s/%s.debug", hex, hex + 2);
	if (open_image(path, &debug))
		sigprof_elf_names(&debug, bias, places, n);
}

static void find_in(const struct mapping *map, struct sigprof_place *places, size_t n)
{
	const char *slash = strrchr(map->path, '/');
	struct sigprof_image image = {NULL, 0};
	uintptr_t bias;

	for (size_t i = 0; i < n; i++)
		places[i].object = slash ? slash + 1 : map->path;
	if (!strcmp(map->path, "[vdso]")) {
		image.bytes = (const unsigned char *)map->start;
		image.size = map->end - map->start;
	} else if (map->path[0] != '/' || !open_image(map->path, &image)) {
		return;
	}
	if (!sigprof_elf_bias(&image, map->start, map->offset, &bias))
		return;
	sigprof_elf_names(&image, bias, places, n);
	names_from_elsewhere(&image, bias, places, n);
	sigprof_elf_starts(&image, bias, places, n);
	for (size_t i = 0; i < n; i++)
		places[i].offset = (places[i].start ? places[i].start : places[i].pc) - bias;
}

static uintptr_t number(char **at)
{
	uintptr_t value = 0;

	for (;; (*at)++) {
		unsigned char c = (unsigned char)**at;

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else
			return value;
	}
}

/* "start-end rwxp offset device inode   path" */
static bool parse(char *line, struct mapping *map)
{
	map->start = number(&line);
	if (*line++ != '-')
		return false;
	map->end = number(&line);
	if (*line != ' ' || strlen(line) < 6)
		return false;
	map->executable = line[3] == 'x';
	line += 6;
	map->offset = number(&line);
	for (int field = 0; field < 2; field++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	map->path = line + strspn(line, " ");
	return true;
}

static char *read_maps(void)
{
	char *text = sigprof_map(MAPS_MAX);
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n;

	if (text && fd >= 0) {
		while (used < MAPS_MAX - 1 && (n = read(fd, text + used, MAPS_MAX - 1 - used)) > 0)
			used += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	return text;
}

/* Strings stay where they are: in files that remain mapped, and in the list of mappings. */
void sigprof_symbol_find(struct sigprof_place *places, size_t n)
{
	char *next = read_maps();
	size_t first = 0, last;
	struct mapping map;

	for (char *line = next; line && *line && first < n; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (!parse(line, &map) || !map.executable || !*map.path)
			continue;
		/* Both are in ascending order. */
		while (first < n && places[first].pc < map.start)
			first++;
		for (last = first; last < n && places[last].pc < map.end;)
			last++;
		if (last > first)
			find_in(&map, places + first, last - first);
		first = last;
	}
}
