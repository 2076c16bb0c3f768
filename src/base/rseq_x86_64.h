/* SPDX-License-Identifier: MIT */
/* The slow half's restartable sequences on x86-64, see rseq.h. Labels as in <bma/inline/x86_64.h>. */
#ifndef BMA_BASE_RSEQ_X86_64_H
#define BMA_BASE_RSEQ_X86_64_H

/* An empty magazine's word is its base + 8; the top of a full one is base + mask + 8. */
#define BMA__STEP_POP(head, obj, slow)                                                             \
	do {                                                                                       \
		uintptr_t step_t, step_u, step_v;                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_SLOT "movq (%[t]), %[r]\n\t"                     \
						       "testq %[r], 16(%[c])\n\t"                  \
						       "jnz 5f\n\t"                                \
						       "testq %[r], %[r]\n\t"                      \
						       "jz %l[" #slow "]\n\t"                      \
						       "leaq -8(%[r]), %[v]\n\t"                   \
						       "movq (%[v]), %[r]\n\t"                     \
						       "testq %[r], %[r]\n\t"                      \
						       "jz %l[" #slow "]\n\t"                      \
						       "movq %[v], 8(%[r])\n\t"                    \
						       "addq 16(%[c]), %[r]\n\t"                   \
						       "addq $8, %[r]\n"                           \
						       "5:\n\t"                                    \
						       "leaq -8(%[r]), %[u]\n\t"                   \
						       "movq (%[r]), %[r]\n\t"                     \
						       "movq %[u], (%[t])\n" BMA__RSEQ_END         \
			: [r] "=&r"(obj), [t] "=&r"(step_t), [u] "=&r"(step_u), [v] "=&r"(step_v)  \
			: [rseq] "r"(__rseq_offset), [c] "r"(head), [shift] "i"(BMA__SLOT_SHIFT)   \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#define BMA__STEP_PUSH(head, obj, slow)                                                            \
	do {                                                                                       \
		uintptr_t step_t, step_u, step_v;                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_SLOT "movq (%[t]), %[u]\n\t"                     \
						       "addq $8, %[u]\n\t"                         \
						       "testq %[u], 16(%[c])\n\t"                  \
						       "jnz 5f\n\t"                                \
						       "movq %[u], %[v]\n\t"                       \
						       "subq $8, %[v]\n\t"                         \
						       "jz %l[" #slow "]\n\t"                      \
						       "subq 16(%[c]), %[v]\n\t"                   \
						       "movq (%[v]), %[u]\n\t"                     \
						       "testq %[u], %[u]\n\t"                      \
						       "jz %l[" #slow "]\n\t"                      \
						       "subq $8, %[v]\n\t"                         \
						       "movq %[v], (%[u])\n\t"                     \
						       "addq $16, %[u]\n"                          \
						       "5:\n\t"                                    \
						       "movq %[p], (%[u])\n\t"                     \
						       "movq %[u], (%[t])\n" BMA__RSEQ_END         \
			: [t] "=&r"(step_t), [u] "=&r"(step_u), [v] "=&r"(step_v)                  \
			: [p] "r"(obj), [rseq] "r"(__rseq_offset), [c] "r"(head),                  \
			  [shift] "i"(BMA__SLOT_SHIFT)                                             \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

static inline bool bma__rseq_change(uint64_t index_offset, uint32_t index, void *slot, void *word,
				    void *freeze, uint32_t gen, uint64_t old, uint64_t new)
{
	uintptr_t scratch;

	__asm__ __volatile__ goto(
		BMA__RSEQ_BEGIN "cmpl %[index], %%fs:(%[rseq], %[offset])\n\t"
				"jne %l[fail]\n\t"
				"cmpl $0, %%fs:4(%[rseq])\n\t"
				"js %l[fail]\n\t"
				"cmpl $0, (%[freeze])\n\t"
				"jne %l[fail]\n\t"
				"cmpl %[gen], %c[gen_at](%[slot])\n\t"
				"jne %l[fail]\n\t"
				"cmpq %[old], (%[word])\n\t"
				"jne %l[fail]\n\t"
				"incl %c[gen_at](%[slot])\n\t"
				"movq %[new], (%[word])\n" BMA__RSEQ_END_AT("fail")
		: [t] "=&r"(scratch)
		: [rseq] "r"(__rseq_offset), [offset] "r"(index_offset), [index] "r"(index),
		  [slot] "r"(slot), [gen] "r"(gen), [old] "r"(old), [new] "r"(new),
		  [word] "r"(word), [freeze] "r"(freeze), [gen_at] "i"(BMA__RSEQ_GEN)
		: "memory", "cc"
		: fail);
	return true;
fail:
	bma__rseq_clear();
	return false;
}

#endif /* BMA_BASE_RSEQ_X86_64_H */
