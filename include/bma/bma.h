/* SPDX-License-Identifier: MIT */
/* Everything BMA offers. */
#ifndef BMA_BMA_H
#define BMA_BMA_H

#include <bma/cache.h>
#include <bma/config.h>
#include <bma/group.h>
#include <bma/heap.h>
#include <bma/numa.h>
#include <bma/object.h>
#include <bma/oom.h>
#include <bma/percpu.h>
#include <bma/profile.h>
#include <bma/rcu.h>
#include <bma/reserve.h>
#include <bma/shared.h>
#include <bma/stats.h>
#include <bma/version.h>
#include <bma/worker.h>

#endif /* BMA_BMA_H */
