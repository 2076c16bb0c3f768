/* SPDX-License-Identifier: MIT */
/* The guard, see forbid.h. */
#include "base.h"

#include <errno.h>
#include <pthread.h>
#include <sys/auxv.h>

_Thread_local struct bma__forbid *bma__forbidding __attribute__((tls_model("initial-exec")));

#if BMA__RSEQ_BUILT
#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
#define LEAST 32u /* what the first kernels insisted on */

static int change(uint32_t length, int flags)
{
	return bma__os.rseq(bma__rseq_area(), length, flags, RSEQ_SIG);
}

/*
 * The kernel wants the length that the area was registered with, and tells nobody. It is 32, or in newer C libraries what the kernel fills in if that is more,
 * rounded up or not.
 */
static uint32_t unregister(void)
{
	uint32_t feature = (uint32_t)getauxval(AT_RSEQ_FEATURE_SIZE), size = (uint32_t)__rseq_size;
	const uint32_t lengths[] = {LEAST, size, (uint32_t)bma__align_up(size, LEAST), feature,
				    (uint32_t)bma__align_up(feature, LEAST)};
	static _Atomic uint32_t known;
	uint32_t length = atomic_load_explicit(&known, memory_order_relaxed);

	if (length && !change(length, RSEQ_FLAG_UNREGISTER))
		return length;
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		length = lengths[i];
		if (length < LEAST || change(length, RSEQ_FLAG_UNREGISTER))
			continue;
		atomic_store_explicit(&known, length, memory_order_relaxed);
		return length;
	}
	return 0;
}

static uint32_t take_back(void)
{
	if (!bma__rseq_registered())
		return 0;
	bma__rseq_clear();
	return unregister();
}

/* If the kernel refuses, the thread works in guest slots from now on. */
static void give(uint32_t length)
{
	int rc = 0;

	if (length) {
		bma__rseq_clear();
		rc = change(length, 0);
	}
	if (rc)
		bma__log_verbose("rseq: a thread could not be registered again (error %d)", -rc);
}
#else
static uint32_t take_back(void)
{
	return 0;
}

static void give(uint32_t length)
{
	(void)length;
}
#endif

void bma__forbid_begin(struct bma__forbid *f)
{
	int saved = errno;

	bma__assert(!bma__forbidding);
	bma__signals_block(&f->signals);
	f->violations = 0;
	f->length = take_back();
	*(struct bma__forbid *volatile *)&bma__forbidding = f;
	errno = saved;
}

void bma__forbid_end(struct bma__forbid *f)
{
	int saved = errno;

	*(struct bma__forbid *volatile *)&bma__forbidding = NULL;
	give(f->length);
	bma__signals_restore(&f->signals);
	errno = saved;
}
