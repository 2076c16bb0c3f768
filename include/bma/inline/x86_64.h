/* SPDX-License-Identifier: MIT */
/*
 * Restartable sequences of the inlined calls, x86-64. Included by fastpath.h only.
 *
 * BMA__POP: load index, load word, test mask, load element, store word - 8.
 * BMA__PUSH: load index, load word, add 8, test mask, store element, store word.
 * Labels: 1 start, 2 post commit, 3 descriptor, 4 abort handler (with the signature before it). The
 * abort goes to the slow half, which counts aborts.
 *
 * Ordering: MO-8, MO-9 (docs/memory-ordering.md).
 */
#ifndef BMA_INLINE_X86_64_H
#define BMA_INLINE_X86_64_H

#define BMA__RSEQ_BEGIN                                                                            \
	".pushsection __rseq_cs, \"aw?\"\n\t"                                                      \
	".balign 32\n"                                                                             \
	"3:\n\t"                                                                                   \
	".long 0, 0\n\t"                                                                           \
	".quad 1f, 2f - 1f, 4f\n\t"                                                                \
	".popsection\n\t"                                                                          \
	"leaq 3b(%%rip), %[t]\n\t"                                                                 \
	"movq %[t], %%fs:8(%[rseq])\n"                                                             \
	"1:\n\t"

/*
 * cpu_id is negative in a thread that is not registered, where mm_cid reads 0. Loaded, then tested: test and
 * jump are one operation of the machine, a comparison with memory and a jump are not (0.1 ns of a pair).
 */
#define BMA__RSEQ_INDEX                                                                            \
	"movl %%fs:4(%[rseq]), %k[t]\n\t"                                                          \
	"testl %k[t], %k[t]\n\t"                                                                   \
	"js %l[slow]\n\t"                                                                          \
	"movq 8(%[c]), %[t]\n\t"                                                                   \
	"movl %%fs:(%[rseq], %[t]), %k[t]\n\t"                                                     \
	"shlq %[shift], %[t]\n\t"
#define BMA__RSEQ_SLOT BMA__RSEQ_INDEX "addq (%[c]), %[t]\n\t"
/* Where the slots are known otherwise, with no need to wait for their address to be loaded. */
#define BMA__RSEQ_SLOT_KNOWN BMA__RSEQ_INDEX "addq %[s], %[t]\n\t"

/*
 * Code that can be unloaded must not leave its descriptor behind; that of the program itself cannot be.
 * "?": the pieces belong to the group of the function they are in, and are discarded with it.
 */
#if defined(__PIC__) && !defined(__PIE__)
#define BMA__RSEQ_CLEAR "movq $0, %%fs:8(%[rseq])\n\t"
#else
#define BMA__RSEQ_CLEAR ""
#endif

/* @label: where an aborted sequence goes. */
#define BMA__RSEQ_END_AT(label)                                                                    \
	"2:\n\t" BMA__RSEQ_CLEAR ".pushsection __rseq_failure, \"ax?\"\n\t"                        \
	".byte 0x0f, 0xb9, 0x3d\n\t"                                                               \
	".long 0x53053053\n"                                                                       \
	"4:\n\t"                                                                                   \
	"jmp %l[" label "]\n\t"                                                                    \
	".popsection\n\t"
#define BMA__RSEQ_END BMA__RSEQ_END_AT("slow")

#define BMA__POP(cache, field, obj, slow)                                                          \
	do {                                                                                       \
		uintptr_t bma__t, bma__u;                                                          \
		__asm__ __volatile__ goto(BMA__RSEQ_BEGIN BMA__RSEQ_SLOT                           \
					  "movq %c[fld](%[t]), %[r]\n\t"                           \
					  "testq %[r], 16(%[c])\n\t"                               \
					  "jz %l[" #slow "]\n\t"                                   \
					  "leaq -8(%[r]), %[u]\n\t"                                \
					  "movq (%[r]), %[r]\n\t"                                  \
					  "movq %[u], %c[fld](%[t])\n" BMA__RSEQ_END               \
					  : [r] "=&r"(obj), [t] "=&r"(bma__t), [u] "=&r"(bma__u)   \
					  : [rseq] "r"(__rseq_offset), [c] "r"(cache),             \
					    [fld] "i"(field), [shift] "i"(BMA__SLOT_SHIFT)         \
					  : "memory", "cc"                                         \
					  : slow);                                                 \
	} while (0)

#define BMA__PUSH_BY(slot, cache, first_slot, field, obj, slow)                                    \
	do {                                                                                       \
		uintptr_t bma__t, bma__u;                                                          \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN slot "movq %c[fld](%[t]), %[u]\n\t"                        \
					     "addq $8, %[u]\n\t"                                   \
					     "testq %[u], 16(%[c])\n\t"                            \
					     "jz %l[" #slow "]\n\t"                                \
					     "movq %[p], (%[u])\n\t"                               \
					     "movq %[u], %c[fld](%[t])\n" BMA__RSEQ_END            \
			: [t] "=&r"(bma__t), [u] "=&r"(bma__u)                                     \
			: [p] "r"(obj), [rseq] "r"(__rseq_offset), [c] "r"(cache),                 \
			  [s] "ri"(first_slot), [fld] "i"(field), [shift] "i"(BMA__SLOT_SHIFT)     \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)
#define BMA__PUSH(cache, field, obj, slow) BMA__PUSH_BY(BMA__RSEQ_SLOT, cache, 0, field, obj, slow)
#define BMA__PUSH_KNOWN(cache, first_slot, field, obj, slow)                                       \
	BMA__PUSH_BY(BMA__RSEQ_SLOT_KNOWN, cache, first_slot, field, obj, slow)

/*
 * Add to a word of a per-CPU object: load index, add (one instruction, the commit). @index: offset of the index word; 0 leads to "slow",
 * for it is no index: nothing of the area lies there that could be negative, so it is tested for.
 */
#define BMA__PERCPU_ADD(obj, index, n, slow)                                                       \
	do {                                                                                       \
		uintptr_t bma__t;                                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN "movl %%fs:4(%[rseq]), %k[t]\n\t"                          \
					"testl %k[t], %k[t]\n\t"                                   \
					"js %l[" #slow "]\n\t"                                     \
					"testq %[i], %[i]\n\t"                                     \
					"jz %l[" #slow "]\n\t"                                     \
					"movl %%fs:(%[rseq], %[i]), %k[t]\n\t"                     \
					"shlq %[shift], %[t]\n\t"                                  \
					"addq %[add], (%[t], %[p])\n" BMA__RSEQ_END_AT(#slow)      \
			: [t] "=&r"(bma__t)                                                        \
			: [p] "r"(obj), [rseq] "r"(__rseq_offset), [i] "r"(index), [add] "er"(n),  \
			  [shift] "i"(BMA__PERCPU_SHIFT)                                           \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#endif /* BMA_INLINE_X86_64_H */
