/* SPDX-License-Identifier: MIT */
/* The load that SQLite is given. */
#ifndef CLIENTS_SQLITE_H
#define CLIENTS_SQLITE_H

#include <sqlite3.h>

/* One connection's part: tables of its own, named by @id, filled, changed, read back, compared with what they should hold. Its connection may be used
 * by another thread afterwards. Returns how many rows it wrote. */
long sqlite_load(sqlite3 *db, unsigned int id, unsigned int rounds);

/* What all connections write to: each adds to the same rows. */
void sqlite_shared_make(sqlite3 *db);
void sqlite_shared_add(sqlite3 *db, unsigned int times);
/* The sum of what was added. */
long sqlite_shared_sum(sqlite3 *db);

/* Anything but rows; ends the program if SQLite refuses. */
void sqlite_run(sqlite3 *db, const char *text);
/* The first column of the first row, which is to be a number. */
long sqlite_number(sqlite3 *db, const char *text);
/* PRAGMA integrity_check says "ok". */
void sqlite_whole(sqlite3 *db);

#endif /* CLIENTS_SQLITE_H */
