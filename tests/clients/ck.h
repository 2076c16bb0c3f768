/* SPDX-License-Identifier: MIT */
/* Concurrency Kit's tables, each as its writer and its readers use it. */
#ifndef CLIENTS_CK_H
#define CLIENTS_CK_H

#include <bma/bma.h>

#include <ck_malloc.h>
#include <stdbool.h>
#include <stdint.h>

/* What the tables hold. Freed after a grace period. */
struct ck_item {
	uint64_t key, check;
	unsigned char rest[40];
};

/* A table of one kind. Only get() is called by readers, in a read section; it may see one of the writer's calls half done. */
struct ck_table {
	const char *name;
	void (*make)(unsigned int seed);
	struct ck_item *(*get)(uint64_t key);
	bool (*put)(struct ck_item *item);
	struct ck_item *(*remove)(uint64_t key);
	/* A new map instead of the old one, if the kind can do that. */
	bool (*anew)(void);
	uint64_t (*count)(void);
	void (*destroy)(void);
};

extern const struct ck_table ck_hash_set, ck_hash_table;
/* Over the heap. */
extern struct ck_malloc ck_methods;

static inline uint64_t ck_mix(uint64_t x)
{
	x ^= x >> 31;
	x *= 0x9e3779b97f4a7c15u;
	return x ^ x >> 29;
}

#endif /* CLIENTS_CK_H */
