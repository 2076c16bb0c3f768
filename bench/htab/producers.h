/* SPDX-License-Identifier: MIT */
/*
 * The workloads of the Linux kernel's benchmark htab_mem, on the map that was included before this:
 * two producers, one per CPU, 64 operations per call.
 *
 * overwrite: set 64 keys of one's own. batch: set them, then delete them. diff_cpu: one sets 64
 * keys, then the other deletes them. unsynchronised: the same with no waiting for each other, on as
 * many keys as the map has room for. Allocations are those of any context: one that fails is a
 * failed update.
 */
#ifndef BENCH_HTAB_PRODUCERS_H
#define BENCH_HTAB_PRODUCERS_H

#include <sched.h>

#define PRODUCERS 2
#define OPS 64
#define SPINS 1000

struct htab {
	struct crew_member members[PRODUCERS];
	struct map *map;
	uint32_t entries;
	uint64_t failed[PRODUCERS];
	/* diff_cpu: what the adder has said, and who has come to the barrier how often. */
	bool over;
	_Alignas(128) _Atomic uint32_t arrived[PRODUCERS];
};

struct tally {
	uint64_t done;	 /* operations that found what to do */
	uint64_t failed; /* updates that got no element */
};

static inline void set_key(struct map *map, struct tally *t, uint32_t key, bool only_new)
{
	struct element *old;
	int rc = map_update(map, key, only_new, &old);

	t->done += rc == 0;
	t->failed += rc == -ENOMEM;
	if (old)
		defer_free(map->pool, old);
}

static inline void drop_key(struct map *map, struct tally *t, uint32_t key)
{
	struct element *e = map_delete(map, key);

	if (e) {
		t->done++;
		defer_free(map->pool, e);
	}
}

static inline void own_keys(struct crew_member *self, bool deletes)
{
	struct htab *h = self->arg;
	struct map *map = h->map;
	struct tally t = {0};
	uint32_t first = (uint32_t)self->index;

	defer_enter();
	do {
		for (uint32_t i = 0; i < OPS; i++)
			set_key(map, &t, first + i * PRODUCERS, false);
		for (uint32_t i = 0; deletes && i < OPS; i++)
			drop_key(map, &t, first + i * PRODUCERS);
		crew_count(self, t.done / OPS);
	} while (!crew_stopped());
	h->failed[self->index] = t.failed;
	defer_leave();
}

static void overwrite(struct crew_member *self)
{
	own_keys(self, false);
}

static void batch(struct crew_member *self)
{
	own_keys(self, true);
}

/* Yields after a while: threads that help must find a CPU. */
static void meet(struct htab *h, int self)
{
	uint32_t turn = atomic_load_explicit(&h->arrived[self], memory_order_relaxed) + 1;
	_Atomic uint32_t *other = &h->arrived[!self];

	/* Pairs with the acquire below in the other thread: what was done before is seen after. */
	atomic_store_explicit(&h->arrived[self], turn, memory_order_release);
	for (int i = 0; (int32_t)(atomic_load_explicit(other, memory_order_acquire) - turn) < 0;) {
		if (++i < SPINS)
			crew_relax();
		else
			sched_yield();
	}
}

static void diff_cpu(struct crew_member *self)
{
	struct htab *h = self->arg;
	struct map *map = h->map;
	struct tally t = {0};
	const bool adds = self->index == 0;
	bool over;

	defer_enter();
	do {
		if (adds) {
			h->over = crew_stopped();
			for (uint32_t i = 0; i < OPS; i++)
				set_key(map, &t, i, true);
		}
		meet(h, self->index);
		/* Written by the adder before this meeting, and not again before the next one. */
		over = h->over;
		if (!adds) {
			for (uint32_t i = 0; i < OPS; i++)
				drop_key(map, &t, i);
		}
		crew_count(self, t.done / OPS);
		meet(h, self->index);
	} while (!over);
	h->failed[self->index] = t.failed;
	defer_leave();
}

static void unsynchronised(struct crew_member *self)
{
	struct htab *h = self->arg;
	struct map *map = h->map;
	struct tally t = {0};
	const bool adds = self->index == 0;
	uint32_t key = 0;

	defer_enter();
	while (!crew_stopped()) {
		for (uint32_t i = 0; i < OPS; i++, key = (key + 1) % h->entries) {
			if (adds)
				set_key(map, &t, key, true);
			else
				drop_key(map, &t, key);
		}
		crew_count(self, t.done / OPS);
	}
	h->failed[self->index] = t.failed;
	defer_leave();
}

#endif /* BENCH_HTAB_PRODUCERS_H */
