/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls by one thread that goes from slot to slot, as fast as they come; ops.c has real threads and
 * looks closer. The first bytes say which caches there are. Then two make an operation: which, on what cache, how often;
 * a number. At the end everything is given back, and nothing may be left.
 */
#include "slots.h"

#include <errno.h>

static void rare(struct slots_call *call);

static void (*const calls[16])(struct slots_call *call) = {
	slots_call_alloc,	  slots_call_alloc,
	slots_call_alloc,	  slots_call_alloc,
	slots_call_alloc_flags,	  slots_call_alloc_bulk,
	slots_call_free,	  slots_call_free,
	slots_call_free,	  slots_call_free,
	slots_call_free_bulk,	  slots_call_free_rcu,
	slots_call_free_rcu,	  slots_call_slot,
	slots_call_reserve_alloc, rare,
};

/* Some of them cost as much as thousands of the others, and few numbers name these. */
static void rare(struct slots_call *call)
{
	static void (*const rares[16])(struct slots_call * call) = {
		slots_call_read,	   slots_call_read,	      slots_call_stats,
		slots_call_stats,	   slots_call_poll,	      slots_call_poll,
		slots_call_grace_period,   slots_call_barrier,	      slots_call_fail,
		slots_call_fail,	   slots_call_reserve,	      slots_call_reserve,
		slots_call_free_rcu_flags, slots_call_free_rcu_flags, slots_call_cache,
		slots_call_trim,
	};
	unsigned int which = call->arg & 15;

	call->arg >>= 4;
	if (which >= 14 && call->arg & 7)
		return;
	call->arg >>= which >= 14 ? 3 : 0;
	rares[which](call);
}

static void one(struct fuzz_input *in)
{
	unsigned int what = fuzz_u8(in), arg = fuzz_u8(in);
	struct slots_call call = {
		.c = &slots.caches[(what >> 4 & 3) % slots.used],
		.times = 1u << (what >> 6),
		.arg = arg,
	};

	errno = SLOTS_SENTINEL;
	calls[what & 15](&call);
}

BMA_FUZZ(slots)
{
	slots_begin(in);
	while (!fuzz_end(in))
		one(in);
	slots_end();
}
