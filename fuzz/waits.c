/* SPDX-License-Identifier: MIT */
/* Calls that may wait for a grace period, and read sections. */
#include "model.h"

#include <errno.h>
#include <urcu/urcu-memb.h>

static void waited_all(void)
{
	for (unsigned int i = 0; i < MODEL_CACHES; i++) {
		if (model.caches[i].cache)
			model_waited(&model.caches[i]);
	}
}

void call_free_rcu_flags(void *call)
{
	struct model_call *m = call;
	unsigned int flags = m->arg & 1 ? BMA_SLEEP : 0;
	bool refused = flags && model_reading();
	void *obj;
	int rc;

	if (!m->c->cache || !m->c->live)
		return;
	obj = model_take(m->c, m->arg / 2, true);
	rc = bma_cache_free_rcu_flags(m->c->cache, obj, flags);
	FUZZ_CHECK(rc == (refused ? -EDEADLK : 0), "%d", rc);
	if (refused)
		model_put_back(m->c, obj);
}

void call_barrier(void *call)
{
	struct model_call *m = call;
	int rc;

	if (!m->c->cache)
		return;
	rc = bma_rcu_barrier(m->c->cache);
	FUZZ_CHECK(rc == (model_reading() ? -EDEADLK : 0), "%d", rc);
	if (!rc)
		model_waited(m->c);
}

void call_poll(void *call)
{
	struct model_call *m = call;
	int rc = bma_poll(m->arg & 1 ? BMA_POLL_GP : 0);

	/* In a read section it is told if something waits. */
	FUZZ_CHECK(rc >= 0 || (rc == -EDEADLK && m->arg & 1 && model_reading()), "%d", rc);
	if (m->arg & 1 && rc >= 0 && !model_reading())
		waited_all();
}

void call_grace_period(void *call)
{
	int rc = bma_fuzz_grace_period();

	(void)call;
	FUZZ_CHECK(!rc || (rc == -EDEADLK && model_reading()), "%d", rc);
	if (!rc && !model_reading())
		waited_all();
}

/* Of a cache of which nobody has anything no memory is left. */
static void check_trimmed(struct model_cache *c)
{
	struct bma_cache_stats s;

	if (!c->cache || c->live || model_has_reserves(c))
		return;
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.carved && !s.slab_bytes, "%llu carved, %llu bytes after a trim",
		   (unsigned long long)s.carved, (unsigned long long)s.slab_bytes);
}

void call_trim(void *call)
{
	int rc = bma_trim();

	(void)call;
	FUZZ_CHECK(!rc || (rc == -EDEADLK && model_reading()), "%d", rc);
	if (rc || model_reading())
		return;
	waited_all();
	for (unsigned int i = 0; !baton_native() && i < MODEL_CACHES; i++)
		check_trimmed(&model.caches[i]);
}

void call_shutdown(void *call)
{
	int rc = bma_shutdown();

	(void)call;
	FUZZ_CHECK(rc == (model_reading() ? -EDEADLK : 0), "%d", rc);
}

/* May a wait be needed, and is the caller one whom it would wait for? */
static bool may_deadlock(const struct model_cache *c, bool *must)
{
	struct bma_cache_stats s;

	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	*must = model_reading() && c->attr.dtor && !model_has_reserves(c);
	return *must || (model_reading() && (c->deferred || s.parks));
}

static void check_destructed(struct model_cache *c)
{
	uint64_t made = atomic_load(&c->constructed), gone = atomic_load(&c->destructed);

	if (!c->attr.ctor || !c->attr.dtor)
		return;
	FUZZ_CHECK(c->attr.flags & BMA_CACHE_DTOR_RECYCLE ? gone >= made : gone == made,
		   "%llu constructed, %llu destructed", (unsigned long long)made,
		   (unsigned long long)gone);
}

void call_destroy(void *call)
{
	struct model_call *m = call;
	struct model_cache *c = m->c;
	bool may, must;
	int rc, want;

	if (!c->cache)
		return;
	may = may_deadlock(c, &must);
	want = c->live || model_has_reserves(c) ? -EBUSY : 0;
	rc = bma_cache_destroy(c->cache);
	FUZZ_CHECK(must ? rc == -EDEADLK : rc == want || (may && rc == -EDEADLK), "%d, not %d", rc,
		   must ? -EDEADLK : want);
	if (rc)
		return;
	check_destructed(c);
	for (unsigned int i = 0; i < MODEL_OBJECTS; i++)
		FUZZ_CHECK(model.objects[i].state == MODEL_NONE ||
				   &model.caches[model.objects[i].cache] != c,
			   "destroyed, and %p is readable", (void *)model.objects[i].at);
	c->cache = NULL;
}

void call_lock(void *call)
{
	(void)call;
	urcu_memb_read_lock();
	model.reading[baton_self()]++;
}

void call_unlock(void *call)
{
	(void)call;
	if (!model_reading())
		return;
	/* Before: what it may look at is still there. */
	if (!--model.reading[baton_self()])
		model_left(baton_self());
	urcu_memb_read_unlock();
}
