# SPDX-License-Identifier: MIT
"""What is run: the peers in order, and the groups of benchmarks that share a process."""

import re
from dataclasses import dataclass, field

BMA = ("bma-inline", "bma-exported")
LIMITS = ("null-call", "floor-rseq-list", "floor-rseq-magazine", "floor-tls-magazine")
MALLOCS = ("glibc", "jemalloc", "gperftools", "mimalloc")
DEBIAN = MALLOCS + ("rte_mempool",)
PEERS = BMA + LIMITS + DEBIAN


@dataclass(frozen=True)
class Group:
    """Benchmarks that one process of each peer runs in a round, before the next peer's turn."""

    name: str
    pattern: str  # of row names
    time: float = 1.0  # of the basic time per run
    peers: tuple = PEERS
    env: dict = field(default_factory=dict, hash=False)
    rename: tuple = None  # (from, to) of row names, where env makes another row of it

    def row(self, name):
        return re.sub(*self.rename, name) if self.rename else name


GROUPS = (
    Group("pair", r"^pair/"),
    Group("batch-64", r"^(batch|touched)_\w+/n:\d+/size:64$"),
    Group("batch-1024", r"^(batch|touched)_\w+/n:\d+/size:1024$"),
    Group("batch-4096", r"^(batch|touched)_\w+/n:\d+/size:4096$"),
    Group("threads", r"^threads_.*/threads:[12]$", 1.5),
    Group("crowd", r"^threads_.*/threads:16$", 3),
    Group("prodcons", r"^prodcons/", 2),
    # Alone in its process: the memory of others would be counted.
    Group("footprint", r"^footprint/"),
    Group(
        "footprint-thp",
        r"^footprint/",
        peers=("bma-inline",),
        env={"BMA_CONF": "thp:on"},
        rename=(r"^footprint/", "footprint_thp/"),
    ),
    Group("latency", r"^latency/", 6),
    Group("figures", r"^(burst|exchanges)/", peers=("bma-inline",)),
)

# Parts of Google Benchmark's names that say how a run was timed, not what it ran.
_TIMING = re.compile(r"/(process_time|real_time|manual_time|iterations:\d+)")


def row_name(benchmark_name):
    return _TIMING.sub("", benchmark_name)


@dataclass(frozen=True)
class Column:
    """One figure of a row that the report shows."""

    rows: str
    metric: str
    unit: str
    better: str  # "lower", "higher" or "" where that is no question
    scale: float = 1.0


COLUMNS = (
    Column(r"^pair/", "cpu_ns", "ns", "lower"),
    Column(r"^(batch|touched)_", "cpu_ns", "ns", "lower"),
    Column(r"^threads_.*/threads:[12]$", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^threads_.*/threads:16$", "cpu_ns", "CPU ns", "lower"),
    Column(r"^prodcons/", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^footprint", "resident_bytes", "B each", "lower"),
    Column(r"^footprint", "fresh_ns", "ns each", "lower"),
    Column(r"^footprint", "floor_ns", "ns touch floor", ""),
    Column(r"^footprint", "kept_kib", "KiB kept", "lower"),
    Column(r"^footprint", "setup_ms", "ms set-up", ""),
    *(
        Column(r"^latency/", f"{call}_{p}_ns", f"{call} {p} ns", "lower" if p != "max" else "")
        for call in ("alloc", "free")
        for p in ("p50", "p99", "p99.9", "p99.99", "max")
    ),
    Column(r"^burst/", "failed_within", "failed", ""),
    Column(r"^burst/", "failed_beyond", "failed beyond", ""),
    Column(r"^burst/", "counted_depot_empty", "counted", ""),
    Column(r"^burst/", "counted_elsewhere", "otherwise", ""),
    Column(r"^exchanges/", "worst", "per call", ""),
    Column(r"^exchanges/", "worst_batch", "at batch", ""),
    Column(r"^exchanges/", "random", "random", ""),
    Column(r"^exchanges/", "high", "high mark", ""),
    Column(r"^callgrind/", "instructions", "instr.", "lower"),
)


def columns_of(row):
    return [c for c in COLUMNS if re.search(c.rows, row)]
