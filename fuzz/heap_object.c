/* SPDX-License-Identifier: MIT */
/* The objects that somebody has, see heap.h. */
#include "heap.h"

#include <string.h>

/* So that neither zeros nor fillings of the allocator are stamps. */
#define STAMP 0x5bd1e995c2b2ae35u
/* Cleared objects are looked at as a whole up to so many bytes. */
#define LOOK_BYTES 512u

struct heap_model heap_model;

static size_t copies(const struct heap_key *k)
{
	return heap_percpu(k) ? (size_t)bma_percpu_copies() : 1;
}

static unsigned char *copy_of(const struct heap_object *h, size_t i)
{
	return heap_percpu(&h->key) ? bma_per_cpu_ptr(h->at, i) : h->at;
}

/* The sum is in the first word of per-CPU objects: the stamps then stand behind it. */
static size_t before(const struct heap_object *h)
{
	return heap_percpu(&h->key) && h->size >= 8 ? 8 : 0;
}

static uint64_t stamp(const struct heap_object *h, size_t copy)
{
	return (h->serial << 12 | copy) * STAMP;
}

static void stamp_first(const struct heap_object *h, size_t n, bool write)
{
	for (size_t i = 0; i < copies(&h->key); i++) {
		unsigned char *at = copy_of(h, i) + before(h);
		uint64_t word = stamp(h, i);

		if (write)
			memcpy(at, &word, n);
		else
			FUZZ_CHECK(!memcmp(at, &word, n),
				   "the beginning of %p, %zu bytes, copy %zu, changed",
				   (void *)h->at, h->size, i);
	}
}

static void stamp_last(const struct heap_object *h, size_t n, bool write)
{
	for (size_t i = 0; i < copies(&h->key); i++) {
		unsigned char *at = copy_of(h, i) + h->size - n;
		uint64_t word = ~stamp(h, i);

		if (write)
			memcpy(at, &word, n);
		else
			FUZZ_CHECK(!memcmp(at, &word, n),
				   "the end of %p, %zu bytes, copy %zu, changed", (void *)h->at,
				   h->size, i);
	}
}

/* Where there is room for less than two, one has what there is. */
static void stamps(const struct heap_object *h, bool write)
{
	size_t room = h->size - before(h);

	stamp_first(h, room < 8 ? room : 8, write);
	if (room >= 16)
		stamp_last(h, 8, write);
}

void heap_compare(const struct heap_object *h)
{
	stamps(h, false);
	if (!before(h))
		return;
	FUZZ_CHECK(bma_percpu_sum_u64((const uint64_t *)(const void *)h->at) == h->sum,
		   "the sum of %p is not %llu", (void *)h->at, (unsigned long long)h->sum);
}

bool heap_room(const struct heap_owner *o, size_t size, size_t n)
{
	return heap_model.used + n <= HEAP_OBJECTS &&
	       heap_model.bytes + n * (size + 64) * copies(&o->key) <= HEAP_BYTES;
}

static void check_zero(const struct heap_object *h)
{
	for (size_t i = 0; i < copies(&h->key); i++) {
		const unsigned char *at = copy_of(h, i);

		for (size_t b = 0; b < h->asked; b++) {
			FUZZ_CHECK(!at[b], "%p, %zu bytes: byte %zu of copy %zu is not clear",
				   (const void *)h->at, h->asked, b, i);
			if (b == LOOK_BYTES && h->asked > 2 * LOOK_BYTES)
				b = h->asked - LOOK_BYTES;
		}
	}
}

static void check_place(const struct heap_owner *o, const void *at, size_t size, size_t align)
{
	size_t usable = bma_heap_usable_size(at), least = usable % 16 ? 8 : 16;

	if (o->heap && align < least && align <= 8)
		align = least;
	FUZZ_CHECK(!((uintptr_t)at & (align - 1)), "%p, %zu bytes, is not aligned to %zu", at, size,
		   align);
	FUZZ_CHECK(usable >= size, "%zu bytes, %zu usable", size, usable);
	for (uint32_t i = 0; i < heap_model.used; i++)
		FUZZ_CHECK(heap_model.objects[i].at != at, "%p of %zu bytes was given out", at,
			   size);
}

struct heap_object *heap_add(struct heap_owner *o, void *at, size_t size, size_t align,
			     enum heap_fresh fresh)
{
	struct heap_object *h = &heap_model.objects[heap_model.used];

	check_place(o, at, size, align);
	*h = (struct heap_object){.at = at,
				  .owner = o,
				  .key = o->key,
				  .size = size,
				  .asked = size,
				  .align = align,
				  .serial = ++heap_model.serial,
				  .state = HEAP_LIVE,
				  .sized = true,
				  .of_cache = o->cache != NULL,
				  .kernel = o->heap && o->flags & BMA_HEAP_KERNEL_CLASSES,
				  .large =
					  o->heap && bma_heap_usable_size(at) > BMA_HEAP_CLASS_MAX};
	if (fresh == HEAP_ZEROED ||
	    (fresh == HEAP_ANY && o->key.cache_flags & (BMA_CACHE_ZERO_FREE | BMA_CACHE_PERCPU) &&
	     !h->large))
		check_zero(h);
	/* All that is usable, of every second one. */
	if (heap_model.serial & 1 && !o->cache)
		h->size = bma_heap_usable_size(at);
	stamps(h, true);
	o->large += h->large;
	o->small += !h->large;
	heap_model.used++;
	heap_model.bytes += h->size * copies(&h->key);
	fuzz_operations++;
	return h;
}

struct heap_object *heap_pick(const struct heap_owner *o, unsigned int nth)
{
	for (uint32_t i = 0; i < heap_model.used; i++) {
		struct heap_object *h = &heap_model.objects[(nth + i) % heap_model.used];

		if (h->state == HEAP_LIVE && (!o || h->owner == o))
			return h;
	}
	return NULL;
}

static void gone(struct heap_object *h)
{
	heap_model.bytes -= h->size * copies(&h->key);
	*h = heap_model.objects[--heap_model.used];
}

void *heap_take(struct heap_object *h, bool rcu)
{
	void *at = h->at;

	heap_compare(h);
	if (h->owner) {
		h->owner->large -= h->large;
		h->owner->small -= !h->large;
	}
	if (rcu && h->key.rcu == &heap_flavor) {
		h->state = HEAP_WAITING;
		h->owner = NULL;
	} else {
		gone(h);
	}
	fuzz_operations++;
	return at;
}

void heap_moved(struct heap_object *h, void *at, size_t size)
{
	size_t keep = size < h->size ? size : h->size, front = before(h);
	struct heap_owner *o = h->owner;
	bool carried = front && size >= 8;
	uint64_t sum = carried ? h->sum : 0;
	void *old = h->at;

	h->at = at;
	if (keep > front)
		stamp_first(h, keep - front < 8 ? keep - front : 8, false);
	if (size >= h->size)
		heap_compare(h);
	h->at = old;
	o->large -= h->large;
	o->small -= !h->large;
	gone(h);
	h = heap_add(o, at, size, 8, HEAP_CARRIED);
	h->sized = false;
	h->sum = sum;
	if (!before(h))
		return;
	if (carried) {
		FUZZ_CHECK(bma_percpu_sum_u64(at) == sum, "the sum was not carried");
		return;
	}
	/* What is in the place of the sum now was a stamp, or a part of a sum. */
	for (size_t i = 0; i < copies(&h->key); i++)
		memset(copy_of(h, i), 0, 8);
}

void heap_add_here(struct heap_object *h, uint64_t n)
{
	if (!before(h))
		return;
	if (n & 1)
		bma_this_cpu_add((uint64_t *)(void *)h->at, n);
	else
		*(uint64_t *)(void *)copy_of(h, n / 2 % copies(&h->key)) += n;
	h->sum += n;
	fuzz_operations++;
}

void heap_period(void)
{
	for (uint32_t i = heap_model.used; i--;) {
		struct heap_object *h = &heap_model.objects[i];

		if (h->state != HEAP_WAITING)
			continue;
		heap_compare(h);
		gone(h);
	}
}

void heap_forget(const struct heap_owner *o)
{
	for (uint32_t i = heap_model.used; i--;) {
		if (heap_model.objects[i].owner == o)
			gone(&heap_model.objects[i]);
	}
}

void heap_forget_one(struct heap_object *h)
{
	if (h->owner) {
		h->owner->large -= h->large;
		h->owner->small -= !h->large;
	}
	gone(h);
}
