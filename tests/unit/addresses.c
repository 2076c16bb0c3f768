/* SPDX-License-Identifier: MIT */
/* Addresses and numbers that name nothing: what is looked up by them is not found, and not read beyond its end. */
#include "fault.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

Test(addresses, an_index_that_is_no_magazines)
{
	struct bma__engine *e = engine(64, 6);
	uintptr_t word = bma__depot_get(e, false);
	uint32_t index;

	cr_assert_neq(word, 0);
	index = bma__mag_index(e->class, word);
	cr_assert(bma__mag_is_index(e->class, index));
	cr_assert_not(bma__mag_is_index(e->class, index % BMA__MAG_POSITIONS), "no segment");
	cr_assert_not(bma__mag_is_index(e->class, index - index % BMA__MAG_POSITIONS), "no place");
	cr_assert_not(bma__mag_is_index(e->class, UINT32_MAX - 1), "a segment that is not there");
	cr_assert_not(bma__mag_is_index(e->class, index | (BMA__MAG_POSITIONS - 1)),
		      "behind the last place");
}

Test(addresses, a_base_that_is_no_magazines)
{
	struct bma__engine *e = engine(64, 6);
	uintptr_t word = bma__depot_get(e, false), base = bma__mag_base(e->class, word);
	static char elsewhere[1 << 12];

	cr_assert(bma__mag_is_base(e->class, base));
	cr_assert_not(bma__mag_is_base(e->class, base + 8));
	cr_assert_not(bma__mag_is_base(e->class, bma__align_up((uintptr_t)elsewhere, 1024)));
	cr_assert_not(bma__mag_is_base(e->class, 0));
}

static void check_slab(const struct bma__slab_geometry *geo, size_t size)
{
	struct bma__slab *s = bma__slab_create(geo, NULL, 0, false);
	char *first, *last, *end, *obj;
	uint32_t n = 0;

	cr_assert_not_null(s);
	first = bma__slab_object(s, 0);
	last = bma__slab_object(s, geo->objs - 1);
	end = s->base + ((size_t)geo->units << 16);
	/* Each address once in the smallest steps that objects have. */
	for (obj = s->base; obj < end; obj += 8)
		n += bma__slab_check(s, obj) != BMA__SLAB_INTERIOR;
	cr_assert_eq(n, geo->objs, "%u of %u", n, geo->objs);
	cr_assert(first >= s->base && last + size <= end);
	cr_assert_eq(bma__slab_park(s, first + 1), BMA__SLAB_INTERIOR);
	if (geo->guard) {
		cr_assert_eq(bma__slab_near(s, first), first);
		cr_assert_eq(bma__slab_near(s, end - 1), last);
	}
}

Test(addresses, every_address_of_a_slab)
{
	static const size_t sizes[] = {8, 24, 200, 1000, 1032, 5000, 70000};
	struct bma__slab_geometry geo;

	bma__env_parse("worker:off");
	cr_assert_eq(bma__engine_init(), 0);
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		for (size_t align = 8; align <= 64; align *= 2) {
			bma__slab_geometry(&geo, sizes[i], align, false);
			check_slab(&geo, sizes[i]);
		}
	}
}

Test(addresses, every_address_of_a_slab_with_guard_pages)
{
	struct bma__slab_geometry geo;

	bma__env_parse("worker:off");
	cr_assert_eq(bma__engine_init(), 0);
	bma__slab_geometry_guard(&geo, 4096, 4096, false);
	check_slab(&geo, 4096);
	bma__slab_geometry_guard(&geo, 70000, 16, false);
	check_slab(&geo, 70000);
}

/* The kernel's figures of a thread: policy, then at 24 bytes the runtime. */
static void policy_of_self(uint32_t *policy, uint64_t *runtime)
{
	uint64_t attr[7] = {56};

	cr_assert_eq(syscall(SYS_sched_getattr, 0, attr, sizeof attr, 0), 0);
	*policy = (uint32_t)(attr[0] >> 32);
	*runtime = attr[3];
}

Test(addresses, what_the_program_chose_for_its_threads_stays)
{
	struct sched_param none = {0};
	uint64_t before, after;
	uint32_t policy;

	cr_assert_eq(sched_setscheduler(0, SCHED_BATCH, &none), 0);
	policy_of_self(&policy, &before);
	bma__os_prompt();
	policy_of_self(&policy, &after);
	cr_assert_eq(policy, SCHED_BATCH);
	cr_assert_eq(before, after);
}
