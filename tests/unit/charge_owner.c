/* SPDX-License-Identifier: MIT */
/* Where owners stand: found from an object's address by a product; here by a division, for all strides. */
#include "cache/cache.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "test.h"

#define SIZES 1500
#define FAR ((uintptr_t)1 << 40) /* where a slab could stand; nothing is read there */

static void setup(void)
{
	bma__env_parse("worker:off");
	cr_assert_eq(bma__engine_init(), 0);
}

TestSuite(charge_owner, .init = setup);

/* The address of object @i, as slab.h says it. */
static uintptr_t object_at(const struct bma__slab_geometry *g, uint32_t i)
{
	return FAR + g->offset + (uintptr_t)(i / g->group) * g->span +
	       (uintptr_t)(i % g->group) * g->stride;
}

/* Each object has its own 16 bits, in its order, behind the last object and in the slab. */
static void check_geometry(const struct bma__slab_geometry *g)
{
	struct bma__engine e = {.geo = *g};
	uintptr_t end = FAR + (uintptr_t)g->units * BMA__UNIT_SIZE;

	cr_assert_eq(bma__owner_prepare(&e), 0);
	cr_assert_geq(FAR + g->owners, object_at(g, g->objs - 1) + g->stride - g->offset);
	cr_assert_eq(g->owners % sizeof(uint16_t), 0);
	for (uint32_t i = 0; i < g->objs; i++) {
		uintptr_t owner = (uintptr_t)bma__owner_of(&e, (void *)object_at(g, i));

		cr_assert_eq(owner, FAR + g->owners + i * sizeof(uint16_t),
			     "object %u of %u: stride %u group %u span %u", i, g->objs, g->stride,
			     g->group, g->span);
		cr_assert_leq(owner + sizeof(uint16_t), end);
	}
	bma__owner_end(&e);
}

/* An address inside an object may be anybody's, but is never out of bounds. */
static void check_inside(const struct bma__slab_geometry *g, uint64_t *rng)
{
	struct bma__engine e = {.geo = *g};

	cr_assert_eq(bma__owner_prepare(&e), 0);
	for (int i = 0; i < 200; i++) {
		uintptr_t at = FAR + test_random(rng) % g->owners;
		uintptr_t owner = (uintptr_t)bma__owner_of(&e, (void *)at);

		cr_assert_geq(owner, FAR + g->owners);
		cr_assert_leq(owner + sizeof(uint16_t), FAR + (uintptr_t)g->units * BMA__UNIT_SIZE,
			      "offset %zu: stride %u group %u span %u", (size_t)(at - FAR),
			      g->stride, g->group, g->span);
	}
	bma__owner_end(&e);
}

Test(charge_owner, all_small_strides)
{
	for (size_t size = 8; size <= 4096; size += 8) {
		struct bma__slab_geometry g;

		bma__slab_geometry(&g, size, size % 16 ? 8 : 16, true);
		check_geometry(&g);
	}
}

Test(charge_owner, sizes_and_alignments)
{
	uint64_t rng = 4711;

	for (int i = 0; i < SIZES; i++) {
		size_t size = 8 + test_random(&rng) % ((size_t)1 << (4 + test_random(&rng) % 17));
		size_t align = (size_t)8 << test_random(&rng) % 14;
		struct bma__slab_geometry g;

		bma__slab_geometry(&g, size, align, true);
		check_geometry(&g);
		check_inside(&g, &rng);
	}
}

Test(charge_owner, guarded)
{
	for (size_t size = 8; size <= 9000; size += 8 * (1 + size / 100)) {
		for (size_t align = 8; align <= 4096; align *= 4) {
			struct bma__slab_geometry g;

			bma__slab_geometry_guard(&g, size, align, true);
			check_geometry(&g);
		}
	}
}

/* The places of the table: 0 is nobody's, one that was given back is had again. */
Test(charge_owner, places)
{
	struct bma__engine e = {.lock = BMA__LOCK_INIT(BMA__RANK_ENGINE)};
	static struct bma__record record, *r = &record;
	uint64_t seen[BMA__OWNERS_MAX / 64] = {0};

	bma__slab_geometry(&e.geo, 64, 16, true);
	cr_assert_eq(bma__owner_prepare(&e), 0);
	for (uint32_t i = 1; i < BMA__OWNER_ODD; i++) {
		uint16_t owner = bma__owner_enter(&e, r);

		cr_assert_neq(owner, 0);
		cr_assert_not(seen[owner / 64] >> owner % 64 & 1);
		seen[owner / 64] |= (uint64_t)1 << owner % 64;
	}
	cr_assert_eq(bma__owner_enter(&e, r), 0);
	bma__owner_leave(&e, 4321);
	cr_assert_eq(bma__owner_enter(&e, r), 4321);
	cr_assert_eq(bma__owner_enter(&e, r), 0);
	bma__owner_end(&e);
}
