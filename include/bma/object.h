/* SPDX-License-Identifier: MIT */
/*
 * Typed objects: what a heap holds, by its type.
 *
 * An object that was made by one of these calls knows its type and its heap: in 16 bytes behind it, 8 more if it is counted, 8 more if its type has slots;
 * never before it or in it. So it can be dropped without a size, a destructor runs, and the statistics tell how many there are of each type.
 *
 * A slot (struct bma_kptr) is a pointer that owns an object. It changes by exchange only, from any context, so that each object has one owner at a time;
 * what a slot of an object still owns when that object goes, goes with it.
 *
 * The design follows the Linux kernel's bpf_obj_new, bpf_obj_drop, bpf_refcount_acquire and bpf_kptr_xchg. Different: a slot of an object that is going is
 * closed, so that a reader who still sees it cannot put anything there that nobody would find again.
 *
 * A type that was used must stay for ever: the statistics know it. So neither declare one in a plugin that is unloaded, nor call bma_new() there.
 * A heap must stay as long as typed objects of it; one that counts (BMA_HEAP_PRIVATE, BMA_HEAP_COUNT) tells.
 */
#ifndef BMA_OBJECT_H
#define BMA_OBJECT_H

#include <bma/heap.h>

BMA_BEGIN_DECLS

/** BMA_TYPE_RCU - Objects are freed after a grace period; the destructor runs before, and slots are emptied before. */
#define BMA_TYPE_RCU ((uint64_t)1 << 0)

/**
 * struct bma_kptr - A slot: a pointer that owns a typed object. All zeros is an empty one.
 *
 * @ptr: the object, NULL, or a mark that the slot is closed; use the calls below.
 */
struct bma_kptr {
	void *ptr;
};

/* The library's own part of a type. */
struct bma__type_state {
	struct bma_type *next;
	uint64_t *live;
	int64_t early;
	uint32_t known;
};

/**
 * struct bma_type - A type. Use one of the initializers below; read only, after that.
 *
 * @name: shown in statistics and messages; @size, @align: of the C type, bytes.
 * @flags: %BMA_TYPE_RCU or 0.
 * @dtor: run when an object is dropped, in the context of the drop; NULL: none. It may allocate, free, drop and exchange.
 * @kptrs: where in the object its slots are, bytes; @nkptrs: how many.
 */
struct bma_type {
	const char *name;
	size_t size;
	size_t align;
	uint64_t flags;
	void (*dtor)(void *obj);
	const size_t *kptrs;
	size_t nkptrs;
	struct bma__type_state state;
};

/** BMA_TYPE_INIT - Initializer of a struct bma_type with all that may be set: static storage, not const. */
#define BMA_TYPE_INIT(type, flags, dtor, kptrs, nkptrs)                                            \
	{                                                                                          \
#type, sizeof(type), __alignof__(type), (flags), (dtor), (kptrs), (nkptrs),        \
		{                                                                                  \
			NULL, NULL, 0, 0                                                           \
		}                                                                                  \
	}

/**
 * bma_new_type - Make an object of a type.
 * @heap: where from; not one of per-CPU objects. @type: what it is to be. @flags: 0 or %BMA_SLEEP.
 *
 * Context: any without %BMA_SLEEP, else may sleep.
 * Returns: the object, all zeros, at the type's alignment; NULL as bma_heap_alloc_flags().
 */
BMA_API void *bma_new_type(struct bma_heap *heap, struct bma_type *type, unsigned int flags);
/** bma_new_type_refcounted - The same, with a count of references that begins at 1. */
BMA_API void *bma_new_type_refcounted(struct bma_heap *heap, struct bma_type *type,
				      unsigned int flags);

/* The type of one call: no destructor, no slots. Calls with the same name are one type in the statistics. */
#define BMA__TYPE_HERE(type)                                                                       \
	__extension__({                                                                            \
		static struct bma_type bma__type = BMA_TYPE_INIT(type, 0, NULL, NULL, 0);          \
		&bma__type;                                                                        \
	})

/** bma_new - Make an object of a plain C type: a (type *), all zeros, or NULL. Context: any. */
#define bma_new(heap, type) ((type *)bma_new_type((heap), BMA__TYPE_HERE(type), 0))
/** bma_new_refcounted - The same, with a count of references that begins at 1. Context: any. */
#define bma_new_refcounted(heap, type)                                                             \
	((type *)bma_new_type_refcounted((heap), BMA__TYPE_HERE(type), 0))

/**
 * bma_drop - Run the destructor of an object that is not counted, empty and close its slots, and free it.
 * @heap: the heap that it was made in; @obj: the object; NULL is a no-op.
 *
 * Context: any, as far as the destructor allows.
 * Misuse: an object of another heap, one without a type, one that is counted, one that was dropped before and not reused: aborts with a message.
 */
BMA_API void bma_drop(struct bma_heap *heap, void *obj);

/**
 * bma_get - Take one more reference of a counted object that the caller has one of.
 *
 * Context: any. Returns: @obj.
 */
BMA_API void *bma_get(void *obj);
/**
 * bma_tryget - Take a reference of an object that was found, in a read section of its heap's flavour, and may be going.
 *
 * Its type has %BMA_TYPE_RCU. Context: any. Returns: @obj, or NULL if its last reference is gone.
 */
BMA_API void *bma_tryget(void *obj);
/**
 * bma_put - Give a reference back; the last one destroys the object as bma_drop() does.
 * @obj: a counted object; NULL is a no-op.
 *
 * Context: any, as far as the destructor allows. Memory ordering: what was done to the object before any put happens before the destructor.
 */
BMA_API void bma_put(void *obj);

/**
 * bma_kptr_xchg - Put an object into a slot and take out what was there.
 * @slot: the slot; @obj: an object that the caller owns (one reference, if it is counted), or NULL.
 *
 * Afterwards the slot owns @obj, and the caller what is returned. The slot of an object that is going takes nothing: then @obj itself
 * comes back.
 *
 * Context: any. Lock-free. Memory ordering: acquire and release.
 */
BMA_API void *bma_kptr_xchg(struct bma_kptr *slot, void *obj);
/** bma_kptr_peek - What a slot owns, or NULL; may be gone at once unless the caller keeps it. Context: any. Acquire. */
BMA_API void *bma_kptr_peek(const struct bma_kptr *slot);
/** bma_kptr_clear - Drop what a slot owns, or put it if it is counted. Context: any, as far as the destructor allows. */
BMA_API void bma_kptr_clear(struct bma_kptr *slot);

/**
 * bma_type_live - Objects of a type that are live, in all heaps.
 * @name: as the type is called.
 *
 * Context: any. Exact when no call is in progress.
 */
BMA_API uint64_t bma_type_live(const char *name);

/**
 * bma_type_visit - Call a function for each name of a type that was ever used.
 * @fn: gets the name, the size of its objects in bytes, how many are live, and @arg; a result other than 0 ends the walk.
 *
 * Context: any, as far as @fn allows. Returns: what @fn returned last, 0 if there is none.
 */
BMA_API int bma_type_visit(int (*fn)(const char *name, size_t size, uint64_t live, void *arg),
			   void *arg);

BMA_END_DECLS

#endif /* BMA_OBJECT_H */
