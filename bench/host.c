/* SPDX-License-Identifier: MIT */
#include "host.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t allowed;
static int nr_cpus;
static size_t cpu_of[CPU_SETSIZE];

void host_init(void)
{
	if (sched_getaffinity(0, sizeof(allowed), &allowed)) {
		perror("bench: sched_getaffinity");
		exit(1);
	}
	for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed))
			cpu_of[nr_cpus++] = cpu;
	}
}

int host_cpus(void)
{
	return nr_cpus;
}

static void bind(const cpu_set_t *set)
{
	if (sched_setaffinity(0, sizeof(*set), set)) {
		perror("bench: sched_setaffinity");
		exit(1);
	}
}

void host_pin(int i)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu_of[i % nr_cpus], &set);
	bind(&set);
}

void host_unpin(void)
{
	bind(&allowed);
}

size_t host_resident(void)
{
	/* Not statm: since 6.2 its figures may be off by some dozen pages per CPU. */
	static const char key[] = "\nRss:";
	char text[4096];
	ssize_t n = -1;
	char *line;
	int fd;

	fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n > 0) {
		text[n] = 0;
		line = strstr(text, key);
		if (line)
			return strtoul(line + sizeof(key) - 1, NULL, 10) * 1024;
	}
	fprintf(stderr, "bench: cannot read the resident size\n");
	exit(1);
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
