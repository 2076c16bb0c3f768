/* SPDX-License-Identifier: MIT */
/*
 * BPF's maps in user space: load a file into a hash map or a longest prefix match; look things up in several threads while another one updates.
 *
 * It teaches <bma/compat/bpf_mem_alloc.h>: the kernel's calls by their names, an allocator for each map, elements that are freed after a grace period.
 * It prints look-ups and updates each second, or the value of each key that is asked for, and with a check how many answers were wrong: none.
 */
#include "table.h"

#include <bma/compat/bpf_mem_alloc.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <urcu/urcu-memb.h>

#define THREADS_MAX 100

static struct table table;
static atomic_bool stop;
static bool checking;

struct worker {
	pthread_t thread;
	uint64_t random;
	unsigned long done, found, wrong, failed;
};

/* xorshift64* (Vigna). */
static uint64_t draw(struct worker *me)
{
	me->random ^= me->random >> 12;
	me->random ^= me->random << 25;
	me->random ^= me->random >> 27;
	return me->random * 0x2545f4914f6cdd1du;
}

static void *reader(void *arg)
{
	struct worker *me = arg;
	uint64_t value[sizeof(struct value) / 8 + num_possible_cpus()];
	unsigned char key[KEY_BYTES];

	urcu_memb_register_thread();
	for (; !atomic_load_explicit(&stop, memory_order_relaxed); me->done++) {
		int rc;

		check_probe(&table, (draw(me) >> 20) % table.n, draw(me), key);
		rc = table.map->ops->lookup(table.map, key, value);
		me->found += !rc;
		if (checking)
			me->wrong += !check_lookup(&table, key, rc, value, false);
	}
	urcu_memb_unregister_thread();
	return NULL;
}

/* Records of odd numbers come and go, all are replaced. Nothing here sleeps for memory, so -ENOMEM is possible; it is counted. */
static void *updater(void *arg)
{
	struct worker *me = arg;

	urcu_memb_register_thread();
	for (; !atomic_load_explicit(&stop, memory_order_relaxed); me->done++) {
		size_t i = (draw(me) >> 20) % table.n;
		struct record *r = &table.record[i];
		bool present = r->present;
		int rc;

		if (present && i % 2 && draw(me) >> 63) {
			rc = table.map->ops->delete (table.map, &r->key);
			present = rc != 0;
		} else {
			rc = table.map->ops->update(table.map, &r->key, table_value(&table, r),
						    present ? BPF_EXIST : BPF_NOEXIST);
			present |= rc == 0;
		}
		me->failed += rc == -ENOMEM;
		me->wrong += rc && rc != -ENOMEM;
		r->present = present;
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void load(uint32_t flags)
{
	uint32_t size = flags & MAP_PERCPU ? sizeof(uint64_t) : sizeof(struct value);

	table.map = table.lpm ? lpm_new(table.key_size, size, (uint32_t)table.n)
			      : htab_new(table.key_size, size, (uint32_t)table.n, flags);
	if (!table.map)
		err(1, "a map");
	for (size_t i = 0; i < table.n; i++) {
		struct record *r = &table.record[i];
		int rc = -ENOMEM;

		/* This is user space: it may wait a moment for the worker. */
		for (int tries = 0; rc == -ENOMEM && tries < 1000; tries++) {
			rc = table.map->ops->update(table.map, &r->key, table_value(&table, r),
						    BPF_NOEXIST);
			if (rc == -ENOMEM)
				usleep(1000);
		}
		if (rc)
			errx(1, "%s: %s", r->name, strerror(-rc));
		r->present = true;
	}
}

static void run(unsigned int threads, double seconds, unsigned long *wrong)
{
	static struct worker team[THREADS_MAX + 1];
	unsigned long lookups = 0;

	for (unsigned int i = 0; i <= threads; i++) {
		team[i].random = i + 1;
		if (pthread_create(&team[i].thread, NULL, i ? reader : updater, &team[i]))
			errx(1, "a thread");
	}
	usleep((useconds_t)(seconds * 1e6));
	atomic_store(&stop, true);
	for (unsigned int i = 0; i <= threads; i++) {
		pthread_join(team[i].thread, NULL);
		lookups += i ? team[i].done : 0;
		*wrong += team[i].wrong;
	}
	printf("lookups/s %.0f\nupdates/s %.0f\nupdates without memory %lu\n",
	       (double)lookups / seconds, (double)team[0].done / seconds, team[0].failed);
	if (!lookups || !team[0].done)
		errx(1, "some threads did nothing");
}

static void show(const char *text)
{
	uint64_t value[sizeof(struct value) / 8 + num_possible_cpus()], sum = 0;
	unsigned char key[KEY_BYTES];
	int rc = -EINVAL;

	if (table_key(&table, text, key))
		rc = table.map->ops->lookup(table.map, key, value);
	for (unsigned int cpu = 0; !rc && cpu < num_possible_cpus(); cpu++)
		sum += value[cpu];
	if (rc)
		printf("%s: %s\n", text, strerror(-rc));
	else if (table.map->flags & MAP_PERCPU)
		printf("%s: %llu\n", text, (unsigned long long)sum);
	else
		printf("%s: %s\n", text, ((struct value *)(void *)value)->text);
}

static void __attribute__((noreturn)) usage(void)
{
	errx(2,
	     "usage: bpfmap [-t THREADS] [-s SECONDS] [-p] [-c] [--check] hash|lpm FILE [KEY...]\n"
	     "  -p: preallocated, -c: a value for each CPU; of hash maps");
}

int main(int argc, char **argv)
{
	unsigned int threads = 2;
	unsigned long wrong = 0;
	double seconds = 0;
	uint32_t flags = 0;
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (!strcmp(argv[i], "--check"))
			checking = true;
		else if (!strcmp(argv[i], "-p"))
			flags |= MAP_PREALLOC;
		else if (!strcmp(argv[i], "-c"))
			flags |= MAP_PERCPU;
		else if (!strcmp(argv[i], "-t") && i + 1 < argc)
			threads = (unsigned int)atoi(argv[++i]);
		else if (!strcmp(argv[i], "-s") && i + 1 < argc)
			seconds = atof(argv[++i]);
		else
			usage();
	}
	if (argc - i < 2 || threads - 1 >= THREADS_MAX ||
	    (strcmp(argv[i], "hash") && strcmp(argv[i], "lpm")))
		usage();
	if (!strcmp(argv[i], "lpm") && flags)
		usage();
	table_read(&table, argv[i + 1], !strcmp(argv[i], "lpm"));
	urcu_memb_register_thread();
	load(flags);
	for (int k = i + 2; k < argc; k++)
		show(argv[k]);
	if (seconds > 0)
		run(threads, seconds, &wrong);
	if (checking) {
		wrong += check_quiet(&table);
		printf("wrong answers %lu\n", wrong);
	}
	table.map->ops->free(table.map);
	free(table.record);
	urcu_memb_unregister_thread();
	return wrong != 0;
}
