/* SPDX-License-Identifier: MIT */
/* Guard pages, see guard.h. */
#include "base.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Returns 0 or what was wrong. */
static int change(void *p, size_t n, int protection)
{
	uintptr_t begin = (uintptr_t)p & ~(BMA_PAGE - 1);
	int saved = errno, rc = 0;

	if (mprotect((void *)begin, bma__align_up((uintptr_t)p + n - begin, BMA_PAGE), protection))
		rc = errno;
	errno = saved;
	return rc;
}

static void protect(void *p, size_t n, int protection)
{
	int rc = change(p, n, protection);

	if (rc)
		bma__log_abort("guard pages: mprotect: error %d; there may be too many mappings "
			       "(vm.max_map_count)",
			       rc);
}

bool bma__guard_try_open(void *p, size_t n)
{
	return !change(p, n, PROT_READ | PROT_WRITE);
}

void bma__guard_open(void *p, size_t n)
{
	protect(p, n, PROT_READ | PROT_WRITE);
}

void bma__guard_close(void *p, size_t n)
{
	protect(p, n, PROT_NONE);
}
