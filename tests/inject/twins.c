/* SPDX-License-Identifier: MIT */
/* The twins, see twins.h. */
#include "twins.h"

#include <bma/cache.h>

/* Offset of mm_cid in the rseq area, whether or not the headers know it. */
#define MM_CID 24
#define CPU_ID 4

struct twin_slot twin_slots[TWIN_SLOTS] __attribute__((aligned(64)));
struct twin_node twin_spare[TWIN_NODES];
unsigned int twin_spares_taken;

static uint32_t word_of_area(size_t offset)
{
	return *(volatile uint32_t *)((char *)__builtin_thread_pointer() + __rseq_offset + offset);
}

struct twin_slot *twin_slot(const struct twin *t)
{
	return &twin_slots[word_of_area(t->by_cid ? MM_CID : CPU_ID) % TWIN_SLOTS];
}

static uintptr_t spare(void)
{
	return (uintptr_t)&twin_spare[__atomic_fetch_add(&twin_spares_taken, 1, __ATOMIC_RELAXED)];
}

/* The slot's address in t; what stands behind it in r, its successor in u. */
#define INDEX_CPU                                                                                  \
	"movl %%fs:4(%[rseq]), %k[t]\n\t"                                                          \
	"testl %k[t], %k[t]\n\t"                                                                   \
	"js %l[slow]\n\t"
#define INDEX_CID "movl %%fs:24(%[rseq]), %k[t]\n\t"
#define LOAD                                                                                       \
	"shlq $6, %[t]\n\t"                                                                        \
	"addq %[slots], %[t]\n\t"                                                                  \
	"movq (%[t]), %[r]\n\t"                                                                    \
	"testq %[r], %[r]\n\t"                                                                     \
	"jz %l[slow]\n\t"                                                                          \
	"movq (%[r]), %[u]\n\t"
#define COMMIT "movq %[u], (%[t])\n\t"
#define COUNT "decq 8(%[t])\n\t"
#define END BMA__RSEQ_END_AT("again")

/* A pop of that body; @after: what follows it. */
#define POP(name, body, after)                                                                     \
	static uintptr_t name(void *a, void *b, size_t n)                                          \
	{                                                                                          \
		struct twin_node *r;                                                               \
		uintptr_t t, u;                                                                    \
                                                                                                   \
		(void)a, (void)b, (void)n;                                                         \
again:                                                                                             \
		__asm__ __volatile__ goto(BMA__RSEQ_BEGIN body                                     \
					  : [r] "=&r"(r), [t] "=&r"(t), [u] "=&r"(u)               \
					  : [rseq] "r"(__rseq_offset), [slots] "r"(twin_slots)     \
					  : "memory", "cc"                                         \
					  : slow, again);                                          \
		after;                                                                             \
		return (uintptr_t)r;                                                               \
slow:                                                                                              \
		return spare();                                                                    \
	}

/* A count that is loaded, lowered and stored by three instructions, outside the sequence. */
static void count_plainly(void)
{
	volatile long *count = &twin_slots[word_of_area(CPU_ID) % TWIN_SLOTS].count;
	long seen = *count;

	__asm__ volatile("" : "+r"(seen));
	*count = seen - 1;
}

POP(pop_good, INDEX_CPU LOAD COMMIT END, (void)0)
POP(pop_short, INDEX_CPU LOAD END COMMIT, (void)0)
POP(pop_two_stores, INDEX_CPU LOAD COMMIT COUNT END, (void)0)
POP(pop_statistics, INDEX_CPU LOAD COMMIT END, count_plainly())
POP(pop_cid, INDEX_CID LOAD COMMIT END, (void)0)

static struct twin_slot *slot_of_cpu(void)
{
	int32_t cpu = (int32_t)word_of_area(CPU_ID);

	return cpu < 0 ? NULL : &twin_slots[cpu % TWIN_SLOTS];
}

static uintptr_t pop_plain(void *a, void *b, size_t n)
{
	volatile struct twin_slot *slot = slot_of_cpu();
	struct twin_node *node;

	(void)a, (void)b, (void)n;
	if (!slot || !slot->head)
		return spare();
	node = slot->head;
	slot->head = node->next;
	return (uintptr_t)node;
}

static uintptr_t pop_untagged(void *a, void *b, size_t n)
{
	struct twin_slot *slot = slot_of_cpu();
	struct twin_node *node, *next;

	(void)a, (void)b, (void)n;
	node = slot ? __atomic_load_n(&slot->head, __ATOMIC_ACQUIRE) : NULL;
	do {
		if (!node)
			return spare();
		next = *(struct twin_node *volatile *)&node->next;
	} while (!__atomic_compare_exchange_n(&slot->head, &node, next, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_ACQUIRE));
	return (uintptr_t)node;
}

const struct twin twins[] = {
	{.name = "good", .pop = pop_good},
	{.name = "no sequence", .pop = pop_plain, .broken = true},
	{.name = "section ends before its commit", .pop = pop_short, .broken = true},
	{.name = "two committing stores", .pop = pop_two_stores, .counts = true, .broken = true},
	{.name = "plain statistics", .pop = pop_statistics, .counts = true, .broken = true},
	{.name = "untagged exchange", .pop = pop_untagged, .broken = true},
	{.name = "concurrency id", .pop = pop_cid, .by_cid = true},
	{.name = "good, unregistered", .pop = pop_good, .unregistered = true},
	{.name = "concurrency id, unregistered",
	 .pop = pop_cid,
	 .by_cid = true,
	 .unregistered = true,
	 .broken = true},
};
const size_t twins_number = sizeof twins / sizeof *twins;
