/* SPDX-License-Identifier: MIT */
/* Heaps of each kind, while calls into the operating system may fail; see scenario_heap.h. */
#include "scenario_heap.h"

#include <bma/bma.h>

#include <errno.h>
#include <stdbool.h>

#include "test.h"

#define HELD 64

static const size_t sizes[] = {10, 100, 1000, 5000, 70000, 300000, 2500000};
#define SIZES (sizeof sizes / sizeof sizes[0])

struct subject {
	uint64_t flags;
	struct bma_heap *heap;
	unsigned char *objs[HELD];
	size_t of[HELD];
	unsigned int n;
};

bool scenario_heap_all;

static struct subject subjects[] = {
	/* Few classes, for each is made and destroyed in each run. */
	{.flags = BMA_HEAP_PRIVATE | BMA_HEAP_KERNEL_CLASSES},
	{.flags = BMA_HEAP_COUNT | BMA_HEAP_KERNEL_CLASSES},
	{.flags = BMA_HEAP_PERCPU | BMA_HEAP_PRIVATE | BMA_HEAP_KERNEL_CLASSES},
};

#define for_each_subject(s)                                                                        \
	for (struct subject *s = subjects; s < subjects + sizeof subjects / sizeof *subjects; s++)

static bool create(struct subject *s)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = s->flags};

	if (scenario_heap_all && a.flags & BMA_HEAP_COUNT)
		a.flags = s->flags = BMA_HEAP_COUNT;
	if (!s->heap) {
		errno = 0;
		s->heap = bma_heap_create(&a);
		CHECK(s->heap || errno == ENOMEM, "create: errno %d", errno);
	}
	return s->heap != NULL;
}

static bool fits(const struct subject *s, size_t size)
{
	return !(s->flags & BMA_HEAP_KERNEL_CLASSES) || size <= 4096;
}

/* Returns how many were refused. */
static unsigned int take(struct subject *s, unsigned int flags)
{
	unsigned int none = 0;

	for (size_t i = 0; i < SIZES && s->n < HELD; i++) {
		unsigned char *p;

		if (!fits(s, sizes[i]))
			continue;
		p = bma_heap_alloc_flags(s->heap, sizes[i], flags);
		if (!p) {
			none++;
			continue;
		}
		CHECK(bma_heap_usable_size(p) >= sizes[i], "size %zu", sizes[i]);
		p[0] = p[sizes[i] - 1] = (unsigned char)i;
		s->objs[s->n] = p;
		s->of[s->n++] = i;
	}
	return none;
}

static void put(struct subject *s, unsigned int n)
{
	while (n-- && s->n) {
		unsigned char *p = s->objs[--s->n];
		size_t i = s->of[s->n];

		CHECK(p[0] == i && p[sizes[i] - 1] == i, "somebody else wrote to %p", (void *)p);
		if (n % 2)
			bma_heap_free(s->heap, p);
		else
			bma_heap_free_rcu(s->heap, p);
	}
}

/* What it was, if there is no memory for more. */
static void grow(struct subject *s)
{
	unsigned char *p;
	size_t i;

	if (!s->n || s->flags & BMA_HEAP_KERNEL_CLASSES)
		return;
	p = s->objs[s->n - 1];
	i = s->of[s->n - 1];
	p = bma_heap_realloc(s->heap, p, 2 * sizes[i], BMA_SLEEP);
	if (p)
		s->objs[s->n - 1] = p;
}

static void destroy(struct subject *s)
{
	int rc = bma_heap_destroy(s->heap);

	CHECK(s->n ? rc == -EBUSY || rc == -ENOMEM : !rc || rc == -ENOMEM, "destroy with %u: %d",
	      s->n, rc);
	if (!rc)
		s->heap = NULL;
}

void scenario_heap_play(void)
{
	for (int round = 0; round < 2; round++) {
		for_each_subject(s)
		{
			if (!create(s))
				continue;
			take(s, 0);
			take(s, BMA_SLEEP);
			grow(s);
			put(s, s->n / 2);
			destroy(s);
		}
	}
}

void scenario_heap_end(void)
{
	for_each_subject(s)
	{
		CHECK(create(s), "create when nothing fails");
		CHECK(s->n > HELD - SIZES || !take(s, BMA_SLEEP), "alloc when nothing fails");
		put(s, s->n);
		destroy(s);
		CHECK(!s->heap, "destroy when nothing fails");
	}
}
