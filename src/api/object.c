/* SPDX-License-Identifier: MIT */
/*
 * Typed objects.
 *
 * Behind an object, at the end of the memory that its class gives it, stands its tail, from the end on: its type with 16 bits of a hash of both
 * addresses; its heap; a link, if the type has slots; its count, if it has one. The type is cleared when the object goes, so a second drop, or an object that
 * never had a type, does not fit.
 *
 * Whoever takes the count from 1 to 0 destroys the object; nobody takes it up from 0.
 *
 * A slot may own an object that has slots, and so on without an end; so what is to be destroyed stands in a chain by the links, not on the
 * stack: it belongs to who destroys it alone.
 *
 * Types are known from their first use on: pushed once on a list that only grows.
 *
 * Ordering: MO-30 (docs/memory-ordering.md).
 */
#include "api.h"

#include <bma/object.h>

#include <stdlib.h>
#include <string.h>

/* In a type's word, whose addresses have 48 bits at most and are multiples of 8. */
#define COUNTED ((uint64_t)1)
#define CHECK_SHIFT 48
/* No object is there. */
#define CLOSED ((void *)1)

static _Atomic(struct bma_type *) types;

static void __attribute__((noreturn, cold))
misuse(const void *obj, const char *what, const char *call)
{
	bma__log_line("%s: object %p %s", call, obj, what);
	abort();
}

static uint64_t pack(const struct bma_type *type, bool counted, const void *obj)
{
	uint64_t word = (uintptr_t)type | (counted ? COUNTED : 0);
	uint64_t hash = (word ^ (uintptr_t)obj >> 3) * 0x9e3779b97f4a7c15u;

	return word | hash >> CHECK_SHIFT << CHECK_SHIFT;
}

/* Words of the tail, counted back from its end. */
#define TYPE 1
#define HEAP 2
#define LINK 3

static size_t words(const struct bma_type *type, bool counted)
{
	return HEAP + (size_t)(type->nkptrs != 0) + (size_t)counted;
}

/* Where the tail of @obj ends; NULL: it is no object of a heap that could have one. */
static uint64_t *end_of(const void *obj)
{
	size_t usable = (uintptr_t)obj % sizeof(uint64_t) ? 0 : bma_heap_usable_size(obj);

	return usable > HEAP * sizeof(uint64_t) ? (uint64_t *)((uintptr_t)obj + usable) : NULL;
}

static struct bma_type *unpack(uint64_t word)
{
	return (struct bma_type *)(uintptr_t)(word << (64 - CHECK_SHIFT) >> (64 - CHECK_SHIFT) &
					      ~COUNTED);
}

static _Atomic uint64_t *refs_of(uint64_t *end, const struct bma_type *type)
{
	return (_Atomic uint64_t *)(end - words(type, true));
}

static struct bma_heap *heap_of(uint64_t *end)
{
	return (struct bma_heap *)(uintptr_t)end[-HEAP];
}

static struct bma_type *type_of(const void *obj, const uint64_t *end, bool counted,
				const char *call)
{
	struct bma_type *type;

	if (!end)
		misuse(obj, "is not an object of any heap", call);
	type = unpack(end[-TYPE]);
	if (end[-TYPE] == pack(type, counted, obj))
		return type;
	if (end[-TYPE] == pack(type, !counted, obj))
		misuse(obj, counted ? "is not counted" : "is counted: bma_put() is for it", call);
	misuse(obj, "has no type: it was dropped before, or not made by bma_new", call);
}

static void make_known(struct bma_type *type)
{
	struct bma_type *first = atomic_load_explicit(&types, memory_order_relaxed);

	if (__atomic_exchange_n(&type->state.known, 1, __ATOMIC_RELAXED))
		return;
	do {
		type->state.next = first;
	} while (!atomic_compare_exchange_weak_explicit(&types, &first, type, memory_order_release,
							memory_order_relaxed));
}

/* A per-CPU counter once a caller could sleep; until then a word that all share. */
static void count(struct bma_type *type, int64_t n, bool sleep)
{
	uint64_t *live = __atomic_load_n(&type->state.live, __ATOMIC_ACQUIRE);

	if (bma__unlikely(!live && sleep)) {
		uint64_t *made = bma__percpu_counter();

		if (made && !__atomic_compare_exchange_n(&type->state.live, &live, made, false,
							 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			bma__percpu_counter_free(made);
		live = __atomic_load_n(&type->state.live, __ATOMIC_ACQUIRE);
	}
	if (live)
		bma__percpu_add_slow(live, (uint64_t)n);
	else
		__atomic_fetch_add(&type->state.early, n, __ATOMIC_RELAXED);
}

static void *make(struct bma_heap *heap, struct bma_type *type, unsigned int flags, bool counted)
{
	size_t size = type->size + words(type, counted) * sizeof(uint64_t);
	void *obj = NULL;
	uint64_t *end;

	if (!(heap->flags & BMA_HEAP_PERCPU))
		obj = bma_heap_alloc_aligned(heap, type->align, size, flags & BMA_SLEEP);
	if (!obj)
		return NULL;
	if (bma__unlikely(!__atomic_load_n(&type->state.known, __ATOMIC_RELAXED)))
		make_known(type);
	memset(obj, 0, type->size);
	end = end_of(obj);
	if (counted)
		atomic_store_explicit(refs_of(end, type), 1, memory_order_relaxed);
	end[-HEAP] = (uintptr_t)heap;
	__atomic_store_n(&end[-TYPE], pack(type, counted, obj), __ATOMIC_RELEASE);
	count(type, 1, flags & BMA_SLEEP);
	return obj;
}

void *bma_new_type(struct bma_heap *heap, struct bma_type *type, unsigned int flags)
{
	return make(heap, type, flags, false);
}

void *bma_new_type_refcounted(struct bma_heap *heap, struct bma_type *type, unsigned int flags)
{
	return make(heap, type, flags, true);
}

/* Objects that are to be destroyed, each with slots. */
struct chain {
	void *first;
};

static void release(void *obj, struct chain *chain);

static void destroy_one(void *obj, struct chain *chain)
{
	uint64_t *end = end_of(obj);
	struct bma_type *type = unpack(end[-TYPE]);
	struct bma_heap *heap = heap_of(end);

	if (type->dtor)
		type->dtor(obj);
	for (size_t i = 0; i < type->nkptrs; i++) {
		struct bma_kptr *slot = (struct bma_kptr *)((uintptr_t)obj + type->kptrs[i]);

		release(__atomic_exchange_n(&slot->ptr, CLOSED, __ATOMIC_ACQ_REL), chain);
	}
	count(type, -1, false);
	__atomic_store_n(&end[-TYPE], 0, __ATOMIC_RELEASE);
	if (type->flags & BMA_TYPE_RCU)
		bma_heap_free_rcu(heap, obj);
	else
		bma_heap_free(heap, obj);
}

/* Nobody has @obj any more. One without slots leads no further. */
static void gone(void *obj, const struct bma_type *type, struct chain *chain)
{
	if (!type->nkptrs) {
		destroy_one(obj, chain);
		return;
	}
	end_of(obj)[-LINK] = (uintptr_t)chain->first;
	chain->first = obj;
}

static void run(struct chain *chain)
{
	while (chain->first) {
		void *obj = chain->first;

		chain->first = (void *)(uintptr_t)end_of(obj)[-LINK];
		destroy_one(obj, chain);
	}
}

static void put(void *obj, struct chain *chain, const char *call)
{
	uint64_t *end = end_of(obj), refs;
	struct bma_type *type = type_of(obj, end, true, call);

	refs = atomic_fetch_sub_explicit(refs_of(end, type), 1, memory_order_acq_rel);
	if (!refs)
		misuse(obj, "has no reference left", call);
	if (refs == 1)
		gone(obj, type, chain);
}

/* What a slot owned. */
static void release(void *obj, struct chain *chain)
{
	static const char call[] = "a slot's end";
	const uint64_t *end;

	if (!obj || obj == CLOSED)
		return;
	end = end_of(obj);
	if (end && end[-TYPE] & COUNTED)
		put(obj, chain, call);
	else
		gone(obj, type_of(obj, end, false, call), chain);
}

void bma_drop(struct bma_heap *heap, void *obj)
{
	struct chain chain = {NULL};
	uint64_t *end;
	struct bma_type *type;

	if (!obj)
		return;
	end = end_of(obj);
	type = type_of(obj, end, false, "bma_drop");
	if (heap_of(end) != heap)
		misuse(obj, "is an object of another heap", "bma_drop");
	gone(obj, type, &chain);
	run(&chain);
}

void *bma_get(void *obj)
{
	uint64_t *end = end_of(obj);
	const struct bma_type *type = type_of(obj, end, true, "bma_get");

	if (!atomic_fetch_add_explicit(refs_of(end, type), 1, memory_order_relaxed))
		misuse(obj, "has no reference left", "bma_get");
	return obj;
}

/* The object may be gone, but not its memory: then it has no type, or a count of 0. */
void *bma_tryget(void *obj)
{
	uint64_t *end = obj ? end_of(obj) : NULL, word, refs;
	_Atomic uint64_t *count_word;

	word = end ? __atomic_load_n(&end[-TYPE], __ATOMIC_ACQUIRE) : 0;
	if (!word || word != pack(unpack(word), true, obj))
		return NULL;
	count_word = refs_of(end, unpack(word));
	refs = atomic_load_explicit(count_word, memory_order_relaxed);
	while (refs) {
		if (atomic_compare_exchange_weak_explicit(count_word, &refs, refs + 1,
							  memory_order_acquire,
							  memory_order_relaxed))
			return obj;
	}
	return NULL;
}

void bma_put(void *obj)
{
	struct chain chain = {NULL};

	if (!obj)
		return;
	put(obj, &chain, "bma_put");
	run(&chain);
}

void *bma_kptr_xchg(struct bma_kptr *slot, void *obj)
{
	void *old = __atomic_load_n(&slot->ptr, __ATOMIC_RELAXED);

	do {
		if (old == CLOSED)
			return obj;
	} while (!__atomic_compare_exchange_n(&slot->ptr, &old, obj, true, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	return old;
}

void *bma_kptr_peek(const struct bma_kptr *slot)
{
	void *obj = __atomic_load_n(&slot->ptr, __ATOMIC_ACQUIRE);

	return obj == CLOSED ? NULL : obj;
}

void bma_kptr_clear(struct bma_kptr *slot)
{
	struct chain chain = {NULL};

	release(bma_kptr_xchg(slot, NULL), &chain);
	run(&chain);
}

static uint64_t live_of(const struct bma_type *type)
{
	const uint64_t *live = __atomic_load_n(&type->state.live, __ATOMIC_ACQUIRE);

	return (uint64_t)__atomic_load_n(&type->state.early, __ATOMIC_RELAXED) +
	       (live ? bma__percpu_sum(live) : 0);
}

uint64_t bma_type_live(const char *name)
{
	uint64_t n = 0;

	for (struct bma_type *t = atomic_load_explicit(&types, memory_order_acquire); t;
	     t = t->state.next)
		n += strcmp(t->name, name) ? 0 : live_of(t);
	return n;
}

/* Is @type the first of its name? */
static bool is_first(const struct bma_type *type, const struct bma_type *first)
{
	while (strcmp(first->name, type->name))
		first = first->state.next;
	return first == type;
}

int bma_type_visit(int (*fn)(const char *name, size_t size, uint64_t live, void *arg), void *arg)
{
	struct bma_type *first = atomic_load_explicit(&types, memory_order_acquire);
	int rc = 0;

	for (struct bma_type *t = first; t && !rc; t = t->state.next) {
		if (is_first(t, first))
			rc = fn(t->name, t->size, bma_type_live(t->name), arg);
	}
	return rc;
}
