# SPDX-License-Identifier: MIT
"""Goals are held against the rows they are meant for, and say so when they are missed."""

import re
import unittest

import synthetic  # pylint: disable=unused-import  # first: it says where the rest is
import callgrind
import plan
from goals import GOALS
from stats import Results, outcomes

# Figures that just hold, and the factor that makes them miss.
HEAP = {
    "heap/known/size:64": {"sized_over_cache": 1.15},
    "heap/free/n:1000/size:64": {"unsized_over_cache": 1.5},
}
MERGED = {
    "merge/resident/maps:1000/objects:50/size:64": {"over_live": 1.15},
    "merge/handle/handles:10000": {"last_ns": 2000.0, "meta_bytes": 256.0},
}
PERCPU = {"percpu/memory/n:1000000": {"copy_bytes": 8.5}}

GROUPS = {
    "group/private/size:64": {"with_over_without": 1.02},
    "group/pair/size:64": {
        "exported_over_exported": 1.6, "exported_over_inlined": 3.0, "inlined_over_inlined": 3.0,
    },
    "group/sixteen/size:64": {"sixteen_over_one": 2.0},
    "group/depth/levels:8": {"charge_8_over_1": 3.0},
    "shared/borrow/levels:1": {"counted_ns": 200.0},
    "oom/decision/groups:1000": {"event_ns": 1000000.0},
    "group/memory/owners/size:16": {"vector_bytes": 2.0},
    "group/memory/groups/n:10000": {"group_bytes": 1024.0},
    "group/memory/payers/n:10000": {"slot_bytes": 64.0},
}
THREADS = ("group/threads/pair/n:4096/size:64", "group/threads/row/n:4096/size:64")


def made(rows, peers, times=1.0):
    results = Results()
    for row, metrics in rows.items():
        for peer in peers:
            for number in range(1, 4):
                results.add(row, peer, number, {m: v * times for m, v in metrics.items()})
    return results


class Limits(unittest.TestCase):
    def check(self, rows, peers, goals):
        """All hold at the limit, all are missed a little beyond it; there are so many of them."""
        for times, holds in ((1.0, True), (1.01, False)):
            found = outcomes(made(rows, peers, times))
            self.assertEqual([o.holds for o in found], [holds] * goals, found)

    def test_heap(self):
        self.check(HEAP, plan.HEAPS, 3)  # a free without size is held to it in both builds

    def test_merged(self):
        self.check(MERGED, plan.MERGED, 3)

    def test_private_pools_have_no_such_goal(self):
        self.assertEqual(outcomes(made(MERGED, ("bma-inline", "kmem_cache"), 9.0)), [])

    def test_percpu(self):
        self.check(PERCPU, ("bma-percpu",), 1)
        self.assertEqual(outcomes(made(PERCPU, ("padded",), 8.0)), [])

    def test_group(self):
        self.check(GROUPS, plan.GROUP, 11)
        self.assertEqual(outcomes(made(GROUPS, ("bma-inline",), 9.0)), [])

    def test_group_threads(self):
        for ratio, holds in ((1.7, True), (1.69, False)):
            found = outcomes(made({row: {"two_over_one": ratio} for row in THREADS}, plan.GROUP))
            self.assertEqual([o.holds for o in found], [holds] * len(THREADS))

    def test_group_costs_no_instruction(self):
        for count, holds in ((37.0, True), (38.0, False)):
            results = Results()
            for peer, each in (("bma-group-private", count), ("bma-inline", 37.0),
                               ("bma-exported", 55.0), ("bma-group-merged", 126.0)):
                results.add(callgrind.GROUP_ROW, peer, 1, {"instructions": each})
            (found,) = outcomes(results)
            self.assertEqual((found.against, found.holds), ("bma-inline", holds))

    def test_unknown_sizes_against_the_fastest(self):
        for row in ("heap/pair/lua", "heap/batch/redis", "heap/touched/sqlite3"):
            for ours, holds in ((5.0, True), (5.1, False)):
                results = made({row: {"cpu_ns": ours}}, ("bma-heap",))
                for peer, ns in (("glibc", 9.0), ("mimalloc", 5.0), ("jemalloc", 7.0)):
                    for number in range(1, 4):
                        results.add(row, peer, number, {"cpu_ns": ns})
                (found,) = outcomes(results)
                self.assertEqual((found.against, found.holds), ("mimalloc", holds))


class Plan(unittest.TestCase):
    def test_each_row_is_measured_and_shown(self):
        """A group runs it with the goal's peers, and a family and a column show it."""
        for row in (*HEAP, *MERGED, *PERCPU, *GROUPS, *THREADS, "group/heap/size:64",
                    "heap/pair/lua", "percpu/add/n:1", "percpu/sum"):
            groups = [g for g in plan.GROUPS if re.search(g.pattern, row)]
            self.assertEqual(len(groups), 1, row)
            self.assertLessEqual(set(groups[0].peers), set(plan.family_of(row).peers), row)
            self.assertTrue(plan.columns_of(row), row)
            self.assertEqual(sum(t.has(row) for t in plan.THEMES), 1, row)
            for goal in GOALS:
                if goal.matches(row):
                    self.assertIn(goal.subject, groups[0].peers)
                    self.assertTrue(set(goal.against) <= set(groups[0].peers))

    def test_counted_rows(self):
        """Those with a group have a row of their own, beside the calls without."""
        found = callgrind.rows(["bma-inline", "glibc", "bma-group-private", "bma-group-merged"])
        self.assertEqual(found, {
            callgrind.ROW: ["bma-inline", "glibc"],
            callgrind.GROUP_ROW: ["bma-inline", "bma-group-private", "bma-group-merged"],
        })
        self.assertEqual(callgrind.rows([]), {})
        for row, peers in found.items():
            self.assertLessEqual(set(peers), set(plan.family_of(row).peers))
            (column,) = plan.columns_of(row)
            self.assertEqual(column.kind, "instructions")

    def test_families_do_not_overlap(self):
        for row in ("pair/size:64", "maps/n:1", "trace/lua", "rcu/call/size:64", "htab/x",
                    *HEAP, *MERGED, *PERCPU, *GROUPS, callgrind.ROW, callgrind.GROUP_ROW):
            self.assertEqual(sum(bool(re.search(f.rows, row)) for f in plan.FAMILIES), 1, row)


if __name__ == "__main__":
    unittest.main()
