/* SPDX-License-Identifier: MIT */
/*
 * BMA_CONF="key:value,key:value": the one environment variable, read once; not by a program that may do more than the user who starts it (AT_SECURE).
 *
 *   verbose          say why a call was refused
 *   stats:exit       write all figures to the standard error when the process ends
 *   export           figures in /dev/shm/bma-<uid>-<pid>, for bmatop
 *   worker:off|on    no threads, the program calls bma_poll(); or threads (default)
 *   index:cid|cpu    which slot index to use where both are there (default: cid on one node)
 *   rseq:off         guest slots only
 *   thp:on           ask for huge pages
 *   debug:WORD+...   what every cache is to check: check, redzone, poison, zero, track, quarantine, random,
 *                    guard, sample, key; all: all of these but zero, guard, sample and key (include/bma/cache.h, BMA_CACHE_DEBUG and on)
 *   tools:off        tell AddressSanitizer, MemorySanitizer, valgrind nothing, and be as fast as without
 *   gp_flush_ms:N    seal what fills with deferred frees after at most N milliseconds, 1 to 1000 (10)
 *   pressure:on      give memory back when the system says that it is short of it
 *   purge_ms:N       give pages that became free back to the system after N milliseconds, 0 (at once) to 600000 (1000)
 *   profile:N        heap profile: bytes from one sample to the next, on average, 1 to 2^40 (include/bma/profile.h)
 *   sample_ms:N      milliseconds from one sample to the next, 1 to 10000 (100)
 *   idle_ms:N        take back what a slot holds that was not used for N milliseconds, 1 to 3600000; 0: never (1000)
 *   cache_budget:N   MiB of objects that all slots may hold, 1 to 1048576 (1/32 of the memory, 16 to 4096)
 */
#ifndef BMA_BASE_ENV_H
#define BMA_BASE_ENV_H

#include <stdbool.h>

enum bma__env_index { BMA__ENV_INDEX_AUTO, BMA__ENV_INDEX_CID, BMA__ENV_INDEX_CPU };

struct bma__env {
	bool verbose;
	bool worker;
	bool rseq;
	bool thp;
	bool tools;
	bool stats_exit;
	bool share; /* export */
	bool pressure;
	enum bma__env_index index;
	uint64_t debug; /* BMA_CACHE_* */
	uint64_t flush_ns;
	uint64_t sample_ns;
	uint64_t idle_ns;      /* 0: never */
	uint64_t cache_budget; /* bytes; 0: by the memory there is */
	uint64_t purge_ns;
	uint64_t profile; /* bytes; 0: off */
};

extern struct bma__env bma__env;

/* Parse @text (NULL: nothing set) into bma__env; a word that is not known is named in one line. */
void bma__env_parse(const char *text);

#endif /* BMA_BASE_ENV_H */
