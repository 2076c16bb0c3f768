/* SPDX-License-Identifier: MIT */
/*
 * What programs write by hand: for each counter an array with a cache line for each CPU. A thread may be moved between asking which CPU it
 * is on and adding, so the addition is an atomic one. All of the memory is one mapping, with nothing of an allocator in it.
 */
#include <sched.h>
#include <sys/rseq.h>

#define COUNTER_NAME "padded"

struct padded_line {
	_Alignas(64) _Atomic uint64_t n;
};
typedef struct padded_line *counter;

static struct padded_line *padded_next;
static unsigned int padded_cpus;

static inline const char *counter_version(void)
{
	return "own; cpu_id of rseq";
}

static inline void counter_init(size_t n)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	if (cpus < 1 || !__rseq_size)
		counter_die("no restartable sequences, which tell the CPU");
	padded_cpus = (unsigned int)cpus;
	padded_next = counter_map(n * padded_cpus * sizeof(*padded_next));
}

static inline counter counter_make(void)
{
	counter c = padded_next;

	padded_next += padded_cpus;
	return c;
}

static inline __attribute__((always_inline)) void counter_add(counter c, uint64_t n)
{
	const volatile struct rseq *here =
		(const volatile struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	atomic_fetch_add_explicit(&c[here->cpu_id].n, n, memory_order_relaxed);
}

static inline uint64_t counter_sum(counter c)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < padded_cpus; i++)
		sum += atomic_load_explicit(&c[i].n, memory_order_relaxed);
	return sum;
}

static inline unsigned int counter_used(counter c)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < padded_cpus; i++)
		used += atomic_load_explicit(&c[i].n, memory_order_relaxed) != 0;
	return used;
}
