# SPDX-License-Identifier: MIT
"""The goals, one line each. A later goal is one more line."""

import re
from dataclasses import dataclass

from plan import CALL_RCU, DEBIAN, DEFER_RCU, MALLOCS

RSEQ_FLOORS = ("floor-rseq-list", "floor-rseq-magazine")
CPU = "cpu_ns"
RATE = "items_per_second"
CHURN = r"^rcu/churn/"
LOCKED_MAP = r"^htab/(overwrite|batch|diff_cpu)/map:locked$"
PREALLOCATED = ("preallocated",)
UNSIZED = r"^heap/free/"
ONE_THREAD = (r"/threads:\d+$", "/threads:1")
ONE_OF_CROWD = (r"^crowd_(.*)/threads:\d+$", r"threads_\1/threads:1")


@dataclass(frozen=True)
class Goal:
    """For every row that matches, subject's metric, or its ratio, is to keep within a limit."""

    what: str
    rows: str
    metric: str
    limit: str  # "<= 1.35" or ">= 1.9"
    subject: str = "bma-inline"
    against: tuple = ()  # the best of these peers in the same row ...
    same_peer: tuple = ()  # ... or the subject's row that re.sub() of these makes of this one

    def matches(self, row):
        return re.search(self.rows, row) is not None

    def holds(self, value):
        sign, bound = self.limit.split()
        return value <= float(bound) if sign == "<=" else value >= float(bound)

    @property
    def higher_is_better(self):
        return self.limit.startswith(">")


GOALS = (
    Goal("inline pair / rseq floor", r"^pair/", CPU, "<= 1.35", against=RSEQ_FLOORS),
    Goal("inline pair / best malloc", r"^pair/", CPU, "<= 0.40", against=MALLOCS),
    Goal("exported pair / empty calls", r"^pair/", CPU, "<= 1.35", "bma-exported", ("null-call",)),
    Goal("exported pair / best malloc", r"^pair/", CPU, "<= 0.95", "bma-exported", MALLOCS),
    Goal(
        "batch / best Debian peer", r"^batch_.*/n:10000?/size:64$",
        CPU, "<= 0.50", against=DEBIAN,
    ),
    Goal(
        "batch / best Debian peer", r"^batch_.*/n:10000?/size:1024$",
        CPU, "<= 0.40", against=DEBIAN,
    ),
    Goal(
        "batch / best Debian peer", r"^batch_.*/n:10000?/size:4096$",
        CPU, "<= 0.60", against=DEBIAN,
    ),
    Goal("2 threads / 1", r"^threads_pair/.*/threads:2$", RATE, ">= 1.9", same_peer=ONE_THREAD),
    Goal("2 threads / 1", r"^threads_batch/.*/threads:2$", RATE, ">= 1.8", same_peer=ONE_THREAD),
    Goal(
        "8 threads a CPU / 1 thread", r"^crowd_pair/",
        CPU, "<= 1.15", same_peer=ONE_OF_CROWD,
    ),
    Goal(
        "8 threads a CPU / 1 thread", r"^crowd_batch/",
        CPU, "<= 1.4", same_peer=ONE_OF_CROWD,
    ),
    Goal("handed over / best malloc", r"^prodcons/size:64/", RATE, ">= 2.5", against=MALLOCS),
    Goal(
        "handed over / rte_mempool", r"^prodcons/size:64/",
        RATE, ">= 0.75", against=("rte_mempool",),
    ),
    Goal(
        "handed over / rte_mempool", r"^prodcons/size:(256|1024)/",
        RATE, ">= 1.0", against=("rte_mempool",),
    ),
    Goal("resident bytes each", r"^footprint/", "resident_bytes", "<= 65.2"),
    Goal("fresh ns each", r"^footprint/", "fresh_ns", "<= 30"),
    Goal("fresh ns each, huge pages", r"^footprint_thp/", "fresh_ns", "<= 13"),
    Goal("KiB kept after free and trim", r"^footprint/", "kept_kib", "<= 1024"),
    Goal("resident / live, 2 s after a spike", r"^footprint_spike/", "ratio_2s", "<= 1.10"),
    Goal("alloc p99.9 / mimalloc", r"^latency/", "alloc_p99.9_ns", "<= 1.0", against=("mimalloc",)),
    Goal(
        "alloc p99.99 / mimalloc", r"^latency/",
        "alloc_p99.99_ns", "<= 1.0", against=("mimalloc",),
    ),
    Goal("free p99.9 / mimalloc", r"^latency/", "free_p99.9_ns", "<= 1.0", against=("mimalloc",)),
    Goal(
        "failures within the stock", r"^burst/stock:16384/n:(100|1000|4000|10000|16384)$",
        "failed", "<= 0",
    ),
    Goal("failures counted wrongly", r"^burst/", "miscounted_abs", "<= 0"),
    Goal("failures of another cause", r"^burst/", "counted_elsewhere", "<= 0"),
    Goal("depot exchanges per call", r"^exchanges/", "worst", "<= 0.025"),
    Goal("the same, random runs", r"^exchanges/", "random", "<= 0.025"),
    Goal("free_rcu / free", r"^rcu/call/", "over_free", "<= 1.5", "bma-rcu"),
    Goal("free_rcu churn / best call_rcu", CHURN, RATE, ">= 8", "bma-rcu", CALL_RCU),
    Goal("free_rcu churn / best defer_rcu", CHURN, RATE, ">= 2.5", "bma-rcu", DEFER_RCU),
    Goal("free_rcu churn / no allocator", CHURN, RATE, ">= 0.8", "bma-rcu", ("ring",)),
    Goal("KiB over what may wait", CHURN, "over_limit_kib", "<= 0", "bma-rcu-capped"),
    Goal(
        "peak waiting / call_rcu", r"^rcu/throttled/",
        "waiting_peak_kib", "<= 0.5", "bma-rcu", ("glibc-call_rcu",),
    ),
    Goal("map, free / preallocated", LOCKED_MAP, RATE, ">= 0.9", "bma-free", PREALLOCATED),
    Goal(
        "its memory / preallocated", LOCKED_MAP,
        "memory_mib", "<= 2", "bma-free", PREALLOCATED,
    ),
    Goal(
        "map, free_rcu / free", r"^htab/overwrite/map:locked$",
        RATE, ">= 0.8", "bma-rcu", ("bma-free",),
    ),
    Goal(
        "map, free_rcu / preallocated", r"^htab/(overwrite|batch)/map:locked$",
        RATE, ">= 0.6", "bma-rcu", PREALLOCATED,
    ),
    Goal(
        "map, free_rcu / preallocated", r"^htab/diff_cpu/map:locked$",
        RATE, ">= 0.3", "bma-rcu", PREALLOCATED,
    ),
    # Both in one process, in turn: the ratio of the medians is a figure of the row.
    Goal(
        "heap pair, size known / cache pair", r"^heap/known/",
        "sized_over_cache", "<= 1.15", "bma-heap",
    ),
    Goal("free without size / cache free", UNSIZED, "unsized_over_cache", "<= 1.5", "bma-heap"),
    Goal(
        "the same, exported", UNSIZED, "unsized_over_cache", "<= 1.5", "bma-heap-exported",
    ),
    Goal(
        "sizes unknown / best malloc", r"^heap/(pair|batch|touched)/",
        CPU, "<= 1.0", "bma-heap", MALLOCS,
    ),
    Goal("merged maps / live bytes", r"^merge/resident/", "over_live", "<= 1.15", "bma-merged"),
    Goal(
        "ns to make and destroy a handle", r"^merge/handle/handles:10000$",
        "last_ns", "<= 2000", "bma-merged",
    ),
    Goal(
        "bytes of a handle", r"^merge/handle/handles:10000$",
        "meta_bytes", "<= 256", "bma-merged",
    ),
    Goal(
        "resident bytes of a copy", r"^percpu/memory/n:1000000$",
        "copy_bytes", "<= 8.5", "bma-percpu",
    ),
    # As above: all in one process, in turn.
    Goal(
        "private pair, group / none", r"^group/private/",
        "with_over_without", "<= 1.02", "bma-group",
    ),
    Goal(
        "the same, instructions", r"^group/callgrind/",
        "instructions", "<= 1.0", "bma-group-private", ("bma-inline",),
    ),
    Goal(
        "paid pair / exported pair", r"^group/pair/",
        "exported_over_exported", "<= 1.6", "bma-group",
    ),
    Goal(
        "paid pair / inlined pair", r"^group/pair/",
        "exported_over_inlined", "<= 3", "bma-group",
    ),
    Goal(
        "paid pair by headers / inlined pair", r"^group/pair/",
        "inlined_over_inlined", "<= 3", "bma-group",
    ),
    Goal(
        "16 groups on a slot / one", r"^group/sixteen/",
        "sixteen_over_one", "<= 2", "bma-group",
    ),
    Goal("charge, 8 levels / 1", r"^group/depth/", "charge_8_over_1", "<= 3", "bma-group"),
    Goal("one group, 2 threads / 1", r"^group/threads/", "two_over_one", ">= 1.7", "bma-group"),
    Goal("share and unshare, ns", r"^shared/borrow/", "counted_ns", "<= 200", "bma-group"),
    Goal("a victim among 1000, ns", r"^oom/decision/", "event_ns", "<= 1000000", "bma-group"),
    Goal("bytes of an owner", r"^group/memory/owners/", "vector_bytes", "<= 2", "bma-group"),
    Goal("bytes of a group", r"^group/memory/groups/", "group_bytes", "<= 1024", "bma-group"),
    Goal(
        "bytes of a payer for each slot", r"^group/memory/payers/",
        "slot_bytes", "<= 64", "bma-group",
    ),
    Goal("failed updates, free", LOCKED_MAP, "failed", "<= 0", "bma-free"),
    Goal("failed updates, free_rcu", LOCKED_MAP, "failed", "<= 0", "bma-rcu"),
)
