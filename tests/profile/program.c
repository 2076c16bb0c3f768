/* SPDX-License-Identifier: MIT */
/* Two functions that lose objects, three times as many the one as the other: program FILE FOLDED writes the profile of that. */
#include <bma/bma.h>

#include <fcntl.h>

#include "test.h"

#define N 4000
#define MEAN 4096

/* Not static: names are looked up by the dynamic linker. */
__attribute__((noinline)) void lose(struct bma_cache *cache, int n);
__attribute__((noinline)) void lose_many(struct bma_cache *cache);
__attribute__((noinline)) void lose_few(struct bma_cache *cache);

void lose(struct bma_cache *cache, int n)
{
	for (int i = 0; i < n; i++) {
		void *obj = bma_cache_alloc_flags(cache, BMA_SLEEP);

		CHECK(obj, "an object");
		/* What is freed is not in it. */
		bma_cache_free(cache, bma_cache_alloc_flags(cache, BMA_SLEEP));
	}
}

void lose_many(struct bma_cache *cache)
{
	lose(cache, 3 * N);
	__asm__ volatile("" ::: "memory"); /* this is not to be a jump */
}

void lose_few(struct bma_cache *cache)
{
	lose(cache, N);
	__asm__ volatile("" ::: "memory");
}

static void write_to(const char *name, unsigned int flags)
{
	int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

	CHECK(fd >= 0, "%s", name);
	CHECK(!bma_profile_write(fd, flags), "write");
	close(fd);
}

int main(int argc, char **argv)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .name = "sessions", .size = 1024};
	struct bma_cache *cache;

	CHECK(argc == 3, "two names");
	CHECK(!bma_profile_set(MEAN), "on");
	cache = bma_cache_create(&attr);
	CHECK(cache, "create");
	lose_many(cache);
	lose_few(cache);
	write_to(argv[1], 0);
	write_to(argv[2], BMA_PROFILE_FOLDED);
	return 0;
}
