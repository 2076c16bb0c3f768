/* SPDX-License-Identifier: MIT */
/* The operating system, see os.h. */
#include "base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
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

static int os_bind(void *addr, size_t bytes, const struct bma__os_nodes *nodes, bool interleave)
{
	return result(syscall(SYS_mbind, addr, bytes, interleave ? MPOL_INTERLEAVE : MPOL_PREFERRED,
			      nodes->bits, BMA__OS_NODES_MAX + 1, 0));
}

static int os_where(void *const *pages, size_t n, int *where)
{
	return result(syscall(SYS_move_pages, 0, n, pages, NULL, where, 0));
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

/* A file that is larger than the process may make would be a signal, too. */
static int allowed(size_t bytes)
{
	struct rlimit most;

	return !getrlimit(RLIMIT_FSIZE, &most) && bytes > most.rlim_cur ? -EFBIG : 0;
}

/* All of it is taken at once: a store to a page that the file system has no room for would be a signal. */
static int fill(int fd, size_t bytes, void **to)
{
	int rc = result(fchmod(fd, S_IRUSR | S_IWUSR));

	if (!rc)
		rc = allowed(bytes);
	if (!rc)
		rc = -posix_fallocate(fd, 0, (off_t)bytes);
	if (rc)
		return rc;
	*to = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (*to == MAP_FAILED)
		return -errno;
	madvise(*to, bytes, MADV_DONTFORK);
	return 0;
}

static int os_share(const char *path, size_t bytes, void **to)
{
	int fd, rc;

	/* What a process of the same number left. */
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
	if (fd < 0)
		return -errno;
	rc = fill(fd, bytes, to);
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

static int os_rseq(void *area, uint32_t length, int flags, uint32_t signature)
{
	return result(syscall(SYS_rseq, area, length, flags, signature));
}

static int os_read(const char *path, char *text, size_t room)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc;
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + n, room - n);
		n += got > 0 ? (size_t)got : 0;
	} while (got > 0 && n < room);
	rc = result(got < 0 ? got : (long)n);
	close(fd);
	return rc;
}

static int os_watch(const char *path, const char *what)
{
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	/* With its terminating 0, as the kernel's documentation has it. */
	if (write(fd, what, strlen(what) + 1) >= 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int os_event(void)
{
	return result(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
}

static int os_wait(int told, int stop, int ms)
{
	struct pollfd fds[] = {{told, POLLPRI, 0}, {stop, POLLIN, 0}};

	if (poll(fds, 2, ms) < 0)
		return -errno;
	if (fds[1].revents)
		return BMA__WAIT_STOP;
	if (fds[0].revents & (POLLERR | POLLNVAL))
		return -ENODEV;
	return fds[0].revents & POLLPRI ? BMA__WAIT_TOLD : BMA__WAIT_NOTHING;
}

#define REAL                                                                                       \
	{                                                                                          \
		.map = os_map, .unmap = os_unmap, .advise = os_advise, .bind = os_bind,            \
		.where = os_where, .membarrier = os_membarrier, .futex_wait = os_futex_wait,       \
		.rseq = os_rseq, .thread_create = os_thread_create, .read = os_read,               \
		.watch = os_watch, .event = os_event, .wait = os_wait, .share = os_share,          \
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
