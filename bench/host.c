/* SPDX-License-Identifier: MIT */
#include "host.h"
#include "topology.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t allowed;
static const struct topology *machine;

void host_init(void)
{
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		perror("bench: sched_getaffinity");
		exit(1);
	}
	machine = topology_get();
}

int host_cpus(void)
{
	return machine->nr_cpus;
}

/* Numbers measured here under the name of another machine would be lies. */
static void bind(const cpu_set_t *set)
{
	if (!machine->this_system) {
		fprintf(stderr,
			"bench: %s describes another machine: its plan can be shown, not run\n",
			topology_source());
		_exit(2);
	}
	if (sched_setaffinity(0, sizeof(*set), set)) {
		perror("bench: sched_setaffinity");
		exit(1);
	}
}

/* @at: place in the order, not the system's number. */
static void bind_to(int at)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (machine->this_system)
		CPU_SET((size_t)machine->cpu[at].os, &set);
	bind(&set);
}

void host_pin(int i)
{
	bind_to(i % machine->nr_cpus);
}

void host_unpin(void)
{
	bind(&allowed);
}

int host_nodes(void)
{
	return machine->nr_nodes;
}

int host_node_cpus(int node)
{
	return machine->node[node].cpus;
}

int host_node_cores(int node)
{
	return machine->node[node].cores;
}

void host_pin_node(int node, int i)
{
	bind_to(topology_of_node(machine, node, i % machine->node[node].cpus));
}

/* The figure in KiB that stands behind @key in a file; ends the process if it cannot be read. */
static size_t read_kib(const char *path, const char *key)
{
	char text[4096];
	ssize_t n = -1;
	char *line;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n > 0) {
		text[n] = 0;
		line = strstr(text, key);
		if (line)
			return strtoul(line + strlen(key), NULL, 10) * 1024;
	}
	fprintf(stderr, "bench: %s says nothing of %s\n", path, key + 1);
	exit(1);
}

size_t host_resident(void)
{
	/* Not statm: since 6.2 its figures may be off by some dozen pages per CPU. */
	return read_kib("/proc/self/smaps_rollup", "\nRss:");
}

size_t host_page_tables(void)
{
	return read_kib("/proc/self/status", "\nVmPTE:");
}

double host_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double host_tick_ns(void)
{
	static double ns;
	uint64_t tick;
	double start, now;

	if (ns == 0) {
		start = host_seconds();
		tick = host_tick_begin();
		do
			now = host_seconds();
		while (now - start < 0.02);
		ns = (now - start) * 1e9 / (double)(host_tick_end() - tick);
	}
	return ns;
}

double host_touch(size_t bytes, bool huge)
{
	const size_t align = (size_t)2 << 20;
	char *map = mmap(NULL, bytes + align, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *p;
	double start;

	if (map == MAP_FAILED)
		return 0;
	p = (char *)(((uintptr_t)map + align - 1) & ~(uintptr_t)(align - 1));
	if (huge)
		madvise(p, bytes, MADV_HUGEPAGE);
	start = host_seconds();
	for (size_t at = 0; at < bytes; at += 64)
		*(volatile char *)(p + at) = 1;
	start = (host_seconds() - start) * 1e9;
	munmap(map, bytes + align);
	return start;
}
