/* SPDX-License-Identifier: MIT */
/*
 * Waiting for those who may have something in hand, and for nobody else: readers of a grace period, tickets.
 */
#include "fault.h"

#include <pthread.h>
#include <urcu/urcu-memb.h>

static _Atomic int inside, leave;

static void *first_reader(void *unused)
{
	(void)unused;
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	inside = 1;
	while (!leave)
		bma__os_sleep(1000000);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	return NULL;
}

static void *flush(void *unused)
{
	(void)unused;
	bma__defer_wait(bma__flavor_get(NULL));
	return NULL;
}

static uint64_t seal_one(struct bma__engine *e)
{
	uintptr_t word = bma__refill_magazine(e, 0);

	cr_assert_neq(word, 0);
	bma__defer_seal(e, word, 0, true);
	return bma__mag_count(e->class, word);
}

/* What is freed while a grace period runs waits for the next: a reader may have come since. */
Test(grace, what_comes_during_a_period_waits_for_the_next, .timeout = 60)
{
	struct bma__engine *e = engine(64, 30);
	pthread_t reader, flusher;
	uint64_t late;

	urcu_memb_register_thread();
	pthread_create(&reader, NULL, first_reader, NULL);
	while (!inside)
		bma__os_sleep(1000000);
	seal_one(e);
	pthread_create(&flusher, NULL, flush, NULL);
	bma__os_sleep(100000000); /* now it waits for the first reader */
	urcu_memb_read_lock();
	late = seal_one(e);
	leave = 1;
	for (int i = 0; i < 1000 && !atomic_load(&e->flavor->periods); i++)
		bma__os_sleep(1000000);
	bma__os_sleep(50000000);
	cr_assert_geq(bma__count_read(&e->limbo), late, "let go under a reader");
	urcu_memb_read_unlock();
	pthread_join(flusher, NULL);
	pthread_join(reader, NULL);
	cr_assert_eq(bma__count_read(&e->limbo), 0);
	urcu_memb_unregister_thread();
}

static struct bma__engine *ticketed;
static _Atomic int stop;

/* At every moment one is open, but none for long. */
static void *overlapping(void *unused)
{
	struct bma__ticket old = bma__ticket_open(ticketed);

	inside = 1;
	while (!stop) {
		struct bma__ticket new = bma__ticket_open(ticketed);

		bma__ticket_close(&old);
		old = new;
	}
	bma__ticket_close(&old);
	return unused;
}

Test(ticket, new_ones_do_not_keep_a_waiter_for_ever, .timeout = 60)
{
	pthread_t t;

	ticketed = engine(64, 6);
	pthread_create(&t, NULL, overlapping, NULL);
	while (!inside)
		bma__os_sleep(1000000);
	for (int i = 0; i < 5; i++) {
		bma__lock_take(&bma__drain_lock);
		cr_assert(bma__ticket_wait(ticketed, 5000000000u));
		bma__lock_drop(&bma__drain_lock);
	}
	stop = 1;
	pthread_join(t, NULL);
}
