/* SPDX-License-Identifier: MIT */
/*
 * Breakpoints and single steps, see trap.h.
 *
 * A breakpoint is one byte, INT3. The kernel saves the address after it; or, if that lies in the sequence that the
 * thread is in, the abort handler's address, and the sequence is over. So the handler restores the byte, and steps back by one
 * only if the saved address is the one after the breakpoint.
 *
 * Only the program's own text is recorded: the library is linked in, and what it calls in the C library (syscall(2)
 * for a wake-up) touches nothing of ours.
 */
#include "trap.h"

#include "registration.h"

#include <errno.h>
#include <link.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define TRAP_FLAG 0x100u
#define BREAKPOINT 0xccu
#define PAGE ((uintptr_t)4096)

uintptr_t trap_list[INJECT_LIST];
size_t trap_listed;
bool trap_overflow;
uintptr_t trap_text, trap_text_end;

/* By byte of the text: the number of the recording that has it already. */
static uint32_t *recorded;
static uint32_t recording;

static const struct trap_plan *plan;
static struct trap_result result;
static volatile uint64_t step_flag; /* TRAP_FLAG: record what is called */
static volatile uintptr_t armed;
static unsigned char saved;
static volatile int depth;

extern const char inject_call_begin[], inject_call_end[];

bool inject_in_handler(void)
{
	return depth > 0;
}

/*
 * The trap flag is set by the instruction before the call and cleared by the one after the return: that one also
 * ends what a handler began in the middle of the call.
 */
__attribute__((noinline)) uintptr_t inject_call(inject_fn *fn, void *a, void *b, size_t n)
{
	uintptr_t value, flag = step_flag;

	__asm__ volatile("movq %%rsp, %%rbx\n\t"
			 "subq $128, %%rsp\n\t"
			 "andq $-16, %%rsp\n\t"
			 "pushfq\n\t"
			 "orq %[flag], (%%rsp)\n\t"
			 "popfq\n"
			 "inject_call_begin:\n\t"
			 "call *%[fn]\n\t"
			 "pushfq\n\t"
			 "andq $~0x100, (%%rsp)\n\t"
			 "popfq\n"
			 "inject_call_end:\n\t"
			 "movq %%rbx, %%rsp"
			 : "=a"(value), "+D"(a), "+S"(b), "+d"(n)
			 : [fn] "r"(fn), [flag] "r"(flag)
			 : "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc", "xmm0", "xmm1",
			   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
			   "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return value;
}

static void record(uintptr_t ip)
{
	if (ip < trap_text || ip >= trap_text_end ||
	    (ip >= (uintptr_t)inject_call_begin && ip <= (uintptr_t)inject_call_end))
		return;
	if (recorded[ip - trap_text] == recording)
		return;
	recorded[ip - trap_text] = recording;
	if (trap_listed == INJECT_LIST) {
		trap_overflow = true;
		return;
	}
	trap_list[trap_listed++] = ip;
}

static void arm(uintptr_t address)
{
	volatile unsigned char *byte = (volatile unsigned char *)address;

	saved = *byte;
	armed = address;
	*byte = BREAKPOINT;
}

static void disarm(void)
{
	if (armed)
		*(volatile unsigned char *)armed = saved;
	armed = 0;
}

static void at_first(greg_t *regs)
{
	bool faked = plan->record == TRAP_HANDLER || plan->record == TRAP_REST;

	if (faked)
		regs[REG_RIP] = (greg_t)registration_abort((uintptr_t)regs[REG_RIP]);
	if (plan->second && !plan->in_rest)
		arm(plan->second);
	step_flag = plan->record == TRAP_HANDLER ? TRAP_FLAG : 0;
	plan->program();
	step_flag = 0;
	disarm();
	if (plan->record == TRAP_REST) {
		record((uintptr_t)regs[REG_RIP]);
		regs[REG_EFL] |= TRAP_FLAG;
	}
	if (plan->second && plan->in_rest)
		arm(plan->second);
}

static void on_trap(int sig, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	uintptr_t at = armed;

	(void)sig;
	/* A step says TRAP_TRACE, or TRAP_BRKPT if the kernel was busy meanwhile; INT3 says SI_KERNEL. */
	if (info->si_code != SI_KERNEL) {
		record((uintptr_t)regs[REG_RIP]);
		return;
	}
	disarm();
	if (!at) {
		printf("a trap that nobody set, code %d, at %s\n", info->si_code,
		       inject_symbol((uintptr_t)regs[REG_RIP]));
		inject_where();
		_exit(INJECT_BROKEN);
	}
	if ((uintptr_t)regs[REG_RIP] == at + 1)
		regs[REG_RIP] = (greg_t)at;
	else
		result.aborts++;
	depth++;
	if (!result.fired++)
		at_first(regs);
	else
		plan->inner();
	depth--;
}

struct trap_result trap_run(const struct trap_plan *p, void (*call)(void))
{
	plan = p;
	memset(&result, 0, sizeof result);
	if (p->record != TRAP_NOTHING) {
		recording++;
		trap_listed = 0;
	}
	step_flag = p->record == TRAP_CALL ? TRAP_FLAG : 0;
	if (p->first)
		arm(p->first);
	call();
	disarm();
	step_flag = 0;
	return result;
}

/* The first object is the program. */
static int find_text(struct dl_phdr_info *info, size_t size, void *unused)
{
	(void)size, (void)unused;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *ph = &info->dlpi_phdr[i];

		if (ph->p_type != PT_LOAD || !(ph->p_flags & PF_X))
			continue;
		trap_text = info->dlpi_addr + ph->p_vaddr;
		trap_text_end = trap_text + ph->p_memsz;
	}
	return 1;
}

int inject_init(void)
{
	struct sigaction sa = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
	uintptr_t begin;

	dl_iterate_phdr(find_text, NULL);
	begin = trap_text & ~(PAGE - 1);
	recorded = calloc(trap_text_end - trap_text, sizeof *recorded);
	if (!recorded)
		return INJECT_SKIP;
	if (mprotect((void *)begin, trap_text_end - begin, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		printf("skipped: the text cannot be made writable: %s\n", strerror(errno));
		return INJECT_SKIP;
	}
	sigemptyset(&sa.sa_mask);
	sigaction(SIGTRAP, &sa, NULL);
	if (registration_fake() || registration_restore()) {
		printf("skipped: the registration cannot be changed: %s\n", strerror(errno));
		return INJECT_SKIP;
	}
	return INJECT_OK;
}
