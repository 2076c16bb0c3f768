/* SPDX-License-Identifier: MIT */
/* Calls on objects, each compared with what is known, see heap.h. */
#include "heap.h"

#include <errno.h>

/* Of failures one in so many is looked into. */
#define LOOK 64u
#define KERNEL_MOST 4096u

void heap_check_errno(void)
{
	FUZZ_CHECK(errno == HEAP_SENTINEL, "errno %d", errno);
}

/* Mostly small. */
size_t heap_size(unsigned int arg)
{
	size_t n = arg >> 3;

	switch (arg & 7) {
	case 0:
		return n % 4200;
	case 1:
		return n % 40000;
	case 2:
		return n % 2048 * 200;
	case 3:
		return n % 1100;
	default:
		return n % 130;
	}
}

/* The largest from a class. */
static size_t most(const struct heap_owner *o)
{
	if (o->flags & BMA_HEAP_KERNEL_CLASSES)
		return KERNEL_MOST;
	return o->flags & BMA_HEAP_PERCPU ? BMA_PERCPU_SIZE_MAX : BMA_HEAP_CLASS_MAX;
}

static bool takes_large(const struct heap_owner *o)
{
	return !(o->flags & (BMA_HEAP_KERNEL_CLASSES | BMA_HEAP_PERCPU));
}

/* May not have failed, or was to. */
static void none(struct heap_owner *o, size_t size, unsigned int flags)
{
	struct bma_cache *cache = o->cache ? o->cache : bma_heap_cache(o->heap, size);
	struct bma_cache_stats s;

	if (flags & BMA_SLEEP) {
		FUZZ_CHECK(errno == ENOMEM && heap_model.failing, "%zu bytes: errno %d", size,
			   errno);
		return;
	}
	if (heap_model.failing || !cache || heap_model.fails++ % LOOK)
		return;
	FUZZ_CHECK(!bma_cache_stats_get(cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.depot, "no object, %llu in the depot", (unsigned long long)s.depot);
}

/* What is given up when sizes are rounded. */
static void check_waste(const struct heap_owner *o, const void *p, size_t size)
{
	size_t usable = bma_heap_usable_size(p), waste = usable - size;

	if (o->flags & BMA_HEAP_KERNEL_CLASSES)
		return;
	FUZZ_CHECK(usable <= 64			  ? waste < 8
		   : usable <= 4096		  ? waste <= usable / 8
		   : usable <= BMA_HEAP_CLASS_MAX ? waste <= usable / 5
						  : waste < 4096,
		   "%zu bytes, %zu usable", size, usable);
}

static void got_heap(struct heap_owner *o, void *p, size_t size, unsigned int flags)
{
	if (!size || size > (takes_large(o) && flags & BMA_SLEEP ? SIZE_MAX : most(o))) {
		FUZZ_CHECK(!p, "%p of %zu bytes", p, size);
		FUZZ_CHECK(!(flags & BMA_SLEEP) || errno == EINVAL || errno == ENOMEM, "errno %d",
			   errno);
		if (takes_large(o))
			o->too_large += size && !(flags & BMA_SLEEP);
		else
			o->maybe_too_large += size != 0;
		return;
	}
	if (!p) {
		none(o, size, flags);
		return;
	}
	FUZZ_CHECK(flags & BMA_SLEEP || heap_model.failing != 1, "an object, although all fail");
	check_waste(o, p, size);
	heap_add(o, p, size, 1, flags & BMA_ZERO ? HEAP_ZEROED : HEAP_ANY);
}

static void got_cache(struct heap_owner *o, void *p, unsigned int flags)
{
	if (p)
		heap_add(o, p, o->size, 1, flags & BMA_ZERO ? HEAP_ZEROED : HEAP_ANY);
	else
		none(o, o->size, flags);
}

void heap_call_alloc(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	size_t size = o->cache ? o->size : heap_size(call->arg);

	if (!heap_room(o, size, 1))
		return;
	if (o->cache)
		got_cache(o, bma_cache_alloc(o->cache), 0);
	else
		got_heap(o, bma_heap_alloc(o->heap, size), size, 0);
	heap_check_errno();
}

void heap_call_alloc_flags(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	unsigned int flags = call->arg & 7 ? BMA_SLEEP | (call->arg & 8 ? BMA_ZERO : 0) : BMA_ZERO;
	size_t size = o->cache ? o->size : heap_size(call->arg >> 2);

	if (!heap_room(o, size, 1))
		return;
	if (o->cache)
		got_cache(o, bma_cache_alloc_flags(o->cache, flags), flags);
	else
		got_heap(o, bma_heap_alloc_flags(o->heap, size, flags), size, flags);
	if (!(flags & BMA_SLEEP))
		heap_check_errno();
}

void heap_call_aligned(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	unsigned int flags = (call->arg & 1 ? BMA_SLEEP : 0) | (call->arg & 2 ? BMA_ZERO : 0);
	size_t align = (size_t)1 << (call->arg >> 2 & 15), size = heap_size(call->arg >> 6);
	struct heap_object *h;
	bool wrong;
	void *p;

	if (o->cache || !heap_room(o, size + align, 1))
		return;
	align <<= (call->arg >> 6 & 3) == 3; /* 64 KiB, too */
	wrong = (call->arg >> 6 & 63) == 5;
	if (wrong)
		align = align > 2 ? align - 1 : (size_t)1 << 17;
	p = bma_heap_alloc_aligned(o->heap, align, size, flags);
	fuzz_operations++;
	/* How many of these were counted depends on the classes. */
	o->maybe_too_large++;
	if (!(flags & BMA_SLEEP))
		heap_check_errno();
	if (!p) {
		bool fits = size && !wrong && (takes_large(o) || size + align <= most(o));

		FUZZ_CHECK(!(flags & BMA_SLEEP) || !fits || heap_model.failing,
			   "%zu bytes at %zu: errno %d", size, align, errno);
		return;
	}
	FUZZ_CHECK(size && !wrong, "%p of %zu bytes at %zu", p, size, align);
	h = heap_add(o, p, size, align, flags & BMA_ZERO ? HEAP_ZEROED : HEAP_ANY);
	h->sized = false;
}

void heap_call_bulk(struct heap_call *call)
{
	struct heap_owner *o = call->o;
	unsigned int flags = call->arg & 3;
	size_t n = 1 + call->arg / 4 % HEAP_BULK, made;
	size_t size = o->cache ? o->size : heap_size(call->arg >> 6 << 3 | 4);
	void *objs[HEAP_BULK];

	if (!heap_room(o, size, n))
		return;
	made = o->cache ? bma_cache_alloc_bulk(o->cache, objs, n, flags)
			: bma_heap_alloc_bulk(o->heap, size, objs, n, flags);
	FUZZ_CHECK(made <= n, "%zu of %zu", made, n);
	for (size_t i = 0; i <= made && i < n; i++) {
		void *p = i < made ? objs[i] : NULL;

		if (o->cache)
			got_cache(o, p, flags);
		else
			got_heap(o, p, size, flags);
	}
	if (!(flags & BMA_SLEEP))
		heap_check_errno();
}

void heap_call_free(struct heap_call *call)
{
	struct heap_object *h = heap_pick(call->arg & 1 ? call->o : NULL, call->arg >> 4);
	struct heap_owner *o = h ? h->owner : NULL;
	struct bma_heap *other;

	if (!h)
		return;
	other = call->arg & 2 || !o ? heap_other(h, call->arg >> 2) : NULL;
	if (other) {
		bma_heap_free(other, heap_take(h, false));
	} else if (!o) {
		heap_free_left(h);
		return;
	} else if (o->cache) {
		bma_cache_free(o->cache, heap_take(h, false));
	} else if (h->sized && call->arg & 4) {
		size_t asked = h->asked;

		bma_heap_free_sized(o->heap, heap_take(h, false), asked);
	} else {
		bma_heap_free(o->heap, heap_take(h, false));
	}
	heap_check_errno();
}

void heap_call_free_rcu(struct heap_call *call)
{
	struct heap_object *h = heap_pick(call->o, call->arg >> 4);
	struct heap_owner *o = call->o;
	struct bma_heap *other;

	if (!h)
		return;
	other = call->arg & 2 ? heap_other(h, call->arg >> 2) : NULL;
	if (other)
		bma_heap_free_rcu(other, heap_take(h, true));
	else if (o->cache)
		bma_cache_free_rcu(o->cache, heap_take(h, true));
	else
		bma_heap_free_rcu(o->heap, heap_take(h, true));
	heap_check_errno();
}

void heap_call_free_bulk(struct heap_call *call)
{
	size_t n = 1 + call->arg % HEAP_BULK;
	struct heap_owner *o = call->o;
	void *objs[HEAP_BULK];

	for (size_t i = 0; i < n; i++) {
		struct heap_object *h = i == 1 ? NULL : heap_pick(o, call->arg >> 4);

		objs[i] = h ? heap_take(h, false) : NULL;
	}
	if (o->cache)
		bma_cache_free_bulk(o->cache, objs, n);
	else
		bma_heap_free_bulk(o->heap, objs, n);
	heap_check_errno();
}

void heap_call_realloc(struct heap_call *call)
{
	unsigned int flags = call->arg & 1 ? BMA_SLEEP : 0;
	struct heap_object *h = heap_pick(call->o, call->arg >> 1 & 31);
	size_t size = heap_size(call->arg >> 1);
	struct heap_owner *o = call->o;
	void *p;

	if (o->cache || !heap_room(o, size, 1))
		return;
	if (!h || call->arg == 77) {
		p = bma_heap_realloc(o->heap, NULL, size, flags);
		got_heap(o, p, size, flags);
		return;
	}
	heap_compare(h);
	p = bma_heap_realloc(o->heap, h->at, size, flags);
	o->maybe_too_large++;
	fuzz_operations++;
	if (!(flags & BMA_SLEEP))
		heap_check_errno();
	if (p) {
		FUZZ_CHECK(size, "an object of no bytes");
		heap_moved(h, p, size);
	} else if (!size) {
		/* It is free: what was in it may not be looked at. */
		heap_forget_one(h);
	} else {
		bool fits = size <= most(o) || takes_large(o);

		FUZZ_CHECK(!(flags & BMA_SLEEP) || !fits || heap_model.failing, "errno %d", errno);
		heap_compare(h);
	}
}

/* Whose it is. */
void heap_call_look(struct heap_call *call)
{
	struct heap_object *h = heap_pick(NULL, call->arg >> 1);
	struct heap_owner *o = h ? h->owner : NULL;
	struct bma_heap *of;

	fuzz_operations++;
	FUZZ_CHECK(!bma_heap_usable_size(NULL) && !bma_heap_of(NULL) && !bma_heap_of(&heap_model) &&
			   !bma_heap_usable_size(&heap_model),
		   "of somebody else's");
	if (!h)
		return;
	heap_compare(h);
	FUZZ_CHECK(bma_heap_usable_size(h->at) >= h->size, "%zu usable, not %zu",
		   bma_heap_usable_size(h->at), h->size);
	of = bma_heap_of(h->at);
	if (h->of_cache || !o)
		return;
	if (h->large || heap_own(o))
		FUZZ_CHECK(of == o->heap, "of %p", (void *)of);
	else if (!h->key.rcu && !h->key.cache_flags)
		FUZZ_CHECK(of == bma_heap_global(), "of %p", (void *)of);
	else
		/* Larger ones are not guarded. */
		FUZZ_CHECK(!of || (h->key.cache_flags == BMA_CACHE_GUARD && !h->key.rcu &&
				   h->align + h->size > 4096 && of == bma_heap_global()),
			   "of %p", (void *)of);
	heap_check_errno();
}

void heap_call_add(struct heap_call *call)
{
	struct heap_object *h = heap_pick(call->o, call->arg >> 4);

	if (h)
		heap_add_here(h, call->arg + 1);
	heap_check_errno();
}

void heap_call_slot(struct heap_call *call)
{
	fuzz_operations++;
	FUZZ_CHECK(!bma_fuzz_set_slot(call->arg & 7), "slot");
}

void heap_call_poll(struct heap_call *call)
{
	int rc = bma_poll(call->arg & 1 ? BMA_POLL_GP : 0);

	fuzz_operations++;
	FUZZ_CHECK(rc >= 0, "%d", rc);
}

void heap_call_fail(struct heap_call *call)
{
	fuzz_operations++;
	heap_model.failing = call->arg & 8 ? call->arg & 7 : 0;
	bma_fuzz_fail_after(heap_model.failing);
}

void heap_call_trim(struct heap_call *call)
{
	int rc = call->arg & 1 ? bma_trim() : bma_fuzz_grace_period();

	fuzz_operations++;
	FUZZ_CHECK(!rc, "%d", rc);
	for (uint32_t i = 0; i < heap_model.used; i++)
		FUZZ_CHECK(heap_model.objects[i].state != HEAP_WAITING, "some still wait");
	for (unsigned int i = 0; i < HEAP_OWNERS; i++)
		heap_stats(&heap_model.owners[i]);
}
