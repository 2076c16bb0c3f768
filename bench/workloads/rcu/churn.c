/* SPDX-License-Identifier: MIT */
/*
 * One thread replaces the objects of a table, one after the other, as fast as it can or so many a
 * second, and frees what it took out. Another, on another CPU, reads random ones in read sections
 * and checks that they are whole. How many replacements a second, and how much waits for a grace
 * period at most?
 */
#define BENCH_HEAD_AT 48
#include "crew.h"
#include "deferrals/deferral.h"

#define SLOTS 1024
#define BURST 32
/* Objects that one read section looks at. */
#define SECTION 32

struct object {
	uint64_t number;
	uint64_t inverse;
	uint64_t product;
	uint64_t sum;
	char rest[32];
};

struct churn {
	struct crew_member members[2];
	peer_pool pool;
	double ticks;	 /* per replacement; 0: no limit */
	uint64_t waited; /* the most objects that waited, as far as the updater can tell */
	uint64_t torn;	 /* objects that were reused under the reader */
};

static _Alignas(128) struct object *slots[SLOTS];

static inline void fill(struct object *o, uint64_t number)
{
	o->number = number;
	o->inverse = ~number;
	o->product = number * 0x9e3779b97f4a7c15u;
	o->sum = o->number + o->inverse + o->product;
}

static inline bool whole(const struct object *o)
{
	uint64_t number = CMM_LOAD_SHARED(o->number);

	return CMM_LOAD_SHARED(o->inverse) == ~number &&
	       CMM_LOAD_SHARED(o->product) == number * 0x9e3779b97f4a7c15u &&
	       CMM_LOAD_SHARED(o->sum) == number * 0x9e3779b97f4a7c15u - 1;
}

static inline struct object *fresh(peer_pool pool, uint64_t number)
{
	struct object *o = bench_take(pool);

	fill(o, number);
	return o;
}

static void update(struct crew_member *self)
{
	struct churn *c = self->arg;
	const peer_pool pool = c->pool;
	const double ticks = c->ticks;
	uint64_t n = 0, start = host_tick_end(), waiting, waited = 0;

	defer_enter();
	while (!crew_stopped()) {
		for (uint64_t to = n + BURST; n < to; n++) {
			struct object *o = fresh(pool, n);

			defer_free(pool, rcu_xchg_pointer(&slots[n % SLOTS], o));
		}
		crew_count(self, n);
		waiting = defer_waiting(n);
		if (waiting > waited)
			waited = waiting;
		while (ticks > 0 && (double)(host_tick_end() - start) < (double)n * ticks)
			crew_relax();
	}
	c->waited = waited;
	defer_leave();
}

static void look(struct crew_member *self)
{
	struct churn *c = self->arg;
	uint64_t n = 0, torn = 0, seed = 88172645463325252u;

	rcu_register_thread();
	while (!crew_stopped()) {
		rcu_read_lock();
		for (uint64_t to = n + SECTION; n < to; n++)
			torn += !whole(rcu_dereference(slots[workload_random(&seed) % SLOTS]));
		rcu_read_unlock();
		crew_count(self, n);
	}
	c->torn = torn;
	rcu_unregister_thread();
}

static void measure(struct bench_state *st, struct churn *c)
{
	struct crew crew = {.members = c->members, .n = 2, .seconds = crew_seconds()};
	struct crew_report report;

	crew.baseline = host_resident();
	c->pool = defer_create(sizeof(struct object), SLOTS);
	for (uint64_t i = 0; i < SLOTS; i++)
		slots[i] = fresh(c->pool, i);
	while (bench_keep_running(st)) {
		crew_run(&crew, &report);
		bench_set_iteration_time(st, report.seconds);
	}
	for (size_t i = 0; i < SLOTS; i++)
		peer_free(c->pool, slots[i]);
	defer_settle(c->pool);
#ifndef DEFER_REUSES
	if (c->torn)
		bench_die("a reader saw an object that was reused");
#endif
	bench_set_items_processed(st, (int64_t)report.done[0]);
	bench_set_counter(st, "reads", (double)report.done[1], BENCH_COUNTER_RATE);
	bench_set_counter(st, "crew_cpus", (report.cpus[0] + report.cpus[1]) / 2, 0);
	bench_set_counter(st, "updater_cpus", report.cpus[0], 0);
	bench_set_counter(st, "resident_peak_kib", report.peak / 1024, 0);
	defer_figures(st, c->pool, c->waited);
	defer_destroy(c->pool);
}

/* @arg: NULL, or the first argument is the rate in million replacements a second. */
static void churn(struct bench_state *st, void *arg)
{
	struct churn c = {.members = {{.work = update}, {.work = look}}};

	c.members[0].arg = c.members[1].arg = &c;
	if (arg)
		c.ticks = 1e3 / (double)bench_range(st, 0) / host_tick_ns();
	if (host_cpus() < 2)
		bench_skip_with_error(st, "needs two CPUs");
	else
		measure(st, &c);
}

static struct bench *add(const char *name, void *arg, const char *argument)
{
	struct bench *b = bench_register(name, churn, arg);

	bench_arg_names(b, &argument, 1);
	bench_fix_iterations(b, 1);
	bench_use_manual_time(b);
	bench_set_unit(b, BENCH_MILLISECOND);
	return b;
}

void rcu_churn_register(void)
{
	bench_arg(add("rcu/churn", NULL, "size"), sizeof(struct object));
}

void rcu_throttled_register(void)
{
	struct bench *b = add("rcu/throttled", slots, "rate");

	bench_arg(b, 2);
	bench_arg(b, 5);
	bench_arg(b, 10);
}
