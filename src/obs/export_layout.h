/* SPDX-License-Identifier: MIT */
/*
 * The page that another process reads (BMA_CONF=export): what lies where.
 *
 * A head, then tables, then the fields of each table, then the rows. The page says itself which figures it has, with their units and what they
 * mean: a reader shows those it knows and can list all of them. What it has to know is this file; BMA__PAGE_LAYOUT changes with it.
 *
 * The head begins in each layout with the same fields up to @pid, so that a reader can say whose page it does not read.
 *
 * All but what is marked "under seq" is written once, before the magic, which a release makes visible last: who finds the magic finds the
 * rest. A reader must believe nothing that would lead it out of the page; the file may be cut or made by somebody else.
 */
#ifndef BMA_OBS_EXPORT_LAYOUT_H
#define BMA_OBS_EXPORT_LAYOUT_H

#include <stdint.h>

#define BMA__PAGE_MAGIC 0x656761502e414d42ull /* "BMA.Page", as x86-64 and aarch64 store it */
#define BMA__PAGE_LAYOUT 1u
#define BMA__PAGE_PERIOD 1000000000u /* nanoseconds from one update to the next, at least */
/* A page keeps within these, its fields are side by side in a row, and rows in the page: what a reader does with any page is bounded. */
#define BMA__PAGE_TABLES_MOST 32u
#define BMA__PAGE_FIELDS_MOST 256u
#define BMA__PAGE_ROWS_MOST 1024u
#define BMA__PAGE_BYTES_MOST (4u << 20)

/*
 * @seq is a sequence lock of one writer: odd while rows change. Invariant: a reader that found the same even @seq before and after it copied has the rows
 * of one update.
 *
 * The writer stores seq + 1 (relaxed), a release fence, the rows (plain), seq + 2 (release). A reader loads seq, an acquire fence, copies, an acquire
 * fence, loads seq again. If it copied one word of an update, that word was stored after the writer's fence, so the second load finds the odd value or a
 * later one; and if the first load found the even value that ended an update, the copy has all of that update and nothing older, for that value
 * was stored by a release. A reader that uses pread(2) is covered by the same fences: the kernel copies on the CPU that the caller runs on, between them, and
 * a move to another CPU orders everything. One that finds @seq odd for long has a writer that was stopped or died while it copied.
 */
struct bma__page_head {
	uint64_t magic;
	uint32_t layout;
	uint32_t head_size;
	uint64_t bytes;	  /* of the page */
	uint32_t version; /* BMA_VERSION */
	uint32_t pid;
	uint64_t
		start; /* of the process, as field 22 of /proc/<pid>/stat; 0: not known. Tells a pid that was used again */
	uint64_t period; /* BMA__PAGE_PERIOD */
	char program[32];
	uint32_t tables, tables_offset; /* of struct bma__page_table */
	uint64_t seq;
	uint64_t updated; /* under seq: CLOCK_MONOTONIC, nanoseconds */
	uint64_t updates; /* under seq: how many there were */
};

struct bma__page_table {
	char name[16];
	uint32_t fields, fields_offset; /* of struct bma__page_field */
	uint32_t rows_most, rows_offset, row_size;
	uint32_t rows; /* under seq: how many there are */
	uint64_t more; /* under seq: how many had no room */
};

struct bma__page_field {
	char name[32];
	char unit[16]; /* "text": a string */
	char text[208];
	uint32_t offset; /* in a row */
	uint32_t size;	 /* of a string, with its 0; a number has 8 bytes */
};

#endif /* BMA_OBS_EXPORT_LAYOUT_H */
