/* SPDX-License-Identifier: MIT */
/*
 * Migration at every instruction. A tracer stops a thread of another process at a breakpoint, moves it to another CPU,
 * lets a helper, pinned to the old CPU, work on the same cache, and lets the thread go on. The thread gets no signal: only
 * the kernel, which finds it preempted within a sequence, makes it begin again.
 *
 * The helper runs the same text, untraced: so the byte is restored before it runs.
 */
#include "migrate.h"

#include "inject.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

struct migrate *migrate;
int migrate_from, migrate_to;

static pid_t traced;
static uintptr_t armed;
static long saved;

void migrate_pin(int tid, int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET((size_t)cpu, &one);
	sched_setaffinity(tid, sizeof one, &one);
}

/* Between processes: not private. */
void migrate_wait(_Atomic uint32_t *word, uint32_t seen)
{
	while (atomic_load(word) == seen)
		syscall(SYS_futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

void migrate_post(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool choose_cpus(void)
{
	cpu_set_t set;
	int found = 0;

	sched_getaffinity(0, sizeof set, &set);
	for (int cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++) {
		if (CPU_ISSET((size_t)cpu, &set))
			*(found++ ? &migrate_to : &migrate_from) = cpu;
	}
	return found == 2;
}

static void poke(uintptr_t at, long word)
{
	if (ptrace(PTRACE_POKETEXT, traced, at, word)) {
		perror("PTRACE_POKETEXT");
		kill(traced, SIGKILL);
		exit(INJECT_BROKEN);
	}
}

static void arm(uintptr_t at)
{
	armed = at;
	saved = ptrace(PTRACE_PEEKTEXT, traced, at, NULL);
	poke(at, (saved & ~0xffl) | 0xcc);
}

static void disarm(void)
{
	if (armed)
		poke(armed, saved);
	armed = 0;
}

/* It stands behind the breakpoint: let it stand there instead, on another CPU, while the helper runs. */
static void move(void)
{
	uint32_t seen = atomic_load(&migrate->done);
	struct user_regs_struct regs;
	uintptr_t at = armed;

	disarm();
	ptrace(PTRACE_GETREGS, traced, NULL, &regs);
	if (regs.rip == at + 1)
		regs.rip = at;
	ptrace(PTRACE_SETREGS, traced, NULL, &regs);
	migrate_pin(traced, migrate_to);
	migrate_post(&migrate->go);
	migrate_wait(&migrate->done, seen);
	atomic_store(&migrate->fired, 1);
}

/* Its stops: SIGSTOP asks for the next breakpoint, SIGTRAP is that or one of its own. Returns the exit code. */
static int trace(void)
{
	int status, sig;

	while (waitpid(traced, &status, 0) == traced && WIFSTOPPED(status)) {
		sig = WSTOPSIG(status);
		if (sig == SIGSTOP) {
			disarm();
			if (atomic_load(&migrate->at))
				arm(atomic_load(&migrate->at));
			sig = 0;
		} else if (sig == SIGTRAP && armed) {
			move();
			sig = 0;
		}
		ptrace(PTRACE_CONT, traced, NULL, sig);
	}
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	printf("killed by signal %d\n", WTERMSIG(status));
	return INJECT_BAD;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!choose_cpus()) {
		printf("skipped: there is one CPU\n");
		return INJECT_SKIP;
	}
	migrate = mmap(NULL, sizeof *migrate, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (migrate == MAP_FAILED)
		return INJECT_BROKEN;
	fflush(stdout);
	traced = fork();
	if (traced)
		return trace();
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL)) {
		printf("skipped: no ptrace: %s\n", strerror(errno));
		_exit(INJECT_SKIP);
	}
	_exit(migrate_traced(argc > 1 ? argv[1] : "cpu"));
}
