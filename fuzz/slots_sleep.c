/* SPDX-License-Identifier: MIT */
/* Calls that may sleep, each compared with what is known, see slots.h. */
#include "slots.h"

#include <errno.h>

void slots_call_free_rcu_flags(struct slots_call *call)
{
	unsigned int flags = call->arg & 1 ? BMA_SLEEP : 0;
	bool refused = flags && slots.reading;
	struct slots_cache *c = call->c;

	for (unsigned int i = 0; c->cache && c->live && i < call->times; i++) {
		void *obj = slots_take(c, call->arg, true);
		int rc;

		/* It waits first, and the object is the caller's until then. */
		slots_put_back(c, obj);
		rc = bma_cache_free_rcu_flags(c->cache, obj, flags);
		fuzz_operations++;
		FUZZ_CHECK(rc == (refused ? -EDEADLK : 0), "%d", rc);
		if (!rc)
			FUZZ_CHECK(slots_take(c, c->live - 1, true) == obj, "another one");
	}
}

void slots_call_stats(struct slots_call *call)
{
	slots_stats(call->c);
}

void slots_call_poll(struct slots_call *call)
{
	unsigned int flags = call->arg & 1 ? BMA_POLL_GP : 0;
	int rc = bma_poll(flags);

	fuzz_operations++;
	FUZZ_CHECK(rc >= 0 || (rc == -EDEADLK && flags && slots.reading), "%d", rc);
}

void slots_call_trim(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	struct bma_cache_stats s;
	int rc = bma_trim();

	fuzz_operations++;
	FUZZ_CHECK(!rc || (rc == -EDEADLK && slots.reading), "%d", rc);
	if (slots.reading)
		return;
	slots_waited();
	if (!c->cache || c->live || c->reserve)
		return;
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.carved && !s.slab_bytes, "%llu carved, %llu bytes after a trim",
		   (unsigned long long)s.carved, (unsigned long long)s.slab_bytes);
}

void slots_call_barrier(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	struct bma_cache_stats s;
	int rc;

	if (!c->cache)
		return;
	rc = bma_rcu_barrier(c->cache);
	fuzz_operations++;
	FUZZ_CHECK(rc == (slots.reading ? -EDEADLK : 0), "%d", rc);
	if (rc)
		return;
	FUZZ_CHECK(!c->waiting, "%u are readable after a barrier", c->waiting);
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.limbo, "%llu in limbo after a barrier", (unsigned long long)s.limbo);
	FUZZ_CHECK(c->destructed >= c->due, "%llu destructed, %llu due",
		   (unsigned long long)c->destructed, (unsigned long long)c->due);
	c->deferred = 0;
}

void slots_call_grace_period(struct slots_call *call)
{
	int rc = bma_fuzz_grace_period();

	(void)call;
	fuzz_operations++;
	FUZZ_CHECK(!rc || (rc == -EDEADLK && slots.reading), "%d", rc);
	if (!slots.reading)
		slots_waited();
}

void slots_call_fail(struct slots_call *call)
{
	fuzz_operations++;
	/* More often none than some. */
	slots.failing = call->arg & 8 ? call->arg & 7 : 0;
	bma_fuzz_fail_after(slots.failing);
}

static void reserve_create(struct slots_cache *c, size_t n)
{
	c->reserve = bma_reserve_create(c->cache, n);
	FUZZ_CHECK(c->reserve || (errno == ENOMEM && slots.failing), "errno %d", errno);
	c->reserve_n = c->reserve_count = c->reserve ? n : 0;
}

static void reserve_refill(struct slots_cache *c)
{
	int rc = bma_reserve_refill(c->reserve);
	size_t count = bma_reserve_count(c->reserve);

	FUZZ_CHECK(!rc || (rc == -ENOMEM && slots.failing), "refill: %d", rc);
	FUZZ_CHECK(rc ? count >= c->reserve_count && count < c->reserve_n : count == c->reserve_n,
		   "%zu of %zu", count, c->reserve_n);
	c->reserve_count = count;
}

void slots_call_reserve(struct slots_call *call)
{
	struct slots_cache *c = call->c;

	if (!c->cache)
		return;
	fuzz_operations++;
	if (!c->reserve) {
		reserve_create(c, 1 + call->arg * 3);
	} else if (call->arg & 3) {
		reserve_refill(c);
	} else {
		bma_reserve_destroy(c->reserve);
		c->reserve = NULL;
		c->reserve_count = 0;
	}
}

void slots_call_cache(struct slots_call *call)
{
	struct slots_cache *c = call->c;

	if (!c->cache)
		slots_create(c);
	else
		slots_destroy(c);
}
