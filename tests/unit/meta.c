/* SPDX-License-Identifier: MIT */
/* Memory for metadata: zeros, apart from each other, and given back after a spike. */
#include "page/page.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

enum { SPIKE = 20000, SIZE = 448, BLOCK = 256 << 10 };

static void *pieces[SPIKE];

static bool zeros(const unsigned char *p, size_t n)
{
	while (n && !*p)
		p++, n--;
	return !n;
}

static void spike(int n)
{
	for (int i = 0; i < n; i++) {
		pieces[i] = bma__meta_alloc(SIZE);
		cr_assert_not_null(pieces[i]);
		cr_assert_eq((uintptr_t)pieces[i] % 64, 0);
		cr_assert(zeros(pieces[i], SIZE));
		memset(pieces[i], 0xa5, SIZE);
	}
}

Test(meta, what_a_spike_needed_goes_back)
{
	uint64_t before = bma__meta_bytes(), peak;

	for (int round = 0; round < 3; round++) {
		spike(SPIKE);
		peak = bma__meta_bytes();
		cr_assert_geq(peak, before + (uint64_t)SPIKE * SIZE);
		cr_assert_leq(peak, before + (uint64_t)SPIKE * SIZE * 101 / 100 + BLOCK);
		/* In another order than they were made in. */
		for (int i = 0; i < SPIKE; i += 2)
			bma__meta_free(pieces[i], SIZE);
		cr_assert_geq(bma__meta_bytes(), peak - BLOCK);
		for (int i = SPIKE - 1; i > 0; i -= 2)
			bma__meta_free(pieces[i], SIZE);
		cr_assert_leq(bma__meta_bytes(), before + BLOCK, "one block of the size stays");
		cr_assert_eq(*(volatile char *)pieces[SPIKE / 2], 0, "mapped, and nobody's");
	}
}

/* One of each block keeps it. */
Test(meta, a_block_with_a_live_piece_stays)
{
	uint64_t peak;

	spike(SPIKE);
	peak = bma__meta_bytes();
	for (int i = 0; i < SPIKE; i++) {
		if (i % 500)
			bma__meta_free(pieces[i], SIZE);
	}
	cr_assert_eq(bma__meta_bytes(), peak);
	for (int i = 0; i < SPIKE; i += 500) {
		cr_assert_eq(((unsigned char *)pieces[i])[SIZE - 1], 0xa5);
		bma__meta_free(pieces[i], SIZE);
	}
	cr_assert_leq(bma__meta_bytes(), (uint64_t)BLOCK);
}

static int keep(void *addr, size_t bytes, int advice)
{
	(void)addr, (void)bytes, (void)advice;
	return -ENOMEM;
}

Test(meta, a_block_that_the_system_keeps_is_used_again)
{
	uint64_t peak;

	spike(SPIKE);
	peak = bma__meta_bytes();
	bma__os.advise = keep;
	for (int i = 0; i < SPIKE; i++)
		bma__meta_free(pieces[i], SIZE);
	bma__os.advise = bma__os_real.advise;
	cr_assert_eq(bma__meta_bytes(), peak);
	spike(SPIKE);
	cr_assert_eq(bma__meta_bytes(), peak);
}

static void *none(size_t bytes)
{
	(void)bytes;
	return NULL;
}

Test(meta, sizes_are_apart_and_no_memory_is_said)
{
	void *small = bma__meta_alloc(1), *other = bma__meta_alloc(65),
	     *large = bma__meta_alloc(9000);

	cr_assert(small && other && large);
	cr_assert_neq((uintptr_t)small / BLOCK, (uintptr_t)other / BLOCK);
	bma__os.map = none;
	cr_assert_null(bma__meta_alloc(8192));
	cr_assert_null(bma__meta_alloc(8193));
	cr_assert_not_null(bma__meta_alloc(64), "of a block that is there");
	bma__os.map = bma__os_real.map;
	bma__meta_free(large, 9000);
	bma__meta_free(other, 65);
	bma__meta_free(small, 1);
	bma__meta_free(NULL, 64);
}
