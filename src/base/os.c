/* SPDX-License-Identifier: MIT */
/* The operating system, see os.h. */
#include "base.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLICE 100000u /* nanoseconds: the least that the kernel grants */

static int result(long rc)
{
	return rc < 0 ? -errno : (int)rc;
}

static void *os_map(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int os_unmap(void *addr, size_t bytes)
{
	return result(munmap(addr, bytes));
}

static int os_advise(void *addr, size_t bytes, int advice)
{
	return result(madvise(addr, bytes, advice));
}

static int os_bind(void *addr, size_t bytes, unsigned int node)
{
	unsigned long mask[16] = {0};

	if (node >= 8 * sizeof mask)
		return -EINVAL;
	mask[node / (8 * sizeof mask[0])] |= 1ul << node % (8 * sizeof mask[0]);
	return result(
		syscall(SYS_mbind, addr, bytes, MPOL_PREFERRED, mask, 8 * sizeof mask + 1, 0));
}

static int os_membarrier(int cmd)
{
	return result(syscall(SYS_membarrier, cmd, 0, 0));
}

static int os_futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
	return result(
		syscall(SYS_futex, word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, seen, timeout, NULL, 0));
}

static int os_thread_create(void *(*main)(void *), void *arg, void *handle)
{
	return -pthread_create(handle, NULL, main, arg);
}

static int os_rseq(void *area, uint32_t length, int flags, uint32_t signature)
{
	return result(syscall(SYS_rseq, area, length, flags, signature));
}

#define REAL                                                                                       \
	{                                                                                          \
		.map = os_map, .unmap = os_unmap, .advise = os_advise, .bind = os_bind,            \
		.membarrier = os_membarrier, .futex_wait = os_futex_wait, .rseq = os_rseq,         \
		.thread_create = os_thread_create,                                                 \
	}

const struct bma__os bma__os_real = REAL;
struct bma__os bma__os = REAL;

void bma__os_futex_wake(_Atomic uint32_t *word, int waiters)
{
	int saved = errno;

	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, waiters, NULL, NULL, 0);
	errno = saved;
}

void *bma__os_map_aligned(size_t bytes, size_t align)
{
	uintptr_t at, begin;
	void *p = bma__os.map(bytes);

	if (!p || !((uintptr_t)p & (align - 1)))
		return p;
	bma__os.unmap(p, bytes);
	p = bma__os.map(bytes + align);
	if (!p)
		return NULL;
	at = (uintptr_t)p;
	begin = bma__align_up(at, align);
	if (begin > at)
		bma__os.unmap(p, begin - at);
	if (begin - at < align)
		bma__os.unmap((void *)(begin + bytes), align - (begin - at));
	return (void *)begin;
}

void bma__os_prompt(void)
{
	/* struct sched_attr, whose header and that of the C library exclude each other. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof attr, .runtime = SLICE};

	/* Keep what the program chose: it may have made its threads, and so this one, a batch job or real-time. */
	if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) || attr.policy != SCHED_OTHER)
		return;
	attr.runtime = SLICE;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

void bma__os_sleep(uint64_t ns)
{
	struct timespec ts = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};

	nanosleep(&ts, NULL);
}

uint64_t bma__os_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}
