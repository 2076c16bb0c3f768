/* SPDX-License-Identifier: MIT */
/*
 * Engines: what holds the objects of one size. A cache is a handle on an engine.
 *
 * Slots stand CPU-major: one sparse region of 4 MiB per index, in which engine n has the 64 bytes
 * at n * 64, so that a CPU's slots of many engines share its own pages and nothing is touched for a
 * CPU that does not come by. Guest slots are the regions after the last index.
 *
 * Equation at a quiescent point:
 *	live + cached + limbo + parked + reserved + free in slabs = carved
 *
 * Ordering: MO-19 (docs/memory-ordering.md).
 */
#ifndef BMA_CACHE_ENGINE_H
#define BMA_CACHE_ENGINE_H

#include "count.h"
#include "depot.h"

#include <bma/heap.h>
#include <bma/inline/fastpath.h>
#include <bma/stats.h>

/* Ids are tags of the page map: 0 and the last one are no engine's. */
#define BMA__ENGINES_MAX 65536u
#define BMA__NAME_MAX 32

struct bma__flavor;
struct bma__merged;
struct bma__record;
struct bma_group;

/* A tool watches memory, and is told of each object; set by the library. */
#define BMA__CACHE_TOOLS ((uint64_t)1 << 63)
/* Shared by handles of which each pays for its objects, see owner.h; set by the library. */
#define BMA__CACHE_OWNED ((uint64_t)1 << 62)

/* Each call is seen by the heap profile, see profile.h; set by the library. */
#define BMA__CACHE_PROFILE ((uint64_t)1 << 61)

/* Flags of which each needs that every call is looked at. */
#define BMA__CACHE_CHECKS                                                                          \
	(BMA_CACHE_DEBUG | BMA_CACHE_REDZONE | BMA_CACHE_POISON | BMA_CACHE_ZERO_FREE |            \
	 BMA_CACHE_TRACK | BMA_CACHE_QUARANTINE | BMA_CACHE_GUARD | BMA__CACHE_TOOLS)

struct bma__engine {
	/* What the inlined calls see; a private cache's handle holds a copy. [const] */
	struct bma__head head;
	uint32_t id;
	uint32_t class;	   /* of its magazines */
	uint32_t capacity; /* objects per magazine; 1: nothing is kept in slots */
	uint32_t planes;   /* slots + guest slots */
	size_t size;	   /* bytes asked for */
	size_t align;
	uint64_t flags;
	struct bma__slab_geometry geo;
	struct bma__flavor *flavor;
	void (*ctor)(void *obj, void *ctx);
	void (*dtor)(void *obj, void *ctx);
	void *ctx;
	void (*ctx_free)(void *ctx); /* when it is freed; NULL as long as it was not handed out */
	char name[BMA__NAME_MAX];
	size_t bytes; /* of this struct with its depots */

	/* Watermarks. [const] but for those marked atomic */
	uint32_t tape;	   /* magazines on a slot's tape at most, at first */
	uint32_t tape_max; /* and after it has grown */
	uint32_t attr_low;
	size_t attr_reserve;
	size_t attr_limbo_max;	    /* bytes */
	_Atomic uint64_t limbo_max; /* objects that may wait for a grace period */
	_Atomic bool hands_over;   /* objects are freed by other slots than they are allocated by */
	_Atomic uint32_t boost;	   /* doublings of the depot's stock */
	_Atomic uint32_t low_mags; /* depot, per node: below it the worker refills ... */
	_Atomic uint32_t target_mags; /* ... up to this */
	_Atomic uint32_t high_mags;   /* above it the worker drains */
	_Atomic uint32_t slot_mags;   /* magazines promised for what slots hold besides objects */
	_Atomic bool dying;	      /* being destroyed: the worker carves nothing more */
	_Atomic uintptr_t destroyer;  /* the thread that set it, of those that wait meanwhile */
	_Atomic uint32_t watched; /* the worker looks in regularly: no need to wake it to drain */
	_Atomic uint64_t kicked;  /* when a may-sleep caller last asked for stock */
	_Atomic uint64_t fails_seen; /* fail_empty when a pass last looked */
	_Atomic uint64_t
		waste_next;	/* no drain of slots for the sake of memory before then: settle.h */
	_Atomic uint64_t wants; /* stock: somebody found little or none; @drained then << 1 | 1 */
	_Atomic uint32_t waste_tries; /* that did not help */
	_Atomic uint64_t rested;      /* what had moved when settle.c last looked, */
	_Atomic uint32_t rests;	      /* looks since then at which nothing had, */
	_Atomic uint32_t drained;     /* times that all of it was to be drained: refill.h */
	_Atomic uint32_t renewals;    /* of its stock */
	struct {
		struct bma__mag_stack fresh, old, again;
	} in_hand; /* of who renews it; where a child of fork finds them */
	_Atomic bool renewing;
	_Atomic uint32_t relaxes; /* how often a deeper stock was given up, */
	_Atomic uint64_t settled; /* and when it had settled */

	/* [lock: registry] */
	struct bma__engine *next, *prev;
	bool entered;		   /* walks find it, and who has its id can pin it */
	_Atomic uint32_t reserves; /* reserves that exist */
	bool fork_took;		   /* its lock, by the fork handler */
	_Atomic uint32_t pins;	   /* who works on it without the registry's lock */

	/* [lock: lock] */
	struct bma__lock lock;
	uint32_t turn; /* of nodes, where slabs go round */
	uint64_t nslabs;
	uint32_t empty_slabs;
	uint64_t objs_carved;
	uint64_t objs_home; /* carved and at home in a slab */

	/* Any context. */
	_Atomic uint32_t phase __attribute__((aligned(BMA_CACHELINE))); /* of tickets */
	struct bma__count parks;      /* objects parked, see park.h */
	_Atomic uint64_t collects;    /* of these collected */
	struct bma__mag_stack sealed; /* magazines that wait for a grace period */
	uint32_t waiting; /* [lock: purge] chain of those that the running grace period is for */
	struct bma__count limbo; /* objects in both, and in finish */
	_Atomic uint64_t limbo_peak, limbo_overruns;
	struct bma__count
		limbo_slots; /* limbo words that are not 0, or are about to change; see limbo.h */
	struct bma__mag_stack
		finish;	       /* magazines whose objects are to be destructed, see finish.h */
	uint32_t finish_chain; /* [lock: purge] those that are being destructed */

	struct bma__slab *finish_first; /* [lock: purge] slabs of which the same is true */
	_Atomic uint32_t finish_slabs;	/* how many */
	_Atomic uint32_t
		dying_slabs;	/* given up and not yet destructed, if there is a destructor */
	_Atomic bool finishing; /* somebody runs destructors */
	_Atomic uint32_t finish_rounds; /* ended */

	_Atomic uint64_t reserved; /* objects in reserves */
	/* [const] the ring of the quarantine, and its places; NULL, 0: there is none */
	_Atomic(void *) *quarantine;
	uint32_t quarantine_places;
	/* [const] See key.h: have objects a key, and where do they begin? */
	bool keyed;
	uint32_t key_end;
	uintptr_t key_base; /* mask of a slab's address */
	uint64_t key_span, key_stride;
	/* See sample.h: what may still go through the gate, and whether the next allocation is to be guarded. */
	_Atomic int32_t gate_left;
	_Atomic bool gate_wants;
	_Atomic uint32_t
		guarded_deferred; /* guarded objects that are to be closed after a grace period */
	_Atomic uint64_t quarantine_turn, quarantined;
	_Atomic uint64_t slot_grows, slot_shrinks, budget_refused, idle_drains;
	_Atomic uint64_t fail_empty, fail_charge, fail_system, fail_refill, aborts, refills, drains;

	_Atomic uint32_t begun,
		ended; /* passes of ours that move magazines, see bma__engine_begin() */

	/* Who pays for slabs, see record.h; NULL: each object has an owner instead. [const] */
	struct bma__record *record;
	bool own_record;	  /* it ends with the engine */
	_Atomic uint64_t refused; /* slabs that a limit refused */
	_Atomic(struct bma_group *) refused_by;
	/* Of engines with owners, see owner.h. [const] but for the table, [lock: lock] */
	bool quick;	 /* a call is nothing but a charge and a step */
	uint64_t charge; /* bytes of an object with its copies */
	uint64_t minus;	 /* the same below 0 */
	uint64_t owner_mul, owner_add;
	uintptr_t owner_mask; /* what is an offset in a slab */
	struct bma__record **owners;
	uint32_t owner_hint;
	_Atomic uint32_t owners_used; /* read without it, too, while one looks for an engine */

	/* [lock: merge] of engines that handles share, see merge.h, and of those without one, see orphan.h */
	bool shared;
	uint32_t refs; /* handles, and heaps */
	struct bma__engine *merge_next;
	struct bma__merged *handles;
	bool orphan;
	struct bma__engine *orphan_next;
	uint64_t orphan_due, orphan_nap; /* ns */
	uint64_t orphan_round;
	bool reaped; /* somebody looks whether it can be given back */

	struct bma_numa numa;	       /* [const] which nodes slabs are to be on */
	uint32_t numa_node;	       /* [const] with BMA_NUMA_NODE: our number */
	_Atomic uint64_t nodes_used;   /* bitmap of those whose CPUs came by */
	struct bma__depot *depot;      /* one per node */
	struct bma__slab_lists *slabs; /* [lock: lock] one per node */
	_Atomic uint64_t *used;	       /* bitmap of planes: slots that were ever touched */
};

/* Which list of its engine and node a slab is in; slabs of no node are in those of the first. */
enum bma__slab_list {
	BMA__SLABS_PARTIAL, /* something is left to take */
	BMA__SLABS_SPENT,
	BMA__SLABS_DYING, /* given up, waits for a grace period */
};

struct bma__slab_lists {
	struct bma__slab *first[BMA__SLABS_DYING];
};

/* The first of the next lists that are not empty, after the @i-th; for bma__engine_for_each_slab(). */
struct bma__slab *bma__engine_next_slabs(const struct bma__engine *e, uint32_t *i);

/* All slabs that are not given up, under the engine's lock. */
#define bma__engine_for_each_slab(e, s)                                                            \
	for (uint32_t bma__i = 0; bma__i != UINT32_MAX; bma__i = UINT32_MAX)                       \
		for (struct bma__slab *s = bma__engine_next_slabs((e), &bma__i); s;                \
		     s = s->next ? s->next : bma__engine_next_slabs((e), &bma__i))

/*
 * A handle. Private ones, and one for each shared engine by which frees without a handle reach it, stand in a region of their own, at a place
 * that follows from the engine's id; those of merged caches are part of a struct bma__merged.
 */
struct bma_cache {
	struct bma__head head;
	struct bma__engine *engine;
	/* A heap's: the same if its calls are neither counted nor looked at. Else NULL. */
	struct bma__engine *plain;
	uint16_t class; /* which of a heap's classes has such objects, see heap.h */
	bool merged;	/* part of a struct bma__merged */
	_Atomic bool
		interior; /* at an engine's place: a heap gave out addresses inside its objects */
	uint16_t owner;	  /* its place in the engine's table, see owner.h; 0: it has none */
	bool quick;	  /* it has, and a call is nothing but a charge and a step */
	struct bma_heap *heap;	    /* whose class the engine is, if it belongs to one heap only */
	struct bma__record *record; /* who is charged for objects, or counts them; NULL: neither */
};

struct bma__engine_attr {
	const char *name;
	size_t size, align, reserve, limbo_max;
	uint64_t flags;
	struct bma__flavor *flavor;
	void (*ctor)(void *obj, void *ctx);
	void (*dtor)(void *obj, void *ctx);
	void *ctx;
	void (*ctx_free)(void *ctx);
	uint32_t low, high, batch;
	struct bma_numa numa;
	struct bma_heap *heap;	    /* as in the handle */
	struct bma__record *record; /* who pays for slabs; NULL: the root */
};

_Static_assert(sizeof(struct bma_cache) == (size_t)1 << BMA__HANDLE_SHIFT, "frozen");
_Static_assert(offsetof(struct bma_cache, engine) == BMA__HANDLE_ENGINE, "frozen");
_Static_assert(offsetof(struct bma_cache, plain) == BMA__HANDLE_PLAIN, "frozen");
_Static_assert(offsetof(struct bma_cache, class) == BMA__HANDLE_CLASS, "frozen");
_Static_assert((size_t)1 << BMA__HANDLE_SHIFT == BMA_CACHELINE, "places are a cache line apart");

extern struct bma__lock bma__registry_lock;

/* Reserve the planes and choose the mode; once. Returns 0 or -ENOMEM. May sleep. */
int bma__engine_init(void);
/* Was it called, with success? For the fork handlers, which hold the lock of the first use. */
bool bma__engine_has_begun(void);
/* Returns the engine, stocked as @attr asks, or NULL and a negative errno in @rc. May sleep. */
struct bma__engine *bma__engine_create(const struct bma__engine_attr *attr, int *rc);
/* The handle that stands at the place of an engine; it lives as long. */
struct bma_cache *bma__engine_handle(struct bma__engine *e);
/* What the handle of an engine, which may have to look at each call, is to have as its head. */
struct bma__head bma__engine_head(const struct bma__engine *e);
/* Open or shut the gate in the handle at the place of @e, see sample.h. Any context. */
void bma__engine_gate(struct bma__engine *e, bool open);
/* The same handle by the engine's id; that of nobody is empty for ever. Any context. */
static inline struct bma_cache *bma__engine_handle_at(uint32_t id)
{
	return (struct bma_cache *)(bma__heap_map.places + (uintptr_t)id * BMA_CACHELINE);
}

/* The same of the engine that @ptr's unit is of; NULL: none's, or a large object's. Any context; @ptr may be any bit pattern. */
static inline struct bma_cache *bma__engine_place_of(const void *ptr)
{
	uint32_t tag = bma__chunk_tag(ptr);

	return bma__likely(tag - 1u < BMA__TAG_LARGE - 1u) ? bma__engine_handle_at(tag) : NULL;
}

/* Slots that stay empty for ever. */
uintptr_t bma__engine_no_slots(void);
/* Take it out of the registry and free it, its context last; all of its objects are at home. No lock is held. May sleep. */
void bma__engine_free(struct bma__engine *e);

/* First engine after @e (NULL: the first), pinned; @e is unpinned. For walks that drop the lock. */
struct bma__engine *bma__engine_next(struct bma__engine *e);
void bma__engine_unpin(struct bma__engine *e);
/* The engine of an id, pinned; or NULL. */
struct bma__engine *bma__engine_pin(uint32_t id);
uint64_t bma__engine_number(void);
/* All engines, for the fork handlers, which hold the registry's lock. */
struct bma__engine *bma__engine_first_locked(void);

/*
 * Set the depot's watermarks from the attributes, the slots in use and the boost, and map magazines ahead
 * for slots that grew. May sleep.
 */
void bma__engine_set_marks(struct bma__engine *e);

/*
 * Take up to @n objects from slabs, constructed: for whoever is on @node, by the engine's policy of placement. May sleep; no lock is held around the
 * constructor. Returns how many.
 */
uint32_t bma__engine_carve(struct bma__engine *e, uint32_t node, void **out, uint32_t n);
/* One object of a slab that is on @node, whatever the policy, and whose pages are there; or NULL. As above. */
void *bma__engine_carve_there(struct bma__engine *e, uint32_t node);
/* Bring @n objects home that were in a depot of @node (BMA__NODE_ANY: elsewhere); aborts on an object that has no business there. May sleep. */
void bma__engine_home(struct bma__engine *e, uint32_t node, void *const *objs, uint32_t n);
/* Run the destructors of an engine that nobody was ever given, all of whose objects are at home. May sleep. */
void bma__engine_destruct(struct bma__engine *e);
/* Give all wholly free slabs but @keep up to the grace period. May sleep. Returns how many. */
uint32_t bma__engine_shrink(struct bma__engine *e, uint32_t keep);
/* Give all slabs up, with what is live in them; before it is freed, without a destructor. May sleep. */
void bma__engine_abandon(struct bma__engine *e);
/* What a slab costs, with its copies. */
uint64_t bma__engine_slab_charge(const struct bma__engine *e);
/* Who pays for a slab, a large object's too, pays no more; before its memory goes. May sleep. */
void bma__engine_uncharge(struct bma__slab *s);
/* The slab of @obj; aborts, naming @call, if that is not an object of @e. Any context. */
struct bma__slab *bma__engine_slab(struct bma__engine *e, const void *obj, const char *call);
/* Abort about a pointer: @result is what is wrong with it. */
void bma__engine_misuse(struct bma__engine *e, const void *obj, enum bma__slab_result result,
			const char *call) __attribute__((noreturn, cold));

/*
 * Around every pass of ours that takes magazines in hand (worker, grace period, drain), so that statistics
 * can tell a snapshot in which none ran: begun == ended before, and begun the same after.
 */
static inline void bma__engine_begin(struct bma__engine *e)
{
	atomic_fetch_add_explicit(&e->begun, 1, memory_order_seq_cst);
}

static inline void bma__engine_end(struct bma__engine *e)
{
	/* In a child of fork a pass that the fork interrupted counts as ended already. */
	if (atomic_load_explicit(&e->ended, memory_order_relaxed) !=
	    atomic_load_explicit(&e->begun, memory_order_relaxed))
		atomic_fetch_add_explicit(&e->ended, 1, memory_order_seq_cst);
}

/* Do the hot calls of this engine's cache leave by their slow halves, which then look at each object? */
static inline bool bma__engine_checked(const struct bma__engine *e)
{
	return e->flags & (BMA_CACHE_DTOR_RECYCLE | BMA_CACHE_PERCPU | BMA__CACHE_CHECKS);
}

/* Are objects at home on a node, that of a CPU that asked for them? */
static inline bool bma__engine_local(const struct bma__engine *e)
{
	return e->numa.policy == BMA_NUMA_LOCAL && !e->geo.percpu;
}

/* Somebody on @node uses it. Any context. */
static inline void bma__engine_use_node(struct bma__engine *e, uint32_t node)
{
	if (bma__unlikely(
		    !(atomic_load_explicit(&e->nodes_used, memory_order_relaxed) >> node & 1)))
		atomic_fetch_or_explicit(&e->nodes_used, 1ull << node, memory_order_relaxed);
}

/* Magazines for @n objects. */
static inline uint32_t bma__engine_mags(const struct bma__engine *e, uint64_t n)
{
	return (uint32_t)((n + e->capacity - 1) / e->capacity);
}

#endif /* BMA_CACHE_ENGINE_H */
