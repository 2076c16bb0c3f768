/* SPDX-License-Identifier: MIT */
/*
 * The stack of the code that a signal interrupted, by libgcc's unwinder.
 *
 * Frame pointers would be simpler and mostly wrong: distributions build without them. The unwinder
 * reads the tables that exceptions need, which every file has. Is it safe in a handler? Facts, for
 * libgcc since 12 on glibc since 2.35:
 *  - it finds tables by _dl_find_object(), which neither locks nor allocates;
 *  - what it initialises once, it initialises in sigprof_unwind_init(), before the first signal;
 *  - if code registers tables of its own (JIT compilers: __register_frame), every search takes a
 *    mutex and may call malloc. So these two functions are interposed here, and once one of them
 *    was called samples hold the innermost frame alone, and are counted as shallow;
 *  - older versions walk the loader's list under its lock: always shallow.
 * What remains: tables that are wrong. Assembly that lies about its stack may lead the unwinder to
 * an address that is not mapped; the program then dies of SIGSEGV.
 */
#include "sigprof.h"

#include <dlfcn.h>
#include <ucontext.h>
#include <unwind.h>

/* More than the handler and the kernel's trampoline put on the interrupted code's stack. */
#define OWN_FRAMES 8

struct walk {
	uintptr_t from;
	uintptr_t *pcs;
	size_t n, max;
	unsigned int skipped;
};

static bool lock_free;
static atomic_bool registered;

SIGPROF_INTERPOSED void __register_frame(void *begin);
SIGPROF_INTERPOSED void __register_frame_info(const void *begin, void *object);

void __register_frame(void *begin)
{
	void (*real)(void *);

	atomic_store(&registered, true);
	*(void **)&real = dlsym(RTLD_NEXT, __func__);
	if (real)
		real(begin);
}

void __register_frame_info(const void *begin, void *object)
{
	void (*real)(const void *, void *);

	atomic_store(&registered, true);
	*(void **)&real = dlsym(RTLD_NEXT, __func__);
	if (real)
		real(begin, object);
}

static uintptr_t interrupted_pc(const ucontext_t *context)
{
#if defined(__x86_64__)
	return (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
	return (uintptr_t)context->uc_mcontext.pc;
#else
#error "where does this machine keep the interrupted address?"
#endif
}

static _Unwind_Reason_Code step(struct _Unwind_Context *frame, void *arg)
{
	struct walk *walk = arg;
	int exact = 0;
	uintptr_t ip = _Unwind_GetIPInfo(frame, &exact);

	if (!walk->n) {
		if (ip == walk->from)
			walk->pcs[walk->n++] = ip;
		else if (++walk->skipped > OWN_FRAMES)
			return _URC_END_OF_STACK;
		return _URC_NO_REASON;
	}
	if (!ip)
		return _URC_END_OF_STACK;
	if (walk->n == walk->max) {
		walk->pcs[walk->n - 1] = SIGPROF_DEEPER;
		atomic_fetch_add_explicit(&sigprof_counts.cut, 1, memory_order_relaxed);
		return _URC_END_OF_STACK;
	}
	/* A return address may be the first of the next function: the call is what counts. */
	walk->pcs[walk->n++] = exact ? ip : ip - 1;
	return _URC_NO_REASON;
}

static _Unwind_Reason_Code ignore(struct _Unwind_Context *frame, void *arg)
{
	(void)frame;
	(void)arg;
	return _URC_NO_REASON;
}

void sigprof_unwind_init(void)
{
	_Unwind_Backtrace(ignore, NULL);
	lock_free = dlsym(RTLD_DEFAULT, "_dl_find_object") != NULL;
}

/* Any context. At least one address, the innermost first. */
size_t sigprof_unwind(const void *context, uintptr_t *pcs, size_t max)
{
	struct walk walk = {.from = interrupted_pc(context), .pcs = pcs, .max = max};

	if (lock_free && !atomic_load_explicit(&registered, memory_order_relaxed))
		_Unwind_Backtrace(step, &walk);
	if (!walk.n)
		pcs[walk.n++] = walk.from;
	if (walk.n == 1)
		atomic_fetch_add_explicit(&sigprof_counts.shallow, 1, memory_order_relaxed);
	return walk.n;
}
