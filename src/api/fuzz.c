/* SPDX-License-Identifier: MIT */
/* The public hooks for tests with made-up input. */
#include "api.h"

#include <bma/fuzz.h>

#include <errno.h>

/* Engines remember the mode that they were made in, so it may change while there is none. */
static int choose_guest(void)
{
	int rc = bma_shutdown();

	if (rc)
		return rc;
	bma__env.worker = false;
	bma__cpu.mode = BMA_MODE_GUEST;
	bma__cpu.reason = "bma_fuzz_set_slot()";
	return 0;
}

int bma_fuzz_set_slot(unsigned int slot)
{
	int rc = bma__init();

	if (!rc && !bma__engine_number() && (bma__cpu.mode != BMA_MODE_GUEST || bma__env.worker))
		rc = choose_guest();
	if (!rc && bma__cpu.mode != BMA_MODE_GUEST)
		rc = -EBUSY;
	if (!rc)
		bma__fuzz_slot = (slot & (bma__cpu.guests - 1)) + 1;
	return rc;
}

void bma_fuzz_fail_after(uint64_t n)
{
	bma__fuzz_set(n);
}

int bma_fuzz_grace_period(void)
{
	int rc = bma__init();

	return rc ? rc : bma__wait_period();
}
