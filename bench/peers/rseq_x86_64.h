/* SPDX-License-Identifier: MIT */
/*
 * The frame of a bare restartable sequence, x86-64, for the floors. It does as little as the kernel
 * allows: the descriptor is left in place afterwards (the engine clears it), the CPU number is
 * neither checked for a thread without registration nor for a range. An abort starts over.
 *
 * Operands that the user supplies: [rseq] offset of the area from the thread pointer, [t] a
 * scratch register, [base] where CPU 0's word is, [shift] the distance to the next as a shift;
 * label again. [t] then holds the address of this CPU's word. Not base and index: recent Intel
 * cores forward a store to the next load in no time only where both say register plus constant (1.6
 * against 4.9 ns a pair for the magazine).
 */
#ifndef BENCH_PEERS_RSEQ_X86_64_H
#define BENCH_PEERS_RSEQ_X86_64_H

#define FLOOR_RSEQ_BEGIN                                                                           \
	".pushsection __rseq_cs, \"aw\"\n\t"                                                       \
	".balign 32\n"                                                                             \
	"33:\n\t"                                                                                  \
	".long 0, 0\n\t"                                                                           \
	".quad 11f, 22f - 11f, 44f\n\t"                                                            \
	".popsection\n\t"                                                                          \
	"leaq 33b(%%rip), %[t]\n\t"                                                                \
	"movq %[t], %%fs:8(%[rseq])\n"                                                             \
	"11:\n\t"                                                                                  \
	"movl %%fs:4(%[rseq]), %k[t]\n\t"                                                          \
	"shlq %[shift], %[t]\n\t"                                                                  \
	"addq %[base], %[t]\n\t"

#define FLOOR_RSEQ_END                                                                             \
	"22:\n\t"                                                                                  \
	".pushsection __rseq_failure, \"ax\"\n\t"                                                  \
	".byte 0x0f, 0xb9, 0x3d\n\t" /* the signature as the operand of a trapping instruction */  \
	".long 0x53053053\n"                                                                       \
	"44:\n\t"                                                                                  \
	"jmp %l[again]\n\t"                                                                        \
	".popsection\n\t"

#endif /* BENCH_PEERS_RSEQ_X86_64_H */
