/* SPDX-License-Identifier: MIT */
/* Writes docs/statistics.md from the lists of figures in the public headers. */
#include <bma/bma.h>

#include <stdio.h>

static void row(const char *name, const char *unit, const char *text)
{
	printf("| `%s` | %s | %s |\n", name, unit, text);
}

#define ROW(name, unit, text) row(#name, unit, text);

static void part(const char *title, const char *call)
{
	printf("\n## %s\n\n`%s`\n\n| figure | unit | |\n|---|---|---|\n", title, call);
}

int main(void)
{
	printf("# Statistics\n\n"
	       "Every figure that the library keeps, from the lists in `<bma/stats.h>` and "
	       "`<bma/numa.h>` of which\n"
	       "the structs, the text and the JSON of `bma_stats_write()` and this page are made "
	       "(`tools/figures.c`).\n"
	       "Groups have theirs in [accounting.md](accounting.md). `BMA_CONF=stats:exit` writes "
	       "all of them when a\n"
	       "process ends.\n");
	part("The process", "bma_stats_get()");
	BMA_STATS_FIGURES(ROW)
	part("The ledger", "bma_ledger_get()");
	BMA_LEDGER_FIGURES(ROW)
	printf("\nlive + cached + limbo + parked + slab_free + metadata = resident, whatever is "
	       "going on meanwhile.\n");
	part("A cache", "bma_cache_stats_get(), bma_cache_visit()");
	BMA_CACHE_FIGURES(ROW)
	printf("\nlive + cached + limbo + parked + reserved + slab_free = carved, whatever is "
	       "going on meanwhile.\n");
	part("A NUMA node", "bma_node_stats_get()");
	BMA_NODE_FIGURES(ROW)
	part("A flavour of RCU", "bma_rcu_stats_get()");
	BMA_RCU_FIGURES(ROW)
	return 0;
}
