/* SPDX-License-Identifier: MIT */
/* What people see: a head of five lines and one of five views below it. */
#ifndef BMATOP_VIEW_H
#define BMATOP_VIEW_H

#include "page.h"

#include <stdio.h>

enum view { VIEW_CACHES, VIEW_CPUS, VIEW_NODES, VIEW_GROUPS, VIEW_LIMBO, VIEWS };

/* Letters of slabtop(1), in the view of caches. */
#define SORT_LETTERS "abclnopsuv"
#define SORT_DEFAULT 'o'

extern const char *const view_names[VIEWS];

/* @note: a line more, if there is something to say. */
void view_head(FILE *out, const struct page *p, enum view view, char sort, const char *note);
void view_caches(FILE *out, const struct page *p, char sort);
void view_cpus(FILE *out, const struct page *p);
void view_nodes(FILE *out, const struct page *p);
void view_groups(FILE *out, const struct page *p);
void view_limbo(FILE *out, const struct page *p);
void view_put(FILE *out, const struct page *p, enum view view, char sort);

/* Rows of the table of caches, sorted; the caller frees them. */
uint32_t *caches_sorted(const struct table *t, char sort);

/* For people: 512, 1.5K, 20.0M; 3 us, 1.2 s. The texts stay for 8 calls. */
const char *bytes_of(uint64_t n);
const char *time_of(uint64_t ns);
const char *version_of(unsigned int version);
/* A string without what a terminal would obey, to at least @width columns if that is not 0. */
void put_clean(FILE *out, const char *s, int width);

#endif /* BMATOP_VIEW_H */
