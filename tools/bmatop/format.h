/* SPDX-License-Identifier: MIT */
/* What programs read: each prints all of a page. */
#ifndef BMATOP_FORMAT_H
#define BMATOP_FORMAT_H

#include "page.h"

#include <stdio.h>

void format_json(FILE *out, const struct page *p);
/* As /proc/slabinfo, version 2.1. */
void format_slabinfo(FILE *out, const struct page *p);
/* Prometheus' text exposition format, version 0.0.4. */
void format_prometheus(FILE *out, const struct page *p);

/* Bytes of the character in UTF-8 that @s begins with; 0: it begins with none. */
size_t utf8_character(const char *s);

#endif /* BMATOP_FORMAT_H */
