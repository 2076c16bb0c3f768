/* SPDX-License-Identifier: MIT */
/* Typed objects, as users have them. */
#include <bma/bma.h>

#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-memb.h>

struct point {
	int x, y;
};

struct node {
	int key;
	struct bma_kptr next, other;
};

static int destroyed;

static void on_node(void *obj)
{
	(void)obj;
	destroyed++;
}

static const size_t node_slots[] = {offsetof(struct node, next), offsetof(struct node, other)};
static struct bma_type node_type = BMA_TYPE_INIT(struct node, 0, on_node, node_slots, 2);
static struct bma_type point_type = BMA_TYPE_INIT(struct point, 0, NULL, NULL, 0);
static struct bma_type rcu_type = BMA_TYPE_INIT(struct node, BMA_TYPE_RCU, on_node, node_slots, 2);

static struct bma_heap *heap(void)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = BMA_HEAP_PRIVATE};
	struct bma_heap *h = bma_heap_create(&a);

	cr_assert_not_null(h);
	return h;
}

static struct node *node(struct bma_heap *h)
{
	return bma_new_type(h, &node_type, BMA_SLEEP);
}

Test(object, plain_types)
{
	struct bma_heap *h = heap();
	struct point *p[300];

	for (int i = 0; i < 300; i++) {
		while (!(p[i] = bma_new(h, struct point)))
			bma_poll(0);
		cr_assert(p[i]->x == 0 && p[i]->y == 0);
		p[i]->x = p[i]->y = i;
	}
	cr_assert_eq(bma_type_live("struct point"), 300);
	for (int i = 0; i < 300; i++) {
		cr_assert(p[i]->x == i && p[i]->y == i);
		bma_drop(h, p[i]);
	}
	bma_drop(h, NULL);
	cr_assert_eq(bma_type_live("struct point"), 0);
	cr_assert_eq(bma_type_live("struct line"), 0);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, recycled_ones_are_zero_again)
{
	struct bma_heap *h = heap();

	for (int i = 0; i < 300; i++) {
		struct point *p = bma_new_type(h, &point_type, BMA_SLEEP);

		cr_assert(p->x == 0 && p->y == 0);
		p->x = p->y = -1;
		bma_drop(h, p);
	}
	cr_assert_eq(bma_heap_destroy(h), 0);
}

struct aligned {
	char c;
	_Alignas(256) char d;
};

Test(object, alignment_and_size_of_the_type)
{
	struct bma_heap *h = heap();
	struct large {
		char bytes[300000];
	};
	static struct bma_type large = BMA_TYPE_INIT(struct large, 0, NULL, NULL, 0);
	struct aligned *a = bma_new(h, struct aligned);
	struct large *l;

	cr_assert_not_null(a);
	cr_assert_eq((uintptr_t)a % 256, 0);
	memset(a, 1, sizeof *a);
	bma_drop(h, a);
	cr_assert_null(bma_new_type(h, &large, 0));
	l = bma_new_type(h, &large, BMA_SLEEP);
	cr_assert_not_null(l);
	memset(l, 1, sizeof *l);
	bma_drop(h, l);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, references)
{
	struct bma_heap *h = heap();
	struct node *n = bma_new_type_refcounted(h, &node_type, BMA_SLEEP);

	cr_assert_eq(bma_get(n), n);
	cr_assert_eq(bma_tryget(n), n);
	bma_put(n);
	bma_put(n);
	cr_assert_eq(destroyed, 0);
	bma_put(n);
	cr_assert_eq(destroyed, 1);
	bma_put(NULL);
	cr_assert_null(bma_tryget(NULL));
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, slots_own)
{
	struct bma_heap *h = heap();
	struct node *a = node(h), *b = node(h), *c = node(h);

	cr_assert_null(bma_kptr_xchg(&a->next, b));
	cr_assert_eq(bma_kptr_peek(&a->next), b);
	cr_assert_eq(bma_kptr_xchg(&a->next, c), b);
	cr_assert_null(bma_kptr_xchg(&a->other, b));
	bma_drop(h, a);
	cr_assert_eq(destroyed, 3);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, a_slot_cleared_by_hand)
{
	struct bma_heap *h = heap();
	struct node *counted = bma_new_type_refcounted(h, &node_type, BMA_SLEEP);
	struct bma_kptr slot = {NULL};

	bma_kptr_xchg(&slot, bma_get(counted));
	bma_kptr_clear(&slot);
	bma_kptr_clear(&slot);
	cr_assert_eq(destroyed, 0);
	bma_put(counted);
	bma_kptr_xchg(&slot, node(h));
	bma_kptr_clear(&slot);
	cr_assert_eq(destroyed, 2);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* A million objects, each owned by the one before: no stack is deep enough for that. */
Test(object, a_long_chain_goes_at_once)
{
	enum { N = 1000000 };
	struct bma_heap *h = heap();
	struct node *first = NULL;

	for (int i = 0; i < N; i++) {
		struct node *n =
			i % 2 ? node(h) : bma_new_type_refcounted(h, &node_type, BMA_SLEEP);

		cr_assert_not_null(n);
		bma_kptr_xchg(&n->next, first);
		first = n;
	}
	bma_drop(h, first);
	cr_assert_eq(destroyed, N);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

/* What a reader puts into a slot of an object that is gone comes back to him. */
Test(object, the_slot_of_a_destroyed_object_takes_nothing)
{
	struct bma_heap *h = heap();
	struct node *a = bma_new_type(h, &rcu_type, BMA_SLEEP), *b = node(h);

	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_drop(h, a);
	cr_assert_eq(bma_kptr_xchg(&a->next, b), b);
	cr_assert_null(bma_kptr_peek(&a->next));
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	bma_drop(h, b);
	cr_assert_eq(destroyed, 2);
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, a_reader_gets_no_reference_of_what_is_gone)
{
	struct bma_heap *h = heap();
	struct node *a = bma_new_type_refcounted(h, &rcu_type, BMA_SLEEP);

	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_put(a);
	cr_assert_null(bma_tryget(a));
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	cr_assert_eq(bma_heap_destroy(h), 0);
}

Test(object, odd_arguments)
{
	struct bma_heap_attr a = {.attr_size = sizeof a, .flags = BMA_HEAP_PERCPU};
	struct bma_heap *h = heap(), *percpu = bma_heap_create(&a);
	struct node *n = node(h), *counted = bma_new_type_refcounted(h, &rcu_type, BMA_SLEEP);

	cr_assert_null(bma_new(percpu, struct point));
	cr_assert_null(bma_tryget(n), "it is not counted");
	cr_assert_null(bma_tryget(&h), "it is no object");
	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_put(counted);
	bma_kptr_clear(&counted->next);
	cr_assert_null(bma_kptr_peek(&counted->next));
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
	bma_drop(h, n);
	cr_assert_eq(bma_heap_destroy(percpu), 0);
}

/* Until the reader leaves nobody gets the memory. */
Test(object, deferred_ones_wait_for_readers)
{
	struct bma_heap *h = heap();
	struct node *a = bma_new_type(h, &rcu_type, BMA_SLEEP);

	urcu_memb_register_thread();
	urcu_memb_read_lock();
	bma_drop(h, a);
	for (int i = 0; i < 300; i++)
		cr_assert_neq(bma_new_type(h, &rcu_type, BMA_SLEEP), a);
	urcu_memb_read_unlock();
	urcu_memb_unregister_thread();
}

#define MISUSE(name, ...)                                                                          \
	Test(object, name, .signal = SIGABRT)                                                      \
	{                                                                                          \
		struct bma_heap *h = heap(), *g = heap();                                          \
		struct point *p = bma_new(h, struct point);                                        \
		struct node *counted = bma_new_type_refcounted(h, &node_type, BMA_SLEEP);          \
                                                                                                   \
		cr_assert(p &&counted &&g);                                                        \
		__VA_ARGS__;                                                                       \
	}
MISUSE(the_wrong_heap, bma_drop(g, p))
MISUSE(dropped_twice, bma_drop(h, p); bma_drop(h, p))
MISUSE(never_typed, bma_drop(h, bma_heap_alloc(h, 64)))
MISUSE(not_of_a_heap, bma_drop(h, malloc(64)))
MISUSE(dropped_though_counted, bma_drop(h, counted))
MISUSE(put_though_not_counted, bma_put(p))
MISUSE(put_too_often, bma_put(counted); bma_put(counted))
MISUSE(a_slot_owns_nothing_typed, struct bma_kptr slot = {bma_heap_alloc(h, 64)};
       bma_kptr_clear(&slot))
MISUSE(a_slot_owns_nothing, struct bma_kptr slot = {&h}; bma_kptr_clear(&slot))
MISUSE(inside_an_object, bma_drop(h, &p->y))

struct shared {
	struct bma_kptr slot;
	struct bma_heap *heap;
	_Atomic int made;
};

static void *exchange(void *arg)
{
	struct shared *s = arg;

	for (int i = 0; i < 50000; i++) {
		struct node *n = bma_new_type_refcounted(s->heap, &rcu_type, BMA_SLEEP);

		atomic_fetch_add(&s->made, 1);
		bma_put(bma_kptr_xchg(&s->slot, n));
	}
	return NULL;
}

static _Atomic int rcu_destroyed;

static void on_shared(void *obj)
{
	(void)obj;
	atomic_fetch_add(&rcu_destroyed, 1);
}

Test(object, each_has_one_owner)
{
	struct shared s = {.heap = heap()};
	pthread_t threads[3];

	rcu_type.dtor = on_shared;
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, exchange, &s);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	bma_kptr_clear(&s.slot);
	cr_assert_eq(atomic_load(&rcu_destroyed), atomic_load(&s.made));
	cr_assert_eq(bma_type_live("struct node"), 0);
	cr_assert_eq(bma_heap_destroy(s.heap), 0);
}

static int see(const char *name, size_t size, uint64_t live, void *arg)
{
	int *seen = arg;

	if (!strcmp(name, "struct point")) {
		cr_assert_eq(size, sizeof(struct point));
		cr_assert_eq(live, 2);
		++*seen;
	}
	return 0;
}

static int stop(const char *name, size_t size, uint64_t live, void *arg)
{
	(void)name, (void)size, (void)live, (void)arg;
	return 7;
}

Test(object, names_are_seen_once)
{
	struct bma_heap *h = heap();
	struct point *p = bma_new(h, struct point), *q = bma_new(h, struct point);
	int seen = 0;

	cr_assert_eq(bma_type_visit(see, &seen), 0);
	cr_assert_eq(seen, 1);
	cr_assert_eq(bma_type_visit(stop, &seen), 7);
	bma_drop(h, p);
	bma_drop(h, q);
	cr_assert_eq(bma_heap_destroy(h), 0);
}
