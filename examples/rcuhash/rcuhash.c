/* SPDX-License-Identifier: MIT */
/*
 * A hash table whose readers take no lock, with nodes of a BMA cache: a program to start from. Who takes
 * a node out of the table passes it to bma_cache_free_rcu(); no rcu_head, no callback, no waiting. It is
 * handed out again when no reader can look at it any more, and by the sum in each node readers check that.
 *
 * It prints look-ups and updates each second, the most nodes that waited for a grace period at once, and how many wrong nodes readers saw: none.
 */
#include <bma/bma.h>
#include <err.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <urcu/rculfhash.h>
#include <urcu/urcu-memb.h>

#define KEYS 16384 /* about half of them are in the table at a time */
#define HELD 8	   /* nodes that a reader looks at in one read section */
#define MOST 100   /* seconds, and threads of each kind */

struct node {
	struct cds_lfht_node link; /* first: no link is no node */
	uint64_t key, value, sum;
};

struct worker {
	pthread_t thread;
	unsigned int seed;
	unsigned long done, wrong;
};

static struct bma_cache *cache;
static struct cds_lfht *table;
static atomic_bool stop;

static uint64_t mix(uint64_t key, uint64_t value)
{
	return (key ^ value << 32) * 0x9e3779b97f4a7c15;
}

static int match(struct cds_lfht_node *link, const void *key)
{
	return ((struct node *)link)->key == *(const uint64_t *)key;
}

static struct cds_lfht_node *find(uint64_t key)
{
	struct cds_lfht_iter iter;

	cds_lfht_lookup(table, mix(key, 0), match, &key, &iter);
	return cds_lfht_iter_get_node(&iter);
}

static void *reader(void *arg)
{
	struct worker *me = arg;
	struct node *held[HELD];
	uint64_t key[HELD];

	urcu_memb_register_thread();
	for (; !atomic_load(&stop); me->done += HELD) {
		urcu_memb_read_lock();
		for (int i = 0; i < HELD; i++) {
			key[i] = (uint64_t)rand_r(&me->seed) % KEYS;
			held[i] = (struct node *)find(key[i]);
		}
		/* Any of them may be out of the table by now; none may have changed, nor be another's. */
		for (int i = 0; i < HELD; i++)
			me->wrong += held[i] && held[i]->sum != mix(key[i], held[i]->value);
		urcu_memb_read_unlock();
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void update(uint64_t key, struct node *node) /* without a node: delete */
{
	struct cds_lfht_node *old;

	urcu_memb_read_lock(); /* the table asks for it */
	if (node)
		old = cds_lfht_add_replace(table, mix(key, 0), match, &key, &node->link);
	else if ((old = find(key)) && cds_lfht_del(table, old))
		old = NULL; /* somebody else took it out: who does, frees it */
	bma_cache_free_rcu(cache, old);
	urcu_memb_read_unlock();
}

static void *updater(void *arg)
{
	struct worker *me = arg;

	urcu_memb_register_thread();
	for (; !atomic_load(&stop); me->done++) {
		uint64_t value = (uint64_t)rand_r(&me->seed), key = value % KEYS;
		struct node *node = NULL;

		if (value & KEYS) {
			/* Never waits, may find nothing. Here, outside of read sections, one may. */
			node = bma_cache_alloc(cache);
			if (!node && !(node = bma_cache_alloc_flags(cache, BMA_SLEEP)))
				err(1, "a node");
			*node = (struct node){.key = key, .value = value, .sum = mix(key, value)};
		}
		update(key, node);
	}
	/* Each deletes what is left, so that after the last one nothing is. */
	for (uint64_t key = 0; key < KEYS; key++)
		update(key, NULL);
	urcu_memb_unregister_thread();
	return NULL;
}

int main(int argc, char **argv)
{
	struct bma_cache_attr attr = {
		.attr_size = sizeof attr, .size = sizeof(struct node), .rcu = &urcu_memb_flavor};
	unsigned long arg[] = {3, 2, 2}, done[2] = {0}, wrong = 0; /* seconds, readers, updaters */
	static struct worker team[2 * MOST];
	struct bma_cache_stats stats;
	char *end;

	for (int i = 1; i < argc; i++)
		if (i > 3 || (arg[i - 1] = strtoul(argv[i], &end, 10)) - 1 >= MOST || *end)
			errx(2, "usage: [SECONDS [READERS [UPDATERS]]], each 1 to %d", MOST);
	cache = bma_cache_create(&attr);
	table = cds_lfht_new_flavor(KEYS, KEYS, KEYS, 0, &urcu_memb_flavor, NULL);
	if (!cache || !table)
		err(1, "a cache and a table");
	for (unsigned int i = 0; i < arg[1] + arg[2]; i++) {
		team[i].seed = i;
		if (pthread_create(&team[i].thread, NULL, i < arg[1] ? reader : updater, &team[i]))
			errx(1, "a thread");
	}
	sleep((unsigned int)arg[0]);
	atomic_store(&stop, 1);
	for (unsigned int i = 0; i < arg[1] + arg[2]; i++) {
		pthread_join(team[i].thread, NULL);
		done[i >= arg[1]] += team[i].done;
		wrong += team[i].wrong;
	}
	/* When none waits any more all nodes are free, and the cache can go. */
	if (cds_lfht_destroy(table, NULL) || bma_rcu_barrier(cache) ||
	    bma_cache_stats_get(cache, &stats, sizeof stats) || bma_cache_destroy(cache))
		errx(1, "something is left");
	printf("lookups/s %lu\nupdates/s %lu\nlimbo peak %lu nodes\nwrong nodes %lu\n",
	       done[0] / arg[0], done[1] / arg[0], (unsigned long)stats.limbo_peak, wrong);
	return wrong || !done[0] || !done[1];
}
