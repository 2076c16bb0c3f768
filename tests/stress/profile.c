/* SPDX-License-Identifier: MIT */
/*
 * The heap profile while others allocate and free, handlers too: profile SECONDS SEED. Nearly every object is sampled, and the few addresses there are
 * serve again at once, with other stacks: a line in which two functions alternate, or with the name of one cache and the bytes of the other, was half written when it was read. At
 * the end nothing is left.
 */
#include <bma/bma.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>

#include "test.h"

#define THREADS 3
#define HELD 2
#define DEPTH 12 /* frames of one function */

static struct bma_cache *small, *large;
static _Atomic bool stop;
static _Atomic(void *) by_handler[THREADS];
static _Thread_local unsigned int self;

/* Their names are looked up. */
__attribute__((noinline)) void *allocate_even(struct bma_cache *cache, int depth);
__attribute__((noinline)) void *allocate_odd(struct bma_cache *cache, int depth);

void *allocate_even(struct bma_cache *cache, int depth)
{
	void *volatile obj = depth > 1 ? allocate_even(cache, depth - 1) : bma_cache_alloc(cache);

	return obj;
}

void *allocate_odd(struct bma_cache *cache, int depth)
{
	void *volatile obj = depth > 1 ? allocate_odd(cache, depth - 1) : bma_cache_alloc(cache);

	return obj;
}

static void *allocate(struct bma_cache *cache, bool odd)
{
	return odd ? allocate_odd(cache, DEPTH) : allocate_even(cache, DEPTH);
}

/* An exchange with what the last one left: freed here, or at the end. */
static void handler(int sig)
{
	void *obj = allocate(small, sig & 1);

	bma_cache_free(small, atomic_exchange(&by_handler[self], obj));
}

static void *worker(void *arg)
{
	uint64_t state = test_seed + (uintptr_t)arg * 7919;
	void *held[HELD][2] = {0};

	self = (unsigned int)(uintptr_t)arg;
	test_pin(self);
	while (!stop) {
		uint64_t r = test_random(&state);
		uint32_t i = (uint32_t)(r >> 32) % HELD;

		if (r & 1)
			bma_cache_free(small, held[i][0]);
		else
			bma_cache_free_rcu(small, held[i][0]);
		bma_cache_free(large, held[i][1]);
		held[i][0] = allocate(small, r >> 1 & 1);
		held[i][1] = allocate(large, r >> 2 & 1);
	}
	for (int i = 0; i < HELD; i++) {
		bma_cache_free(small, held[i][0]);
		bma_cache_free(large, held[i][1]);
	}
	return NULL;
}

/* So many innermost frames are one function's: a handler's stack goes on into what it interrupted. */
static int frames_of(const char *line, const char *end, const char *function)
{
	size_t n = strlen(function);
	int frames = 0;

	for (; end - line > (ptrdiff_t)n && !memcmp(end - n, function, n); end -= n)
		frames++;
	return frames;
}

static unsigned int check_line(const char *line)
{
	const char *end = strrchr(line, ' ');
	unsigned long n;

	CHECK(end, "line \"%s\"", line);
	n = strtoul(end, NULL, 10);
	if (!strncmp(line, "(dropped)", 9))
		return 0;
	CHECK(!strncmp(line, "small;", 6) ? n == 64 : !strncmp(line, "large;", 6) && n == 1024,
	      "%s", line);
	CHECK(frames_of(line, end, ";allocate_even") == DEPTH ||
		      frames_of(line, end, ";allocate_odd") == DEPTH,
	      "%s", line);
	return 1;
}

/* Returns how many samples there were. */
static unsigned int look(void)
{
	int fd = memfd_create("profile", MFD_CLOEXEC);
	unsigned int n = 0;
	size_t room = 0;
	char *line = NULL;
	ssize_t length;
	FILE *f;

	CHECK(fd >= 0 && !bma_profile_write(fd, BMA_PROFILE_FOLDED), "write");
	lseek(fd, 0, SEEK_SET);
	f = fdopen(fd, "r");
	while ((length = getline(&line, &room, f)) > 0) {
		line[length - 1] = 0;
		n += check_line(line);
	}
	free(line);
	fclose(f);
	return n;
}

static struct bma_cache *make(const char *name, size_t size)
{
	struct bma_cache_attr attr = {.attr_size = sizeof(attr), .name = name, .size = size};
	struct bma_cache *c = bma_cache_create(&attr);

	CHECK(c, "%s", name);
	return c;
}

int main(int argc, char **argv)
{
	double end = test_args(argc, argv, 2);
	pthread_t threads[THREADS];
	unsigned int looks = 0, seen = 0;

	CHECK(!bma_profile_set(1), "on");
	small = make("small", 64);
	large = make("large", 1024);
	signal(SIGUSR1, handler);
	end += test_seconds();
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, worker, (void *)i), "thread");
	while (test_seconds() < end) {
		seen += look();
		looks++;
		for (int i = 0; i < THREADS; i++)
			pthread_kill(threads[i], SIGUSR1);
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < THREADS; i++)
		bma_cache_free(small, by_handler[i]);
	CHECK(seen > looks, "%u samples in %u looks", seen, looks);
	CHECK(look() == 0, "%u samples are left", look());
	CHECK(!bma_cache_destroy(small) && !bma_cache_destroy(large), "destroy");
	printf("%u looks, %u samples\n", looks, seen);
	return 0;
}
