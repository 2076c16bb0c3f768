/* SPDX-License-Identifier: MIT */
/* The ledger and its calls, see ledger.h. */
#include "ledger.h"

#include <bma/bma.h>

#define BULK 3
#define LONG_BULK 9

struct ledger ledger;
const struct calls *ledger_calls;
void *ledger_cache, *ledger_reserve, *ledger_heap;
size_t ledger_size;
uint64_t *ledger_word;
size_t ledger_capacity;

void ledger_fail(const char *wrong)
{
	if (!ledger.wrong)
		ledger.wrong = wrong;
}

int ledger_number(const void *obj)
{
	size_t offset = (size_t)((const char *)obj - ledger.base);

	if (offset % ledger.stride || offset / ledger.stride >= LEDGER_OBJECTS)
		return -1;
	return (int)(offset / ledger.stride);
}

static void got(void *obj, enum ledger_state from)
{
	int i = ledger_number(obj);

	if (i < 0 || ledger.state[i] == LEDGER_UNKNOWN) {
		ledger_fail("an address that is no object was handed out");
		return;
	}
	if (ledger.state[i] == LEDGER_LIVE_STATE)
		ledger_fail("an object was handed out twice");
	else if (ledger.state[i] != from)
		ledger_fail("an object was handed out that waits or is set aside");
	ledger.state[i] = LEDGER_LIVE_STATE;
	if (ledger.nlive < LEDGER_LIVE)
		ledger.live[ledger.nlive++] = obj;
}

/* The answer of an allocation from the cache. */
static bool answer(void *obj)
{
	if (obj) {
		ledger.taken++;
		got(obj, LEDGER_FREE);
		return true;
	}
	ledger.nulls++;
	ledger.outer_nulls += !inject_in_handler();
	return false;
}

static void *give(enum ledger_state to)
{
	void *obj;

	if (!ledger.nlive) {
		ledger_fail("the test has no object left to free");
		return NULL;
	}
	obj = ledger.live[--ledger.nlive];
	ledger.state[ledger_number(obj)] = (unsigned char)to;
	return obj;
}

void ledger_alloc(void)
{
	answer((void *)inject_call(ledger_calls->alloc, ledger_cache, NULL, 0));
}

void ledger_zeroed(void)
{
	void *obj = (void *)inject_call(ledger_calls->zeroed, ledger_cache, NULL, 0);

	if (!answer(obj))
		return;
	for (size_t i = 0; i < ledger.stride; i++) {
		if (((char *)obj)[i])
			ledger_fail("an object was not cleared");
	}
}

static size_t alloc_bulk(size_t n)
{
	void *objs[LONG_BULK];
	size_t had = inject_call(ledger_calls->alloc_bulk, ledger_cache, objs, n);

	for (size_t i = 0; i < had; i++)
		answer(objs[i]);
	if (had < n)
		answer(NULL);
	return had;
}

void ledger_alloc_bulk(void)
{
	alloc_bulk(LONG_BULK);
}

void ledger_free(void)
{
	inject_call(ledger_calls->free, ledger_cache, give(LEDGER_FREE), 0);
}

void ledger_free_null(void)
{
	inject_call(ledger_calls->free, ledger_cache, NULL, 0);
	inject_call(ledger_calls->free_rcu, ledger_cache, NULL, 0);
}

static void free_bulk(size_t n)
{
	void *objs[LONG_BULK];

	for (size_t i = 0; i < n; i++)
		objs[i] = give(LEDGER_FREE);
	inject_call(ledger_calls->free_bulk, ledger_cache, objs, n);
}

void ledger_free_bulk(void)
{
	free_bulk(LONG_BULK);
}

void ledger_free_rcu(void)
{
	inject_call(ledger_calls->free_rcu, ledger_cache, give(LEDGER_LIMBO), 0);
}

void ledger_free_rcu_flags(void)
{
	if (inject_call(ledger_calls->free_rcu_flags, ledger_cache, give(LEDGER_LIMBO), 0))
		ledger_fail("free_rcu_flags refused");
}

void ledger_reserve_alloc(void)
{
	void *obj = (void *)inject_call(ledger_calls->reserve_alloc, ledger_reserve, NULL, 0);

	if (obj) {
		ledger.reserve_taken++;
		got(obj, LEDGER_RESERVE);
	} else {
		ledger.reserve_nulls++;
	}
}

void ledger_reserve_count(void)
{
	inject_call(ledger_calls->reserve_count, ledger_reserve, NULL, 0);
}

void ledger_rcu_stats(void)
{
	static struct bma_rcu_stats stats;

	if (inject_call(ledger_calls->rcu_stats, NULL, &stats, sizeof stats))
		ledger_fail("rcu_stats_get refused");
}

void ledger_heap_alloc(void)
{
	answer((void *)inject_call(ledger_calls->heap_alloc, ledger_heap, NULL, ledger_size));
}

void ledger_heap_free(void)
{
	inject_call(ledger_calls->heap_free, ledger_heap, give(LEDGER_FREE), ledger_size);
}

void ledger_heap_free_sized(void)
{
	inject_call(ledger_calls->heap_free_sized, ledger_heap, give(LEDGER_FREE), ledger_size);
}

void ledger_heap_free_rcu(void)
{
	inject_call(ledger_calls->heap_free_rcu, ledger_heap, give(LEDGER_LIMBO), ledger_size);
}

void ledger_add(void)
{
	ledger.added += 3;
	inject_call(ledger_calls->percpu_add, ledger_word, NULL, 3);
}

void ledger_add_twice(void)
{
	ledger_add();
	ledger_add();
	ledger_two_and_back();
}

void ledger_two_and_back(void)
{
	ledger_alloc();
	ledger_alloc();
	ledger_free();
}

void ledger_left_and_home(void)
{
	ledger_alloc();
	ledger_free();
	ledger_free();
	ledger_alloc();
}

void ledger_right_and_home(void)
{
	ledger_free();
	ledger_alloc();
	ledger_alloc();
	ledger_free();
}

void ledger_bulk_and_back(void)
{
	free_bulk(alloc_bulk(BULK));
}

void ledger_magazine_and_back(void)
{
	size_t n = ledger_capacity + 1;

	for (size_t i = 0; i < n; i++)
		ledger_alloc();
	for (size_t i = 0; i < n; i++)
		ledger_free();
}

void ledger_magazine_to_limbo(void)
{
	for (size_t i = 0; i <= ledger_capacity; i++)
		ledger_free_rcu();
}

void ledger_reserve_and_back(void)
{
	ledger_reserve_alloc();
	ledger_reserve_alloc();
	ledger_free();
}
