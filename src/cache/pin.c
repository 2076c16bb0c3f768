/* SPDX-License-Identifier: MIT */
/* Pins, see pin.h. All under the lock of groups. */
#include "cache.h"

#include <errno.h>

struct use {
	struct bma__pair pair; /* of group and object */
	struct bma__pin_object *object;
	struct bma__share *share;
	uint64_t bytes, holds;
};

struct hold {
	struct bma__pair pair; /* of owner and object */
	struct use *use;
	struct bma_pin_owner *owner;
	struct hold *next, *prev; /* of the owner */
	uint64_t pins;
};

struct bma_pin_owner {
	struct bma__pair pair;	  /* with itself: it is open */
	struct bma__group *group; /* NULL: destroyed */
	struct bma_pin_owner *next, *prev;
	struct hold *holds;
};

static struct bma__pairs pairs; /* [lock: group] */

/* Each begins with its pair. */
static void *find(const void *who, const void *obj)
{
	return bma__pair_find(&pairs, who, obj);
}

/* The engine with owners that @obj is of, and where the object begins; NULL: none, or no object. */
static struct bma__engine *resolve(void **obj)
{
	const struct bma_cache *place = bma__engine_place_of(*obj);
	struct bma__engine *e = place ? place->engine : NULL;
	const struct bma__slab *slab;

	if (!e || !(e->flags & BMA__CACHE_OWNED))
		return NULL;
	slab = bma__chunk_slab(*obj);
	if (slab && atomic_load_explicit(&place->interior, memory_order_relaxed))
		*obj = bma__slab_near(slab, *obj);
	if (!slab || slab->owner != e || !bma__owner_known(e, *obj) ||
	    bma__slab_check(slab, *obj) != BMA__SLAB_OK)
		return NULL;
	return e;
}

static uint16_t number_of(const struct bma__engine *e, const void *obj)
{
	return __atomic_load_n(bma__owner_of(e, obj), __ATOMIC_RELAXED);
}

/* Who is charged for it; @object: if it is pinned. NULL: nobody, it is freed. */
static struct bma__record *payer(struct bma__engine *e, const void *obj,
				 struct bma__pin_object **object)
{
	uint16_t owner = number_of(e, obj);

	*object = NULL;
	if (owner && owner < BMA__OWNER_ODD)
		return __atomic_load_n(&e->owners[owner], __ATOMIC_RELAXED);
	if (owner != BMA__OWNER_PINNED)
		return NULL;
	*object = find(NULL, obj);
	return (*object)->record;
}

static struct bma__pin_object *make_object(struct bma__engine *e, void *obj)
{
	struct bma__pin_object *o = bma__meta_alloc(sizeof *o);
	uint16_t owner = number_of(e, obj);

	if (!o)
		return NULL;
	*o = (struct bma__pin_object){
		.engine = e, .record = e->owners[owner], .obj = obj, .owner = owner};
	bma__pair_add(&pairs, &o->pair, NULL, obj);
	atomic_fetch_add_explicit(&o->record->pinned, 1, memory_order_relaxed);
	__atomic_store_n(bma__owner_of(e, obj), BMA__OWNER_PINNED, __ATOMIC_RELEASE);
	return o;
}

/* Nobody has it pinned. */
static void end_object(struct bma__pin_object *o, struct bma__pin_object **freed)
{
	uint16_t is = BMA__OWNER_PINNED;

	bma__pair_remove(&pairs, &o->pair);
	/* From there on it may be freed, and its record gone. */
	atomic_fetch_sub_explicit(&o->record->pinned, 1, memory_order_relaxed);
	if (__atomic_compare_exchange_n(bma__owner_of(o->engine, o->obj), &is, o->owner, false,
					__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		bma__pin_done(o);
		return;
	}
	o->rcu = is == BMA__OWNER_FREED_RCU;
	o->next = *freed;
	*freed = o;
}

void bma__pin_done(struct bma__pin_object *o)
{
	bma__meta_free(o, sizeof *o);
}

/* What @g has pinned of an object; it is charged. */
static struct use *make_use(struct bma__share *share, struct bma__pin_object *object,
			    struct bma__engine *e, void *obj, int *rc)
{
	struct use *u = bma__meta_alloc(sizeof *u);
	struct bma__pin_object *o = object;

	*rc = -ENOMEM;
	if (!u)
		return NULL;
	*rc = bma__share_pin(share, e->charge);
	if (*rc)
		goto refused;
	if (!o)
		o = make_object(e, obj);
	if (o) {
		o->uses++;
		*u = (struct use){.object = o, .share = share, .bytes = e->charge};
		bma__pair_add(&pairs, &u->pair, share->group, obj);
		return u;
	}
	*rc = -ENOMEM;
	bma__share_unpin(share, e->charge);
refused:
	bma__meta_free(u, sizeof *u);
	return NULL;
}

static void end_use(struct use *u, struct bma__pin_object **freed)
{
	struct bma__pin_object *o = u->object;

	bma__share_unpin(u->share, u->bytes);
	bma__pair_remove(&pairs, &u->pair);
	bma__meta_free(u, sizeof *u);
	if (!--o->uses)
		end_object(o, freed);
}

static void end_hold(struct hold *h, struct bma__pin_object **freed)
{
	struct use *u = h->use;

	if (h->prev)
		h->prev->next = h->next;
	else
		h->owner->holds = h->next;
	if (h->next)
		h->next->prev = h->prev;
	bma__pair_remove(&pairs, &h->pair);
	bma__meta_free(h, sizeof *h);
	if (!--u->holds)
		end_use(u, freed);
}

static int make_hold(struct bma_pin_owner *owner, struct bma__share *share,
		     struct bma__pin_object *object, struct bma__engine *e, void *obj)
{
	struct hold *h = bma__meta_alloc(sizeof *h);
	struct use *u = find(owner->group, obj);
	int rc = -ENOMEM;

	if (h && !u)
		u = make_use(share, object, e, obj, &rc);
	if (!h || !u) {
		bma__meta_free(h, sizeof *h);
		return rc;
	}
	u->holds++;
	*h = (struct hold){.use = u, .owner = owner, .next = owner->holds, .pins = 1};
	if (h->next)
		h->next->prev = h;
	owner->holds = h;
	bma__pair_add(&pairs, &h->pair, owner, obj);
	return 0;
}

static int pin(struct bma_pin_owner *owner, void *obj)
{
	struct bma__pin_object *object;
	struct bma__group *shared;
	struct bma__share *share;
	struct bma__engine *e;
	struct bma__record *r;
	struct hold *h;

	if (!find(owner, owner) || !owner->group)
		return -ESTALE;
	e = resolve(&obj);
	r = e ? payer(e, obj, &object) : NULL;
	shared = r ? atomic_load_explicit(&r->group, memory_order_relaxed) : NULL;
	if (!shared || !bma__group_is_shared(shared))
		return -EINVAL;
	share = bma__share_find(shared, owner->group);
	if (!share)
		return -ENOENT;
	h = find(owner, obj);
	if (!h)
		return make_hold(owner, share, object, e, obj);
	h->pins++;
	return 0;
}

int bma__pin(struct bma_pin_owner *owner, void *obj)
{
	int rc;

	bma__tree_lock();
	rc = pin(owner, obj);
	bma__tree_unlock();
	return rc;
}

int bma__unpin(struct bma_pin_owner *owner, void *obj, struct bma__pin_object **freed)
{
	struct hold *h = NULL;

	bma__tree_lock();
	if (find(owner, owner) && resolve(&obj))
		h = find(owner, obj);
	if (h && !--h->pins)
		end_hold(h, freed);
	bma__tree_unlock();
	return h ? 0 : -ENOENT;
}

struct bma_pin_owner *bma__pin_open(const struct bma_group *group, int *rc)
{
	struct bma_pin_owner *o = bma__meta_alloc(sizeof *o);
	struct bma__sharing *its = NULL;
	struct bma__group *g;

	*rc = -ENOMEM;
	if (!o)
		return NULL;
	bma__tree_lock();
	g = bma__group_online(group);
	if (!g)
		*rc = -ESTALE;
	else if (bma__group_is_shared(g))
		*rc = -EINVAL;
	else
		its = bma__sharing_of(g);
	if (its) {
		*o = (struct bma_pin_owner){.group = g, .next = its->owners};
		if (o->next)
			o->next->prev = o;
		its->owners = o;
		bma__pair_add(&pairs, &o->pair, o, o);
		*rc = 0;
	} else {
		bma__meta_free(o, sizeof *o);
		o = NULL;
	}
	bma__tree_unlock();
	return o;
}

/* Of its group's list; what it holds goes. Returns how many pins. */
static size_t leave(struct bma_pin_owner *o, struct bma__pin_object **freed)
{
	size_t n = 0;

	if (o->next)
		o->next->prev = o->prev;
	if (o->prev)
		o->prev->next = o->next;
	else if (o->group)
		o->group->sharing->owners = o->next;
	while (o->holds) {
		n += o->holds->pins;
		end_hold(o->holds, freed);
	}
	o->next = o->prev = NULL;
	o->group = NULL;
	return n;
}

size_t bma__pin_close(struct bma_pin_owner *owner, struct bma__pin_object **freed)
{
	size_t n = 0;

	bma__tree_lock();
	if (find(owner, owner)) {
		n = leave(owner, freed);
		bma__pair_remove(&pairs, &owner->pair);
		bma__meta_free(owner, sizeof *owner);
	}
	bma__tree_unlock();
	return n;
}

void bma__pin_end(struct bma__group *g, struct bma__pin_object **freed)
{
	while (g->sharing && g->sharing->owners)
		leave(g->sharing->owners, freed);
}

struct bma__record *bma__pin_payer(const void *obj, uint64_t *bytes)
{
	const struct bma_cache *place = bma__engine_place_of(obj);
	struct bma__engine *e = place ? place->engine : NULL;
	struct bma__pin_object *object;
	void *begin = (void *)(uintptr_t)obj;
	const struct bma__slab *slab;
	struct bma__record *r = NULL;

	if (!place) {
		slab = bma__large_slab(obj);
		*bytes = slab ? bma__slab_bytes(slab) : 0;
		return slab ? slab->payer : NULL;
	}
	if (!e)
		return NULL;
	if (!(e->flags & BMA__CACHE_OWNED)) {
		*bytes = e->charge;
		return e->record;
	}
	*bytes = e->charge;
	bma__tree_lock();
	if (resolve(&begin))
		r = payer(e, begin, &object);
	bma__tree_unlock();
	return r;
}
