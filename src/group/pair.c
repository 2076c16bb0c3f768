/* SPDX-License-Identifier: MIT */
/* Pairs, see pair.h. */
#include "group.h"

static size_t buckets(const struct bma__pairs *t)
{
	return t->bucket ? t->buckets : BMA__PAIRS_FIRST;
}

static size_t index_of(const void *a, const void *b, size_t n)
{
	uint64_t h = (uintptr_t)a * 0x9e3779b97f4a7c15u ^ (uintptr_t)b * 0xc2b2ae3d27d4eb4fu;

	return (size_t)((h ^ h >> 29) * 0x9e3779b97f4a7c15u >> 32) & (n - 1);
}

static struct bma__pair **list_of(struct bma__pairs *t, const void *a, const void *b)
{
	struct bma__pair **all = t->bucket ? t->bucket : t->first;

	return &all[index_of(a, b, buckets(t))];
}

struct bma__pair *bma__pair_find(const struct bma__pairs *t, const void *a, const void *b)
{
	struct bma__pair *const *all = t->bucket ? t->bucket : t->first;
	struct bma__pair *p = all[index_of(a, b, buckets(t))];

	while (p && (p->a != a || p->b != b))
		p = p->next;
	return p;
}

static void grow(struct bma__pairs *t)
{
	size_t had = buckets(t), n = 2 * had;
	struct bma__pair **old = t->bucket ? t->bucket : t->first;
	struct bma__pair **fresh = bma__meta_alloc(n * sizeof(struct bma__pair *));

	if (!fresh)
		return;
	for (size_t i = 0; i < had; i++) {
		struct bma__pair *p;

		while ((p = old[i])) {
			struct bma__pair **list = &fresh[index_of(p->a, p->b, n)];

			old[i] = p->next;
			p->next = *list;
			*list = p;
		}
	}
	if (t->bucket)
		bma__meta_free(t->bucket, had * sizeof(struct bma__pair *));
	t->bucket = fresh;
	t->buckets = n;
}

void bma__pair_add(struct bma__pairs *t, struct bma__pair *p, const void *a, const void *b)
{
	struct bma__pair **list;

	if (++t->n > buckets(t))
		grow(t);
	list = list_of(t, a, b);
	*p = (struct bma__pair){*list, a, b};
	*list = p;
}

void bma__pair_remove(struct bma__pairs *t, struct bma__pair *p)
{
	struct bma__pair **link = list_of(t, p->a, p->b);

	while (*link != p)
		link = &(*link)->next;
	*link = p->next;
	t->n--;
}
