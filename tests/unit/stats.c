/* SPDX-License-Identifier: MIT */
/* Statistics: sizes of structs, modes, exchanges. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct bma_cache *create(size_t size)
{
	struct bma_cache_attr a;

	memset(&a, 0, sizeof a);
	a.attr_size = sizeof a;
	a.size = size;
	a.name = "a name that is longer than the thirty-one bytes that are kept";
	return bma_cache_create(&a);
}

Test(stats, nothing_before_the_first_cache)
{
	struct bma_node_stats node;
	struct bma_stats s, none;

	memset(&s, 0xaa, sizeof s);
	memset(&none, 0, sizeof none);
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert(!memcmp(&s, &none, sizeof s));
	cr_assert_eq(bma_node_stats_get(0, &node, sizeof node), -ENOENT);
	cr_assert_eq(bma_percpu_copies(), 0);
	cr_assert_null(bma_heap_of(&s));
	cr_assert_eq(bma_heap_usable_size(&s), 0);
	cr_assert_eq(bma_numa_node_of(&s), -1);
	create(64);
	cr_assert_eq(bma_stats_get(&s, sizeof s), 0);
	cr_assert(s.mode != BMA_MODE_NONE && s.slots && s.nodes && s.caches == 1);
	cr_assert_eq(bma_node_stats_get(0, &node, sizeof node), 0);
	cr_assert_geq(bma_percpu_copies(), 2);
}

Test(stats, a_shorter_struct_is_not_overrun)
{
	union {
		struct bma_stats s;
		unsigned char bytes[sizeof(struct bma_stats)];
	} u;

	create(64);
	memset(&u, 0xaa, sizeof u);
	cr_assert_eq(bma_stats_get(&u.s, 8), 0);
	for (size_t i = 8; i < sizeof u; i++)
		cr_assert_eq(u.bytes[i], 0xaa);
	cr_assert_eq(bma_stats_get(NULL, 8), -EINVAL);
	cr_assert_eq(bma_stats_get(&u.s, 0), -EINVAL);
}

Test(stats, say_the_mode_and_why)
{
	struct bma_stats s;

	create(64);
	bma_stats_get(&s, sizeof s);
	cr_assert_neq(s.mode, BMA_MODE_NONE);
	cr_assert_gt(strlen(s.mode_reason), 0);
	cr_assert_eq(s.caches, 1);
	cr_assert_geq(s.nodes, 1);
	cr_assert_eq(s.grace_periods_frozen, 0);
	cr_assert_eq(bma_version(), BMA_VERSION);
}

Test(stats, the_name_is_cut_and_ended)
{
	struct bma_cache_stats s;

	bma_cache_stats_get(create(64), &s, sizeof s);
	cr_assert_eq(strlen(s.name), 31);
	cr_assert_str_eq(s.rcu, "memb");
	cr_assert_eq(s.limbo_peak, 0);
	cr_assert_eq(s.limbo_overruns, 0);
	cr_assert_eq(bma_cache_stats_get(NULL, &s, sizeof s), -EINVAL);
}

/* Steady churn of any batch size up to the high watermark: one exchange in 40 operations at most.
 */
Test(stats, depot_exchanges_are_rare)
{
	static const size_t sizes[] = {16, 64, 256, 1024};

	for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
		struct bma_cache *c = create(sizes[k]);
		struct bma_cache_stats s;
		static void *p[4096];

		bma_cache_stats_get(c, &s, sizeof s);
		for (size_t batch = 1; batch <= s.slot_high && batch <= 4096; batch += 13) {
			uint64_t before, operations = 0;

			for (int round = -20; operations < 20000; round++) {
				if (round == 0) {
					bma_cache_stats_get(c, &s, sizeof s);
					before = s.depot_exchanges;
					operations = 0;
				}
				for (size_t i = 0; i < batch; i++) {
					p[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
					cr_assert_not_null(p[i]);
				}
				for (size_t i = 0; i < batch; i++)
					bma_cache_free(c, p[i]);
				operations += round < 0 ? 0 : 2 * batch;
			}
			bma_cache_stats_get(c, &s, sizeof s);
			cr_assert_leq((s.depot_exchanges - before) * 40, operations,
				      "size %zu batch %zu: %llu exchanges in %llu", sizes[k], batch,
				      (unsigned long long)(s.depot_exchanges - before),
				      (unsigned long long)operations);
		}
	}
}
