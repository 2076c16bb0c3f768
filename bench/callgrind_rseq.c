/* SPDX-License-Identifier: MIT */
/*
 * Linked into programs that callgrind counts and whose calls are restartable sequences. Valgrind
 * has no system call to register an area for them, so the library would take its other path.
 * This says that an area is registered and that its thread runs on CPU 0. For a single thread that
 * valgrind runs on one CPU nothing else is needed: nobody is ever in its way, so no sequence is ever
 * to be restarted. Natively such a program does not run.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/rseq.h>
#include <unistd.h>

/* Takes the place of glibc's, which is 0 where the registration failed. */
const unsigned int __rseq_size = sizeof(struct rseq);

/* Before any call into the library. */
__attribute__((constructor)) static void pretend(void)
{
	struct rseq *area = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

	if ((int32_t)area->cpu_id >= 0) {
		fputs("bench: to be run by callgrind only\n", stderr);
		_exit(1);
	}
	area->cpu_id_start = 0;
	area->cpu_id = 0;
}
