/* SPDX-License-Identifier: MIT */
/*
 * BMA_CONF=export: figures of this process in a file of shared memory, where others read them without its help (export_layout.h, tools/bmatop).
 *
 * The file is /dev/shm/bma-<uid>-<pid>, for its owner only. The worker writes it once a second, bma_poll() where there is no worker; nobody else does. It is removed by
 * exit() and by bma_shutdown(), after which the next update makes it anew; a process that dies otherwise leaves it, and a reader tells that. A child of
 * fork has one of its own, a second after it was made at the earliest. Where the file cannot be made the process says so, once, and goes on without.
 */
#ifndef BMA_OBS_EXPORT_H
#define BMA_OBS_EXPORT_H

#include "export_layout.h"

#include <stdbool.h>
#include <stddef.h>

/* A field of a row before it is in the page. */
struct bma__export_field {
	const char *name, *unit, *text;
	size_t offset, size; /* see struct bma__page_field */
};

/* A table: where its rows are put together, and what happened to the last update's. */
struct bma__export_table {
	const char *name;
	const struct bma__export_field *fields;
	uint32_t nfields, row_size, rows_most;
	char *to;
	uint32_t rows;
	uint64_t more;
};

enum bma__export_which {
	BMA__EXPORT_PROCESS,
	BMA__EXPORT_LEDGER,
	BMA__EXPORT_CACHES,
	BMA__EXPORT_SLOTS,
	BMA__EXPORT_NODES,
	BMA__EXPORT_RCU,
	BMA__EXPORT_GROUPS,
	BMA__EXPORT_TABLES,
};

/* What tables there are on this machine. */
void bma__export_tables(struct bma__export_table *tables);
/* Put the rows of all of them together. May sleep. */
void bma__export_fill(struct bma__export_table *tables);

/* Write an update if one is due. Returns nanoseconds until the next one is. May sleep; not two at a time: who comes second leaves. */
uint64_t bma__export_tick(void);
/* Write an update now. Returns 0, -EBUSY, or why there is no page. May sleep. */
int bma__export_write(void);
/* Take the file away; and for good. May sleep. */
void bma__export_remove(void);
void bma__export_end(void);
/* In a child of fork: the page is the parent's. */
void bma__export_after_fork(void);
/* The file's name. */
void bma__export_path(char *path, size_t size);

#endif /* BMA_OBS_EXPORT_H */
