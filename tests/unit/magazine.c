/* SPDX-License-Identifier: MIT */
/* Magazines, tagged stacks. */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <pthread.h>

static void setup(void)
{
	bma__env_parse(NULL);
	bma__topo_init(1);
}

TestSuite(magazine, .init = setup);

Test(magazine, none_without_a_promise)
{
	cr_assert_eq(bma__mag_new(3), 0);
	cr_assert_eq(bma__mag_promise(3, 1), 0);
	cr_assert_neq(bma__mag_new(3), 0);
}

Test(magazine, words_count_and_classes_hold_what_they_say)
{
	for (uint32_t class = 0; class < BMA__MAG_CLASSES; class ++) {
		uintptr_t word, base;

		cr_assert_eq(bma__mag_promise(class, 3), 0);
		word = bma__mag_new(class);
		base = bma__mag_base(class, word);
		cr_assert_eq(base % bma__mag_size(class), 0);
		for (uint32_t n = 0; n <= bma__mag_capacity(class); n++) {
			uintptr_t w = bma__mag_word(base, n), mask = bma__mag_size(class) - 16;

			cr_assert_eq(bma__mag_count(class, w), n);
			cr_assert_eq(!(w & mask), n == 0, "empty is what a pop's mask says");
			cr_assert_eq(!((w + 8) & mask), n == bma__mag_capacity(class),
				     "full is what a push's mask says");
		}
		cr_assert_eq(bma__mag_count(class, 0), 0);
	}
	cr_assert_eq(bma__mag_capacity(5), 126);
}

Test(magazine, a_promise_can_be_taken_up_to_the_last)
{
	enum { N = 5000 };
	static uintptr_t words[N];

	cr_assert_eq(bma__mag_promise(5, N), 0);
	for (int i = 0; i < N; i++) {
		words[i] = bma__mag_new(5);
		cr_assert_neq(words[i], 0);
		for (int k = 0; k < 126; k++)
			bma__mag_elements(bma__mag_base(5, words[i]))[k] = &words[i];
	}
	for (int i = 0; i < N; i++) {
		for (int k = 0; k < 126; k++)
			cr_assert_eq(bma__mag_elements(bma__mag_base(5, words[i]))[k], &words[i]);
		bma__mag_release(5, words[i]);
	}
}

Test(magazine, idle_ones_survive_a_trim)
{
	uintptr_t words[64];

	cr_assert_eq(bma__mag_promise(5, 64), 0);
	for (int i = 0; i < 64; i++)
		words[i] = bma__mag_new(5);
	for (int i = 0; i < 60; i++)
		bma__mag_release(5, words[i]);
	bma__mag_trim();
	for (int i = 0; i < 60; i++) {
		uintptr_t word = bma__mag_new(5);

		cr_assert_eq(bma__mag_count(5, word), 0);
		cr_assert_eq(bma__mag_at(5, bma__mag_index(5, word)), bma__mag_base(5, word));
	}
}

Test(stack, last_in_first_out_with_counts)
{
	struct bma__mag_stack stack = {0};
	uintptr_t words[10];

	bma__mag_promise(2, 10);
	for (uint32_t i = 0; i < 10; i++) {
		words[i] = bma__mag_new(2) + 8 * i;
		bma__stack_push(&stack, 2, words[i]);
	}
	for (uint32_t i = 10; i-- > 0;)
		cr_assert_eq(bma__stack_pop(&stack, 2), words[i]);
	cr_assert_eq(bma__stack_pop(&stack, 2), 0);
	cr_assert_eq(stack.head >> 32, 20, "each change counts in the tag");
}

/* Threads pop and push; every magazine is with one of them at a time. */
enum { THREADS = 4, MAGS = 8, ROUNDS = 200000 };
static struct bma__mag_stack shared;
static _Atomic int holders[MAGS];
static _Atomic int doubles;

static void *churn(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		uintptr_t a = bma__stack_pop(&shared, 1), b = bma__stack_pop(&shared, 1);
		uintptr_t both[2] = {a, b};

		for (int k = 0; k < 2; k++) {
			if (both[k] && atomic_fetch_add((_Atomic int *)bma__mag_elements(
								bma__mag_base(1, both[k]))[0],
							1))
				atomic_fetch_add(&doubles, 1);
		}
		for (int k = 0; k < 2; k++) {
			if (!both[k])
				continue;
			atomic_fetch_sub(
				(_Atomic int *)bma__mag_elements(bma__mag_base(1, both[k]))[0], 1);
			bma__stack_push(&shared, 1, both[k]);
		}
	}
	return NULL;
}

Test(stack, no_magazine_is_popped_twice)
{
	pthread_t t[THREADS];
	uint32_t n = 0;

	bma__mag_promise(1, MAGS);
	for (int i = 0; i < MAGS; i++) {
		uintptr_t word = bma__mag_new(1) + 8;

		*(void **)word = &holders[i];
		bma__stack_push(&shared, 1, word);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, churn, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	cr_assert_eq(doubles, 0);
	while (bma__stack_pop(&shared, 1))
		n++;
	cr_assert_eq(n, MAGS);
}
