# SPDX-License-Identifier: MIT
"""
The topology, and which CPUs threads are bound to. BENCH_PLAN says where bench-plan is,
BENCH_PROGRAM where one program of the benchmark is, BENCH_WHERE the one that tells where objects are
allocated.
"""

import json
import os
import subprocess
import unittest

PLAN = os.environ["BENCH_PLAN"]
PROGRAM = os.environ["BENCH_PROGRAM"]
WHERE = os.environ["BENCH_WHERE"]
TOPOLOGIES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "topologies")
CPUS = os.sched_getaffinity(0)


def run(program, *arguments, cpus=None, **env):
    """@cpus: what the process may use; HWLOC_* as they are given, and no others."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("HWLOC_")}
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120,
                          check=False, env={**clean, **env},
                          preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None)


def xml(name, **more):
    return {"HWLOC_XMLFILE": os.path.join(TOPOLOGIES, name + ".xml"), **more}


def plan(**more):
    done = run(PLAN, "--json", **more)
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def rows(**more):
    done = run(PROGRAM, "--benchmark_list_tests", "--benchmark_filter=^numa_", **more)
    # Google Benchmark says so if nothing matches.
    return [line.replace("/real_time", "") for line in done.stdout.splitlines()
            if line.startswith("numa_")]


class Json(unittest.TestCase):
    def check(self, synthetic, counts, order, nodes, pairs):
        """@nodes: of the CPUs in order."""
        found = plan(HWLOC_SYNTHETIC=synthetic)
        keys = ("packages", "nodes", "cores", "cpus", "smt")
        self.assertEqual(tuple(found[k] for k in keys), counts)
        self.assertIs(found["synthetic"], True)
        self.assertEqual(found["order"], order)
        self.assertEqual(found["node_of_cpu"], {str(c): n for c, n in zip(order, nodes)})
        self.assertEqual(found["node_pairs"], pairs)

    def test_smt(self):
        self.check("pack:2 numa:1 core:4 pu:2", (2, 2, 8, 16, 2),
                   [0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15],
                   ([0] * 4 + [1] * 4) * 2, [[0, 1], [1, 0]])

    def test_the_numbers_of_the_system(self):
        # As Linux often counts: first one CPU of each core, sockets taking turns.
        self.check("pack:2 numa:1 core:2 pu:2(indexes=0,4,2,6,1,5,3,7)", (2, 2, 4, 8, 2),
                   [0, 2, 1, 3, 4, 6, 5, 7], [0, 0, 1, 1] * 2, [[0, 1], [1, 0]])

    def test_four_siblings(self):
        self.check("core:2 pu:4", (0, 1, 2, 8, 4), [0, 4, 1, 5, 2, 6, 3, 7], [0] * 8, [])

    def test_four_packages_one_node(self):
        self.check("pack:4 core:2 pu:1", (4, 1, 8, 8, 1), list(range(8)), [0] * 8, [])

    def test_nodes_in_packages(self):
        self.check("pack:2 numa:2 core:1 pu:2", (2, 4, 4, 8, 2), [0, 2, 4, 6, 1, 3, 5, 7],
                   [0, 1, 2, 3] * 2, [[0, 1], [1, 0], [1, 2], [2, 1], [2, 3], [3, 2]])

    def test_at_most_eight_pairs(self):
        found = plan(HWLOC_SYNTHETIC="numa:16 core:1 pu:1")
        self.assertEqual(len(found["node_pairs"]), 8)
        self.assertEqual(found["node_pairs"][-1], [4, 3])

    def test_no_cores_known(self):
        self.check("pu:3", (0, 1, 3, 3, 1), [0, 1, 2], [0] * 3, [])

    def test_odd_nodes(self):
        found = plan(**xml("odd"))
        self.assertEqual((found["nodes"], found["cpus"]), (4, 3))
        # hwloc counts what is attached to the whole machine last.
        self.assertEqual(found["node_of_cpu"], {"0": 0, "1": None, "2": 1})
        self.assertEqual(found["node_memory_mib"], [4096, 4096, 8192, 65536])
        self.assertEqual(found["node_pairs"], [[0, 1], [1, 0]])

    def test_too_many_cpus(self):
        done = run(PLAN, HWLOC_SYNTHETIC="pack:2 core:1024 pu:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("more CPUs than", done.stderr)


class ThisMachine(unittest.TestCase):
    def test_only_what_may_be_used(self):
        found = plan()
        self.assertIs(found["synthetic"], False)
        self.assertEqual(sorted(found["order"]), sorted(CPUS))
        self.assertEqual(found["cpus"], len(CPUS))
        one = {max(CPUS)}
        self.assertEqual(plan(cpus=one)["order"], list(one))

    def test_distinct_cores_first(self):
        found = plan()

        def siblings(cpu):
            path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            with open(path, encoding="utf-8") as file:
                return file.read()

        first = [siblings(cpu) for cpu in found["order"][:found["cores"]]]
        self.assertEqual(len(first), len(set(first)))
        self.assertEqual(set(first), {siblings(cpu) for cpu in CPUS})

    @unittest.skipUnless({0, 1} <= CPUS, "needs the CPUs 0 and 1")
    def test_a_node_whose_cpus_may_not_be_used(self):
        two = xml("two_nodes", HWLOC_THISSYSTEM="1")
        self.assertEqual(plan(cpus={0, 1}, **two)["node_of_cpu"], {"0": 0, "1": 1})
        found = plan(cpus={1}, **two)
        self.assertEqual((found["nodes"], found["node_of_cpu"]), (2, {"1": 1}))
        self.assertEqual(found["node_pairs"], [])
        self.assertEqual(rows(cpus={1}, **two), [])

    @unittest.skipUnless(1 in CPUS, "needs the CPU 1")
    def test_none_of_them_known(self):
        done = run(PLAN, cpus={1}, HWLOC_SYNTHETIC="pu:1", HWLOC_THISSYSTEM="1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("none of the CPUs", done.stderr)


class Text(unittest.TestCase):
    def test_text(self):
        done = run(PLAN, HWLOC_SYNTHETIC="pack:2 numa:1(memory=1073741824) core:2 pu:2")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines(), [
            "another machine, described by HWLOC_SYNTHETIC: its plan can be shown, not run",
            "2 packages, 2 nodes, 4 cores, 8 CPUs, 2 of a core",
            "node 0 (system's 0): 1024 MiB, CPUs 0 2 1 3",
            "node 1 (system's 1): 1024 MiB, CPUs 4 6 5 7",
            "core 0: CPUs 0 1",
            "core 1: CPUs 2 3",
            "core 2: CPUs 4 5",
            "core 3: CPUs 6 7",
            "thread 0: CPU 0, core 0, node 0, package 0",
            "thread 1: CPU 2, core 1, node 0, package 0",
            "thread 2: CPU 4, core 2, node 1, package 1",
            "thread 3: CPU 6, core 3, node 1, package 1",
            "thread 4: CPU 1, core 0, node 0, package 0",
            "thread 5: CPU 3, core 1, node 0, package 0",
            "thread 6: CPU 5, core 2, node 1, package 1",
            "thread 7: CPU 7, core 3, node 1, package 1",
            "rows from node 0 (CPU 0) to node 1 (CPU 4)",
            "rows from node 1 (CPU 4) to node 0 (CPU 0)",
        ])

    def test_odd_nodes(self):
        said = run(PLAN, **xml("odd")).stdout.splitlines()
        self.assertIn("node 3 (system's 1): 65536 MiB, no CPUs", said)
        self.assertIn("thread 1: CPU 1, core 1, no node, package 1", said)

    def test_one_node(self):
        said = run(PLAN, HWLOC_SYNTHETIC="core:1 pu:1").stdout
        self.assertIn("no rows between nodes: fewer than two have CPUs", said)

    def test_bad_argument(self):
        done = run(PLAN, "--nonsense")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("usage: bench-plan [--json]", done.stderr)


class Program(unittest.TestCase):
    def test_rows_between_nodes_are_listed(self):
        self.assertEqual(rows(HWLOC_SYNTHETIC="pack:2 numa:1 core:4 pu:2"), [
            "numa_batch/node:0/threads:4",
            "numa_batch/node:1/threads:4",
            "numa_prodcons/from:0/to:1/threads:2",
            "numa_prodcons/from:1/to:0/threads:2",
            "numa_remote_free/from:0/to:1/threads:2",
            "numa_remote_free/from:1/to:0/threads:2",
        ])
        # Only the first two have CPUs of their own.
        self.assertEqual([r for r in rows(**xml("odd")) if "batch" in r],
                         ["numa_batch/node:0/threads:1", "numa_batch/node:1/threads:1"])
        self.assertEqual(rows(HWLOC_SYNTHETIC="pack:4 core:2 pu:1"), [])

    def test_another_machine_is_not_measured(self):
        for row in ("^pair/", "^prodcons/", "^footprint/", "^numa_", "^threads_"):
            done = run(PROGRAM, "--benchmark_min_time=0.01", f"--benchmark_filter={row}",
                       HWLOC_SYNTHETIC="pack:2 numa:1 core:4 pu:2")
            self.assertEqual(done.returncode, 2, row)
            self.assertIn("bench: HWLOC_SYNTHETIC describes another machine: its plan can be "
                          "shown, not run\n", done.stderr)
        done = run(PROGRAM, "--benchmark_filter=^pair/", **xml("two_nodes"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("HWLOC_XMLFILE describes another machine", done.stderr)

    @unittest.skipUnless({0, 1} <= CPUS, "needs the CPUs 0 and 1")
    def test_rows_between_nodes_run(self):
        done = run(PROGRAM, "--benchmark_min_time=0.01", "--benchmark_filter=^numa_",
                   "--benchmark_format=json", cpus={0, 1},
                   **xml("two_nodes", HWLOC_THISSYSTEM="1"))
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)["benchmarks"]
        self.assertEqual([b["name"].split("/")[0] for b in found],
                         ["numa_batch"] * 2 + ["numa_prodcons"] * 2 + ["numa_remote_free"] * 2)
        for row in found:
            self.assertNotIn("error_occurred", row)
            self.assertGreater(row["items_per_second"], 0)
            self.assertEqual("free_ns" in row, row["name"].startswith("numa_remote_free/"))
            self.assertGreater(row.get("free_ns", 1), 0)

    @unittest.skipUnless({0, 1} <= CPUS, "needs the CPUs 0 and 1")
    def test_rows_between_nodes_run_in_them(self):
        for row, allocated, freed in (
            ("numa_batch/node:0", 1, 1), ("numa_batch/node:1", 2, 2),
            ("numa_prodcons/from:0/to:1", 1, 2), ("numa_prodcons/from:1/to:0", 2, 1),
            ("numa_remote_free/from:0/to:1", 1, 2), ("numa_remote_free/from:1/to:0", 2, 1),
        ):
            done = run(WHERE, "--benchmark_min_time=0.01", f"--benchmark_filter=^{row}/",
                       cpus={0, 1}, **xml("two_nodes", HWLOC_THISSYSTEM="1"))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"allocated {allocated:#x}, freed {freed:#x}\n", done.stderr, row)


if __name__ == "__main__":
    unittest.main()
