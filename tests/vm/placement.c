/* SPDX-License-Identifier: MIT */
/*
 * Which node memory is really on, asked of the kernel page by page, on a machine of four nodes with two CPUs each.
 *
 * Properties: an object that is new is on the node of the CPU that asked for it, slots and per-CPU copies too; what one node allocates and
 * another frees is reused on the first; interleaved slabs are spread evenly; strict means there or NULL, also when the node is full, and nobody is
 * killed; nodes without memory are served by a nearest one, nodes without CPUs only when they are named; a process that was confined to one node and then is not goes on.
 *
 * Argument: "nodes", "full", "odd" (node 1 has no memory, node 3 no CPUs), "cpuset" or "traffic".
 */
#include "guest.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NODES = 4, CPUS = 8, SIZE = 1024, MANY = 3000 };

static void *objs[MANY];
static long looked, wrong;

static int node_of_cpu(int cpu)
{
	return cpu / (CPUS / NODES);
}

/* Where the kernel has the page of @p, which was touched. */
static int where(void *p)
{
	int node = -1;

	MUST(!syscall(SYS_move_pages, 0, 1ul, &p, NULL, &node, 0), "move_pages");
	return node;
}

static void expect_on(void *p, int node)
{
	*(volatile char *)p = 1;
	looked++;
	wrong += where(p) != node;
}

static void all_right(const char *what)
{
	printf("%s: %ld pages, %ld of them elsewhere\n", what, looked, wrong);
	MUST(looked && !wrong, "%s: %ld of %ld pages are on another node", what, wrong, looked);
	looked = wrong = 0;
}

static void pin(int cpu)
{
	MUST(guest_pin(cpu), "no CPU %d", cpu);
}

static struct bma_cache *create(uint32_t policy, uint32_t node, uint32_t flags)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .name = "placed", .size = SIZE};
	struct bma_cache *c;

	a.numa = (struct bma_numa){policy, node, flags};
	c = bma_cache_create(&a);
	MUST(c, "cache: %s", strerror(errno));
	return c;
}

static void take(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++) {
		objs[i] = bma_cache_alloc_flags(c, BMA_SLEEP);
		MUST(objs[i], "object %d: %s", i, strerror(errno));
	}
}

static void give(struct bma_cache *c, int n)
{
	for (int i = 0; i < n; i++)
		bma_cache_free(c, objs[i]);
}

static struct bma_node_stats figures(unsigned int nth)
{
	struct bma_node_stats s;

	MUST(!bma_node_stats_get(nth, &s, sizeof s), "node %u", nth);
	return s;
}

static void of_each_cpu(void)
{
	for (int cpu = 0; cpu < CPUS; cpu++) {
		struct bma_cache *c;

		pin(cpu);
		c = create(BMA_NUMA_LOCAL, 0, 0);
		take(c, MANY);
		for (int i = 0; i < MANY; i++)
			expect_on(objs[i], node_of_cpu(cpu));
		give(c, MANY);
		MUST(!bma_cache_destroy(c), "destroy");
	}
	all_right("objects of each CPU");
}

static void copies(void)
{
	struct bma_cache_attr a = {.attr_size = sizeof a, .size = 4096, .flags = BMA_CACHE_PERCPU};
	struct bma_cache *c = bma_cache_create(&a);
	char *p = bma_cache_alloc_flags(c, BMA_SLEEP);

	MUST(p, "per-CPU object");
	pin(0);
	for (int cpu = 0; cpu < CPUS; cpu++)
		expect_on(bma_per_cpu_ptr(p, (uint64_t)cpu), node_of_cpu(cpu));
	all_right("per-CPU copies, touched by one CPU");
	bma_cache_free(c, p);
	MUST(!bma_cache_destroy(c), "destroy");
}

static void interleaved(void)
{
	struct bma_cache *c = create(BMA_NUMA_INTERLEAVE, 0, 0);
	int on[NODES] = {0};

	take(c, MANY);
	for (int i = 0; i < MANY; i++) {
		*(volatile char *)objs[i] = 1;
		on[where(objs[i])]++;
	}
	printf("interleaved: %d %d %d %d\n", on[0], on[1], on[2], on[3]);
	for (int i = 0; i < NODES; i++)
		MUST(on[i] > MANY / 8 && on[i] < MANY / 2, "node %d has %d", i, on[i]);
	give(c, MANY);
	MUST(!bma_cache_destroy(c), "destroy");
}

/* One node allocates, another frees, round after round: what the first gets stays its own. */
static void from_hand_to_hand(void)
{
	struct bma_cache *c = create(BMA_NUMA_LOCAL, 0, 0);
	uint64_t slabs;

	for (int round = 0; round < 20; round++) {
		pin(0);
		take(c, MANY);
		for (int i = 0; i < MANY; i += 10)
			expect_on(objs[i], 0);
		pin(CPUS - 1);
		give(c, MANY);
	}
	all_right("what another node freed");
	slabs = figures(0).slab_bytes;
	printf("home returns %llu, slabs of the node %llu bytes\n",
	       (unsigned long long)figures(0).home_returns, (unsigned long long)slabs);
	MUST(figures(0).home_returns > 15 * MANY, "only %llu came home",
	     (unsigned long long)figures(0).home_returns);
	MUST(slabs < 4ull * MANY * SIZE, "%llu bytes of slabs", (unsigned long long)slabs);
	MUST(!bma_cache_destroy(c), "destroy");
}

static void named(void)
{
	struct bma_cache *c = create(BMA_NUMA_LOCAL, 0, 0);

	pin(0);
	for (unsigned int node = 0; node < NODES; node++) {
		for (int i = 0; i < 200; i++) {
			objs[i] = bma_cache_alloc_node(c, node,
						       BMA_SLEEP | (i & 1 ? BMA_THIS_NODE : 0));
			MUST(objs[i], "node %u: %s", node, strerror(errno));
			expect_on(objs[i], (int)node);
		}
		give(c, 200);
	}
	all_right("nodes that are named");
	MUST(!bma_cache_destroy(c), "destroy");
}

static void nodes(void)
{
	MUST(bma_heap_global(), "first use");
	guest_mode(BMA_MODE_RSEQ_CPU, "more than one NUMA node");
	for (unsigned int nth = 0; nth < NODES; nth++)
		MUST(figures(nth).node == nth && figures(nth).cpus == CPUS / NODES, "node %u", nth);
	of_each_cpu();
	copies();
	interleaved();
	from_hand_to_hand();
	named();
}

/* Memory of a node until the system puts a page elsewhere. */
static void fill_node(int node)
{
	size_t bytes = (size_t)1 << 30;
	unsigned long mask = 1ul << node;
	char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t at = 0;

	MUST(p != MAP_FAILED, "map");
	MUST(!syscall(SYS_mbind, p, bytes, MPOL_PREFERRED, &mask, 65ul, 0), "mbind");
	for (; at < bytes; at += 4096) {
		p[at] = 1;
		if (at % ((size_t)1 << 18) == 0 && where(p + at) != node)
			break;
	}
	printf("node %d took %zu MiB\n", node, at >> 20);
	MUST(at < bytes, "node %d is not full", node);
}

static void full(void)
{
	struct bma_cache *strict = create(BMA_NUMA_NODE, 2, BMA_NUMA_STRICT);
	struct bma_cache *c = create(BMA_NUMA_LOCAL, 0, 0);
	int n = 0;

	pin(4);
	fill_node(2);
	errno = 0;
	while (n < MANY && (objs[n] = bma_cache_alloc_flags(strict, BMA_SLEEP)))
		expect_on(objs[n++], 2);
	MUST(n < MANY && errno == ENOMEM, "%d objects of a full node, errno %d", n, errno);
	all_right("strict, of a full node");
	MUST(figures(2).refused, "not counted");
	give(strict, n);
	/* Who only prefers it gets what there is. */
	take(c, MANY);
	MUST(figures(2).elsewhere, "not counted");
	give(c, MANY);
	MUST(!bma_cache_alloc_node(c, 2, BMA_SLEEP | BMA_THIS_NODE) && errno == ENOMEM,
	     "an object of a full node");
	MUST(!bma_cache_destroy(c) && !bma_cache_destroy(strict), "destroy");
}

/* CPUs 2 and 3 have no memory of their own, and node 3 has no CPUs; the others share what CPUs there are. */
static void odd(void)
{
	struct bma_cache *c = create(BMA_NUMA_LOCAL, 0, 0);
	struct bma_node_stats s;
	int cpus = 0;

	for (unsigned int nth = 0; !bma_node_stats_get(nth, &s, sizeof s); nth++) {
		printf("node %llu serves %llu CPUs\n", (unsigned long long)s.node,
		       (unsigned long long)s.cpus);
		MUST(s.node != 1, "a node without memory");
		MUST(s.node != 3 || !s.cpus, "a node without CPUs serves %llu",
		     (unsigned long long)s.cpus);
		cpus += (int)s.cpus;
	}
	MUST(cpus == CPUS, "%d CPUs are served", cpus);
	for (int cpu = 0; cpu < CPUS; cpu++) {
		unsigned int now, node;

		pin(cpu);
		MUST(!getcpu(&now, &node), "getcpu");
		take(c, MANY);
		for (int i = MANY - 100; i < MANY; i++) {
			int at = (*(volatile char *)objs[i] = 1, where(objs[i]));

			MUST(node == 1 ? at == 0 || at == 2 : at == (int)node,
			     "CPU %d of node %u got memory of node %d", cpu, node, at);
		}
		give(c, MANY);
	}
	MUST(!bma_cache_alloc_node(c, 1, BMA_SLEEP) && errno == EINVAL, "memory of node 1");
	pin(0);
	for (int i = 0; i < 100; i++) {
		objs[i] = bma_cache_alloc_node(c, 3, BMA_SLEEP | BMA_THIS_NODE);
		MUST(objs[i], "node 3: %s", strerror(errno));
		expect_on(objs[i], 3);
	}
	all_right("a node without CPUs, named");
	give(c, 100);
	MUST(!bma_cache_destroy(c), "destroy");
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %s", path,
	     strerror(errno));
	close(fd);
}

/* On the CPUs of node 1 at first: concurrency ids, for good. Then let go, then confined to the memory of another node. */
static void cpuset(void)
{
	struct bma_cache *c;

	write_to("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset");
	MUST(!mkdir("/sys/fs/cgroup/box", 0755), "cgroup");
	write_to("/sys/fs/cgroup/box/cpuset.mems", "0-3");
	write_to("/sys/fs/cgroup/box/cpuset.cpus", "2-3");
	write_to("/sys/fs/cgroup/box/cgroup.procs", "0");
	c = create(BMA_NUMA_LOCAL, 0, 0);
	guest_mode(BMA_MODE_RSEQ_CID, "the kernel keeps concurrency ids");
	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		expect_on(objs[i], 1);
	all_right("on the CPUs of a node");
	give(c, MANY);
	MUST(!bma_cache_destroy(c), "destroy");
	write_to("/sys/fs/cgroup/box/cpuset.cpus", "0-7");
	pin(6);
	c = create(BMA_NUMA_LOCAL, 0, 0);
	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		expect_on(objs[i], 3);
	all_right("on all CPUs, later");
	write_to("/sys/fs/cgroup/box/cpuset.mems", "0");
	give(c, MANY);
	MUST(!bma_trim(), "trim");
	take(c, MANY);
	for (int i = 0; i < MANY; i++)
		expect_on(objs[i], 0);
	all_right("with memory of another node, later still");
	give(c, MANY);
	guest_ledger(c, 0);
	guest_trimmed(c);
	MUST(!bma_cache_destroy(c), "destroy");
}

enum { LUGGAGE = 1000 };

static void move(uint64_t *rng)
{
	pin((int)((test_random(rng) >> 32) % CPUS));
}

/* Take much on one CPU, and leave it on another. */
static void carry(uint64_t *rng)
{
	void *luggage[LUGGAGE];

	for (int i = 0; i < LUGGAGE; i++)
		luggage[i] = bma_cache_alloc_flags(crew.cache, BMA_SLEEP);
	move(rng);
	for (int i = 0; i < LUGGAGE; i++)
		bma_cache_free(crew.cache, luggage[i]);
}

static void *wanders(void *arg)
{
	uint64_t rng = crew_seed((uintptr_t)arg);

	for (long n = 0; !atomic_load_explicit(&crew.stop, memory_order_relaxed); n++) {
		crew_step(&rng, n & 3 ? 0 : BMA_SLEEP);
		if (!(n & 255))
			crew_burst(&rng, BMA_SLEEP);
		if (!(n & 511))
			carry(&rng);
		if (!(n & 63))
			bma_cache_free(crew.cache, bma_cache_alloc_node(
							   crew.cache, (unsigned int)n / 64 % NODES,
							   n & 256 ? BMA_SLEEP : 0));
	}
	return NULL;
}

/* Objects go from node to node by all ways that there are: none is lost, none given out twice. */
static void traffic(void)
{
	struct bma_cache_stats s;
	pthread_t t[CPUS];

	crew_create("traffic");
	crew_start(t, CPUS, wanders);
	usleep(4000000);
	crew_join(t, CPUS);
	MUST(guest_held() == crew.live, "held %ld, counted %ld", guest_held(), (long)crew.live);
	MUST(!bma_cache_stats_get(crew.cache, &s, sizeof s), "stats");
	guest_ledger(crew.cache, (long)crew.live);
	for (unsigned int nth = 0; nth < NODES; nth++)
		printf("node %u: local %llu remote %llu home %llu\n", nth,
		       (unsigned long long)figures(nth).local,
		       (unsigned long long)figures(nth).remote,
		       (unsigned long long)figures(nth).home_returns);
	for (int i = 0; i < CREW_BOXES; i++)
		crew_put(atomic_exchange(&crew.box[i], NULL), i & 1);
	guest_trimmed(crew.cache);
	for (unsigned int nth = 0; nth < NODES; nth++)
		MUST(figures(nth).home_returns, "nothing came home to node %u", nth);
	crew_end();
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} parts[] = {{"nodes", nodes},
		     {"full", full},
		     {"odd", odd},
		     {"cpuset", cpuset},
		     {"traffic", traffic}};

	guest_only();
	for (size_t i = 0; argc > 1 && i < sizeof parts / sizeof parts[0]; i++) {
		if (!strcmp(argv[1], parts[i].name)) {
			parts[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: placement nodes|full|odd|cpuset|traffic\n");
	return 2;
}
