/* SPDX-License-Identifier: MIT */
/* What a file says, beside the map that it is loaded into; and how the two are compared. */
#ifndef BPFMAP_TABLE_H
#define BPFMAP_TABLE_H

#include "map.h"

#define NAME_MAX_BYTES 64
#define KEY_BYTES 32

/* What a plain map holds. */
struct value {
	uint64_t record; /* its number */
	char text[40];
};

struct record {
	char name[NAME_MAX_BYTES]; /* as in the file */
	union {
		char host[KEY_BYTES];
		struct lpm_key prefix;
	} key;
	struct value value;
	uint64_t number; /* of a per-CPU map; not 0 */
	bool present;	 /* updates are by one thread */
};

struct table {
	struct map *map;
	struct record *record;
	size_t n;
	bool lpm;
	uint32_t key_size; /* of what the map has; bits of an address: */
	uint32_t bits;
};

/* Read @file; exits with a message if it cannot. No map yet. */
void table_read(struct table *t, const char *file, bool lpm);
/* A key as in the file, or an address without a length; false: it is none. */
bool table_key(const struct table *t, const char *text, void *key);
/* What the map is to be given for a record. */
const void *table_value(const struct table *t, const struct record *r);

/* A key that a lookup would have: that of record @i, or an address under its prefix. */
void check_probe(const struct table *t, size_t i, uint64_t random, void *key);
/*
 * Compare a lookup (@rc, @value) of @key with a linear search. While updates go on records of odd numbers come and go, those
 * of even ones stay; @quiet: there are none, and what is present is known. Returns whether it is right.
 */
bool check_lookup(const struct table *t, const void *key, int rc, const void *value, bool quiet);
/* All keys once, and no others, by the map's order; what updates and deletes refuse. Returns wrong answers, each told. */
unsigned int check_quiet(struct table *t);

#endif /* BPFMAP_TABLE_H */
