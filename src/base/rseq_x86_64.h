/* SPDX-License-Identifier: MIT */
/*
 * The slow half's restartable sequences on x86-64, see rseq.h. Labels as in <bma/inline/x86_64.h>.
 * Ordering: MO-9, MO-33 (docs/memory-ordering.md).
 */
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

/* t: the distance of the caller's copy of a per-CPU object; that of his slot is twice that. */
#define BMA__RSEQ_COPY                                                                             \
	"movl %%fs:4(%[rseq]), %k[t]\n\t"                                                          \
	"testl %k[t], %k[t]\n\t"                                                                   \
	"js %l[slow]\n\t"                                                                          \
	"movq 8(%[c]), %[t]\n\t"                                                                   \
	"movl %%fs:(%[rseq], %[t]), %k[t]\n\t"                                                     \
	"shlq %[shift], %[t]\n\t"
/* t: the address of the caller's stock. */
#define BMA__RSEQ_STOCK_HERE BMA__RSEQ_COPY "addq %c[words](%[rec]), %[t]\n\t"

#define BMA__STOCK_TAKE(head, record, n, slow)                                                     \
	do {                                                                                       \
		uintptr_t stock_t, stock_v;                                                        \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_STOCK_HERE "movq (%[t]), %[v]\n\t"               \
							     "cmpq %[less], %[v]\n\t"              \
							     "jl %l[" #slow "]\n\t"                \
							     "subq %[less], %[v]\n\t"              \
							     "movq %[v], (%[t])\n" BMA__RSEQ_END   \
			: [t] "=&r"(stock_t), [v] "=&r"(stock_v)                                   \
			: [rseq] "r"(__rseq_offset), [c] "r"(head), [rec] "r"(record),             \
			  [less] "r"(n), [shift] "i"(BMA__PERCPU_SHIFT),                           \
			  [words] "i"(BMA__RSEQ_WORDS)                                             \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

#define BMA__STOCK_GIVE(head, record, n, slow)                                                     \
	do {                                                                                       \
		uintptr_t stock_t, stock_v;                                                        \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_STOCK_HERE "movq (%[t]), %[v]\n\t"               \
							     "addq %[more], %[v]\n\t"              \
							     "cmpq %c[cap](%[rec]), %[v]\n\t"      \
							     "ja %l[" #slow "]\n\t"                \
							     "movq %[v], (%[t])\n" BMA__RSEQ_END   \
			: [t] "=&r"(stock_t), [v] "=&r"(stock_v)                                   \
			: [rseq] "r"(__rseq_offset), [c] "r"(head), [rec] "r"(record),             \
			  [more] "r"(n), [shift] "i"(BMA__PERCPU_SHIFT),                           \
			  [words] "i"(BMA__RSEQ_WORDS), [cap] "i"(BMA__RSEQ_CAP)                   \
			: "memory", "cc"                                                           \
			: slow);                                                                   \
	} while (0)

/* With two stores: @test clears ZF if the first one was made. */
#define BMA__RSEQ_HAS_PAIRS 1
#define BMA__RSEQ_END_HALF(test)                                                                   \
	"2:\n\t" BMA__RSEQ_CLEAR ".pushsection __rseq_failure, \"ax?\"\n\t"                        \
	".byte 0x0f, 0xb9, 0x3d\n\t"                                                               \
	".long 0x53053053\n"                                                                       \
	"4:\n\t" test "\n\t"                                                                       \
	"jnz %l[half]\n\t"                                                                         \
	"jmp %l[slow]\n\t"                                                                         \
	".popsection\n\t"

/*
 * First store: the stock, by an exchange and addition that is not locked: x is minus the bytes until then, and what the stock was after; no stock is that much. If a drainer has just frozen the
 * word it stays frozen, and what he finds there is less by this charge. @head is that of an engine, with what a charge takes (@charge) so many bytes behind it.
 */
#define BMA__TAKE_POP(head, charge, minus, record, obj, slow, half)                                \
	do {                                                                                       \
		uintptr_t pair_t, pair_u, pair_v, pair_r, pair_x = (minus);                        \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_COPY                                             \
			"movq (%[c]), %[u]\n\t"                                                    \
			"leaq (%[u], %[t], 2), %[u]\n\t"                                           \
			"movq (%[u]), %[r]\n\t"                                                    \
			"testq %[r], 16(%[c])\n\t"                                                 \
			"jz %l[slow]\n\t"                                                          \
			"addq %c[words](%[rec]), %[t]\n\t"                                         \
			"movq (%[t]), %[v]\n\t"                                                    \
			"cmpq %c[less](%[c]), %[v]\n\t"                                            \
			"jl %l[slow]\n\t"                                                          \
			"movq (%[r]), %[v]\n\t"                                                    \
			"subq $8, %[r]\n\t"                                                        \
			"xaddq %[x], (%[t])\n\t"                                                   \
			"movq %[r], (%[u])\n" BMA__RSEQ_END_HALF("addq %c[less](%[c]), %[x]")      \
			: [t] "=&r"(pair_t), [u] "=&r"(pair_u), [v] "=&r"(pair_v),                 \
			  [r] "=&r"(pair_r), [x] "+&r"(pair_x)                                     \
			: [rseq] "r"(__rseq_offset), [c] "r"(head), [rec] "r"(record),             \
			  [less] "i"(charge), [shift] "i"(BMA__PERCPU_SHIFT),                      \
			  [words] "i"(BMA__RSEQ_WORDS)                                             \
			: "memory", "cc"                                                           \
			: slow, half);                                                             \
		(obj) = (void *)pair_v;                                                            \
	} while (0)

/*
 * First store: the slot. A drainer exchanges it and looks whether something was stored over that, so it has to be a store of what was worked out from the word (drain.h), and no
 * addition. The string instruction stores and steps on in one: u is a multiple of 64 until then, and 8 more after.
 */
#define BMA__GIVE_PUSH(head, charge, record, obj, slow, half)                                      \
	do {                                                                                       \
		uintptr_t pair_t, pair_u = 0, pair_v, pair_r;                                      \
		__asm__ __volatile__ goto(                                                         \
			BMA__RSEQ_BEGIN BMA__RSEQ_COPY                                             \
			"movq (%[c]), %[u]\n\t"                                                    \
			"leaq (%[u], %[t], 2), %[u]\n\t"                                           \
			"movq (%[u]), %[r]\n\t"                                                    \
			"addq $8, %[r]\n\t"                                                        \
			"testq %[r], 16(%[c])\n\t"                                                 \
			"jz %l[slow]\n\t"                                                          \
			"addq %c[words](%[rec]), %[t]\n\t"                                         \
			"movq (%[t]), %[v]\n\t"                                                    \
			"addq %c[more](%[c]), %[v]\n\t"                                            \
			"cmpq %c[cap](%[rec]), %[v]\n\t"                                           \
			"ja %l[slow]\n\t"                                                          \
			"movq %[p], (%[r])\n\t"                                                    \
			"stosq\n\t"                                                                \
			"movq %[v], (%[t])\n" BMA__RSEQ_END_HALF("testl $8, %k[u]")                \
			:                                                                          \
			[t] "=&r"(pair_t), [u] "+&D"(pair_u), [v] "=&r"(pair_v), [r] "=&a"(pair_r) \
			: [rseq] "r"(__rseq_offset), [c] "r"(head), [rec] "r"(record),             \
			  [more] "i"(charge), [p] "r"(obj), [shift] "i"(BMA__PERCPU_SHIFT),        \
			  [words] "i"(BMA__RSEQ_WORDS), [cap] "i"(BMA__RSEQ_CAP)                   \
			: "memory", "cc"                                                           \
			: slow, half);                                                             \
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
