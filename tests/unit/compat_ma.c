/* SPDX-License-Identifier: MIT */
/*
 * In the manner of the kernel's test_bpf_ma, but without its tolerance: of every size a batch is allocated and dropped, or left to
 * the end of the map, by callers that never sleep, and a single NULL is an error; of per-CPU objects, too. Each once by normal
 * code, once by a signal handler that interrupts the same at any instruction; and by many threads that preempt each other.
 *
 * The kernel's program runs once in each system call; so here too a thread waits for the grace period after what it dropped by RCU, or
 * what is allocated would be a question of how fast readers are.
 */
#include <bma/compat/bpf_mem_alloc.h>

#include <bma/worker.h>
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#define BATCH_MAX 128
#define PERCPU_MAX 512
#define THREADS 8
#define SECONDS 1.5

/* Eight less are objects: the kernel's header. */
static const int sizes[] = {16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096};
#define SIZES (sizeof sizes / sizeof sizes[0])

static struct bpf_mem_alloc ma, percpu;
static _Atomic uint64_t nulls, broken, rounds, handled;
static volatile int stop;

/* Objects of a map, by size, so that a handler has its own. */
struct map {
	void *obj[SIZES][BATCH_MAX];
};

static int batch(int size)
{
	return size <= 256 ? 128 : size <= 512 ? 64 : size <= 1024 ? 32 : size <= 2048 ? 16 : 8;
}

/* What is written into an object has to be there when it is dropped. */
static void tag(void *obj, bool is_percpu, uint64_t value)
{
	uint64_t *word = is_percpu ? *(uint64_t __percpu **)obj : obj;

	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static bool has_tag(void *obj, bool is_percpu, uint64_t value)
{
	uint64_t *word = is_percpu ? *(uint64_t __percpu **)obj : obj;

	return __atomic_load_n(word, __ATOMIC_RELAXED) == value;
}

static void alloc_batch(struct map *m, size_t i, bool is_percpu)
{
	for (int k = 0; k < batch(sizes[i]); k++) {
		void *obj = bpf_mem_alloc(is_percpu ? &percpu : &ma, (size_t)sizes[i] - 8);

		nulls += !obj;
		m->obj[i][k] = obj;
		if (obj)
			tag(obj, is_percpu, (uintptr_t)&m->obj[i][k]);
	}
}

static void drop_batch(struct map *m, size_t i, bool is_percpu, bool rcu)
{
	struct bpf_mem_alloc *from = is_percpu ? &percpu : &ma;

	for (int k = 0; k < batch(sizes[i]); k++) {
		void *obj = m->obj[i][k];

		broken += obj && !has_tag(obj, is_percpu, (uintptr_t)&m->obj[i][k]);
		if (rcu)
			bpf_mem_free_rcu(from, obj);
		else
			bpf_mem_free(from, obj);
	}
}

static size_t how_many(bool is_percpu)
{
	size_t n = SIZES;

	while (is_percpu && sizes[n - 1] > PERCPU_MAX)
		n--;
	return n;
}

static void alloc_drop(struct map *m, bool is_percpu, bool rcu)
{
	for (size_t i = 0; i < how_many(is_percpu); i++) {
		alloc_batch(m, i, is_percpu);
		drop_batch(m, i, is_percpu, rcu);
	}
}

static void alloc_leave(struct map *m, bool is_percpu)
{
	for (size_t i = 0; i < how_many(is_percpu); i++)
		alloc_batch(m, i, is_percpu);
}

static void map_free(struct map *m, bool is_percpu)
{
	for (size_t i = 0; i < how_many(is_percpu); i++)
		drop_batch(m, i, is_percpu, false);
}

static void begin(void)
{
	cr_assert_eq(bpf_mem_alloc_init(&ma, 0, false), 0);
	cr_assert_eq(bpf_mem_alloc_percpu_init(&percpu, NULL), 0);
	for (size_t i = 0; i < how_many(true); i++)
		cr_assert_eq(bpf_mem_alloc_percpu_unit_init(&percpu, sizes[i] - 8), 0);
}

static void end(void)
{
	bpf_mem_alloc_destroy(&ma);
	bpf_mem_alloc_destroy(&percpu);
	cr_assert_eq(nulls, 0, "%llu allocations failed", (unsigned long long)nulls);
	cr_assert_eq(broken, 0, "%llu objects were somebody else's", (unsigned long long)broken);
}

static struct map normal, in_handler;

Test(compat_ma, alloc_and_drop, .init = begin)
{
	alloc_drop(&normal, false, true);
	end();
}

Test(compat_ma, alloc_and_leave, .init = begin)
{
	alloc_leave(&normal, false);
	map_free(&normal, false);
	end();
}

Test(compat_ma, percpu_alloc_and_drop, .init = begin)
{
	alloc_drop(&normal, true, true);
	end();
}

Test(compat_ma, percpu_alloc_and_leave, .init = begin)
{
	alloc_leave(&normal, true);
	map_free(&normal, true);
	end();
}

/* All four subtests, one size after the other, over whatever it interrupted. */
static void handler(int sig)
{
	static size_t turn;
	bool is_percpu = turn / 2 % 2;
	size_t i = turn / 4 % how_many(is_percpu);

	(void)sig;
	alloc_batch(&in_handler, i, is_percpu);
	drop_batch(&in_handler, i, is_percpu, turn % 2);
	turn++;
	handled++;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void start_signals(long us)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct itimerval it = {{0, us}, {0, us}};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void stop_signals(void)
{
	struct itimerval it = {{0, 0}, {0, 0}};

	setitimer(ITIMER_REAL, &it, NULL);
	signal(SIGALRM, SIG_IGN);
}

Test(compat_ma, in_a_handler, .init = begin)
{
	double until = now() + SECONDS;

	start_signals(500);
	while (now() < until) {
		for (int i = 0; i < 8; i++) {
			alloc_drop(&normal, i % 2, false);
			alloc_leave(&normal, i % 2);
			map_free(&normal, i % 2);
		}
		alloc_drop(&normal, false, true);
		alloc_drop(&normal, true, true);
		bma_poll(BMA_POLL_GP);
	}
	stop_signals();
	cr_assert_gt(handled, 10);
	end();
}

static void *preempted(void *arg)
{
	struct map *m = calloc(1, sizeof *m);
	bool is_percpu = (uintptr_t)arg % 2;

	while (m && !stop) {
		for (int i = 0; i < 8; i++) {
			alloc_drop(m, is_percpu, false);
			alloc_leave(m, is_percpu);
			map_free(m, is_percpu);
		}
		alloc_drop(m, is_percpu, true);
		bma_poll(BMA_POLL_GP);
		rounds++;
	}
	free(m);
	return NULL;
}

/* The kernel's companion wants no failure where threads preempt each other in the middle of a call. */
static void by_threads(void)
{
	pthread_t t[THREADS];

	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, preempted, (void *)i);
	for (double until = now() + SECONDS; now() < until;)
		nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	cr_assert_gt(rounds, THREADS);
}

Test(compat_ma, preempted, .init = begin)
{
	by_threads();
	end();
}
