/* SPDX-License-Identifier: MIT */
/*
 * Layer 0: the machine and the operating system. Knows nothing of memory management.
 */
#ifndef BMA_BASE_BASE_H
#define BMA_BASE_BASE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BMA_CACHELINE 64
#define BMA_PAGE ((size_t)4096)

#define bma__likely(x) __builtin_expect(!!(x), 1)
#define bma__unlikely(x) __builtin_expect(!!(x), 0)

static inline size_t bma__align_up(size_t n, size_t to)
{
	return (n + to - 1) & ~(to - 1);
}

static inline bool bma__is_pow2(size_t n)
{
	return n && !(n & (n - 1));
}

#include "cpu.h"
#include "env.h"
#include "forbid.h"
#include "guard.h"
#include "lock.h"
#include "log.h"
#include "nearest.h"
#include "os.h"
#include "probe.h"
#include "psi.h"
#include "ram.h"
#include "ready.h"
#include "rseq.h"
#include "signals.h"
#include "thread.h"
#include "tools.h"
#include "topo.h"
#include "waker.h"

#endif /* BMA_BASE_BASE_H */
