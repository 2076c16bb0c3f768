/* SPDX-License-Identifier: MIT */
/* What does a group take in memory? Ten thousand of them below the root, empty: resident bytes of each, all tables included. Once in each process. */
#include "group.h"

#define GROUPS 10000

static struct bma_group *groups[GROUPS];

static void places(struct bench_state *st, void *arg)
{
	size_t before;
	double start, bytes, ns;

	(void)arg;
	host_unpin();
	for (size_t i = 0; i < sizeof(groups); i += 4096)
		((volatile char *)groups)[i] = 0; /* these pages are not the library's */
	bma_group_root();
	while (bench_keep_running(st)) {
		before = host_resident();
		start = host_seconds();
		for (size_t i = 0; i < GROUPS; i++)
			groups[i] = group_made(NULL, 1);
		ns = (host_seconds() - start) * 1e9 / GROUPS;
		bytes = ((double)host_resident() - (double)before) / GROUPS;
		bench_set_iteration_time(st, ns * 1e-9);
		bench_set_counter(st, "make_ns", ns, 0);
		bench_set_counter(st, "group_bytes", bytes, 0);
	}
	for (size_t i = 0; i < GROUPS; i++) {
		if (bma_group_destroy(groups[i]))
			bench_die("bma_group_destroy failed");
	}
}

void group_places_register(void)
{
	static const char *const names[] = {"n"};
	struct bench *b = group_row("group/memory/groups", places, NULL);

	bench_arg_names(b, names, 1);
	bench_arg(b, GROUPS);
}
