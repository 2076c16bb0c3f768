/* SPDX-License-Identifier: MIT */
/*
 * A plugin with inlined calls is loaded and unloaded while threads are preempted in its code, by
 * timers whose handler allocates and frees on the same cache, and moved between CPUs.
 *
 * Property: after dlclose nothing of the plugin is looked at again, neither by the library nor by
 * the kernel through a thread's descriptor.
 * It breaks, by SIGSEGV, if a way out of an inlined call leaves the descriptor of its sequence
 * behind: the end of a sequence, or a slow half.
 *
 * Arguments: seconds, seed, plugin, then words: guest, threads=N, batch=N.
 */
#include <dlfcn.h>

#include "crew.h"
#include "dl_plugin.h"
#include "storm.h"

#define THREADS 4

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static plugin_fn *work;
static _Atomic long ops, signals, waits;

static void handler(int sig)
{
	long n = atomic_fetch_add(&signals, 1);

	(void)sig;
	crew_put(crew_get(0), n & 1);
}

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);
	timer_t timer;
	long n = 0;

	test_pin((unsigned int)(uintptr_t)arg);
	timer = storm_start(&rng);
	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		int rc = 0;

		if (!(n & 1023))
			test_pin((unsigned int)(test_random(&rng) >> 33));
		/* Its last call may have been in the plugin; from here on it may be gone. */
		pthread_rwlock_rdlock(&lock);
		for (int i = 0; work && i < 20 && rc >= 0; i++)
			rc = work(crew.cache, test_random(&rng));
		if (!work)
			atomic_fetch_add_explicit(&waits, 1, memory_order_relaxed);
		pthread_rwlock_unlock(&lock);
		MUST(rc != PLUGIN_TWICE, "an object was given out twice");
		MUST(rc != PLUGIN_CHANGED, "an object changed");
		/* What it runs now is the program's own: no sequence, so that a descriptor stays. */
		for (uint64_t end = test_random(&rng) & 4095; end; end--)
			atomic_signal_fence(memory_order_seq_cst);
	}
	timer_delete(timer);
	atomic_fetch_add(&ops, n);
	return NULL;
}

static void *load(const char *path)
{
	void *plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	plugin_fn *fn;

	MUST(plugin, "%s", dlerror());
	*(void **)&fn = dlsym(plugin, "plugin_work");
	MUST(fn, "%s", dlerror());
	pthread_rwlock_wrlock(&lock);
	work = fn;
	pthread_rwlock_unlock(&lock);
	return plugin;
}

static void unload(void *plugin, const char *path)
{
	pthread_rwlock_wrlock(&lock);
	work = NULL;
	pthread_rwlock_unlock(&lock);
	MUST(!dlclose(plugin), "%s", dlerror());
	MUST(!dlopen(path, RTLD_NOW | RTLD_NOLOAD), "the plugin is still there");
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	int threads = (int)crew_number("threads", THREADS);
	const char *path = argc > 3 ? argv[3] : "";
	uint64_t rng = crew_seed(CREW_MAX);
	pthread_rwlockattr_t fair;
	pthread_t t[CREW_MAX];
	long loads = 0;

	MUST(threads > 0 && threads <= CREW_MAX, "threads=%d", threads);
	/* Or the readers would keep the writer out. */
	pthread_rwlockattr_init(&fair);
	pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&lock, &fair);
	crew_create("dl");
	storm_handler(handler);
	crew_start(t, threads, thread);
	for (; test_seconds() < end; loads++) {
		void *plugin = load(path);

		usleep((unsigned int)(test_random(&rng) >> 33 & 2047));
		unload(plugin, path);
		usleep((unsigned int)(test_random(&rng) >> 33 & 1023));
	}
	crew_join(t, threads);
	printf("loads %ld calls %ld without it %ld signals %ld\n", loads, (long)ops, (long)waits,
	       (long)signals);
	MUST(loads > 1, "never unloaded");
	crew_end();
	return 0;
}
