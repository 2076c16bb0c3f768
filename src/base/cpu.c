/* SPDX-License-Identifier: MIT */
/* Slot index, see cpu.h. */
#include "base.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#endif
/* End of mm_cid in the rseq area: a feature size that reaches it says that the kernel fills it in.
 */
#define MM_CID_OFFSET 24
#define MM_CID_END 28

#define GUESTS_MIN 8

struct bma__cpu bma__cpu;

/* Bits of the kernel's CPU mask: the bytes that the raw system call says it wrote. */
static uint32_t mask_bits(void)
{
	unsigned long mask[BMA__SLOTS_MAX / 64];
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);

	return bytes > 0 ? (uint32_t)bytes * 8 : BMA__SLOTS_MAX;
}

/* The last CPU number in a list like "0-1,4", and one more; 0: it cannot be read. */
static uint32_t end_of_list(const char *path)
{
	FILE *f = fopen(path, "re");
	unsigned int n = 0, end = 0;
	int c = ',';

	while (f && (c == ',' || c == '-') && fscanf(f, "%u", &n) == 1) {
		end = n >= end ? n + 1 : end;
		c = fgetc(f);
	}
	if (f)
		fclose(f);
	return end;
}

/* What the process may use now is at least that, whatever the file says. */
static uint32_t possible(uint32_t bits)
{
	uint32_t end = end_of_list("/sys/devices/system/cpu/possible");
	unsigned long mask[BMA__SLOTS_MAX / 64] = {0};

	if (!end || end > bits)
		return bits;
	syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
	for (uint32_t i = end; i < bits; i++) {
		if (mask[i / 64] >> i % 64 & 1)
			return bits;
	}
	return end;
}

static uint32_t guest_slots(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t n = GUESTS_MIN;

	while (n < BMA__GUESTS_MAX && (long)n < 2 * online)
		n *= 2;
	return n;
}

int bma__cpu_register(void)
{
	return bma__os.membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ);
}

int bma__cpu_fence(void)
{
	return bma__os.membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ);
}

static void choose_guest(const char *reason)
{
	bma__cpu.mode = BMA_MODE_GUEST;
	bma__cpu.reason = reason;
}

void bma__cpu_init(void)
{
	bool cid;

	bma__cpu.slots = mask_bits();
	bma__cpu.guests = guest_slots();
	bma__cpu.possible = possible(bma__cpu.slots);
	bma__topo_init(bma__cpu.slots);
	if (!BMA__RSEQ_BUILT) {
		choose_guest("this build has no restartable sequences");
		return;
	}
	if (!bma__env.rseq) {
		choose_guest("BMA_CONF=rseq:off");
		return;
	}
	if (!bma__rseq_registered()) {
		choose_guest("the C library did not register rseq");
		return;
	}
	if (bma__cpu_register() || bma__cpu_fence()) {
		choose_guest("no membarrier for rseq");
		return;
	}
	cid = getauxval(AT_RSEQ_FEATURE_SIZE) >= MM_CID_END;
	if (cid && bma__env.index != BMA__ENV_INDEX_CPU &&
	    (bma__topo.nodes_with_cpus <= 1 || bma__env.index == BMA__ENV_INDEX_CID)) {
		bma__cpu.mode = BMA_MODE_RSEQ_CID;
		bma__cpu.reason = "the kernel keeps concurrency ids";
		bma__cpu.index = MM_CID_OFFSET;
		return;
	}
	bma__cpu.mode = BMA_MODE_RSEQ_CPU;
	bma__cpu.index = BMA__RSEQ_CPU_ID;
	bma__cpu.reason = !cid				  ? "the kernel keeps no concurrency ids"
			  : bma__topo.nodes_with_cpus > 1 ? "more than one NUMA node"
							  : "BMA_CONF=index:cpu";
}
