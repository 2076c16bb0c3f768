/* SPDX-License-Identifier: MIT */
/*
 * BPF_MAP_TYPE_HASH and BPF_MAP_TYPE_PERCPU_HASH, with and without preallocation.
 *
 * As in the kernel an element that was deleted is freed plainly, so it may be another key's while a reader still looks at it; that costs no
 * grace period and keeps no memory waiting, and preallocated elements are recycled at once anyway. What makes it safe:
 *
 * - its memory stays an element (type-stable) until a grace period after, and the reader is in a read section;
 * - it has a count, odd while it is nobody's or being written. Who finds it odd, or changed after he has copied the
 *   value, starts again. The kernel hands out a pointer and cannot look again; its users see another key's value now and then;
 * - a reader goes hand over hand: once he has the count of an element he looks whether its predecessor still is what it was and still
 *   points to it. So each step was one of this chain, at that moment. The kernel marks the ends of chains instead (a nulls list); that tells who was
 *   led into another chain, but a key that is being replaced can be missed: the new element is put in front, behind the reader's
 *   back, and the old one taken out before he gets there. (So it was here first, and --check found it.)
 *
 * A new element takes the place of the one that it replaces by one store.
 */
#include "map.h"

#include <bma/compat/bpf_mem_alloc.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <urcu/urcu-memb.h>

#define LOCKS 64u

struct elem {
	_Atomic(struct elem *) next;
	_Atomic uint64_t seq;
	uint64_t word[]; /* the key; then the value, or the word that holds its copies */
};

struct htab {
	struct map map; /* first */
	struct bpf_mem_alloc ma, percpu;
	uint32_t mask;
	_Atomic uint32_t count;
	pthread_mutex_t lock[LOCKS]; /* of the buckets with the same remainder */
	pthread_mutex_t spare_lock;
	struct elem **spare; /* preallocated: not in use */
	uint32_t spares;
	_Atomic(struct elem *) bucket[];
};

static uint64_t hash(const void *key, size_t bytes)
{
	const unsigned char *p = key;
	uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */

	for (size_t i = 0; i < bytes; i++)
		h = (h ^ p[i]) * 0x100000001b3u;
	return h ^ h >> 32;
}

static uint64_t *value_of(const struct htab *t, struct elem *e)
{
	return e->word + words_of(t->map.key_size);
}

static bool same_key(const struct htab *t, const struct elem *e, const void *key)
{
	uint64_t word[words_of(t->map.key_size)];

	words_load(word, e->word, t->map.key_size);
	return !memcmp(word, key, t->map.key_size);
}

static bool percpu(const struct htab *t)
{
	return t->map.flags & MAP_PERCPU;
}

static uint64_t *copies_of(const struct htab *t, struct elem *e)
{
	uintptr_t holder = __atomic_load_n(value_of(t, e), __ATOMIC_ACQUIRE);

	return holder ? *(uint64_t __percpu **)holder : NULL;
}

static void load_value(const struct htab *t, struct elem *e, void *value)
{
	uint64_t *copies;

	if (!percpu(t)) {
		words_load(value, value_of(t, e), t->map.value_size);
		return;
	}
	copies = copies_of(t, e);
	for (unsigned int cpu = 0; copies && cpu < num_possible_cpus(); cpu++)
		words_load((char *)value + (size_t)cpu * t->map.value_size,
			   per_cpu_ptr(copies, cpu), t->map.value_size);
}

static bool changed(const struct elem *e, uint64_t seq)
{
	atomic_thread_fence(memory_order_acquire);
	return atomic_load_explicit(&e->seq, memory_order_relaxed) != seq;
}

/* 0, or -ENOENT; -EAGAIN if it met a change. */
static int try_lookup(struct htab *t, uint64_t b, const void *key, void *value)
{
	_Atomic(struct elem *) *link = &t->bucket[b];
	struct elem *e, *before = NULL;
	uint64_t seq, seq_before = 0;

	while ((e = atomic_load_explicit(link, memory_order_acquire))) {
		seq = atomic_load_explicit(&e->seq, memory_order_acquire);
		if (seq & 1 || atomic_load_explicit(link, memory_order_acquire) != e ||
		    (before && changed(before, seq_before)))
			return -EAGAIN;
		if (same_key(t, e, key)) {
			load_value(t, e, value);
			return changed(e, seq) ? -EAGAIN : 0;
		}
		before = e;
		seq_before = seq;
		link = &e->next;
	}
	return before && changed(before, seq_before) ? -EAGAIN : -ENOENT;
}

static int lookup(struct map *map, const void *key, void *value)
{
	struct htab *t = (struct htab *)map;
	uint64_t b = hash(key, map->key_size) & t->mask;
	int rc;

	urcu_memb_read_lock();
	do
		rc = try_lookup(t, b, key, value);
	while (rc == -EAGAIN);
	urcu_memb_read_unlock();
	return rc;
}

/* Under the bucket's lock; @link: what points to it, or to nothing. */
static struct elem *find(struct htab *t, uint64_t b, const void *key, _Atomic(struct elem *) **link)
{
	struct elem *e;

	*link = &t->bucket[b];
	while ((e = atomic_load_explicit(*link, memory_order_relaxed)) && !same_key(t, e, key))
		*link = &e->next;
	return e;
}

/* Nobody's from here on: readers who are at it start again. Before any part of it can become another's. */
static void kill_elem(struct elem *e)
{
	uint64_t seq = atomic_load_explicit(&e->seq, memory_order_relaxed);

	atomic_store_explicit(&e->seq, seq | 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static struct elem *take_elem(struct htab *t)
{
	struct elem *e = NULL;
	void *holder;

	if (t->map.flags & MAP_PREALLOC) {
		pthread_mutex_lock(&t->spare_lock);
		if (t->spares)
			e = t->spare[--t->spares];
		pthread_mutex_unlock(&t->spare_lock);
		return e;
	}
	e = bpf_mem_cache_alloc(&t->ma);
	if (!e)
		return NULL;
	kill_elem(e);
	if (!percpu(t))
		return e;
	holder = bpf_mem_cache_alloc(&t->percpu);
	if (!holder) {
		bpf_mem_cache_free(&t->ma, e);
		return NULL;
	}
	__atomic_store_n(value_of(t, e), (uintptr_t)holder, __ATOMIC_RELEASE);
	return e;
}

static void free_elem(struct htab *t, struct elem *e)
{
	if (percpu(t))
		bpf_mem_cache_free(&t->percpu, (void *)(uintptr_t)*value_of(t, e));
	bpf_mem_cache_free(&t->ma, e);
}

static void give_elem(struct htab *t, struct elem *e)
{
	kill_elem(e);
	if (!(t->map.flags & MAP_PREALLOC)) {
		free_elem(t, e);
		return;
	}
	pthread_mutex_lock(&t->spare_lock);
	t->spare[t->spares++] = e;
	pthread_mutex_unlock(&t->spare_lock);
}

/* Only of the caller's copy; who is moved to another CPU in the middle still writes to that one. */
static void store_copy(struct htab *t, struct elem *e, const void *value)
{
	words_store(this_cpu_ptr(copies_of(t, e)), value, t->map.value_size);
}

static void fill_elem(struct htab *t, struct elem *e, const void *key, const void *value)
{
	words_store(e->word, key, t->map.key_size);
	if (!percpu(t)) {
		words_store(value_of(t, e), value, t->map.value_size);
		return;
	}
	for (unsigned int cpu = 0; cpu < num_possible_cpus(); cpu++)
		for (size_t i = 0; i < words_of(t->map.value_size); i++)
			__atomic_store_n(per_cpu_ptr(copies_of(t, e), cpu) + i, 0,
					 __ATOMIC_RELAXED);
	store_copy(t, e, value);
}

/* A full element at @link, with @next behind it. */
static void publish(_Atomic(struct elem *) *link, struct elem *e, struct elem *next)
{
	uint64_t seq = atomic_load_explicit(&e->seq, memory_order_relaxed);

	atomic_store_explicit(&e->next, next, memory_order_release);
	atomic_store_explicit(&e->seq, seq + 1, memory_order_release);
	atomic_store_explicit(link, e, memory_order_release);
}

static struct elem *after(struct elem *e)
{
	return atomic_load_explicit(&e->next, memory_order_relaxed);
}

/* Under the bucket's lock, @link from find(). No change of the chain comes between an element's end in it and its count. */
static int replace(struct htab *t, _Atomic(struct elem *) *link, const void *key, const void *value,
		   struct elem *old)
{
	struct elem *e;

	if (!old && atomic_fetch_add(&t->count, 1) >= t->map.max_entries) {
		atomic_fetch_sub(&t->count, 1);
		return -E2BIG;
	}
	e = take_elem(t);
	if (!e) {
		if (!old)
			atomic_fetch_sub(&t->count, 1);
		return -ENOMEM;
	}
	fill_elem(t, e, key, value);
	publish(link, e, old ? after(old) : NULL);
	if (old)
		give_elem(t, old);
	return 0;
}

static int update(struct map *map, const void *key, const void *value, uint64_t flags)
{
	struct htab *t = (struct htab *)map;
	uint64_t b = hash(key, map->key_size) & t->mask;
	_Atomic(struct elem *) *link;
	struct elem *old;
	int rc = 0;

	if (flags > BPF_EXIST)
		return -EINVAL;
	pthread_mutex_lock(&t->lock[b % LOCKS]);
	old = find(t, b, key, &link);
	if (old && flags == BPF_NOEXIST)
		rc = -EEXIST;
	else if (!old && flags == BPF_EXIST)
		rc = -ENOENT;
	else if (old && percpu(t))
		store_copy(t, old, value);
	else
		rc = replace(t, link, key, value, old);
	pthread_mutex_unlock(&t->lock[b % LOCKS]);
	return rc;
}

static int delete (struct map *map, const void *key)
{
	struct htab *t = (struct htab *)map;
	uint64_t b = hash(key, map->key_size) & t->mask;
	_Atomic(struct elem *) *link;
	struct elem *old;

	pthread_mutex_lock(&t->lock[b % LOCKS]);
	old = find(t, b, key, &link);
	if (old) {
		atomic_store_explicit(link, after(old), memory_order_release);
		give_elem(t, old);
		atomic_fetch_sub(&t->count, 1);
	}
	pthread_mutex_unlock(&t->lock[b % LOCKS]);
	return old ? 0 : -ENOENT;
}

/* The first key of the chain from @e on; under the lock. */
static bool take_key(struct htab *t, struct elem *e, void *next)
{
	if (e)
		words_load(next, e->word, t->map.key_size);
	return e;
}

static int next_key(struct map *map, const void *key, void *next)
{
	struct htab *t = (struct htab *)map;
	uint64_t b = key ? hash(key, map->key_size) & t->mask : 0;
	bool found = false;

	if (key) {
		_Atomic(struct elem *) *link;
		struct elem *e;

		pthread_mutex_lock(&t->lock[b % LOCKS]);
		e = find(t, b, key, &link);
		found = e && take_key(t, after(e), next);
		pthread_mutex_unlock(&t->lock[b % LOCKS]);
		b = e ? b + 1 : 0;
	}
	for (; !found && b <= t->mask; b++) {
		pthread_mutex_lock(&t->lock[b % LOCKS]);
		found = take_key(t, atomic_load_explicit(&t->bucket[b], memory_order_relaxed),
				 next);
		pthread_mutex_unlock(&t->lock[b % LOCKS]);
	}
	return found ? 0 : -ENOENT;
}

static void free_map(struct map *map)
{
	struct htab *t = (struct htab *)map;

	for (uint64_t b = 0; b <= t->mask; b++) {
		struct elem *e = atomic_load_explicit(&t->bucket[b], memory_order_acquire), *next;

		for (; e; e = next) {
			next = after(e);
			free_elem(t, e);
		}
	}
	while (t->spares)
		free_elem(t, t->spare[--t->spares]);
	bpf_mem_alloc_destroy(&t->ma);
	bpf_mem_alloc_destroy(&t->percpu);
	for (uint32_t i = 0; i < LOCKS; i++)
		pthread_mutex_destroy(&t->lock[i]);
	pthread_mutex_destroy(&t->spare_lock);
	free(t->spare);
	free(t);
}

/* One more for each lock, so that what is replaced need not go before its successor is there. */
static int preallocate(struct htab *t)
{
	uint32_t n = t->map.max_entries + LOCKS;

	t->spare = calloc(n, sizeof *t->spare);
	if (!t->spare)
		return -ENOMEM;
	while (t->spares < n) {
		struct elem *e = bpf_mem_cache_alloc_flags(&t->ma, GFP_KERNEL);
		void *holder = percpu(t) ? bpf_mem_cache_alloc_flags(&t->percpu, GFP_KERNEL) : NULL;

		if (!e || (percpu(t) && !holder)) {
			bpf_mem_cache_free(&t->ma, e);
			bpf_mem_cache_free(&t->percpu, holder);
			return -ENOMEM;
		}
		if (holder)
			*value_of(t, e) = (uintptr_t)holder;
		kill_elem(e);
		t->spare[t->spares++] = e;
	}
	return 0;
}

static const struct map_ops ops = {lookup, update, delete, next_key, free_map};

struct map *htab_new(uint32_t key_size, uint32_t value_size, uint32_t max, uint32_t flags)
{
	uint32_t buckets = 1;
	struct htab *t;
	size_t words;
	int rc;

	while (buckets < max && buckets < 1u << 30)
		buckets *= 2;
	t = calloc(1, sizeof *t + buckets * sizeof t->bucket[0]);
	if (!t)
		return NULL;
	t->map = (struct map){&ops, key_size, value_size, max, flags};
	t->mask = buckets - 1;
	for (uint32_t i = 0; i < LOCKS; i++)
		pthread_mutex_init(&t->lock[i], NULL);
	pthread_mutex_init(&t->spare_lock, NULL);
	words = words_of(key_size) + (percpu(t) ? 1 : words_of(value_size));
	rc = bpf_mem_alloc_init(&t->ma, (int)(sizeof(struct elem) + 8 * words), false);
	if (!rc && percpu(t))
		rc = bpf_mem_alloc_init(&t->percpu, (int)(8 * words_of(value_size)), true);
	if (!rc && flags & MAP_PREALLOC)
		rc = preallocate(t);
	if (!rc)
		return &t->map;
	free_map(&t->map);
	errno = -rc;
	return NULL;
}
