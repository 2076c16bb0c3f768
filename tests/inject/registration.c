/* SPDX-License-Identifier: MIT */
/* Registration, see registration.h. */
#include "registration.h"

#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kernel and C library agree on 32 bytes and up. */
#define AREA_BYTES 32

static unsigned char before[AREA_BYTES];
static bool faked;

static volatile struct rseq *area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

bool registration_exists(void)
{
	return __rseq_size && (int32_t)area()->cpu_id >= 0;
}

static int call(int flags)
{
	return (int)syscall(SYS_rseq, area(), AREA_BYTES, flags, RSEQ_SIG);
}

int registration_drop(void)
{
	area()->rseq_cs = 0;
	return call(RSEQ_FLAG_UNREGISTER);
}

/* The area is the thread's own and changes at a migration only; callers are pinned. */
int registration_fake(void)
{
	if (!registration_exists())
		return 0;
	memcpy(before, (const void *)(uintptr_t)area(), AREA_BYTES);
	if (registration_drop())
		return -1;
	memcpy((void *)(uintptr_t)area(), before, AREA_BYTES);
	area()->rseq_cs = 0;
	faked = true;
	return 0;
}

int registration_restore(void)
{
	if (!faked)
		return 0;
	faked = false;
	area()->rseq_cs = 0;
	return call(0);
}

uintptr_t registration_abort(uintptr_t ip)
{
	const struct rseq_cs *cs = (const struct rseq_cs *)(uintptr_t)area()->rseq_cs;

	if (!faked)
		return ip;
	area()->rseq_cs = 0;
	if (!cs || ip - cs->start_ip >= cs->post_commit_offset)
		return ip;
	return cs->abort_ip;
}
