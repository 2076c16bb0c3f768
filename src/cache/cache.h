/* SPDX-License-Identifier: MIT */
/*
 * Layer 3: objects. Engines, their slots and depots, and who moves magazines between them.
 */
#ifndef BMA_CACHE_INTERNAL_H
#define BMA_CACHE_INTERNAL_H

#include "group/group.h"

#include <bma/rcu.h>
#include <bma/reserve.h>
#include <bma/worker.h>

#include "budget.h"
#include "checked.h"
#include "count.h"
#include "debug.h"
#include "defer.h"
#include "depot.h"
#include "drain.h"
#include "engine.h"
#include "finish.h"
#include "flavor.h"
#include "fuzz.h"
#include "heap.h"
#include "idle.h"
#include "key.h"
#include "limbo.h"
#include "magazine.h"
#include "merge.h"
#include "need.h"
#include "numa.h"
#include "oom.h"
#include "orphan.h"
#include "owner.h"
#include "park.h"
#include "payer.h"
#include "percpu.h"
#include "pin.h"
#include "plane.h"
#include "pressure.h"
#include "profile.h"
#include "quarantine.h"
#include "rcu.h"
#include "reclaim.h"
#include "record.h"
#include "refill.h"
#include "reserve.h"
#include "sample.h"
#include "segv.h"
#include "settle.h"
#include "slot.h"
#include "squeeze.h"
#include "stack.h"
#include "step.h"
#include "stock.h"
#include "ticket.h"
#include "track.h"
#include "view.h"
#include "worker.h"

#endif /* BMA_CACHE_INTERNAL_H */
