/* SPDX-License-Identifier: MIT */
/* The slow half's restartable sequence on aarch64, see rseq.h. Labels as in <bma/inline/aarch64.h>.
 */
#ifndef BMA_BASE_RSEQ_AARCH64_H
#define BMA_BASE_RSEQ_AARCH64_H

static inline bool bma__rseq_load_cbne_check_cbne_load_cbne_store(uint64_t index_offset,
								  uint32_t index,
								  const _Atomic uint32_t *freeze,
								  void *word, uint64_t old,
								  uint64_t new)
{
	uintptr_t scratch;

	__asm__ __volatile__ goto(
		BMA__RSEQ_BEGIN "ldr %w[t], [%[rseq], %[offset]]\n\t"
				"cmp %w[t], %w[index]\n\t"
				"b.ne 7f\n\t"
				"ldr %w[t], [%[rseq], #4]\n\t"
				"tbnz %w[t], #31, 7f\n\t"
				"ldr %w[t], [%[freeze]]\n\t"
				"cbnz %w[t], 7f\n\t"
				"ldr %[t], [%[word]]\n\t"
				"cmp %[t], %[old]\n\t"
				"b.ne 7f\n\t"
				"str %[new], [%[word]]\n"
				"2:\n\t"
				"str xzr, [%[rseq], #8]\n\t"
				"b 8f\n"
				"7:\n\t"
				"b %l[fail]\n"
				"8:\n\t"
				".pushsection __rseq_failure, \"ax\"\n\t"
				".word 0xd428bc00\n"
				"4:\n\t"
				"b %l[fail]\n\t"
				".popsection\n\t"
		: [t] "=&r"(scratch)
		: [rseq] "r"(BMA__RSEQ_AREA), [offset] "r"(index_offset), [index] "r"(index),
		  [freeze] "r"(freeze), [word] "r"(word), [old] "r"(old), [new] "r"(new)
		: "memory", "cc"
		: fail);
	return true;
fail:
	bma__rseq_clear();
	return false;
}

#endif /* BMA_BASE_RSEQ_AARCH64_H */
