/* SPDX-License-Identifier: MIT */
/*
 * A process that always looks the same: caches, groups and deferred frees, then it waits until its standard input ends. To be started with
 * BMA_CONF=export,worker:off,rseq:off. Says "ready" when its page is there.
 */
#include "test.h"

#include <bma/bma.h>

#include <stdio.h>
#include <unistd.h>

enum { MANY = 3000 };

static void *objs[MANY];

static struct bma_cache *create(const char *name, size_t size, struct bma_group *group)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .name = name, .size = size, .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	CHECK(c, "%s", name);
	return c;
}

/* @n live and @freed free ones. */
static void use(struct bma_cache *c, int n, int freed)
{
	for (int i = 0; i < n + freed; i++)
		CHECK(objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP), "object %d", i);
	for (int i = n; i < n + freed; i++)
		bma_cache_free(c, objs[i]);
}

static struct bma_group *group(struct bma_group *parent, const char *name, uint64_t max)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .name = name, .max = max};
	struct bma_group *g = bma_group_create(parent, &a);

	CHECK(g, "%s", name);
	return g;
}

int main(void)
{
	struct bma_group *agent = group(NULL, "agent", (uint64_t)64 << 20);
	struct bma_group *flows = group(agent, "flows", (uint64_t)16 << 20);
	struct bma_cache *deferred;
	char c;

	use(create("flow", 64, flows), 1900, 0);
	use(create("packet buffer", 2048, agent), 100, 200);
	use(create("name \"quoted\\\" \n\xff", 24, NULL), 1800, 1200);
	use(create("twin", 512, NULL), 10, 0);
	use(create("twin", 512, NULL), 20, 0);
	deferred = create("timer", 192, flows);
	use(deferred, 900, 0);
	for (int i = 0; i < 50; i++)
		bma_cache_free_rcu(deferred, objs[i]);
	CHECK(bma_poll(0) >= 0, "poll");
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}
