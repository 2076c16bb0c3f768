/* SPDX-License-Identifier: MIT */
/*
 * Threads come and go: each lives for some hundred operations and leaves its objects to others.
 *
 * Property: a thread leaves nothing behind. Slots and guests are used again by the next ones,
 * nothing is lost or given out twice, and what the cache holds depends on how many threads run at
 * once, not on how many ever did.
 * It breaks if something belongs to a thread and not to its CPU: an owner word that stays, objects
 * kept by thread, magazines in hand at the end; or if a new thread takes a slot that is in use.
 *
 * Words: guest, threads=N, batch=N.
 */
#include "crew.h"

#define RUNNING 8
#define OPERATIONS 900
/* What the threads may hold together, with much room: stocks follow what is in use. */
#define CARVED_MAX 400000
#define STACK ((size_t)128 << 10)

static _Atomic long ops;

static void *thread(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);
	int left = 100 + (int)(test_random(&rng) % OPERATIONS);
	void *own[16] = {NULL};

	test_pin((unsigned int)(test_random(&rng) >> 33));
	atomic_fetch_add(&ops, left);
	for (; left; left--) {
		uint64_t r = test_random(&rng);

		switch (r & 7) {
		case 0:
			crew_put(own[r >> 8 & 15], r >> 16 & 1);
			own[r >> 8 & 15] = crew_get(r >> 17 & 1 ? BMA_SLEEP : 0);
			break;
		case 1:
			if (!(r >> 8 & 63))
				crew_burst(&rng, r >> 17 & 1 ? BMA_SLEEP : 0);
			break;
		default:
			crew_step(&rng, r >> 17 & 1 ? BMA_SLEEP : 0);
			break;
		}
	}
	/* Others find what this thread had. */
	for (int i = 0; i < 16; i++) {
		void *p = atomic_exchange(&crew.box[test_random(&rng) % CREW_BOXES], own[i]);

		crew_put(p, i & 1);
	}
	return NULL;
}

static struct bma_cache_stats stats(void)
{
	struct bma_cache_stats s;

	bma_cache_stats_get(crew.cache, &s, sizeof s);
	MUST(s.carved < CARVED_MAX, "%llu objects after threads that all had ended",
	     (unsigned long long)s.carved);
	return s;
}

int main(int argc, char **argv)
{
	double end = crew_args(argc, argv, 2) + test_seconds();
	int running = (int)crew_number("threads", RUNNING);
	pthread_t t[CREW_MAX];
	pthread_attr_t small;
	uintptr_t n = 0;

	MUST(running > 0 && running <= CREW_MAX, "threads=%d", running);
	crew_create("threads");
	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, STACK);
	for (; test_seconds() < end; n++) {
		if (n >= (uintptr_t)running)
			MUST(!pthread_join(t[n % (uintptr_t)running], NULL), "join");
		MUST(!pthread_create(&t[n % (uintptr_t)running], &small, thread, (void *)n),
		     "thread %lu", (unsigned long)n);
		if (!(n & 255))
			stats();
	}
	for (uintptr_t i = 0; i < (uintptr_t)running && i < n; i++)
		MUST(!pthread_join(t[i], NULL), "join");
	pthread_attr_destroy(&small);
	printf("threads %lu operations %ld slots %llu carved %llu\n", (unsigned long)n, (long)ops,
	       (unsigned long long)stats().slots_used, (unsigned long long)stats().carved);
	crew_end();
	return 0;
}
