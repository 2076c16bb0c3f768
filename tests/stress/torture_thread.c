/* SPDX-License-Identifier: MIT */
/* The threads of the torture. */
#include "torture.h"

#include <errno.h>
#include <pthread.h>

#include "storm.h"
#include "test.h"

/* What CHECK prints. */
#define test_seed torture.seed

#define HELD 4u
#define HANDLER_OBJS 40 /* more than a magazine, where these are small */

struct self {
	unsigned int n;
	uint64_t rng;
	bool registered;
};

struct held {
	uint64_t place;
	struct object *object;
	uint64_t generation;
};

static _Atomic pid_t tids[THREADS_MAX];

static bool chance(uint64_t *rng, uint64_t one_in)
{
	return test_random(rng) % one_in == 0;
}

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

/* Stay in a section: mostly not for long, at times across a grace period's worth of updates. */
static void linger(struct self *t)
{
	uint64_t r = test_random(&t->rng);

	if (r % 512 == 0)
		usleep((unsigned int)(r >> 32 & 2047));
	else if (r % 32 == 1)
		sched_yield();
	else if (r % 8 == 2)
		for (uint64_t i = r >> 32 & 4095; i; i--)
			atomic_signal_fence(memory_order_seq_cst);
	if (torture.migrate && !(r >> 48 & 15))
		torture_move(r);
}

static void check(const struct held *held, unsigned int n, const char *when)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!object_is(held[i].object, held[i].generation))
			torture_changed(held[i].object, held[i].generation, when);
	}
}

static void hold(struct held *held, uint64_t place)
{
	held->place = place;
	held->object = table_look(place);
	held->generation = object_generation(held->object);
}

/* An update in a section, at times of the very object that is held: it has to last all the same. */
static void update_inside(struct self *t, const struct held *held, unsigned int n)
{
	uint64_t r = test_random(&t->rng);

	table_replace(r >> 8 & 1 ? held[r % n].place : r, 0, 0);
}

/* What would have to wait says so instead, and does nothing. */
static void try_to_wait(const struct held *held)
{
	CHECK(bma_rcu_barrier(torture.cache) == -EDEADLK, "barrier in a section");
	CHECK(bma_cache_free_rcu_flags(torture.cache, held->object, BMA_SLEEP) == -EDEADLK,
	      "a free that may wait, in a section");
}

static void look(struct self *t, struct held *held, unsigned int *n)
{
	bool nested = chance(&t->rng, 8);

	if (nested)
		torture.rcu->read_lock();
	if (*n < HELD)
		hold(&held[(*n)++], test_random(&t->rng));
	linger(t);
	/* A QSBR section ends where its thread waits. */
	if (!torture.qsbr && chance(&t->rng, 256))
		try_to_wait(&held[0]);
	if (nested)
		torture.rcu->read_unlock();
	check(held, *n, "within a section");
	if (!torture.limited && chance(&t->rng, 8))
		update_inside(t, held, *n);
}

static void read_some(struct self *t)
{
	struct held held[HELD];
	unsigned int n = 0;

	torture.rcu->read_lock();
	section_enter(t->n);
	for (uint64_t looks = 1 + test_random(&t->rng) % 8; looks; looks--)
		look(t, held, &n);
	check(held, n, "at the end of a section");
	section_leave(t->n);
	torture.rcu->read_unlock();
	torture.rcu->read_quiescent_state();
	count(&tally.sections);
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
	read_some(t);
	if (chance(&t->rng, 64))
		nap(t, (unsigned int)(test_random(&t->rng) % 300));
	/* A wait must leave a reader as it was: QSBR threads online. */
	if (chance(&t->rng, 1024))
		section_barrier(test_random(&t->rng));
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
		section_barrier(test_random(&t->rng));
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
		section_barrier(r);
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
