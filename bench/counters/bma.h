/* SPDX-License-Identifier: MIT */
/* BMA's per-CPU objects; the addition is inlined unless BMA_NO_INLINE is defined. */
#include <bma/bma.h>

#ifdef BMA_NO_INLINE
#define COUNTER_NAME "bma-percpu-exported"
#else
#define COUNTER_NAME "bma-percpu"
#endif

typedef uint64_t *counter;

static struct bma_cache *counter_cache;

static inline const char *counter_version(void)
{
	static char text[32];

	if (bma_version() != BMA_VERSION)
		counter_die("the loaded libbma is not the one compiled against");
	snprintf(text, sizeof(text), "%d.%d.%d", BMA_VERSION_MAJOR, BMA_VERSION_MINOR,
		 BMA_VERSION_PATCH);
	return text;
}

static inline void counter_init(size_t n)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .size = sizeof(uint64_t), .flags = BMA_CACHE_PERCPU};

	(void)n;
	counter_cache = bma_cache_create(&attr);
	if (!counter_cache)
		counter_die("bma_cache_create failed");
}

static inline counter counter_make(void)
{
	counter c = bma_cache_alloc(counter_cache);

	if (__builtin_expect(!c, 0))
		c = bma_cache_alloc_flags(counter_cache, BMA_SLEEP);
	if (!c)
		counter_die("out of memory");
	return c;
}

static inline __attribute__((always_inline)) void counter_add(counter c, uint64_t n)
{
	bma_this_cpu_add(c, n);
}

static inline uint64_t counter_sum(counter c)
{
	return bma_percpu_sum_u64(c);
}

static inline unsigned int counter_used(counter c)
{
	unsigned int used = 0;
	uint64_t *copy;

	bma_percpu_for_each(copy, c) used += *copy != 0;
	return used;
}
