/* SPDX-License-Identifier: MIT */
/*
 * The calls of the Linux kernel's bpf_mem_alloc, by their names, on BMA.
 *
 * For code that is to run in both places, and for those who know that interface. Names, arguments and what a call promises are the kernel's
 * (facts of its include/linux/bpf_mem_alloc.h); what differs is told at each call and, all together, in docs/kernel-map.md.
 *
 * "Any context" and "may sleep" mean what they do in <bma/cache.h>. There is nothing to disable before a call: no preemption, no migration, no
 * signals. Readers are those of liburcu's memb flavour; rcu_read_lock() of <urcu/urcu-memb.h> is what the kernel calls so.
 *
 * All of this is safe after fork in the child, and between threads once the struct has been set up; setting up, bpf_mem_alloc_set_dtor()
 * and bpf_mem_alloc_destroy() are for one thread at a time, as in the kernel.
 */
#ifndef BMA_COMPAT_BPF_MEM_ALLOC_H
#define BMA_COMPAT_BPF_MEM_ALLOC_H

#include <bma/percpu.h>
#include <bma/rcu.h>

#include <stdbool.h>

BMA_BEGIN_DECLS

#ifndef __percpu
#define __percpu
#endif
#ifndef GFP_KERNEL
/** GFP_KERNEL - The caller may sleep: %BMA_SLEEP. Where it is defined already, all of its bits have to be there. */
#define GFP_KERNEL 1u
#endif
#ifndef GFP_NOWAIT
/** GFP_NOWAIT - Any context. */
#define GFP_NOWAIT 2u
#endif
#ifndef __GFP_ZERO
/** __GFP_ZERO - Clear the object, also a recycled one; of a per-CPU object all copies. */
#define __GFP_ZERO 4u
#endif
#ifndef this_cpu_ptr
/** this_cpu_ptr - bma_this_cpu_ptr(). The caller may be moved, or interrupted, at any time. */
#define this_cpu_ptr(obj) bma_this_cpu_ptr(obj)
#endif
#ifndef per_cpu_ptr
/** per_cpu_ptr - bma_per_cpu_ptr(), for 0 to num_possible_cpus() - 1. */
#define per_cpu_ptr(obj, cpu) bma_per_cpu_ptr((obj), (uint64_t)(cpu))
#endif
#ifndef num_possible_cpus
/** num_possible_cpus - Copies of a per-CPU object, bma_percpu_copies(): one more than there are CPUs. */
#define num_possible_cpus() ((unsigned int)bma_percpu_copies())
#endif

struct obj_cgroup;
struct bma_bpf;

/**
 * struct bpf_mem_alloc - An allocator. All fields are private; one that is all zeros is none, and every call on it is safe.
 *
 * After bpf_mem_alloc_init() failed, or bpf_mem_alloc_destroy(), it is all zeros again.
 */
struct bpf_mem_alloc {
	struct bma_cache *cache; /* of objects of one size */
	struct bma_bpf *caches;	 /* all there is; NULL: none */
	bool percpu;
};

/* What the calls below are made of. */
BMA_API int bma_bpf_init(struct bpf_mem_alloc *ma, int size, bool percpu);
BMA_API int bma_bpf_percpu_init(struct bpf_mem_alloc *ma);
BMA_API int bma_bpf_percpu_unit_init(struct bpf_mem_alloc *ma, int size);
BMA_API void bma_bpf_destroy(struct bpf_mem_alloc *ma);
BMA_API void bma_bpf_set_dtor(struct bpf_mem_alloc *ma, void (*dtor)(void *obj, void *ctx),
			      void (*ctx_free)(void *ctx), void *ctx);
BMA_API void *bma_bpf_alloc(struct bpf_mem_alloc *ma, size_t size);
BMA_API void *bma_bpf_cache_alloc_flags(struct bpf_mem_alloc *ma, unsigned int flags);
BMA_API void *bma_bpf_fill(struct bpf_mem_alloc *ma, void *obj) __attribute__((cold));
BMA_API void bma_bpf_free(void *ptr);
BMA_API void bma_bpf_free_rcu(void *ptr);
BMA_API int bma_bpf_global_init(void);
BMA_API extern struct bpf_mem_alloc bma_bpf_global_ma;

/**
 * bpf_global_ma - The allocator of any size for the whole process. All zeros, so without an object, until bpf_global_ma_init().
 *
 * The kernel makes its own while it boots; a library must not spend memory on what is perhaps never used. Do not destroy it.
 */
#define bpf_global_ma bma_bpf_global_ma

/** bpf_global_ma_set - Whether bpf_global_ma can be used. Context: any. */
#define bpf_global_ma_set (__atomic_load_n(&bma_bpf_global_ma.caches, __ATOMIC_ACQUIRE) != NULL)

/**
 * bpf_global_ma_init - Make bpf_global_ma, unless it is there.
 *
 * Context: may sleep. Thread-safe. Returns: 0 or -ENOMEM.
 */
static inline int bpf_global_ma_init(void)
{
	return bma_bpf_global_init();
}

/**
 * bpf_mem_alloc_init - Set an allocator up.
 * @ma: which; what it held is overwritten.
 * @size: bytes of each object, up to %BMA_CACHE_SIZE_MAX, or %BMA_PERCPU_SIZE_MAX with @percpu; then bpf_mem_cache_alloc() is for it. 0: objects of 1 to 4088 bytes by
 *        bpf_mem_alloc(), from classes of 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048 and 4096 bytes.
 * @percpu: objects are words that hold the address of a per-CPU object: *(void __percpu **)obj.
 *
 * Nothing is shared with other allocators: memory of a plainly freed object stays mapped, and of its type, until an RCU grace period after
 * its slab is given up. A stock is set aside, see docs/kernel-map.md.
 *
 * Context: may sleep. Returns: 0; -EINVAL for @percpu with a @size of 0, a negative or too large one; -ENOMEM, also where the stock
 * cannot be had, which the kernel does not tell.
 */
static inline int bpf_mem_alloc_init(struct bpf_mem_alloc *ma, int size, bool percpu)
{
	return bma_bpf_init(ma, size, percpu);
}

/**
 * bpf_mem_alloc_percpu_init - Set an allocator of per-CPU objects of any size up, without a class.
 * @ma: which; @objcg: ignored, nobody is charged.
 *
 * Context: may sleep. Returns: 0 or -ENOMEM.
 */
static inline int bpf_mem_alloc_percpu_init(struct bpf_mem_alloc *ma, struct obj_cgroup *objcg)
{
	(void)objcg;
	return bma_bpf_percpu_init(ma);
}

/**
 * bpf_mem_alloc_percpu_unit_init - Fill the class that objects of @size bytes are of; nothing if it is there.
 * @ma: of bpf_mem_alloc_percpu_init(); @size: 1 to 4096 bytes.
 *
 * Context: may sleep; one caller at a time, others may allocate meanwhile. Returns: 0; -EINVAL for another @size or @ma; -ENOMEM.
 */
static inline int bpf_mem_alloc_percpu_unit_init(struct bpf_mem_alloc *ma, int size)
{
	return bma_bpf_percpu_unit_init(ma, size);
}

/**
 * bpf_mem_alloc_destroy - Give an allocator back.
 * @ma: which; all zeros after. One that is all zeros already, or whose bpf_mem_alloc_init() failed, is left alone.
 *
 * Never waits for a grace period nor refuses. What is on its way goes back once it has come home, by the worker, bma_poll() or
 * bma_trim(). An object that is still with the user stays his, may be freed by any of the calls below on any allocator, and holds back the memory
 * of its class and the destructor's context until then; the kernel forgets it.
 *
 * Context: may sleep (takes locks), also in an RCU read section. No other call on @ma may be in progress.
 */
static inline void bpf_mem_alloc_destroy(struct bpf_mem_alloc *ma)
{
	bma_bpf_destroy(ma);
}

/**
 * bpf_mem_alloc_set_dtor - Have a destructor run for each object before its memory leaves the allocator.
 * @ma: which, set up and not yet used. If it is all zeros @ctx_free runs at once.
 * @dtor: gets what the user got, of per-CPU objects the word, and @ctx. Once for each object that was ever carved, handed out or not (then it is all zeros), after
 *        a grace period; not when an object is recycled. May sleep; may allocate and free.
 * @ctx_free: runs once, after the last @dtor; NULL: none.
 *
 * Context: when @ma is set up. Both are run by the worker, bma_poll() or bma_trim(), with no lock of BMA held.
 */
static inline void bpf_mem_alloc_set_dtor(struct bpf_mem_alloc *ma,
					  void (*dtor)(void *obj, void *ctx),
					  void (*ctx_free)(void *ctx), void *ctx)
{
	bma_bpf_set_dtor(ma, dtor, ctx_free, ctx);
}

/**
 * bpf_mem_alloc_check_size - May bpf_mem_alloc() be asked for @size bytes?
 *
 * Context: any. Returns: 0; -E2BIG over 4096 bytes, without @percpu over 4088 (eight are the header's in the kernel).
 */
static inline int bpf_mem_alloc_check_size(bool percpu, size_t size)
{
	return size > (percpu ? 4096u : 4088u) ? -7 /* -E2BIG */ : 0;
}

/**
 * bpf_mem_alloc - Take an object of @size bytes from an allocator of any size.
 *
 * Context: any. Never locks, never touches errno.
 * Returns: the object, 8 bytes aligned; NULL: a @size of 0, or one that bpf_mem_alloc_check_size() refuses, or of a per-CPU class that was not
 * filled; @ma is all zeros or of one size; there was none.
 */
#if defined(__cplusplus) && defined(__GNUC__)
/* The struct has the same name, and g++ takes that for the shadow of a constructor. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
static inline void *bpf_mem_alloc(struct bpf_mem_alloc *ma, size_t size)
{
	return bma_bpf_alloc(ma, size);
}
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/**
 * bpf_mem_free - Give an object back.
 * @ma: not looked at: an object's address tells whose it is; @ptr: the object, or NULL.
 *
 * It may be handed out again at once. Context: any. Never fails.
 * Misuse: an address that is no object's aborts with a message.
 */
static inline void bpf_mem_free(struct bpf_mem_alloc *ma, void *ptr)
{
	(void)ma;
	bma_bpf_free(ptr);
}

/** bpf_mem_free_rcu - The same after a grace period, as bma_cache_free_rcu(). Context: any. */
static inline void bpf_mem_free_rcu(struct bpf_mem_alloc *ma, void *ptr)
{
	(void)ma;
	bma_bpf_free_rcu(ptr);
}

/**
 * bpf_mem_cache_alloc - Take an object from an allocator of one size.
 *
 * Not cleared: fresh ones are zeros, recycled ones as they were freed. So it is with all copies of a per-CPU object.
 *
 * Context: any, also a signal handler that interrupted this very call. Never locks, never touches errno.
 * Returns: the object; NULL: there was none, or @ma is all zeros or of any size.
 */
static inline void *bpf_mem_cache_alloc(struct bpf_mem_alloc *ma)
{
	struct bma_cache *cache = ma->cache;
	void *obj;

	if (__builtin_expect(!cache, 0))
		return NULL;
	obj = bma_cache_alloc(cache);
	if (ma->percpu && obj && __builtin_expect(!*(void **)obj, 0))
		obj = bma_bpf_fill(ma, obj);
	return obj;
}

/** bpf_mem_cache_free - Give an object back; it may be handed out again at once. Context: any. Never fails; NULL is a no-op. */
static inline void bpf_mem_cache_free(struct bpf_mem_alloc *ma, void *ptr)
{
	if (__builtin_expect(!ma->cache, 0))
		bma_bpf_free(ptr);
	else
		bma_cache_free(ma->cache, ptr);
}

/** bpf_mem_cache_free_rcu - The same after a grace period, as bma_cache_free_rcu(). Context: any. */
static inline void bpf_mem_cache_free_rcu(struct bpf_mem_alloc *ma, void *ptr)
{
	if (__builtin_expect(!ma->cache, 0))
		bma_bpf_free_rcu(ptr);
	else
		bma_cache_free_rcu(ma->cache, ptr);
}

/**
 * bpf_mem_cache_raw_free - Give an object back of which only the address is known, and that nobody looks at any more.
 *
 * The kernel gives it to the slab allocator, past the lists and the destructor; here it goes back to its allocator, whose destructor runs for
 * it in the end. Context: any. NULL is a no-op.
 */
static inline void bpf_mem_cache_raw_free(void *ptr)
{
	bma_bpf_free(ptr);
}

/**
 * bpf_mem_cache_alloc_flags - As bpf_mem_cache_alloc(), saying how.
 * @flags: GFP_KERNEL, GFP_NOWAIT or 0; and __GFP_ZERO.
 *
 * Context: any without GFP_KERNEL, else may sleep: then it fails only if the system has no memory (errno ENOMEM).
 */
static inline void *bpf_mem_cache_alloc_flags(struct bpf_mem_alloc *ma, unsigned int flags)
{
	return bma_bpf_cache_alloc_flags(ma, ((flags & GFP_KERNEL) == GFP_KERNEL ? BMA_SLEEP : 0u) |
						     ((flags & __GFP_ZERO) != 0 ? BMA_ZERO : 0u));
}

BMA_END_DECLS

#endif /* BMA_COMPAT_BPF_MEM_ALLOC_H */
