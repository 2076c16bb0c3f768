/* SPDX-License-Identifier: MIT */
/* Reading files: "key,number" for hash maps, "prefix next-hop" for tries. */
#include "table.h"

#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

static bool parse_prefix(const char *text, struct lpm_key *key, uint32_t *bits)
{
	char address[NAME_MAX_BYTES], *slash, *end;
	unsigned long len;

	if (snprintf(address, sizeof address, "%s", text) >= (int)sizeof address)
		return false;
	slash = strchr(address, '/');
	if (slash)
		*slash = 0;
	memset(key, 0, sizeof *key);
	if (inet_pton(AF_INET, address, key->data) == 1)
		*bits = 32;
	else if (inet_pton(AF_INET6, address, key->data) == 1)
		*bits = 128;
	else
		return false;
	len = slash ? strtoul(slash + 1, &end, 10) : *bits;
	key->prefixlen = (uint32_t)len;
	return len <= *bits && (!slash || (slash[1] && !*end));
}

bool table_key(const struct table *t, const char *text, void *key)
{
	struct lpm_key prefix;
	uint32_t bits;

	if (t->lpm) {
		if (!parse_prefix(text, &prefix, &bits) || bits != t->bits)
			return false;
		memcpy(key, &prefix, t->key_size);
		return true;
	}
	memset(key, 0, KEY_BYTES);
	return snprintf(key, KEY_BYTES, "%s", text) < KEY_BYTES;
}

static bool parse_line(struct table *t, struct record *r, char *line)
{
	char *rest = line + strcspn(line, t->lpm ? " \t" : ","), *end;

	if (!*rest)
		return false;
	*rest++ = 0;
	rest += strspn(rest, " \t");
	if (strlen(line) >= sizeof r->name || strlen(rest) >= sizeof r->value.text)
		return false;
	strcpy(r->name, line);
	strcpy(r->value.text, rest);
	r->number = strtoull(rest, &end, 10);
	if (!t->lpm)
		return r->number && !*end && table_key(t, line, r->key.host);
	if (!t->n) {
		if (!parse_prefix(line, &r->key.prefix, &t->bits))
			return false;
		t->key_size = (uint32_t)offsetof(struct lpm_key, data) + t->bits / 8;
	}
	return table_key(t, line, &r->key.prefix);
}

void table_read(struct table *t, const char *file, bool lpm)
{
	FILE *f = fopen(file, "r");
	unsigned int number = 0;
	char line[256];

	*t = (struct table){.lpm = lpm, .key_size = KEY_BYTES};
	if (!f)
		err(1, "%s", file);
	while (fgets(line, sizeof line, f)) {
		struct record *more;

		number++;
		line[strcspn(line, "\r\n")] = 0;
		if (!*line || *line == '#')
			continue;
		more = reallocarray(t->record, t->n + 1, sizeof *more);
		if (!more)
			err(1, "%s", file);
		t->record = more;
		memset(&t->record[t->n], 0, sizeof *more);
		if (!parse_line(t, &t->record[t->n], line))
			errx(1, "%s:%u: not \"%s\"", file, number,
			     lpm ? "PREFIX NEXT-HOP, all of one family" : "KEY,NUMBER");
		t->record[t->n].value.record = t->n;
		t->n++;
	}
	fclose(f);
	if (t->n < 2)
		errx(1, "%s: too short", file);
}

const void *table_value(const struct table *t, const struct record *r)
{
	return t->map->flags & MAP_PERCPU ? (const void *)&r->number : &r->value;
}
