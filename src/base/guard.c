/* SPDX-License-Identifier: MIT */
/* Guard pages, see guard.h. */
#include "base.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static void protect(void *p, size_t n, int protection)
{
	uintptr_t begin = (uintptr_t)p & ~(BMA_PAGE - 1);
	int saved = errno;

	if (mprotect((void *)begin, bma__align_up((uintptr_t)p + n - begin, BMA_PAGE), protection))
		bma__log_abort("guard pages: mprotect: error %d; there may be too many mappings "
			       "(vm.max_map_count)",
			       errno);
	errno = saved;
}

void bma__guard_open(void *p, size_t n)
{
	protect(p, n, PROT_READ | PROT_WRITE);
}

void bma__guard_close(void *p, size_t n)
{
	protect(p, n, PROT_NONE);
}
