/* SPDX-License-Identifier: MIT */
/*
 * SQLite on a heap: threads with a connection each, to databases in memory and to one in a file. What SQLite says that it has, in allocations
 * and in bytes, is what the heap says that is live. Argument: rounds.
 */
#include "sqlite.h"

#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "client.h"

#define THREADS 4
#define ADDS 5

static struct bma_heap *heap;
static _Atomic long bytes, calls;
static int rounds = 4;

static int sqlite_size(void *p)
{
	return (int)bma_heap_usable_size(p);
}

/* What an allocation of this size can hold. */
static int sqlite_roundup(int n)
{
	struct bma_cache *class = bma_heap_cache(heap, (size_t)n);

	return class ? (int)bma_cache_size(class) : (n + 4095) & ~4095;
}

static void *sqlite_alloc(int n)
{
	void *p = bma_heap_alloc_flags(heap, (size_t)n, BMA_SLEEP);

	CHECK(!p || sqlite_size(p) == sqlite_roundup(n), "%d bytes: %d, not %d", n, sqlite_size(p),
	      sqlite_roundup(n));
	bytes += (long)bma_heap_usable_size(p);
	calls++;
	return p;
}

static void sqlite_free(void *p)
{
	bytes -= (long)bma_heap_usable_size(p);
	calls++;
	bma_heap_free(heap, p);
}

static void *sqlite_realloc(void *p, int n)
{
	long had = (long)bma_heap_usable_size(p);
	void *q = bma_heap_realloc(heap, p, (size_t)n, BMA_SLEEP);

	if (q)
		bytes += (long)bma_heap_usable_size(q) - had;
	calls++;
	return q;
}

static int sqlite_init(void *data)
{
	(void)data;
	heap = client_heap("sqlite", BMA_HEAP_PRIVATE);
	return SQLITE_OK;
}

/* That all is free is looked at here, where SQLite says so. */
static void sqlite_shut(void *data)
{
	(void)data;
	CHECK(!bytes, "%ld bytes are not free", bytes);
	client_end(heap, "SQLite");
	heap = NULL;
}

/* While no other thread calls SQLite. */
static void compare(const char *when)
{
	int count = 0, most = 0;
	uint64_t live = client_live(heap);

	sqlite3_status(SQLITE_STATUS_MALLOC_COUNT, &count, &most, 0);
	CHECK((uint64_t)count == live, "%s: SQLite has %d allocations, the heap %llu", when, count,
	      (unsigned long long)live);
	CHECK(sqlite3_memory_used() == bytes, "%s: SQLite has %lld bytes, the heap %ld", when,
	      (long long)sqlite3_memory_used(), bytes);
	CHECK(live > 100, "%s: SQLite does not use the heap", when);
}

struct work {
	sqlite3 *db;
	unsigned int id;
	bool shared;
	long rows;
};

static void *work(void *arg)
{
	struct work *w = arg;

	w->rows = sqlite_load(w->db, w->id, (unsigned int)rounds);
	if (w->shared)
		sqlite_shared_add(w->db, ADDS);
	return NULL;
}

static sqlite3 *connect(const char *name)
{
	sqlite3 *db;
	int rc = sqlite3_open_v2(
		name, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

	CHECK(rc == SQLITE_OK, "%s: %s", name, sqlite3_errstr(rc));
	sqlite3_busy_timeout(db, 60000);
	sqlite_run(db, "PRAGMA synchronous = OFF; PRAGMA cache_size = -2000");
	return db;
}

/* Connections are opened and closed here, so that much is freed by another thread than it was allocated by. */
static void run(const char *file)
{
	struct work w[THREADS];
	pthread_t thread[THREADS];
	double begin = test_seconds();
	long rows = 0, called = calls;
	const char *what = file ? "a file" : "memory";

	for (unsigned int i = 0; i < THREADS; i++) {
		w[i] = (struct work){connect(file ? file : ":memory:"), i, file, 0};
		if (file && !i)
			sqlite_run(w[i].db, "PRAGMA journal_mode = WAL");
		if (file && !i)
			sqlite_shared_make(w[i].db);
	}
	compare(what);
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&thread[i], NULL, work, &w[i]), "no thread");
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		rows += w[i].rows;
	}
	compare(what);
	CHECK(!file || sqlite_shared_sum(w[0].db) == 10l * ADDS * THREADS, "sum %ld",
	      sqlite_shared_sum(w[0].db));
	for (int i = 0; i < THREADS; i++) {
		if (!file)
			sqlite_run(w[i].db, "VACUUM");
		sqlite_whole(w[i].db);
		CHECK(sqlite3_close(w[i].db) == SQLITE_OK, "close");
	}
	printf("%s: %ld rows, %ld calls, %.2f s\n", what, rows, calls - called,
	       test_seconds() - begin);
}

static int unlink_one(const char *path, const struct stat *s, int type, struct FTW *at)
{
	(void)s;
	(void)type;
	(void)at;
	return remove(path);
}

int main(int argc, char **argv)
{
	static sqlite3_mem_methods methods = {
		sqlite_alloc,	sqlite_free, sqlite_realloc, sqlite_size,
		sqlite_roundup, sqlite_init, sqlite_shut,    NULL};
	char dir[] = "/tmp/bma-sqlite-XXXXXX", file[sizeof dir + 10];

	if (argc > 1)
		rounds = atoi(argv[1]);
	CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK, "config");
	CHECK(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 1) == SQLITE_OK, "config");
	/* Twice: a heap is made anew. */
	for (int i = 0; i < 2; i++) {
		CHECK(sqlite3_initialize() == SQLITE_OK, "initialize");
		run(NULL);
		if (i) {
			CHECK(mkdtemp(dir), "no folder");
			snprintf(file, sizeof file, "%s/db", dir);
			run(file);
			nftw(dir, unlink_one, 8, FTW_DEPTH);
		}
		CHECK(sqlite3_shutdown() == SQLITE_OK && !heap, "shutdown");
	}
	return 0;
}
