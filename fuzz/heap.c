/* SPDX-License-Identifier: MIT */
/*
 * Sequences of calls on heaps, merged caches, per-CPU and typed objects, by one thread that goes from slot to slot. The first byte says
 * which there are in the beginning, two for each of these how they are. Then three make an operation: which, on what, and a number. At the
 * end all is given back, and there is as much memory as before.
 */
#include "heap.h"

#include <errno.h>

static void stats(struct heap_call *call)
{
	heap_stats(call->o);
}

/* Some of them cost as much as thousands of the others, and few numbers name these. */
static void rare(struct heap_call *call)
{
	static void (*const rares[8])(struct heap_call * call) = {
		heap_call_fail,	   heap_call_poll, heap_call_poll, heap_call_reserve,
		heap_call_reserve, heap_call_trim, stats,	   heap_call_owner,
	};
	unsigned int which = call->arg & 7;

	call->arg >>= 3;
	if (which >= 5 && call->arg & 3)
		return;
	call->arg >>= which >= 5 ? 2 : 0;
	rares[which](call);
}

static void owner(struct heap_call *call)
{
	/* Nothing else can be done with what is closed. */
	if (!heap_open(call->o) && !(call->arg & 7)) {
		call->arg >>= 3;
		heap_call_owner(call);
	}
}

static void (*const calls[32])(struct heap_call *call) = {
	heap_call_alloc,	 heap_call_alloc,
	heap_call_alloc,	 heap_call_alloc_flags,
	heap_call_alloc_flags,	 heap_call_alloc_flags,
	heap_call_alloc_flags,	 heap_call_aligned,
	heap_call_aligned,	 heap_call_bulk,
	heap_call_free,		 heap_call_free,
	heap_call_free,		 heap_call_free,
	heap_call_free_rcu,	 heap_call_free_rcu,
	heap_call_free_rcu,	 heap_call_free_bulk,
	heap_call_realloc,	 heap_call_realloc,
	heap_call_look,		 heap_call_add,
	heap_call_add,		 heap_call_slot,
	heap_call_new,		 heap_call_new,
	heap_call_drop,		 heap_call_drop,
	heap_call_get,		 heap_call_xchg,
	heap_call_reserve_alloc, rare,
};

static void one(struct fuzz_input *in)
{
	unsigned int what = fuzz_u8(in);
	struct heap_call call = {.o = &heap_model.owners[what & 7], .arg = fuzz_u16(in)};

	errno = HEAP_SENTINEL;
	if (heap_open(call.o))
		calls[what >> 3](&call);
	else
		owner(&call);
}

BMA_FUZZ(heap)
{
	heap_begin(in);
	while (!fuzz_end(in))
		one(in);
	heap_end();
}
