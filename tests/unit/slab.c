/* SPDX-License-Identifier: MIT */
/* Slabs: geometry, carving, coming home, parking, misuse. */
#include "page/page.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void setup(void)
{
	bma__env_parse(NULL);
	bma__topo_init(1);
}

TestSuite(slab, .init = setup);

static size_t natural(size_t size)
{
	return size % 16 ? 8 : 16;
}

Test(slab, waste_is_at_most_an_eighth)
{
	for (size_t size = 16; size <= 32768; size++) {
		struct bma__slab_geometry g;
		uint64_t bytes, meta;

		bma__slab_geometry(&g, size, natural(size), false);
		bytes = (uint64_t)g.units << BMA__UNIT_SHIFT;
		meta = sizeof(struct bma__slab) + 16ull * ((g.objs + 63) / 64);
		cr_assert_leq((bytes - (uint64_t)g.objs * g.stride + meta) * 8, bytes,
			      "size %zu: %u objects of %u in %llu", size, g.objs, g.stride,
			      (unsigned long long)bytes);
	}
}

Test(slab, every_size_and_alignment_has_a_geometry)
{
	for (size_t align = 8; align <= 65536; align *= 2) {
		for (size_t size = 1; size <= (1u << 20); size = size * 5 / 4 + 1) {
			struct bma__slab_geometry g;

			bma__slab_geometry(&g, size, align, false);
			cr_assert_geq(g.objs, 1, "size %zu align %zu", size, align);
			cr_assert_geq(g.stride, size);
			cr_assert_eq(g.stride % align, 0);
			cr_assert_eq(g.span % align, 0);
		}
	}
}

static void round_trip(size_t size, size_t align)
{
	struct bma__slab_geometry g;
	struct bma__slab *s;
	void **objs;
	uint32_t n, recycled;

	bma__slab_geometry(&g, size, align, false);
	s = bma__slab_create(&g, NULL, 0, false);
	objs = malloc((g.objs + 1) * sizeof *objs);
	n = bma__slab_take(s, objs, g.objs + 1, &recycled);
	cr_assert_eq(n, g.objs);
	cr_assert_eq(recycled, 0);
	cr_assert(bma__slab_spent(s));
	for (uint32_t i = 0; i < n; i++) {
		char *p = objs[i];

		cr_assert_eq((uintptr_t)p % align, 0);
		cr_assert_eq(bma__chunk_slab(p), s);
		cr_assert_eq(bma__chunk_slab(p + size - 1), s);
		cr_assert_eq(bma__slab_check(s, p), BMA__SLAB_OK);
		cr_assert_eq(bma__slab_check(s, p + 1), BMA__SLAB_INTERIOR);
		cr_assert_eq(bma__slab_check(s, p + size - 1),
			     size == 1 ? BMA__SLAB_OK : BMA__SLAB_INTERIOR);
		if (i)
			cr_assert_geq(p - (char *)objs[i - 1], (ptrdiff_t)size);
	}
	for (uint32_t i = 0; i < n; i++)
		cr_assert_eq(bma__slab_put(s, objs[(i * 7919u) % n]), BMA__SLAB_OK);
	cr_assert(bma__slab_empty(s));
	cr_assert_eq(bma__slab_take(s, objs, g.objs, &recycled), n);
	cr_assert_eq(recycled, n);
	free(objs);
	bma__slab_destroy(s);
}

Test(slab, all_objects_go_and_come_home)
{
	static const size_t sizes[] = {8,    16,   24,	 64,   100,   256,   512,    1000,   1024,
				       2048, 4096, 5000, 8192, 16384, 32768, 100000, 1 << 20};

	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
		round_trip(sizes[i], natural(sizes[i]));
	round_trip(64, 64);
	round_trip(64, 4096);
	round_trip(100, 65536);
}

Test(slab, misuse_is_told_apart)
{
	struct bma__slab_geometry g;
	struct bma__slab *s;
	void *objs[4];
	uint32_t recycled;

	bma__slab_geometry(&g, 64, 16, false);
	s = bma__slab_create(&g, NULL, 0, false);
	bma__slab_take(s, objs, 2, &recycled);
	cr_assert_eq(bma__slab_put(s, (char *)objs[0] + 8), BMA__SLAB_INTERIOR);
	cr_assert_eq(bma__slab_put(s, (char *)objs[1] + 64), BMA__SLAB_NEVER_CARVED);
	cr_assert_eq(bma__slab_put(s, objs[0]), BMA__SLAB_OK);
	cr_assert_eq(bma__slab_put(s, objs[0]), BMA__SLAB_DOUBLE);
	cr_assert_eq(bma__slab_park(s, objs[1]), BMA__SLAB_OK);
	cr_assert_eq(bma__slab_park(s, objs[1]), BMA__SLAB_DOUBLE);
	cr_assert_eq(bma__slab_put(s, objs[1]), BMA__SLAB_DOUBLE);
}

Test(slab, parked_objects_are_collected_once)
{
	struct bma__slab_geometry g;
	struct bma__slab *s;
	void *objs[200], *back[200];
	uint32_t recycled, n = 0;

	bma__slab_geometry(&g, 128, 16, false);
	s = bma__slab_create(&g, NULL, 0, false);
	cr_assert_eq(bma__slab_take(s, objs, 200, &recycled), 200);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(bma__slab_park(s, objs[i]), BMA__SLAB_OK);
	for (uint32_t got; (got = bma__slab_unpark(s, back + n, 7)); n += got)
		cr_assert_leq(got, 7);
	cr_assert_eq(n, 200);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(bma__slab_put(s, back[i]), BMA__SLAB_OK, "each came once");
}

Test(slab, objects_of_a_page_multiple_are_coloured)
{
	struct bma__slab_geometry g;
	void *objs[32];
	uint32_t recycled;
	struct bma__slab *s;

	bma__slab_geometry(&g, 1024, 16, false);
	s = bma__slab_create(&g, NULL, 0, false);
	bma__slab_take(s, objs, 32, &recycled);
	cr_assert_neq((uintptr_t)objs[0] % 4096, (uintptr_t)objs[4] % 4096);
	bma__slab_geometry(&g, 4096, 4096, false);
	cr_assert_eq(g.span, g.stride * g.group,
		     "an alignment that was asked for wins over colour");
}
