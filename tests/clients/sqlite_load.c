/* SPDX-License-Identifier: MIT */
/* Rows, indices, transactions, joins and blobs, see sqlite.h. What a table is to hold follows from its id and is counted here beside it. */
#include "sqlite.h"

#include "test.h"

#define ROWS 400
#define WORDS 17
#define BLOB_EVERY 50
#define BLOB_MAX 300000

static void done(sqlite3 *db, int rc, const char *text)
{
	CHECK(rc == SQLITE_OK || rc == SQLITE_DONE, "%s: %s", text, sqlite3_errmsg(db));
}

void sqlite_run(sqlite3 *db, const char *text)
{
	done(db, sqlite3_exec(db, text, NULL, NULL, NULL), text);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text)
{
	sqlite3_stmt *s = NULL;

	done(db, sqlite3_prepare_v2(db, text, -1, &s, NULL), text);
	return s;
}

/* A statement with the table's id in it: at each %u. */
#define FORMAT(name, ...)                                                                          \
	char name[400];                                                                            \
	CHECK((size_t)snprintf(name, sizeof name, __VA_ARGS__) < sizeof name, "cut")

long sqlite_number(sqlite3 *db, const char *text)
{
	sqlite3_stmt *s = prepare(db, text);
	long n;

	CHECK(sqlite3_step(s) == SQLITE_ROW, "%s: %s", text, sqlite3_errmsg(db));
	n = (long)sqlite3_column_int64(s, 0);
	sqlite3_finalize(s);
	return n;
}

void sqlite_whole(sqlite3 *db)
{
	sqlite3_stmt *s = prepare(db, "PRAGMA integrity_check");

	CHECK(sqlite3_step(s) == SQLITE_ROW, "no answer");
	CHECK(!strcmp((const char *)sqlite3_column_text(s, 0), "ok"), "%s",
	      (const char *)sqlite3_column_text(s, 0));
	sqlite3_finalize(s);
}

static size_t blob_size(long row)
{
	return row % BLOB_EVERY ? (size_t)(row % 97) : (size_t)(row * 7919 % BLOB_MAX) + 1;
}

/* Eight bytes of random numbers at a time. */
static void blob_fill(unsigned char *to, long row)
{
	uint64_t state = (uint64_t)row * 2 + 1;

	for (size_t i = 0; i < blob_size(row); i += sizeof state) {
		uint64_t bits = test_random(&state);
		size_t n = blob_size(row) - i;

		memcpy(to + i, &bits, n < sizeof bits ? n : sizeof bits);
	}
}

static void insert(sqlite3 *db, unsigned int id, long first)
{
	FORMAT(item, "INSERT INTO item%u(id, word, name, weight, body) VALUES(?, ?, ?, ?, ?)", id);
	sqlite3_stmt *s = prepare(db, item);
	unsigned char *blob = malloc(BLOB_MAX + 8);

	CHECK(blob, "no memory for a blob");
	for (long row = first; row < first + ROWS; row++) {
		char name[64];

		snprintf(name, sizeof name, "%ld of %u", row * 7919 % 10007, id);
		blob_fill(blob, row);
		sqlite3_bind_int64(s, 1, row);
		sqlite3_bind_int64(s, 2, row % WORDS);
		sqlite3_bind_text(s, 3, name, -1, SQLITE_TRANSIENT);
		sqlite3_bind_double(s, 4, (double)(row % 1000) / 4);
		sqlite3_bind_blob(s, 5, blob, (int)blob_size(row), SQLITE_TRANSIENT);
		done(db, sqlite3_step(s), item);
		sqlite3_reset(s);
	}
	free(blob);
	sqlite3_finalize(s);
}

static void make(sqlite3 *db, unsigned int id)
{
	FORMAT(text,
	       "CREATE TABLE item%u(id INTEGER PRIMARY KEY, word INT, name TEXT, weight REAL, body "
	       "BLOB);"
	       "CREATE TABLE word%u(id INTEGER PRIMARY KEY, text TEXT);"
	       "CREATE INDEX by_name%u ON item%u(name); CREATE INDEX by_word%u ON item%u(word, "
	       "weight);",
	       id, id, id, id, id, id);

	sqlite_run(db, text);
	for (int i = 0; i < WORDS; i++) {
		FORMAT(word, "INSERT INTO word%u VALUES(%d, 'word %d')", id, i, i * i);
		sqlite_run(db, word);
	}
}

/* Each row is there, in order, with the bytes that it was given. */
static void check_rows(sqlite3 *db, unsigned int id, long rows)
{
	FORMAT(text, "SELECT id, body, weight FROM item%u ORDER BY id", id);
	sqlite3_stmt *s = prepare(db, text);
	unsigned char *blob = malloc(BLOB_MAX + 8);
	long row;

	CHECK(blob, "no memory for a blob");
	for (row = 0; sqlite3_step(s) == SQLITE_ROW; row++) {
		int n = sqlite3_column_bytes(s, 1);

		CHECK(sqlite3_column_int64(s, 0) == row, "row %ld is not there", row);
		blob_fill(blob, row);
		CHECK((size_t)n == blob_size(row) &&
			      (!n || !memcmp(sqlite3_column_blob(s, 1), blob, (size_t)n)),
		      "row %ld: another blob", row);
	}
	CHECK(row == rows, "%ld rows, not %ld", row, rows);
	free(blob);
	sqlite3_finalize(s);
}

/* Sorted and grouped in memory, joined by an index: the same sums as here. */
static void check_join(sqlite3 *db, unsigned int id, long rows)
{
	FORMAT(text,
	       "SELECT w.id, w.text, count(*), group_concat(i.name) FROM item%u i JOIN word%u w ON "
	       "w.id = i.word "
	       "GROUP BY w.text ORDER BY w.id",
	       id, id);
	FORMAT(pairs,
	       "SELECT count(*) FROM item%u a JOIN item%u b ON a.name = b.name AND a.id >= b.id",
	       id, id);
	sqlite3_stmt *s = prepare(db, text);
	int words = 0;

	for (; sqlite3_step(s) == SQLITE_ROW; words++) {
		long want = rows / WORDS + (words < rows % WORDS);
		const char *names = (const char *)sqlite3_column_text(s, 3);
		long n = 1;

		for (const char *p = names; *p; p++)
			n += *p == ',';
		CHECK(sqlite3_column_int64(s, 0) == words && sqlite3_column_int64(s, 2) == want &&
			      n == want,
		      "word %d: %s", words, names);
	}
	CHECK(words == WORDS, "%d words", words);
	sqlite3_finalize(s);
	CHECK(sqlite_number(db, pairs) == rows, "names are not unique");
}

/* What is rolled back was never there; half is deleted and written again. */
static void change(sqlite3 *db, unsigned int id, long rows)
{
	FORMAT(undone,
	       "BEGIN; UPDATE item%u SET body = zeroblob(5000), name = name || name; DELETE FROM "
	       "word%u; ROLLBACK",
	       id, id);
	FORMAT(kept,
	       "SAVEPOINT a; UPDATE item%u SET weight = -abs(weight); DELETE FROM item%u WHERE id "
	       ">= "
	       "%ld; RELEASE a",
	       id, id, rows - ROWS);
	FORMAT(negative, "SELECT count(*) FROM item%u WHERE weight > 0", id);

	sqlite_run(db, undone);
	check_join(db, id, rows);
	sqlite_run(db, kept);
	CHECK(!sqlite_number(db, negative), "an update is lost");
	sqlite_run(db, "BEGIN IMMEDIATE");
	insert(db, id, rows - ROWS);
	sqlite_run(db, "COMMIT");
}

long sqlite_load(sqlite3 *db, unsigned int id, unsigned int rounds)
{
	long rows = 0;

	make(db, id);
	for (unsigned int round = 0; round < rounds; round++, rows += ROWS) {
		sqlite_run(db, "BEGIN IMMEDIATE");
		insert(db, id, rows);
		sqlite_run(db, "COMMIT");
		change(db, id, rows + ROWS);
	}
	check_rows(db, id, rows);
	check_join(db, id, rows);
	return 2 * rows;
}

void sqlite_shared_make(sqlite3 *db)
{
	sqlite_run(db, "CREATE TABLE shared(id INTEGER PRIMARY KEY, n INT)");
	for (int i = 0; i < 10; i++)
		sqlite_run(db, "INSERT INTO shared(n) VALUES(0)");
}

void sqlite_shared_add(sqlite3 *db, unsigned int times)
{
	for (unsigned int i = 0; i < times; i++)
		sqlite_run(db, "UPDATE shared SET n = n + 1");
}

long sqlite_shared_sum(sqlite3 *db)
{
	return sqlite_number(db, "SELECT sum(n) FROM shared");
}
