/* SPDX-License-Identifier: MIT */
/*
 * Concurrency Kit's hash tables on a heap: one writer makes them grow, puts and removes, and readers look on in read sections of liburcu. libck
 * says of each map whether it may be freed at once or readers may still be there, which is what free and free_rcu are for.
 *
 * Keys below STABLE are put in order and stay, so a reader has to find all that it was told of; other keys come and go, and what a reader
 * finds has to be whole. A map that is given out again too early shows as a key that is not found, or as a crash. Arguments: seconds, seed.
 */
#include "ck.h"

#include <pthread.h>
#include <stdatomic.h>
#include <urcu/urcu-memb.h>

#include "client.h"

#define READERS 3
#define STABLE 30000
#define PASSING 4000

static struct bma_heap *heap;
static const struct ck_table *table;
static _Atomic uint64_t put; /* stable keys 1 to this are there */
static _Atomic bool stop;
static _Atomic long deferred, direct, large;

static void *ck_alloc(size_t n)
{
	return bma_heap_alloc_flags(heap, n, BMA_SLEEP);
}

/*
 * Take what is at hand of this size and empty half of it: a map that can be had already, though readers are in it, then lacks keys.
 * Large ones are mapped anew each time.
 */
static void take_and_empty(size_t n)
{
	unsigned char *p[4];

	if (n > BMA_HEAP_CLASS_MAX)
		return;
	for (int i = 0; i < 4; i++) {
		p[i] = ck_alloc(n);
		CHECK(p[i], "no %zu bytes", n);
		memset(p[i] + n / 2, 0, n - n / 2);
	}
	for (int i = 0; i < 4; i++)
		bma_heap_free_sized(heap, p[i], n);
}

static void ck_free(void *p, size_t n, bool defer)
{
	CHECK(!p || bma_heap_usable_size(p) >= n, "a map of %zu bytes was one of %zu", n,
	      bma_heap_usable_size(p));
	large += p && n > BMA_HEAP_CLASS_MAX;
	if (defer) {
		deferred++;
		bma_heap_free_rcu(heap, p);
		take_and_empty(n);
	} else {
		direct++;
		bma_heap_free_sized(heap, p, n);
	}
}

static void *ck_realloc(void *p, size_t had, size_t n, bool defer)
{
	void *q = ck_alloc(n);

	if (q) {
		memcpy(q, p, had < n ? had : n);
		ck_free(p, had, defer);
	}
	return q;
}

struct ck_malloc ck_methods = {ck_alloc, ck_realloc, ck_free};

static struct ck_item *make_item(uint64_t key)
{
	struct ck_item *item = bma_heap_alloc(heap, sizeof *item);

	if (!item)
		item = bma_heap_alloc_flags(heap, sizeof *item, BMA_SLEEP);
	CHECK(item, "no item");
	item->key = key;
	item->check = ck_mix(key);
	memset(item->rest, (int)(key & 0xff), sizeof item->rest);
	return item;
}

static void check_item(const struct ck_item *item, uint64_t key)
{
	CHECK(item->key == key && item->check == ck_mix(key), "item %llu is another: %llu",
	      (unsigned long long)key, (unsigned long long)item->key);
	for (size_t i = 0; i < sizeof item->rest; i++)
		CHECK(item->rest[i] == (unsigned char)key, "item %llu is not whole",
		      (unsigned long long)key);
}

static void *read_items(void *arg)
{
	uint64_t random = test_seed + 2 * (uint64_t)(uintptr_t)arg;
	long *looked = malloc(sizeof *looked);

	CHECK(looked, "no memory");
	*looked = 0;
	urcu_memb_register_thread();
	for (; !stop; ++*looked) {
		uint64_t most = put, key;
		struct ck_item *item;

		urcu_memb_read_lock();
		if (most) {
			key = test_random(&random) % most + 1;
			item = table->get(key);
			CHECK(item, "%s: key %llu of %llu is not found", table->name,
			      (unsigned long long)key, (unsigned long long)most);
			check_item(item, key);
		}
		key = STABLE + 1 + test_random(&random) % PASSING;
		item = table->get(key);
		if (item)
			check_item(item, key);
		urcu_memb_read_unlock();
	}
	urcu_memb_unregister_thread();
	return looked;
}

/* In or out, whichever it is not. */
static void turn(uint64_t key)
{
	struct ck_item *item = table->remove(key);

	if (item) {
		check_item(item, key);
		bma_heap_free_rcu(heap, item);
	} else {
		CHECK(table->put(make_item(key)), "%s: not put", table->name);
	}
}

/* From few places to those for @keys. Readers come when the table is there and have left when it goes. */
static long live_once(uint64_t keys, uint64_t *random)
{
	pthread_t thread[READERS];
	long looked = 0;

	table->make((unsigned int)test_random(random));
	put = 0;
	stop = false;
	for (uintptr_t i = 0; i < READERS; i++)
		CHECK(!pthread_create(&thread[i], NULL, read_items, (void *)i), "no thread");
	for (uint64_t key = 1; key <= keys; key++) {
		CHECK(table->put(make_item(key)), "%s: not put", table->name);
		put = key;
		turn(STABLE + 1 + test_random(random) % PASSING);
		if (table->anew && test_random(random) % (key / 8 + 8) == 0)
			CHECK(table->anew(), "%s: not made anew", table->name);
	}
	stop = true;
	for (int i = 0; i < READERS; i++) {
		void *n;

		pthread_join(thread[i], &n);
		looked += *(long *)n;
		free(n);
	}
	for (uint64_t key = 1; key <= STABLE + PASSING; key++) {
		struct ck_item *item = table->remove(key);

		CHECK(item || key > keys, "%s: key %llu is lost", table->name,
		      (unsigned long long)key);
		bma_heap_free(heap, item);
	}
	CHECK(!table->count(), "%s: keys are left", table->name);
	table->destroy();
	return looked;
}

static void run(const struct ck_table *kind, double seconds, uint64_t *random)
{
	double begin = test_seconds();
	long looked = 0, lives = 0, d = deferred, l = large;

	table = kind;
	for (; test_seconds() < begin + seconds || !lives; lives++)
		looked += live_once(lives ? STABLE >> test_random(random) % 8 : STABLE, random);
	CHECK(deferred - d > 4 * lives, "%s: %ld maps deferred", kind->name, deferred - d);
	CHECK(large > l, "%s: no map was large", kind->name);
	printf("%s: %ld tables, %ld maps deferred, %ld large, %ld looks, %.2f s\n", kind->name,
	       lives, deferred - d, large - l, looked, test_seconds() - begin);
}

int main(int argc, char **argv)
{
	double seconds = test_args(argc, argv, 2);
	uint64_t random = test_seed;

	heap = client_heap("ck", BMA_HEAP_PRIVATE);
	run(&ck_hash_set, seconds, &random);
	run(&ck_hash_table, seconds, &random);
	client_end(heap, "Concurrency Kit");
	CHECK(direct, "no map was freed at once");
	return 0;
}
