/* SPDX-License-Identifier: MIT */
/* The public calls on reserves. */
#include "api.h"

#include <errno.h>

#define RESERVE_MAX ((size_t)1 << 24)

struct bma_reserve *bma_reserve_create(struct bma_cache *cache, size_t n)
{
	struct bma_reserve *r;
	int rc;

	if (!n || n > RESERVE_MAX) {
		bma__log_verbose("bma_reserve_create: n is 0 or over 2^24");
		errno = EINVAL;
		return NULL;
	}
	if (bma__forbid_refuses()) {
		errno = EDEADLK;
		return NULL;
	}
	bma__init_threads();
	r = bma__reserve_create(cache, n, &rc);
	if (!r)
		errno = -rc;
	return r;
}

void *bma_reserve_alloc(struct bma_reserve *reserve)
{
	void *obj;

	/* Not a hot call: what it does next is an exchange on memory that others change. */
	if (bma__forbid_refuses())
		return NULL;
	obj = bma__reserve_take(reserve);
	if (obj && bma__unlikely(bma__engine_checked(reserve->engine)))
		bma__checked_taken(reserve->engine, obj, "bma_reserve_alloc");
	if (obj && bma__unlikely(bma__key_has(reserve->engine)))
		bma__key_taken(reserve->engine, obj);
	if (obj && bma__unlikely(reserve->engine->flags & BMA__CACHE_PROFILE))
		bma__profile_taken(reserve->engine, obj, reserve->engine->charge,
				   reserve->engine->name);
	if (obj && reserve->record && reserve->record->live)
		bma__percpu_add_slow(reserve->record->live, 1);
	return obj;
}

int bma_reserve_refill(struct bma_reserve *reserve)
{
	if (bma__forbid_refuses())
		return -EDEADLK;
	bma__init_threads();
	return bma__reserve_fill(reserve);
}

size_t bma_reserve_count(const struct bma_reserve *reserve)
{
	size_t n = 0;

	for (size_t i = 0; i < reserve->n; i++)
		n += atomic_load_explicit(&reserve->entry[i], memory_order_relaxed) != NULL;
	return n;
}

void bma_reserve_destroy(struct bma_reserve *reserve)
{
	if (reserve)
		bma__reserve_destroy(reserve);
}
