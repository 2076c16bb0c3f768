/* SPDX-License-Identifier: MIT */
/*
 * A program that is not linked with the library loads it, as a plugin or an interpreter of another language does, uses it
 * by the names that it exports, and lets go of it; a plugin brings the library along, and goes.
 *
 * Properties: after bma_shutdown() there is no thread of the library, after the caches are destroyed no memory of objects;
 * after dlclose its text is still mapped, so that threads which were not stopped may go on, and threads of the program that
 * were in calls may end; loaded again it is the same library, and works.
 * They break as a count of threads or of bytes, by SIGSEGV, or by a hang.
 *
 * Arguments: the library, a plugin that is linked with it, a plugin with the static library.
 */
#include <bma/bma.h>

#include <dlfcn.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "test.h"
#include "threads.h"

#define THREADS 3
#define OBJS 4096
#define SIZE 1024

/* What the library exports, by name. */
static struct calls {
	__typeof__(bma_version) *version;
	__typeof__(bma_cache_create) *create;
	__typeof__(bma_cache_destroy) *destroy;
	__typeof__(bma_cache_alloc) *alloc;
	__typeof__(bma_cache_alloc_flags) *alloc_flags;
	__typeof__(bma_cache_free) *free;
	__typeof__(bma_cache_free_rcu) *free_rcu;
	__typeof__(bma_rcu_barrier) *barrier;
	__typeof__(bma_trim) *trim;
	__typeof__(bma_shutdown) *shutdown;
	__typeof__(bma_stats_get) *stats;
} bma;

static void *find(void *library, const char *name)
{
	void *address = dlsym(library, name);

	CHECK(address, "%s", dlerror());
	return address;
}

static void *load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	CHECK(library, "%s", dlerror());
	*(void **)&bma.version = find(library, "bma_version");
	*(void **)&bma.create = find(library, "bma_cache_create");
	*(void **)&bma.destroy = find(library, "bma_cache_destroy");
	*(void **)&bma.alloc = find(library, "bma_cache_alloc");
	*(void **)&bma.alloc_flags = find(library, "bma_cache_alloc_flags");
	*(void **)&bma.free = find(library, "bma_cache_free");
	*(void **)&bma.free_rcu = find(library, "bma_cache_free_rcu");
	*(void **)&bma.barrier = find(library, "bma_rcu_barrier");
	*(void **)&bma.trim = find(library, "bma_trim");
	*(void **)&bma.shutdown = find(library, "bma_shutdown");
	*(void **)&bma.stats = find(library, "bma_stats_get");
	return library;
}

static size_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	CHECK(file && fscanf(file, "%*u %zu", &pages) == 1, "no /proc");
	fclose(file);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void *user(void *arg)
{
	struct bma_cache *cache = arg;
	void **objs = calloc(OBJS, sizeof *objs);

	CHECK(objs, "memory");
	for (int i = 0; i < OBJS; i++) {
		objs[i] = bma.alloc(cache);
		if (!objs[i])
			objs[i] = bma.alloc_flags(cache, BMA_SLEEP);
		CHECK(objs[i], "no object");
		memset(objs[i], i, SIZE);
	}
	for (int i = 0; i < OBJS; i++) {
		if (i & 1)
			bma.free(cache, objs[i]);
		else
			bma.free_rcu(cache, objs[i]);
	}
	free(objs);
	return NULL;
}

static void use(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = SIZE};
	struct bma_cache *cache = bma.create(&a);
	pthread_t t[THREADS];

	CHECK(cache, "no cache");
	CHECK(threads_now() > 1, "the library has no thread");
	for (int i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&t[i], NULL, user, cache), "no thread");
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECK(!bma.barrier(cache), "barrier");
	CHECK(!bma.destroy(cache), "objects are missing");
}

/* What is left when all is given back: no thread, no slab, and little that is resident. */
static void check_nothing(size_t before)
{
	struct bma_stats stats;
	size_t after;

	CHECK(!bma.trim() && !bma.shutdown(), "shutdown");
	CHECK(threads_left(1) == 1, "%u threads", threads_now());
	CHECK(!bma.stats(&stats, sizeof stats), "stats");
	CHECK(stats.caches == 0 && stats.slab_bytes == 0 && stats.purge_bytes == 0,
	      "%llu caches, %llu and %llu bytes", (unsigned long long)stats.caches,
	      (unsigned long long)stats.slab_bytes, (unsigned long long)stats.purge_bytes);
	after = resident();
	/* Of 12 MiB of objects that were written to; the library and its tables take half of that (measured: 1.4 MiB). */
	CHECK(after < before + ((size_t)5 << 19), "%zu KiB were resident, %zu are", before >> 10,
	      after >> 10);
}

static void alone(const char *path)
{
	size_t before = resident();
	void *library = load(path);
	struct calls first = bma;

	CHECK(bma.version() == BMA_VERSION, "version %u", bma.version());
	for (int round = 0; round < 5; round++) {
		use();
		/* In the last but one the threads are left running. */
		if (round != 3)
			check_nothing(before);
		CHECK(!dlclose(library), "%s", dlerror());
		usleep(20000);
		CHECK(first.version() == BMA_VERSION, "the text is another");
		library = load(path);
		CHECK(!memcmp(&first, &bma, sizeof bma), "another library");
	}
	CHECK(!dlclose(library), "%s", dlerror());
}

static int (*work)(struct bma_cache *cache);
static pthread_barrier_t called, gone;

/* Its last calls were in the plugin; it ends when that is gone. */
static void *caller(void *arg)
{
	CHECK(work(arg) > 0, "plugin");
	pthread_barrier_wait(&called);
	pthread_barrier_wait(&gone);
	return NULL;
}

static void with_plugin(const char *path, const char *plugin_path)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};

	pthread_barrier_init(&called, NULL, 2);
	pthread_barrier_init(&gone, NULL, 2);
	for (int round = 0; round < 5; round++) {
		void *plugin = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL), *library;
		struct bma_cache *cache;
		pthread_t t;

		CHECK(plugin, "%s", dlerror());
		*(void **)&work = find(plugin, "plugin_work");
		library = load(path);
		cache = bma.create(&a);
		CHECK(cache, "no cache");
		CHECK(!pthread_create(&t, NULL, caller, cache), "no thread");
		pthread_barrier_wait(&called);
		CHECK(!dlclose(plugin), "%s", dlerror());
		CHECK(!dlopen(plugin_path, RTLD_NOW | RTLD_NOLOAD), "the plugin is still there");
		pthread_barrier_wait(&gone);
		pthread_join(t, NULL);
		CHECK(!bma.destroy(cache), "objects are missing");
		CHECK(!dlclose(library), "%s", dlerror());
		/* The library's threads go on meanwhile. */
		usleep(20000);
	}
}

/* It has a library of its own, with threads, and is asked to go while these run. */
static void with_static(const char *plugin_path)
{
	int (*own)(void);

	for (int round = 0; round < 3; round++) {
		void *plugin = dlopen(plugin_path, RTLD_NOW | RTLD_LOCAL);

		CHECK(plugin, "%s", dlerror());
		*(void **)&own = find(plugin, "plugin_own");
		CHECK(own() > 0, "plugin");
		CHECK(threads_now() > 1, "the plugin's library has no thread");
		CHECK(!dlclose(plugin), "%s", dlerror());
		/* Longer than the worker waits between two looks. */
		usleep(200000);
	}
}

int main(int argc, char **argv)
{
	CHECK(argc == 4, "usage: dlopen LIBRARY PLUGIN STATIC-PLUGIN");
	/* What is resident is counted. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	CHECK(threads_now() == 1 && !dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD),
	      "it is loaded already");
	alone(argv[1]);
	with_plugin(argv[1], argv[2]);
	with_static(argv[3]);
	return 0;
}
