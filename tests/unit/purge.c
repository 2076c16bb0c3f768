/* SPDX-License-Identifier: MIT */
/* Pages of free units: how long they stay, who gets them, and what goes back to the system. */
#include "purge.h"

Test(purge, what_is_dirty_is_used_first_and_zero)
{
	begin(NULL, 1);
	take(8);
	give(3, 2);
	cr_assert_eq(bma__purge_dirty(), 2 * BMA__UNIT_SIZE);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[3]);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[4]);
	cr_assert(zero(units[3], 2 * BMA__UNIT_SIZE));
	cr_assert_eq(bma__purge_dirty(), 0);
	cr_assert_eq(calls, 0, "nothing went back");
	cr_assert_eq(bma__purge_tick(due() * 2), UINT64_MAX, "nothing waits");
}

/* Though they come later, in the chunk and in time. */
Test(purge, dirty_units_come_before_clean_ones)
{
	begin(NULL, 1);
	take(8);
	give(2, 1);
	bma__purge_all();
	give(6, 1);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[6]);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[2]);
}

Test(purge, neighbours_go_back_in_one_call_when_they_are_due)
{
	uint64_t now = bma__os_now();

	begin("purge_ms:100", 1);
	take(8);
	give(5, 1);
	give(1, 3);
	cr_assert_leq(bma__purge_tick(now), 200 * MS);
	cr_assert_eq(calls, 0);
	cr_assert_eq(bma__purge_tick(due() + MS), UINT64_MAX);
	cr_assert_eq(calls, 2);
	cr_assert_eq(advised[0].addr, units[1]);
	cr_assert_eq(advised[0].bytes, 3 * BMA__UNIT_SIZE);
	cr_assert_eq(advised[1].addr, units[5]);
	cr_assert_eq(advised[1].bytes, BMA__UNIT_SIZE);
	cr_assert_eq(bma__purge_dirty(), 0);
	cr_assert_eq(bma__purge_given(), 4 * BMA__UNIT_SIZE);
	for (int i = 0; i < 4; i++) {
		char *p = bma__chunk_alloc(1, 0);

		cr_assert(zero(p, BMA__UNIT_SIZE));
	}
}

Test(purge, one_chunk_that_is_wholly_free_stays_without_its_pages)
{
	char *big[4];

	begin(NULL, 1);
	bma__os.unmap = note_unmap;
	for (int i = 0; i < 4; i++) {
		big[i] = bma__chunk_alloc(BMA__CHUNK_UNITS, 0);
		memset(big[i], 0xff, BMA__CHUNK_SIZE);
	}
	for (int i = 0; i < 4; i++)
		bma__chunk_free(big[i], BMA__CHUNK_UNITS);
	cr_assert_eq(bma__chunk_mapped(), 4 * BMA__CHUNK_SIZE);
	bma__purge_tick(due() + MS);
	cr_assert_eq(bma__chunk_mapped(), BMA__CHUNK_SIZE);
	cr_assert_eq(unmaps, 3);
	cr_assert_eq(calls, 1);
	cr_assert_eq(advised[0].bytes, BMA__CHUNK_SIZE);
	cr_assert_eq(bma__purge_given(), 4 * BMA__CHUNK_SIZE);
	cr_assert_eq(bma__purge_dirty(), 0);
	cr_assert_null(bma__chunk_slab(big[0]));
	big[0] = bma__chunk_alloc(BMA__CHUNK_UNITS, 0);
	cr_assert(zero(big[0], BMA__CHUNK_SIZE));
	cr_assert_eq(bma__chunk_mapped(), BMA__CHUNK_SIZE);
}

Test(purge, all_goes_at_once_when_asked)
{
	begin("purge_ms:600000", 1);
	take(4);
	give(0, 4);
	bma__purge_tick(bma__os_now() + 599000ull * MS);
	cr_assert_eq(calls, 0);
	bma__purge_all();
	cr_assert_eq(calls, 1);
	cr_assert_eq(bma__purge_dirty(), 0);
}

Test(purge, at_0_ms_nothing_stays)
{
	begin("purge_ms:0", 1);
	take(4);
	give(1, 2);
	cr_assert_eq(calls, 2);
	cr_assert_eq(bma__purge_dirty(), 0);
	cr_assert_eq(bma__purge_given(), 2 * BMA__UNIT_SIZE);
	cr_assert(zero(bma__chunk_alloc(1, 0), BMA__UNIT_SIZE));
}

Test(purge, what_the_system_keeps_is_dirty_on_and_tried_again)
{
	begin(NULL, 1);
	take(4);
	give(1, 2);
	advice_fails = true;
	cr_assert_neq(bma__purge_tick(due()), UINT64_MAX);
	cr_assert_eq(calls, 1, "once a pass");
	cr_assert_eq(bma__purge_dirty(), 2 * BMA__UNIT_SIZE);
	cr_assert_eq(bma__purge_given(), 0);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[1]);
	cr_assert(zero(units[1], BMA__UNIT_SIZE));
	advice_fails = false;
	cr_assert_eq(bma__purge_tick(due() + 2000ull * MS), UINT64_MAX);
	cr_assert_eq(calls, 2);
	cr_assert_eq(bma__purge_dirty(), 0);
}

static int no_unmap(void *addr, size_t bytes)
{
	(void)addr, (void)bytes;
	return -ENOMEM;
}

/* Not at once and again and again: it may be locked for good. */
Test(purge, but_not_without_a_rest)
{
	char *big[2];

	begin("purge_ms:0", 1);
	take(4);
	advice_fails = true;
	give(1, 1);
	cr_assert_geq(calls, 1);
	cr_assert_geq(bma__purge_tick(bma__os_now() + MS), 50 * MS);
	cr_assert_geq(calls, 2);
	advice_fails = false;
	cr_assert_eq(bma__purge_tick(bma__os_now() + 2 * MS), UINT64_MAX);
	cr_assert_eq(bma__purge_dirty(), 0);
	bma__os.unmap = no_unmap;
	for (int i = 0; i < 2; i++)
		big[i] = bma__chunk_alloc(BMA__CHUNK_UNITS, 0);
	for (int i = 0; i < 2; i++)
		bma__chunk_free(big[i], BMA__CHUNK_UNITS);
	cr_assert_geq(bma__purge_tick(bma__os_now() + 3 * MS), 50 * MS);
	bma__os.unmap = bma__os_real.unmap;
	cr_assert_eq(bma__purge_tick(bma__os_now() + 4 * MS), UINT64_MAX);
}

Test(purge, a_chunk_that_cannot_be_unmapped_is_not_lost)
{
	char *big[3], *again[3];

	begin(NULL, 1);
	for (int i = 0; i < 3; i++) {
		big[i] = bma__chunk_alloc(BMA__CHUNK_UNITS, 0);
		memset(big[i], 0xff, BMA__CHUNK_SIZE);
	}
	for (size_t i = 0; i < 3; i++)
		bma__chunk_free(big[i], BMA__CHUNK_UNITS);
	bma__os.unmap = no_unmap;
	bma__purge_all();
	cr_assert_eq(bma__chunk_mapped(), 3 * BMA__CHUNK_SIZE);
	for (int i = 0; i < 3; i++) {
		again[i] = bma__chunk_alloc(BMA__CHUNK_UNITS, 0);
		cr_assert(zero(again[i], BMA__CHUNK_SIZE));
		bma__chunk_set_slab(again[i], 1, (struct bma__slab *)(uintptr_t)64);
		cr_assert_not_null(bma__chunk_slab(again[i]), "the map knows it again");
		bma__chunk_set_slab(again[i], 1, NULL);
	}
	cr_assert_eq(bma__chunk_mapped(), 3 * BMA__CHUNK_SIZE, "the same three");
	for (size_t i = 0; i < 3; i++)
		bma__chunk_free(again[i], BMA__CHUNK_UNITS);
	bma__os.unmap = bma__os_real.unmap;
	bma__purge_all();
	cr_assert_eq(bma__chunk_mapped(), BMA__CHUNK_SIZE);
}

static char *taken;

static void take_one(void)
{
	taken = bma__chunk_alloc(1, 0);
	memset(taken, 0x55, BMA__UNIT_SIZE);
}

/* The call that gives them back is in progress: they are nobody's. */
Test(purge, what_is_in_hand_cannot_be_taken)
{
	begin(NULL, 1);
	take(4);
	give(0, 4);
	meanwhile = take_one;
	bma__purge_tick(due());
	meanwhile = NULL;
	cr_assert_eq(calls, 1);
	cr_assert(taken < advised[0].addr || taken >= advised[0].addr + advised[0].bytes);
	for (size_t i = 0; i < BMA__UNIT_SIZE; i++)
		cr_assert_eq(taken[i], 0x55);
	cr_assert_eq(bma__purge_dirty(), 0);
	cr_assert_eq(bma__chunk_used(), BMA__UNIT_SIZE);
}

static void free_one(void)
{
	if (taken)
		bma__chunk_free(taken, 1);
	taken = NULL;
}

/* What is freed into a chunk of which units are in hand waits on its own, whether these go or stay. */
Test(purge, frees_meanwhile_wait_for_their_own_time)
{
	begin(NULL, 1);
	for (int fails = 0; fails < 2; fails++) {
		take(4);
		taken = units[3];
		give(0, 2);
		calls = 0;
		meanwhile = free_one;
		advice_fails = fails;
		cr_assert_neq(bma__purge_tick(due()), UINT64_MAX);
		meanwhile = NULL;
		advice_fails = false;
		cr_assert_eq(bma__purge_dirty(), (fails ? 3 : 1) * BMA__UNIT_SIZE);
		cr_assert_eq(bma__purge_tick(due() + 2000ull * MS), UINT64_MAX);
		cr_assert_eq(bma__purge_dirty(), 0);
		bma__chunk_free(units[2], 1);
		bma__purge_all();
		cr_assert_eq(bma__chunk_used(), 0);
	}
}

Test(purge, who_gives_back_is_woken_once)
{
	char *other;

	begin(NULL, 1);
	take(BMA__CHUNK_UNITS);
	other = bma__chunk_alloc(1, 0);
	give(0, 3);
	bma__chunk_free(other, 1);
	cr_assert_eq(woken, 1);
	bma__purge_tick(bma__os_now());
	give(3, 1);
	cr_assert_eq(woken, 1, "it looks again by itself");
	bma__purge_tick(due());
	give(4, 1);
	cr_assert_eq(woken, 2);
}

static void holds_while_half_is_used(void)
{
	take(BMA__CHUNK_UNITS);
	give(0, 15);
	cr_assert_eq(bma__purge_tick(due()), UINT64_MAX, "nobody has to look");
	bma__purge_all();
	cr_assert_eq(calls, 0);
	cr_assert_eq(bma__purge_dirty(), 15 * BMA__UNIT_SIZE);
	cr_assert_eq(bma__chunk_alloc(1, 0), units[0], "but they are used first");
	cr_assert(zero(units[0], BMA__UNIT_SIZE));
	give(0, 1);
	bma__purge_all();
	cr_assert_eq(calls, 0);
	give(20, 1);
	bma__purge_all();
	cr_assert_eq(calls, 2, "half of it is free");
	cr_assert_eq(bma__purge_dirty(), 0);
}

Test(purge, a_huge_page_in_use_is_not_broken)
{
	begin("thp:on", 1);
	holds_while_half_is_used();
}

static int always(const char *path, char *text, size_t room)
{
	cr_assert_str_eq(path, "/sys/kernel/mm/transparent_hugepage/enabled");
	cr_assert_gt(room, 40);
	return (int)strlen(strcpy(text, "[always] madvise never\n"));
}

Test(purge, nor_where_the_system_gives_them_to_everybody)
{
	bma__os.read = always;
	begin(NULL, 1);
	holds_while_half_is_used();
}

static int not_readable(const char *path, char *text, size_t room)
{
	(void)path, (void)text, (void)room;
	return -ENOENT;
}

Test(purge, small_pages_go_one_by_one)
{
	bma__os.read = not_readable;
	begin(NULL, 1);
	take(BMA__CHUNK_UNITS);
	give(3, 1);
	bma__purge_all();
	cr_assert_eq(calls, 1);
}

Test(purge, all_copies_are_cleared_and_go)
{
	char *p;

	begin(NULL, 3);
	p = bma__chunk_alloc(1, BMA__NODE_PERCPU);
	for (size_t i = 0; i < 3; i++)
		memset(p + i * BMA__CHUNK_SIZE, 0xff, BMA__UNIT_SIZE);
	bma__chunk_free(p, 1);
	cr_assert_eq(bma__purge_dirty(), 3 * BMA__UNIT_SIZE);
	cr_assert_eq(bma__chunk_alloc(1, BMA__NODE_PERCPU), p);
	for (size_t i = 0; i < 3; i++)
		cr_assert(zero(p + i * BMA__CHUNK_SIZE, BMA__UNIT_SIZE));
	memset(p + 2 * BMA__CHUNK_SIZE, 0xff, BMA__UNIT_SIZE);
	bma__chunk_free(p, 1);
	bma__purge_all();
	cr_assert_eq(calls, 3);
	cr_assert_eq(advised[2].addr, p + 2 * BMA__CHUNK_SIZE);
	cr_assert_eq(bma__purge_given(), 3 * BMA__UNIT_SIZE);
	cr_assert(zero(bma__chunk_alloc(1, BMA__NODE_PERCPU), BMA__UNIT_SIZE));
	cr_assert(zero(p + 2 * BMA__CHUNK_SIZE, BMA__UNIT_SIZE));
}
