/* SPDX-License-Identifier: MIT */
/*
 * Witnesses of the torture: sections that were under way when an object was freed. After its grace period none of
 * them may be; no reader needs to hold that very object to show that one was too short. A barrier has to keep what it
 * promises for everything that anybody freed before, and with a destructor it must also have run for all of that: the
 * grace period of somebody else's objects does not hide that some were left behind.
 */
#include "torture.h"

/* What CHECK prints. */
#define test_seed torture.seed

#define DESTRUCTED 65536u

/* Even: not in a section. Goes up only, so a number is one section. */
static struct {
	_Atomic uint64_t number __attribute__((aligned(64)));
} sections[THREADS_MAX];

/* What was freed last of what was at a place, once that call has returned. */
static struct {
	_Atomic uint64_t witness, generation;
} retired[TABLE];

/* The latest generation that was destructed, of those with the same last bits. */
static _Atomic uint64_t destructed[DESTRUCTED];

void witness_enter(unsigned int n)
{
	atomic_fetch_add_explicit(&sections[n].number, 1, memory_order_seq_cst);
}

void witness_leave(unsigned int n)
{
	atomic_fetch_add_explicit(&sections[n].number, 1, memory_order_release);
}

uint64_t witness_find(uint64_t first)
{
	for (unsigned int i = 0; i < torture.readers; i++) {
		unsigned int n = (unsigned int)(first + i) % torture.readers;
		uint64_t number = atomic_load_explicit(&sections[n].number, memory_order_acquire);

		if (number & 1)
			return number * THREADS_MAX + n;
	}
	return 0;
}

bool witness_inside(uint64_t w)
{
	return w && atomic_load_explicit(&sections[w % THREADS_MAX].number, memory_order_relaxed) ==
			    w / THREADS_MAX;
}

void witness_freed(uint64_t place, uint64_t w, uint64_t generation)
{
	atomic_store_explicit(&retired[place % TABLE].witness, w, memory_order_release);
	atomic_store_explicit(&retired[place % TABLE].generation, generation, memory_order_release);
}

void witness_destructed(uint64_t generation)
{
	_Atomic uint64_t *latest = &destructed[generation % DESTRUCTED];

	if (atomic_load_explicit(latest, memory_order_relaxed) < generation)
		atomic_store_explicit(latest, generation, memory_order_relaxed);
}

static void check_barrier(uint64_t w, uint64_t generation)
{
	uint64_t latest =
		atomic_load_explicit(&destructed[generation % DESTRUCTED], memory_order_relaxed);

	CHECK(torture.broken || !witness_inside(w), "a barrier returned before a reader left");
	CHECK(!torture.recycle || latest >= generation,
	      "a barrier returned before generation %llu was destructed",
	      (unsigned long long)generation);
}

void witness_barrier(uint64_t r)
{
	uint64_t witnesses[TABLE], generations[TABLE];

	table_replace(r, BMA_SLEEP, torture.limited ? BMA_SLEEP : 0);
	for (uint32_t i = 0; i < TABLE; i++) {
		witnesses[i] = atomic_load_explicit(&retired[i].witness, memory_order_acquire);
		generations[i] = atomic_load_explicit(&retired[i].generation, memory_order_acquire);
	}
	CHECK(!bma_rcu_barrier(torture.cache), "barrier outside any section");
	for (uint32_t i = 0; i < TABLE; i++)
		check_barrier(witnesses[i], generations[i]);
	count(&tally.barriers);
}
