/* SPDX-License-Identifier: MIT */
/*
 * CPUs go away and come back while threads allocate and free. The kernel moves the threads of such a CPU, also
 * those that were pinned to it, wherever they are.
 *
 * Property: nothing is lost and nothing is given out twice; what the slot of a CPU that is gone keeps comes back by
 * bma_trim(), though nobody can run there; when the CPU is back its slot serves again.
 */
#include "guest.h"

#include <fcntl.h>

#define CPUS 8
#define THREADS 8
#define FIRST 1 /* CPU 0 stays */
#define GONE 3
#define LEFT 1000 /* objects that are left in the slot of each CPU that goes */

static _Atomic long steps;

static void *thread(void *arg)
{
	uintptr_t me = (uintptr_t)arg;
	uint64_t rng = crew_seed(me);
	long n = 0;

	for (; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		/* Half of them on the CPUs that come and go, as long as these are there; the others where the kernel likes. */
		if (me < THREADS / 2 && !(n & 1023))
			guest_pin((int)(me % GONE) + FIRST);
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, n & 256 ? BMA_SLEEP : 0);
	}
	atomic_fetch_add(&steps, n);
	return NULL;
}

/* Fill the slot of a CPU: of the thread's id if slots go by ids. */
static void *leave(void *arg)
{
	void *objs[LEFT];
	int n = 0;

	MUST(guest_pin((int)(uintptr_t)arg), "CPU");
	for (; n < LEFT; n++)
		MUST(objs[n] = crew_get(BMA_SLEEP), "no memory");
	while (n--)
		crew_put(objs[n], false);
	return NULL;
}

static void leave_on(int cpu)
{
	pthread_t t;

	MUST(!pthread_create(&t, NULL, leave, (void *)(uintptr_t)cpu), "thread");
	MUST(!pthread_join(t, NULL), "join");
}

static void plug(int cpu, bool on)
{
	char path[64];
	char now = 0;
	int fd;

	snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_RDWR | O_CLOEXEC);
	MUST(fd >= 0, "%s: %s", path, strerror(errno));
	MUST(write(fd, on ? "1" : "0", 1) == 1, "%s: %s", path, strerror(errno));
	MUST(pread(fd, &now, 1, 0) == 1 && now == (on ? '1' : '0'), "%s says %c", path, now);
	close(fd);
	MUST(on || !guest_pin(cpu), "CPU %d is still there", cpu);
}

static void traffic(bool on)
{
	pthread_t t[THREADS];

	crew.stop = 0;
	crew_start(t, THREADS, thread);
	for (int cpu = FIRST; cpu < FIRST + GONE; cpu++) {
		usleep(200000);
		plug(cpu, on);
	}
	usleep(200000);
	crew_join(t, THREADS);
	MUST(guest_held() == crew.live, "held %ld, counted %ld", guest_held(), (long)crew.live);
	guest_ledger(crew.cache, (long)crew.live);
}

static void empty_boxes(void)
{
	for (int i = 0; i < CREW_BOXES; i++)
		crew_put(atomic_exchange(&crew.box[i], NULL), i & 1);
	guest_ledger(crew.cache, 0);
}

static void run(const char *word)
{
	struct bma_cache_stats before, s;

	crew_create("hotunplug");
	if (!strcmp(word, "index:cpu"))
		guest_mode(BMA_MODE_RSEQ_CPU, "BMA_CONF=index:cpu");
	else
		guest_mode(BMA_MODE_RSEQ_CID, "the kernel keeps concurrency ids");
	for (int cpu = FIRST; cpu < FIRST + GONE; cpu++)
		leave_on(cpu);
	traffic(false);
	empty_boxes();
	bma_cache_stats_get(crew.cache, &before, sizeof before);
	guest_trimmed(crew.cache);
	bma_cache_stats_get(crew.cache, &s, sizeof s);
	printf("steps %ld slots used %llu cached %llu before the trim, carved %llu after it\n",
	       (long)steps, (unsigned long long)before.slots_used,
	       (unsigned long long)before.cached, (unsigned long long)s.carved);
	traffic(true);
	for (int cpu = FIRST; cpu < FIRST + GONE; cpu++)
		leave_on(cpu);
	empty_boxes();
	guest_trimmed(crew.cache);
	crew_end();
}

int main(int argc, char **argv)
{
	static const char *const modes[] = {"index:cid", "index:cpu"};

	crew_args(argc, argv, 0);
	guest_only();
	MUST(sysconf(_SC_NPROCESSORS_ONLN) == CPUS, "%ld CPUs", sysconf(_SC_NPROCESSORS_ONLN));
	guest_each(modes, 2, run);
	return 0;
}
