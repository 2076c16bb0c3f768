/* SPDX-License-Identifier: MIT */
/* Calls that wait for no grace period, each compared with the model. */
#include "model.h"

#include <errno.h>

#define BULK 24u

static void *add_checked(struct model_cache *c, void *obj, unsigned int flags)
{
	if (obj) {
		FUZZ_CHECK(flags & BMA_SLEEP || model.failing != 1 || baton_native(),
			   "an object, although all fail");
		model_add(c, obj, flags & BMA_ZERO);
		return obj;
	}
	if (flags & BMA_SLEEP)
		FUZZ_CHECK(errno == ENOMEM && model.failing, "no object, errno %d", errno);
	return NULL;
}

/* An any-context call found nothing: so there was nothing, or it was told to. */
static void check_none(struct model_cache *c, uint64_t fails)
{
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(s.fail_depot_empty == fails + 1, "%llu failed, not %llu",
		   (unsigned long long)s.fail_depot_empty, (unsigned long long)fails + 1);
	/* The worker may have been there since. */
	FUZZ_CHECK(model.failing || baton_native() || !s.depot, "no object, %llu in the depot",
		   (unsigned long long)s.depot);
}

static uint64_t fails(struct model_cache *c)
{
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	return s.fail_depot_empty;
}

void call_create(void *call)
{
	struct model_call *m = call;
	struct model_cache attr, *c = m->c;
	int want;

	if (c->cache) {
		model_attr(m->in, &attr);
		return;
	}
	want = model_attr(m->in, c);
	errno = MODEL_SENTINEL;
	c->cache = bma_cache_create(&c->attr);
	if (c->cache) {
		FUZZ_CHECK(!want, "made, not refused with %d", want);
		FUZZ_CHECK(bma_cache_size(c->cache) == c->attr.size, "size");
		return;
	}
	FUZZ_CHECK(want ? errno == want : errno == ENOMEM && model.failing, "errno %d, not %d",
		   errno, want);
}

void call_alloc(void *call)
{
	struct model_call *m = call;
	uint64_t before;
	void *obj;

	if (!m->c->cache || !model_room(m->c, 1))
		return;
	before = fails(m->c);
	errno = MODEL_SENTINEL;
	obj = bma_cache_alloc(m->c->cache);
	FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
	if (!add_checked(m->c, obj, 0))
		check_none(m->c, before);
}

void call_alloc_flags(void *call)
{
	struct model_call *m = call;
	/* Other bits are ignored. */
	unsigned int flags = m->arg;

	if (!m->c->cache || !model_room(m->c, 1))
		return;
	errno = MODEL_SENTINEL;
	add_checked(m->c, bma_cache_alloc_flags(m->c->cache, flags), flags);
	FUZZ_CHECK(flags & BMA_SLEEP || errno == MODEL_SENTINEL, "errno %d", errno);
}

void call_alloc_bulk(void *call)
{
	struct model_call *m = call;
	unsigned int flags = m->arg & 3;
	size_t n = 1 + m->arg / 4 % BULK, got;
	void *objs[BULK];

	if (!m->c->cache || !model_room(m->c, n))
		return;
	errno = MODEL_SENTINEL;
	got = bma_cache_alloc_bulk(m->c->cache, objs, n, flags);
	FUZZ_CHECK(got <= n, "%zu of %zu", got, n);
	if (flags & BMA_SLEEP)
		FUZZ_CHECK(got == n || (errno == ENOMEM && model.failing), "%zu of %zu", got, n);
	else
		FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
	for (size_t i = 0; i < got; i++)
		add_checked(m->c, objs[i], flags);
}

void call_free(void *call)
{
	struct model_call *m = call;
	void *obj;

	if (!m->c->cache)
		return;
	obj = model_take(m->c, m->arg, false);
	if (obj && !(m->c->attr.flags & (BMA_CACHE_DTOR_RECYCLE | BMA_CACHE_QUARANTINE)))
		m->c->users |= 1u << baton_self();
	errno = MODEL_SENTINEL;
	bma_cache_free(m->c->cache, obj);
	FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
}

void call_free_bulk(void *call)
{
	struct model_call *m = call;
	void *objs[BULK];
	size_t n = 1 + m->arg % BULK;

	if (!m->c->cache)
		return;
	/* Where there is none it is NULL, which is passed over. */
	for (size_t i = 0; i < n; i++)
		objs[i] = i == 1 ? NULL : model_take(m->c, m->arg / 8, false);
	errno = MODEL_SENTINEL;
	bma_cache_free_bulk(m->c->cache, objs, n);
	FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
}

void call_free_rcu(void *call)
{
	struct model_call *m = call;

	if (!m->c->cache)
		return;
	errno = MODEL_SENTINEL;
	bma_cache_free_rcu(m->c->cache, model_take(m->c, m->arg, true));
	FUZZ_CHECK(errno == MODEL_SENTINEL, "errno %d", errno);
}

/* Calls that are said to do nothing. */
void call_nothing(void *call)
{
	struct model_call *m = call;
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_destroy(NULL), "destroy of nothing");
	bma_reserve_destroy(NULL);
	FUZZ_CHECK(bma_stats_get(NULL, 8) == -EINVAL, "stats to nowhere");
	FUZZ_CHECK(bma_rcu_stats_get(99, (struct bma_rcu_stats *)&s, 8) == -ENOENT, "flavour 99");
	FUZZ_CHECK(bma_poll(~BMA_POLL_GP) == -EINVAL, "poll with unknown flags");
	FUZZ_CHECK(bma_version() == BMA_VERSION, "version");
	if (!m->c->cache)
		return;
	bma_cache_free(m->c->cache, NULL);
	bma_cache_free_rcu(m->c->cache, NULL);
	bma_cache_free_bulk(m->c->cache, NULL, 0);
	FUZZ_CHECK(!bma_cache_free_rcu_flags(m->c->cache, NULL, 0), "free of nothing");
	FUZZ_CHECK(bma_cache_free_rcu_flags(m->c->cache, NULL, 6) == -EINVAL, "unknown flags");
	FUZZ_CHECK(bma_cache_stats_get(m->c->cache, &s, 0) == -EINVAL, "stats of size 0");
	errno = 0;
	FUZZ_CHECK(!bma_reserve_create(m->c->cache, 0) && errno == EINVAL, "a reserve of 0");
	errno = 0;
	FUZZ_CHECK(!bma_reserve_create(m->c->cache, ((size_t)1 << 24) + 1) && errno == EINVAL,
		   "a reserve of too many");
}

void call_stats(void *call)
{
	(void)call;
	model_stats_all();
}

void call_fail(void *call)
{
	struct model_call *m = call;

	model.failing = m->arg & 7;
	bma_fuzz_fail_after(model.failing);
}
