/* SPDX-License-Identifier: MIT */
/*
 * The kernel's names, see <bma/compat/bpf_mem_alloc.h>: on public calls alone, but for one, who an address belongs to.
 *
 * An allocator has a part for each size. A part's cache outlives bpf_mem_alloc_destroy() until its last object is home; then its context,
 * the part, is freed, and with the last part all of the allocator: one reference is the user's, one each part's.
 *
 * A per-CPU object is a word that a constructor fills with an object of a per-CPU cache, and a destructor empties: so the two stay
 * together while the word is recycled, and a reader who looks at a freed word still finds copies there. The per-CPU caches
 * are merged ones, so that allocators of one size share the memory of copies.
 */
#include "api.h"

#include <bma/compat/bpf_mem_alloc.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLASSES BMA__HEAP_KERNEL_SIZES
#define CLASS_MAX 4096
/* The kernel keeps eight bytes of a header in each. */
#define USER_MAX 4088u
/* A magazine, for objects up to 1 KiB; above, as many as are so many bytes. */
#define BATCH 62u
#define BATCH_LEAST 6u
#define BATCH_BYTES ((size_t)64 << 10)
/* Stock, besides some magazines for each CPU; bounds in bytes. */
#define STOCK 2048u
#define STOCK_MAGS 4u
#define STOCK_LEAST 64u
#define STOCK_BYTES ((size_t)8 << 20)
#define STOCK_BYTES_PERCPU ((size_t)1 << 20)

struct part {
	struct bma_bpf *set;
	_Atomic(struct bma_cache *) cache; /* NULL: a class that was not filled */
	struct bma_cache *copies;	   /* of per-CPU objects */
};

struct bma_bpf {
	_Atomic uint32_t refs;
	bool percpu, sized; /* sized: one part, the first, whatever its size */
	_Atomic(void (*)(void *obj, void *ctx)) dtor;
	void (*ctx_free)(void *ctx);
	void *ctx;
	struct part part[CLASSES];
};

struct bpf_mem_alloc bma_bpf_global_ma;

/* 1 to CLASS_MAX. */
static unsigned int class_of(size_t size)
{
	unsigned int c = 0;

	if (size > 192)
		return 62u - (unsigned int)__builtin_clzll((unsigned long long)size - 1);
	while (bma__heap_kernel_sizes[c] < size)
		c++;
	return c;
}

static void put(struct bma_bpf *set)
{
	if (atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (set->ctx_free)
		set->ctx_free(set->ctx);
	bma__meta_free(set, sizeof *set);
}

/* A constructor cannot fail: what stays empty is filled when it is allocated. */
static void construct(void *obj, void *ctx)
{
	*(void **)obj = bma_cache_alloc_flags(((struct part *)ctx)->copies, BMA_SLEEP);
}

static void destruct(void *obj, void *ctx)
{
	struct part *part = ctx;
	void (*dtor)(void *obj, void *ctx) =
		atomic_load_explicit(&part->set->dtor, memory_order_acquire);

	if (dtor)
		dtor(obj, part->set->ctx);
	if (part->copies)
		bma_cache_free(part->copies, *(void **)obj);
}

static void release(void *ctx)
{
	struct part *part = ctx;

	bma_cache_destroy(part->copies);
	put(part->set);
}

static uint32_t batch_for(size_t size)
{
	size_t n = BATCH_BYTES / size;

	/* Larger objects are not kept per CPU. */
	return size > BATCH_BYTES ? 0
	       : n > BATCH	  ? BATCH
	       : n < BATCH_LEAST  ? BATCH_LEAST
				  : (uint32_t)n;
}

/* What is in stock is carved and not touched, but for the pointers, and the words of per-CPU objects. */
static size_t stock_for(size_t size, bool percpu)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = STOCK + STOCK_MAGS * (size_t)batch_for(size) * (size_t)(cpus > 0 ? cpus : 1);
	size_t most = (percpu ? STOCK_BYTES_PERCPU : STOCK_BYTES) / size;

	most = most < STOCK_LEAST ? STOCK_LEAST : most;
	return n < most ? n : most;
}

static int fill_copies(struct part *part, size_t size)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr,
				      .name = "bpf-copies",
				      .size = size,
				      .flags = BMA_CACHE_PERCPU | BMA_CACHE_MERGE};

	part->copies = bma_cache_create(&attr);
	return part->copies ? 0 : -errno;
}

static int fill(struct bma_bpf *set, struct part *part, size_t size)
{
	struct bma_cache_attr attr = {.attr_size = sizeof attr,
				      .name = set->percpu ? "bpf-percpu" : "bpf",
				      .size = set->percpu ? sizeof(void *) : size,
				      .flags = BMA_CACHE_DESTROY_ASYNC,
				      .ctor = set->percpu ? construct : NULL,
				      .dtor = destruct,
				      .ctx = part,
				      .ctx_free = release,
				      .batch = set->percpu ? BATCH : batch_for(size),
				      .reserve = stock_for(size, set->percpu)};
	struct bma_cache *cache;
	int rc = set->percpu ? fill_copies(part, size) : 0;

	if (rc)
		return rc;
	part->set = set;
	cache = bma_cache_create(&attr);
	if (cache) {
		atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
		atomic_store_explicit(&part->cache, cache, memory_order_release);
		return 0;
	}
	rc = -errno;
	bma_cache_destroy(part->copies);
	part->copies = NULL;
	return rc;
}

static struct bma_bpf *make(bool percpu, bool sized)
{
	struct bma_bpf *set = bma__init() ? NULL : bma__meta_alloc(sizeof *set);

	if (set) {
		atomic_init(&set->refs, 1);
		set->percpu = percpu;
		set->sized = sized;
	}
	return set;
}

static int fill_all(struct bma_bpf *set, size_t size)
{
	int rc = 0;

	if (size)
		return fill(set, &set->part[0], size);
	for (unsigned int c = 0; c < CLASSES && !rc; c++)
		rc = fill(set, &set->part[c], bma__heap_kernel_sizes[c]);
	return rc;
}

int bma_bpf_init(struct bpf_mem_alloc *ma, int size, bool percpu)
{
	struct bma_bpf *set;
	int rc;

	memset(ma, 0, sizeof *ma);
	if (size < 0 || (percpu && !size))
		return -EINVAL;
	set = make(percpu, size != 0);
	if (!set)
		return -ENOMEM;
	ma->caches = set;
	rc = fill_all(set, (size_t)size);
	if (rc) {
		bma_bpf_destroy(ma);
		return rc;
	}
	if (size)
		ma->cache = atomic_load_explicit(&set->part[0].cache, memory_order_relaxed);
	ma->percpu = percpu;
	return 0;
}

int bma_bpf_percpu_init(struct bpf_mem_alloc *ma)
{
	struct bma_bpf *set = make(true, false);

	*ma = (struct bpf_mem_alloc){.caches = set, .percpu = set != NULL};
	return set ? 0 : -ENOMEM;
}

int bma_bpf_percpu_unit_init(struct bpf_mem_alloc *ma, int size)
{
	struct bma_bpf *set = ma->caches;
	struct part *part;

	if (size <= 0 || size > CLASS_MAX || !set || !set->percpu || set->sized)
		return -EINVAL;
	part = &set->part[class_of((size_t)size)];
	if (atomic_load_explicit(&part->cache, memory_order_relaxed))
		return 0;
	return fill(set, part, bma__heap_kernel_sizes[part - set->part]);
}

void bma_bpf_destroy(struct bpf_mem_alloc *ma)
{
	struct bma_bpf *set = ma->caches;

	memset(ma, 0, sizeof *ma);
	if (!set)
		return;
	for (unsigned int c = 0; c < CLASSES; c++)
		bma_cache_destroy(atomic_load_explicit(&set->part[c].cache, memory_order_relaxed));
	put(set);
}

void bma_bpf_set_dtor(struct bpf_mem_alloc *ma, void (*dtor)(void *obj, void *ctx),
		      void (*ctx_free)(void *ctx), void *ctx)
{
	struct bma_bpf *set = ma->caches;

	if (!set) {
		if (ctx_free)
			ctx_free(ctx);
		return;
	}
	set->ctx = ctx;
	set->ctx_free = ctx_free;
	/* Slabs may be given up before anything was allocated; who runs destructors looks at ctx after this. */
	atomic_store_explicit(&set->dtor, dtor, memory_order_release);
}

/* Of a per-CPU object whose constructor found no memory. Any context. */
static void *filled(struct part *part, void *obj)
{
	void **word = obj;

	if (bma__likely(!obj || *word))
		return obj;
	*word = bma_cache_alloc(part->copies);
	if (*word)
		return obj;
	bma_cache_free(atomic_load_explicit(&part->cache, memory_order_relaxed), obj);
	return NULL;
}

void *bma_bpf_fill(struct bpf_mem_alloc *ma, void *obj)
{
	return filled(&ma->caches->part[0], obj);
}

void *bma_bpf_alloc(struct bpf_mem_alloc *ma, size_t size)
{
	struct bma_bpf *set = __atomic_load_n(&ma->caches, __ATOMIC_ACQUIRE);
	struct bma_cache *cache;
	struct part *part;
	void *obj;

	if (bma__unlikely(!set || set->sized || !size ||
			  size > (set->percpu ? (size_t)CLASS_MAX : USER_MAX)))
		return NULL;
	part = &set->part[class_of(size)];
	cache = atomic_load_explicit(&part->cache, memory_order_acquire);
	if (bma__unlikely(!cache))
		return NULL;
	obj = bma_cache_alloc(cache);
	return set->percpu ? filled(part, obj) : obj;
}

void *bma_bpf_cache_alloc_flags(struct bpf_mem_alloc *ma, unsigned int flags)
{
	struct part *part;
	void *obj;

	if (!ma->cache)
		return NULL;
	part = &ma->caches->part[0];
	if (!ma->percpu)
		return bma_cache_alloc_flags(ma->cache, flags);
	obj = bma_cache_alloc_flags(ma->cache, flags & BMA_SLEEP);
	if (obj && !*(void **)obj && flags & BMA_SLEEP)
		construct(obj, part);
	obj = filled(part, obj);
	if (obj && flags & BMA_ZERO)
		bma__percpu_clear(part->copies->engine, *(void **)obj);
	return obj;
}

static struct bma_cache *owner(const void *ptr, const char *call)
{
	struct bma_cache *place = bma__engine_place_of(ptr);

	if (bma__unlikely(!place)) {
		bma__log_line("%s: pointer %p is not an object of any allocator", call, ptr);
		abort();
	}
	return place;
}

void bma_bpf_free(void *ptr)
{
	if (ptr)
		bma_cache_free(owner(ptr, "bpf_mem_free"), ptr);
}

void bma_bpf_free_rcu(void *ptr)
{
	if (ptr)
		bma_cache_free_rcu(owner(ptr, "bpf_mem_free_rcu"), ptr);
}

/* Two first calls make two; the later one is taken back. */
int bma_bpf_global_init(void)
{
	struct bpf_mem_alloc ma;
	struct bma_bpf *none = NULL;
	int rc;

	if (bpf_global_ma_set)
		return 0;
	rc = bma_bpf_init(&ma, 0, false);
	if (!rc && !__atomic_compare_exchange_n(&bma_bpf_global_ma.caches, &none, ma.caches, false,
						__ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		bma_bpf_destroy(&ma);
	return rc;
}
