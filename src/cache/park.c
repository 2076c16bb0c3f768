/* SPDX-License-Identifier: MIT */
/* Parking, see park.h. */
#include "cache.h"

#include <errno.h>

void bma__park(struct bma__engine *e, void *obj, const char *call)
{
	struct bma__slab *slab = bma__engine_slab(e, obj, call);
	enum bma__slab_result result;

	atomic_fetch_add_explicit(&e->parks, 1, memory_order_seq_cst);
	if (bma__unlikely(bma__sample_has(obj))) {
		bma__sample_park(e, obj, call);
	} else {
		result = bma__slab_park(slab, obj);
		if (result != BMA__SLAB_OK)
			bma__engine_misuse(e, obj, result, call);
	}
	bma__worker_kick(e);
}

/* Fill @objs from all slabs. */
static uint32_t gather(struct bma__engine *e, void **objs, uint32_t n)
{
	uint32_t got = bma__sample_unpark(e, objs, n);

	bma__lock_take(&e->lock);
	for (int list = BMA__SLABS_PARTIAL; list <= BMA__SLABS_SPENT; list++) {
		for (struct bma__slab *s = e->slabs[list]; s && got < n; s = s->next)
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
