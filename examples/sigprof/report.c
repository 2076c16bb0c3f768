/* SPDX-License-Identifier: MIT */
/*
 * The end of a run: gives every address a function, adds up, and writes FILE.folded and FILE.top.
 */
#include "sigprof.h"

#include <bma/bma.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#define TOP 20

struct function {
	const struct sigprof_place *place;
	uint64_t self, total;
	size_t last; /* stack that was added to @total last, plus 1: recursion counts once */
};

struct stack {
	const struct sigprof_record *record;
	uint64_t count;
	uint32_t *functions; /* innermost first */
	size_t depth;
};

struct profile {
	struct stack *stacks;
	size_t n_stacks, max_stacks;
	uintptr_t *pcs;
	size_t n_pcs, max_pcs;
	struct sigprof_place *places;
	struct function *functions;
	size_t n_functions;
	uint32_t *function_of; /* by place */
	uint64_t samples;
};

static void measure(struct sigprof_record *record, void *arg)
{
	struct profile *p = arg;

	p->max_stacks++;
	p->max_pcs += record->depth;
}

/* A thread that is still inside its handler may add one more meanwhile; it is left out. */
static void collect(struct sigprof_record *record, void *arg)
{
	struct profile *p = arg;
	struct stack *stack = &p->stacks[p->n_stacks];

	if (p->n_stacks == p->max_stacks || p->max_pcs - p->n_pcs < record->depth)
		return;
	stack->record = record;
	stack->count = atomic_load_explicit(&record->count, memory_order_relaxed);
	stack->depth = record->depth;
	memcpy(p->pcs + p->n_pcs, record->pcs, record->depth * sizeof(record->pcs[0]));
	p->samples += stack->count;
	p->n_pcs += record->depth;
	p->n_stacks++;
}

static int by_address(const void *a, const void *b, const void *arg)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

	(void)arg;
	return (x > y) - (x < y);
}

static int by_self(const void *a, const void *b, const void *arg)
{
	const struct function *x = a, *y = b;

	(void)arg;
	if (x->self != y->self)
		return x->self < y->self ? 1 : -1;
	return (x->total < y->total) - (x->total > y->total);
}

/* From the outermost function on, so that equal stacks and equal roots lie together. */
static int by_path(const void *a, const void *b, const void *arg)
{
	const struct stack *x = a, *y = b;

	(void)arg;
	for (size_t i = 1; i <= x->depth && i <= y->depth; i++) {
		uint32_t f = x->functions[x->depth - i], g = y->functions[y->depth - i];

		if (f != g)
			return f < g ? -1 : 1;
	}
	return (x->depth > y->depth) - (x->depth < y->depth);
}

static bool same_function(const struct sigprof_place *a, const struct sigprof_place *b)
{
	/* Code without a start: one function for each file, and one for code of no file. */
	return a->object == b->object && a->start == b->start && a->pc != SIGPROF_DEEPER;
}

static void find_functions(struct profile *p)
{
	size_t n = 0;

	sigprof_sort(p->pcs, p->n_pcs, sizeof(p->pcs[0]), by_address, NULL);
	for (size_t i = 0; i < p->n_pcs; i++) {
		if (!n || p->pcs[i] != p->places[n - 1].pc)
			p->places[n++].pc = p->pcs[i];
	}
	sigprof_symbol_find(p->places, n);
	for (size_t i = 0; i < n; i++) {
		if (!i || !same_function(&p->places[i - 1], &p->places[i]))
			p->functions[p->n_functions++].place = &p->places[i];
		p->function_of[i] = (uint32_t)(p->n_functions - 1);
		p->pcs[i] = p->places[i].pc;
	}
	p->n_pcs = n;
}

static uint32_t function_at(const struct profile *p, uintptr_t pc)
{
	size_t low = 0, n = p->n_pcs;

	while (n > 1) {
		if (p->pcs[low + n / 2] <= pc)
			low += n / 2;
		n -= n / 2;
	}
	return p->function_of[low];
}

static void add_up(struct profile *p, uint32_t *room)
{
	for (size_t i = 0; i < p->n_stacks; i++) {
		struct stack *stack = &p->stacks[i];

		stack->functions = room;
		room += stack->depth;
		for (size_t k = 0; k < stack->depth; k++) {
			struct function *f;

			stack->functions[k] = function_at(p, stack->record->pcs[k]);
			f = &p->functions[stack->functions[k]];
			if (!k)
				f->self += stack->count;
			if (f->last != i + 1)
				f->total += stack->count;
			f->last = i + 1;
		}
	}
}

static void write_name(struct sigprof_out *out, const struct function *function)
{
	const struct sigprof_place *place = function->place;

	if (place->pc == SIGPROF_DEEPER)
		sigprof_out_print(out, "[deeper]");
	else if (place->name)
		sigprof_out_bytes(out, place->name, strlen(place->name));
	else if (place->object)
		sigprof_out_print(out, "%s+0x%" PRIxPTR, place->object, place->offset);
	else
		sigprof_out_print(out, "[unknown]");
}

static void write_folded(const struct profile *p, struct sigprof_out *out)
{
	uint64_t count = 0;

	for (size_t i = 0; i < p->n_stacks; i++) {
		const struct stack *stack = &p->stacks[i];

		count += stack->count;
		if (i + 1 < p->n_stacks && !by_path(stack, stack + 1, NULL))
			continue;
		for (size_t k = stack->depth; k--;) {
			write_name(out, &p->functions[stack->functions[k]]);
			sigprof_out_bytes(out, ";", k ? 1 : 0);
		}
		sigprof_out_print(out, " %" PRIu64 "\n", count);
		count = 0;
	}
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void write_summary(const struct profile *p, const struct sigprof_setup *setup,
			  struct sigprof_out *out)
{
	struct sigprof_counts *c = &sigprof_counts;
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	sigprof_out_print(out,
			  "samples %" PRIu64 ", lost %" PRIuFAST64 " (no record for a new stack)\n",
			  p->samples, atomic_load(&c->lost));
	sigprof_out_print(out, "rate %ld Hz of %s time; CPU time %.2f s\n", setup->rate,
			  setup->wall ? "wall clock" : "CPU",
			  seconds(usage.ru_utime) + seconds(usage.ru_stime));
	sigprof_out_print(out,
			  "stacks %zu; without a signal of their own %" PRIuFAST64
			  ", innermost frame only %" PRIuFAST64 ", cut at %d frames %" PRIuFAST64
			  "\n",
			  p->n_stacks, atomic_load(&c->merged), atomic_load(&c->shallow),
			  SIGPROF_DEPTH, atomic_load(&c->cut));
	sigprof_out_print(out, "threads without a timer %" PRIuFAST64 "\n",
			  atomic_load(&c->unsampled));
}

/* The allocator's own account of the same events. */
static void write_cache(struct sigprof_out *out)
{
	struct bma_cache_stats stats;

	if (bma_cache_stats_get(sigprof_record_cache(), &stats, sizeof(stats)))
		return;
	sigprof_out_print(out,
			  "records carved %" PRIu64 ", live %" PRIu64 ", refused %" PRIu64
			  " (the cache was empty)\n",
			  stats.carved, stats.live, stats.fail_depot_empty);
}

static void write_top(struct profile *p, struct sigprof_out *out)
{
	double all = p->samples ? (double)p->samples : 1;

	sigprof_sort(p->functions, p->n_functions, sizeof(p->functions[0]), by_self, NULL);
	sigprof_out_print(out, "   self      %%     total      %%  function\n");
	for (size_t i = 0; i < p->n_functions && i < TOP; i++) {
		const struct function *f = &p->functions[i];

		if (!f->total)
			break;
		sigprof_out_print(out, "%7" PRIu64 " %6.1f  %8" PRIu64 " %6.1f  ", f->self,
				  100 * (double)f->self / all, f->total,
				  100 * (double)f->total / all);
		write_name(out, f);
		if (f->place->name && f->place->object)
			sigprof_out_print(out, "  (%s)", f->place->object);
		sigprof_out_print(out, "\n");
	}
}

void sigprof_report(const struct sigprof_setup *setup, bool may_sleep)
{
	struct profile p;
	struct sigprof_out out;
	uint32_t *room;

	memset(&p, 0, sizeof(p));
	sigprof_record_each(measure, &p);
	p.stacks = sigprof_map(p.max_stacks * sizeof(p.stacks[0]));
	p.pcs = sigprof_map(p.max_pcs * sizeof(p.pcs[0]));
	p.places = sigprof_map(p.max_pcs * sizeof(p.places[0]));
	p.functions = sigprof_map(p.max_pcs * sizeof(p.functions[0]));
	p.function_of = sigprof_map(p.max_pcs * sizeof(p.function_of[0]));
	room = sigprof_map(p.max_pcs * sizeof(room[0]));
	if (!p.stacks || !p.pcs || !p.places || !p.functions || !p.function_of || !room)
		return;
	sigprof_record_each(collect, &p);
	find_functions(&p);
	add_up(&p, room);
	sigprof_sort(p.stacks, p.n_stacks, sizeof(p.stacks[0]), by_path, NULL);
	if (sigprof_out_open(&out, setup->path, ".folded")) {
		write_folded(&p, &out);
		sigprof_out_close(&out);
	}
	if (sigprof_out_open(&out, setup->path, ".top")) {
		write_summary(&p, setup, &out);
		if (may_sleep)
			write_cache(&out);
		sigprof_out_print(&out, "\n");
		write_top(&p, &out);
		sigprof_out_close(&out);
	}
}
