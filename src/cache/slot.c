/* SPDX-License-Identifier: MIT */
/* The slow halves of alloc and free, see slot.h. */
#include "cache.h"

/* After so many failed tries in one call the thread goes to a guest slot. */
#define TRIES 8
/* Guest slots looked at before a thread makes do with the depot. */
#define GUEST_TRIES 4

/* A slot that this thread may work on: by index through sequences, or a guest slot that it owns. */
struct view {
	struct bma__slot *slot;
	uint32_t plane;
	bool guest;
};

/* What a step on a local stack came to. */
enum step { STEP_DONE, STEP_NONE, STEP_AGAIN };

static bool open_guest(struct bma__engine *e, struct view *v)
{
	uint32_t first = bma__plane_guest_hash();

	for (uint32_t i = 0; i < GUEST_TRIES; i++) {
		uintptr_t nobody = 0;

		v->plane = bma__cpu.slots + ((first + i) & (bma__cpu.guests - 1));
		v->slot = bma__slot_at(e, v->plane);
		if (!atomic_compare_exchange_strong_explicit(
			    &v->slot->owner, &nobody, bma__cpu_thread(), memory_order_acquire,
			    memory_order_relaxed))
			continue;
		bma__plane_use(e, v->plane);
		v->guest = true;
		return true;
	}
	return false;
}

/* False: the depot is all there is (frozen slot, no free guest slot, an engine that keeps no
 * slots). */
static bool open_view(struct bma__engine *e, struct view *v, unsigned int tries)
{
	v->guest = false;
	if (e->capacity == 1)
		return false;
	if (!bma__plane_indexed())
		return open_guest(e, v);
	if (tries >= TRIES) {
		if (tries == TRIES)
			atomic_fetch_add_explicit(&e->aborts, 1, memory_order_relaxed);
		return open_guest(e, v);
	}
	v->plane = bma__rseq_read(bma__cpu.index);
	v->slot = bma__slot_at(e, v->plane);
	bma__plane_use(e, v->plane);
	return !atomic_load_explicit(&v->slot->freeze, memory_order_relaxed);
}

static void close_view(struct view *v)
{
	if (v->guest)
		atomic_store_explicit(&v->slot->owner, 0, memory_order_release);
	v->guest = false;
}

/* The one way in which the slow half changes a slot: @word from @old to @new, or nothing. */
static bool commit(const struct view *v, void *word, uint64_t old, uint64_t new)
{
	_Atomic uint64_t *w = word;

	if (!v->guest)
		return bma__rseq_load_cbne_check_cbne_load_cbne_store(
			bma__cpu.index, v->plane, &v->slot->freeze, word, old, new);
	if (atomic_load_explicit(w, memory_order_relaxed) != old)
		return false;
	atomic_store_explicit(w, new, memory_order_relaxed);
	return true;
}

static uintptr_t load_word(const _Atomic uintptr_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void *pop_loaded(struct bma__engine *e, const struct view *v)
{
	uintptr_t word;

#if BMA__RSEQ_BUILT
	if (!v->guest) {
		void *obj;

		BMA__POP(&e->head, BMA__SLOT_LOADED, obj, slow);
		return obj;
slow:
		bma__rseq_clear();
		return NULL;
	}
#endif
	word = load_word(&v->slot->loaded);
	if (!(word & e->head.mask))
		return NULL;
	atomic_store_explicit(&v->slot->loaded, word - 8, memory_order_relaxed);
	return *(void **)word;
}

static bool push_loaded(struct bma__engine *e, const struct view *v, void *obj)
{
	uintptr_t word;

#if BMA__RSEQ_BUILT
	if (!v->guest) {
		BMA__PUSH(&e->head, BMA__SLOT_LOADED, obj, slow);
		return true;
slow:
		bma__rseq_clear();
		return false;
	}
#endif
	word = load_word(&v->slot->loaded) + 8;
	if (!(word & e->head.mask))
		return false;
	*(void **)word = obj;
	atomic_store_explicit(&v->slot->loaded, word, memory_order_relaxed);
	return true;
}

static uint32_t limit_of(const struct bma__engine *e, const struct view *v)
{
	uint32_t depth = atomic_load_explicit(&v->slot->depth, memory_order_relaxed);

	return depth ? depth : e->slot_depth;
}

/* Take the top of a local stack in hand. */
static enum step local_pop(struct bma__engine *e, const struct view *v, _Atomic uint64_t *stack,
			   uintptr_t *word)
{
	uint64_t head = atomic_load_explicit(stack, memory_order_relaxed);
	uint32_t index = (uint32_t)head;

	if (!index)
		return STEP_NONE;
	if (!commit(v, stack, head, ((head >> 32) + 1) << 32 | bma__stack_next(index)))
		return STEP_AGAIN;
	*word = bma__stack_word(e->class, index);
	return STEP_DONE;
}

/* Put a magazine in hand on a local stack, if there is room. */
static enum step local_push(struct bma__engine *e, const struct view *v, _Atomic uint64_t *stack,
			    uintptr_t word)
{
	uint64_t head = atomic_load_explicit(stack, memory_order_relaxed);
	uint32_t index = bma__mag_index(e->class, word), below = (uint32_t)head, depth = 0;
	struct bma__mag_meta *meta = bma__mag_meta(index);

	if (below)
		depth = atomic_load_explicit(&bma__mag_meta(below)->info, memory_order_relaxed) >>
			BMA__MAG_COUNT_BITS;
	if (depth >= limit_of(e, v))
		return STEP_NONE;
	atomic_store_explicit(&meta->next, below, memory_order_relaxed);
	atomic_store_explicit(&meta->info,
			      (depth + 1) << BMA__MAG_COUNT_BITS | bma__mag_count(e->class, word),
			      memory_order_relaxed);
	if (!commit(v, stack, head, ((head >> 32) + 1) << 32 | index))
		return STEP_AGAIN;
	return STEP_DONE;
}

/*
 * Full magazines went to the depot from this slot and now one comes back: the slot is too small for
 * what its users do. One-way traffic (objects that die on another CPU) never grows a slot.
 */
static void note_depot_get(struct bma__engine *e, const struct view *v)
{
	uint32_t depth = limit_of(e, v);

	if (!atomic_load_explicit(&v->slot->put_last, memory_order_relaxed))
		return;
	atomic_store_explicit(&v->slot->put_last, 0, memory_order_relaxed);
	depth *= 2;
	if (depth > e->slot_depth_max)
		depth = e->slot_depth_max;
	if (depth == limit_of(e, v))
		return;
	atomic_store_explicit(&v->slot->depth, (uint16_t)depth, memory_order_relaxed);
	bma__worker_kick(e); /* to map magazines ahead for it */
}

/* Put a magazine in hand where it serves next: this slot, if @v is open and has room, or the depot.
 */
static void put_aside(struct bma__engine *e, const struct view *v, uintptr_t word)
{
	bool full = bma__mag_count(e->class, word) != 0;

	if (v && local_push(e, v, full ? &v->slot->full : &v->slot->empty, word) == STEP_DONE)
		return;
	if (!full) {
		bma__depot_put_empty(e, word);
		return;
	}
	if (v)
		atomic_store_explicit(&v->slot->put_last, 1, memory_order_relaxed);
	bma__depot_put(e, word);
}

/*
 * Make a magazine in hand, with elements, the loaded one of the slot that the thread is on now.
 * What it replaces is in hand in turn, and empty or full.
 */
static void install(struct bma__engine *e, struct view *v, uintptr_t word)
{
	for (unsigned int tries = 0; tries < TRIES; tries++) {
		uintptr_t old = load_word(&v->slot->loaded);

		if (old & e->head.mask)
			break; /* others on this CPU have filled it meanwhile */
		if (commit(v, &v->slot->loaded, old, word)) {
			if (old)
				put_aside(e, v, old);
			return;
		}
		if (!v->guest && !open_view(e, v, 0)) {
			put_aside(e, NULL, word);
			return;
		}
	}
	put_aside(e, v, word);
}

static void *take_top(uintptr_t *word)
{
	void *obj = *(void **)*word;

	*word -= 8;
	return obj;
}

/* With no slot to use: one object out of the depot. */
static void *alloc_from_depot(struct bma__engine *e)
{
	uintptr_t word = bma__depot_get(e);
	void *obj;

	if (!word)
		return NULL;
	obj = take_top(&word);
	put_aside(e, NULL, word);
	return obj;
}

static void *alloc_ticketed(struct bma__engine *e)
{
	struct view v;

	for (unsigned int tries = 0; open_view(e, &v, tries); tries++) {
		uintptr_t word = 0;
		enum step step;
		void *obj = pop_loaded(e, &v);

		if (obj) {
			close_view(&v);
			return obj;
		}
		if (load_word(&v.slot->loaded) & e->head.mask)
			continue; /* aborted, not empty */
		step = local_pop(e, &v, &v.slot->full, &word);
		if (step == STEP_AGAIN)
			continue;
		if (step == STEP_NONE) {
			word = bma__depot_get(e);
			if (!word) {
				close_view(&v);
				return NULL;
			}
			note_depot_get(e, &v);
		}
		obj = take_top(&word);
		if (word & e->head.mask)
			install(e, &v, word);
		else
			put_aside(e, &v, word);
		close_view(&v);
		return obj;
	}
	return alloc_from_depot(e);
}

/* Pop or push without taking a magazine in hand, hence without a ticket: what guests mostly do. */
static void *try_alloc(struct bma__engine *e)
{
	struct view v;
	void *obj = NULL;

	if (open_view(e, &v, 0)) {
		obj = pop_loaded(e, &v);
		close_view(&v);
	}
	return obj;
}

static bool try_free(struct bma__engine *e, void *obj)
{
	struct view v;
	bool done = false;

	if (open_view(e, &v, 0)) {
		done = push_loaded(e, &v, obj);
		close_view(&v);
	}
	return done;
}

void *bma__slot_alloc(struct bma__engine *e)
{
	void *obj = try_alloc(e);
	struct bma__ticket ticket;

	if (obj)
		return obj;
	ticket = bma__ticket_open(e);
	obj = alloc_ticketed(e);
	bma__ticket_close(&ticket);
	return obj;
}

void *bma__slot_alloc_from(struct bma__engine *e, uintptr_t word)
{
	struct bma__ticket ticket = bma__ticket_open(e);
	void *obj = take_top(&word);
	struct view v;

	if (!(word & e->head.mask) || !open_view(e, &v, 0)) {
		put_aside(e, NULL, word);
	} else {
		install(e, &v, word);
		close_view(&v);
	}
	bma__ticket_close(&ticket);
	return obj;
}

/* With no slot to use: into a magazine of the depot that has room, or a fresh one. */
static void free_to_depot(struct bma__engine *e, void *obj)
{
	uintptr_t word = e->capacity == 1 ? 0 : bma__depot_get(e), other;

	if (!word || !((word + 8) & e->head.mask)) {
		other = bma__depot_get_empty(e);
		if (word)
			bma__depot_put(e, word);
		word = other;
	}
	if (!word) {
		bma__park(e, obj);
		return;
	}
	word += 8;
	*(void **)word = obj;
	bma__depot_put(e, word);
}

/* An empty magazine in hand, from here or the depot; 0: there is none. */
static enum step find_empty(struct bma__engine *e, const struct view *v, uintptr_t *word)
{
	enum step step = local_pop(e, v, &v->slot->empty, word);

	if (step != STEP_NONE)
		return step;
	*word = bma__depot_get_empty(e);
	return *word ? STEP_DONE : STEP_NONE;
}

static void free_ticketed(struct bma__engine *e, void *obj)
{
	uintptr_t spare = 0; /* empty magazine in hand */
	struct view v;

	for (unsigned int tries = 0; open_view(e, &v, tries); tries++) {
		uintptr_t old;

		if (push_loaded(e, &v, obj)) {
			if (spare)
				put_aside(e, &v, spare);
			close_view(&v);
			return;
		}
		old = load_word(&v.slot->loaded);
		if ((old + 8) & e->head.mask) {
			close_view(&v);
			continue; /* aborted, not full */
		}
		if (!spare && find_empty(e, &v, &spare) == STEP_NONE) {
			close_view(&v);
			bma__park(e, obj);
			return;
		}
		if (spare) {
			*(void **)(spare + 8) = obj;
			if (commit(&v, &v.slot->loaded, old, spare + 8)) {
				if (old)
					put_aside(e, &v, old);
				close_view(&v);
				return;
			}
		}
		close_view(&v);
	}
	if (spare)
		bma__depot_put_empty(e, spare);
	free_to_depot(e, obj);
}

void bma__slot_free(struct bma__engine *e, void *obj)
{
	struct bma__ticket ticket;

	if (try_free(e, obj))
		return;
	/* Once in a magazine's worth of frees there is time to look at what is given back. */
	bma__engine_slab(e, obj, "bma_cache_free");
	ticket = bma__ticket_open(e);
	free_ticketed(e, obj);
	bma__ticket_close(&ticket);
}

uint64_t bma__slot_high(const struct bma__engine *e, uint32_t plane)
{
	struct view v = {.slot = bma__slot_at(e, plane), .plane = plane};

	return e->capacity == 1 ? 0 : (1 + (uint64_t)limit_of(e, &v)) * e->capacity;
}
