/* SPDX-License-Identifier: MIT */
/*
 * An array of words for each thread, to which only it adds, plainly: the least that an addition can take. It is a limit and no
 * peer: the arrays are made for the most that there will ever be, one counter cannot be given back, a signal handler may lose an
 * addition, and memory grows with threads, not CPUs.
 */
#define COUNTER_NAME "thread-local"

#define LOCAL_THREADS 64

typedef size_t counter;

static __thread volatile uint64_t *local_mine;
static uint64_t *_Atomic local_all[LOCAL_THREADS];
static _Atomic unsigned int local_threads;
static size_t local_most;
static size_t local_next;

static inline const char *counter_version(void)
{
	return "own";
}

static inline void counter_init(size_t n)
{
	local_most = n;
}

static inline counter counter_make(void)
{
	return local_next++;
}

static __attribute__((noinline, cold)) void local_enter(void)
{
	unsigned int i = atomic_fetch_add(&local_threads, 1);
	uint64_t *mine = counter_map(local_most * sizeof(*mine));

	if (i >= LOCAL_THREADS)
		counter_die("too many threads");
	atomic_store(&local_all[i], mine);
	local_mine = mine;
}

static inline __attribute__((always_inline)) void counter_add(counter c, uint64_t n)
{
	if (__builtin_expect(!local_mine, 0))
		local_enter();
	local_mine[c] += n;
}

static inline uint64_t counter_sum(counter c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < LOCAL_THREADS && local_all[i]; i++)
		sum += ((volatile uint64_t *)local_all[i])[c];
	return sum;
}

static inline unsigned int counter_used(counter c)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < LOCAL_THREADS && local_all[i]; i++)
		used += local_all[i][c] != 0;
	return used;
}
