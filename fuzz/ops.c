/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls on up to four caches by up to four threads, each call compared with a model. Three bytes
 * make a call: which; thread and cache; a number. create takes some more. At the end everything is given
 * back, and nothing may be left.
 */
#include "model.h"

#define CALLS_MOST 600
#define LOOK 24

enum { ANY, WAITS };

static const struct {
	void (*call)(void *arg);
	int waits;
} calls[] = {
	{call_create, ANY},
	{call_alloc, ANY},
	{call_alloc_flags, ANY},
	{call_alloc_bulk, ANY},
	{call_free, ANY},
	{call_free_bulk, ANY},
	{call_free_rcu, ANY},
	{call_free_rcu_flags, WAITS},
	{call_barrier, WAITS},
	{call_reserve_create, ANY},
	{call_reserve_alloc, ANY},
	{call_reserve_refill, ANY},
	{call_reserve_destroy, ANY},
	{call_stats, ANY},
	{call_poll, WAITS},
	{call_trim, WAITS},
	{call_destroy, WAITS},
	{call_lock, ANY},
	{call_unlock, ANY},
	{call_fail, ANY},
	{call_grace_period, WAITS},
	{call_nothing, ANY},
	{call_shutdown, WAITS},
};
#define CALLS (sizeof calls / sizeof calls[0])

/* The library's own threads wait, and nobody tells the readers: so these leave before. */
static void leave_others(unsigned int thread)
{
	unsigned int mine = model.reading[thread];

	model.reading[thread] = 0;
	model_leave_all();
	model.reading[thread] = mine;
}

static void end_thread(unsigned int thread)
{
	while (model.reading[thread])
		baton_run(thread, call_unlock, NULL);
	baton_exit(thread);
}

static void one(struct fuzz_input *in)
{
	unsigned int which = fuzz_u8(in) % (CALLS + 1), who = fuzz_u8(in);
	unsigned int thread = who % BATON_THREADS;
	struct model_call m = {.in = in};

	m.c = &model.caches[who / BATON_THREADS % MODEL_CACHES];
	m.arg = fuzz_u8(in);
	fuzz_operations++;
	if (which == CALLS) {
		end_thread(thread);
		return;
	}
	if (calls[which].waits && baton_native())
		leave_others(thread);
	baton_run(thread, calls[which].call, &m);
	model_look(LOOK);
}

static void end_cache(struct model_cache *c)
{
	struct model_call m = {.c = c};

	if (!c->cache)
		return;
	for (m.arg = 0; m.arg < MODEL_RESERVES; m.arg++)
		call_reserve_destroy(&m);
	while (c->live) {
		m.arg = (unsigned int)c->live;
		if (c->live % 3)
			call_free(&m);
		else
			call_free_rcu(&m);
	}
	model_stats(c);
	call_destroy(&m);
	FUZZ_CHECK(!c->cache, "the cache is still there");
}

static void end_all(void *unused)
{
	struct bma_stats s;

	(void)unused;
	model.failing = 0;
	bma_fuzz_fail_after(0);
	model_look(MODEL_OBJECTS);
	model_stats_all();
	for (unsigned int i = 0; i < MODEL_CACHES; i++)
		end_cache(&model.caches[i]);
	FUZZ_CHECK(!bma_trim(), "trim");
	FUZZ_CHECK(!bma_stats_get(&s, sizeof s), "stats");
	FUZZ_CHECK(!s.caches && !s.slab_bytes && !s.purge_bytes,
		   "%llu caches, %llu bytes of slabs are left", (unsigned long long)s.caches,
		   (unsigned long long)s.slab_bytes);
	FUZZ_CHECK(!model.bytes, "the model has %zu bytes", model.bytes);
}

BMA_FUZZ(ops)
{
	model_begin();
	for (int i = 0; i < CALLS_MOST && !fuzz_end(in); i++)
		one(in);
	model_leave_all();
	for (unsigned int i = 1; i < BATON_THREADS; i++)
		end_thread(i);
	baton_run(0, end_all, NULL);
}
