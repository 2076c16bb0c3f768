/* SPDX-License-Identifier: MIT */
/* Slabs, see slab.h. Ordering: MO-4 (docs/memory-ordering.md). */
#include "page.h"

#include <sys/mman.h>

#define COLOUR 64u
#define COLOUR_SPAN 4096u
#define COLOUR_STRIDE_MAX 32768u
#define COLOUR_STRIDE_MIN 256u
#define OBJECT_MIN 8u
#define PLAIN_GROUP 64u /* without colour: a group is only what is cut in one go */
#define WASTE_MAX 1250u /* an eighth, in 1/10000 */

static uint32_t words(uint32_t objs)
{
	return (objs + 63) / 64;
}

static size_t meta_size(const struct bma__slab_geometry *geo)
{
	return sizeof(struct bma__slab) +
	       (geo->checked ? 5 : 2) * sizeof(uint64_t) * words(geo->objs) +
	       (geo->tracked ? sizeof(struct bma__slab_track) * geo->objs : 0);
}

/* Where the owners of @objs objects begin: guard pages reach over whole pages. */
static uint64_t owners_at(const struct bma__slab_geometry *geo, uint32_t objs)
{
	uint64_t end = (uint64_t)((objs - 1) / geo->group) * geo->span +
		       (uint64_t)((objs - 1) % geo->group + 1) * geo->stride;

	return geo->guard ? bma__align_up(end, BMA_PAGE) : end;
}

/* One more than there are objects: an address at the end of the last one may be counted as behind it. */
static uint64_t owners_size(uint32_t objs)
{
	return sizeof(uint16_t) * ((uint64_t)objs + 1);
}

uint32_t bma__slab_waste(const struct bma__slab_geometry *geo)
{
	uint64_t bytes = (uint64_t)geo->units << BMA__UNIT_SHIFT;
	uint64_t objects = (uint64_t)geo->objs * geo->stride;

	/* Owners are there for the objects' sake, whatever the slab's size. */
	if (geo->owned)
		objects += owners_size(geo->objs);

	return (uint32_t)(((bytes - objects + meta_size(geo)) * 10000 + bytes - 1) / bytes);
}

static void fill(struct bma__slab_geometry *geo, uint32_t units)
{
	uint64_t bytes = (uint64_t)units << BMA__UNIT_SHIFT;
	uint64_t groups = bytes / geo->span;
	uint64_t rest = (bytes - groups * geo->span) / geo->stride;

	if (rest > geo->group)
		rest = geo->group;
	geo->units = units;
	geo->objs = (uint32_t)(groups * geo->group + rest);
	while (geo->owned && geo->objs &&
	       owners_at(geo, geo->objs) + owners_size(geo->objs) > bytes)
		geo->objs--;
	geo->owners = geo->owned && geo->objs ? (uint32_t)owners_at(geo, geo->objs) : 0;
}

void bma__slab_geometry(struct bma__slab_geometry *geo, size_t size, size_t align, bool owned)
{
	struct bma__slab_geometry best = {0};
	uint32_t stride = (uint32_t)bma__align_up(size < OBJECT_MIN ? OBJECT_MIN : size, align);

	geo->stride = stride;
	geo->checked = geo->tracked = geo->guard = geo->percpu = false;
	geo->owned = owned;
	geo->tag = BMA__TAG_NONE;
	geo->offset = 0;
	geo->group = PLAIN_GROUP;
	geo->span = stride * PLAIN_GROUP;
	if (align <= COLOUR && stride >= COLOUR_STRIDE_MIN && stride <= COLOUR_STRIDE_MAX) {
		if (COLOUR_SPAN % stride == 0) {
			geo->group = COLOUR_SPAN / stride;
			geo->span = COLOUR_SPAN + COLOUR;
		} else if (stride % COLOUR_SPAN == 0) {
			geo->group = 1;
			geo->span = stride + COLOUR;
		}
	}
	for (uint32_t units = 1; units <= BMA__CHUNK_UNITS; units *= 2) {
		fill(geo, units);
		if (!geo->objs)
			continue;
		if (!best.objs || bma__slab_waste(geo) < bma__slab_waste(&best))
			best = *geo;
		if (bma__slab_waste(geo) <= WASTE_MAX)
			break;
	}
	*geo = best;
}

void bma__slab_geometry_guard(struct bma__slab_geometry *geo, size_t size, size_t align, bool owned)
{
	size_t pages = bma__align_up(size, BMA_PAGE);

	*geo = (struct bma__slab_geometry){.guard = true, .group = 1, .owned = owned};
	if (align > BMA_PAGE)
		pages = bma__align_up(pages, align);
	geo->offset = (uint32_t)(pages - bma__align_up(size, align));
	/* An alignment over a page has to come out again in the next place. */
	geo->stride = geo->span = (uint32_t)bma__align_up(pages + BMA_PAGE, align);
	for (uint32_t units = 1; units <= BMA__CHUNK_UNITS && !geo->objs; units *= 2)
		fill(geo, units);
}

static char *object(const struct bma__slab *slab, uint32_t i)
{
	const struct bma__slab_geometry *geo = &slab->geo;

	return slab->base + geo->offset + (size_t)(i / geo->group) * geo->span +
	       (size_t)(i % geo->group) * geo->stride;
}

void *bma__slab_near(const struct bma__slab *slab, const void *at)
{
	const struct bma__slab_geometry *geo = &slab->geo;
	size_t offset = (size_t)((const char *)at - slab->base);
	uint32_t in = (uint32_t)(offset % geo->span) / geo->stride;
	uint32_t i = (uint32_t)(offset / geo->span) * geo->group +
		     (in < geo->group ? in : geo->group - 1);

	return object(slab, i < slab->geo.objs ? i : slab->geo.objs - 1);
}

void *bma__slab_object(const struct bma__slab *slab, uint32_t i)
{
	return object(slab, i);
}

/* Index of @obj, or UINT32_MAX if it is not where an object begins. */
static uint32_t index_of(const struct bma__slab *slab, const void *obj)
{
	const struct bma__slab_geometry *geo = &slab->geo;
	uint32_t offset = (uint32_t)((const char *)obj - slab->base) - geo->offset;
	uint32_t in = offset % geo->span, i;

	if (in % geo->stride || in / geo->stride >= geo->group)
		return UINT32_MAX;
	i = offset / geo->span * geo->group + in / geo->stride;
	return i < geo->objs ? i : UINT32_MAX;
}

/* Of a slab, without what is the library's own. */
static size_t object_bytes(const struct bma__slab_geometry *geo)
{
	return geo->owned ? geo->owners : geo->units * BMA__UNIT_SIZE;
}

/* Its units, with a page where it should be if there is one to be had. Before anything says what they are. */
static bool get_units(struct bma__slab *slab, const struct bma__slab_geometry *geo, bool strict)
{
	slab->base = bma__chunk_alloc(geo->units, slab->node);
	if (!slab->base)
		return false;
	if (bma__node_settle(slab->base, geo->units * BMA__UNIT_SIZE, slab->node, strict) ||
	    !strict)
		return true;
	/* Not to be met again by who comes next. */
	bma__os.advise(slab->base, geo->units * BMA__UNIT_SIZE, MADV_DONTNEED);
	bma__chunk_free(slab->base, geo->units);
	return false;
}

struct bma__slab *bma__slab_create(const struct bma__slab_geometry *geo, void *owner, uint32_t node,
				   bool strict)
{
	struct bma__slab *slab = bma__meta_alloc(meta_size(geo));

	if (!slab)
		return NULL;
	slab->node = geo->percpu ? BMA__NODE_PERCPU : node;
	if (!get_units(slab, geo, strict)) {
		bma__meta_free(slab, meta_size(geo));
		return NULL;
	}
	slab->geo = *geo;
	bma__node_count(slab->node, (int64_t)geo->units * (int64_t)BMA__UNIT_SIZE);
	slab->owner = owner;
	slab->free = (uint64_t *)(slab + 1);
	slab->parked = (_Atomic uint64_t *)(slab->free + words(geo->objs));
	if (geo->checked) {
		slab->live = slab->parked + words(geo->objs);
		slab->by_rcu = slab->live + words(geo->objs);
		slab->filled = slab->by_rcu + words(geo->objs);
		if (geo->tracked)
			slab->tracks =
				(struct bma__slab_track *)(void *)(slab->filled + words(geo->objs));
	}
	/* Per-CPU objects are not told to tools one by one, so neither is what is around them. */
	if (!geo->percpu)
		bma__tools_slab(slab->base, object_bytes(geo), true);
	if (geo->guard)
		bma__guard_close(slab->base, object_bytes(geo));
	bma__chunk_set_slab(slab->base, geo->units, slab);
	bma__chunk_set_tag(slab->base, geo->units, geo->tag);
	return slab;
}

size_t bma__slab_alignment(const struct bma__slab_geometry *geo)
{
	size_t bits = geo->stride | geo->span | geo->offset | BMA__UNIT_SIZE;

	return bits & -bits;
}

size_t bma__slab_bytes(const struct bma__slab *slab)
{
	return slab->geo.units ? slab->geo.units * BMA__UNIT_SIZE : bma__large_bytes(slab);
}

void bma__slab_destroy(struct bma__slab *slab)
{
	if (!slab->geo.units) {
		bma__large_destroy(slab);
		return;
	}
	bma__node_count(slab->node, -(int64_t)slab->geo.units * (int64_t)BMA__UNIT_SIZE);
	bma__chunk_set_tag(slab->base, slab->geo.units, BMA__TAG_NONE);
	bma__chunk_set_slab(slab->base, slab->geo.units, NULL);
	if (!slab->geo.percpu)
		bma__tools_slab(slab->base, object_bytes(&slab->geo), false);
	if (slab->geo.guard)
		bma__guard_open(slab->base, object_bytes(&slab->geo));
	bma__chunk_free(slab->base, slab->geo.units);
	bma__meta_free(slab, meta_size(&slab->geo));
}

uint32_t bma__slab_take(struct bma__slab *slab, void **out, uint32_t n, uint32_t *recycled)
{
	uint32_t got = 0, end = words(slab->geo.objs), carved;

	while (got < n && slab->nfree) {
		uint32_t w = slab->hint;

		bma__assert(w < end);
		while (slab->free[w] && got < n) {
			uint32_t bit = (uint32_t)__builtin_ctzll(slab->free[w]);

			slab->free[w] &= slab->free[w] - 1;
			slab->nfree--;
			out[got++] = object(slab, w * 64 + bit);
		}
		if (!slab->free[w])
			slab->hint = w + 1 < end ? w + 1 : 0;
	}
	*recycled = got;
	carved = atomic_load_explicit(&slab->carved, memory_order_relaxed);
	while (got < n && carved < slab->geo.objs) {
		/* By the group: a division for each object would cost as much as all the rest. */
		uint32_t in = carved % slab->geo.group, left = slab->geo.group - in;
		char *obj = object(slab, carved);

		if (left > n - got)
			left = n - got;
		if (left > slab->geo.objs - carved)
			left = slab->geo.objs - carved;
		carved += left;
		for (; left; left--, obj += slab->geo.stride)
			out[got++] = obj;
	}
	atomic_store_explicit(&slab->carved, carved, memory_order_relaxed);
	return got;
}

static enum bma__slab_result check_index(const struct bma__slab *slab, uint32_t i)
{
	if (i == UINT32_MAX)
		return BMA__SLAB_INTERIOR;
	/* Racy for an address that nobody was given; exact for one that somebody was. */
	if (i >= atomic_load_explicit(&slab->carved, memory_order_relaxed))
		return BMA__SLAB_NEVER_CARVED;
	return BMA__SLAB_OK;
}

enum bma__slab_result bma__slab_check(const struct bma__slab *slab, const void *obj)
{
	return check_index(slab, index_of(slab, obj));
}

enum bma__slab_result bma__slab_put(struct bma__slab *slab, const void *obj)
{
	uint32_t i = index_of(slab, obj);
	enum bma__slab_result check = check_index(slab, i);
	uint64_t bit = 1ull << i % 64;

	if (check != BMA__SLAB_OK)
		return check;
	if (slab->free[i / 64] & bit ||
	    atomic_load_explicit(&slab->parked[i / 64], memory_order_relaxed) & bit)
		return BMA__SLAB_DOUBLE;
	slab->free[i / 64] |= bit;
	slab->nfree++;
	if (i / 64 < slab->hint)
		slab->hint = i / 64;
	return BMA__SLAB_OK;
}

enum bma__slab_result bma__slab_park(struct bma__slab *slab, const void *obj)
{
	enum bma__slab_result check = bma__slab_check(slab, obj);
	uint32_t i = index_of(slab, obj);
	uint64_t bit = 1ull << i % 64;

	if (check != BMA__SLAB_OK)
		return check;
	if (atomic_fetch_or_explicit(&slab->parked[i / 64], bit, memory_order_release) & bit)
		return BMA__SLAB_DOUBLE;
	return BMA__SLAB_OK;
}

bool bma__slab_is_parked(const struct bma__slab *slab, const void *obj)
{
	uint32_t i = index_of(slab, obj);

	return atomic_load_explicit(&slab->parked[i / 64], memory_order_relaxed) & 1ull << i % 64;
}

uint32_t bma__slab_count_parked(const struct bma__slab *slab)
{
	uint32_t n = 0, end = words(slab->geo.objs);

	for (uint32_t w = 0; w < end; w++)
		n += (uint32_t)__builtin_popcountll(
			atomic_load_explicit(&slab->parked[w], memory_order_relaxed));
	return n;
}

uint32_t bma__slab_unpark(struct bma__slab *slab, void **out, uint32_t n)
{
	uint32_t got = 0, end = words(slab->geo.objs);

	for (uint32_t w = 0; w < end && got < n; w++) {
		uint64_t bits = atomic_load_explicit(&slab->parked[w], memory_order_relaxed);

		while (bits && got < n) {
			uint64_t bit = bits & -bits;

			bits &= ~bit;
			atomic_fetch_and_explicit(&slab->parked[w], ~bit, memory_order_acquire);
			out[got++] = object(slab, w * 64 + (uint32_t)__builtin_ctzll(bit));
		}
	}
	return got;
}

void bma__slab_take_live(struct bma__slab *slab, const void *obj)
{
	uint32_t i = index_of(slab, obj);

	atomic_fetch_or_explicit(&slab->live[i / 64], 1ull << i % 64, memory_order_relaxed);
}

enum bma__slab_result bma__slab_drop_live(struct bma__slab *slab, const void *obj, bool rcu)
{
	uint32_t i = index_of(slab, obj);
	uint64_t bit = 1ull << i % 64;

	if (!(atomic_fetch_and_explicit(&slab->live[i / 64], ~bit, memory_order_relaxed) & bit))
		return atomic_load_explicit(&slab->by_rcu[i / 64], memory_order_relaxed) & bit
			       ? BMA__SLAB_FREED_RCU
			       : BMA__SLAB_FREED;
	if (rcu)
		atomic_fetch_or_explicit(&slab->by_rcu[i / 64], bit, memory_order_relaxed);
	else
		atomic_fetch_and_explicit(&slab->by_rcu[i / 64], ~bit, memory_order_relaxed);
	return BMA__SLAB_OK;
}

static bool is_set(const _Atomic uint64_t *bits, uint32_t i)
{
	return atomic_load_explicit(&bits[i / 64], memory_order_relaxed) >> i % 64 & 1;
}

bool bma__slab_was_rcu(const struct bma__slab *slab, const void *obj)
{
	return is_set(slab->by_rcu, index_of(slab, obj));
}

bool bma__slab_is_live(const struct bma__slab *slab, uint32_t i)
{
	return is_set(slab->live, i);
}

bool bma__slab_set_filled(struct bma__slab *slab, const void *obj, bool filled)
{
	uint32_t i = index_of(slab, obj);
	uint64_t bit = 1ull << i % 64;

	if (filled)
		return atomic_fetch_or_explicit(&slab->filled[i / 64], bit, memory_order_relaxed) &
		       bit;
	return atomic_fetch_and_explicit(&slab->filled[i / 64], ~bit, memory_order_relaxed) & bit;
}

struct bma__slab_track *bma__slab_track(struct bma__slab *slab, const void *obj)
{
	return slab->tracks ? &slab->tracks[index_of(slab, obj)] : NULL;
}
