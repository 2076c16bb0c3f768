/* SPDX-License-Identifier: MIT */
/*
 * The slab cache against interruptions where they matter, with one thread and the same each time:
 * before every store to the fast paths' words, and at each instruction up to the sequence of a
 * fast path. The rules of kmem_cache.h are checked after every call. Built with KMEM_CACHE_STEPS.
 */
#include "../internal.h"
#include "check.h"

#include <errno.h>
#include <signal.h>
#include <ucontext.h>

#define HELD 120
#define TURNS 20000
#define TRAP_FLAG 0x100

static void *held[HELD];
static uint64_t seed = 88172645463325252u;
static cpu_set_t all;
static bool stepping;

static size_t draw(size_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (size_t)(seed >> 20) % n;
}

/* An object that is held twice has been handed out twice. */
static void hold(size_t i, void *p)
{
	for (size_t k = 0; k < HELD; k++)
		CHECK(held[k] != p);
	held[i] = p;
}

/* In any free place: a step may have filled the one that was chosen. */
static void keep(struct kmem_cache *s, void *p)
{
	size_t i = 0;

	while (i < HELD && held[i])
		i++;
	if (i < HELD)
		hold(i, p);
	else
		kmem_cache_free(s, p);
}

static void move(unsigned int number)
{
	CHECK(!sched_setaffinity(0, sizeof(all), &all));
	pin(number);
}

/* What others do: a fast free, a fast allocation, or all of a sudden this is another CPU. */
void kmem_cache_step(struct kmem_cache *s)
{
	uintptr_t slab = this_cpu(s)->slab;
	void *p;

	if (!stepping || draw(3))
		return;
	stepping = false;
	switch (draw(3)) {
	case 0:
		for (size_t i = 0; i < HELD; i++) {
			p = held[i];
			if (!p || ((uintptr_t)p & s->slab_mask) != slab)
				continue;
			held[i] = NULL;
			kmem_cache_free(s, p);
			break;
		}
		break;
	case 1:
		for (size_t i = 0; i < HELD; i++) {
			if (held[i])
				continue;
			p = kmem_cache_alloc_fast(s);
			if (p)
				hold(i, p);
			break;
		}
		break;
	default:
		move((unsigned int)draw(2));
	}
	stepping = true;
}

/* Rules 2 and 3. */
static void check(struct kmem_cache *s)
{
	for (unsigned int i = 0; i < s->cpus; i++) {
		const struct kmem_cache_cpu *c = &s->cpu[i];
		uintptr_t start = c->active ? slab_start(c->active, s->slab_shift) : 0;
		unsigned int n = 0;

		CHECK(c->slab == 0 || c->slab == start);
		for (void **p = c->freelist; p; p = *p) {
			CHECK(((uintptr_t)p & s->slab_mask) == start);
			CHECK(++n <= s->objects);
		}
	}
}

static void finish(struct kmem_cache *s)
{
	for (size_t i = 0; i < HELD; i++) {
		if (held[i])
			kmem_cache_free(s, held[i]);
		held[i] = NULL;
	}
	kmem_cache_shrink(s);
	CHECK(kmem_cache_stats_get(s).slabs == 0);
	CHECK(kmem_cache_destroy(s) == 0);
}

static void stores(size_t size)
{
	struct kmem_cache *s = kmem_cache_create("steps", size, 0);
	void *p;

	CHECK(s);
	for (int turn = 0; turn < TURNS; turn++) {
		size_t i = draw(HELD);

		p = held[i];
		held[i] = NULL;
		stepping = true;
		if (turn % 500 == 499)
			kmem_cache_shrink(s);
		if (p) {
			kmem_cache_free(s, p);
		} else {
			p = kmem_cache_alloc(s);
			CHECK(p);
			stepping = false;
			keep(s, p);
		}
		stepping = false;
		check(s);
	}
	finish(s);
}

static struct kmem_cache *stepped;
static int traps_left;

/* Another thread uses up this CPU's freelist and has its slab replaced. */
static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)number;
	(void)info;
	if (traps_left--)
		return;
	at->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	for (unsigned int i = 0; i <= stepped->objects; i++)
		keep(stepped, kmem_cache_alloc(stepped));
}

/* A trap after each instruction from here on; the stack below its pointer may be in use. */
static inline __attribute__((always_inline)) void trap_on(void)
{
	__asm__ __volatile__("leaq -128(%%rsp), %%rsp\n\t"
			     "pushfq\n\t"
			     "orq %[flag], (%%rsp)\n\t"
			     "popfq\n\t"
			     "leaq 128(%%rsp), %%rsp"
			     :
			     : [flag] "i"(TRAP_FLAG)
			     : "memory", "cc");
}

static inline __attribute__((always_inline)) void trap_off(void)
{
	__asm__ __volatile__("leaq -128(%%rsp), %%rsp\n\t"
			     "pushfq\n\t"
			     "andq %[flag], (%%rsp)\n\t"
			     "popfq\n\t"
			     "leaq 128(%%rsp), %%rsp"
			     :
			     : [flag] "i"(~TRAP_FLAG)
			     : "memory", "cc");
}

/*
 * Interrupt a fast path after @traps instructions. A trap within the sequence sends the thread back
 * to its start, so that no count gets further in: what is seen there holds for all of it.
 */
static void instructions(int traps, bool free)
{
	struct kmem_cache *s = kmem_cache_create("traps", 1024, 0);
	void *p = NULL;

	CHECK(s);
	stepped = s;
	traps_left = traps;
	move(0);
	for (int i = 0; i < 4; i++)
		keep(s, kmem_cache_alloc(s));
	if (free) {
		p = held[3];
		held[3] = NULL;
		trap_on();
		kmem_cache_free(s, p);
		trap_off();
	} else {
		trap_on();
		p = kmem_cache_alloc_fast(s);
		trap_off();
		if (p)
			keep(s, p);
	}
	check(s);
	finish(s);
}

/* Whoever is not on the CPU, or finds another value, changes nothing. */
static void refusals(void)
{
	struct kmem_cache *s = kmem_cache_create("refusals", 1024, 0);
	struct kmem_cache_cpu *here, *there;

	CHECK(s);
	if (s->cpus > 1) {
		move(0);
		here = this_cpu(s);
		there = here == s->cpu ? here + 1 : s->cpu;
		CHECK(fast_store(s, there, &there->slab, 0, &there->slab, 1) == MIGRATED);
		CHECK(fast_store(s, here, &here->slab, 1, &here->slab, 1) == CHANGED);
		CHECK(here->slab == 0 && there->slab == 0);
		CHECK(fast_store(s, here, &here->freelist, 0, &here->slab, 1) == STORED);
		CHECK(here->slab == 1 && !here->freelist);
		here->slab = 0;
	}
	finish(s);
}

int main(void)
{
	struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
	struct kmem_cache *s = kmem_cache_create("steps", 8, 0);

	if (!s && errno == ENOSYS) {
		puts("skipped: no restartable sequences");
		return 77;
	}
	finish(s);
	CHECK(!sched_getaffinity(0, sizeof(all), &all));
	CHECK(!sigaction(SIGTRAP, &trap, NULL));
	refusals();
	stores(1024);
	stores(8192);
	for (int traps = 0; traps < 40; traps++) {
		instructions(traps, true);
		instructions(traps, false);
	}
	puts("ok");
	return 0;
}
