/* SPDX-License-Identifier: MIT */
/* Chunks and the page map. */
#include "page/page.h"

#include <criterion/criterion.h>

static void setup(void)
{
	bma__env_parse(NULL);
	bma__topo_init(1);
}

TestSuite(chunk, .init = setup);

Test(chunk, runs_are_aligned_zero_and_disjoint)
{
	char *p[64];
	uint32_t units[64];
	int n = 0;

	for (uint32_t u = 1; u <= BMA__CHUNK_UNITS; u *= 2) {
		for (int i = 0; i < 8; i++, n++) {
			units[n] = u;
			p[n] = bma__chunk_alloc(u, 0);
			cr_assert_not_null(p[n]);
			cr_assert_eq((uintptr_t)p[n] % (u * BMA__UNIT_SIZE), 0);
			for (size_t at = 0; at < u * BMA__UNIT_SIZE; at += 4096)
				cr_assert_eq(p[n][at], 0);
			memset(p[n], n + 1, u * BMA__UNIT_SIZE);
		}
	}
	for (int i = 0; i < n; i++) {
		for (size_t at = 0; at < units[i] * BMA__UNIT_SIZE; at += 4096)
			cr_assert_eq(p[i][at], (char)(i + 1));
		bma__chunk_free(p[i], units[i]);
	}
	cr_assert_eq(bma__chunk_used(), 0);
	bma__purge_all();
	cr_assert_leq(bma__chunk_mapped(), BMA__CHUNK_SIZE);
}

Test(chunk, what_was_written_is_gone_when_taken_again)
{
	char *p = bma__chunk_alloc(4, 0);

	memset(p, 0xff, 4 * BMA__UNIT_SIZE);
	bma__chunk_free(p, 4);
	p = bma__chunk_alloc(4, 0);
	for (size_t at = 0; at < 4 * BMA__UNIT_SIZE; at++)
		cr_assert_eq(p[at], 0);
}

static int advise_fails(void *addr, size_t bytes, int advice)
{
	(void)addr, (void)bytes, (void)advice;
	return -12;
}

Test(chunk, zero_even_if_the_system_keeps_the_pages)
{
	char *p = bma__chunk_alloc(1, 0);

	memset(p, 0xff, BMA__UNIT_SIZE);
	bma__os.advise = advise_fails;
	bma__chunk_free(p, 1);
	bma__purge_all();
	p = bma__chunk_alloc(1, 0);
	for (size_t at = 0; at < BMA__UNIT_SIZE; at++)
		cr_assert_eq(p[at], 0);
}

Test(chunk, the_map_finds_slabs_and_nothing_else)
{
	char *p = bma__chunk_alloc(2, 0);
	struct bma__slab *slab = (struct bma__slab *)(uintptr_t)0x1000;
	int local;

	bma__chunk_set_slab(p, 2, slab);
	cr_assert_eq(bma__chunk_slab(p), slab);
	cr_assert_eq(bma__chunk_slab(p + 2 * BMA__UNIT_SIZE - 1), slab);
	cr_assert_neq(bma__chunk_slab(p + 2 * BMA__UNIT_SIZE), slab);
	cr_assert_null(bma__chunk_slab(&local));
	cr_assert_null(bma__chunk_slab(NULL));
	cr_assert_null(bma__chunk_slab((void *)~(uintptr_t)0));
	cr_assert_null(bma__chunk_slab((void *)((uintptr_t)p | 1ull << 60)));
	for (int bit = 0; bit < 64; bit++)
		bma__chunk_slab((void *)(1ull << bit));
	bma__chunk_set_slab(p, 2, NULL);
	cr_assert_null(bma__chunk_slab(p));
}

Test(meta, sizes_are_zeroed_and_reused)
{
	static const size_t sizes[] = {1, 64, 65, 1000, 4096, 8192, 8193, 300000};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char *p = bma__meta_alloc(sizes[i]), *q;

		cr_assert_not_null(p);
		cr_assert_eq((uintptr_t)p % 64, 0);
		memset(p, 0xff, sizes[i]);
		bma__meta_free(p, sizes[i]);
		q = bma__meta_alloc(sizes[i]);
		for (size_t at = 0; at < sizes[i]; at++)
			cr_assert_eq(q[at], 0);
	}
	bma__meta_free(NULL, 64);
}

Test(meta, a_thousand_pieces_do_not_overlap)
{
	char *p[1000];

	for (int i = 0; i < 1000; i++) {
		p[i] = bma__meta_alloc((size_t)(i % 50) * 160 + 1);
		memset(p[i], i, (size_t)(i % 50) * 160 + 1);
	}
	for (int i = 0; i < 1000; i++) {
		for (size_t at = 0; at <= (size_t)(i % 50) * 160; at++)
			cr_assert_eq(p[i][at], (char)i);
	}
}
