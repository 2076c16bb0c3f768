/* SPDX-License-Identifier: MIT */
/* What the maps say against a linear search over what they were given. */
#include "table.h"

#include <bma/compat/bpf_mem_alloc.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

void check_probe(const struct table *t, size_t i, uint64_t random, void *key)
{
	struct lpm_key *k = key;

	memcpy(key, &t->record[i].key, t->key_size);
	if (!t->lpm)
		return;
	for (uint32_t b = k->prefixlen; b < t->bits; b++, random = random >> 1 | random << 63)
		k->data[b / 8] |= (uint8_t)((random & 1) << (7 - b % 8));
	k->prefixlen = t->bits;
}

static bool matches(const struct table *t, const struct record *r, const void *key)
{
	const struct lpm_key *k = key, *p = &r->key.prefix;
	uint32_t whole = p->prefixlen / 8, rest = p->prefixlen % 8;

	if (!t->lpm)
		return !memcmp(&r->key, key, t->key_size);
	return p->prefixlen <= k->prefixlen && !memcmp(p->data, k->data, whole) &&
	       (!rest || !((p->data[whole] ^ k->data[whole]) >> (8 - rest)));
}

/* The best of those that are certainly there; -1: none. */
static long search(const struct table *t, const void *key, bool quiet)
{
	long best = -1;

	for (size_t i = 0; i < t->n; i++) {
		const struct record *r = &t->record[i];

		if ((quiet ? !r->present : i % 2) || !matches(t, r, key))
			continue;
		if (best < 0 || r->key.prefix.prefixlen > t->record[best].key.prefix.prefixlen)
			best = (long)i;
		if (!t->lpm)
			break;
	}
	return best;
}

static bool check_copies(const struct table *t, const void *key, int rc, const uint64_t *copy,
			 bool quiet)
{
	const struct record *r = t->record;
	bool any = false;

	while (!matches(t, r, key))
		r++;
	if (rc)
		return quiet ? !r->present : (r - t->record) % 2;
	for (unsigned int cpu = 0; cpu < num_possible_cpus(); cpu++) {
		any |= copy[cpu] == r->number;
		if (copy[cpu] && copy[cpu] != r->number)
			return false;
	}
	return any && (!quiet || r->present);
}

bool check_lookup(const struct table *t, const void *key, int rc, const void *value, bool quiet)
{
	const struct value *v = value;
	const struct record *r;
	long best;

	if (t->map->flags & MAP_PERCPU)
		return check_copies(t, key, rc, value, quiet);
	best = search(t, key, quiet);
	if (rc)
		return rc == -ENOENT && best < 0;
	if (v->record >= t->n)
		return false;
	r = &t->record[v->record];
	if (memcmp(&r->value, v, sizeof *v) || !matches(t, r, key))
		return false;
	if ((long)v->record == best)
		return true;
	/* One that comes and goes, and is better than those that stay. */
	return !quiet && v->record % 2 &&
	       (best < 0 ||
		(t->lpm && r->key.prefix.prefixlen > t->record[best].key.prefix.prefixlen));
}

static unsigned int wrong(const char *what)
{
	fprintf(stderr, "wrong: %s\n", what);
	return 1;
}

static long record_of(const struct table *t, const void *key)
{
	for (size_t i = 0; i < t->n; i++)
		if (!memcmp(&t->record[i].key, key, t->key_size))
			return (long)i;
	return -1;
}

static unsigned int check_order(const struct table *t)
{
	unsigned char key[KEY_BYTES] = {0}, *seen = calloc(t->n, 1);
	unsigned int bad = 0;
	size_t n = 0, present = 0;

	for (void *at = NULL; seen && !t->map->ops->next(t->map, at, key) && n <= t->n; at = key) {
		long i = record_of(t, key);

		if (i < 0 || !t->record[i].present || seen[i]++)
			bad += wrong("a key that is not there, or twice");
		/* Nothing that came before may be above this one. */
		for (size_t k = 0; t->lpm && i >= 0 && k < t->n; k++)
			if (seen[k] && (long)k != i && matches(t, &t->record[k], key))
				bad += wrong("a prefix before one that it contains");
		n++;
	}
	for (size_t i = 0; i < t->n; i++)
		present += t->record[i].present;
	free(seen);
	return bad + (n == present ? 0 : wrong("not all keys"));
}

/* The map is full when all records are present. */
static unsigned int check_refusals(struct table *t)
{
	const struct map_ops *ops = t->map->ops;
	struct record *r = &t->record[1];
	const void *value = table_value(t, r);
	int full = t->lpm ? -ENOSPC : -E2BIG;
	unsigned char other[KEY_BYTES] = {0};
	unsigned int bad = 0;

	for (size_t i = 0; i < t->n; i++)
		if (ops->update(t->map, &t->record[i].key, table_value(t, &t->record[i]), BPF_ANY))
			bad += wrong("update");
		else
			t->record[i].present = true;
	if (ops->update(t->map, &r->key, value, 3) != -EINVAL)
		bad += wrong("unknown flags");
	if (ops->update(t->map, &r->key, value, BPF_NOEXIST) != -EEXIST)
		bad += wrong("BPF_NOEXIST, but it is there");
	if (ops->update(t->map, &r->key, value, BPF_EXIST))
		bad += wrong("BPF_EXIST, and it is there");
	check_probe(t, 1, 0x5555555555555555, other);
	other[t->key_size - 1] ^= t->lpm ? 0 : 1;
	while (t->lpm && record_of(t, other) >= 0)
		other[t->key_size - 1]++;
	if (ops->update(t->map, other, value, BPF_ANY) != full)
		bad += wrong("one too many");
	if (ops->delete (t->map, other) != -ENOENT)
		bad += wrong("delete of what is not there");
	if (ops->delete (t->map, &r->key) || ops->delete (t->map, &r->key) != -ENOENT)
		bad += wrong("delete");
	r->present = false;
	if (ops->update(t->map, &r->key, value, BPF_EXIST) != -ENOENT)
		bad += wrong("BPF_EXIST, but it is not there");
	if (ops->update(t->map, &r->key, value, BPF_NOEXIST))
		bad += wrong("BPF_NOEXIST, and it is not there");
	r->present = true;
	return bad;
}

static unsigned int check_all(struct table *t)
{
	uint64_t value[sizeof(struct value) / 8 + num_possible_cpus()];
	unsigned char key[KEY_BYTES];
	unsigned int bad = 0;

	for (size_t i = 0; i < t->n; i++) {
		int rc;

		check_probe(t, i, i * 0x9e3779b97f4a7c15u, key);
		rc = t->map->ops->lookup(t->map, key, value);
		if (!check_lookup(t, key, rc, value, true))
			bad += wrong(t->record[i].name);
	}
	return bad + check_order(t);
}

unsigned int check_quiet(struct table *t)
{
	unsigned int bad = check_all(t);

	bad += check_refusals(t);
	bad += check_all(t);
	for (size_t i = 0; i < t->n; i += 3) {
		if (t->map->ops->delete (t->map, &t->record[i].key))
			bad += wrong("delete");
		t->record[i].present = false;
	}
	return bad + check_all(t);
}
