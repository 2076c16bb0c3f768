/* SPDX-License-Identifier: MIT */
/*
 * A map that outlives who made it. The first generation of an agent makes a map that its group pays for,
 * and pins it: others have the map when the agent is gone. What is charged then goes to the group's parent.
 * The second generation takes the map over by bma_group_recharge(), while a thread goes on replacing entries.
 *
 * What it teaches: the payer is the map's, whoever allocates. A handler that takes an entry while it interrupts
 * a thread of another group charges the map's owner. A group that is too small gets nothing, not a part.
 * How long a takeover lasts does not depend on how many entries there are.
 *
 * It prints what happened and the table of groups at each step, and checks both. Exit status: 0, or 1 and a
 * message.
 */
#include "map.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define HELD 1000u

static struct bma_group *make_group(const char *name, uint64_t max)
{
	struct bma_group_attr attr = {.attr_size = sizeof attr, .name = name, .max = max};
	struct bma_group *group = bma_group_create(NULL, &attr);

	if (!group)
		err(1, "group %s", name);
	return group;
}

static void show(const char *step)
{
	dprintf(STDOUT_FILENO, "\n%s\n", step);
	CHECK(!bma_stats_print(STDOUT_FILENO));
}

/* A thread of another group, with a heap of its own; a handler interrupts it. */
static void *service(void *group)
{
	struct bma_heap_attr attr = {.attr_size = sizeof attr, .name = "service"};
	struct bma_group *before = bma_group_enter(group); /* who pays for what names nobody */
	struct bma_heap *heap = bma_heap_create(&attr);
	void *held[HELD] = {NULL};

	CHECK(heap && bma_heap_group(heap) == group);
	for (unsigned int i = 0; i < HELD || !atomic_load(&pinned.stop); i++) {
		bma_heap_free(heap, held[i % HELD]);
		held[i % HELD] = bma_heap_alloc_flags(heap, 100, BMA_SLEEP);
		CHECK(held[i % HELD]);
	}
	CHECK(stat_of(group).objects == HELD); /* of the handler's not one */
	bma_heap_free_bulk(heap, held, HELD);
	bma_group_leave(before);
	CHECK(!bma_heap_destroy(heap));
	return NULL;
}

static void interrupt_service(void)
{
	struct bma_group *group = make_group("service", 0);
	pthread_t thread;

	signal(SIGUSR1, map_sample);
	CHECK(!pthread_create(&thread, NULL, service, group));
	while (atomic_load(&pinned.samples) + atomic_load(&pinned.missed) < SAMPLES) {
		CHECK(!pthread_kill(thread, SIGUSR1));
		usleep(50);
	}
	atomic_store(&pinned.stop, true);
	CHECK(!pthread_join(thread, NULL) && !bma_group_destroy(group));
	atomic_store(&pinned.stop, false);
}

/* The first generation makes the map, is used, and dies. Returns what the map's payer is charged. */
static uint64_t generation_1(void)
{
	struct bma_group *group = make_group("agent-1", 4 << 20), *root = bma_group_root();
	uint64_t bytes, all, objects;
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, map_make, group) && !pthread_join(thread, NULL));
	interrupt_service();
	CHECK(!bma_trim()); /* what is charged is exact now */
	objects = ENTRIES + atomic_load(&pinned.samples);
	bytes = stat_of(group).current;
	CHECK(stat_of(group).objects == objects && bytes >= objects * ENTRY_SIZE);
	dprintf(STDOUT_FILENO, "%u entries; a handler took %u samples, and missed %u\n", ENTRIES,
		atomic_load(&pinned.samples), atomic_load(&pinned.missed));
	show("agent-1 pays for the map, and for what was taken over a thread of /service:");

	all = stat_of(root).current;
	CHECK(!bma_group_destroy(group) && bma_group_destroy(group) == -ESTALE);
	CHECK(bma_cache_group(pinned.cache) == root && stat_of(root).current == all);
	show("agent-1 is gone, its parent pays:");
	return bytes;
}

/* The agent starts again, and finds the map. */
static struct bma_group *generation_2(void)
{
	struct bma_group *group = make_group("agent-2", 256 << 10), *root = bma_group_root();
	pthread_t thread;

	CHECK(!pthread_create(&thread, NULL, map_writer, NULL));
	map_wait_for_writer();
	CHECK(bma_group_recharge(pinned.cache, group) == -EDQUOT);
	CHECK(bma_cache_group(pinned.cache) == root && !stat_of(group).current);
	show("agent-2 is too small, EDQUOT, nothing has changed:");
	CHECK(!bma_group_set(group, BMA_GROUP_MAX, 4 << 20));
	CHECK(!bma_group_recharge(pinned.cache, group));
	CHECK(bma_cache_group(pinned.cache) == group);
	map_wait_for_writer();
	atomic_store(&pinned.stop, true);
	CHECK(!pthread_join(thread, NULL) && !bma_trim());
	return group;
}

int main(void)
{
	uint64_t bytes = generation_1();
	struct bma_group *group = generation_2();

	CHECK(stat_of(group).current == bytes);
	dprintf(STDOUT_FILENO, "\n%lu entries were replaced\n", atomic_load(&pinned.replaced));
	show("agent-2 pays for the map:");
	map_free();
	CHECK(!bma_trim() && !stat_of(group).current);
	CHECK(!bma_cache_destroy(pinned.cache) && !bma_group_destroy(group));
	show("The map is gone:");
	return 0;
}
