/* SPDX-License-Identifier: MIT */
/* The sample of live objects, see profile.h. */
#include "cache.h"

#include <errno.h>
#include <execinfo.h>
#include <string.h>

#define SETS 4096u
#define WAYS 8u
#define BUSY 1u
#define STAMP_SHIFT 48
#define ADDRESS (((uint64_t)1 << STAMP_SHIFT) - 1)
#define NAME_WORDS (BMA__NAME_MAX / sizeof(uint64_t))
/* bma__profile_taken() and sample() are no news. */
#define SKIP 2u

/* What is in a place besides its key. */
struct words {
	_Atomic uint64_t engine, bytes, stands, n;
	_Atomic uint64_t name[NAME_WORDS];
	_Atomic uint64_t pc[BMA__PROFILE_DEPTH];
};

struct table {
	_Atomic uint64_t key[SETS][WAYS];
	struct words words[SETS][WAYS];
};

struct countdown {
	_Atomic int64_t left __attribute__((aligned(BMA_CACHELINE)));
};

_Atomic uint64_t bma__profile_mean;
/* Both are published by the release of @table, and never freed. */
static _Atomic(struct table *) table;
static struct countdown *countdowns; /* for each plane */
static _Atomic uint64_t seed, stamp, dropped;

static struct table *get_table(void)
{
	return atomic_load_explicit(&table, memory_order_acquire);
}

double bma__profile_chance(double x)
{
	double p = 0;
	int halvings = 0;

	if (x > 64)
		return 1;
	for (; x > 0.01; x /= 2)
		halvings++;
	p = x * (1 - x / 2 * (1 - x / 3));
	/* 1 - exp(-2x) = p(2 - p), where p = 1 - exp(-x). */
	while (halvings--)
		p *= 2 - p;
	return p;
}

double bma__profile_minus_log(double u)
{
	static const double ln2 = 0.69314718055994531;
	double z, z2, sum = 0;

	for (; u < 0.5; u *= 2)
		sum += ln2;
	z = (1 - u) / (1 + u);
	z2 = z * z;
	return sum + 2 * z * (1 + z2 * (1.0 / 3 + z2 * (1.0 / 5 + z2 * (1.0 / 7 + z2 / 9))));
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t random_word(void)
{
	uint64_t z = atomic_fetch_add_explicit(&seed, 0x9e3779b97f4a7c15u, memory_order_relaxed);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static int64_t interval(uint64_t mean)
{
	double u = (double)((random_word() >> 11) + 1) / (double)((uint64_t)1 << 53);
	double bytes = bma__profile_minus_log(u) * (double)mean;

	return bytes < 1 ? 1 : (int64_t)bytes;
}

/* Does an event fall on these bytes? */
static bool due(uint64_t bytes, uint64_t mean)
{
	_Atomic int64_t *left = &countdowns[bma__plane_home()].left;
	int64_t old = atomic_load_explicit(left, memory_order_relaxed), new;

	do {
		new = old - (int64_t)bytes;
		if (new <= 0)
			new = interval(mean);
	} while (!atomic_compare_exchange_weak_explicit(left, &old, new, memory_order_relaxed,
							memory_order_relaxed));
	return old <= (int64_t)bytes;
}

static uint32_t set_of(const void *obj)
{
	return (uint32_t)(((uintptr_t)obj * 0x9e3779b97f4a7c15u) >> 40) % SETS;
}

static void set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static void fill(struct words *w, const struct bma__engine *e, uint64_t bytes, uint64_t mean,
		 const char *name)
{
	void *pc[BMA__PROFILE_DEPTH + SKIP];
	uint64_t copy[NAME_WORDS] = {0};
	int n = backtrace(pc, (int)(BMA__PROFILE_DEPTH + SKIP));
	uint32_t frames = n > (int)SKIP ? (uint32_t)n - SKIP : 0;

	set(&w->engine, (uintptr_t)e);
	set(&w->bytes, bytes);
	set(&w->stands,
	    (uint64_t)((double)bytes / bma__profile_chance((double)bytes / (double)mean) + 0.5));
	memcpy(copy, name, strnlen(name, BMA__NAME_MAX - 1));
	for (uint32_t i = 0; i < NAME_WORDS; i++)
		set(&w->name[i], copy[i]);
	for (uint32_t i = 0; i < frames; i++)
		set(&w->pc[i], (uintptr_t)pc[i + SKIP]);
	set(&w->n, frames);
}

static __attribute__((noinline, cold)) void sample(const struct bma__engine *e, const void *obj,
						   uint64_t bytes, uint64_t mean, const char *name)
{
	uint64_t turn = atomic_fetch_add_explicit(&stamp, 1, memory_order_relaxed);
	uint64_t key = turn << STAMP_SHIFT | (uintptr_t)obj;
	uint32_t s = set_of(obj);
	struct table *t = get_table();

	for (uint32_t i = 0; i < WAYS; i++) {
		uint64_t none = 0;

		if (!atomic_compare_exchange_strong_explicit(&t->key[s][i], &none, key | BUSY,
							     memory_order_relaxed,
							     memory_order_relaxed))
			continue;
		atomic_thread_fence(memory_order_release);
		fill(&t->words[s][i], e, bytes, mean, name);
		atomic_store_explicit(&t->key[s][i], key, memory_order_release);
		return;
	}
	atomic_fetch_add_explicit(&dropped, 1, memory_order_relaxed);
}

void bma__profile_taken(const struct bma__engine *e, const void *obj, uint64_t bytes,
			const char *name)
{
	uint64_t mean = atomic_load_explicit(&bma__profile_mean, memory_order_acquire);

	if (mean && bma__unlikely(due(bytes, mean)))
		sample(e, obj, bytes, mean, name);
}

void bma__profile_given(const void *obj)
{
	struct table *t = get_table();
	uint32_t s = set_of(obj);

	for (uint32_t i = 0; t && i < WAYS; i++) {
		uint64_t key = atomic_load_explicit(&t->key[s][i], memory_order_relaxed);

		if ((key & ADDRESS) == (uintptr_t)obj)
			atomic_store_explicit(&t->key[s][i], 0, memory_order_release);
	}
}

void bma__profile_end(const struct bma__engine *e)
{
	struct table *t = get_table();

	if (!t || !(e->flags & BMA__CACHE_PROFILE))
		return;
	for (uint32_t i = 0; i < SETS * WAYS; i++) {
		_Atomic uint64_t *word = &t->key[i / WAYS][i % WAYS];
		uint64_t key = atomic_load_explicit(word, memory_order_acquire);

		if (key && !(key & BUSY) &&
		    atomic_load_explicit(&t->words[i / WAYS][i % WAYS].engine,
					 memory_order_relaxed) == (uintptr_t)e)
			atomic_compare_exchange_strong_explicit(word, &key, 0, memory_order_release,
								memory_order_relaxed);
	}
}

static uint64_t get(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* False: there is none, or it changed meanwhile. */
static bool copy(const struct table *t, uint32_t s, uint32_t i, struct bma__profile_sample *to)
{
	const struct words *w = &t->words[s][i];
	uint64_t key = atomic_load_explicit(&t->key[s][i], memory_order_acquire);
	uint64_t name[NAME_WORDS];

	if (!key || key & BUSY)
		return false;
	to->bytes = get(&w->bytes);
	to->stands = get(&w->stands);
	to->n = get(&w->n);
	for (uint32_t k = 0; k < NAME_WORDS; k++)
		name[k] = get(&w->name[k]);
	memcpy(to->name, name, sizeof to->name);
	for (uint32_t k = 0; k < BMA__PROFILE_DEPTH; k++)
		to->pc[k] = get(&w->pc[k]);
	atomic_thread_fence(memory_order_acquire);
	return get(&t->key[s][i]) == key;
}

void bma__profile_visit(void (*fn)(const struct bma__profile_sample *s, void *arg), void *arg)
{
	const struct table *t = get_table();
	struct bma__profile_sample s;

	for (uint32_t i = 0; t && i < SETS * WAYS; i++) {
		if (copy(t, i / WAYS, i % WAYS, &s))
			fn(&s, arg);
	}
}

uint64_t bma__profile_dropped(void)
{
	return atomic_load_explicit(&dropped, memory_order_relaxed);
}

static size_t countdown_bytes(void)
{
	return bma__align_up((bma__cpu.slots + bma__cpu.guests) * sizeof(struct countdown),
			     BMA_PAGE);
}

/* Once for the process, under the lock of the first use. */
static int prepare(void)
{
	struct table *t;

	if (get_table())
		return 0;
	countdowns = bma__os.map(countdown_bytes());
	if (!countdowns)
		return -ENOMEM;
	t = bma__os.map(sizeof *t);
	if (!t) {
		bma__os.unmap(countdowns, countdown_bytes());
		return -ENOMEM;
	}
	atomic_store_explicit(&seed, bma__os_now(), memory_order_relaxed);
	atomic_store_explicit(&table, t, memory_order_release);
	bma__track_prepare();
	return 0;
}

int bma__profile_set(uint64_t mean)
{
	int rc = mean ? prepare() : 0;

	for (uint32_t i = 0; !rc && mean && i < bma__cpu.slots + bma__cpu.guests; i++)
		atomic_store_explicit(&countdowns[i].left, interval(mean), memory_order_relaxed);
	if (!rc)
		atomic_store_explicit(&bma__profile_mean, mean, memory_order_release);
	return rc;
}
