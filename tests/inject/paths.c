/* SPDX-License-Identifier: MIT */
/* The table of paths, see paths.h. The shapes say what a call finds; see slot.h and limbo.h for what it does then. */
#include "paths.h"

#include "ledger.h"

#define NONE WORLD_NONE
#define FULL WORLD_CAPACITY
#define PATH(c, p, r, ...)                                                                         \
	{                                                                                          \
		.call = c, .path = p, .run = r, __VA_ARGS__                                        \
	}
/* STOCK and EMPTIES: what a handler finds besides. */
#define STOCK .full = 3, .empty = 4
#define EMPTIES .empty = 4
#define TAPE .left = 1, .right = 1

const struct path paths[] = {
	PATH("alloc", "hit", ledger_alloc, .shape = {TAPE, .top = 3, STOCK}, .full = true),
	PATH("alloc", "hit, last of a magazine", ledger_alloc, .shape = {TAPE, .top = 1, STOCK}),
	PATH("alloc", "step", ledger_alloc, .shape = {TAPE, .top = 0, STOCK}),
	PATH("alloc", "depot, no magazine", ledger_alloc, .shape = {.top = NONE, STOCK}),
	PATH("alloc", "depot, tape grows", ledger_alloc, .shape = {.top = 0, STOCK}),
	PATH("alloc", "depot, replaced", ledger_alloc, .shape = {.top = 0, .right = 1, STOCK}),
	PATH("alloc", "depot, stock", ledger_alloc, .shape = {.top = 0, .ring = 2, EMPTIES}),
	PATH("alloc", "depot, after grace period", ledger_alloc,
	     .shape = {.top = 0, .recent = 2, EMPTIES}),
	PATH("alloc", "depot, one object", ledger_alloc, .shape = {.top = 0, .short_ = 1, EMPTIES}),
	PATH("alloc", "depot, limit rises", ledger_alloc,
	     .shape = {.top = 0, .right = 1, .limit = 2, .put_last = true, STOCK}),
	PATH("alloc", "depot, wakes worker", ledger_alloc,
	     .shape = {.top = 0, STOCK, .low = true, .asleep = true}),
	PATH("alloc", "depot empty", ledger_alloc, .shape = {.top = 0, EMPTIES}),
	PATH("alloc", "depot empty, wakes worker", ledger_alloc,
	     .shape = {.top = NONE, EMPTIES, .asleep = true}),
	PATH("alloc", "depot empty, guest has", ledger_alloc,
	     .shape = {.top = 0, EMPTIES, .guest = 4}, .indexed = true),
	PATH("alloc", "frozen", ledger_alloc,
	     .shape = {.top = 0, .right = 1, STOCK, .frozen = true}, .indexed = true),
	PATH("alloc", "frozen, depot empty", ledger_alloc,
	     .shape = {.top = 0, EMPTIES, .frozen = true}, .indexed = true),
	PATH("alloc", "large object", ledger_alloc, .shape = {.top = NONE, .single = true, STOCK}),
	PATH("alloc", "large object, depot empty", ledger_alloc,
	     .shape = {.top = NONE, .single = true}),
	PATH("alloc_flags", "zero, hit", ledger_zeroed, .shape = {TAPE, .top = 3, STOCK}),
	PATH("alloc_bulk", "hit, step, depot", ledger_alloc_bulk,
	     .shape = {.left = 1, .top = 1, STOCK}),
	PATH("alloc_bulk", "depot empty", ledger_alloc_bulk, .shape = {.top = 4, EMPTIES}),
	PATH("free", "hit", ledger_free, .shape = {TAPE, .top = 3, STOCK}, .full = true),
	PATH("free", "NULL", ledger_free_null, .shape = {TAPE, .top = 3, STOCK}),
	PATH("free", "step", ledger_free, .shape = {TAPE, .top = FULL, STOCK}),
	PATH("free", "depot, no magazine", ledger_free, .shape = {.top = NONE, STOCK}),
	PATH("free", "depot, tape grows", ledger_free, .shape = {.top = FULL, STOCK}),
	PATH("free", "depot, replaced", ledger_free, .shape = {.left = 1, .top = FULL, STOCK}),
	PATH("free", "depot, replaced, to stock", ledger_free,
	     .shape = {.left = 1, .top = FULL, .full = 4, .empty = 4}),
	PATH("free", "depot, wakes worker", ledger_free,
	     .shape = {.left = 1, .top = FULL, STOCK, .high = true, .asleep = true}),
	PATH("free", "idle magazine", ledger_free, .shape = {.top = FULL, .idle = true}),
	PATH("free", "fresh magazine", ledger_free, .shape = {.top = FULL, .fresh = true}),
	PATH("free", "parked", ledger_free, .shape = {.left = 1, .top = FULL}),
	PATH("free", "parked, wakes worker", ledger_free,
	     .shape = {.left = 1, .top = FULL, .asleep = true}),
	PATH("free", "frozen", ledger_free,
	     .shape = {.left = 1, .top = FULL, STOCK, .frozen = true}, .indexed = true),
	PATH("free", "frozen, room in depot", ledger_free,
	     .shape = {.top = FULL, .short_ = 2, .frozen = true}, .indexed = true),
	PATH("free", "frozen, parked", ledger_free, .shape = {.top = FULL, .frozen = true},
	     .indexed = true),
	PATH("free", "large object", ledger_free, .shape = {.top = NONE, .single = true, STOCK}),
	PATH("free", "large object, parked", ledger_free, .shape = {.top = NONE, .single = true}),
	PATH("free_bulk", "hit, step, depot", ledger_free_bulk,
	     .shape = {.right = 1, .top = 4, STOCK}),
	PATH("free_bulk", "parked", ledger_free_bulk, .shape = {.top = 4}),
	PATH("free_rcu", "hit", ledger_free_rcu, .shape = {TAPE, .top = 3, .limbo = 3, STOCK},
	     .full = true),
	PATH("free_rcu", "begins", ledger_free_rcu, .shape = {TAPE, .top = 3, STOCK}),
	PATH("free_rcu", "begins, wakes thread", ledger_free_rcu,
	     .shape = {TAPE, .top = 3, STOCK, .asleep = true}),
	PATH("free_rcu", "seals", ledger_free_rcu, .shape = {TAPE, .top = 3, .limbo = FULL, STOCK}),
	PATH("free_rcu", "seals, wakes thread", ledger_free_rcu,
	     .shape = {TAPE, .top = 3, .limbo = FULL, STOCK, .asleep = true}),
	PATH("free_rcu", "fresh magazine", ledger_free_rcu,
	     .shape = {TAPE, .top = 3, .limbo = FULL, .fresh = true}),
	PATH("free_rcu", "parked", ledger_free_rcu, .shape = {TAPE, .top = 3, .limbo = FULL}),
	PATH("free_rcu", "frozen", ledger_free_rcu,
	     .shape = {TAPE, .top = 3, .limbo = FULL, STOCK, .frozen_limbo = true},
	     .indexed = true),
	PATH("free_rcu", "large object", ledger_free_rcu,
	     .shape = {.top = NONE, .single = true, STOCK}),
	PATH("free_rcu_flags", "hit", ledger_free_rcu_flags,
	     .shape = {TAPE, .top = 3, .limbo = 3, STOCK}),
	PATH("reserve_alloc", "hit", ledger_reserve_alloc, .shape = {TAPE, .top = 3, STOCK},
	     .reserve = true),
	PATH("reserve_alloc", "some are taken", ledger_reserve_alloc,
	     .shape = {TAPE, .top = 3, STOCK, .reserve = 2}, .reserve = true),
	PATH("reserve_alloc", "empty", ledger_reserve_alloc,
	     .shape = {TAPE, .top = 3, STOCK, .reserve = 4}, .reserve = true),
	PATH("reserve_count", "", ledger_reserve_count, .shape = {TAPE, .top = 3, STOCK},
	     .reserve = true),
	PATH("rcu_stats_get", "", ledger_rcu_stats, .shape = {TAPE, .top = 3, .limbo = 3, STOCK}),
};
const size_t paths_number = sizeof paths / sizeof *paths;
