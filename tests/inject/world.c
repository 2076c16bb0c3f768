/* SPDX-License-Identifier: MIT */
/* Making a world and giving it up, see world.h. */
#include "world.h"

#include "ledger.h"
#include "payer.h"
#include "snapshot.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE 64
#define MAGAZINES 40
/* Marks that no depot of these is below, or above. */
#define NEVER_LOW 0
#define NEVER_HIGH 1000

struct world world;

static struct bma__thread *worker;
static uintptr_t hoard[MAGAZINES]; /* bases */
static int hoarded;
static void *objects[LEDGER_OBJECTS];
static int nobjects;

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	printf("the world cannot be made: %s\n", what);
	exit(INJECT_BROKEN);
}

/* No thread is made; this tells where the worker's struct is, which calls ask whether it runs. */
static int no_thread(void *(*main)(void *), void *arg, void *handle)
{
	(void)main, (void)arg;
	worker = (struct bma__thread *)((char *)handle - offsetof(struct bma__thread, handle));
	*(pthread_t *)handle = pthread_self();
	return 0;
}

void world_init(const char *conf)
{
	bma__env_parse(conf);
	must(!bma__engine_init(), "engine_init");
	bma__os.thread_create = no_thread;
	bma__env.worker = true;
	bma__worker_start();
	bma__env.worker = false;
	bma__os.thread_create = bma__os_real.thread_create;
	must(worker, "where is the worker");
	atomic_store(&worker->running, false);
}

/* All that is idle or fresh; it is lost to the process. */
static void use_up(uint32_t class)
{
	while (bma__mag_new(class))
		;
}

static void take_magazines(uint32_t class)
{
	use_up(class); /* idle ones of earlier worlds, so that what follows is fresh */
	for (hoarded = 0; hoarded < MAGAZINES; hoarded++) {
		uintptr_t word = bma__mag_new_sleep(class);

		must(word, "a magazine");
		hoard[hoarded] = bma__mag_base(class, word);
		memset((void *)hoard[hoarded], 0, bma__mag_size(class));
		snapshot_add((void *)hoard[hoarded], bma__mag_size(class));
	}
}

static void take_objects(struct bma__engine *e)
{
	uint32_t n = bma__engine_carve(e, 0, objects, 256);

	must(n == 256, "objects");
	nobjects = (int)n;
	world.slab = bma__chunk_slab(objects[0]);
	memset(&ledger, 0, sizeof ledger);
	ledger.base = world.slab->base;
	ledger.stride = world.slab->geo.stride;
	for (int i = 0; i < nobjects; i++) {
		must(bma__chunk_slab(objects[i]) == world.slab, "one slab");
		ledger.state[ledger_number(objects[i])] = LEDGER_FREE;
	}
}

static void *next_object(enum ledger_state state)
{
	void *obj = objects[--nobjects];

	must(nobjects > 0, "enough objects");
	ledger.state[ledger_number(obj)] = (unsigned char)state;
	return obj;
}

/* A magazine with @n objects. */
static uintptr_t magazine(int n, enum ledger_state state)
{
	uintptr_t base = hoard[--hoarded];

	must(hoarded > 0, "enough magazines");
	world.mags++;
	for (int i = 0; i < n; i++)
		bma__mag_elements(base)[i] = next_object(state);
	return bma__mag_word(base, (uint32_t)n);
}

static void link_up(uintptr_t left, uintptr_t right)
{
	atomic_store(&bma__mag_links(left)->next, right);
	atomic_store(&bma__mag_links(right)->prev, left);
}

static void make_tape(struct bma__slot *s, const struct shape *w)
{
	uintptr_t last = 0, word;

	if (w->top == WORLD_NONE)
		return;
	for (int i = 0; i <= w->left + w->right; i++) {
		int n = i < w->left ? (int)world.e->capacity : i == w->left ? w->top : 0;
		uintptr_t base;

		word = magazine(n, LEDGER_FREE);
		base = bma__mag_base(world.e->class, word);
		if (last)
			link_up(last, base);
		last = base;
		if (i == w->left)
			atomic_store(&s->loaded, word);
	}
	atomic_store(&s->length, (uint16_t)(w->left + 1 + w->right));
}

static void make_slot(const struct shape *w)
{
	struct bma__slot *s = bma__slot_at(world.e, world.plane);

	bma__plane_use(world.e, world.plane);
	make_tape(s, w);
	if (w->top != WORLD_NONE)
		must(bma__budget_open(world.e, s), "a limit");
	atomic_store(&s->put_last, w->put_last);
	atomic_store(&s->freeze, w->frozen);
	atomic_store(&s->freeze_limbo, w->frozen_limbo);
	if (!w->limbo)
		return;
	atomic_store(&s->limbo, magazine(w->limbo, LEDGER_LIMBO));
	bma__count_raise(&world.e->limbo_slots, 1);
	bma__need_set(&world.e->flavor->filling, world.e->id);
}

static void make_guest(const struct shape *w)
{
	uint32_t plane = bma__cpu.slots + bma__plane_guest_hash();

	if (!w->guest)
		return;
	bma__plane_use(world.e, plane);
	must(bma__budget_open(world.e, bma__slot_at(world.e, plane)), "a limit");
	atomic_store(&bma__slot_at(world.e, plane)->loaded, magazine(w->guest, LEDGER_FREE));
}

static void make_depot(const struct shape *w)
{
	struct bma__depot_batch back = {0};

	for (int i = 0; i < w->full; i++)
		bma__depot_put(world.e, magazine((int)world.e->capacity, LEDGER_FREE));
	for (int i = 0; i < w->ring; i++)
		bma__depot_add(world.e, world.e->depot,
			       magazine((int)world.e->capacity, LEDGER_FREE));
	for (int i = 0; i < w->recent; i++)
		bma__depot_gather(world.e, &back, magazine((int)world.e->capacity, LEDGER_FREE));
	bma__depot_return(world.e, world.e->depot, &back);
	for (int i = 0; i < w->short_; i++)
		bma__depot_put(world.e, magazine(1, LEDGER_FREE));
	for (int i = 0; i < w->empty; i++)
		bma__depot_put_empty(world.e, magazine(0, LEDGER_FREE));
}

static void set_marks(const struct shape *w)
{
	struct bma__engine *e = world.e;

	e->tape = 2;
	e->tape_max = 4;
	atomic_store(&e->low_mags, w->low ? NEVER_HIGH : NEVER_LOW);
	atomic_store(&e->high_mags, w->high ? 0 : NEVER_HIGH);
	atomic_store(&e->watched, false);
	atomic_store(&worker->running, w->asleep);
	atomic_store(&worker->waker.word, w->asleep ? BMA__WAKER_ASLEEP : BMA__WAKER_IDLE);
	atomic_store(&e->flavor->thread.waker.word,
		     w->asleep ? BMA__WAKER_ASLEEP : BMA__WAKER_ASKED);
	atomic_store(&e->flavor->watching, false);
}

/* Objects that an alloc of this thread finds if nobody interrupts it. */
static uint32_t stock_of(const struct shape *w)
{
	int n = (w->full + w->ring + w->recent) * (int)world.e->capacity + w->short_ + w->guest;

	if (!w->frozen && w->top != WORLD_NONE)
		n += w->left * (int)world.e->capacity + w->top;
	return (uint32_t)n;
}

static void make_reserve(struct bma__engine *e)
{
	world.reserve = bma__reserve_create(world.cache, WORLD_RESERVE, &(int){0});
	must(world.reserve, "a reserve");
	bma__reclaim_drain(e, 0, NULL);
}

static void enter_reserve(const struct shape *w)
{
	for (size_t i = 0; i < WORLD_RESERVE; i++) {
		void *obj = atomic_load(&world.reserve->entry[i]);

		if (i < (size_t)w->reserve) {
			atomic_store(&world.reserve->entry[i], NULL);
			atomic_fetch_sub(&world.e->reserved, 1);
			ledger.live[ledger.nlive++] = obj;
		}
		ledger.state[ledger_number(obj)] =
			i < (size_t)w->reserve ? LEDGER_LIVE_STATE : LEDGER_RESERVE;
	}
}

static uint64_t rest; /* of the budget that somebody else pretends to use */

/* Engines of other worlds have something, too: the one of per-CPU words. */
static void make_room(const struct shape *w)
{
	uint64_t room = w->room == ROOM_ONE ? world.e->capacity * world.e->charge : 0;
	uint32_t plane;

	rest = w->room ? bma__budget_total() - bma__budget_used() - room : 0;
	atomic_fetch_add(&bma__budget_word, rest << BMA__BUDGET_GENERATION_BITS);
	atomic_store(&bma__budget_missed, false);
	world.others = bma__budget_used();
	bma__plane_for_each (world.e, plane)
		world.others -= bma__budget_limit(bma__slot_at(world.e, plane)) *
				world.e->capacity * world.e->charge;
}

void world_forked(void)
{
	world.forked = true;
	if (world.shape->payer)
		payer_forked();
	world.others -= rest;
	rest = 0;
}

static void add_snapshots(struct bma__engine *e)
{
	size_t bitmap = (world.slab->geo.objs + 63) / 64 * sizeof(uint64_t);

	snapshot_add(e, e->bytes);
	snapshot_add(&bma__budget_word, sizeof bma__budget_word);
	snapshot_add(&bma__budget_missed, sizeof bma__budget_missed);
	for (uint32_t i = 0; i < bma__cpu.guests; i++)
		snapshot_add(bma__slot_at(e, bma__cpu.slots + i), sizeof(struct bma__slot));
	snapshot_add_planes(e);
	snapshot_add((void *)world.slab->parked, bitmap);
	snapshot_add(e->flavor, sizeof *e->flavor);
	snapshot_add(worker, sizeof *worker);
	snapshot_add(world.reserve, sizeof *world.reserve + WORLD_RESERVE * sizeof(void *));
	snapshot_add(&ledger, sizeof ledger);
}

/* One class of a heap that shares the engine. */
static void make_heap(struct bma__engine *e)
{
	static struct bma_heap heap;
	struct bma_cache *cache = &heap.handle[bma__heap_class(SIZE)].cache;

	*cache = (struct bma_cache){
		.head = e->head, .engine = e, .plain = e, .class = (uint16_t)bma__heap_class(SIZE)};
	ledger_heap = &heap;
	ledger_size = SIZE;
}

/* One for all worlds. */
static void make_word(void)
{
	if (!ledger_word)
		ledger_word = bma__percpu_counter();
	must(ledger_word, "a word");
	for (uint64_t i = 0; i < bma_percpu_copies(); i++) {
		*bma_per_cpu_ptr(ledger_word, i) = 0;
		snapshot_add(bma_per_cpu_ptr(ledger_word, i), sizeof(uint64_t));
	}
}

void world_make(const struct shape *w)
{
	struct bma__engine_attr a = {.name = "inject",
				     .size = SIZE,
				     .align = 16,
				     .batch = w->single ? 1 : WORLD_CAPACITY};
	int rc;

	snapshot_begin();
	a.flags = w->payer ? BMA__CACHE_OWNED : 0;
	a.flavor = bma__flavor_get(NULL);
	world = (struct world){
		.e = bma__engine_create(&a, &rc), .shape = w, .worker = &worker->waker};
	must(world.e, "an engine");
	world.cache = w->payer ? payer_make(world.e) : bma__engine_handle(world.e);
	make_reserve(world.e);
	take_objects(world.e);
	enter_reserve(w);
	take_magazines(world.e->class);
	set_marks(w);
	world.plane = bma__plane_home();
	make_slot(w);
	make_guest(w);
	make_depot(w);
	set_marks(w); /* once more: what was put may have asked */
	while (ledger.nlive < WORLD_LIVE)
		ledger.live[ledger.nlive++] = next_object(LEDGER_LIVE_STATE);
	/* The rest is nobody's: it goes home. */
	bma__engine_home(world.e, BMA__NODE_ANY, objects, (uint32_t)nobjects);
	for (int i = 0; i < nobjects; i++)
		ledger.state[ledger_number(objects[i])] = LEDGER_UNKNOWN;
	world.stock = stock_of(w);
	ledger_cache = world.cache;
	ledger_reserve = world.reserve;
	ledger_capacity = world.e->capacity;
	make_heap(world.e);
	make_word();
	use_up(world.e->class);
	add_snapshots(world.e);
	if (w->payer)
		payer_charge();
	if (w->payer && payer_refuses())
		world.stock = 0;
	make_room(w);
	snapshot_take();
}

/* hoard[0] is in no shape: it is the idle one. */
static void restore_magazines(void)
{
	uint32_t class = world.e->class;

	if (world.shape->fresh)
		must(bma__mag_new_sleep(class), "a magazine");
	if (!world.shape->idle)
		return;
	use_up(class);
	bma__mag_release(class, bma__mag_word(hoard[0], 0));
}

void world_restore(void)
{
	bma__worker_forget(world.e);
	restore_magazines();
	if (world.shape->payer)
		payer_restore();
	snapshot_restore();
	must(bma__plane_home() == world.plane, "the slot's index has changed");
	world_touch();
}

void world_touch(void)
{
	errno = SNAPSHOT_ERRNO;
}

const char *world_end(void)
{
	struct bma__engine *e = world.e;
	const char *wrong;
	uint64_t live = 0;

	atomic_store(&worker->running, false);
	atomic_store(&bma__slot_at(e, world.plane)->freeze, 0);
	atomic_store(&bma__slot_at(e, world.plane)->freeze_limbo, 0);
	while (ledger.nlive)
		bma_cache_free(world.cache, ledger.live[--ledger.nlive]);
	bma__reserve_destroy(world.reserve);
	if (bma__reclaim_engine(e, &live))
		return "the engine could not be reclaimed";
	if (live)
		return "objects are missing after everything was brought home";
	wrong = world.shape->payer ? payer_end() : NULL;
	bma__engine_free(e);
	if (!wrong && bma__budget_used() != world.others)
		wrong = "something is still charged to the budget";
	atomic_fetch_sub(&bma__budget_word, rest << BMA__BUDGET_GENERATION_BITS);
	return wrong;
}
