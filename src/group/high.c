/* SPDX-License-Identifier: MIT */
/* How far groups are above their high. */
#include "group.h"

#define ONE ((uint64_t)1 << 20) /* an excess as large as high itself */
#define PENALTY_MOST 100000000u /* nanoseconds, for that excess */

/* The excess in relation to high, 0 to UINT64_MAX. */
static uint64_t excess(const struct bma__group *g)
{
	uint64_t usage = bma__group_current(g);
	uint64_t high = atomic_load_explicit(&g->high, memory_order_relaxed);

	if (usage <= high)
		return 0;
	usage -= high;
	high = high ? high : 1;
	/* At least 1: it is above high. */
	if (usage <= UINT64_MAX / ONE)
		return usage * ONE / high + 1;
	return high >= ONE ? usage / (high / ONE) : UINT64_MAX;
}

struct bma__group *bma__group_over_high(struct bma__group *g)
{
	struct bma__group *worst = NULL;
	uint64_t most = 0;

	for (; g; g = g->parent) {
		uint64_t here = excess(g);

		if (here > most) {
			most = here;
			worst = g;
		}
	}
	return worst;
}

uint64_t bma__group_penalty(const struct bma__group *g)
{
	uint64_t here = excess(g);

	return here < ONE ? here * PENALTY_MOST / ONE : PENALTY_MOST;
}
