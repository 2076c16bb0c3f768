/* SPDX-License-Identifier: MIT */
/*
 * A number of pairs and nothing else, to be run under callgrind with N and with 2 N pairs: the
 * difference, divided by N, is the instructions of a pair. No threads, no Google Benchmark.
 */
#include "peers/peer.h"

#include "bench_c.h"

int main(int argc, char **argv)
{
	long n = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
	long size = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	peer_pool pool;

	if (n <= 0 || size <= 0) {
		fprintf(stderr, "usage: %s pairs size\n", argv[0]);
		return 2;
	}
	peer_init(argv[0]);
	pool = peer_create((size_t)size, 1);
	for (long i = 0; i < n; i++)
		peer_free(pool, bench_use(bench_take(pool)));
	return 0;
}
