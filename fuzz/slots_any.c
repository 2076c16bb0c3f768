/* SPDX-License-Identifier: MIT */
/* Calls from any context, each compared with what is known, see slots.h. */
#include "slots.h"

#include <errno.h>

/* Of failures one in so many is looked into. */
#define LOOK 64u

static void check_errno(void)
{
	FUZZ_CHECK(errno == SLOTS_SENTINEL, "errno %d", errno);
}

/* An any-context call found nothing: so there was nothing, or it was told to. */
static void none(struct slots_cache *c)
{
	struct bma_cache_stats s;

	if (c->fails++ % LOOK || slots.failing)
		return;
	FUZZ_CHECK(!bma_cache_stats_get(c->cache, &s, sizeof s), "stats");
	FUZZ_CHECK(!s.depot, "no object, %llu in the depot", (unsigned long long)s.depot);
}

static void got(struct slots_cache *c, void *obj, unsigned int flags)
{
	fuzz_operations++;
	if (obj) {
		FUZZ_CHECK(flags & BMA_SLEEP || slots.failing != 1, "an object, although all fail");
		slots_add(c, obj, flags & BMA_ZERO);
	} else if (flags & BMA_SLEEP) {
		FUZZ_CHECK(errno == ENOMEM && slots.failing, "no object, errno %d", errno);
	} else {
		none(c);
	}
}

void slots_call_slot(struct slots_call *call)
{
	fuzz_operations++;
	FUZZ_CHECK(!bma_fuzz_set_slot(call->arg), "slot %u", call->arg);
}

void slots_call_alloc(struct slots_call *call)
{
	struct slots_cache *c = call->c;

	for (unsigned int i = 0; c->cache && i < call->times && slots_room(c, 1); i++)
		got(c, bma_cache_alloc(c->cache), 0);
	check_errno();
}

void slots_call_alloc_flags(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	/* Other bits are ignored. */
	unsigned int flags = call->arg;

	for (unsigned int i = 0; c->cache && i < call->times && slots_room(c, 1); i++)
		got(c, bma_cache_alloc_flags(c->cache, flags), flags);
	if (!(flags & BMA_SLEEP))
		check_errno();
}

void slots_call_alloc_bulk(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	unsigned int flags = call->arg & 3;
	size_t n = 1 + call->arg / 4, made;
	void *objs[SLOTS_BULK];

	for (unsigned int i = 0; c->cache && i < call->times && slots_room(c, n); i++) {
		made = bma_cache_alloc_bulk(c->cache, objs, n, flags);
		FUZZ_CHECK(made <= n, "%zu of %zu", made, n);
		for (size_t j = 0; j < made; j++)
			got(c, objs[j], flags);
		if (made < n)
			got(c, NULL, flags);
	}
	if (!(flags & BMA_SLEEP))
		check_errno();
}

void slots_call_free(struct slots_call *call)
{
	struct slots_cache *c = call->c;

	for (unsigned int i = 0; c->cache && i < call->times; i++) {
		fuzz_operations += c->live != 0;
		bma_cache_free(c->cache, slots_take(c, call->arg, false));
	}
	check_errno();
}

void slots_call_free_bulk(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	size_t n = 1 + call->arg % SLOTS_BULK;
	void *objs[SLOTS_BULK];

	for (unsigned int i = 0; c->cache && i < call->times; i++) {
		/* Where there is none it is NULL, which is passed over. */
		for (size_t j = 0; j < n; j++) {
			objs[j] = j == 1 ? NULL : slots_take(c, call->arg / 4, false);
			fuzz_operations += objs[j] != NULL;
		}
		bma_cache_free_bulk(c->cache, objs, n);
	}
	check_errno();
}

void slots_call_free_rcu(struct slots_call *call)
{
	struct slots_cache *c = call->c;

	for (unsigned int i = 0; c->cache && i < call->times; i++) {
		fuzz_operations += c->live != 0;
		bma_cache_free_rcu(c->cache, slots_take(c, call->arg, true));
	}
	check_errno();
}

void slots_call_reserve_alloc(struct slots_call *call)
{
	struct slots_cache *c = call->c;
	void *obj;

	if (!c->cache || !c->reserve || !slots_room(c, 1))
		return;
	obj = bma_reserve_alloc(c->reserve);
	fuzz_operations++;
	FUZZ_CHECK(!obj == !c->reserve_count, "%zu were left", c->reserve_count);
	check_errno();
	if (!obj)
		return;
	c->reserve_count--;
	slots_add(c, obj, false);
}

void slots_call_read(struct slots_call *call)
{
	/* Mostly out of it: little waits for a thread that is always in one. */
	if (call->arg & 3)
		slots.reading -= slots.reading != 0;
	else
		slots.reading++;
}
