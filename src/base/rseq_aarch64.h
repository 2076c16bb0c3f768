/* SPDX-License-Identifier: MIT */
/*
 * The slow half's restartable sequences on aarch64, see rseq.h. Labels as in <bma/inline/aarch64.h>.
 * Ordering: MO-9, MO-33 (docs/memory-ordering.md).
 */
#ifndef BMA_BASE_RSEQ_AARCH64_H
#define BMA_BASE_RSEQ_AARCH64_H

/* An empty magazine's word is its base + 8; the top of a full one is base + mask + 8. */
#define BMA__STEP_POP(head, obj, slow)                                                             \
	do {                                                                                       \
		uintptr_t step_t, step_u, step_v;                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_SLOT "ldr %[r], [%[t]]\n\t"                      \
						       "ldr %[u], [%[c], #16]\n\t"                 \
						       "tst %[r], %[u]\n\t"                        \
						       "b.ne 6f\n\t"                               \
						       "cbz %[r], 7f\n\t"                          \
						       "sub %[v], %[r], #8\n\t"                    \
						       "ldr %[r], [%[v]]\n\t"                      \
						       "cbz %[r], 7f\n\t"                          \
						       "str %[v], [%[r], #8]\n\t"                  \
						       "add %[r], %[r], %[u]\n\t"                  \
						       "add %[r], %[r], #8\n\t"                    \
						       "b 6f\n"                                    \
						       "7:\n\t"                                    \
						       "b %l[" #slow "]\n"                         \
						       "6:\n\t"                                    \
						       "sub %[u], %[r], #8\n\t"                    \
						       "ldr %[r], [%[r]]\n\t"                      \
						       "str %[u], [%[t]]\n" BMA__RSEQ_END          \
			: [r] "=&r"(obj), [t] "=&r"(step_t), [u] "=&r"(step_u), [v] "=&r"(step_v)  \
			: [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(head), [shift] "i"(BMA__SLOT_SHIFT)  \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#define BMA__STEP_PUSH(head, obj, slow)                                                            \
	do {                                                                                       \
		uintptr_t step_t, step_u, step_v;                                                  \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_SLOT "ldr %[u], [%[t]]\n\t"                      \
						       "add %[u], %[u], #8\n\t"                    \
						       "ldr %[v], [%[c], #16]\n\t"                 \
						       "tst %[u], %[v]\n\t"                        \
						       "b.ne 6f\n\t"                               \
						       "sub %[u], %[u], #8\n\t"                    \
						       "cbz %[u], 7f\n\t"                          \
						       "sub %[v], %[u], %[v]\n\t"                  \
						       "ldr %[u], [%[v]]\n\t"                      \
						       "cbz %[u], 7f\n\t"                          \
						       "sub %[v], %[v], #8\n\t"                    \
						       "str %[v], [%[u]]\n\t"                      \
						       "add %[u], %[u], #16\n\t"                   \
						       "b 6f\n"                                    \
						       "7:\n\t"                                    \
						       "b %l[" #slow "]\n"                         \
						       "6:\n\t"                                    \
						       "str %[p], [%[u]]\n\t"                      \
						       "str %[u], [%[t]]\n" BMA__RSEQ_END          \
			: [t] "=&r"(step_t), [u] "=&r"(step_u), [v] "=&r"(step_v)                  \
			: [p] "r"(obj), [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(head),                 \
			  [shift] "i"(BMA__SLOT_SHIFT)                                             \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

/* t: the address of the caller's stock, u: scratch. */
#define BMA__RSEQ_STOCK_HERE                                                                       \
	BMA__RSEQ_INDEX "ldr %[u], [%[rec], %[words]]\n\t"                                         \
			"add %[t], %[u], %[t], lsl %[shift]\n\t"                                   \
			"ldr %[u], [%[t]]\n\t"

#define BMA__STOCK_TAKE(head, record, n, slow)                                                     \
	do {                                                                                       \
		uintptr_t stock_t, stock_u;                                                        \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_STOCK_HERE "subs %[u], %[u], %[add]\n\t"         \
							     "b.hs 7f\n\t"                         \
							     "b %l[" #slow "]\n"                   \
							     "7:\n\t"                              \
							     "str %[u], [%[t]]\n" BMA__RSEQ_END    \
			: [t] "=&r"(stock_t), [u] "=&r"(stock_u)                                   \
			: [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(head), [rec] "r"(record),            \
			  [add] "r"(n), [shift] "i"(BMA__PERCPU_SHIFT),                            \
			  [words] "i"(BMA__RSEQ_WORDS)                                             \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#define BMA__STOCK_GIVE(head, record, n, slow)                                                     \
	do {                                                                                       \
		uintptr_t stock_t, stock_u, stock_v;                                               \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_STOCK_HERE "ldr %[v], [%[rec], %[cap]]\n\t"      \
							     "add %[u], %[u], %[add]\n\t"          \
							     "cmp %[u], %[v]\n\t"                  \
							     "b.ls 7f\n\t"                         \
							     "b %l[" #slow "]\n"                   \
							     "7:\n\t"                              \
							     "str %[u], [%[t]]\n" BMA__RSEQ_END    \
			: [t] "=&r"(stock_t), [u] "=&r"(stock_u), [v] "=&r"(stock_v)               \
			: [rseq] "r"(BMA__RSEQ_AREA), [c] "r"(head), [rec] "r"(record),            \
			  [add] "r"(n), [shift] "i"(BMA__PERCPU_SHIFT),                            \
			  [words] "i"(BMA__RSEQ_WORDS), [cap] "i"(BMA__RSEQ_CAP)                   \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#define BMA__RSEQ_HAS_PAIRS 0

static inline bool bma__rseq_change(uint64_t index_offset, uint32_t index, void *slot, void *word,
				    void *freeze, uint32_t gen, uint64_t old, uint64_t new)
{
	uintptr_t scratch;

	__asm__ __volatile__ goto(
		BMA__RSEQ_BEGIN "ldr %w[t], [%[rseq], %[offset]]\n\t"
				"cmp %w[t], %w[index]\n\t"
				"b.ne 7f\n\t"
				"ldr %w[t], [%[rseq], #4]\n\t"
				"tbnz %w[t], #31, 7f\n\t"
				"ldar %w[t], [%[freeze]]\n\t"
				"cbnz %w[t], 7f\n\t"
				"ldr %[t], [%[word]]\n\t"
				"cmp %[t], %[old]\n\t"
				"b.ne 7f\n\t"
				"ldr %w[t], [%[slot], %[gen_at]]\n\t"
				"cmp %w[t], %w[gen]\n\t"
				"b.ne 7f\n\t"
				"add %w[t], %w[t], #1\n\t"
				"str %w[t], [%[slot], %[gen_at]]\n\t"
				"b 8f\n"
				"7:\n\t"
				"b %l[fail]\n"
				"8:\n\t"
				"str %[new], [%[word]]\n" BMA__RSEQ_END_AT("fail")
		: [t] "=&r"(scratch)
		: [rseq] "r"(BMA__RSEQ_AREA), [offset] "r"(index_offset), [index] "r"(index),
		  [slot] "r"(slot), [gen] "r"(gen), [old] "r"(old), [new] "r"(new),
		  [word] "r"(word), [freeze] "r"(freeze), [gen_at] "i"(BMA__RSEQ_GEN)
		: "memory", "cc"
		: fail);
	return true;
fail:
	bma__rseq_clear();
	return false;
}

#endif /* BMA_BASE_RSEQ_AARCH64_H */
