/* SPDX-License-Identifier: MIT */
/*
 * The benchmarks of one map: how many calls a second per producer, how much memory over what was
 * there before the map was made, how many updates failed. Memory is what is resident, for peers and
 * us alike.
 *
 * Included by a file that has included its map and defined HTAB_MAP, its name, and HTAB_REGISTER.
 */
#include "htab/producers.h"

#include <string.h>

#define MIN_ENTRIES 8192
#define ENTRIES_PER_CPU 64
#define ANY UINT32_MAX

static const struct workload {
	const char *name;
	void (*work)(struct crew_member *self);
	uint32_t left; /* keys that are in the map at the end */
} workloads[] = {
	{"htab/overwrite/map:" HTAB_MAP, overwrite, PRODUCERS *OPS},
	{"htab/batch/map:" HTAB_MAP, batch, 0},
	{"htab/diff_cpu/map:" HTAB_MAP, diff_cpu, 0},
	{"htab/unsynchronised/map:" HTAB_MAP, unsynchronised, ANY},
};

/*
 * Returns how many keys were in the map. Nobody else uses it any more, so nothing need be deferred.
 */
static uint32_t empty(const struct htab *h)
{
	struct element *e;
	uint32_t n = 0;

	rcu_register_thread();
	for (uint32_t key = 0; key < h->entries; key++) {
		n += map_has(h->map, key);
		e = map_delete(h->map, key);
		if (e)
			peer_free(h->map->pool, e);
	}
	rcu_unregister_thread();
	return n;
}

static void finish(struct htab *h, const struct workload *w)
{
	peer_pool pool = h->map->pool;
	uint32_t left = empty(h);

	if (w->left != ANY && left != w->left && !h->failed[0] && !h->failed[1])
		bench_die("a key is missing, or one too many is there");
	defer_settle(pool);
	map_destroy(h->map);
	defer_destroy(pool);
}

static void measure(struct bench_state *st, struct htab *h, const struct workload *w)
{
	struct crew crew = {.members = h->members, .n = PRODUCERS, .seconds = crew_seconds()};
	const char *conf = getenv("BMA_CONF");
	struct crew_report report;

	if (conf && strstr(conf, "worker:off"))
		crew.poll = DEFER_POLL;
	crew.baseline = host_resident();
	h->map = map_create(h->entries);
	while (bench_keep_running(st)) {
		crew_run(&crew, &report);
		bench_set_iteration_time(st, report.seconds);
	}
	bench_set_items_processed(st, (int64_t)(report.done[0] + report.done[1]) / PRODUCERS);
	bench_set_counter(st, "memory_mib", report.average / 0x1p20, 0);
	bench_set_counter(st, "memory_peak_mib", report.peak / 0x1p20, 0);
	bench_set_counter(st, "crew_cpus", (report.cpus[0] + report.cpus[1]) / PRODUCERS, 0);
	bench_set_counter(st, "failed", (double)(h->failed[0] + h->failed[1]), 0);
	finish(h, w);
}

static void htab(struct bench_state *st, void *arg)
{
	const struct workload *w = arg;
	struct htab h = {.entries = (uint32_t)host_cpus() * ENTRIES_PER_CPU};

	if (h.entries < MIN_ENTRIES)
		h.entries = MIN_ENTRIES;
	for (int i = 0; i < PRODUCERS; i++) {
		h.members[i].work = w->work;
		h.members[i].arg = &h;
	}
	if (host_cpus() < PRODUCERS)
		bench_skip_with_error(st, "needs two CPUs");
	else
		measure(st, &h, w);
}

void HTAB_REGISTER(void)
{
	for (size_t i = 0; i < BENCH_ARRAY_SIZE(workloads); i++) {
		struct bench *b = bench_register(workloads[i].name, htab, (void *)&workloads[i]);

		bench_fix_iterations(b, 1);
		bench_use_manual_time(b);
		bench_set_unit(b, BENCH_MILLISECOND);
	}
}
