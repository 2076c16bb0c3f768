/* SPDX-License-Identifier: MIT */
/* What caches, a trim, the worker and a child of fork find of pages that were given back. */
#include "purge.h"

#include <bma/bma.h>

#include "api/api.h"

#include <sys/wait.h>
#include <unistd.h>

/* From here on through caches. */
static struct bma_stats figures(void)
{
	struct bma_stats s;

	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	return s;
}

/* Objects of @c, as many as take more than one slab, all written over; then none. */
static void spend(struct bma_cache *c, size_t size, int n)
{
	static void *objs[40000];

	for (int i = 0; i < n; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		memset(objs[i], 0xff, size);
	}
	bma_cache_free_bulk(c, objs, (size_t)n);
}

static struct bma_cache *cache(size_t size, void (*dtor)(void *, void *), uint64_t flags,
			       struct bma_group *group)
{
	struct bma_cache_attr a = {
		.attr_size = sizeof a, .size = size, .dtor = dtor, .flags = flags, .group = group};
	struct bma_cache *c = bma_cache_create(&a);

	cr_assert_not_null(c);
	return c;
}

static int destructed, dirty_seen;

static void destruct(void *obj, void *ctx)
{
	(void)ctx;
	destructed++;
	dirty_seen += !zero(obj, 64);
}

/* What a cache of plain objects leaves behind, dirty, and written all over. */
static void leave_dirt(void)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,purge_ms:600000", 1);
	c = cache(64, NULL, 0, NULL);
	spend(c, 64, 20000);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_gt(bma_poll(BMA_POLL_GP), -1);
	cr_assert_gt(figures().dirty_bytes, 1 << 20);
}

/* A destructor must be able to tell an object that nobody was ever given. */
Test(purge_caches, objects_for_destructors_are_zero)
{
	struct bma_cache *c;
	uint64_t dirty;

	leave_dirt();
	dirty = figures().dirty_bytes;
	c = cache(64, destruct, 0, NULL);
	cr_assert_lt(figures().dirty_bytes, dirty, "it is of that memory");
	for (int i = 0; i < 5000; i++)
		cr_assert(zero(bma_cache_alloc_flags(c, BMA_SLEEP), 64));
	cr_assert_eq(bma_cache_destroy(c), -EBUSY);
}

/* Owners stand in the pages: a byte that was left there would be somebody who pays. */
Test(purge_caches, owners_are_nobody_at_first)
{
	struct bma_group *g;
	struct bma_cache *c;
	void *p[3000];

	leave_dirt();
	g = bma_group_create(NULL, NULL);
	cr_assert_not_null(g);
	c = cache(64, NULL, BMA_CACHE_MERGE, g);
	for (int i = 0; i < 3000; i++)
		p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
	for (uint32_t i = 0; i < 3000; i++) {
		struct bma__slab *s = bma__chunk_slab(p[i]);
		const uint16_t *owner = (const uint16_t *)(const void *)(s->base + s->geo.owners);

		cr_assert_neq(s->geo.owners, 0);
		for (uint32_t k = atomic_load(&s->carved); k < s->geo.objs; k++)
			cr_assert_eq(owner[k], 0);
	}
	for (int i = 0; i < 3000; i++)
		bma_cache_free(c, p[i]);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma_group_destroy(g), 0);
}

Test(purge_caches, a_trim_leaves_nothing_dirty)
{
	leave_dirt();
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(figures().dirty_bytes, 0);
	cr_assert_leq(figures().chunk_bytes, BMA__CHUNK_SIZE);
	cr_assert_gt(figures().purged_bytes, 1 << 20);
}

static void nap(void)
{
	bma__os_sleep(MS);
}

/* With the worker, and without. */
Test(purge_caches, what_was_freed_goes_by_itself, .timeout = 60)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "purge_ms:20", 1);
	c = cache(64, NULL, 0, NULL);
	spend(c, 64, 40000);
	cr_assert_eq(bma_cache_destroy(c), 0);
	while (figures().purge_bytes || figures().dirty_bytes)
		nap();
	cr_assert_gt(figures().purged_bytes, 2 << 20);
	cr_assert_leq(figures().chunk_bytes, BMA__CHUNK_SIZE);
}

Test(purge_caches, or_when_the_program_polls, .timeout = 60)
{
	struct bma_cache *c;

	setenv("BMA_CONF", "worker:off,purge_ms:1", 1);
	c = cache(64, NULL, 0, NULL);
	spend(c, 64, 40000);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_gt(bma_poll(BMA_POLL_GP), -1);
	nap();
	nap();
	bma_poll(0);
	cr_assert_eq(figures().dirty_bytes, 0);
	cr_assert_gt(figures().purged_bytes, 2 << 20);
}

static _Atomic int inside;

static void linger(void)
{
	atomic_store(&inside, 1);
	bma__os_sleep(100 * MS);
}

static void *trimmer(void *unused)
{
	(void)unused;
	bma__purge_all();
	return NULL;
}

/* Fork waits for who has units in hand, so that the child has them all. */
Test(purge_caches, a_child_of_fork_has_all_units, .timeout = 60)
{
	uint64_t mapped;
	pthread_t t;
	int status;
	pid_t pid;

	leave_dirt();
	cr_assert_eq(bma_trim(), 0);
	take(BMA__CHUNK_UNITS);
	give(0, BMA__CHUNK_UNITS);
	mapped = bma__chunk_mapped();
	bma__os.advise = note_advise;
	meanwhile = linger;
	pthread_create(&t, NULL, trimmer, NULL);
	while (!atomic_load(&inside))
		;
	pid = fork();
	if (!pid) {
		meanwhile = NULL;
		alarm(20);
		for (int i = 0; i < BMA__CHUNK_UNITS; i++) {
			if (!bma__chunk_alloc(1, 0))
				_exit(1);
		}
		_exit(bma__chunk_mapped() == mapped ? 0 : 2);
	}
	pthread_join(t, NULL);
	waitpid(pid, &status, 0);
	cr_assert_eq(status, 0);
}

/* Bytes of huge pages in the mapping that @p lies in; -1: cannot be read. */
static long huge_bytes(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512];
	bool here = false;
	long kib = -1;

	while (f && fgets(line, sizeof line, f)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		if (here && sscanf(line, "AnonHugePages: %ld kB", &kib) == 1)
			break;
	}
	if (f)
		fclose(f);
	return kib < 0 ? -1 : kib << 10;
}

/* Where the system gives huge pages: one more than half in use is still one after a trim. */
Test(purge_caches, a_huge_page_outlives_a_trim)
{
	long before;

	setenv("BMA_CONF", "worker:off,thp:on", 1);
	cache(64, NULL, 0, NULL);
	do
		units[0] = bma__chunk_alloc(1, 0);
	while ((uintptr_t)units[0] & (BMA__CHUNK_SIZE - 1));
	memset(units[0], 1, BMA__UNIT_SIZE);
	for (int i = 1; i < BMA__CHUNK_UNITS; i++) {
		units[i] = bma__chunk_alloc(1, 0);
		memset(units[i], 1, BMA__UNIT_SIZE);
	}
	/*
	 * Its huge page stays, in a mapping of its own (neighbours' pages are not counted with it)
	 * which the kernel does not make huge again behind our back.
	 */
	cr_assert_eq(madvise(units[0], BMA__CHUNK_SIZE, MADV_NOHUGEPAGE), 0);
	before = huge_bytes(units[0]);
	if (before != BMA__CHUNK_SIZE)
		cr_skip_test("no huge page here");
	give(1, 10);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(huge_bytes(units[0]), before);
	cr_assert_geq(bma__purge_dirty(), 10 * BMA__UNIT_SIZE);
	give(11, 10);
	cr_assert_eq(bma_trim(), 0);
	cr_assert_eq(huge_bytes(units[0]), 0);
	cr_assert_lt(bma__purge_dirty(), 10 * BMA__UNIT_SIZE);
}
