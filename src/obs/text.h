/* SPDX-License-Identifier: MIT */
/*
 * Figures as text, or as JSON: a line is put together and written in one go.
 *
 * Names are bytes. In text a byte that is not printable, a space and a backslash are written as a backslash and three octal digits, as in /proc/mounts. In
 * JSON what is not UTF-8 is U+FFFD.
 */
#ifndef BMA_OBS_TEXT_H
#define BMA_OBS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BMA__TEXT_LINE 8192 /* a path, at most six bytes for each of its own, and the figures */

struct bma__text {
	int fd;
	bool json, first; /* of a list */
	size_t n;
	char line[BMA__TEXT_LINE];
};

/* One of the lists of <bma/stats.h>: where in the struct. */
struct bma__figure {
	const char *name, *unit, *text;
	size_t offset;
};

void bma__text_put(struct bma__text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* @s as JSON has a string, or escaped. */
void bma__text_name(struct bma__text *t, const char *s);
/* " key value", or ,"key":value; @first: without the comma. */
void bma__text_figure(struct bma__text *t, const char *key, uint64_t value, bool first);
/* All of @n figures of @s. */
void bma__text_figures(struct bma__text *t, const struct bma__figure *f, size_t n, const void *s,
		       bool first);
/* Begin an entry of a list: a comma where one is needed. */
void bma__text_entry(struct bma__text *t);
/* What was put goes out. Returns 0 or a negative errno; leaves errno alone. */
int bma__text_flush(struct bma__text *t);

#endif /* BMA_OBS_TEXT_H */
