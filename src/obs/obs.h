/* SPDX-License-Identifier: MIT */
/* Layer 4: reads the layers below and changes nothing. */
#ifndef BMA_OBS_OBS_H
#define BMA_OBS_OBS_H

#include "cache/cache.h"
#include "group/group.h"

#include "export.h"
#include "text.h"

/* The part of groups in what bma_stats_write() writes. Returns 0 or a negative errno. */
int bma__group_print(struct bma__text *t);

/* The figures of an engine with no pass of ours in the middle of them, if such a moment can be had within a tenth of a second. May sleep. */
void bma__stats_snapshot(struct bma__engine *e, struct bma_cache_stats *s);
/* The figures as they are found, without waiting; with how many handles share it. May sleep. */
void bma__stats_at_once(struct bma__engine *e, struct bma_cache_stats *s);
/* As bma__stats_snapshot(), with how many handles share it. */
void bma__stats_of(struct bma__engine *e, struct bma_cache_stats *s);
/* As bma__engine_next(), of those whose names begin with @prefix. */
struct bma__engine *bma__stats_next(struct bma__engine *e, const char *prefix);

/* Add what the figures of an engine say; then all that is in no engine, and the sum. */
void bma__ledger_add(struct bma_ledger *l, const struct bma__engine *e,
		     const struct bma_cache_stats *s);
void bma__ledger_end(struct bma_ledger *l);

#endif /* BMA_OBS_OBS_H */
