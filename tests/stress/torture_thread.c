/* SPDX-License-Identifier: MIT */
/* The threads of the torture. */
#include "torture.h"

#include <pthread.h>

#include "storm.h"

/* What CHECK prints. */
#define test_seed torture.seed

#define HANDLER_OBJS 40 /* more than a magazine, where these are small */

static _Atomic pid_t tids[THREADS_MAX];

/* QSBR threads go offline for it; for other flavours the calls do nothing. */
static void nap(struct self *t, unsigned int us)
{
	if (t->registered)
		torture.rcu->thread_offline();
	usleep(us);
	if (t->registered)
		torture.rcu->thread_online();
}

/* As test_pin(), for any thread: it leaves its CPU at whatever instruction it is. */
static void move(pid_t tid, unsigned int n)
{
	cpu_set_t allowed, one;
	size_t cpu = 0;

	sched_getaffinity(getpid(), sizeof allowed, &allowed);
	n %= (unsigned int)CPU_COUNT(&allowed);
	while (!CPU_ISSET(cpu, &allowed) || n--)
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(tid, sizeof one, &one);
}

void torture_move(uint64_t r)
{
	unsigned int threads = torture.readers + torture.updaters + 1;
	pid_t tid = atomic_load(&tids[(r >> 8) % threads]);

	if (!tid)
		return;
	move(tid, (unsigned int)(r >> 32));
	count(&tally.moves);
}

static void join_rcu(struct self *t)
{
	torture.rcu->register_thread();
	t->registered = true;
}

static void leave_rcu(struct self *t)
{
	t->registered = false;
	torture.rcu->unregister_thread();
}

static void reader(struct self *t)
{
	torture_read(t);
	if (chance(&t->rng, 64))
		nap(t, (unsigned int)(test_random(&t->rng) % 300));
	/* A wait must leave a reader as it was: QSBR threads online. */
	if (chance(&t->rng, 1024))
		witness_barrier(test_random(&t->rng));
	if (chance(&t->rng, 1024)) {
		leave_rcu(t);
		join_rcu(t);
	}
}

/* Objects that nobody else sees are freed at once, and given out again at once. */
static void private_objects(struct self *t)
{
	struct object *o[HANDLER_OBJS];
	unsigned int n = 0, most = 1 + (unsigned int)(test_random(&t->rng) % HANDLER_OBJS);

	while (n < most && (o[n] = object_new(0)))
		n++;
	while (n)
		object_free_private(o[--n]);
}

static void updater(struct self *t)
{
	uint64_t r = test_random(&t->rng);
	bool sleeps = torture.limited || (r >> 48) % 8 == 0;

	if (!table_replace(r, 0, sleeps ? BMA_SLEEP : 0))
		table_replace(r, BMA_SLEEP, sleeps ? BMA_SLEEP : 0);
	if (chance(&t->rng, 32))
		private_objects(t);
	if (chance(&t->rng, 4096))
		witness_barrier(test_random(&t->rng));
	if (chance(&t->rng, 2048))
		nap(t, (unsigned int)(r >> 32 & 255));
	if (t->registered)
		torture.rcu->read_quiescent_state();
}

/* Who looks after the cache from outside. A broken flavour would have slabs unmapped under readers. */
static void keeper(struct self *t)
{
	uint64_t r = test_random(&t->rng);

	if (!torture.flush)
		nap(t, (unsigned int)(r >> 32 & 2047));
	switch (torture.flush ? 4 : r % 8) {
	case 0:
		CHECK(torture.broken || !bma_trim(), "trim outside any section");
		break;
	case 1:
		CHECK(bma_poll(BMA_POLL_GP) >= 0, "poll outside any section");
		break;
	case 2:
	case 3:
		bma_poll(0);
		break;
	default:
		witness_barrier(r);
	}
	if (t->registered)
		torture.rcu->read_quiescent_state();
}

/*
 * On whatever it interrupted, in a section or in the middle of a call, also of the alloc and the free that it makes
 * itself.
 */
void torture_signal(int sig)
{
	uint64_t r = atomic_fetch_add(&tally.signals, 1) * 0x9e3779b97f4a7c15u;
	unsigned int most = r >> 60 ? (unsigned int)(r >> 32 & 3) + 1 : HANDLER_OBJS;
	struct object *private = object_new(0);

	(void)sig;
	for (unsigned int i = 0; i < most && table_replace((r >> 40) + i, 0, 0); i++)
		;
	if (private)
		object_free_private(private);
}

void *torture_thread(void *arg)
{
	unsigned int n = (unsigned int)(uintptr_t)arg, writers = torture.readers + torture.updaters;
	void (*step)(struct self *) = n < torture.readers ? reader : n < writers ? updater : keeper;
	struct self t = {.n = n, .rng = torture.seed * (2 * n + 3)};
	timer_t timer = NULL;

	atomic_store(&tids[n], (pid_t)syscall(SYS_gettid));
	test_pin(n);
	/* Who only allocates and frees needs not be a reader, but may be. */
	if (n < torture.readers || n % 2)
		join_rcu(&t);
	if (torture.storm)
		timer = storm_start(&t.rng);
	while (!atomic_load_explicit(&torture.stop, memory_order_relaxed))
		step(&t);
	if (torture.storm)
		timer_delete(timer);
	if (t.registered)
		leave_rcu(&t);
	atomic_store(&tids[n], 0);
	return NULL;
}
