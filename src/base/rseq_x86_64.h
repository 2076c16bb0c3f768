/* SPDX-License-Identifier: MIT */
/* The slow half's restartable sequence on x86-64, see rseq.h. Labels as in <bma/inline/x86_64.h>.
 */
#ifndef BMA_BASE_RSEQ_X86_64_H
#define BMA_BASE_RSEQ_X86_64_H

static inline bool bma__rseq_load_cbne_check_cbne_load_cbne_store(uint64_t index_offset,
								  uint32_t index,
								  const _Atomic uint32_t *freeze,
								  void *word, uint64_t old,
								  uint64_t new)
{
	uintptr_t scratch;

	__asm__ __volatile__ goto(
		BMA__RSEQ_BEGIN "cmpl %[index], %%fs:(%[rseq], %[offset])\n\t"
				"jne %l[fail]\n\t"
				"cmpl $0, %%fs:4(%[rseq])\n\t"
				"js %l[fail]\n\t"
				"cmpl $0, (%[freeze])\n\t"
				"jne %l[fail]\n\t"
				"cmpq %[old], (%[word])\n\t"
				"jne %l[fail]\n\t"
				"movq %[new], (%[word])\n"
				"2:\n\t"
				"movq $0, %%fs:8(%[rseq])\n\t"
				".pushsection __rseq_failure, \"ax\"\n\t"
				".byte 0x0f, 0xb9, 0x3d\n\t"
				".long 0x53053053\n"
				"4:\n\t"
				"jmp %l[fail]\n\t"
				".popsection\n\t"
		: [t] "=&r"(scratch)
		: [rseq] "r"(__rseq_offset), [offset] "r"(index_offset), [index] "r"(index),
		  [freeze] "r"(freeze), [word] "r"(word), [old] "r"(old), [new] "r"(new)
		: "memory", "cc"
		: fail);
	return true;
fail:
	bma__rseq_clear();
	return false;
}

#endif /* BMA_BASE_RSEQ_X86_64_H */
