# SPDX-License-Identifier: MIT
"""
The rows of accounting groups run, and have the figures that the report shows and holds against
goals. BENCH_GROUP says where their program is.
"""

import json
import os
import re
import subprocess
import sys
import unittest

REPORT = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "report")
sys.path.insert(0, REPORT)

# pylint: disable=wrong-import-position
import plan
from goals import GOALS

PROGRAM = os.environ["BENCH_GROUP"]
ONE_CPU = ["group/private/size:64", "group/pair/size:64", "group/sixteen/size:64",
           "group/depth/levels:8", "shared/borrow/levels:1", "shared/borrow/levels:8",
           "oom/decision/groups:1000",
           "group/heap/size:64", "group/memory/groups/n:10000",
           "group/memory/owners/size:16", "group/memory/owners/size:64",
           "group/memory/owners/size:256"]
TWO_CPUS = ["group/threads/pair/n:4096/size:64", "group/threads/row/n:1024/size:64",
            "group/threads/row/n:4096/size:64", "group/threads/row/n:1024/size:1024",
            "group/memory/payers/n:10000"]
ROWS = sorted(ONE_CPU + (TWO_CPUS if len(os.sched_getaffinity(0)) > 1 else []))


def run(*arguments, cpus=None):
    done = subprocess.run([PROGRAM, "--benchmark_min_time=0.002", *arguments], capture_output=True,
                          text=True, timeout=240, check=False,
                          preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)
    if done.returncode:
        raise AssertionError(done.stderr)
    return done.stdout


def listed(**how):
    lines = run("--benchmark_list_tests", **how).splitlines()
    return sorted(plan.row_name(line) for line in lines)


class Rows(unittest.TestCase):
    def test_all_are_listed(self):
        self.assertEqual(listed(), ROWS)

    def test_one_cpu(self):
        self.assertEqual(listed(cpus={min(os.sched_getaffinity(0))}), sorted(ONE_CPU))

    def test_all_have_their_figures(self):
        found = json.loads(run("--benchmark_format=json"))["benchmarks"]
        self.assertEqual(sorted(plan.row_name(b["name"]) for b in found), ROWS)
        for row in found:
            name = plan.row_name(row["name"])
            self.assertNotIn("error_occurred", row, name)
            for column in plan.columns_of(name):
                self.assertIn(column.metric, row, name)
            goals = [g for g in GOALS if g.matches(name)]
            self.assertEqual(bool(goals), not name.startswith("group/heap/"), name)
            for goal in goals:
                self.assertGreater(row[goal.metric], 0, name)

    def test_a_group_runs_each_row_once(self):
        for row in ROWS:
            groups = [g.name for g in plan.GROUPS if re.search(g.pattern, row)]
            self.assertEqual(len(groups), 1, row)


if __name__ == "__main__":
    unittest.main()
