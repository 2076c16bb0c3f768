/* SPDX-License-Identifier: MIT */
/* Limbo, see limbo.h. Ordering: MO-5, MO-10, MO-21 (docs/memory-ordering.md). */
#include "cache.h"

/* Slots flushed with one pair of fences. */
#define ROUND 256u
#define TRIES 3
#define NAP 200000u

static uintptr_t load_word(const struct bma__slot *s)
{
	return atomic_load_explicit(&s->limbo, memory_order_relaxed);
}

/* A frozen slot: a guest slot will do. */
static bool open_view(struct bma__engine *e, struct bma__view *v, unsigned int tries)
{
	if (!bma__view_open(e, v, tries))
		return false;
	if (v->guest || !atomic_load_explicit(&v->slot->freeze_limbo, memory_order_relaxed))
		return true;
	return bma__view_open_guest(e, v);
}

static bool push(struct bma__engine *e, const struct bma__view *v, void *obj)
{
	uintptr_t word = load_word(v->slot) + 8;

#if BMA__RSEQ_BUILT
	if (!v->guest) {
		BMA__PUSH(&e->head, BMA__SLOT_LIMBO, obj, slow);
		return true;
slow:
		bma__rseq_clear();
		return false;
	}
#endif
	if (!(word & e->head.mask))
		return false;
	*(void **)word = obj;
	atomic_store_explicit(&v->slot->limbo, word, memory_order_relaxed);
	return true;
}

/* A word was counted: see that a flush comes by. */
static void tell(struct bma__engine *e)
{
	bma__need_set(&e->flavor->filling, e->id);
	bma__defer_tell(e->flavor);
}

/* A limbo word is about to change from 0. Returns the generation that it was counted in. */
static uint32_t announce(struct bma__engine *e)
{
	uint32_t generation = bma__count_announce(&e->limbo_slots);

	tell(e);
	return generation;
}

/* It did not. */
static void retract(struct bma__engine *e, uint32_t generation)
{
	uint64_t left;

	bma__count_change(&e->limbo_slots, (uint64_t)-1, generation, &left);
}

/*
 * It did, in a guest slot, where the look at the slot's generation and the change are two instructions. A child that a
 * handler forked before the change has not counted the word; one after it has, and says so in the slot. A flush in the child that
 * found nothing counted has cleared the bit of "filling", too, so it is set once more, after the count was raised.
 */
static void confirm(struct bma__engine *e, const struct bma__slot *s, uint32_t announced)
{
	uint32_t now = bma__count_generation(&e->limbo_slots);
	bool counted = false;
	uint64_t words;

	while (now != announced && !counted &&
	       !atomic_load_explicit(&s->freeze_limbo, memory_order_relaxed)) {
		counted = bma__count_change(&e->limbo_slots, 1, now, &words);
		now = bma__count_generation(&e->limbo_slots);
	}
	if (counted)
		tell(e);
}

/* With no slot to use; @spare: an empty magazine in hand, or 0. */
static void free_sealed(struct bma__engine *e, void *obj, uintptr_t spare, bool heedless)
{
	if (!spare)
		spare = bma__depot_get_empty(e);
	if (!spare) {
		bma__park(e, obj, "bma_cache_free_rcu");
		return;
	}
	*(void **)(spare + 8) = obj;
	bma__defer_seal(e, spare + 8, bma__plane_home(), heedless);
}

static void free_ticketed(struct bma__engine *e, void *obj, bool heedless)
{
	uintptr_t spare = 0; /* empty magazine in hand */
	struct bma__view v;

	for (unsigned int tries = 0; open_view(e, &v, tries); tries++) {
		uint32_t gen = atomic_load_explicit(&v.slot->gen, memory_order_acquire);
		uintptr_t old = load_word(v.slot);
		uint32_t announced = 0;
		bool done;

		if ((old + 8) & e->head.mask) {
			done = push(e, &v, obj);
			bma__view_close(&v);
			if (!done)
				continue;
			if (spare)
				bma__depot_put_empty(e, spare);
			return;
		}
		if (!spare)
			spare = bma__depot_get_empty(e);
		if (!spare) {
			bma__view_close(&v);
			bma__park(e, obj, "bma_cache_free_rcu");
			return;
		}
		*(void **)(spare + 8) = obj;
		if (!old)
			announced = announce(e);
		done = bma__view_change(&v, &v.slot->limbo, &v.slot->freeze_limbo, gen, old,
					spare + 8);
		if (done && !old && v.guest)
			confirm(e, v.slot, announced);
		bma__view_close(&v);
		if (done && old)
			bma__defer_seal(e, old, v.plane, heedless);
		if (done)
			return;
		if (!old)
			retract(e, announced);
	}
	free_sealed(e, obj, spare, heedless);
}

void bma__limbo_free(struct bma__engine *e, void *obj, bool heedless)
{
	struct bma__ticket ticket;
	struct bma__view v;
	bool done = false;

	if (bma__likely(open_view(e, &v, 0))) {
		done = push(e, &v, obj);
		bma__view_close(&v);
	}
	if (done)
		return;
	/* Once in a magazine's worth of frees there is time to look at what is given back. */
	bma__engine_slab(e, obj, "bma_cache_free_rcu");
	ticket = bma__ticket_open(e);
	free_ticketed(e, obj, heedless);
	bma__ticket_close(&ticket);
}

/* What a flush works on: slots whose limbo is frozen. [lock: drain] */
static struct {
	struct bma__engine *e; /* pinned */
	struct bma__slot *slot;
	uint32_t plane;
	uintptr_t word; /* taken and not yet known to be ours */
	uintptr_t ours;
	bool missed; /* a hot call stored in between */
} batch[ROUND];
static uint32_t entries;

static void seal(struct bma__engine *e, uintptr_t word, uint32_t plane)
{
	bma__defer_seal(e, word, plane, false);
	bma__count_lower(&e->limbo_slots, 1);
}

static void exchange_all(void)
{
	for (uint32_t i = 0; i < entries; i++) {
		if (!batch[i].ours)
			batch[i].word = atomic_exchange_explicit(&batch[i].slot->limbo, 0,
								 memory_order_acq_rel);
	}
}

/* After the second fence. @rc: whether it failed; then what was taken goes back, see drain.h. */
static uint32_t look_again(int rc)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < entries; i++) {
		uintptr_t none = 0;

		if (!batch[i].word)
			continue;
		if (rc)
			atomic_compare_exchange_strong_explicit(&batch[i].slot->limbo, &none,
								batch[i].word, memory_order_acq_rel,
								memory_order_relaxed);
		else if (!load_word(batch[i].slot))
			batch[i].ours = batch[i].word;
		batch[i].word = 0;
		batch[i].missed = !batch[i].ours;
		left += batch[i].missed;
	}
	return left;
}

/* Flush the slots that were gathered. Returns how many were left alone, of @only if that is not NULL. */
static int run_round(const struct bma__engine *only)
{
	int rc = bma__cpu_fence();
	uint32_t left = entries, counted = 0;

	for (int tries = 0; !rc && left && tries < TRIES; tries++) {
		exchange_all();
		rc = bma__cpu_fence();
		left = look_again(rc);
	}
	for (uint32_t i = 0; i < entries; i++) {
		struct bma__engine *e = batch[i].e;

		atomic_store_explicit(&batch[i].slot->freeze_limbo, 0, memory_order_release);
		counted += !batch[i].ours && batch[i].missed && (!only || only == e);
		if (batch[i].ours)
			seal(e, batch[i].ours, batch[i].plane);
		bma__engine_end(e);
		bma__engine_unpin(e);
	}
	entries = 0;
	return rc ? rc : (int)counted;
}

static void gather_indexed(struct bma__engine *e, uint32_t plane)
{
	struct bma__slot *s = bma__slot_at(e, plane);

	atomic_store_explicit(&s->freeze_limbo, 1, memory_order_seq_cst);
	bma__engine_begin(e);
	atomic_fetch_add_explicit(&e->pins, 1, memory_order_relaxed);
	batch[entries].e = e;
	batch[entries].slot = s;
	batch[entries].plane = plane;
	batch[entries].word = batch[entries].ours = 0;
	batch[entries].missed = false;
	entries++;
}

/* Returns whether the slot was left alone. */
static bool flush_guest(struct bma__engine *e, uint32_t plane)
{
	struct bma__slot *s = bma__slot_at(e, plane);
	uintptr_t nobody = 0, word;

	if (!atomic_compare_exchange_strong_explicit(&s->owner, &nobody, bma__cpu_thread(),
						     memory_order_acquire, memory_order_relaxed))
		return true;
	bma__engine_begin(e);
	word = atomic_exchange_explicit(&s->limbo, 0, memory_order_relaxed);
	atomic_store_explicit(&s->owner, 0, memory_order_release);
	if (word)
		seal(e, word, plane);
	bma__engine_end(e);
	return false;
}

static void add(int *sum, int more)
{
	if (*sum >= 0)
		*sum = more < 0 ? more : *sum + more;
}

static void flush_engine(struct bma__engine *e, const struct bma__engine *only, int *left)
{
	uint32_t plane;

	bma__plane_for_each (e, plane) {
		if (!load_word(bma__slot_at(e, plane)))
			continue;
		if (plane >= bma__cpu.slots)
			add(left, flush_guest(e, plane) && (!only || only == e));
		else
			gather_indexed(e, plane);
		if (entries == ROUND)
			add(left, run_round(only));
	}
}

static int flush(struct bma__flavor *f, const struct bma__engine *only)
{
	sigset_t was;
	int left = 0;

	/* A child that a handler forks in here counts words anew, without those that are in hand. */
	bma__signals_block(&was);
	bma__lock_take(&bma__drain_lock);
	bma__need_for_each (&f->filling, e) {
		if (e->flavor != f)
			continue;
		if (bma__count_read(&e->limbo_slots))
			flush_engine(e, only, &left);
		/* Until it is 0 somebody has to look again. */
		if (bma__count_read(&e->limbo_slots))
			bma__need_set(&f->filling, e->id);
	}
	if (entries)
		add(&left, run_round(only));
	/* The grace-period thread may have gone to rest while bits were taken here. */
	if (bma__need_any(&f->filling))
		bma__defer_tell(f);
	bma__lock_drop(&bma__drain_lock);
	bma__signals_restore(&was);
	return left;
}

int bma__limbo_flush(struct bma__flavor *f)
{
	return flush(f, NULL);
}

int bma__limbo_flush_fully(struct bma__engine *e)
{
	int left;

	while ((left = flush(e->flavor, e)) > 0)
		bma__os_sleep(NAP);
	return left;
}

uint64_t bma__limbo_count(const struct bma__engine *e)
{
	uint64_t n = 0;
	uint32_t plane;

	bma__plane_for_each (e, plane)
		n += bma__mag_count(e->class, load_word(bma__slot_at(e, plane)));
	return n;
}

bool bma__limbo_full(const struct bma__engine *e)
{
	return bma__count_read(&e->limbo) >=
	       atomic_load_explicit(&e->limbo_max, memory_order_relaxed);
}

void bma__limbo_recount(struct bma__engine *e)
{
	uint32_t n = 0, plane;

	bma__plane_for_each (e, plane) {
		struct bma__slot *s = bma__slot_at(e, plane);
		bool fills = load_word(s) != 0;

		n += fills;
		if (plane >= bma__cpu.slots)
			atomic_store_explicit(&s->freeze_limbo, fills, memory_order_relaxed);
	}
	bma__count_anew(&e->limbo_slots, n, bma__ticket_generation());
	if (n)
		bma__need_set(&e->flavor->filling, e->id);
}
