/* SPDX-License-Identifier: MIT */
/*
 * Maps as BPF has them, in user space, on the kernel's names of <bma/compat/bpf_mem_alloc.h> alone.
 *
 * A lookup copies the value out, as the system call does. It takes no lock; the thread is registered with liburcu's memb flavour. Updates
 * and deletes lock, and never sleep for memory: -ENOMEM, as in the kernel.
 */
#ifndef BPFMAP_MAP_H
#define BPFMAP_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BPF_ANY, BPF_NOEXIST, BPF_EXIST };
enum { MAP_PREALLOC = 1, MAP_PERCPU = 2 }; /* of a hash map */

struct map {
	const struct map_ops *ops;
	uint32_t key_size, value_size, max_entries, flags;
};

/*
 * @lookup: 0 or -ENOENT; of a per-CPU map @value gets num_possible_cpus() values.
 * @update: 0; -EEXIST, -ENOENT by BPF_NOEXIST, BPF_EXIST; -EINVAL for other flags; -ENOMEM; -E2BIG for one more than max_entries, of a trie
 * -ENOSPC. Of a per-CPU map it sets the copy of the caller's CPU; those of a new key begin as 0.
 * @delete: 0 or -ENOENT.
 * @next: the key after @key, or the first if @key is NULL or not there; -ENOENT after the last.
 * @free: nobody uses the map any more.
 */
struct map_ops {
	int (*lookup)(struct map *map, const void *key, void *value);
	int (*update)(struct map *map, const void *key, const void *value, uint64_t flags);
	int (*delete)(struct map *map, const void *key);
	int (*next)(struct map *map, const void *key, void *next);
	void (*free)(struct map *map);
};

/* Both return NULL with errno. Sizes in bytes; keys of a trie are struct lpm_key with 4 or 16 bytes of address. */
struct map *htab_new(uint32_t key_size, uint32_t value_size, uint32_t max, uint32_t flags);
struct map *lpm_new(uint32_t key_size, uint32_t value_size, uint32_t max);

struct lpm_key {
	uint32_t prefixlen;
	uint8_t data[16];
};

/*
 * What a reader may look at while it is written: word by word, so that neither compiler nor ThreadSanitizer objects. Who
 * reads half of a change finds out by other means.
 */
static inline size_t words_of(size_t bytes)
{
	return (bytes + 7) / 8;
}

static inline void words_store(uint64_t *to, const void *from, size_t bytes)
{
	for (size_t i = 0; i < words_of(bytes); i++) {
		size_t left = bytes - 8 * i;
		uint64_t word = 0;

		memcpy(&word, (const char *)from + 8 * i, left < 8 ? left : 8);
		__atomic_store_n(to + i, word, __ATOMIC_RELAXED);
	}
}

static inline void words_load(void *to, const uint64_t *from, size_t bytes)
{
	for (size_t i = 0; i < words_of(bytes); i++) {
		uint64_t word = __atomic_load_n(from + i, __ATOMIC_RELAXED);
		size_t left = bytes - 8 * i;

		memcpy((char *)to + 8 * i, &word, left < 8 ? left : 8);
	}
}

#endif /* BPFMAP_MAP_H */
