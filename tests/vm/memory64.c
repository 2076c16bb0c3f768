/* SPDX-License-Identifier: MIT */
/*
 * What E caches cost when n of 64 CPUs use them, with slots by concurrency id and by CPU number, whether or not the
 * kernel gives huge pages to whoever touches memory.
 *
 * Property: memory is touched for what is used and for nothing else, within 5 % of
 *	slots		a page for each 64 engines, id 0 counted, and each slot index in use
 *	magazines	what slots and depots hold (a whole segment of 2 MiB where pages are huge)
 *	per-CPU objects	a page for each slot index in use
 * What the engines themselves take does not depend on n. Four threads that wander over all CPUs use as many slots as
 * the process has threads, by ids; by CPU numbers one for each CPU.
 */
#include "guest.h"

#include "cache/cache.h"

#include <fcntl.h>

#define CPUS 64
#define ENGINES_MAX 256
#define PAGE 4096u
#define PERCENT_OFF 5

static const struct {
	int engines, threads, moves;
	const char *pages;
} cases[] = {
	{62, 1, 1, "always"},  {62, 16, 1, "never"},   {62, 64, 1, "always"},
	{126, 64, 1, "never"}, {1, 4, CPUS, "always"},
};

static struct bma_cache *caches[ENGINES_MAX], *counters;
static uint64_t *counter;
static int engines, threads, moves;
static bool huge;
static pthread_barrier_t together;

static void use(int cpu)
{
	MUST(guest_pin(cpu), "CPU %d", cpu);
	for (int i = 0; i < engines; i++) {
		void *p = bma_cache_alloc_flags(caches[i], BMA_SLEEP);

		MUST(p, "no memory");
		bma_cache_free(caches[i], p);
	}
	bma_this_cpu_add(counter, 1);
}

/* All of them run at the same time, each on CPUs of its own. */
static void *thread(void *arg)
{
	int me = (int)(uintptr_t)arg;

	/* Not by the main thread, which is to use no slot. */
	if (!me) {
		MUST(guest_pin(0), "CPU");
		counter = bma_cache_alloc_flags(counters, BMA_SLEEP);
		MUST(counter, "a counter: %s", strerror(errno));
	}
	for (int i = 0; i < moves; i++) {
		pthread_barrier_wait(&together);
		use((me * (CPUS / threads) + i) % CPUS);
	}
	pthread_barrier_wait(&together);
	return NULL;
}

/* Pages of ours, in bytes. The zero page, which is mapped where memory was only read, is not exclusively ours. */
static uint64_t resident(uintptr_t from, size_t bytes)
{
	static uint64_t entries[512];
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t n = 0;

	MUST(fd >= 0, "pagemap: %s", strerror(errno));
	for (size_t at = 0; at < bytes; at += sizeof entries / sizeof entries[0] * PAGE) {
		MUST(pread(fd, entries, sizeof entries, (off_t)((from + at) / PAGE * 8)) ==
			     sizeof entries,
		     "pagemap: %s", strerror(errno));
		for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
			n += entries[i] >> 63 & entries[i] >> 56 & 1;
	}
	close(fd);
	return n * PAGE;
}

static uint64_t planes_resident(uint32_t from, uint32_t to)
{
	const struct bma__engine *e = caches[0]->engine;

	return resident(e->head.slots - (uintptr_t)e->id * BMA_CACHELINE +
				((uintptr_t)from << BMA__SLOT_SHIFT),
			(size_t)(to - from) << BMA__SLOT_SHIFT);
}

/* Those with an index that any of the engines used. */
static uint64_t planes_used(void)
{
	uint64_t n = 0;

	for (uint32_t plane = 0; plane < bma__cpu.slots; plane++) {
		bool used = false;

		for (int i = 0; i < engines; i++)
			used |= bma__plane_next(caches[i]->engine, plane) == plane;
		n += used;
	}
	return n;
}

static uint64_t copies_resident(void)
{
	uintptr_t first = (uintptr_t)counter & ~(BMA__CHUNK_SIZE - 1);

	return resident(first, (size_t)bma_percpu_copies() << BMA__PERCPU_SHIFT);
}

static uint64_t magazines_resident(void)
{
	uint64_t bytes = 0;

	for (uint32_t i = 1; i < BMA__MAG_SEGMENTS && bma__mag_segments[i].base; i++)
		bytes += resident(bma__mag_segments[i].base, BMA__MAG_SEGMENT_SIZE);
	return bytes;
}

/* By what the slots and the depots have. */
static uint64_t magazines_counted(void)
{
	uint64_t n = 0;

	for (int i = 0; i < engines; i++) {
		struct bma__engine *e = caches[i]->engine;
		uint32_t plane;

		bma__plane_for_each (e, plane)
			n += bma__slot_at(e, plane)->length;
		for (uint32_t node = 0; node < bma__topo.nodes; node++)
			n += bma__depot_depth(&e->depot[node]);
	}
	return n * bma__mag_size(caches[0]->engine->class);
}

static void near_to(const char *what, uint64_t is, uint64_t wanted)
{
	uint64_t off = is > wanted ? is - wanted : wanted - is;

	MUST(off * 100 <= wanted * PERCENT_OFF, "%s: %llu bytes, %llu by the formula", what,
	     (unsigned long long)is, (unsigned long long)wanted);
}

static void create(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "memory", .size = 64};

	for (int i = 0; i < engines; i++) {
		caches[i] = bma_cache_create(&a);
		MUST(caches[i], "create: %s", strerror(errno));
	}
	a.size = 8;
	a.flags = BMA_CACHE_PERCPU;
	counters = bma_cache_create(&a);
	MUST(counters, "create: %s", strerror(errno));
}

static void compare(const char *word)
{
	uint64_t used = planes_used(), slots = planes_resident(0, bma__cpu.slots);
	uint64_t guests = planes_resident(bma__cpu.slots, bma__cpu.slots + bma__cpu.guests);
	uint64_t mags = magazines_resident(), held = magazines_counted();
	uint64_t copies = copies_resident();
	/* Ids begin with 1; the last one is that of the counters. */
	uint64_t pages = ((uint64_t)engines + 1) / 64 + 1;
	struct bma_stats all;

	bma_stats_get(&all, sizeof all);
	printf("memory %.9s huge=%d n=%d moves=%d engines=%d indices=%llu slot_bytes=%llu "
	       "guest_bytes=%llu engine_bytes=%zu meta_bytes=%llu magazine_bytes=%llu "
	       "magazines_held=%llu percpu_bytes=%llu\n",
	       word, huge, threads, moves, engines, (unsigned long long)used,
	       (unsigned long long)slots, (unsigned long long)guests, caches[0]->engine->bytes,
	       (unsigned long long)all.meta_bytes, (unsigned long long)mags,
	       (unsigned long long)held, (unsigned long long)copies);
	near_to("slots of guests", guests, 0);
	if (!huge)
		near_to("magazines", mags, held);
	if (!strncmp(word, "index:cpu", 9)) {
		MUST(used == (uint64_t)(moves > 1 ? CPUS : threads), "%llu indices",
		     (unsigned long long)used);
		near_to("slots", slots, used * pages * PAGE);
		near_to("per-CPU objects", copies, used * PAGE);
		return;
	}
	/* The main thread may have one, and a CPU that a thread has just left; a thread may change its id between two caches. */
	MUST(used <= (uint64_t)threads + 3, "%llu indices", (unsigned long long)used);
	MUST(slots <= used * pages * PAGE, "%llu bytes of slots", (unsigned long long)slots);
	MUST(copies <= (used + 1) * PAGE, "%llu bytes of copies", (unsigned long long)copies);
}

static void run(const char *word)
{
	pthread_t t[CPUS];

	create();
	pthread_barrier_init(&together, NULL, (unsigned int)threads);
	crew_start(t, threads, thread);
	for (int i = 0; i < threads; i++)
		pthread_join(t[i], NULL);
	compare(word);
}

static void huge_pages(const char *when)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "w");

	MUST(f && fputs(when, f) >= 0 && !fclose(f), "huge pages: %s", strerror(errno));
	huge = !strcmp(when, "always");
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"index:cid,worker:off", "index:cpu,worker:off"};

	crew_args(argc, argv, 0);
	guest_only();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		engines = cases[i].engines;
		threads = cases[i].threads;
		moves = cases[i].moves;
		huge_pages(cases[i].pages);
		guest_each(modes, 2, run);
	}
	return 0;
}
