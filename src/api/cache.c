/* SPDX-License-Identifier: MIT */
/* The public calls on caches. */
#include "api.h"

#include <errno.h>
#include <string.h>

#define KNOWN_FLAGS                                                                                \
	(BMA_CACHE_KERNEL_MARKS | BMA_CACHE_DTOR_RECYCLE | BMA_CACHE_MERGE | BMA_CACHE_COUNT |     \
	 BMA_CACHE_DESTROY_ASYNC | BMA_CACHE_PERCPU | (BMA__CACHE_CHECKS & ~BMA__CACHE_TOOLS) |    \
	 BMA_CACHE_RANDOM | BMA_CACHE_SAMPLE | BMA_CACHE_KEY | BMA_CACHE_NOCHARGE)
/* A place with its pages has to fit into a slab. */
#define GUARD_MOST (BMA_CACHE_SIZE_MAX / 2)
/* These say what is done with a handle, not what its engine is like. */
#define OF_HANDLE (BMA_CACHE_MERGE | BMA_CACHE_COUNT | BMA_CACHE_DESTROY_ASYNC)
#define FILLINGS (BMA_CACHE_POISON | BMA_CACHE_ZERO_FREE)

static int refuse(const char *field)
{
	bma__log_verbose("bma_cache_create: %s", field);
	return -EINVAL;
}

static int check(const struct bma_cache_attr *a)
{
	const char *wrong;

	if (!a)
		return refuse("no attributes");
	if (a->attr_size != sizeof *a) {
		bma__log_verbose("bma_cache_create: attr_size %zu, this library knows %zu",
				 a->attr_size, sizeof *a);
		return -E2BIG;
	}
	if (!a->size || a->size > BMA_CACHE_SIZE_MAX)
		return refuse("size is 0 or over BMA_CACHE_SIZE_MAX");
	if (a->align && (!bma__is_pow2(a->align) || a->align > BMA_CACHE_ALIGN_MAX))
		return refuse("align is no power of two or over BMA_CACHE_ALIGN_MAX");
	if (a->flags & ~(uint64_t)KNOWN_FLAGS)
		return refuse("flags has an unknown bit");
	if (a->flags & BMA_CACHE_DTOR_RECYCLE && !a->dtor)
		return refuse("BMA_CACHE_DTOR_RECYCLE without dtor");
	if (a->flags & FILLINGS && (a->ctor || a->dtor))
		return refuse("BMA_CACHE_POISON or BMA_CACHE_ZERO_FREE with ctor or dtor");
	if (a->size > BMA_CACHE_SIZE_MAX - BMA__REDZONE && a->flags & BMA_CACHE_REDZONE)
		return refuse("size leaves no room for BMA_CACHE_REDZONE");
	if (a->flags & BMA_CACHE_GUARD && (a->flags & BMA_CACHE_REDZONE || a->size > GUARD_MOST))
		return refuse(
			"BMA_CACHE_GUARD with BMA_CACHE_REDZONE, or size is too large for it");
	if (a->flags & BMA_CACHE_SAMPLE && (a->flags & BMA__CACHE_CHECKS || a->ctor || a->dtor ||
					    a->flags & (BMA_CACHE_MERGE | BMA_CACHE_PERCPU)))
		return refuse(
			"BMA_CACHE_SAMPLE with ctor, dtor, BMA_CACHE_MERGE, BMA_CACHE_PERCPU or a "
			"flag that has each call checked");
	if (a->flags & BMA_CACHE_PERCPU &&
	    (a->size > BMA_PERCPU_SIZE_MAX || a->align > BMA_PAGE || a->ctor || a->dtor ||
	     a->flags & (BMA__CACHE_CHECKS | BMA_CACHE_KEY) & ~(uint64_t)BMA__PERCPU_CHECKS))
		return refuse("BMA_CACHE_PERCPU with ctor, dtor, a debug flag it cannot have, or "
			      "size or align is too large for it");
	if (a->high && a->high < a->batch)
		return refuse("high is below batch");
	if (a->reserve && a->low > a->reserve)
		return refuse("low is over reserve");
	if (a->reserve > UINT32_MAX || a->reserve > SIZE_MAX / 2 / a->size)
		return refuse("reserve is too large");
	if (!bma__numa_is_default(&a->numa) && a->flags & BMA_CACHE_PERCPU)
		return refuse("numa with BMA_CACHE_PERCPU");
	wrong = bma__numa_wrong(&a->numa);
	return wrong ? refuse(wrong) : 0;
}

/* With what BMA_CONF asks for, as far as the cache can have it. */
static uint64_t checks_of(uint64_t flags, size_t size, bool built)
{
	uint64_t more = bma__env.debug;

	if (built)
		more &= ~(uint64_t)FILLINGS;
	if (size > BMA_CACHE_SIZE_MAX - BMA__REDZONE)
		more &= ~(uint64_t)BMA_CACHE_REDZONE;
	if (size > GUARD_MOST)
		more &= ~(uint64_t)BMA_CACHE_GUARD;
	if ((flags | more) & BMA_CACHE_GUARD)
		more &= ~(uint64_t)BMA_CACHE_REDZONE;
	if (flags & BMA_CACHE_PERCPU)
		return flags | (more & BMA__PERCPU_CHECKS);
	if (!bma__tools.any)
		return flags | more;
	/* It finds on its own what these find, and must not see them look. A freed object is to stay free for a while. */
	more |= BMA__CACHE_TOOLS | BMA_CACHE_QUARANTINE;
	return (flags | more) & ~(uint64_t)(BMA_CACHE_REDZONE | BMA_CACHE_POISON | BMA_CACHE_GUARD);
}

uint64_t bma__cache_flags(uint64_t flags, size_t size, size_t align, bool built)
{
	flags = checks_of(flags, size, built);
	if (flags & BMA__CACHE_CHECKS)
		flags &= ~(uint64_t)BMA_CACHE_KEY; /* they find what it finds */
	/* Samples are for objects whose calls are otherwise not looked at, that nobody constructed and that one cache alone has. */
	if (flags & (BMA__CACHE_CHECKS | BMA_CACHE_MERGE | BMA_CACHE_PERCPU) || built ||
	    size > BMA__SAMPLE_SIZE_MAX || align > BMA__SAMPLE_SIZE_MAX)
		flags &= ~(uint64_t)BMA_CACHE_SAMPLE;
	if (atomic_load_explicit(&bma__profile_mean, memory_order_relaxed))
		flags |= BMA__CACHE_PROFILE;
	return flags;
}

/* What a C type of that size can need: its alignment divides its size. */
static size_t natural_align(size_t size)
{
	return size % 16 ? 8 : 16;
}

/* What keeps a cache from sharing its engine; NULL: nothing. */
static const char *private_by(const struct bma_cache_attr *a)
{
	if (a->ctor || a->dtor || a->ctx_free)
		return "it has a constructor, a destructor or ctx_free";
	if (a->flags & BMA_CACHE_NOCHARGE)
		return "nobody pays for it";
	if (a->low || a->high || a->batch || a->reserve || a->limbo_max)
		return "it has low, high, batch, reserve or limbo_max";
	if (!bma__numa_is_default(&a->numa))
		return "it has a placement of its own";
	return NULL;
}

static bool merges(const struct bma_cache_attr *a)
{
	const char *why;

	if (!(a->flags & BMA_CACHE_MERGE))
		return false;
	why = private_by(a);
	if (why)
		bma__log_verbose("bma_cache_create: \"%s\" is not merged: %s",
				 a->name ? a->name : "?", why);
	return !why;
}

static int check_payer(const struct bma_cache_attr *a, const struct bma_group *payer)
{
	if (!(a->flags & BMA_CACHE_NOCHARGE) || payer == bma_group_root())
		return 0;
	bma__log_line("bma_cache_create: \"%s\": BMA_CACHE_NOCHARGE is for who has the root group",
		      a->name ? a->name : "?");
	return -EPERM;
}

static struct bma_cache *create_private(struct bma__engine_attr *ea, const struct bma_group *payer,
					int *rc)
{
	const struct bma__record_attr ra = {.group = payer ? payer : bma_group_root(),
					    .uncharged = ea->flags & BMA_CACHE_NOCHARGE};
	struct bma__pressure pressure = {.bytes = BMA__UNIT_SIZE};
	struct bma__engine *e;

	ea->record = bma__record_make(&ra, rc);
	if (!ea->record)
		return NULL;
	/* Its first slab may be what does not fit. */
	do {
		e = bma__engine_create(ea, rc);
	} while (!e && *rc == -EDQUOT &&
		 bma__pressure_relieve(&pressure, bma__pressure_refuser(ra.group, pressure.bytes)));
	if (pressure.tries)
		bma__pressure_end(&pressure, ea->record, e);
	if (e)
		return bma__engine_handle(e);
	bma__record_close(ea->record);
	return NULL;
}

struct bma_cache *bma_cache_create(const struct bma_cache_attr *attr)
{
	const struct bma_group *payer = NULL;
	struct bma__engine_attr ea;
	struct bma__flavor *flavor;
	struct bma_cache *cache;
	int rc = bma__init();

	if (!rc)
		rc = check(attr);
	if (!rc && bma__forbid_refuses())
		rc = -EDEADLK;
	if (!rc) {
		payer = bma__payer(attr->group);
		rc = check_payer(attr, payer);
	}
	if (rc)
		goto failed;
	flavor = bma__flavor_get(attr->rcu);
	if (!flavor) {
		rc = -ENOSPC;
		goto failed;
	}
	bma__init_threads();
	ea = (struct bma__engine_attr){
		.name = attr->name,
		.size = attr->size,
		.align = attr->align < 8 ? natural_align(attr->size) : attr->align,
		.reserve = attr->reserve,
		.limbo_max = attr->limbo_max,
		.flags = bma__cache_flags(attr->flags, attr->size, attr->align,
					  attr->ctor || attr->dtor),
		.flavor = flavor,
		.ctor = attr->ctor,
		.dtor = attr->dtor,
		.ctx = attr->ctx,
		.ctx_free = attr->ctx_free,
		.low = attr->low,
		.high = attr->high,
		.batch = attr->batch,
		.numa = attr->numa,
	};
	if (merges(attr)) {
		ea.flags &= ~(uint64_t)OF_HANDLE;
		if (payer)
			ea.flags |= BMA__CACHE_OWNED;
		cache = bma__merge_open(&ea, attr->flags & BMA_CACHE_COUNT, payer, &rc);
	} else {
		cache = create_private(&ea, payer, &rc);
	}
	if (cache)
		return cache;
failed:
	errno = -rc;
	return NULL;
}

int bma_cache_destroy(struct bma_cache *cache)
{
	struct bma__engine *e;
	uint64_t live = 0;
	int rc = 0;

	if (!cache)
		return 0;
	if (bma__merge_of(cache))
		return bma__merge_close(cache);
	e = cache->engine;
	bma__init_threads();
	if (e->flags & BMA_CACHE_DESTROY_ASYNC) {
		bma__orphan_add(e);
		return 0;
	}
	if (!e->reserves)
		rc = bma__reclaim_engine(e, &live);
	if (rc || live || e->reserves)
		bma__reclaim_undo(e);
	if (rc)
		return rc;
	if (live || e->reserves) {
		bma__log_verbose("bma_cache_destroy: cache \"%s\": %llu objects live, %u reserves",
				 e->name, (unsigned long long)live, e->reserves);
		bma__track_leaks(e);
		return -EBUSY;
	}
	bma__engine_free(e);
	return 0;
}

void *bma__cache_none(struct bma__engine *e)
{
	atomic_fetch_add_explicit(&e->fail_empty, 1, memory_order_relaxed);
	BMA__PROBE(alloc_fail, e->name, e->id, "empty");
	bma__worker_kick(e);
	return NULL;
}

void *bma__cache_forbidden(void)
{
	errno = EDEADLK;
	return NULL;
}

/* Are calls to be looked at, by the engine or the handle, or does a gate stand open (sample.h)? Who opens or shuts one does not wait for readers. */
static bool gated(const struct bma_cache *cache)
{
	return bma__unlikely(!__atomic_load_n(&cache->head.mask, __ATOMIC_RELAXED));
}

static const char *name_of(struct bma_cache *cache)
{
	const struct bma__merged *m = bma__merge_of(cache);

	return m ? m->name : cache->engine->name;
}

/* The user is to get @obj. Returns what he gets. */
static void *taken(struct bma_cache *cache, void *obj, const char *call)
{
	struct bma__engine *e = cache->engine;

	bma__merge_count(cache, 1);
	if (bma__engine_checked(e)) {
		bma__checked_taken(e, obj, call);
	} else {
		bma__key_taken(e, obj);
		if (e->flags & BMA_CACHE_SAMPLE)
			obj = bma__sample_taken(e, obj);
	}
	if (bma__unlikely(e->flags & BMA__CACHE_PROFILE))
		bma__profile_taken(e, obj, e->charge, name_of(cache));
	return obj;
}

void *bma__cache_taken(struct bma_cache *cache, void *obj, const char *call)
{
	return taken(cache, obj, call);
}

/* The user has given @obj back, of an engine that does not check each call. Returns what is freed. */
static void *given(struct bma__engine *e, void *obj)
{
	if (bma__key_has(e))
		bma__key_check(e, obj, "bma_cache_free");
	if (e->flags & BMA_CACHE_SAMPLE)
		obj = bma__sample_given(e, obj);
	bma__key_write(e, obj);
	return obj;
}

void bma__cache_given(struct bma__engine *e, void *obj)
{
	if (bma__unlikely(e->flags & BMA__CACHE_PROFILE))
		bma__profile_given(obj);
	if (bma__engine_checked(e))
		bma__checked_free(e, obj);
	else
		bma__step_free(e, given(e, obj));
}

/* The slow halves are cold, and compiled to be small; a cache that is looked at is not to pay for that. */
#define GATED static __attribute__((hot, noinline))

GATED void *alloc_gated(struct bma_cache *cache)
{
	struct bma__engine *e = cache->engine;
	void *obj = NULL;

	bma__rseq_clear();
	if (bma__likely(cache->owner))
		return bma__owned_alloc(cache);
	if (bma__unlikely(!e)) {
		bma__heap_refuse(cache->heap);
		return NULL;
	}
	if (!bma__fuzz_fails(BMA__FUZZ_ALLOC)) {
		obj = bma__step_alloc(e);
		if (bma__unlikely(!obj) && bma__forbid_refuses())
			return NULL;
		obj = bma__likely(obj) ? obj : bma__slot_alloc(e);
	}
	return obj ? taken(cache, obj, "bma_cache_alloc") : bma__cache_none(e);
}

void *bma__cache_alloc_slow(struct bma_cache *cache)
{
	struct bma__engine *e;
	void *obj;

	if (cache->quick)
		return bma__owned_alloc_quick(cache);
	if (gated(cache))
		return alloc_gated(cache);
	e = cache->engine;
	obj = bma__step_alloc(e);
	if (bma__likely(obj))
		return obj;
	/* In a guard the thread is not registered, and each call comes as far as here. */
	if (bma__forbid_refuses())
		return NULL;
	obj = bma__fuzz_fails(BMA__FUZZ_ALLOC) ? NULL : bma__slot_alloc(e);
	return bma__likely(obj) ? obj : bma__cache_none(e);
}

GATED void free_gated(struct bma_cache *cache, void *obj)
{
	struct bma__engine *e = cache->engine;

	bma__rseq_clear();
	if (e->flags & BMA__CACHE_OWNED) {
		bma__owned_free(cache, obj);
		return;
	}
	bma__merge_count(cache, -1);
	bma__cache_given(e, obj);
}

void bma__cache_free_slow(struct bma_cache *cache, void *obj)
{
	if (cache->quick)
		bma__owned_free_quick(cache, obj);
	else if (gated(cache))
		free_gated(cache, obj);
	else
		bma__step_free(cache->engine, obj);
}

static void *refill_once(struct bma__engine *e, const struct bma__numa_want *want)
{
	return want ? bma__numa_alloc(e, want) : bma__refill_object(e);
}

/* A limit may have refused a slab: then memory of the group is reclaimed. @want: NULL for whatever is nearest. */
static void *refill(struct bma__engine *e, const struct bma__numa_want *want)
{
	struct bma__pressure pressure = {.bytes = bma__engine_slab_charge(e)};
	struct bma_group *group;
	uint64_t refused;
	void *obj;

	do {
		refused = atomic_load_explicit(&e->refused, memory_order_acquire);
		obj = refill_once(e, want);
		group = !obj && atomic_load_explicit(&e->refused, memory_order_acquire) != refused
				? atomic_load_explicit(&e->refused_by, memory_order_relaxed)
				: NULL;
	} while (group && bma__pressure_relieve(&pressure, group));
	if (!obj)
		errno = group ? EDQUOT : ENOMEM; /* whatever the system said */
	if (pressure.tries)
		bma__pressure_end(&pressure, e->record, obj);
	if (obj && e->record)
		bma__pressure_throttle(e->record);
	return obj;
}

static void *refill_counted(struct bma__engine *e, const struct bma__numa_want *want)
{
	void *obj = refill(e, want);

	if (obj)
		return obj;
	atomic_fetch_add_explicit(&e->fail_system, 1, memory_order_relaxed);
	BMA__PROBE(alloc_fail, e->name, e->id, errno == EDQUOT ? "limit" : "system");
	return NULL;
}

void *bma__cache_alloc_sleep(struct bma__engine *e)
{
	void *obj;

	if (bma__forbid_refuses())
		return bma__cache_forbidden();
	obj = bma__slot_alloc_near(e);
	if (obj)
		return obj;
	bma__init_threads();
	if (bma__defer_help(e)) {
		obj = bma__slot_alloc_near(e);
		if (obj)
			return obj;
	}
	bma__worker_kick_sometimes(e);
	return refill_counted(e, NULL);
}

void *bma__cache_alloc_on(struct bma__engine *e, const struct bma__numa_want *want)
{
	if (bma__forbid_refuses())
		return want->sleep ? bma__cache_forbidden() : NULL;
	if (bma__fuzz_fails(BMA__FUZZ_ALLOC))
		return NULL;
	if (!want->sleep)
		return bma__numa_alloc(e, want);
	bma__init_threads();
	return refill_counted(e, want);
}

/* On a line of their own: across one more the calls cost a tenth more. */
__attribute__((aligned(BMA_CACHELINE))) void *bma_cache_alloc(struct bma_cache *cache)
{
#if BMA__RSEQ_BUILT
	void *obj;

	if (bma__unlikely(cache->quick))
		return bma__owned_alloc_quick(cache);
	BMA__POP(cache, BMA__SLOT_LOADED, obj, slow);
	return obj;
slow:
#endif
	return bma__cache_alloc_slow(cache);
}

__attribute__((aligned(BMA_CACHELINE))) void bma_cache_free(struct bma_cache *cache, void *obj)
{
	if (!obj)
		return;
#if BMA__RSEQ_BUILT
	if (bma__unlikely(cache->quick)) {
		bma__owned_free_quick(cache, obj);
		return;
	}
	BMA__PUSH(cache, BMA__SLOT_LOADED, obj, slow);
	return;
slow:
#endif
	bma__cache_free_slow(cache, obj);
}

void *bma_cache_alloc_flags(struct bma_cache *cache, unsigned int flags)
{
	void *obj;

	if (flags & BMA_SLEEP && cache->owner) {
		obj = bma__owned_alloc_sleep(cache);
	} else if (flags & BMA_SLEEP) {
		obj = bma__step_alloc(cache->engine);
		if (!obj)
			obj = bma__cache_alloc_sleep(cache->engine);
		if (obj && gated(cache))
			obj = taken(cache, obj, "bma_cache_alloc_flags");
	} else {
		obj = bma_cache_alloc(cache);
	}
	if (obj && flags & BMA_ZERO)
		memset(obj, 0, cache->engine->size);
	return obj;
}

size_t bma_cache_alloc_bulk(struct bma_cache *cache, void **objs, size_t n, unsigned int flags)
{
	size_t i;

	for (i = 0; i < n; i++) {
		objs[i] = bma_cache_alloc_flags(cache, flags);
		if (!objs[i])
			break;
	}
	return i;
}

void bma_cache_free_bulk(struct bma_cache *cache, void *const *objs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bma_cache_free(cache, objs[i]);
}

size_t bma_cache_size(const struct bma_cache *cache)
{
	return cache->engine->size;
}
