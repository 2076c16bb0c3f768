/* SPDX-License-Identifier: MIT */
/*
 * BMA_CONF="key:value,key:value": the one environment variable, read once.
 *
 *   verbose          say why a call was refused
 *   worker:off|on    no threads, the program calls bma_poll(); or threads (default)
 *   index:cid|cpu    which slot index to use where both are there (default: cid on one node)
 *   rseq:off         guest slots only
 *   thp:on           ask for huge pages
 *   debug:WORD+...   what every cache is to check: check, redzone, poison, zero, track, quarantine, random,
 *                    guard, sample, key; all: all of these but zero, guard, sample and key (include/bma/cache.h, BMA_CACHE_DEBUG and on)
 *   tools:off        tell AddressSanitizer, MemorySanitizer, valgrind nothing, and be as fast as without
 *   gp_flush_ms:N    seal what fills with deferred frees after at most N milliseconds, 1 to 1000 (10)
 *   sample_ms:N      milliseconds from one sample to the next, 1 to 10000 (100)
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
	enum bma__env_index index;
	uint64_t debug; /* BMA_CACHE_* */
	uint64_t flush_ns;
	uint64_t sample_ns;
};

extern struct bma__env bma__env;

/* Parse @text (NULL: nothing set) into bma__env; a word that is not known is named in one line. */
void bma__env_parse(const char *text);

#endif /* BMA_BASE_ENV_H */
