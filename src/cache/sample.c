/* SPDX-License-Identifier: MIT */
/* Sampled guard pages, see sample.h. Ordering: MO-27, MO-28 (docs/memory-ordering.md). */
#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Calls that go through an open gate at most, and gates opened in an interval: what bounds the cost. */
#define GATE_CALLS 1024
#define GATES 4u
/* And after the free, so that a second one right behind it is told in its call. */
#define GATE_AFTER 16
/* Bytes of the page around the object. */
#define SLACK 0xb5
#define TRIES 4

enum state { FREE, BUSY, LIVE, DEFERRED, PARKED, STATE_BITS = 3, STATE_MASK = 7 };

struct place {
	_Atomic(struct bma__engine *) engine;
	char *obj;
	void *ordinary; /* what it stands for */
	size_t size;
	char name[BMA__NAME_MAX];
	struct bma__slab_track track;
};

_Atomic uintptr_t bma__sample_base;
static struct place places[BMA__SAMPLE_PLACES];
static _Atomic uint64_t words[BMA__SAMPLE_PLACES];
static _Atomic uint64_t stamp;
static _Atomic uint32_t engines; /* sampled ones */

static enum state state_of(uint64_t word)
{
	return (enum state)(word & STATE_MASK);
}

static uint64_t with(uint64_t word, enum state state)
{
	return (word & ~(uint64_t)STATE_MASK) | state;
}

static char *page_of(uint32_t i)
{
	return (char *)atomic_load_explicit(&bma__sample_base, memory_order_relaxed) +
	       (2 * i + 1) * BMA_PAGE;
}

static uint64_t load(uint32_t i)
{
	return atomic_load_explicit(&words[i], memory_order_acquire);
}

static bool change(uint32_t i, uint64_t old, enum state state)
{
	return atomic_compare_exchange_strong_explicit(&words[i], &old, with(old, state),
						       memory_order_acq_rel, memory_order_relaxed);
}

static void store(uint32_t i, uint64_t word)
{
	atomic_store_explicit(&words[i], word, memory_order_release);
}

/* Once for the process; who is second gives his region back. */
static int reserve_region(void)
{
	uintptr_t none = 0;
	void *region;

	if (atomic_load_explicit(&bma__sample_base, memory_order_acquire))
		return 0;
	region = bma__os.map(BMA__SAMPLE_BYTES);
	if (!region)
		return -ENOMEM;
	bma__guard_close(region, BMA__SAMPLE_BYTES);
	if (!atomic_compare_exchange_strong_explicit(&bma__sample_base, &none, (uintptr_t)region,
						     memory_order_release, memory_order_relaxed))
		bma__os.unmap(region, BMA__SAMPLE_BYTES);
	return 0;
}

int bma__sample_prepare(void)
{
	int rc = reserve_region();

	if (rc)
		return rc;
	bma__segv_init();
	bma__track_prepare();
	return 0;
}

void bma__sample_begin(struct bma__engine *e)
{
	if (!(e->flags & BMA_CACHE_SAMPLE))
		return;
	atomic_fetch_add_explicit(&engines, 1, memory_order_relaxed);
	bma__worker_kick(e);
}

void bma__sample_end(const struct bma__engine *e)
{
	if (e->flags & BMA_CACHE_SAMPLE)
		atomic_fetch_sub_explicit(&engines, 1, memory_order_relaxed);
}

void bma__sample_open(struct bma__engine *e)
{
	atomic_store_explicit(&e->gate_left, GATE_CALLS, memory_order_relaxed);
	atomic_store_explicit(&e->gate_wants, true, memory_order_relaxed);
	bma__engine_gate(e, true);
}

static void shut(struct bma__engine *e)
{
	atomic_store_explicit(&e->gate_left, 0, memory_order_relaxed);
	bma__engine_gate(e, false);
}

static void shut_soon(struct bma__engine *e)
{
	if (atomic_load_explicit(&e->gate_left, memory_order_relaxed) > GATE_AFTER)
		atomic_store_explicit(&e->gate_left, GATE_AFTER, memory_order_relaxed);
}

/* One call more went through. Who opened it while another one shut it may have left it open with no call to go. */
static void pass(struct bma__engine *e)
{
	if (atomic_load_explicit(&e->gate_left, memory_order_relaxed) <= 0)
		bma__engine_gate(e, false);
	else if (atomic_fetch_sub_explicit(&e->gate_left, 1, memory_order_relaxed) == 1)
		shut(e);
}

/* The next GATES of the sampled engines. */
static void open_some(void)
{
	static _Atomic uint32_t turn;
	uint32_t n = atomic_load_explicit(&engines, memory_order_relaxed), i = 0, first;
	struct bma__engine *e = NULL;

	if (!n)
		return;
	first = atomic_fetch_add_explicit(&turn, n < GATES ? n : GATES, memory_order_relaxed) % n;
	while ((e = bma__engine_next(e))) {
		if (!(e->flags & BMA_CACHE_SAMPLE))
			continue;
		if ((i++ + n - first) % n < GATES)
			bma__sample_open(e);
	}
}

uint64_t bma__sample_tick(void)
{
	static _Atomic uint64_t last;
	uint64_t now = bma__os_now(), then = atomic_load_explicit(&last, memory_order_relaxed);

	if (!atomic_load_explicit(&engines, memory_order_relaxed))
		return UINT64_MAX;
	if (now - then < bma__env.sample_ns)
		return bma__env.sample_ns - (now - then);
	if (atomic_compare_exchange_strong_explicit(&last, &then, now, memory_order_relaxed,
						    memory_order_relaxed))
		open_some();
	return bma__env.sample_ns;
}

/* The place that was freed first, BUSY from now on; BMA__SAMPLE_PLACES: there is none. */
static uint32_t take_place(void)
{
	for (int tries = 0; tries < TRIES; tries++) {
		uint32_t best = BMA__SAMPLE_PLACES;
		uint64_t oldest = UINT64_MAX;

		for (uint32_t i = 0; i < BMA__SAMPLE_PLACES; i++) {
			uint64_t word = atomic_load_explicit(&words[i], memory_order_relaxed);

			if (state_of(word) != FREE || word >= oldest)
				continue;
			oldest = word;
			best = i;
		}
		if (best == BMA__SAMPLE_PLACES || change(best, oldest, BUSY))
			return best;
	}
	return BMA__SAMPLE_PLACES;
}

/* At the beginning of its page, or as near to the end as its alignment lets it. */
static char *position(const struct bma__engine *e, char *page, const void *salt)
{
	uint64_t x = (bma__os_now() ^ (uintptr_t)salt) * 0x9e3779b97f4a7c15u;

	return x >> 63 ? page : page + ((BMA_PAGE - e->size) & ~(e->align - 1));
}

static void *guard(struct bma__engine *e, uint32_t i, void *obj)
{
	struct place *p = &places[i];
	char *page = page_of(i);

	if (!bma__guard_try_open(page, BMA_PAGE)) {
		store(i, with(load(i), FREE));
		return obj;
	}
	atomic_store_explicit(&p->engine, e, memory_order_relaxed);
	p->ordinary = obj;
	p->size = e->size;
	memcpy(p->name, e->name, sizeof p->name);
	p->obj = position(e, page, obj);
	memset(page, SLACK, BMA_PAGE);
	memcpy(p->obj, obj, e->size);
	bma__track_take(&p->track.alloc);
	p->track.free.n = 0;
	store(i, with(load(i), LIVE));
	return p->obj;
}

void *bma__sample_taken(struct bma__engine *e, void *obj)
{
	uint32_t i;

	pass(e);
	if (!atomic_load_explicit(&e->gate_wants, memory_order_relaxed) ||
	    !atomic_exchange_explicit(&e->gate_wants, false, memory_order_relaxed) ||
	    bma__sample_has(obj))
		return obj;
	i = take_place();
	if (i != BMA__SAMPLE_PLACES)
		return guard(e, i, obj);
	shut(e);
	return obj;
}

static struct bma__engine *engine_of(uint32_t i)
{
	return atomic_load_explicit(&places[i].engine, memory_order_relaxed);
}

/* The place of an object of @e. */
static uint32_t place_of(struct bma__engine *e, const void *obj, const char *call)
{
	uint32_t page = (uint32_t)(((uintptr_t)obj -
				    atomic_load_explicit(&bma__sample_base, memory_order_relaxed)) /
				   BMA_PAGE);
	uint32_t i = page / 2;

	if (!(page & 1) || engine_of(i) != e)
		bma__engine_misuse(e, obj, BMA__SLAB_OK, call);
	if (places[i].obj != obj)
		bma__engine_misuse(e, obj, BMA__SLAB_INTERIOR, call);
	return i;
}

static void __attribute__((noreturn, cold))
misuse(struct bma__engine *e, const void *obj, uint64_t word, const char *call)
{
	bma__engine_misuse(
		e, obj, state_of(word) == DEFERRED ? BMA__SLAB_FREED_RCU : BMA__SLAB_DOUBLE, call);
}

static void check_slack(const struct place *p, uint32_t i, const char *call)
{
	const unsigned char *page = (const unsigned char *)page_of(i);
	const unsigned char *obj = (const unsigned char *)p->obj, *end = page + BMA_PAGE;
	const unsigned char *wrong = bma__debug_other(obj + p->size, end, SLACK);

	if (!wrong)
		wrong = bma__debug_other(page, obj, SLACK);
	if (!wrong)
		return;
	bma__log_line("%s: cache \"%s\": object %p of %zu bytes: was written to %s, first at byte "
		      "%td",
		      call, p->name, (const void *)obj, p->size,
		      wrong < obj ? "before its beginning" : "behind its end", wrong - obj);
	bma__debug_show_bytes(wrong, page, end);
	bma__sample_show(obj);
	abort();
}

/* @word: of which the caller knows that it may be closed. @user: the caller is the call that frees. */
static void *close_place(struct bma__engine *e, uint32_t i, uint64_t word, bool user,
			 const char *call)
{
	struct place *p = &places[i];
	void *ordinary = p->ordinary;

	if (!change(i, word, BUSY))
		misuse(e, p->obj, load(i), call);
	check_slack(p, i, call);
	memcpy(ordinary, p->obj, p->size);
	if (user)
		bma__track_take(&p->track.free);
	bma__guard_close(page_of(i), BMA_PAGE);
	store(i, (atomic_fetch_add_explicit(&stamp, 1, memory_order_relaxed) + 1) << STATE_BITS |
			 FREE);
	return ordinary;
}

static void *close_live(struct bma__engine *e, const void *obj, bool user, const char *call)
{
	uint32_t i = place_of(e, obj, call);
	uint64_t word = load(i);

	if (state_of(word) != LIVE)
		misuse(e, obj, word, call);
	return close_place(e, i, word, user, call);
}

void *bma__sample_home(struct bma__engine *e, const void *obj, const char *call)
{
	return close_live(e, obj, false, call);
}

void *bma__sample_given(struct bma__engine *e, void *obj)
{
	void *ordinary;

	pass(e);
	if (bma__likely(!bma__sample_has(obj)))
		return obj;
	ordinary = close_live(e, obj, true, "bma_cache_free");
	shut_soon(e);
	return ordinary;
}

void bma__sample_given_rcu(struct bma__engine *e, void *obj)
{
	static const char call[] = "bma_cache_free_rcu";
	uint64_t word;
	uint32_t i;

	pass(e);
	if (bma__likely(!bma__sample_has(obj)))
		return;
	i = place_of(e, obj, call);
	word = load(i);
	if (state_of(word) != LIVE)
		misuse(e, obj, word, call);
	check_slack(&places[i], i, call);
	/* Before it can be in limbo: who lets it go looks at the count first. */
	atomic_fetch_add_explicit(&e->guarded_deferred, 1, memory_order_relaxed);
	bma__track_take(&places[i].track.free);
	if (!change(i, word, DEFERRED))
		misuse(e, obj, load(i), call);
	shut_soon(e);
}

struct bma__slab *bma__sample_slab(struct bma__engine *e, const void *obj, const char *call)
{
	uint32_t i = place_of(e, obj, call);
	uint64_t word = load(i);

	if (state_of(word) != LIVE && state_of(word) != DEFERRED)
		misuse(e, obj, word, call);
	return bma__chunk_slab(places[i].ordinary);
}

void bma__sample_park(struct bma__engine *e, const void *obj, const char *call)
{
	uint32_t i = place_of(e, obj, call);
	uint64_t word = load(i);

	if (state_of(word) == LIVE)
		atomic_fetch_add_explicit(&e->guarded_deferred, 1, memory_order_relaxed);
	if ((state_of(word) != LIVE && state_of(word) != DEFERRED) || !change(i, word, PARKED))
		misuse(e, obj, word, call);
}

bool bma__sample_is_parked(const struct bma__engine *e, const void *obj)
{
	uint32_t i = (uint32_t)(((uintptr_t)obj -
				 atomic_load_explicit(&bma__sample_base, memory_order_relaxed)) /
				(2 * BMA_PAGE));

	return state_of(load(i)) == PARKED && engine_of(i) == e && places[i].obj == obj;
}

uint32_t bma__sample_count_parked(const struct bma__engine *e)
{
	uint32_t n = 0;

	if (!(e->flags & BMA_CACHE_SAMPLE))
		return 0;
	for (uint32_t i = 0; i < BMA__SAMPLE_PLACES; i++)
		n += state_of(load(i)) == PARKED && engine_of(i) == e;
	return n;
}

uint32_t bma__sample_unpark(struct bma__engine *e, void **objs, uint32_t n)
{
	uint32_t got = 0;

	if (!(e->flags & BMA_CACHE_SAMPLE))
		return 0;
	for (uint32_t i = 0; i < BMA__SAMPLE_PLACES && got < n; i++) {
		uint64_t word = load(i);

		if (state_of(word) == PARKED && engine_of(i) == e && change(i, word, DEFERRED))
			objs[got++] = places[i].obj;
	}
	return got;
}

void bma__sample_let_go(struct bma__engine *e, uintptr_t word)
{
	void **objs = bma__mag_elements(bma__mag_base(e->class, word));
	uint32_t n = bma__mag_count(e->class, word);

	if (!atomic_load_explicit(&e->guarded_deferred, memory_order_relaxed))
		return;
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i;
		uint64_t seen;

		if (!bma__sample_has(objs[k]))
			continue;
		i = place_of(e, objs[k], "grace period");
		seen = load(i);
		if (state_of(seen) != DEFERRED)
			continue;
		objs[k] = close_place(e, i, seen, false, "grace period");
		atomic_fetch_sub_explicit(&e->guarded_deferred, 1, memory_order_relaxed);
	}
}

static void show(const struct place *p)
{
	bma__track_print("allocated", &p->track.alloc);
	bma__track_print("freed", &p->track.free);
}

void bma__sample_show(const void *obj)
{
	uint32_t page = (uint32_t)(((uintptr_t)obj - bma__sample_base) / BMA_PAGE);

	if (page & 1)
		show(&places[page / 2]);
}

/* Bytes from the object of a place to @at; SIZE_MAX: it never had one. */
static size_t distance(uint32_t i, const char *at)
{
	const struct place *p = &places[i];

	if (i >= BMA__SAMPLE_PLACES || !p->obj)
		return SIZE_MAX;
	if (at < p->obj)
		return (size_t)(p->obj - at);
	return at < p->obj + p->size ? 0 : (size_t)(at - p->obj) - p->size + 1;
}

/* The object that is nearest; of a page between two places, one of the two. */
void bma__sample_fault(const void *address)
{
	const char *at = address;
	uint32_t page = (uint32_t)(((uintptr_t)at - bma__sample_base) / BMA_PAGE), i = page / 2;
	const struct place *p;
	const char *nobody;

	if (!(page & 1) && i && distance(i - 1, at) < distance(i, at))
		i--;
	if (distance(i, at) == SIZE_MAX)
		return;
	p = &places[i];
	nobody = state_of(words[i]) == FREE || state_of(words[i]) == BUSY
			 ? ", and nobody has the object"
			 : "";
	if (at >= p->obj + p->size)
		bma__log_line("cache \"%s\": object %p of %zu bytes: byte %td behind its end was "
			      "touched%s",
			      p->name, (const void *)p->obj, p->size,
			      at - p->obj - (ptrdiff_t)p->size, nobody);
	else if (at < p->obj)
		bma__log_line("cache \"%s\": object %p of %zu bytes: byte %td before it was "
			      "touched%s",
			      p->name, (const void *)p->obj, p->size, p->obj - at, nobody);
	else
		bma__log_line("cache \"%s\": object %p of %zu bytes: byte %td was touched%s",
			      p->name, (const void *)p->obj, p->size, at - p->obj, nobody);
	show(p);
}
