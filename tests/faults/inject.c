/* SPDX-License-Identifier: MIT */
/* Failing calls, see inject.h. */
#include "inject.h"

#include "base/os.h"

#include <errno.h>
#include <stdatomic.h>

const char *const inject_names[INJECT_KINDS] = {
	[INJECT_MAP] = "map",
	[INJECT_UNMAP] = "unmap",
	[INJECT_ADVISE] = "advise",
	[INJECT_BIND] = "bind",
	[INJECT_MEMBARRIER] = "membarrier",
	[INJECT_FUTEX_WAIT] = "futex_wait",
	[INJECT_THREAD] = "thread_create",
	[INJECT_FILE] = "file",
	[INJECT_ALL] = "all",
};

static enum inject_kind armed_kind;
static bool armed_forever;
static long armed_at;
static _Atomic bool armed;
static _Atomic long calls, failed;

static bool fails(enum inject_kind kind)
{
	long call;

	if (!atomic_load(&armed) || (armed_kind != kind && armed_kind != INJECT_ALL))
		return false;
	call = atomic_fetch_add(&calls, 1) + 1;
	if (call != armed_at && !(armed_forever && call > armed_at))
		return false;
	atomic_fetch_add(&failed, 1);
	/* One that the library documents nowhere: what it reports is its own. */
	errno = EXDEV;
	return true;
}

static void *map(size_t bytes)
{
	return fails(INJECT_MAP) ? NULL : bma__os_real.map(bytes);
}

static int unmap(void *addr, size_t bytes)
{
	return fails(INJECT_UNMAP) ? -ENOMEM : bma__os_real.unmap(addr, bytes);
}

static int advise(void *addr, size_t bytes, int advice)
{
	return fails(INJECT_ADVISE) ? -ENOMEM : bma__os_real.advise(addr, bytes, advice);
}

static int bind(void *addr, size_t bytes, const struct bma__os_nodes *nodes, bool interleave)
{
	return fails(INJECT_BIND) ? -EPERM : bma__os_real.bind(addr, bytes, nodes, interleave);
}

static int membarrier(int cmd)
{
	return fails(INJECT_MEMBARRIER) ? -ENOMEM : bma__os_real.membarrier(cmd);
}

static int futex_wait(_Atomic uint32_t *word, uint32_t seen, const struct timespec *timeout)
{
	return fails(INJECT_FUTEX_WAIT) ? -EINTR : bma__os_real.futex_wait(word, seen, timeout);
}

static int thread_create(void *(*main)(void *), void *arg, void *handle)
{
	return fails(INJECT_THREAD) ? -EAGAIN : bma__os_real.thread_create(main, arg, handle);
}

static int read_file(const char *path, char *text, size_t room)
{
	return fails(INJECT_FILE) ? -EMFILE : bma__os_real.read(path, text, room);
}

static int watch(const char *path, const char *what)
{
	return fails(INJECT_FILE) ? -EMFILE : bma__os_real.watch(path, what);
}

static int event(void)
{
	return fails(INJECT_FILE) ? -EMFILE : bma__os_real.event();
}

static int wait_file(int told, int stop, int ms)
{
	return fails(INJECT_FILE) ? -ENOMEM : bma__os_real.wait(told, stop, ms);
}

void inject_arm(enum inject_kind kind, long n, bool forever)
{
	struct bma__os os = bma__os_real;

	armed_kind = kind;
	armed_at = n;
	armed_forever = forever;
	atomic_store(&calls, 0);
	os.map = map;
	os.unmap = unmap;
	os.advise = advise;
	os.bind = bind;
	os.membarrier = membarrier;
	os.futex_wait = futex_wait;
	os.thread_create = thread_create;
	os.read = read_file;
	os.watch = watch;
	os.event = event;
	os.wait = wait_file;
	bma__os = os;
	atomic_store(&armed, true);
}

void inject_disarm(void)
{
	atomic_store(&armed, false);
}

long inject_failed(void)
{
	return atomic_load(&failed);
}
