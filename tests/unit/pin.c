/* SPDX-License-Identifier: MIT */
/* Pins: who may pin what, what is charged for it, limits, and each bad input. */
#include "shared.h"

#define SIZE 512

struct room {
	struct bma_group *shared, *group;
	struct bma_cache *cache;
	struct bma_pin_owner *owner;
};

static struct room room(void)
{
	struct room r = {.shared = make_shared(NULL), .group = make(NULL, NULL)};

	r.cache = cache_of(r.shared, SIZE);
	attach(r.shared, r.group, BMA_SHARED_NOTHING);
	r.owner = bma_pin_owner_open(r.group);
	cr_assert_not_null(r.owner);
	return r;
}

static uint64_t pinned(const struct room *r)
{
	return pair_of(r->shared, r->group).pinned;
}

Test(pin, counts)
{
	struct room r = room();
	struct bma_pin_owner *other = bma_pin_owner_open(r.group);
	void *a = get(r.cache), *b = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, a), 0);
	cr_assert_eq(bma_shared_pin(r.owner, a), 0);
	cr_assert_eq(bma_shared_pin(other, a), 0);
	cr_assert_eq(pinned(&r), SIZE); /* once for the group */
	cr_assert_eq(bma_shared_pin(other, b), 0);
	cr_assert_eq(pinned(&r), 2 * SIZE);
	cr_assert_eq(bma_shared_unpin(r.owner, b), -ENOENT);
	cr_assert_eq(bma_shared_unpin(r.owner, a), 0);
	cr_assert_eq(bma_shared_unpin(r.owner, a), 0);
	cr_assert_eq(bma_shared_unpin(r.owner, a), -ENOENT);
	cr_assert_eq(pinned(&r), 2 * SIZE);
	cr_assert_eq(bma_shared_unpin(other, a), 0);
	cr_assert_eq(pinned(&r), SIZE);
	cr_assert_eq(bma_pin_owner_close(other), 1);
	cr_assert_eq(pinned(&r), 0);
	cr_assert_eq(bma_pin_owner_close(r.owner), 0);
	cr_assert_eq(bma_pin_owner_close(NULL), 0);
	bma_cache_free(r.cache, a);
	bma_cache_free(r.cache, b);
	cr_assert_eq(in_use(r.shared), 0);
}

Test(pin, two_groups_are_charged_each)
{
	struct bma_group *s = make_shared(NULL), *top = make(NULL, NULL);
	struct bma_group *a = make(top, NULL), *b = make(top, NULL);
	struct bma_cache *c = cache_of(s, SIZE);
	struct bma_pin_owner *oa = bma_pin_owner_open(a), *ob = bma_pin_owner_open(b);
	void *obj = get(c);

	attach(s, a, BMA_SHARED_NOTHING);
	attach(s, b, BMA_SHARED_NOTHING);
	cr_assert_eq(bma_shared_pin(oa, obj), 0);
	cr_assert_eq(bma_shared_pin(ob, obj), 0);
	cr_assert_eq(pair_of(s, a).pinned, SIZE);
	cr_assert_eq(pair_of(s, b).pinned, SIZE);
	cr_assert_eq(pair_of(s, top).pinned, 2 * SIZE);
	cr_assert_eq(bma_pin_owner_close(oa), 1);
	cr_assert_eq(pair_of(s, a).pinned, 0);
	cr_assert_eq(pair_of(s, top).pinned, SIZE);
	bma_cache_free(c, obj);
	cr_assert_eq(in_use(s), SIZE);
	cr_assert_eq(bma_shared_unpin(ob, obj), 0);
	cr_assert_eq(in_use(s), 0);
	cr_assert_eq(bma_pin_owner_close(ob), 0);
}

Test(pin, what_cannot_be_pinned)
{
	struct room r = room();
	struct bma_group *g = make(NULL, NULL), *unused = make_shared(NULL);
	struct bma_heap_attr ha = {
		.attr_size = sizeof ha, .group = r.shared, .flags = BMA_HEAP_PRIVATE};
	struct bma_heap *alone = bma_heap_create(&ha), *heap;
	struct bma_cache *ordinary = cache_of(g, SIZE), *elsewhere = cache_of(unused, SIZE);
	char *obj = get(r.cache), *mine = get(ordinary), *there = get(elsewhere), *p;

	ha.flags = 0;
	heap = bma_heap_create(&ha);
	cr_assert_eq(bma_shared_pin(r.owner, NULL), -EINVAL);
	cr_assert_eq(bma_shared_pin(r.owner, &ha), -EINVAL);
	cr_assert_eq(bma_shared_pin(r.owner, obj + 8), -EINVAL);
	cr_assert_eq(bma_shared_pin(r.owner, mine), -EINVAL);
	cr_assert_eq(bma_shared_pin(r.owner, there), -ENOENT);
	p = bma_heap_alloc_flags(alone, 64, BMA_SLEEP);
	cr_assert_eq(bma_shared_pin(r.owner, p), -EINVAL);
	p = bma_heap_alloc_flags(heap, 1000000, BMA_SLEEP);
	cr_assert_eq(bma_shared_pin(r.owner, p), -EINVAL);
	p = bma_heap_alloc_flags(heap, 100, BMA_SLEEP);
	cr_assert_eq(bma_shared_pin(r.owner, p), 0);
	cr_assert_eq(bma_shared_unpin(r.owner, p), 0);
	cr_assert_eq(bma_shared_unpin(r.owner, p), -ENOENT);
	cr_assert_eq(bma_shared_unpin(r.owner, NULL), -ENOENT);
	cr_assert_eq(bma_shared_unpin(r.owner, &ha), -ENOENT);
	cr_assert_eq(bma_shared_pin(NULL, obj), -ESTALE);
	cr_assert_eq(bma_shared_unpin(NULL, obj), -ENOENT);
	cr_assert_eq(pinned(&r), 0);
	bma_cache_free(r.cache, obj);
	cr_assert_eq(bma_shared_pin(r.owner, obj), -EINVAL);
}

/* An address inside a larger object, as the heap gives it out. */
Test(pin, aligned_objects_of_heaps)
{
	struct room r = room();
	struct bma_heap_attr ha = {.attr_size = sizeof ha, .group = r.shared};
	struct bma_heap *heap = bma_heap_create(&ha);
	char *p[8];

	for (int i = 0; i < 8; i++) {
		p[i] = bma_heap_alloc_aligned(heap, 1024, 1000 + (size_t)i * 64, BMA_SLEEP);
		cr_assert_not_null(p[i]);
		memset(p[i], i, 1000);
		cr_assert_eq(bma_shared_pin(r.owner, p[i]), 0);
		bma_heap_free(heap, p[i]);
	}
	for (int i = 0; i < 8; i++) {
		cr_assert_eq(p[i][999], i);
		cr_assert_eq(bma_shared_unpin(r.owner, p[i]), 0);
	}
	cr_assert_eq(in_use(r.shared), 0);
	cr_assert_eq(pinned(&r), 0);
}

Test(pin, limits)
{
	struct bma_group *s = make_shared(NULL), *top = make(NULL, NULL), *g = make(top, NULL);
	struct bma_cache *c = cache_of(s, SIZE);
	struct bma_pin_owner *o = bma_pin_owner_open(g);
	void *obj[4];

	attach(s, g, BMA_SHARED_NOTHING);
	for (int i = 0; i < 4; i++)
		obj[i] = get(c);
	cr_assert_eq(bma_pin_set_max(g, 2 * SIZE), 0);
	cr_assert_eq(bma_shared_pin(o, obj[0]), 0);
	cr_assert_eq(bma_shared_pin(o, obj[1]), 0);
	cr_assert_eq(bma_shared_pin(o, obj[2]), -EDQUOT);
	cr_assert_eq(bma_shared_unpin(o, obj[2]), -ENOENT);
	cr_assert_eq(bma_shared_pin(o, obj[1]), 0); /* charged already */
	cr_assert_eq(bma_pin_set_max(g, BMA_GROUP_NO_LIMIT), 0);
	cr_assert_eq(bma_pin_set_max(top, 3 * SIZE), 0);
	cr_assert_eq(bma_shared_pin(o, obj[2]), 0);
	cr_assert_eq(bma_shared_pin(o, obj[3]), -EDQUOT);
	/* Below what is pinned: what is stays. */
	cr_assert_eq(bma_pin_set_max(top, 1), 0);
	cr_assert_eq(pair_of(s, top).pinned, 3 * SIZE);
	cr_assert_eq(bma_shared_unpin(o, obj[2]), 0);
	cr_assert_eq(bma_shared_pin(o, obj[2]), -EDQUOT);
	cr_assert_eq(bma_pin_owner_close(o), 3);
	cr_assert_eq(pair_of(s, top).pinned, 0);
	/* One that was refused is as any other. */
	for (int i = 0; i < 4; i++)
		bma_cache_free(c, obj[i]);
	cr_assert_eq(in_use(s), 0);
}

Test(pin, no_detaching_with_pins)
{
	struct room r = room();
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(bma_shared_detach(r.shared, r.group), -EBUSY);
	cr_assert_eq(pair_of(r.shared, r.group).attached, 1);
	cr_assert_eq(bma_shared_unpin(r.owner, obj), 0);
	cr_assert_eq(bma_shared_detach(r.shared, r.group), 0);
	cr_assert_eq(bma_shared_pin(r.owner, obj), -ENOENT);
	bma_cache_free(r.cache, obj);
}

Test(pin, a_closed_owner)
{
	struct room r = room();
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(bma_pin_owner_close(r.owner), 1);
	cr_assert_eq(bma_shared_pin(r.owner, obj), -ESTALE);
	cr_assert_eq(bma_shared_unpin(r.owner, obj), -ENOENT);
	cr_assert_eq(bma_pin_owner_close(r.owner), 0);
	bma_cache_free(r.cache, obj);
	cr_assert_eq(in_use(r.shared), 0);
}

Test(pin, figures_of_the_payer)
{
	struct room r = room();
	void *obj[3];

	for (int i = 0; i < 3; i++)
		obj[i] = get(r.cache);
	cr_assert_eq(bma_shared_pin(r.owner, obj[1]), 0);
	cr_assert_eq(stat_of(r.shared).objects, 3);
	cr_assert_eq(bma_shared_borrow_object(r.shared, r.group, obj[1]), 0);
	cr_assert_eq(pair_of(r.shared, r.group).borrowed, SIZE);
	bma_cache_free(r.cache, obj[1]);
	cr_assert_eq(stat_of(r.shared).objects, 3);
	cr_assert_eq(bma_shared_unpin(r.owner, obj[1]), 0);
	cr_assert_eq(stat_of(r.shared).objects, 2);
	bma_cache_free(r.cache, obj[0]);
	bma_cache_free(r.cache, obj[2]);
}

/* Another group pays meanwhile: what was pinned is pinned as before. */
Test(pin, the_payer_changes)
{
	struct room r = room();
	struct bma_group *next = make_shared(NULL);
	void *obj = get(r.cache);

	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(bma_cache_recharge(r.cache, next), 0);
	cr_assert_eq(in_use(next), SIZE);
	cr_assert_eq(pinned(&r), SIZE);
	cr_assert_eq(bma_shared_pin(r.owner, obj), -ENOENT);
	attach(next, r.group, BMA_SHARED_NOTHING);
	cr_assert_eq(bma_shared_pin(r.owner, obj), 0);
	cr_assert_eq(pinned(&r), SIZE);
	cr_assert_eq(pair_of(next, r.group).pinned, 0);
	bma_cache_free(r.cache, obj);
	cr_assert_eq(in_use(next), SIZE);
	cr_assert_eq(bma_shared_unpin(r.owner, obj), 0);
	cr_assert_eq(in_use(next), SIZE);
	cr_assert_eq(bma_shared_unpin(r.owner, obj), 0);
	cr_assert_eq(in_use(next), 0);
	cr_assert_eq(pinned(&r), 0);
}

/* A client of a driver maps buffers, pins them and dies: what it forgot is found with its owner, what it had freed is free then, and it is charged for it till then. */
Test(pin, the_driver_that_pins_and_forgets)
{
	enum { BUFFERS = 600 };
	struct bma_group *buffers = make_shared("buffers");
	struct bma_cache *c = cache_of(buffers, SIZE);
	static char *buffer[BUFFERS];

	for (int i = 0; i < BUFFERS; i++)
		buffer[i] = get(c);
	for (int life = 0; life < 3; life++) {
		struct bma_group *client = make(NULL, "client");
		struct bma_pin_owner *device;

		attach(buffers, client, BMA_SHARED_NOTHING);
		cr_assert_eq(bma_pin_set_max(client, BUFFERS / 2 * SIZE), 0);
		device = bma_pin_owner_open(client);
		for (int i = 0; i < BUFFERS; i++)
			cr_assert_eq(bma_shared_pin(device, buffer[i]),
				     i < BUFFERS / 2 ? 0 : -EDQUOT);
		cr_assert_eq(bma_shared_detach(buffers, client), -EBUSY);
		cr_assert_eq(pair_of(buffers, client).pinned, BUFFERS / 2 * SIZE);
		if (life == 2) {
			for (int i = 0; i < BUFFERS; i++)
				bma_cache_free(c, buffer[i]);
			cr_assert_eq(in_use(buffers), BUFFERS / 2 * SIZE);
		}
		cr_assert_eq(bma_pin_owner_close(device), BUFFERS / 2);
		cr_assert_eq(bma_shared_detach(buffers, client), 0);
		cr_assert_eq(bma_group_destroy(client), 0);
	}
	cr_assert_eq(in_use(buffers), 0);
	cr_assert_eq(bma_cache_destroy(c), 0);
	cr_assert_eq(bma_shared_destroy(buffers), 0);
	cr_assert(is_gone(buffers));
}
