/* SPDX-License-Identifier: MIT */
/*
 * The page that a process exports (src/obs/export_layout.h), as a copy that nobody changes. It is read with pread(2), so that neither a process that hangs nor a
 * file that somebody cuts does harm, and believed only where it stays within itself.
 */
#ifndef BMATOP_PAGE_H
#define BMATOP_PAGE_H

#include "obs/export_layout.h"

#include <stdbool.h>
#include <stddef.h>

#define WHY_MOST 512

struct page {
	int fd;
	size_t bytes;
	unsigned char *copy;
	const struct bma__page_head *head; /* of the copy */
	bool torn;			   /* its writer was in the middle of an update, for long */
};

struct table {
	const struct page *page;
	const struct bma__page_table *is;
	const struct bma__page_field *fields;
	uint32_t rows;
};

/* Open and read. False: @why says, in one line, why not. */
bool page_open(struct page *p, const char *path, char why[WHY_MOST]);
/* Read again; what was there stays if that fails. */
bool page_read(struct page *p, char why[WHY_MOST]);
void page_close(struct page *p);
/* Nanoseconds since the last update. */
uint64_t page_age(const struct page *p);

/* The table of a name; without rows if the page has none. */
struct table page_table(const struct page *p, const char *name);
/* A number, or 0; a string, or "". Of fields that another version does not have, too. */
uint64_t table_number(const struct table *t, uint32_t row, const char *field);
const char *table_text(const struct table *t, uint32_t row, const char *field);
bool field_is_text(const struct bma__page_field *f);
/* The same of a field that is known to be of this table. */
uint64_t field_number(const struct table *t, uint32_t row, const struct bma__page_field *f);
const char *field_text(const struct table *t, uint32_t row, const struct bma__page_field *f);

#endif /* BMATOP_PAGE_H */
