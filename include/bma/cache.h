/* SPDX-License-Identifier: MIT */
/*
 * Fixed-size object caches that may be used from any context.
 *
 * "Any context" means: normal code, a signal handler (also one that interrupted the same call on
 * the same cache), a thread that never called BMA before or that the C library did not register for
 * restartable sequences, an RCU read section, the child of fork() before exec. It does not mean:
 * the child of vfork() (it shares its parent's per-thread areas), nor a thread made by raw clone()
 * without thread-local storage of its own.
 *
 * "May sleep" means: the call may lock, map memory, start a thread or run a constructor. Such a
 * call may not be made from a signal handler, nor from a constructor of the same cache.
 *
 * The design follows the Linux kernel's bpf_mem_alloc (per-CPU lists, watermarks, a sleepable
 * refill) and Bonwick's magazines and depot ("Magazines and Vmem", USENIX 2001).
 */
#ifndef BMA_CACHE_H
#define BMA_CACHE_H

#include <bma/numa.h>

BMA_BEGIN_DECLS

/** struct bma_cache - An allocator of objects of one size. Opaque. */
struct bma_cache;
/* Who pays: <bma/group.h>. */
struct bma_group;
/* liburcu's table of one flavour: <urcu/flavor.h>. */
struct rcu_flavor_struct;

/** BMA_CACHE_SIZE_MAX - Largest object size, in bytes. */
#define BMA_CACHE_SIZE_MAX ((size_t)1 << 20)
/** BMA_CACHE_ALIGN_MAX - Largest alignment, in bytes. */
#define BMA_CACHE_ALIGN_MAX ((size_t)1 << 16)

/** BMA_CACHE_KERNEL_MARKS - low, high and batch follow the kernel's bpf_mem_alloc formulas. */
#define BMA_CACHE_KERNEL_MARKS ((uint64_t)1 << 0)
/** BMA_CACHE_DTOR_RECYCLE - Run the destructor also before a freed object can be handed out again. */
#define BMA_CACHE_DTOR_RECYCLE ((uint64_t)1 << 1)
/**
 * BMA_CACHE_DEBUG - Check every free as it is made: of an object of another cache, of an address inside an object, a
 * second one. Such a call aborts at once; otherwise it is found when the address comes home to its slab.
 *
 * This flag and those below make a cache that looks at each call: an allocation and its free then cost tens of
 * nanoseconds and more. Other caches pay nothing. BMA_CONF=debug:WORD+WORD... sets them for every cache that is
 * made: check, redzone, poison, zero, track, quarantine, random, or all. docs/security.md says what each finds.
 */
#define BMA_CACHE_DEBUG ((uint64_t)1 << 2)
/** BMA_CACHE_REDZONE - At least 16 bytes behind each object that nobody may write to; looked at when it is freed. */
#define BMA_CACHE_REDZONE ((uint64_t)1 << 3)
/**
 * BMA_CACHE_POISON - Objects are filled when they are free (deferred ones after their grace period), and looked at
 * when they are handed out again: a write in between aborts. Not with @ctor or @dtor, which need what was
 * written. Who reads an object after a plain free, relying on its type, reads the filling.
 */
#define BMA_CACHE_POISON ((uint64_t)1 << 4)
/** BMA_CACHE_ZERO_FREE - The same filling with zeros, so that nothing secret stays behind. Not with @ctor or @dtor. */
#define BMA_CACHE_ZERO_FREE ((uint64_t)1 << 5)
/**
 * BMA_CACHE_TRACK - Remember the call stacks of the last allocation and free of each object, 160 bytes for each:
 * reports of misuse show them, and a refused bma_cache_destroy() lists what is live by who allocated it. The
 * stack is taken by backtrace(3), in handlers too, which is safe from glibc 2.35 on.
 */
#define BMA_CACHE_TRACK ((uint64_t)1 << 6)
/** BMA_CACHE_QUARANTINE - A plainly freed object is not handed out again until some hundred others were freed. */
#define BMA_CACHE_QUARANTINE ((uint64_t)1 << 7)
/**
 * BMA_CACHE_GUARD - Each object on pages of its own, its end at the end of a page as far as its alignment lets it, and behind
 * them a page that nobody may touch; while an object is free nobody may touch its pages either. A touch is a SIGSEGV, and
 * is told with the object where the program does not handle that signal. Two system calls for each object, two pages at
 * least, and two of the process's mappings (vm.max_map_count).
 */
#define BMA_CACHE_GUARD ((uint64_t)1 << 9)
/**
 * BMA_CACHE_SAMPLE - One object now and then stands between two pages that nobody may touch, as with %BMA_CACHE_GUARD,
 * and its own page may not be touched after it was freed (deferred: after the grace period). For use in production: at
 * most four caches in turn get such an object each 100 ms (BMA_CONF=sample_ms:N), which costs some system calls then;
 * other calls cost what they did. A touch is a SIGSEGV, and is told with the object and the stacks of its allocation
 * and free where the program does not handle that signal; a write between object and guard aborts when the object is
 * freed. Of 256 places in the process each is in use until its object was freed and came home. Objects of more than
 * 4096 bytes, or aligned to more, are not sampled; not with @ctor, @dtor or a flag that has each call checked. Who
 * reads an object after a plain free, relying on its type, is told so. Costs in the calls of these objects: mprotect(2)
 * and backtrace(3), in handlers too.
 */
#define BMA_CACHE_SAMPLE ((uint64_t)1 << 10)
/**
 * BMA_CACHE_KEY - A light check of each free, for use in production: the address has to be that of an object of this
 * cache, and the object must not have been freed plainly a moment ago, or the call aborts. A plain free writes to the
 * second eight bytes of the object, and an allocation clears these (not in objects of less than 16 bytes, or with @ctor
 * or @dtor: then only addresses are looked at), so who reads an object after a plain free, relying on its type, reads
 * other bytes there. Unlike %BMA_CACHE_DEBUG it does not find a second free after a deferred one, nor one of an object
 * that was handed out again or written to. With a flag that has each call checked it does nothing more.
 */
#define BMA_CACHE_KEY ((uint64_t)1 << 11)
/** BMA_CACHE_RANDOM - Fresh objects are handed out in random order; costs nothing in alloc and free. */
#define BMA_CACHE_RANDOM ((uint64_t)1 << 8)

/**
 * BMA_CACHE_MERGE - Share the memory of other such caches of the same object size, alignment, flavour of RCU and debug flags
 * (the kernel's merging of kmem_caches): a thousand small caches then cost what one does. For a cache with @ctor, @dtor, @ctx_free,
 * @low, @high, @batch, @reserve or @limbo_max the flag has no effect (BMA_CONF=verbose says so). What is different: a plain free
 * promises only that memory stays mapped, not that it stays of this type, so readers need bma_cache_free_rcu(); statistics are those of all
 * caches together; bma_cache_destroy() does not know what is live unless %BMA_CACHE_COUNT is set, never says -EBUSY then, and
 * returns at once.
 */
#define BMA_CACHE_MERGE ((uint64_t)1 << 12)
/**
 * BMA_CACHE_COUNT - Count the live objects of a merged cache by itself (struct bma_cache_stats, @counted), so that it cannot be
 * destroyed while there are any. Its calls are not inlined then, and each changes a per-CPU counter. Other caches are always
 * counted, at no cost.
 */
#define BMA_CACHE_COUNT ((uint64_t)1 << 13)
/**
 * BMA_CACHE_DESTROY_ASYNC - bma_cache_destroy() never waits nor refuses: what is live or waits for a grace period stays as it is, and the worker (or
 * bma_poll(), bma_trim()) gives the memory back once the last object has come home. As the kernel's bpf_mem_alloc_destroy().
 */
#define BMA_CACHE_DESTROY_ASYNC ((uint64_t)1 << 14)
/**
 * BMA_CACHE_PERCPU - Objects have one copy for each slot: see <bma/percpu.h>. Up to %BMA_PERCPU_SIZE_MAX bytes; without @ctor and @dtor, and of the
 * debug flags only %BMA_CACHE_DEBUG, %BMA_CACHE_TRACK and %BMA_CACHE_QUARANTINE. All copies are zero when an object is allocated.
 */
#define BMA_CACHE_PERCPU ((uint64_t)1 << 15)

/**
 * BMA_CACHE_NOCHARGE - Nobody pays: the cache's slabs are shown as the root group's, and count against no limit. A privilege: @group, or the caller's active group
 * where it names none, has to be the root, by its handle; where there is neither it is refused. Such a cache is not merged.
 */
#define BMA_CACHE_NOCHARGE ((uint64_t)1 << 16)

/** BMA_PERCPU_SIZE_MAX - Largest size of a copy of a per-CPU object, in bytes. */
#define BMA_PERCPU_SIZE_MAX ((size_t)32 << 10)

/** BMA_SLEEP - This allocation may sleep: refill in place rather than fail. */
#define BMA_SLEEP 1u
/** BMA_ZERO - Clear the object before it is returned. */
#define BMA_ZERO 2u

/**
 * struct bma_cache_attr - How a cache is to be made.
 *
 * Clear the whole struct, set @attr_size to sizeof(struct bma_cache_attr) and @size; every other
 * field may stay 0.
 *
 * @attr_size: sizeof this struct as the caller knows it, bytes.
 * @name: shown in messages and statistics; copied, cut after 31 bytes; NULL: "cache-<size>".
 * @size: object size, 1 to %BMA_CACHE_SIZE_MAX bytes.
 * @align: object alignment, a power of two up to %BMA_CACHE_ALIGN_MAX bytes; 0: what a C type of
 *         that size can need (8 or 16).
 * @flags: BMA_CACHE_*.
 * @rcu: the flavour of liburcu whose readers look at objects: &urcu_memb_flavor, &urcu_mb_flavor,
 *       &urcu_qsbr_flavor or &urcu_bp_flavor (rcu_flavor in a file that includes the header of one);
 *       NULL: memb. The table must stay; the program links the flavour's library.
 * @ctor: run once for each object, when it is carved from fresh memory, in a may-sleep context and
 *        with no lock of BMA held; NULL: none. Objects keep what it wrote across free and alloc, so
 *        leave an object constructed when you free it, and do not combine with %BMA_ZERO.
 * @dtor: run once for each object that was ever carved, before its memory leaves the cache, after a
 *        grace period, by the worker (or bma_poll(), bma_trim(), bma_cache_destroy()), with no lock of
 *        BMA held; NULL: none. An object that never was handed out is as @ctor left it, or zeroed. With
 *        %BMA_CACHE_DTOR_RECYCLE also each time an object was freed, before it can be handed out again: then a
 *        plain free waits for a grace period, too, and @dtor must leave the object so that it may be
 *        run again. It may allocate and free, but not destroy the cache nor wait for it.
 * @ctx: passed to @ctor and @dtor; used until bma_cache_destroy() has returned 0, with %BMA_CACHE_DESTROY_ASYNC until @ctx_free.
 * @ctx_free: run once, after the last @dtor, when nothing uses @ctx any more: by the bma_cache_destroy() that returns 0, or with
 *            %BMA_CACHE_DESTROY_ASYNC later by who gives the memory back. May sleep, with no lock of BMA held; NULL: none. Not run if the cache could
 *            not be made.
 * @group: who pays, see <bma/group.h>: for its slabs, or, merged, for each of its objects, whoever allocates and frees. NULL: the caller's active group (bma_group_enter()); if
 *         there is none the root, for slabs. A merged cache with a payer shares its memory with other such caches; its calls are not inlined.
 * @low: objects in the depot, per slot in use, below which the worker refills; 0: a quarter of @reserve.
 * @high: objects a slot keeps at most before it turns to the depot; 0: starts at 2 x @batch and
 *        adapts, up to 4 MiB of objects per slot.
 * @batch: objects per magazine, rounded up to 1, 2, 6, 14, 30, 62, 126, 254 or 510 (larger values:
 *         510); 1: nothing is kept per CPU. 0: by size, about 512 KiB per magazine and at most 254.
 * @reserve: the depot's stock in objects, carved at creation and kept up by the worker, at most UINT32_MAX;
 *           0: one magazine at creation, then as much as is in use, from two magazines to 4 x @high
 *           per slot in use, or that much where objects are freed on other CPUs than they are
 *           allocated on; doubled (to at most 16 times that) whenever an any-context call finds the
 *           depot empty, until the depot was not used for a quarter of purge_ms (BMA_CONF), twice as long after each time.
 * @numa: which NUMA nodes its slabs are to be on, see <bma/numa.h>. Unless it is all zeros the cache is not merged, and has no per-CPU objects.
 * @limbo_max: bytes of objects that may wait for a grace period; 0: the larger of 64 MiB and a quarter
 *             of the cache's live bytes. Half way there grace periods are begun early. Any-context frees may
 *             exceed it (counted); see bma_cache_free_rcu_flags() for those that wait.
 */
struct bma_cache_attr {
	size_t attr_size;
	const char *name;
	size_t size;
	size_t align;
	uint64_t flags;
	const struct rcu_flavor_struct *rcu;
	void (*ctor)(void *obj, void *ctx);
	void (*dtor)(void *obj, void *ctx);
	void *ctx;
	void (*ctx_free)(void *ctx);
	uint32_t low;
	uint32_t high;
	uint32_t batch;
	size_t reserve;
	size_t limbo_max;
	struct bma_group *group;
	struct bma_numa numa;
};

/**
 * bma_cache_create - Make a cache.
 * @attr: what it is to be; read only during the call.
 *
 * The first call in a process chooses the mode (restartable sequences or guest slots), and starts
 * the worker thread unless BMA_CONF says worker:off.
 *
 * Context: may sleep. Thread-safe. In a child of fork the worker is started anew.
 * Returns: the cache, or NULL with errno:
 *   EINVAL  size 0 or over the maximum, an alignment that is no power of two or over the maximum,
 * an unknown flag, flags that do not go together, with ctor, dtor or this size, low over reserve, high below batch, a reserve of
 * more than UINT32_MAX objects or more bytes than addresses, a node of @numa that is not there or has no memory (BMA_CONF=verbose names the field); E2BIG
 * attr_size smaller or larger than this library knows; ENOMEM  the system gave no memory; EDQUOT  a limit of its group does not allow for its first objects; ESTALE  @group,
 * or the active one, was destroyed; EPERM  %BMA_CACHE_NOCHARGE without the root; ENOSPC
 * 65534 caches exist, merged ones counted once.
 */
BMA_API struct bma_cache *bma_cache_create(const struct bma_cache_attr *attr);

/**
 * bma_cache_destroy - Give a cache and all of its memory back.
 * @cache: the cache; NULL is a no-op.
 *
 * No other call on @cache may be in progress or follow, unless this one fails.
 *
 * Context: may sleep. Waits for threads that are in the middle of a call on @cache, and for a grace
 * period if objects wait for one.
 * Returns: 0; -EBUSY while objects are live or a reserve exists (counted in a message under
 * BMA_CONF=verbose); -EDEADLK if objects wait for a grace period, or have a
 * destructor, and the caller is in a read section of the flavour: nothing was done;
 * -ETIMEDOUT in a child of fork in which liburcu can end no grace period and objects wait for one; what the
 * system said (-ENOMEM, say) if it refused a fence. Unless it returns 0 the cache goes on working. The memory is
 * returned to the system after an RCU grace period.
 */
BMA_API int bma_cache_destroy(struct bma_cache *cache);

/**
 * bma_cache_alloc_flags - Take an object, saying how.
 * @cache: where from.
 * @flags: 0, %BMA_SLEEP, %BMA_ZERO or both; other bits are ignored.
 *
 * Context: any without %BMA_SLEEP, else may sleep. Thread-safe. With %BMA_SLEEP the call fails only
 * if the system has no memory, and never waits for a grace period.
 * Returns: the object, or NULL (if %BMA_SLEEP is set with errno ENOMEM, or EDQUOT where a limit of a group refused also after a reclaim; otherwise errno is untouched).
 */
BMA_API void *bma_cache_alloc_flags(struct bma_cache *cache, unsigned int flags);

/**
 * bma_cache_alloc_bulk - Take several objects.
 * @cache: where from.
 * @objs: where the pointers go.
 * @n: how many are wanted.
 * @flags: as for bma_cache_alloc_flags().
 *
 * Context: any without %BMA_SLEEP, else may sleep.
 * Returns: how many of @objs were filled, from the front: @n, or fewer where alloc would have
 * failed (then errno as there).
 */
BMA_API size_t bma_cache_alloc_bulk(struct bma_cache *cache, void **objs, size_t n,
				    unsigned int flags);

/**
 * bma_cache_free_bulk - Give several objects back.
 * @cache: the cache they came from.
 * @objs: the objects; NULLs among them are passed over.
 * @n: how many.
 *
 * Context: any. As n calls of bma_cache_free().
 */
BMA_API void bma_cache_free_bulk(struct bma_cache *cache, void *const *objs, size_t n);

/** bma_cache_size - The object size that was asked for, bytes. Context: any. */
BMA_API size_t bma_cache_size(const struct bma_cache *cache);

#if defined(BMA_NO_INLINE) || defined(BMA_IMPLEMENTATION)
/**
 * bma_cache_alloc - Take an object.
 * @cache: where from.
 *
 * The memory is @size bytes at the cache's alignment and not cleared: fresh objects hold zeros or
 * what the constructor wrote, recycled ones what their last user left.
 *
 * Context: any. Never locks, never makes a blocking system call, never touches errno; lock-free.
 * Returns: the object, or NULL if the slot and the depot were empty (counted; the worker has been
 * woken).
 * Memory ordering: what a thread wrote to the object before it freed it happens before the return.
 * Fork: works in the child.
 * Source: Linux bpf_mem_cache_alloc(); magazines after Bonwick; per-CPU commit by rseq(2).
 */
BMA_API void *bma_cache_alloc(struct bma_cache *cache);

/**
 * bma_cache_free - Give an object back.
 * @cache: the cache it came from.
 * @obj: the object; NULL is a no-op.
 *
 * The object may be handed out again at once. Its memory stays mapped, and of this cache, until an
 * RCU grace period (liburcu's memb flavour) after all objects of its slab are free, so a reader
 * that checks what it found may still look at it.
 *
 * Context: any. Never fails, never allocates, never locks, never touches errno; lock-free.
 * Memory ordering: release, towards the alloc that hands the object out again.
 * Misuse: an object that is not this cache's, an address inside an object, an object that is free
 * already: reported when it reaches its slab (a drain, bma_trim(), or the slow half of this call);
 * the process then aborts with a message that names the cache, the object and the call.
 * Fork: works in the child.
 */
BMA_API void bma_cache_free(struct bma_cache *cache, void *obj);
#endif

BMA_END_DECLS

#if !defined(BMA_NO_INLINE)
#include <bma/inline/fastpath.h>
#endif

#endif /* BMA_CACHE_H */
