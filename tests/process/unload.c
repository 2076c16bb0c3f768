/* SPDX-License-Identifier: MIT */
/*
 * A plugin with inlined calls is unloaded. If the last call left its descriptor in the thread's
 * rseq area the kernel would read unmapped memory at the next preemption and end the process.
 */
#include <bma/bma.h>

#include <dlfcn.h>

#include "test.h"

int main(int argc, char **argv)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 64};
	struct bma_cache *c = bma_cache_create(&a);

	CHECK(argc == 2 && c, "usage: unload PLUGIN");
	for (unsigned int round = 0, moves = 0; round < 20; round++) {
		void *plugin = dlopen(argv[1], RTLD_NOW);
		int (*work)(struct bma_cache *);
		double end;

		CHECK(plugin, "%s", dlerror());
		*(void **)&work = dlsym(plugin, "plugin_work");
		/* The slot of this CPU has something, also where the worker has not come to run yet. */
		bma_cache_free(c, bma_cache_alloc_flags(c, BMA_SLEEP));
		CHECK(work && work(c) > 0, "plugin");
		CHECK(!dlclose(plugin), "%s", dlerror());
		/* Long enough for a preemption; each migration is one for certain. */
		for (end = test_seconds() + 0.02; test_seconds() < end;)
			test_pin(moves++ % 2);
	}
	CHECK(!bma_cache_destroy(c), "objects are missing");
	return 0;
}
