/* SPDX-License-Identifier: MIT */
/*
 * Objects of the torture.
 *
 * Three things would show a grace period that was too short. A reader sees an object change. An object is
 * given out while the reader that was in a section when it was freed, its witness, is still in that section:
 * no reader needs to hold that very object for that. And a barrier returns to the same, for what anybody freed
 * before; with a destructor it must also have run for all of these, and no grace period of others hides that.
 * What else is looked at: an object has one owner at a time, and nobody writes to it while it is free.
 */
#include "torture.h"

#include "test.h"

/* What CHECK prints. */
#define test_seed torture.seed

#define TABLE 64u
#define WORDS 9u
#define DESTRUCTED 65536u
#define LIVE 0xa11ceu
#define FREED 0xf4eedu
#define DESTROYED 0xde57u

struct object {
	_Atomic uint64_t state;	  /* changed by exchange only: two owners show at once */
	_Atomic uint64_t witness; /* a section that was under way when it was freed; 0: none */
	/* What readers check. */
	_Atomic uint64_t generation;
	_Atomic uint64_t word[WORDS];
};

/* Even: not in a section. Goes up only, so a number is one section. */
static struct {
	_Atomic uint64_t number __attribute__((aligned(64)));
} sections[THREADS_MAX];

static _Atomic(struct object *) table[TABLE];
/* What was freed last of what was at a place, once that call has returned. */
static struct {
	_Atomic uint64_t witness, generation;
} retired[TABLE];
/* The latest generation that was destructed, of those with the same last bits. */
static _Atomic uint64_t destructed[DESTRUCTED];
static _Atomic uint64_t generations;

static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

/* The address, too: what was filled as another object is no valid one here. */
static uint64_t expected(const struct object *o, uint64_t generation, uint32_t i)
{
	return (generation + i) * 0x9e3779b97f4a7c15u ^ (uintptr_t)o;
}

static void fill(struct object *o)
{
	uint64_t generation = atomic_fetch_add_explicit(&generations, 1, memory_order_relaxed);

	store(&o->generation, generation);
	for (uint32_t i = 0; i < WORDS; i++)
		store(&o->word[i], expected(o, generation, i));
}

bool object_is(const struct object *o, uint64_t generation)
{
	bool same = load(&o->generation) == generation;

	for (uint32_t i = 0; i < WORDS; i++)
		same &= load(&o->word[i]) == expected(o, generation, i);
	return same;
}

uint64_t object_generation(const struct object *o)
{
	return load(&o->generation);
}

size_t object_size(void)
{
	return sizeof(struct object);
}

/* A section that is under way, of any reader from @first on; 0: there is none. */
static uint64_t witness(uint64_t first)
{
	for (unsigned int i = 0; i < torture.readers; i++) {
		unsigned int n = (unsigned int)(first + i) % torture.readers;
		uint64_t number = atomic_load_explicit(&sections[n].number, memory_order_acquire);

		if (number & 1)
			return number * THREADS_MAX + n;
	}
	return 0;
}

static bool under_way(uint64_t w)
{
	return w && load(&sections[w % THREADS_MAX].number) == w / THREADS_MAX;
}

void section_enter(unsigned int n)
{
	atomic_fetch_add_explicit(&sections[n].number, 1, memory_order_seq_cst);
}

void section_leave(unsigned int n)
{
	atomic_fetch_add_explicit(&sections[n].number, 1, memory_order_release);
}

/* Where a broken flavour is asked for, this is not what was to be shown: there a reader has to see it. */
static void check_witness(const struct object *o, const char *by)
{
	CHECK(torture.broken || !under_way(load(&o->witness)),
	      "object %p went to %s in a section that was there when it was freed", (const void *)o,
	      by);
}

struct object *object_new(unsigned int flags)
{
	struct object *o = flags ? bma_cache_alloc_flags(torture.cache, flags)
				 : bma_cache_alloc(torture.cache);
	uint64_t old;

	if (!o) {
		count(&tally.nulls);
		return NULL;
	}
	old = atomic_exchange(&o->state, LIVE);
	CHECK(old == 0 || old == FREED || old == DESTROYED, "object %p is given out as %llx",
	      (void *)o, (unsigned long long)old);
	if (old) {
		CHECK(old == (torture.recycle ? DESTROYED : FREED), "object %p not destructed",
		      (void *)o);
		CHECK(object_is(o, load(&o->generation)), "object %p was written to while free",
		      (void *)o);
		check_witness(o, "an alloc");
	}
	fill(o);
	return o;
}

/* By one thread at a time. */
static void note_destructed(uint64_t generation)
{
	_Atomic uint64_t *latest = &destructed[generation % DESTRUCTED];

	if (load(latest) < generation)
		store(latest, generation);
}

/* Never under a user, never before the grace period; again before its memory goes. */
void object_dtor(void *obj, void *unused)
{
	struct object *o = obj;
	uint64_t old = atomic_exchange(&o->state, DESTROYED);

	(void)unused;
	CHECK(old == FREED || old == DESTROYED || old == 0, "destructor of object %p in use", obj);
	if (old == FREED) {
		check_witness(o, "its destructor");
		note_destructed(object_generation(o));
	}
	if (!old)
		fill(o);
}

static void disown(struct object *o, uint64_t w)
{
	uint64_t old;

	store(&o->witness, w);
	old = atomic_exchange(&o->state, FREED);
	CHECK(old == LIVE, "object %p is freed as %llx", (void *)o, (unsigned long long)old);
}

void object_free_private(struct object *o)
{
	disown(o, 0);
	bma_cache_free(torture.cache, o);
}

static void retire(struct object *o, uint64_t place, unsigned int flags)
{
	uint64_t w = witness(place >> 32), generation = object_generation(o);

	disown(o, w);
	if (!flags)
		bma_cache_free_rcu(torture.cache, o);
	else
		CHECK(!bma_cache_free_rcu_flags(torture.cache, o, flags), "outside any section");
	atomic_store_explicit(&retired[place % TABLE].witness, w, memory_order_release);
	atomic_store_explicit(&retired[place % TABLE].generation, generation, memory_order_release);
}

/* rcu_dereference() and rcu_xchg_pointer(), in the words of C11, which sanitizers understand. */
struct object *table_look(uint64_t place)
{
	return atomic_load_explicit(&table[place % TABLE], memory_order_acquire);
}

static struct object *swap(uint64_t place, struct object *o)
{
	return atomic_exchange_explicit(&table[place % TABLE], o, memory_order_acq_rel);
}

bool table_replace(uint64_t place, unsigned int alloc_flags, unsigned int free_flags)
{
	struct object *o = object_new(alloc_flags);

	if (!o)
		return false;
	retire(swap(place, o), place, free_flags);
	count(&tally.updates);
	return true;
}

void table_fill(void)
{
	for (uint64_t i = 0; i < TABLE; i++)
		swap(i, object_new(BMA_SLEEP));
}

void table_clear(void)
{
	for (uint64_t i = 0; i < TABLE; i++)
		retire(swap(i, NULL), i, 0);
}

static void check_barrier(uint64_t w, uint64_t generation)
{
	CHECK(torture.broken || !under_way(w), "a barrier returned before a reader left");
	CHECK(!torture.recycle || load(&destructed[generation % DESTRUCTED]) >= generation,
	      "a barrier returned before generation %llu was destructed",
	      (unsigned long long)generation);
}

void section_barrier(uint64_t r)
{
	uint64_t witnesses[TABLE], freed[TABLE];

	table_replace(r, BMA_SLEEP, torture.limited ? BMA_SLEEP : 0);
	for (uint32_t i = 0; i < TABLE; i++) {
		witnesses[i] = atomic_load_explicit(&retired[i].witness, memory_order_acquire);
		freed[i] = atomic_load_explicit(&retired[i].generation, memory_order_acquire);
	}
	CHECK(!bma_rcu_barrier(torture.cache), "barrier outside any section");
	for (uint32_t i = 0; i < TABLE; i++)
		check_barrier(witnesses[i], freed[i]);
	count(&tally.barriers);
}

void torture_changed(const struct object *o, uint64_t generation, const char *when)
{
	fprintf(stderr, "object %p of generation %llu changed %s, is of %llu (seed %llu)\n",
		(const void *)o, (unsigned long long)generation, when,
		(unsigned long long)object_generation(o), (unsigned long long)torture.seed);
	_exit(torture.broken ? 0 : 1);
}
