/* SPDX-License-Identifier: MIT */
/* Snapshots, see snapshot.h. */
#include "snapshot.h"

#include "inject.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS 256
#define PLANES 16
#define BYTES ((size_t)1 << 20)

static struct {
	void *p;
	size_t bytes;
} part[PARTS];
static size_t parts, used;
static char copy[BYTES];
static uint32_t also[PLANES], nalso;

void snapshot_begin(void)
{
	parts = used = 0;
}

void snapshot_add(void *p, size_t bytes)
{
	if (parts == PARTS || used + bytes > BYTES) {
		printf("too much for a snapshot\n");
		exit(INJECT_BROKEN);
	}
	part[parts].p = p;
	part[parts++].bytes = bytes;
	used += bytes;
}

void world_also_plane(uint32_t plane)
{
	for (uint32_t i = 0; i < nalso; i++) {
		if (also[i] == plane)
			return;
	}
	if (nalso < PLANES)
		also[nalso++] = plane;
}

void snapshot_add_planes(struct bma__engine *e)
{
	if (world.plane < bma__cpu.slots)
		world_also_plane(world.plane);
	for (uint32_t i = 0; i < nalso; i++)
		snapshot_add(bma__slot_at(e, also[i]), sizeof(struct bma__slot));
}

void snapshot_take(void)
{
	char *to = copy;

	for (size_t i = 0; i < parts; to += part[i++].bytes)
		memcpy(to, part[i].p, part[i].bytes);
}

void snapshot_restore(void)
{
	const char *from = copy;

	for (size_t i = 0; i < parts; from += part[i++].bytes)
		memcpy(part[i].p, from, part[i].bytes);
}
