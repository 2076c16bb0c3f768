/* SPDX-License-Identifier: MIT */
/*
 * Engines: their registry, their making and their end, see engine.h.
 * Ordering: MO-17 (docs/memory-ordering.md).
 */
#include "cache.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* A slot grows to at most this many bytes of objects. */
#define SLOT_BUDGET ((size_t)4 << 20)
#define TAPE 2u
#define TAPE_MAX 8192u
/* A magazine holds about this many bytes of objects. */
#define MAGAZINE_BUDGET ((size_t)512 << 10)
#define MAGAZINE_CLASS_MAX 6u /* capacity 254, unless asked for more */
/* Above this size objects are not kept in slots. */
#define SLOT_OBJECT_MAX ((size_t)64 << 10)
#define MAGS_PER_SLOT 3u
#define SLOTS_AHEAD 16u
/* What may wait for a grace period, unless the cache says or has much more live. */
#define LIMBO_MAX ((size_t)64 << 20)

struct bma__lock bma__registry_lock = BMA__LOCK_INIT(BMA__RANK_REGISTRY);
struct bma__heap_map bma__heap_map;
static uintptr_t planes_base;
static uint32_t planes;
static struct bma__engine *first;
static uint64_t number;
static struct bma__engine *by_id[BMA__ENGINES_MAX];
static uint32_t id_hint;

/* Where slots have CPUs: those of CPUs one after the other on one node in one go. Concurrency ids are at home nowhere. */
static void place_planes(void)
{
	uint32_t first_cpu = 0;

	if (bma__topo.nodes == 1 || bma__cpu.mode != BMA_MODE_RSEQ_CPU)
		return;
	for (uint32_t cpu = 1; cpu <= bma__cpu.possible; cpu++) {
		uint32_t node = bma__topo_node(first_cpu);

		if (cpu < bma__cpu.possible && bma__topo_node(cpu) == node)
			continue;
		bma__node_bind((void *)(planes_base + ((uintptr_t)first_cpu << BMA__SLOT_SHIFT)),
			       (size_t)(cpu - first_cpu) << BMA__SLOT_SHIFT, node);
		first_cpu = cpu;
	}
}

int bma__engine_init(void)
{
	size_t planes_bytes;

	if (planes_base)
		return 0;
	bma__cpu_init();
	planes = bma__cpu.slots + bma__cpu.guests;
	planes_bytes = ((size_t)(planes + 1) << BMA__SLOT_SHIFT) + BMA_PAGE;
	planes_base = (uintptr_t)bma__os.map(planes_bytes);
	if (!planes_base)
		return -ENOMEM;
	bma__budget_init();
	/* Where the kernel gives huge pages unasked, the first slot that a CPU uses would cost it 2 MiB. */
	bma__os.advise((void *)planes_base, planes_bytes, MADV_NOHUGEPAGE);
	place_planes();
	bma__chunk_init(bma__cpu.possible + 1);
	bma__heap_map = (struct bma__heap_map){
		.tags = (const uint16_t *)(uintptr_t)bma__chunk_tags,
		.units = bma__chunk_tags ? BMA__TAGS : 0,
		.places = planes_base + ((uintptr_t)planes << BMA__SLOT_SHIFT) + BMA_PAGE / 2,
		.slots = planes_base,
	};
	return 0;
}

bool bma__engine_has_begun(void)
{
	return planes_base;
}

uintptr_t bma__engine_no_slots(void)
{
	return planes_base; /* of id 0, which is nobody's */
}

/*
 * Handles stand in a region after the planes, half a page off: a handle and its slots then never have the
 * low twelve bits of their addresses in common. The hot calls load the one right after they have stored to
 * the other, and where these bits agree the load waits (measured: 0.25 ns of a pair of 1.95).
 */
struct bma__head bma__engine_head(const struct bma__engine *e)
{
	struct bma__head head = e->head;

	if (bma__engine_checked(e) || bma__key_has(e) ||
	    e->flags & (BMA__CACHE_OWNED | BMA__CACHE_PROFILE))
		head.mask = 0; /* neither empty nor full is anything else */
	return head;
}

struct bma_cache *bma__engine_handle(struct bma__engine *e)
{
	return bma__engine_handle_at(e->id);
}

/* The only one who writes it, and only what changes: its line is read by every call. */
static void set_mask(struct bma_cache *cache, uint64_t mask)
{
	if (__atomic_load_n(&cache->head.mask, __ATOMIC_RELAXED) != mask)
		__atomic_store_n(&cache->head.mask, mask, __ATOMIC_RELAXED);
}

/* Before an object of @e is handed out, and before walks find it: these open and shut its gate. */
static void set_handle(struct bma__engine *e, const struct bma__engine_attr *attr)
{
	struct bma_cache *cache = bma__engine_handle(e);

	cache->head = bma__engine_head(e);
	cache->engine = e;
	cache->heap = attr->heap;
	cache->class = (uint16_t)(e->size <= BMA_HEAP_CLASS_MAX ? bma__heap_class(e->size) : 0);
	cache->record = NULL;
	cache->owner = 0;
	cache->quick = false;
	cache->merged = false;
	atomic_init(&cache->interior, false);
}

/* A mask of 0: neither empty nor full is anything else. */
void bma__engine_gate(struct bma__engine *e, bool open)
{
	set_mask(bma__engine_handle(e), open ? 0 : bma__engine_head(e).mask);
}

static size_t engine_bytes(void)
{
	size_t used = bma__plane_words(planes) * sizeof(uint64_t);

	return bma__align_up(sizeof(struct bma__engine), _Alignof(struct bma__depot)) +
	       bma__topo.nodes * (sizeof(struct bma__depot) + sizeof(struct bma__slab_lists)) +
	       used + _Alignof(struct bma__depot);
}

/* The kernel's formulas (facts from its bpf/memalloc.c). */
static void kernel_marks(struct bma__engine *e, uint32_t *low, uint32_t *high, uint32_t *batch)
{
	uint32_t unit = e->geo.stride;

	*low = unit <= 256 ? 32 : 8192 / unit;
	*high = unit <= 256 ? 96 : 24576 / unit;
	*low = *low ? *low : 1;
	*high = *high < 3 ? 3 : *high;
	*batch = (*high - *low) / 4 * 3;
	*batch = *batch ? *batch : 1;
}

static uint32_t class_by_size(size_t stride)
{
	uint32_t class = MAGAZINE_CLASS_MAX;

	while (class && (bma__mag_capacity(class) + 2) * stride > MAGAZINE_BUDGET)
		class --;
	return class;
}

static uint32_t class_by_batch(uint32_t batch)
{
	uint32_t class = 0;

	while (class < BMA__MAG_CLASSES - 1 && bma__mag_capacity(class) < batch)
		class ++;
	return class;
}

/* Sizes of magazines and slots from the attributes. */
static void set_sizes(struct bma__engine *e, const struct bma__engine_attr *attr)
{
	uint32_t low = attr->low, high = attr->high, batch = attr->batch;
	size_t deepest;

	if (e->flags & BMA_CACHE_KERNEL_MARKS)
		kernel_marks(e, &low, &high, &batch);
	e->class = batch ? class_by_batch(batch) : class_by_size(e->geo.stride);
	e->capacity = bma__mag_capacity(e->class);
	if (batch == 1 || (!batch && e->geo.stride > SLOT_OBJECT_MAX))
		e->capacity = 1;
	e->attr_low = low;
	if (high) {
		e->tape = high / e->capacity + (high % e->capacity != 0);
		if (e->tape > TAPE_MAX)
			e->tape = TAPE_MAX;
		e->tape_max = e->tape;
		return;
	}
	deepest = SLOT_BUDGET / e->geo.stride / e->capacity;
	e->tape = TAPE;
	e->tape_max = deepest < TAPE ? TAPE : deepest > TAPE_MAX ? TAPE_MAX : (uint32_t)deepest;
}

static uint32_t slots_ahead(void)
{
	return planes < SLOTS_AHEAD ? planes : SLOTS_AHEAD;
}

/* What slots may hold in empty magazines: their tapes, and those in hand. */
static void promise_slots(struct bma__engine *e)
{
	uint32_t has = atomic_load_explicit(&e->slot_mags, memory_order_relaxed), want, plane;

	want = MAGS_PER_SLOT * slots_ahead();
	bma__plane_for_each (e, plane)
		want += (uint32_t)(bma__slot_high(e, plane) / e->capacity) + MAGS_PER_SLOT;
	if (want <= has || bma__mag_promise(e->class, want - has))
		return;
	atomic_fetch_add_explicit(&e->slot_mags, want - has, memory_order_relaxed);
}

/* Objects that are neither in a slab nor in a depot: live, in slots, in limbo, in hand. */
static uint64_t in_use(struct bma__engine *e)
{
	uint64_t away;

	bma__lock_take(&e->lock);
	away = e->objs_carved - e->objs_home;
	bma__lock_drop(&e->lock);
	for (uint32_t node = 0; node < bma__topo.nodes; node++) {
		uint64_t stock = (uint64_t)bma__depot_depth(&e->depot[node]) * e->capacity;

		away = away > stock ? away - stock : 0;
	}
	return away;
}

/* By default a quarter of what is live. */
static uint64_t limbo_max(struct bma__engine *e, uint64_t used)
{
	uint64_t least = LIMBO_MAX / e->geo.stride;

	if (e->attr_limbo_max)
		return e->attr_limbo_max / e->geo.stride + !!(e->attr_limbo_max % e->geo.stride);
	return used / 4 > least ? used / 4 : least;
}

/*
 * As much as is in use, within bounds: a cache of few objects is not to have thousands in stock. But where objects are freed by
 * another CPU the stock is the way that they go before they are allocated again, and a long one is faster: see depot.h.
 */
static uint64_t default_target(struct bma__engine *e, uint64_t used, uint64_t slots)
{
	uint32_t boost = atomic_load_explicit(&e->boost, memory_order_relaxed);
	uint64_t most = (4 * (uint64_t)e->tape * e->capacity * slots) << boost;
	uint64_t least = (2 * (uint64_t)e->capacity) << boost;

	if (atomic_load_explicit(&e->hands_over, memory_order_relaxed))
		return most;
	return used < least ? least : used > most ? most : used;
}

void bma__engine_set_marks(struct bma__engine *e)
{
	uint64_t slots = bma__plane_count(e), target = e->attr_reserve, used = in_use(e), low;
	uint64_t used_nodes = atomic_load_explicit(&e->nodes_used, memory_order_relaxed);
	uint32_t nodes = used_nodes ? (uint32_t)__builtin_popcountll(used_nodes) : 1, mags;

	slots = slots ? slots : 1;
	if (!target)
		target = default_target(e, used, slots);
	/* No stock is refilled under a mark of 0, and none reaches a mark above it. */
	low = e->attr_low ? e->attr_low * slots : target / 4;
	low = low ? low : 1;
	low = low < target ? low : target;
	mags = (bma__engine_mags(e, target) + nodes - 1) / nodes;
	atomic_store_explicit(&e->target_mags, mags, memory_order_relaxed);
	atomic_store_explicit(&e->low_mags, (bma__engine_mags(e, low) + nodes - 1) / nodes,
			      memory_order_relaxed);
	atomic_store_explicit(&e->high_mags, 2 * mags + 2, memory_order_relaxed);
	atomic_store_explicit(&e->limbo_max, limbo_max(e, used), memory_order_relaxed);
	promise_slots(e);
}

static int take_id(struct bma__engine *e)
{
	for (uint32_t i = 0; i < BMA__ENGINES_MAX; i++) {
		uint32_t id = (id_hint + i) % BMA__ENGINES_MAX;

		if (by_id[id] || id == BMA__TAG_NONE || id == BMA__TAG_LARGE)
			continue;
		by_id[id] = e;
		id_hint = id + 1;
		e->id = id;
		e->geo.tag = (uint16_t)id;
		return 0;
	}
	return -ENOSPC;
}

/* What objects are carved with. */
static int take_place(struct bma__engine *e, const struct bma__engine_attr *attr)
{
	int rc;

	bma__lock_take(&bma__registry_lock);
	rc = take_id(e);
	if (!rc) {
		e->head.slots = planes_base + (uintptr_t)e->id * BMA_CACHELINE;
		set_handle(e, attr);
	}
	bma__lock_drop(&bma__registry_lock);
	return rc;
}

/*
 * Once it is whole, stock and all. Who drained it before would give slabs up whose destructors are to run here if the stock cannot be had, and later
 * than the creation that failed: the context is the caller's again by then, and the engine gone.
 */
static void enter_registry(struct bma__engine *e)
{
	bma__lock_take(&bma__registry_lock);
	e->next = first;
	if (first)
		first->prev = e;
	first = e;
	number++;
	e->entered = true;
	bma__lock_drop(&bma__registry_lock);
}

static void unlink_engine(struct bma__engine *e)
{
	if (e->prev)
		e->prev->next = e->next;
	else
		first = e->next;
	if (e->next)
		e->next->prev = e->prev;
	number--;
}

/* Out of the registry, once nobody works on it: a walk that stands on it needs its links. */
static void leave_registry(struct bma__engine *e)
{
	uint32_t plane;

	bma__lock_take(&bma__registry_lock);
	while (atomic_load_explicit(&e->pins, memory_order_acquire)) {
		bma__lock_drop(&bma__registry_lock);
		bma__os_sleep(50000);
		bma__lock_take(&bma__registry_lock);
	}
	if (e->entered)
		unlink_engine(e);
	/* Before the id can be taken again: the next owner's slots are these. */
	bma__plane_for_each (e, plane) {
		bma__budget_close(e, bma__slot_at(e, plane));
		memset((void *)bma__slot_at(e, plane), 0, sizeof(struct bma__slot));
	}
	/* Tags of its slabs lead here until the slabs are gone. */
	*bma__engine_handle(e) = (struct bma_cache){0};
	by_id[e->id] = NULL;
	id_hint = e->id;
	bma__lock_drop(&bma__registry_lock);
}

static struct bma__engine *make(const struct bma__engine_attr *attr)
{
	bool owned = attr->flags & BMA__CACHE_OWNED;
	size_t bytes = engine_bytes(), at;
	struct bma__engine *e = bma__meta_alloc(bytes);

	if (!e)
		return NULL;
	e->bytes = bytes;
	at = bma__align_up((uintptr_t)(e + 1), _Alignof(struct bma__depot));
	e->depot = (struct bma__depot *)at;
	e->slabs = (struct bma__slab_lists *)(e->depot + bma__topo.nodes);
	e->used = (_Atomic uint64_t *)(e->slabs + bma__topo.nodes);
	e->numa = attr->numa;
	e->numa_node = bma__topo_node_by_os(attr->numa.node);
	for (uint32_t node = 0; node < bma__topo.nodes; node++)
		atomic_init(&e->depot[node].low_seen, UINT32_MAX);
	bma__lock_init(&e->lock, BMA__RANK_ENGINE);
	e->planes = planes;
	e->size = attr->size;
	e->align = attr->align;
	e->flags = attr->flags;
	e->flavor = attr->flavor;
	e->attr_limbo_max = attr->limbo_max;
	e->ctor = attr->ctor;
	e->dtor = attr->dtor;
	e->ctx = attr->ctx;
	e->attr_reserve = attr->reserve;
	if (attr->flags & BMA_CACHE_GUARD) {
		bma__slab_geometry_guard(&e->geo, attr->size, attr->align, owned);
		bma__segv_init();
	} else {
		bma__slab_geometry(
			&e->geo, attr->size + (attr->flags & BMA_CACHE_REDZONE ? BMA__REDZONE : 0),
			attr->align, owned);
	}
	e->geo.percpu = attr->flags & BMA_CACHE_PERCPU;
	e->geo.checked = attr->flags & BMA__CACHE_CHECKS;
	e->geo.tracked = attr->flags & BMA_CACHE_TRACK;
	if (e->geo.tracked)
		bma__track_prepare();
	if (bma__key_has(e))
		bma__key_prepare(e);
	set_sizes(e, attr);
	if (attr->name)
		snprintf(e->name, sizeof e->name, "%s", attr->name);
	else
		snprintf(e->name, sizeof e->name, "cache-%zu", attr->size);
	e->head.mask = bma__mag_size(e->class) - 16;
	e->head.index = bma__cpu.mode == BMA_MODE_GUEST ? BMA__RSEQ_CPU_ID : bma__cpu.index;
	e->record = owned ? NULL : attr->record ? attr->record : bma__record_root;
	e->charge = e->geo.stride * bma__percpu_copies(e->geo.percpu);
	e->minus = 0 - e->charge;
	e->quick = owned && bma__chunk_tags && !bma__engine_checked(e) && !bma__key_has(e) &&
		   !(e->flags & BMA__CACHE_PROFILE);
	if ((!(e->flags & BMA_CACHE_SAMPLE) || !bma__sample_prepare()) &&
	    (!owned || !bma__owner_prepare(e)) && !bma__quarantine_make(e)) {
		if (e->flags & BMA__CACHE_TOOLS)
			bma__tools_pool(e, true);
		return e;
	}
	bma__owner_end(e);
	bma__meta_free(e, e->bytes);
	return NULL;
}

/* The reserve that was asked for, or one magazine, so that the first any-context call finds one. */
static int stock(struct bma__engine *e)
{
	uint32_t mags = e->attr_reserve ? bma__engine_mags(e, e->attr_reserve) : 1;
	uint32_t node = bma__topo_node_now();

	bma__engine_use_node(e, node);
	while (mags--) {
		uintptr_t word = bma__refill_magazine(e, node);

		if (!word)
			return e->refused ? -EDQUOT : -ENOMEM;
		bma__depot_add(e, &e->depot[node], word);
	}
	return 0;
}

struct bma__engine *bma__engine_create(const struct bma__engine_attr *attr, int *rc)
{
	struct bma__engine *e = make(attr);

	*rc = -ENOMEM;
	if (!e)
		return NULL;
	*rc = take_place(e, attr);
	if (*rc) {
		bma__quarantine_free(e);
		bma__owner_end(e);
		bma__meta_free(e, e->bytes);
		return NULL;
	}
	bma__engine_set_marks(e);
	*rc = stock(e);
	if (!*rc) {
		e->ctx_free = attr->ctx_free;
		e->own_record = attr->record && !attr->heap;
		enter_registry(e);
		bma__sample_begin(e);
		return e;
	}
	bma__reclaim_unused(e);
	bma__engine_free(e);
	return NULL;
}

/* Nobody has it pinned once it has left the registry, so nobody runs a destructor of it. */
void bma__engine_free(struct bma__engine *e)
{
	struct bma__record *record = e->own_record ? e->record : NULL;
	void (*ctx_free)(void *ctx) = e->ctx_free;
	void *ctx = e->ctx;

	bma__profile_end(e);
	leave_registry(e);
	bma__numa_engine_gone(e);
	bma__mag_unpromise(e->class, atomic_load_explicit(&e->slot_mags, memory_order_relaxed));
	bma__quarantine_free(e);
	bma__owner_end(e);
	if (e->entered)
		bma__sample_end(e);
	if (e->flags & BMA__CACHE_TOOLS)
		bma__tools_pool(e, false);
	bma__meta_free(e, e->bytes);
	bma__record_close(record);
	if (ctx_free)
		ctx_free(ctx);
}

struct bma__engine *bma__engine_next(struct bma__engine *e)
{
	struct bma__engine *n;

	bma__lock_take(&bma__registry_lock);
	n = e ? e->next : first;
	if (n)
		atomic_fetch_add_explicit(&n->pins, 1, memory_order_relaxed);
	bma__lock_drop(&bma__registry_lock);
	if (e)
		bma__engine_unpin(e);
	return n;
}

/* In a child of fork the pins of threads that are not there have been forgotten, perhaps also ours.
 */
void bma__engine_unpin(struct bma__engine *e)
{
	uint32_t pins = atomic_load_explicit(&e->pins, memory_order_relaxed);

	while (pins &&
	       !atomic_compare_exchange_weak_explicit(&e->pins, &pins, pins - 1,
						      memory_order_release, memory_order_relaxed))
		;
}

struct bma__engine *bma__engine_pin(uint32_t id)
{
	struct bma__engine *e;

	bma__lock_take(&bma__registry_lock);
	e = by_id[id];
	if (e && !e->entered)
		e = NULL;
	if (e)
		atomic_fetch_add_explicit(&e->pins, 1, memory_order_relaxed);
	bma__lock_drop(&bma__registry_lock);
	return e;
}

uint64_t bma__engine_number(void)
{
	uint64_t n;

	bma__lock_take(&bma__registry_lock);
	n = number;
	bma__lock_drop(&bma__registry_lock);
	return n;
}

struct bma__engine *bma__engine_first_locked(void)
{
	return first;
}
