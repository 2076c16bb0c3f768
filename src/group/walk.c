/* SPDX-License-Identifier: MIT */
/* Ways through the tree. All under the lock. */
#include "group.h"

#include <stdio.h>
#include <string.h>

struct bma__group *bma__group_next(struct bma__group *top, struct bma__group *g)
{
	if (!g)
		return top;
	if (g->child)
		return g->child;
	while (g != top && !g->next)
		g = g->parent;
	return g == top ? NULL : g->next;
}

struct bma__group *bma__group_each(struct bma__group *top, struct bma__group *g)
{
	if (top != bma__group_root)
		return bma__group_next(top, g);
	if (g && bma__group_is_shared(g))
		return g->next;
	g = bma__group_next(top, g);
	return g ? g : bma__shared_first;
}

bool bma__group_below(const struct bma__group *g, const struct bma__group *top)
{
	while (g && g->depth > top->depth)
		g = g->parent;
	return g == top;
}

static size_t put(const char *whole, size_t length, char *path, size_t size)
{
	if (size) {
		size_t fits = length < size ? length : size - 1;

		memcpy(path, whole, fits);
		path[fits] = 0;
	}
	return length;
}

size_t bma__group_path(const struct bma__group *g, char *path, size_t size)
{
	const struct bma__group *way[BMA_GROUP_DEPTH_MAX];
	char whole[BMA__GROUP_PATH_MAX];
	size_t n = 0, length = 0;

	if (bma__group_is_shared(g)) {
		length = (size_t)snprintf(whole, sizeof whole, "@%s", g->name);
		return put(whole, length, path, size);
	}
	for (; g->parent; g = g->parent)
		way[n++] = g;
	if (!n)
		whole[length++] = '/';
	while (n--) {
		size_t piece = strlen(way[n]->name);

		whole[length++] = '/';
		memcpy(whole + length, way[n]->name, piece);
		length += piece;
	}
	return put(whole, length, path, size);
}

void bma__group_recount(uint64_t (*own)(const struct bma__group *g))
{
	struct bma__group *g = NULL;

	while ((g = bma__group_each(bma__group_root, g)))
		atomic_store_explicit(&g->usage, 0, memory_order_relaxed);
	while ((g = bma__group_each(bma__group_root, g))) {
		uint64_t bytes = own(g);

		for (struct bma__group *at = g; at; at = at->parent)
			atomic_fetch_add_explicit(&at->usage, bytes, memory_order_relaxed);
	}
}
