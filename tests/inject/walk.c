/* SPDX-License-Identifier: MIT */
/*
 * What is wrong with a world when no call is in progress: each object must be in exactly one place, and in one that
 * the ledger allows; each magazine too; and every count that is exact must be right.
 */
#include "ledger.h"
#include "payer.h"
#include "snapshot.h"
#include "world.h"

#include <errno.h>
#include <string.h>

#define MAGAZINES 256

static unsigned char seen[LEDGER_OBJECTS];
static uintptr_t mags[MAGAZINES]; /* bases come by */
static uint64_t nmags;
static uint64_t waiting,
	limbo_words; /* objects in sealed magazines; words of limbo that are not 0 */
static const char *wrong;

static void fail(const char *what)
{
	if (!wrong)
		wrong = what;
}

static void object(const void *obj, enum ledger_state state, enum ledger_state or)
{
	int i = ledger_number(obj);

	if (i < 0) {
		fail("the cache holds an address that is no object");
		return;
	}
	if (seen[i]++)
		fail("an object is in two places");
	if (ledger.state[i] == LEDGER_LIVE_STATE)
		fail("the cache holds an object that is live");
	else if (ledger.state[i] == LEDGER_LIMBO && state != LEDGER_LIMBO && or != LEDGER_LIMBO)
		fail("an object that waits for a grace period can be allocated");
	else if (ledger.state[i] != state && ledger.state[i] != or)
		fail("an object is where it was not put");
}

/* Returns false where the walk must end. */
static bool magazine(uintptr_t base, uint32_t count, enum ledger_state state)
{
	for (uint64_t i = 0; i < nmags; i++) {
		if (mags[i] == base) {
			fail("a magazine is in two places");
			return false;
		}
	}
	if (nmags == MAGAZINES) {
		fail("too many magazines");
		return false;
	}
	mags[nmags++] = base;
	for (uint32_t i = 0; i < count; i++)
		object(bma__mag_elements(base)[i], state, state);
	return true;
}

static void tape(struct bma__engine *e, uintptr_t word)
{
	uintptr_t base = bma__mag_base(e->class, word), next;

	if (!word || !magazine(base, bma__mag_count(e->class, word), LEDGER_FREE))
		return;
	for (next = bma__mag_links(base)->prev; next; next = bma__mag_links(next)->prev) {
		if (!magazine(next, e->capacity, LEDGER_FREE))
			return;
	}
	for (next = bma__mag_links(base)->next; next; next = bma__mag_links(next)->next) {
		if (!magazine(next, 0, LEDGER_FREE))
			return;
	}
}

static void slots(struct bma__engine *e)
{
	uint32_t plane, opened = 0, closed = 0;
	uint64_t cost = world.others;

	bma__plane_for_each (e, plane) {
		struct bma__slot *s = bma__slot_at(e, plane);

		tape(e, s->loaded);
		cost += bma__budget_limit(s) * e->capacity * e->charge;
		if (s->loaded && !bma__budget_limit(s))
			fail("a slot without a limit holds something");
		if (s->limbo) {
			limbo_words++;
			magazine(bma__mag_base(e->class, s->limbo),
				 bma__mag_count(e->class, s->limbo), LEDGER_LIMBO);
		}
		if (s->owner)
			fail("a guest slot is owned");
		opened += s->opened[0] + s->opened[1];
		closed += s->closed[0] + s->closed[1];
	}
	if (opened != closed)
		fail("a ticket is open");
	if (bma__budget_used() != cost)
		fail("what limits cost is not what the budget says");
	if (bma__budget_used() > bma__budget_total())
		fail("the budget is exceeded");
}

/* Where a fork fell between a stack's change and its count, the child's count is one off: see depot.h. */
static bool one_off(uint64_t count, uint64_t is)
{
	return world.forked && !world.alone && (count == is + 1 || count + 1 == is);
}

/* Returns how many magazines. */
static uint64_t stack(struct bma__engine *e, struct bma__mag_stack *st, enum ledger_state state)
{
	uint64_t n = 0;

	for (uint32_t i = (uint32_t)st->head; i; i = bma__stack_next(e->class, i), n++) {
		uintptr_t word = bma__stack_word(e->class, i);
		uint32_t count = bma__mag_count(e->class, word);

		if (!magazine(bma__mag_base(e->class, word), count, state))
			break;
		waiting += state == LEDGER_LIMBO ? count : 0;
	}
	return n;
}

static void depot(struct bma__engine *e, struct bma__depot *d)
{
	uint64_t full = 0, empty;

	for (uint32_t i = 0; i < BMA__DEPOT_STACKS; i++) {
		uint64_t n = stack(e, bma__depot_stack(d, i), LEDGER_FREE);
		uint32_t local = i - BMA__DEPOT_RING;

		if (local < BMA__DEPOT_LOCAL && d->local[local].n != n &&
		    !one_off(d->local[local].n, n))
			fail("the count of a slot's own magazines is wrong");
		full += n;
	}
	if (bma__depot_depth(d) != full &&
	    !(world.forked && !world.alone && bma__depot_depth(d) == full + 1))
		fail("the depot's depth is wrong");
	empty = stack(e, &d->empty, LEDGER_FREE);
	if (d->empty_puts - d->empty_gets != empty &&
	    !one_off(d->empty_puts - d->empty_gets, empty))
		fail("the number of empty magazines is wrong");
}

static void deferred(struct bma__engine *e)
{
	struct bma__flavor *f = e->flavor;
	uint64_t sealed = stack(e, &e->sealed, LEDGER_LIMBO);
	uint64_t bit = 1ull << e->id % 64;

	if (bma__count_read(&f->mags) != sealed || bma__count_read(&e->limbo) != waiting ||
	    bma__count_read(&f->limbo_bytes) != waiting * e->geo.stride)
		fail("what is sealed is not what is counted");
	if (bma__count_read(&e->limbo_slots) != limbo_words)
		fail("the number of limbo words is wrong");
	if (sealed && !(f->sealed.word[e->id / 64] & bit))
		fail("nobody knows that something is sealed");
	if (limbo_words && !(f->filling.word[e->id / 64] & bit))
		fail("nobody knows that something fills");
	/* In a child there is none, and the one that is started begins with a look. */
	if (sealed && !world.forked && f->thread.waker.word != BMA__WAKER_ASKED)
		fail("the grace-period thread was not asked");
	if (f->thread.waker.word == BMA__WAKER_WAKING || world.worker->word == BMA__WAKER_WAKING)
		fail("somebody is still waking a thread");
}

static void parked(struct bma__engine *e)
{
	uint64_t n = 0;

	for (uint32_t w = 0; w < (world.slab->geo.objs + 63) / 64; w++) {
		for (uint64_t bits = world.slab->parked[w]; bits; bits &= bits - 1, n++)
			object(bma__slab_object(world.slab,
						w * 64 + (uint32_t)__builtin_ctzll(bits)),
			       LEDGER_FREE, LEDGER_LIMBO);
	}
	if (bma__park_count(e) != n)
		fail("the number of parked objects is wrong");
}

static void reserve(struct bma__engine *e)
{
	uint64_t n = 0;

	for (size_t i = 0; i < world.reserve->n; i++) {
		if (!world.reserve->entry[i])
			continue;
		object(world.reserve->entry[i], LEDGER_RESERVE, LEDGER_RESERVE);
		n++;
	}
	if (e->reserved != n && !(world.alone && e->reserved == n + 1))
		fail("the number of reserved objects is wrong");
	if (ledger.reserve_nulls && n && !world.alone)
		fail("a reserve with objects gave none");
}

static void objects(void)
{
	for (int i = 0; i < LEDGER_OBJECTS; i++) {
		bool cached =
			ledger.state[i] != LEDGER_UNKNOWN && ledger.state[i] != LEDGER_LIVE_STATE;

		if (cached && !seen[i] && !world.alone)
			fail("an object is lost");
	}
}

static void magazines(struct bma__engine *e)
{
	uint64_t expected = world.mags;

	if (world.shape->fresh)
		return;
	if (world.shape->idle)
		expected += bma__mag_new(e->class) == 0;
	if (nmags > expected || (nmags < expected && !world.alone))
		fail(nmags < expected ? "a magazine is lost" : "a magazine came from nowhere");
}

/*
 * No NULL while there is something. But a guest slot is its owner's: what a handler put into another one, while this
 * call owned the first, is not looked for. That is counted.
 */
static void starving(void)
{
	if (!ledger.outer_nulls || ledger.taken >= world.stock)
		return;
	if (bma__cpu.mode == BMA_MODE_GUEST)
		world.starved++;
	else
		fail("NULL, though there are more objects than were taken");
}

static void owners(const struct bma__engine *e)
{
	for (uint32_t plane = bma__cpu.slots; plane < e->planes; plane++) {
		if (bma__slot_at(e, plane)->owner)
			fail("a guest slot is owned by a thread that is not there");
	}
}

const char *world_check(void)
{
	struct bma__engine *e = world.e;

	wrong = errno == SNAPSHOT_ERRNO ? ledger.wrong : "errno was changed";
	memset(seen, 0, sizeof seen);
	nmags = waiting = limbo_words = 0;
	slots(e);
	depot(e, e->depot);
	deferred(e);
	parked(e);
	reserve(e);
	objects();
	magazines(e);
	if (world.alone) {
		owners(e);
		return wrong;
	}
	if (e->fail_empty + e->fail_charge != ledger.nulls)
		fail("the number of failed allocations is wrong");
	if (bma_percpu_sum_u64(ledger_word) != ledger.added)
		fail("an addition was lost, or made twice");
	starving();
	if (world.shape->payer && !wrong)
		wrong = payer_check();
	return wrong;
}
