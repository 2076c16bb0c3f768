/* SPDX-License-Identifier: MIT */
/* Payers of worlds, see payer.h. */
#include "payer.h"

#include "ledger.h"
#include "snapshot.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

/* A stock holds so many objects at most: the limit of the group says so. */
#define STOCK_OBJECTS 10
#define SHARES 32

static struct bma_cache handle;
static struct bma_group *group;
static struct bma__group *g;
static uint64_t others;	 /* charged to the group by nobody's record */
static uint64_t begun;	 /* what the record was charged for */
static uint64_t roots;	 /* what the root has besides */
static uint64_t objects; /* of the world that are charged */

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("the payer cannot be made: %s\n", what);
	exit(INJECT_BROKEN);
}

static uint64_t cap(void)
{
	return STOCK_OBJECTS * world.e->charge;
}

static void make_group(uint64_t max)
{
	struct bma_group_attr a = {.attr_size = sizeof a, .max = max};

	if (!group)
		group = bma_group_create(bma_group_root(), &a);
	must(group, "a group");
	g = bma__group_of(group);
}

struct bma_cache *payer_make(struct bma__engine *e)
{
	struct bma__record_attr a = {.stocked = true, .places = 1};
	struct bma__record *r;
	int rc;

	make_group(STOCK_OBJECTS / 2 * e->charge * SHARES * bma__cpu.possible);
	a.group = group;
	r = bma__record_make(&a, &rc);
	must(r, "a record");
	handle = (struct bma_cache){
		.engine = e, .head = bma__engine_head(e), .record = r, .merged = true};
	handle.head.mask = 0;
	must(bma__merge_pay(e, &handle, r, 0), "a place");
	others = objects = 0;
	return &handle;
}

static bool charged_for(int i)
{
	unsigned char state = ledger.state[i];

	return state == LEDGER_LIVE_STATE || state == LEDGER_LIMBO || state == LEDGER_RESERVE;
}

static void *object(int i)
{
	return ledger.base + (size_t)i * ledger.stride;
}

static uint64_t *word(void)
{
	bool indexed = world.plane < bma__cpu.slots;

	return bma__percpu_at(handle.record->words, indexed ? world.plane : bma__percpu.slots);
}

static void charge_objects(void)
{
	struct bma__refusal why;

	for (int i = 0; i < LEDGER_OBJECTS; i++) {
		if (!charged_for(i) || *bma__owner_of(world.e, object(i)))
			continue;
		must(bma__stock_charge(handle.record, world.e->charge, &why), "a charge");
		bma__owner_set(world.e, object(i), handle.owner);
	}
	bma__stock_drain_one(handle.record);
	must(!bma__record_stocked(handle.record), "an empty stock");
}

/* Charged ahead, and put where it is not yet. */
static uint64_t ahead(uint64_t bytes)
{
	must(!bma__group_charge(g, bytes, NULL), "a stock");
	atomic_fetch_add(&handle.record->charged, bytes);
	return bytes;
}

static void stock(enum shape_payer payer)
{
	struct bma__record *r = handle.record;

	atomic_store(&r->cap, cap());
	if (payer == PAYER_STOCK || payer == PAYER_FROZEN || payer == PAYER_MOVING)
		*word() = ahead(cap() / 2);
	if (payer == PAYER_FULL || payer == PAYER_CARRIES)
		*word() = ahead(cap());
	if (payer == PAYER_CARRIES || payer == PAYER_PENDING || payer == PAYER_MOVING)
		atomic_store(&r->pending, ahead(cap()));
	if (payer == PAYER_FROZEN || payer == PAYER_MOVING)
		*word() |= BMA__RECORD_FROZEN;
	if (payer == PAYER_MOVING)
		atomic_fetch_or(&r->gate, BMA__RECORD_CLOSED);
	if (payer == PAYER_REFUSED) {
		others = bma__group_room(g);
		must(!bma__group_charge(g, others, NULL), "others");
	}
}

void payer_charge(void)
{
	struct bma__record *r = handle.record;

	charge_objects();
	stock(world.shape->payer);
	begun = r->charged;
	roots = bma__group_root->usage - g->usage;
	snapshot_add(r, sizeof *r + sizeof r->place[0]);
	for (uint64_t i = 0; i <= bma__percpu.slots; i++)
		snapshot_add(bma__percpu_at(r->words, i), sizeof(uint64_t));
	snapshot_add(g, sizeof *g);
	snapshot_add(bma__group_root, sizeof *bma__group_root);
	snapshot_add(world.slab->base + world.slab->geo.owners,
		     world.slab->geo.objs * sizeof(uint16_t));
}

void payer_restore(void)
{
	uint32_t work;

	while (bma__group_take_work(&work))
		;
}

bool payer_refuses(void)
{
	return world.shape->payer == PAYER_REFUSED || world.shape->payer == PAYER_MOVING;
}

void payer_forked(void)
{
	/* Unless this thread is in the gate. */
	if (!bma__stock_inside())
		others = 0;
}

static const char *check_stocks(const struct bma__record *r)
{
	for (uint64_t i = 0; i <= bma__percpu.slots; i++) {
		if ((*(const uint64_t *)bma__percpu_at(r->words, i) & ~BMA__RECORD_FROZEN) > cap())
			return "a stock has more than it may";
	}
	/* Who was interrupted, too, leaves half a stock that it charged ahead where it finds no room for it. */
	if (world.shape->payer != PAYER_MOVING && r->pending > cap() + 3 * (cap() / 2))
		return "more is pending than may be";
	if (r->gate & BMA__RECORD_INSIDE || bma__stock_inside())
		return "somebody is in the gate";
	return NULL;
}

const char *payer_check(void)
{
	const struct bma__record *r = handle.record;

	objects = 0;
	for (int i = 0; i < LEDGER_OBJECTS; i++) {
		if (ledger.state[i] == LEDGER_UNKNOWN)
			continue;
		objects += charged_for(i);
		if (*bma__owner_of(world.e, object(i)) != (charged_for(i) ? handle.owner : 0))
			return charged_for(i) ? "an object that is charged has no owner"
					      : "an object has an owner that nobody is charged for";
	}
	if (r->charged != objects * world.e->charge + bma__record_stocked(r))
		return r->charged > objects * world.e->charge + bma__record_stocked(r)
			       ? "a charge is lost"
			       : "something is uncharged, or stocked, twice";
	/* In a child nobody moves it any more. */
	if (world.shape->payer == PAYER_MOVING && !world.forked && r->charged != begun)
		return "what is being moved has changed";
	if (g->usage != r->charged + others)
		return "the group is not charged for what its record is";
	if (bma__group_root->usage != g->usage + roots)
		return "the root is not charged for what the group is";
	return check_stocks(r);
}

const char *payer_end(void)
{
	struct bma__record *r = handle.record;
	const char *wrong = NULL;

	atomic_fetch_and(&r->gate, ~BMA__RECORD_CLOSED);
	*word() &= ~BMA__RECORD_FROZEN;
	bma__group_uncharge(g, others);
	bma__stock_drain_one(r);
	if (r->charged || g->usage)
		wrong = "something is charged after everything was brought home";
	bma__owner_leave(world.e, handle.owner);
	r->place[0].engine = NULL; /* it had no reference */
	bma__record_close(r);
	return wrong;
}
