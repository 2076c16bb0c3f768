/* SPDX-License-Identifier: MIT */
/* Figures as text, see text.h. */
#include "obs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

void bma__text_put(struct bma__text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(t->line + t->n, sizeof t->line - t->n, fmt, args);
	va_end(args);
	bma__assert(n >= 0 && (size_t)n < sizeof t->line - t->n);
	t->n += (size_t)n;
}

int bma__text_flush(struct bma__text *t)
{
	int saved = errno, rc = 0;
	size_t done = 0;

	while (done < t->n && !rc) {
		ssize_t n = write(t->fd, t->line + done, t->n - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR)
			rc = -errno;
	}
	t->n = 0;
	errno = saved;
	return rc;
}

/* Bytes of the character in UTF-8 that @s begins with; 0: it begins with none. */
static size_t character(const unsigned char *s)
{
	size_t length = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

	if (*s > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	/* Longer than need be, a surrogate, or above the last one. */
	if ((*s == 0xe0 && s[1] < 0xa0) || (*s == 0xed && s[1] > 0x9f) ||
	    (*s == 0xf0 && s[1] < 0x90) || (*s == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

static void put_json(struct bma__text *t, const char *path)
{
	const unsigned char *s = (const unsigned char *)path;

	bma__text_put(t, "\"");
	while (*s) {
		size_t length = character(s);

		if (!length)
			bma__text_put(t, "\\ufffd");
		else if (*s < ' ' || *s == 0x7f)
			bma__text_put(t, "\\u%04x", *s);
		else if (*s == '"' || *s == '\\')
			bma__text_put(t, "\\%c", *s);
		else
			bma__text_put(t, "%.*s", (int)length, (const char *)s);
		s += length ? length : 1;
	}
	bma__text_put(t, "\"");
}

static void put_escaped(struct bma__text *t, const char *path)
{
	for (const unsigned char *s = (const unsigned char *)path; *s; s++) {
		if (*s <= ' ' || *s >= 0x7f || *s == '\\')
			bma__text_put(t, "\\%03o", *s);
		else
			bma__text_put(t, "%c", *s);
	}
}

void bma__text_name(struct bma__text *t, const char *s)
{
	if (t->json)
		put_json(t, s);
	else
		put_escaped(t, s);
}

void bma__text_figure(struct bma__text *t, const char *key, uint64_t value, bool first)
{
	if (t->json)
		bma__text_put(t, "%s\"%s\":%llu", first ? "" : ",", key, (unsigned long long)value);
	else
		bma__text_put(t, " %s %llu", key, (unsigned long long)value);
}

void bma__text_figures(struct bma__text *t, const struct bma__figure *f, size_t n, const void *s,
		       bool first)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t *value =
			(const uint64_t *)(const void *)((const char *)s + f[i].offset);

		bma__text_figure(t, f[i].name, *value, first && !i);
	}
}

void bma__text_entry(struct bma__text *t)
{
	if (t->json)
		bma__text_put(t, t->first ? "\n" : ",\n");
	t->first = false;
}
