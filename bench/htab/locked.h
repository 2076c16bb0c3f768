/* SPDX-License-Identifier: MIT */
/*
 * A map after the Linux kernel's hash map: buckets, each a list behind a spin lock. Readers take no
 * lock; as elements may be reused under their feet, a list ends in its bucket's number, and who
 * ends up in another one starts again.
 */
#include "htab/element.h"

#include <stdlib.h>

struct bucket {
	_Atomic uintptr_t first;
	_Atomic uint32_t lock;
};

struct map {
	peer_pool pool;
	uint32_t mask;
	struct bucket *buckets;
};

static inline uintptr_t end_marker(const struct map *map, const struct bucket *b)
{
	return (uintptr_t)(b - map->buckets) << 1 | 1;
}

static inline struct map *map_create(size_t entries)
{
	struct map *map = malloc(sizeof(*map));
	uint32_t n = 1;

	while (n < entries)
		n *= 2;
	if (!map || posix_memalign((void **)&map->buckets, 4096, n * sizeof(struct bucket)))
		bench_die("map: out of memory");
	map->mask = n - 1;
	map->pool = defer_create(sizeof(struct element), entries);
	for (struct bucket *b = map->buckets; b < map->buckets + n; b++) {
		atomic_init(&b->first, end_marker(map, b));
		atomic_init(&b->lock, 0);
	}
	return map;
}

static inline void map_destroy(struct map *map)
{
	free(map->buckets);
	free(map);
}

static inline struct bucket *bucket_lock(struct map *map, uint32_t hash)
{
	struct bucket *b = &map->buckets[hash & map->mask];

	while (atomic_exchange_explicit(&b->lock, 1, memory_order_acquire)) {
		while (atomic_load_explicit(&b->lock, memory_order_relaxed))
			crew_relax();
	}
	return b;
}

static inline void bucket_unlock(struct bucket *b)
{
	atomic_store_explicit(&b->lock, 0, memory_order_release);
}

/* The word that refers to the element, or to the end. */
static inline _Atomic uintptr_t *bucket_find(struct bucket *b, uint32_t hash, uint32_t key)
{
	_Atomic uintptr_t *link = &b->first;
	uintptr_t at;

	while (!((at = atomic_load_explicit(link, memory_order_relaxed)) & 1)) {
		struct element *e = (struct element *)at;

		if (e->hash == hash && e->key == key)
			break;
		link = &e->next;
	}
	return link;
}

/**
 * map_update - Set a key; the new element is there before the old one leaves, for readers to see
 * one of them.
 * @old: what was taken out, to be freed by the caller, or NULL.
 *
 * Returns: 0, -EEXIST if there was one and @only_new, -ENOMEM.
 */
static inline int map_update(struct map *map, uint32_t key, bool only_new, struct element **old)
{
	uint32_t hash = element_hash(key);
	struct bucket *b = bucket_lock(map, hash);
	_Atomic uintptr_t *link = bucket_find(b, hash, key);
	uintptr_t at = atomic_load_explicit(link, memory_order_relaxed), after = 0;
	struct element *e;
	int rc = 0;

	*old = at & 1 ? NULL : (struct element *)at;
	if (*old && only_new) {
		*old = NULL;
		rc = -EEXIST;
		goto unlock;
	}
	/* Before an exchange gives it away: others may write to it then. */
	if (*old)
		after = atomic_load_explicit(&(*old)->next, memory_order_relaxed);
	e = element_take(map->pool, key, old);
	if (!e) {
		*old = NULL;
		rc = -ENOMEM;
		goto unlock;
	}
	atomic_store_explicit(&e->next, atomic_load_explicit(&b->first, memory_order_relaxed),
			      memory_order_relaxed);
	/* release: readers that meet the element see what is in it. */
	atomic_store_explicit(&b->first, (uintptr_t)e, memory_order_release);
	if (after)
		atomic_store_explicit(link == &b->first ? &e->next : link, after,
				      memory_order_relaxed);
unlock:
	bucket_unlock(b);
	return rc;
}

/** map_delete - Take a key out. Returns: its element, to be freed by the caller, or NULL. */
static inline struct element *map_delete(struct map *map, uint32_t key)
{
	uint32_t hash = element_hash(key);
	struct bucket *b = bucket_lock(map, hash);
	_Atomic uintptr_t *link = bucket_find(b, hash, key);
	uintptr_t at = atomic_load_explicit(link, memory_order_relaxed);
	struct element *e = at & 1 ? NULL : (struct element *)at;

	if (e)
		atomic_store_explicit(link, atomic_load_explicit(&e->next, memory_order_relaxed),
				      memory_order_relaxed);
	bucket_unlock(b);
	return e;
}

/** map_has - Is there such a key? Without the lock. */
static inline bool map_has(const struct map *map, uint32_t key)
{
	uint32_t hash = element_hash(key);
	const struct bucket *b = &map->buckets[hash & map->mask];
	uintptr_t at;

	do {
		at = atomic_load_explicit(&b->first, memory_order_acquire);
		while (!(at & 1)) {
			const struct element *e = (const struct element *)at;

			if (e->hash == hash && e->key == key)
				return true;
			at = atomic_load_explicit(&e->next, memory_order_acquire);
		}
	} while (at != end_marker(map, b));
	return false;
}
