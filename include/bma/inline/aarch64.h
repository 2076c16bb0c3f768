/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences of the inlined calls, aarch64. Included by fastpath.h only; see x86_64.h
 * for the shape. Branches out of the sequence go by "b", because the slow half may lie in a cold
 * section that a conditional branch does not reach.
 *
 * Ordering: MO-8, MO-9 (docs/memory-ordering.md).
 */
#ifndef BMA_INLINE_AARCH64_H
#define BMA_INLINE_AARCH64_H

#define BMA__RSEQ_BEGIN                                                                            \
	".pushsection __rseq_cs, \"aw?\"\n\t"                                                      \
	".balign 32\n"                                                                             \
	"3:\n\t"                                                                                   \
	".word 0, 0\n\t"                                                                           \
	".quad 1f, 2f - 1f, 4f\n\t"                                                                \
	".popsection\n\t"                                                                          \
	"adrp %[t], 3b\n\t"                                                                        \
	"add %[t], %[t], :lo12:3b\n\t"                                                             \
	"str %[t], [%[rseq], #8]\n"                                                                \
	"1:\n\t"

/* cpu_id is negative in a thread that is not registered, where mm_cid reads 0. */
#define BMA__RSEQ_INDEX                                                                            \
	"ldr %w[t], [%[rseq], #4]\n\t"                                                             \
	"tbz %w[t], #31, 5f\n\t"                                                                   \
	"b %l[slow]\n"                                                                             \
	"5:\n\t"                                                                                   \
	"ldr %[u], [%[c], #8]\n\t"                                                                 \
	"ldr %w[t], [%[rseq], %[u]]\n\t"
#define BMA__RSEQ_SLOT                                                                             \
	BMA__RSEQ_INDEX "ldr %[u], [%[c]]\n\t"                                                     \
			"add %[t], %[u], %[t], lsl %[shift]\n\t"
/* Where the slots are known otherwise, with no need to wait for their address to be loaded. */
#define BMA__RSEQ_SLOT_KNOWN BMA__RSEQ_INDEX "add %[t], %[s], %[t], lsl %[shift]\n\t"

/*
 * Code that can be unloaded must not leave its descriptor behind; that of the program itself cannot be.
 * "?": the pieces belong to the group of the function they are in, and are discarded with it.
 */
#if defined(__PIC__) && !defined(__PIE__)
#define BMA__RSEQ_CLEAR "str xzr, [%[rseq], #8]\n\t"
#else
#define BMA__RSEQ_CLEAR ""
#endif

/* @label: where an aborted sequence goes. */
#define BMA__RSEQ_END_AT(label)                                                                    \
	"2:\n\t" BMA__RSEQ_CLEAR ".pushsection __rseq_failure, \"ax?\"\n\t"                        \
	".word 0xd428bc00\n"                                                                       \
	"4:\n\t"                                                                                   \
	"b %l[" label "]\n\t"                                                                      \
	".popsection\n\t"
#define BMA__RSEQ_END BMA__RSEQ_END_AT("slow")

#define BMA__RSEQ_AREA ((uintptr_t)__builtin_thread_pointer() + (uintptr_t)__rseq_offset)

#define BMA__POP(cache, field, obj, slow)                                                          \
	do {                                                                                       \
		uintptr_t bma__t, bma__u;                                                          \
		__asm__ __volatile__ goto(BMA__RSEQ_BEGIN BMA__RSEQ_SLOT                           \
					  "add %[t], %[t], %[fld]\n\t"                             \
					  "ldr %[r], [%[t]]\n\t"                                   \
					  "ldr %[u], [%[c], #16]\n\t"                              \
					  "tst %[r], %[u]\n\t"                                     \
					  "b.ne 6f\n\t"                                            \
					  "b %l[" #slow "]\n"                                      \
					  "6:\n\t"                                                 \
					  "sub %[u], %[r], #8\n\t"                                 \
					  "ldr %[r], [%[r]]\n\t"                                   \
					  "str %[u], [%[t]]\n" BMA__RSEQ_END                       \
					  : [r] "=&r"(obj), [t] "=&r"(bma__t), [u] "=&r"(bma__u)   \
					  : [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(cache),            \
					    [fld] "i"(field), [shift] "i"(BMA__SLOT_SHIFT)         \
					  : "memory", "cc"                                         \
					  : slow);                                                 \
	} while (0)

#define BMA__PUSH_BY(slot, cache, first_slot, field, obj, slow)                                    \
	do {                                                                                       \
		uintptr_t bma__t, bma__u, bma__v;                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN slot "add %[t], %[t], %[fld]\n\t"                          \
					     "ldr %[u], [%[t]]\n\t"                                \
					     "add %[u], %[u], #8\n\t"                              \
					     "ldr %[v], [%[c], #16]\n\t"                           \
					     "tst %[u], %[v]\n\t"                                  \
					     "b.ne 6f\n\t"                                         \
					     "b %l[" #slow "]\n"                                   \
					     "6:\n\t"                                              \
					     "str %[p], [%[u]]\n\t"                                \
					     "str %[u], [%[t]]\n" BMA__RSEQ_END                    \
			: [t] "=&r"(bma__t), [u] "=&r"(bma__u), [v] "=&r"(bma__v)                  \
			: [p] "r"(obj), [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(cache),                \
			  [s] "ri"(first_slot), [fld] "i"(field), [shift] "i"(BMA__SLOT_SHIFT)     \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)
#define BMA__PUSH(cache, field, obj, slow) BMA__PUSH_BY(BMA__RSEQ_SLOT, cache, 0, field, obj, slow)
#define BMA__PUSH_KNOWN(cache, first_slot, field, obj, slow)                                       \
	BMA__PUSH_BY(BMA__RSEQ_SLOT_KNOWN, cache, first_slot, field, obj, slow)

/* Add to a word of a per-CPU object, see x86_64.h: load index, load word, add, store (the commit). */
#define BMA__PERCPU_ADD(obj, index, n, slow)                                                       \
	do {                                                                                       \
		uintptr_t bma__t, bma__u;                                                          \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN "ldr %w[t], [%[rseq], #4]\n\t"                             \
					"tbz %w[t], #31, 5f\n\t"                                   \
					"b %l[" #slow "]\n"                                        \
					"5:\n\t"                                                   \
					"cbnz %[i], 6f\n\t"                                        \
					"b %l[" #slow "]\n"                                        \
					"6:\n\t"                                                   \
					"ldr %w[t], [%[rseq], %[i]]\n\t"                           \
					"add %[t], %[p], %[t], lsl %[shift]\n\t"                   \
					"ldr %[u], [%[t]]\n\t"                                     \
					"add %[u], %[u], %[add]\n\t"                               \
					"str %[u], [%[t]]\n" BMA__RSEQ_END_AT(#slow)               \
			: [t] "=&r"(bma__t), [u] "=&r"(bma__u)                                     \
			: [p] "r"(obj), [rseq] "r"(BMA__RSEQ_AREA), [i] "r"(index), [add] "r"(n),  \
			  [shift] "i"(BMA__PERCPU_SHIFT)                                           \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#endif /* BMA_INLINE_AARCH64_H */
