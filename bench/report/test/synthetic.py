# SPDX-License-Identifier: MIT
"""Reports and peers that nothing was measured for. Puts the report's modules on the path, too:
they are a program, not a package."""

import os
import random
import stat
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, SOURCE)

# pylint: disable=wrong-import-position
import write
from stats import Results

MACHINE = {"time": "2026-01-01T00:00:00+0000", "cpu": "none", "cpus": 2, "load": 0.5,
           "topology": {"packages": 1}, "cpu_flags": ["sse2", "<&>"]}


def results(rounds=9, slower=1.0, seed=7):
    """BMA takes 2 ns, glibc 8 and mimalloc 5, all with 1 % noise; BMA's are `slower` times that."""
    drawn = random.Random(seed)
    made = Results()
    costs = {"bma-inline": 2.0 * slower, "glibc": 8.0, "mimalloc": 5.0}
    for r in range(1, rounds + 1):
        for peer, cost in costs.items():
            def ns(times=1.0, cost=cost):
                return cost * times * drawn.uniform(0.99, 1.01)
            made.add("pair/size:64", peer, r, {"cpu_ns": ns()})
            for n, work in ((1, "threads"), (2, "threads"), (16, "crowd")):
                figures = {"cpu_ns": ns(), "items_per_second": 1e9 / ns(), "cpus_had": n}
                made.add(f"{work}_pair/size:64/threads:{n}", peer, r, figures)
            latency = {
                f"{call}_{p}_ns": ns(2**i) for call in ("alloc", "free")
                for i, p in enumerate(("p50", "p99", "p99.9", "p99.99", "max"))
            }
            made.add("latency/size:64", peer, r, latency)
            footprint = {"resident_bytes": ns(10), "kept_kib": 0.0, "fresh_ns": ns(5)}
            made.add("footprint/n:1000000/size:64", peer, r, footprint)
        burst = {"failed": 0.0, "failed_percent": 0.0, "miscounted_abs": 0.0}
        made.add("burst/stock:16384/n:10000", "bma-inline", r, burst)
        burst = {"failed": 4000.0, "failed_percent": 5.0, "miscounted_abs": 0.0}
        made.add("burst/stock:0/n:10000", "bma-inline", r, burst)
    return made


def report(**how):
    run = {"finished": True, "rounds_done": 9, "options": {"only": None}, "versions": {},
           "skipped": {}, "failures": [], "loads": [0.5, 0.7]}
    return write.make(MACHINE, run, results(**how))


# What a peer's program does, as far as the report asks: lists its rows, or measures them.
PEER = """#!{python}
import json, os, signal, sys, time
if "--benchmark_list_tests" in sys.argv:
    print("pair/size:64")
    sys.exit()
{before}
print(json.dumps({{"context": {{"peer_version": "1"}}, "benchmarks": [
    {{"name": "pair/size:64", "real_time": {ns}, "cpu_time": {ns}, "time_unit": "ns"}}]}}))
"""


def build(directory, **peers):
    """A build directory of such peers: name (with _ for -) = (ns, what it does before)."""
    os.makedirs(os.path.join(directory, "bench"))
    with open(os.path.join(directory, "bench", "peers.tsv"), "w", encoding="utf-8") as manifest:
        for name, (ns, before) in peers.items():
            name = name.replace("_", "-")
            path = os.path.join(directory, name)
            with open(path, "w", encoding="utf-8") as program:
                program.write(PEER.format(python=sys.executable, ns=ns, before=before))
            os.chmod(path, stat.S_IRWXU)
            manifest.write(f"peer\t{name}\t{path}\n")
        manifest.write("skipped\tjemalloc\tinstall libjemalloc-dev\n")
