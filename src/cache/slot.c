/* SPDX-License-Identifier: MIT */
/* The slow halves of alloc and free, see slot.h. Ordering: MO-9, MO-42 (docs/memory-ordering.md). */
#include "cache.h"

/* False: the depot is all there is (no slot to be had, or a frozen one). */
static bool open_view(struct bma__engine *e, struct bma__view *v, unsigned int tries)
{
	return bma__view_open(e, v, tries) &&
	       (v->guest || !atomic_load_explicit(&v->slot->freeze, memory_order_relaxed));
}

static uintptr_t load_word(const struct bma__view *v)
{
	return atomic_load_explicit(&v->slot->loaded, memory_order_relaxed);
}

static void store_word(const struct bma__view *v, uintptr_t word)
{
	atomic_store_explicit(&v->slot->loaded, word, memory_order_relaxed);
}

static uintptr_t load_link(const _Atomic uintptr_t *link)
{
	return atomic_load_explicit(link, memory_order_relaxed);
}

static void store_link(_Atomic uintptr_t *link, uintptr_t base)
{
	atomic_store_explicit(link, base, memory_order_relaxed);
}

/*
 * The element that @word said was taken: it stands above the top now. While the slot or the magazine is in hand: under
 * valgrind, which is told, there are guest slots only.
 */
static void left_behind(const struct bma__engine *e, uintptr_t word)
{
	if (bma__unlikely(e->flags & BMA__CACHE_TOOLS))
		bma__tools_forget((void *)word, sizeof(void *));
}

/* The hot calls with a step along the tape, in a guest slot; compare rseq.h. */
static void *guest_pop(struct bma__engine *e, const struct bma__view *v)
{
	uintptr_t word = load_word(v), prev;
	void *obj;

	if (!(word & e->head.mask)) {
		prev = word ? load_link(&bma__mag_links(word - 8)->prev) : 0;
		if (!prev)
			return NULL;
		store_link(&bma__mag_links(prev)->next, word - 8);
		word = bma__mag_word(prev, e->capacity);
	}
	store_word(v, word - 8);
	obj = *(void **)word;
	left_behind(e, word);
	return obj;
}

static bool guest_push(struct bma__engine *e, const struct bma__view *v, void *obj)
{
	uintptr_t word = load_word(v) + 8, base, next;

	if (!(word & e->head.mask)) {
		base = word - bma__mag_size(e->class);
		next = word == 8 ? 0 : load_link(&bma__mag_links(base)->next);
		if (!next)
			return false;
		store_link(&bma__mag_links(next)->prev, base);
		word = bma__mag_word(next, 1);
	}
	*(void **)word = obj;
	store_word(v, word);
	return true;
}

static void *pop(struct bma__engine *e, const struct bma__view *v)
{
#if BMA__RSEQ_BUILT
	if (!v->guest) {
		void *obj;

		BMA__STEP_POP(&e->head, obj, slow);
		return obj;
slow:
		bma__rseq_clear();
		return NULL;
	}
#endif
	return guest_pop(e, v);
}

static bool push(struct bma__engine *e, const struct bma__view *v, void *obj)
{
#if BMA__RSEQ_BUILT
	if (!v->guest) {
		BMA__STEP_PUSH(&e->head, obj, slow);
		return true;
slow:
		bma__rseq_clear();
		return false;
	}
#endif
	return guest_push(e, v, obj);
}

/* The loaded word from @old to @new, if the tape is still that of generation @gen; or nothing. */
static bool change(const struct bma__view *v, uint32_t gen, uintptr_t old, uintptr_t new)
{
	return bma__view_change(v, &v->slot->loaded, &v->slot->freeze, gen, old, new);
}

/*
 * How long the tape is after @old, at one of its ends, gets a neighbour there. @other: its link the other
 * way. The length is a hint that a handler may leave wrong by one; where the loaded magazine is alone it is
 * known.
 */
static uint32_t longer_by_one(const struct bma__view *v, uintptr_t old, uintptr_t other)
{
	if (!old)
		return 1;
	if (!other)
		return 2;
	return atomic_load_explicit(&v->slot->length, memory_order_relaxed) + 1;
}

/*
 * Full magazines went to the depot from this slot and now one comes back: the tape is too short for what
 * its users do. One-way traffic (objects that die on another CPU) never makes it longer.
 */
static void adapt(struct bma__engine *e, const struct bma__view *v)
{
	if (!atomic_load_explicit(&v->slot->put_last, memory_order_relaxed))
		return;
	atomic_store_explicit(&v->slot->put_last, 0, memory_order_relaxed);
	if (bma__budget_grow(e, v->slot))
		bma__worker_look(e); /* to map magazines ahead for it */
}

/* A magazine in hand to the depot. */
static void put_aside(struct bma__engine *e, uintptr_t word)
{
	if (bma__mag_count(e->class, word))
		bma__depot_put(e, word);
	else
		bma__depot_put_empty(e, word);
}

/*
 * At the left end, the loaded magazine @old empty or none: make @word, in hand and with elements, the loaded
 * one. False: something changed meanwhile, and @word is still in hand.
 */
static bool extend_left(struct bma__engine *e, const struct bma__view *v, uint32_t gen,
			uintptr_t old, uintptr_t word)
{
	struct bma__mag_links *links = bma__mag_links(bma__mag_base(e->class, word));
	uintptr_t right = old ? load_link(&bma__mag_links(old - 8)->next) : 0;
	uint32_t length = longer_by_one(v, old, right);
	bool grow = length <= bma__budget_limit(v->slot);

	store_link(&links->prev, 0);
	store_link(&links->next, grow && old ? old - 8 : right);
	if (!change(v, gen, old, word))
		return false;
	if (grow)
		atomic_store_explicit(&v->slot->length, (uint16_t)length, memory_order_relaxed);
	else if (old)
		bma__depot_put_empty(e, old);
	return true;
}

/* At the right end, @old full or none: make @word, in hand with one element, the loaded one. */
static bool extend_right(struct bma__engine *e, const struct bma__view *v, uint32_t gen,
			 uintptr_t old, uintptr_t word)
{
	struct bma__mag_links *links = bma__mag_links(bma__mag_base(e->class, word));
	uintptr_t base = old ? bma__mag_base(e->class, old) : 0;
	uintptr_t left = old ? load_link(&bma__mag_links(base)->prev) : 0;
	uint32_t length = longer_by_one(v, old, left);
	bool grow = length <= bma__budget_limit(v->slot);

	store_link(&links->prev, grow ? base : left);
	store_link(&links->next, 0);
	if (!change(v, gen, old, word))
		return false;
	if (grow) {
		atomic_store_explicit(&v->slot->length, (uint16_t)length, memory_order_relaxed);
	} else if (old) {
		atomic_store_explicit(&v->slot->put_last, 1, memory_order_relaxed);
		bma__depot_put(e, old);
	}
	return true;
}

static void *take_top(const struct bma__engine *e, uintptr_t *word)
{
	void *obj = *(void **)*word;

	left_behind(e, *word);
	*word -= 8;
	return obj;
}

/* One object out of a magazine in hand; the rest goes to the depot. */
static void *take_and_put(struct bma__engine *e, uintptr_t word)
{
	void *obj = take_top(e, &word);

	put_aside(e, word);
	return obj;
}

/* Is the slot at the left end of its tape with nothing left, at this moment? */
static bool at_left_end(const struct bma__engine *e, uintptr_t word)
{
	return !(word & e->head.mask) && (!word || !load_link(&bma__mag_links(word - 8)->prev));
}

static bool at_right_end(const struct bma__engine *e, uintptr_t word)
{
	return !((word + 8) & e->head.mask) &&
	       (!word || !load_link(&bma__mag_links(bma__mag_base(e->class, word))->next));
}

/*
 * Slot and depot are empty, but a thread that is aborted all the time (single-stepped, say) has its objects
 * in a guest slot, and handlers that found its own owned have brought the depot's magazines to the next ones.
 */
static void *alloc_from_guest(struct bma__engine *e)
{
	void *obj = NULL;

	if (bma__plane_next(e, bma__cpu.slots) == e->planes)
		return NULL;
	for (uint32_t i = 0; i < BMA__VIEW_GUEST_TRIES && !obj; i++) {
		uint32_t plane = bma__view_guest_plane(i);
		struct bma__view v;

		/* A slot that was never used has nothing, and would count as one from now on. */
		if (bma__plane_next(e, plane) != plane || !bma__view_open_guest_at(e, &v, plane))
			continue;
		obj = guest_pop(e, &v);
		bma__view_close(&v);
	}
	return obj;
}

/* @word: a magazine with elements in hand, or 0 to get one from the depot, @near: of this node, when it is needed. */
static void *alloc_ticketed(struct bma__engine *e, uintptr_t word, bool near)
{
	struct bma__view v;

	for (unsigned int tries = 0; open_view(e, &v, tries); tries++) {
		uint32_t gen = atomic_load_explicit(&v.slot->gen, memory_order_acquire);
		uintptr_t old = load_word(&v);
		void *obj;

		if (!at_left_end(e, old)) {
			obj = word ? NULL : pop(e, &v);
			bma__view_close(&v);
			if (obj)
				return obj;
			if (word)
				break; /* others on this CPU have filled it meanwhile */
			continue;
		}
		if (!word) {
			word = bma__depot_get(e, near);
			if (!word) {
				/* A handler may have taken the depot's last magazines to this slot. */
				bool changed = load_word(&v) != old ||
					       atomic_load_explicit(&v.slot->gen,
								    memory_order_acquire) != gen;

				bma__view_close(&v);
				if (changed)
					continue;
				return alloc_from_guest(e);
			}
			adapt(e, &v);
		}
		if (bma__mag_count(e->class, word) == 1 || !bma__budget_open(e, v.slot)) {
			bma__view_close(&v);
			break;
		}
		obj = *(void **)word;
		if (extend_left(e, &v, gen, old, word - 8)) {
			if (v.guest)
				left_behind(e, word);
			bma__view_close(&v);
			return obj;
		}
		bma__view_close(&v);
	}
	if (!word)
		word = bma__depot_get(e, near);
	return word ? take_and_put(e, word) : NULL;
}

void *bma__slot_alloc_from(struct bma__engine *e, uintptr_t word)
{
	struct bma__ticket ticket = bma__ticket_open(e);
	void *obj = alloc_ticketed(e, word, false);

	bma__ticket_close(&ticket);
	return obj;
}

static void *alloc(struct bma__engine *e, bool near)
{
	struct bma__ticket ticket;
	struct bma__view v;
	void *obj = NULL;

	/* A step takes nothing in hand, so it needs no ticket. */
	if (bma__likely(open_view(e, &v, 0))) {
		obj = pop(e, &v);
		bma__view_close(&v);
	}
	if (bma__likely(obj))
		return obj;
	ticket = bma__ticket_open(e);
	obj = alloc_ticketed(e, 0, near);
	bma__ticket_close(&ticket);
	return obj;
}

void *bma__slot_alloc(struct bma__engine *e)
{
	return alloc(e, false);
}

void *bma__slot_alloc_near(struct bma__engine *e)
{
	return alloc(e, true);
}

/* With no slot to use: into a magazine of the depot that has room, or into @spare or another empty one. */
static void free_to_depot(struct bma__engine *e, void *obj, uintptr_t spare)
{
	uintptr_t word = spare || e->capacity == 1 ? spare : bma__depot_get(e, true), other;

	if (!word || !((word + 8) & e->head.mask)) {
		other = bma__depot_get_empty(e);
		if (word)
			bma__depot_put(e, word);
		word = other;
	}
	if (!word) {
		bma__park(e, obj, "bma_cache_free");
		return;
	}
	word += 8;
	*(void **)word = obj;
	bma__depot_put(e, word);
}

static void free_ticketed(struct bma__engine *e, void *obj)
{
	uintptr_t spare = 0; /* empty magazine in hand */
	struct bma__view v;

	for (unsigned int tries = 0; open_view(e, &v, tries); tries++) {
		uint32_t gen = atomic_load_explicit(&v.slot->gen, memory_order_acquire);
		uintptr_t old = load_word(&v);
		bool done;

		if (!at_right_end(e, old)) {
			done = push(e, &v, obj);
			bma__view_close(&v);
			if (!done)
				continue;
			if (spare)
				bma__depot_put_empty(e, spare);
			return;
		}
		if (!bma__budget_open(e, v.slot)) {
			bma__view_close(&v);
			break;
		}
		if (!spare)
			spare = bma__depot_get_empty(e);
		if (!spare) {
			bma__view_close(&v);
			bma__park(e, obj, "bma_cache_free");
			return;
		}
		*(void **)(spare + 8) = obj;
		done = extend_right(e, &v, gen, old, spare + 8);
		bma__view_close(&v);
		if (done)
			return;
	}
	free_to_depot(e, obj, spare);
}

void bma__slot_free(struct bma__engine *e, void *obj)
{
	struct bma__ticket ticket;
	struct bma__view v;
	bool done = false;

	if (bma__likely(open_view(e, &v, 0))) {
		done = push(e, &v, obj);
		bma__view_close(&v);
	}
	if (bma__likely(done))
		return;
	/* Once in a tape's worth of frees there is time to look at what is given back. */
	bma__engine_slab(e, obj, "bma_cache_free");
	ticket = bma__ticket_open(e);
	free_ticketed(e, obj);
	bma__ticket_close(&ticket);
}

uint64_t bma__slot_high(const struct bma__engine *e, uint32_t plane)
{
	uint32_t limit = bma__budget_limit(bma__slot_at(e, plane));

	return e->capacity == 1 ? 0 : (uint64_t)(limit ? limit : e->tape) * e->capacity;
}

uint64_t bma__slot_count(const struct bma__engine *e, uint32_t plane)
{
	uintptr_t word = load_link(&bma__slot_at(e, plane)->loaded), base;
	uint64_t n = bma__mag_count(e->class, word);
	uint32_t most = bma__budget_limit(bma__slot_at(e, plane));

	base = word ? load_link(&bma__mag_links(bma__mag_base(e->class, word))->prev) : 0;
	for (; most-- && bma__mag_is_base(e->class, base);
	     base = load_link(&bma__mag_links(base)->prev))
		n += e->capacity;
	return n;
}
