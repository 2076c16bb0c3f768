/* SPDX-License-Identifier: MIT */
/* Destructors, see finish.h. Ordering: MO-23 (docs/memory-ordering.md). */
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
		bma__engine_uncharge(slab);
		bma__slab_destroy(slab);
		return;
	}
	e = slab->owner;
	slab->next = e->finish_first;
	e->finish_first = slab;
	atomic_fetch_add_explicit(&e->finish_slabs, 1, memory_order_release);
	bma__worker_look(e);
}

/* The next magazine of this round, or 0; in which generation it is in hand: in a child of fork after that it counts no more. */
static uintptr_t next_magazine(struct bma__engine *e, uint32_t *generation)
{
	uintptr_t word = 0;

	bma__lock_take(&bma__purge_lock);
	if (e->finish_chain) {
		word = bma__stack_word(e->class, e->finish_chain);
		e->finish_chain = bma__stack_next(e->class, e->finish_chain);
	}
	*generation = bma__ticket_generation();
	bma__lock_drop(&bma__purge_lock);
	return word;
}

static void finish_magazine(struct bma__engine *e, uintptr_t word, uint32_t generation)
{
	uint32_t n = bma__mag_count(e->class, word);
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	struct bma__depot_batch batch = {0};
	sigset_t was;

	for (uint32_t i = 0; i < n; i++)
		bma__finish_object(e, objs[i]);
	bma__depot_gather(e, &batch, word);
	bma__depot_return(e, &e->depot[bma__topo_node_now()], &batch);
	bma__signals_block(&was);
	if (generation == bma__ticket_generation())
		bma__defer_uncount(e, n);
	bma__signals_restore(&was);
}

static struct bma__slab *next_slab(struct bma__engine *e, uint32_t *generation)
{
	struct bma__slab *s;

	bma__lock_take(&bma__purge_lock);
	s = e->finish_first;
	if (s)
		e->finish_first = s->next;
	*generation = bma__ticket_generation();
	bma__lock_drop(&bma__purge_lock);
	return s;
}

/* Not below 0: see bma__finish_recount(), should a destructor fork. */
static void lower(_Atomic uint32_t *count)
{
	uint32_t n = atomic_load_explicit(count, memory_order_relaxed);

	while (n && !atomic_compare_exchange_weak_explicit(count, &n, n - 1, memory_order_release,
							   memory_order_relaxed))
		;
}

static void finish_slab(struct bma__engine *e, struct bma__slab *s, uint32_t generation)
{
	uint32_t n = atomic_load_explicit(&s->carved, memory_order_relaxed);

	for (uint32_t i = 0; i < n; i++)
		bma__finish_object(e, bma__slab_object(s, i));
	bma__engine_uncharge(s);
	bma__lock_take(&bma__purge_lock);
	bma__slab_destroy(s);
	if (generation == bma__ticket_generation()) {
		lower(&e->finish_slabs);
		lower(&e->dying_slabs);
	}
	bma__lock_drop(&bma__purge_lock);
}

static uint32_t run(struct bma__engine *e)
{
	uint32_t generation, done = 0,
			     slabs = atomic_load_explicit(&e->finish_slabs, memory_order_acquire);
	struct bma__slab *s;
	uintptr_t word;

	bma__engine_begin(e);
	bma__lock_take(&bma__purge_lock);
	e->finish_chain = bma__stack_take_all(&e->finish);
	bma__lock_drop(&bma__purge_lock);
	for (; (word = next_magazine(e, &generation)); done++)
		finish_magazine(e, word, generation);
	for (; slabs && (s = next_slab(e, &generation)); slabs--, done++)
		finish_slab(e, s, generation);
	bma__depot_watch(e);
	bma__engine_end(e);
	atomic_fetch_add_explicit(&e->finish_rounds, 1, memory_order_release);
	return done;
}

uint32_t bma__finish_run(struct bma__engine *e)
{
	uint32_t done = 0, now = 1;

	while (now && e->dtor && anything(e)) {
		if (atomic_exchange_explicit(&e->finishing, true, memory_order_acq_rel))
			break;
		/* Pairs with that of idle(): who misses what is taken from here on sees the flag. */
		atomic_thread_fence(memory_order_seq_cst);
		now = run(e);
		done += now;
		/* A full barrier between this and the next look: see the invariant. */
		atomic_exchange_explicit(&e->finishing, false, memory_order_seq_cst);
		atomic_thread_fence(memory_order_seq_cst);
	}
	return done;
}

static bool idle(struct bma__engine *e)
{
	if (anything(e))
		return false;
	atomic_thread_fence(memory_order_seq_cst);
	return !atomic_load_explicit(&e->finishing, memory_order_acquire);
}

void bma__finish_nap(struct bma__engine *e)
{
	if (bma__worker_runs() && !bma__worker_is_caller())
		bma__worker_look(e);
	else
		bma__finish_run(e);
	bma__os_sleep(NAP);
}

/* Two rounds suffice: the first may have taken its share before. */
void bma__finish_wait(struct bma__engine *e, bool slabs)
{
	uint32_t begun = atomic_load_explicit(&e->finish_rounds, memory_order_acquire);

	if (!e->dtor)
		return;
	for (;; bma__finish_nap(e)) {
		if (slabs && atomic_load_explicit(&e->dying_slabs, memory_order_acquire))
			continue;
		if (idle(e))
			return;
		if (!slabs &&
		    atomic_load_explicit(&e->finish_rounds, memory_order_acquire) - begun >= 2)
			return;
	}
}

void bma__finish_recount(struct bma__engine *e)
{
	uint32_t due = 0, dying = 0;

	if (!e->dtor)
		return;
	while (e->finish_chain) {
		uintptr_t word = bma__stack_word(e->class, e->finish_chain);

		e->finish_chain = bma__stack_next(e->class, e->finish_chain);
		bma__stack_push(&e->finish, e->class, word);
	}
	for (struct bma__slab *s = e->finish_first; s; s = s->next)
		due++;
	for (struct bma__slab *s = e->flavor->dying; s; s = s->next)
		dying += s->finish && s->owner == e;
	atomic_store_explicit(&e->finish_slabs, due, memory_order_relaxed);
	atomic_store_explicit(&e->dying_slabs, due + dying, memory_order_relaxed);
	atomic_store_explicit(&e->finishing, false, memory_order_relaxed);
	bma__worker_look(e);
}
