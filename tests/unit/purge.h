/* SPDX-License-Identifier: MIT */
/* What the system is asked to do with pages, noted; and units of one chunk, taken and given. */
#ifndef BMA_UNIT_PURGE_H
#define BMA_UNIT_PURGE_H

#include "page/page.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define MS 1000000u
#define CALLS 256

static struct {
	char *addr;
	size_t bytes;
} advised[CALLS];
static int calls, unmaps, woken;
static bool advice_fails;
static void (*meanwhile)(void);

static inline int note_advise(void *addr, size_t bytes, int advice)
{
	if (advice != MADV_DONTNEED)
		return bma__os_real.advise(addr, bytes, advice);
	cr_assert(!bma__lock_mine(&bma__chunk_lock), "others wait for this lock");
	cr_assert_lt(calls, CALLS);
	advised[calls].addr = addr;
	advised[calls++].bytes = bytes;
	if (meanwhile)
		meanwhile();
	return advice_fails ? -ENOMEM : bma__os_real.advise(addr, bytes, advice);
}

static inline int note_unmap(void *addr, size_t bytes)
{
	unmaps += bytes >= BMA__CHUNK_SIZE && !((uintptr_t)addr & (BMA__CHUNK_SIZE - 1));
	return bma__os_real.unmap(addr, bytes);
}

static inline void wake(void)
{
	woken++;
}

static inline void begin(const char *conf, uint32_t copies)
{
	bma__env_parse(conf);
	bma__topo_init(1);
	bma__chunk_init(copies);
	bma__os.advise = note_advise;
	bma__purge_wake = wake;
}

/* Units of one chunk, each written all over. */
static char *units[BMA__CHUNK_UNITS];

static inline void take(int n)
{
	for (int i = 0; i < n; i++) {
		units[i] = bma__chunk_alloc(1, 0);
		cr_assert_not_null(units[i]);
		memset(units[i], 0xff, BMA__UNIT_SIZE);
		cr_assert_eq(units[i], units[0] + (size_t)i * BMA__UNIT_SIZE);
	}
}

static inline void give(int first, int n)
{
	for (int i = first; i < first + n; i++)
		bma__chunk_free(units[i], 1);
}

static inline bool zero(const char *p, size_t n)
{
	return !*p && !memcmp(p, p + 1, n - 1);
}

static inline uint64_t due(void)
{
	return bma__os_now() + bma__env.purge_ns;
}

#endif /* BMA_UNIT_PURGE_H */
