/* SPDX-License-Identifier: MIT */
/* Reserves, compared with the model. */
#include "model.h"

#include <errno.h>

#define RESERVE_MOST 40u

static struct model_reserve *get(struct model_call *m)
{
	return &m->c->reserves[m->arg & 1];
}

void call_reserve_create(void *call)
{
	struct model_call *m = call;
	struct model_reserve *r = get(m);
	size_t n = 1 + m->arg / 2 % RESERVE_MOST;

	if (!m->c->cache || r->reserve || n * m->c->attr.size > MODEL_BYTES / 4)
		return;
	errno = MODEL_SENTINEL;
	r->reserve = bma_reserve_create(m->c->cache, n);
	FUZZ_CHECK(r->reserve || (errno == ENOMEM && model.failing), "errno %d", errno);
	if (!r->reserve)
		return;
	r->n = r->count = n;
	FUZZ_CHECK(bma_reserve_count(r->reserve) == n, "not full");
}

void call_reserve_alloc(void *call)
{
	struct model_call *m = call;
	struct model_reserve *r = get(m);
	void *obj;

	if (!m->c->cache || !r->reserve || !model_room(m->c, 1))
		return;
	errno = MODEL_SENTINEL;
	obj = bma_reserve_alloc(r->reserve);
	FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
	FUZZ_CHECK(!obj == !r->count, "%zu were left", r->count);
	if (!obj)
		return;
	r->count--;
	model_add(m->c, obj, false);
}

void call_reserve_refill(void *call)
{
	struct model_call *m = call;
	struct model_reserve *r = get(m);
	size_t count;
	int rc;

	if (!m->c->cache || !r->reserve)
		return;
	rc = bma_reserve_refill(r->reserve);
	count = bma_reserve_count(r->reserve);
	FUZZ_CHECK(!rc || (rc == -ENOMEM && model.failing), "refill: %d", rc);
	FUZZ_CHECK(rc ? count >= r->count && count < r->n : count == r->n, "%zu of %zu", count,
		   r->n);
	r->count = count;
}

void call_reserve_destroy(void *call)
{
	struct model_call *m = call;
	struct model_reserve *r = get(m);

	if (!m->c->cache || !r->reserve)
		return;
	FUZZ_CHECK(bma_reserve_count(r->reserve) == r->count, "not %zu", r->count);
	bma_reserve_destroy(r->reserve);
	*r = (struct model_reserve){0};
}
