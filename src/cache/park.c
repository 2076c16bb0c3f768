/* SPDX-License-Identifier: MIT */
/* Parking, see park.h. Ordering: MO-5 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>

/* A call of this thread that is parking; handlers may have interrupted several. */
struct parking {
	struct bma__engine *e;
	struct bma__slab *slab;
	void *obj;
	struct parking *outer;
	volatile bool counted; /* by a child of fork */
};

static _Thread_local struct parking *volatile innermost __attribute__((tls_model("initial-exec")));

static void mark(const struct parking *p, const char *call)
{
	enum bma__slab_result result;

	if (bma__unlikely(bma__sample_has(p->obj))) {
		bma__sample_park(p->e, p->obj, call);
		return;
	}
	result = bma__slab_park(p->slab, p->obj);
	if (result != BMA__SLAB_OK)
		bma__engine_misuse(p->e, p->obj, result, call);
}

/* It may have been marked, collected and given back since, with its slab: the one that is there now is looked at, if it is of this engine. */
static bool is_marked(const struct parking *p)
{
	const struct bma__slab *slab;

	if (bma__sample_has(p->obj))
		return bma__sample_is_parked(p->e, p->obj);
	slab = bma__chunk_slab(p->obj);
	return slab && slab->owner == p->e && bma__slab_is_parked(slab, p->obj);
}

void bma__park(struct bma__engine *e, void *obj, const char *call)
{
	struct parking p = {e, bma__engine_slab(e, obj, call), obj, innermost, false};
	uint32_t generation;
	uint64_t parks;

	atomic_signal_fence(memory_order_seq_cst);
	innermost = &p;
	atomic_signal_fence(memory_order_seq_cst);
	generation = bma__count_generation(&e->parks);
	/* A fork before this look is seen by it, and one after it fails the change. */
	if (!p.counted)
		bma__count_change(&e->parks, 1, generation, &parks);
	mark(&p, call);
	atomic_signal_fence(memory_order_seq_cst);
	innermost = p.outer;
	bma__worker_look(e);
}

void bma__park_recount(struct bma__engine *e)
{
	uint64_t n = bma__sample_count_parked(e), parks = bma__count_read(&e->parks);

	bma__engine_for_each_slab (e, s)
		n += bma__slab_count_parked(s);
	for (struct parking *p = innermost; p; p = p->outer) {
		if (p->e != e)
			continue;
		n += !is_marked(p);
		p->counted = true;
	}
	bma__count_anew(&e->parks, parks, bma__ticket_generation());
	atomic_store_explicit(&e->collects, parks - n, memory_order_relaxed);
}

/* Fill @objs from all slabs. */
static uint32_t gather(struct bma__engine *e, void **objs, uint32_t n)
{
	uint32_t got = bma__sample_unpark(e, objs, n);

	bma__lock_take(&e->lock);
	bma__engine_for_each_slab (e, s) {
		if (got == n)
			break;
		got += bma__slab_unpark(s, objs + got, n - got);
	}
	bma__lock_drop(&e->lock);
	return got;
}

int bma__park_collect(struct bma__engine *e)
{
	int sealed = 0;

	while (bma__park_count(e)) {
		uintptr_t word = bma__depot_get_empty(e);
		uint32_t n;

		if (!word)
			word = bma__mag_new_sleep(e->class);
		if (!word)
			return -ENOMEM;
		n = gather(e, bma__mag_elements(bma__mag_base(e->class, word)), e->capacity);
		if (!n) {
			bma__depot_put_empty(e, word);
			break;
		}
		bma__defer_seal(e, bma__mag_word(bma__mag_base(e->class, word), n),
				bma__plane_home(), false);
		atomic_fetch_add_explicit(&e->collects, n, memory_order_release);
		sealed++;
	}
	return sealed;
}
