/* SPDX-License-Identifier: MIT */
/* Destructors, see finish.h. */
#include "cache.h"

#define NAP 100000u

static bool anything(struct bma__engine *e)
{
	return atomic_load_explicit(&e->finish.head, memory_order_acquire) & UINT32_MAX ||
	       atomic_load_explicit(&e->finish_slabs, memory_order_acquire);
}

void bma__finish_slab_later(struct bma__slab *slab)
{
	struct bma__engine *e;

	/* Without a destructor the engine may be gone. */
	if (!slab->finish) {
		bma__slab_destroy(slab);
		return;
	}
	e = slab->owner;
	slab->next = e->finish_first;
	e->finish_first = slab;
	atomic_fetch_add_explicit(&e->finish_slabs, 1, memory_order_release);
	bma__worker_kick(e);
}

static void finish_magazine(struct bma__engine *e, uintptr_t word)
{
	uint32_t n = bma__mag_count(e->class, word);
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));

	for (uint32_t i = 0; i < n; i++)
		e->dtor(objs[i], e->ctx);
	bma__depot_add(e, &e->depot[bma__topo_node_now()], word);
	bma__defer_uncount(e, n);
}

static struct bma__slab *next_slab(struct bma__engine *e)
{
	struct bma__slab *s;

	bma__lock_take(&bma__purge_lock);
	s = e->finish_first;
	if (s)
		e->finish_first = s->next;
	bma__lock_drop(&bma__purge_lock);
	return s;
}

static void finish_slab(struct bma__engine *e, struct bma__slab *s)
{
	uint32_t n = atomic_load_explicit(&s->carved, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		e->dtor(bma__slab_object(s, i), e->ctx);
	bma__lock_take(&bma__purge_lock);
	bma__slab_destroy(s);
	bma__lock_drop(&bma__purge_lock);
	atomic_fetch_sub_explicit(&e->finish_slabs, 1, memory_order_release);
	atomic_fetch_sub_explicit(&e->dying_slabs, 1, memory_order_release);
}

static uint32_t run(struct bma__engine *e)
{
	struct bma__slab *s;
	uint32_t done = 0;
	uintptr_t word;

	bma__engine_begin(e);
	for (; (word = bma__stack_pop(&e->finish, e->class)); done++)
		finish_magazine(e, word);
	for (; (s = next_slab(e)); done++)
		finish_slab(e, s);
	bma__depot_watch(e);
	bma__engine_end(e);
	return done;
}

uint32_t bma__finish_run(struct bma__engine *e)
{
	uint32_t done = 0;

	while (e->dtor && anything(e)) {
		if (atomic_exchange_explicit(&e->finishing, true, memory_order_acquire))
			break;
		done += run(e);
		/* A full barrier between this and the next look: see the invariant. */
		atomic_exchange_explicit(&e->finishing, false, memory_order_seq_cst);
	}
	return done;
}

void bma__finish_wait(struct bma__engine *e, bool slabs)
{
	while (e->dtor) {
		bool busy = atomic_load_explicit(&e->finishing, memory_order_acquire);

		if (!busy && !anything(e) &&
		    !(slabs && atomic_load_explicit(&e->dying_slabs, memory_order_acquire)))
			return;
		if (bma__worker_runs())
			bma__worker_kick(e);
		else
			bma__finish_run(e);
		bma__os_sleep(NAP);
	}
}
