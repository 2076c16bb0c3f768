/* SPDX-License-Identifier: MIT */
/* Typed objects: who owns which, and how often a destructor ran, see heap.h. */
#include "heap.h"

#include <errno.h>
#include <string.h>

#define TYPED 128u
#define TYPES 4u
#define REFS_MOST 1000u

/* How all of them begin; the last word has the number once more. */
struct typed {
	uint64_t id; /* its place in the table and a serial number */
	struct bma_kptr next;
};

struct small {
	struct typed t;
	uint64_t last;
};

struct wide {
	_Alignas(64) struct typed t;
	uint64_t body[13], last;
};

struct deep {
	struct typed t;
	uint64_t body[300], last;
};

struct none {
	struct typed t; /* whose slot the type does not tell */
	uint64_t last;
};

struct known {
	struct typed *at; /* NULL: none */
	struct heap_owner *o;
	unsigned int type;
	bool counted;
	uint32_t refs; /* the user's, and that of each slot */
	uint32_t slots;
	struct known *next; /* what its slot owns */
	uint64_t id;
};

static struct known table[TYPED];
static uint64_t live[TYPES], due, ran, serial;

static void dtor(void *obj)
{
	const struct typed *t = obj;
	const struct known *k = &table[t->id % TYPED];

	FUZZ_CHECK(k->at == t && k->id == t->id, "%p is destroyed", obj);
	ran++;
}

static const size_t slot[] = {offsetof(struct typed, next)};
static struct bma_type types[TYPES] = {
	BMA_TYPE_INIT(struct small, BMA_TYPE_RCU, dtor, slot, 1),
	BMA_TYPE_INIT(struct wide, 0, dtor, slot, 1),
	BMA_TYPE_INIT(struct deep, BMA_TYPE_RCU, dtor, slot, 1),
	BMA_TYPE_INIT(struct none, 0, dtor, NULL, 0),
};

static uint64_t *last(const struct known *k)
{
	return (uint64_t *)(uintptr_t)((uintptr_t)k->at + types[k->type].size - sizeof(uint64_t));
}

static void compare(const struct known *k)
{
	FUZZ_CHECK(k->at->id == k->id && *last(k) == ~k->id, "%p, a %s, changed", (void *)k->at,
		   types[k->type].name);
	if (types[k->type].nkptrs)
		FUZZ_CHECK(bma_kptr_peek(&k->at->next) == (k->next ? k->next->at : NULL),
			   "the slot of %p", (void *)k->at);
}

/* One reference of @k is gone, and what hangs on it if it was the last. Memory is not looked at. */
static void gone(struct known *k)
{
	while (k && !--k->refs) {
		struct known *next = k->next;

		due++;
		live[k->type]--;
		k->o->small--;
		k->at = NULL;
		k->next = NULL;
		if (next)
			next->slots--;
		k = next;
	}
}

/* A reference goes back. Destructors compare with the table, so they run before it changes. */
static void give(struct known *k)
{
	struct typed copy = {.id = k->id}, *t = k->at;
	const struct bma_type *type = &types[k->type];
	bool counted = k->counted, goes = k->refs == 1;

	for (const struct known *n = k; n; n = n->next)
		compare(n);
	if (counted)
		bma_put(t);
	else
		bma_drop(k->o->heap, t);
	if (goes && type->flags & BMA_TYPE_RCU && k->o->key.rcu == &heap_flavor) {
		/* A reader may see it still, and can neither have it nor put anything there. */
		FUZZ_CHECK(bma_kptr_xchg(&t->next, &copy) == &copy && !bma_kptr_peek(&t->next),
			   "the slot of an object that is gone");
		FUZZ_CHECK(!bma_tryget(t), "one that is gone");
		FUZZ_CHECK(t->id == copy.id, "one that may be looked at");
	}
	gone(k);
	FUZZ_CHECK(ran == due, "%llu destructors ran, not %llu", (unsigned long long)ran,
		   (unsigned long long)due);
	fuzz_operations++;
}

static struct known *pick(unsigned int nth, bool owned)
{
	for (unsigned int i = 0; i < TYPED; i++) {
		struct known *k = &table[(nth + i) % TYPED];

		if (k->at && (!owned || k->refs > k->slots))
			return k;
	}
	return NULL;
}

void heap_call_new(struct heap_call *call)
{
	unsigned int flags = call->arg & 1 ? BMA_SLEEP : 0, which = call->arg >> 2 & 3;
	struct bma_type *type = &types[which];
	struct heap_owner *o = call->o;
	struct known *k = NULL;
	struct typed *t;

	for (unsigned int i = 0; i < TYPED && !k; i++)
		k = table[i].at ? NULL : &table[i];
	if (!o->heap || !k)
		return;
	t = call->arg & 2 ? bma_new_type_refcounted(o->heap, type, flags)
			  : bma_new_type(o->heap, type, flags);
	o->maybe_too_large++;
	fuzz_operations++;
	if (!flags)
		heap_check_errno();
	if (o->flags & BMA_HEAP_PERCPU) {
		FUZZ_CHECK(!t, "of a heap of per-CPU objects");
		return;
	}
	if (!t) {
		FUZZ_CHECK(!flags || heap_model.failing, "errno %d", errno);
		return;
	}
	FUZZ_CHECK(!((uintptr_t)t & (type->align - 1)), "%p, a %s", (void *)t, type->name);
	for (size_t i = 0; i < type->size; i++)
		FUZZ_CHECK(!((unsigned char *)t)[i], "byte %zu is not clear", i);
	*k = (struct known){.at = t,
			    .o = o,
			    .type = which,
			    .counted = call->arg & 2,
			    .refs = 1,
			    .id = ++serial * TYPED + (uint64_t)(k - table)};
	t->id = k->id;
	*last(k) = ~k->id;
	live[which]++;
	o->small++;
}

void heap_call_drop(struct heap_call *call)
{
	struct known *k = pick(call->arg, true);

	if (k)
		give(k);
	bma_drop(call->o->heap, NULL);
	bma_put(NULL);
	heap_check_errno();
	heap_types_check();
}

void heap_call_get(struct heap_call *call)
{
	struct known *k = pick(call->arg >> 1, false);

	if (!k)
		return;
	compare(k);
	fuzz_operations++;
	if (!k->counted || k->refs > REFS_MOST) {
		FUZZ_CHECK(k->counted || !bma_tryget(k->at), "one that is not counted");
		return;
	}
	FUZZ_CHECK((call->arg & 1 ? bma_get(k->at) : bma_tryget(k->at)) == k->at, "another");
	k->refs++;
	heap_check_errno();
}

/* Would @obj own itself? */
static bool leads_to(const struct known *obj, const struct known *k)
{
	while (obj && obj != k)
		obj = obj->next;
	return obj != NULL;
}

/* Something the user owns, or nothing, into a slot; what was there is the user's then, or is cleared. */
void heap_call_xchg(struct heap_call *call)
{
	struct known *k = pick(call->arg, false), *obj = pick(call->arg >> 7, true), *old;
	void *was;

	if (!k || !types[k->type].nkptrs)
		return;
	if (call->arg & 1 && k->next) {
		/* As one that the user takes out and gives back. */
		old = k->next;
		was = bma_kptr_xchg(&k->at->next, NULL);
		FUZZ_CHECK(was == old->at, "%p was there", was);
		k->next = NULL;
		old->slots--;
		give(old);
		return;
	}
	if (call->arg & 2 || !obj || leads_to(obj, k))
		obj = NULL;
	old = k->next;
	was = bma_kptr_xchg(&k->at->next, obj ? obj->at : NULL);
	fuzz_operations++;
	FUZZ_CHECK(was == (old ? old->at : NULL), "%p was there", was);
	if (old)
		old->slots--;
	if (obj)
		obj->slots++;
	k->next = obj;
	heap_check_errno();
}

void heap_types_close(const struct heap_owner *o)
{
	for (unsigned int i = 0; i < TYPED; i++) {
		struct known *k = &table[i], *next = k->at ? k->next : NULL;

		if (!next || next->o != o)
			continue;
		FUZZ_CHECK(bma_kptr_peek(&k->at->next) == next->at, "what the slot owned");
		next->slots--;
		k->next = NULL;
		/* The same as an exchange and a put. */
		if (next->refs > 1) {
			bma_kptr_clear(&k->at->next);
			next->refs--;
		} else {
			FUZZ_CHECK(bma_kptr_xchg(&k->at->next, NULL) == next->at, "another");
			give(next);
		}
	}
	for (unsigned int i = 0; i < TYPED; i++) {
		while (table[i].at && table[i].o == o && table[i].refs > table[i].slots)
			give(&table[i]);
	}
}

void heap_types_check(void)
{
	for (unsigned int i = 0; i < TYPES; i++)
		FUZZ_CHECK(bma_type_live(types[i].name) == live[i], "%s: %llu live, not %llu",
			   types[i].name, (unsigned long long)bma_type_live(types[i].name),
			   (unsigned long long)live[i]);
	FUZZ_CHECK(ran == due, "%llu destructors ran, not %llu", (unsigned long long)ran,
		   (unsigned long long)due);
}

void heap_types_begin(void)
{
	for (unsigned int i = 0; i < TYPED; i++)
		FUZZ_CHECK(!table[i].at, "%u is left", i);
	ran = due = 0;
}

void heap_types_warm(void)
{
	struct heap_owner o = {.heap = bma_heap_global()};

	for (unsigned int i = 0; i < TYPES; i++) {
		struct heap_call call = {.o = &o, .arg = 1 | i << 2};

		heap_call_new(&call);
		FUZZ_CHECK(table[0].at, "a %s", types[i].name);
		give(&table[0]);
	}
}
