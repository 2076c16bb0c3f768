/* SPDX-License-Identifier: MIT */
/*
 * Objects of the torture, and the table in which readers find them. Each is filled anew as soon as it is given out, so
 * that a reader who still holds it would see it. What else is looked at: an object has one owner at a time, its
 * witness has left when it comes back, it was destructed if it had to be, and nobody wrote to it while it was free.
 */
#include "torture.h"

/* What CHECK prints. */
#define test_seed torture.seed

#define WORDS 9u
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

static _Atomic(struct object *) table[TABLE];
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

/* Where a broken flavour is asked for, this is not what was to be shown: there a reader has to see it. */
static void check_witness(const struct object *o, const char *by)
{
	CHECK(torture.broken || !witness_inside(load(&o->witness)),
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

/* Never under a user, never before the grace period; again before its memory goes. */
void object_dtor(void *obj, void *unused)
{
	struct object *o = obj;
	uint64_t old = atomic_exchange(&o->state, DESTROYED);

	(void)unused;
	CHECK(old == FREED || old == DESTROYED || old == 0, "destructor of object %p in use", obj);
	if (old == FREED) {
		check_witness(o, "its destructor");
		witness_destructed(object_generation(o));
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
	uint64_t w = witness_find(place >> 32), generation = object_generation(o);

	disown(o, w);
	if (!flags)
		bma_cache_free_rcu(torture.cache, o);
	else
		CHECK(!bma_cache_free_rcu_flags(torture.cache, o, flags), "outside any section");
	witness_freed(place, w, generation);
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
