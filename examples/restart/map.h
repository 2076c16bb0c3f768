/* SPDX-License-Identifier: MIT */
/* The map of the agent, pinned: what is here stays when its maker dies. */
#ifndef RESTART_MAP_H
#define RESTART_MAP_H

#include <bma/bma.h>
#include <err.h>
#include <stdatomic.h>
#include <stdbool.h>

#define ENTRIES 4096u
#define ENTRY_SIZE 256u
#define SAMPLES 512u

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			errx(1, "%s:%d: not so: %s", __FILE__, __LINE__, #claim);                  \
	} while (0)

struct map {
	struct bma_cache *cache;
	_Atomic(void *) entry[ENTRIES];
	void *sample[SAMPLES];		/* what a handler took */
	_Atomic unsigned int samples;	/* how many there are */
	_Atomic unsigned int missed;	/* how often it found nothing */
	_Atomic unsigned long replaced; /* entries, by map_writer() */
	atomic_bool stop;		/* the threads */
};

extern struct map pinned;

struct bma_group_stats stat_of(struct bma_group *group);
/* Make the map and fill it; @group pays. Body of a thread: the agent's first generation. */
void *map_make(void *group);
/* A handler that takes one sample. Any context. */
void map_sample(int number);
/* Replace entries until @stop. Body of a thread. */
void *map_writer(void *unused);
void map_wait_for_writer(void);
void map_free(void);

#endif /* RESTART_MAP_H */
