/* SPDX-License-Identifier: MIT */
/*
 * Programs with one bug each, and what the library must say of it. A case runs in a process of its own, with its
 * BMA_CONF, and is to end as it says.
 */
#ifndef BMA_MISUSE_H
#define BMA_MISUSE_H

#include <bma/bma.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum misuse_end {
	MISUSE_ABORTS,
	MISUSE_FAULTS,	/* SIGSEGV at the instruction */
	MISUSE_GOES_ON, /* the call is refused, and the program returns 0 if it was told so */
};

/**
 * struct misuse - One case.
 *
 * @name: for the command line. @conf: BMA_CONF. @bug: the program. @says: the first line on the standard error, after
 * "bma: "; there '@' stands for an address, '#' for a number. @also: the beginning of a later line, after "bma: ", or NULL.
 */
struct misuse {
	const char *name;
	const char *conf;
	int (*bug)(void);
	enum misuse_end end;
	const char *says;
	const char *also;
};

/* Lists that end with a case without name. */
extern const struct misuse misuse_home[];
extern const struct misuse misuse_check[];
extern const struct misuse misuse_memory[];
extern const struct misuse misuse_guard[];
extern const struct misuse misuse_sample[];
extern const struct misuse misuse_key[];
extern const struct misuse misuse_heap[];
extern const struct misuse misuse_group[];
extern const struct misuse misuse_refused[];
extern const struct misuse misuse_conf[];

/** misuse_cache - A cache called "cache" of objects of @size bytes. */
static inline struct bma_cache *misuse_cache(size_t size, uint64_t flags)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof(attr), .name = "cache", .size = size, .flags = flags};

	return bma_cache_create(&attr);
}

/** misuse_taken - An object of it. */
static inline void *misuse_taken(struct bma_cache *cache)
{
	return bma_cache_alloc_flags(cache, BMA_SLEEP);
}

/** misuse_primed - The same with a magazine in its slot that has room for what is freed. */
static inline struct bma_cache *misuse_primed(size_t size)
{
	struct bma_cache *cache = misuse_cache(size, 0);

	misuse_taken(cache);
	misuse_taken(cache);
	return cache;
}

/** misuse_home_all - Bring all that was freed home, where the default mode finds what is wrong. */
static inline int misuse_home_all(void)
{
	bma_trim();
	return 1;
}

#endif /* BMA_MISUSE_H */
