# SPDX-License-Identifier: MIT
"""What is run: the peers in order, and the groups of benchmarks that share a process."""

import re
from dataclasses import dataclass, field

BMA = ("bma-inline", "bma-exported")
# Objects of any size, and pools that share their memory.
HEAPS = ("bma-heap", "bma-heap-exported")
MERGED = ("bma-merged",)
LIMITS = ("null-call", "floor-rseq-list", "floor-rseq-magazine", "floor-tls-magazine")
MALLOCS = ("glibc", "jemalloc", "gperftools", "mimalloc")
# Beside what a program gets that only knows malloc(), what their own calls give it.
MALLOC_LIKE = MALLOCS + ("mallocx", "mi-heap")
# Objects of one size, as BMA's caches have them.
POOLS = ("rte_mempool", "gslice", "ck-stack", "lfstack")
DEBIAN = MALLOC_LIKE + POOLS
RIVALS = DEBIAN + ("kmem_cache",)
PEERS = BMA + LIMITS + RIVALS
# Ways to free what readers may look at: an allocator, and a method where the name does not say.
CALL_RCU = tuple(f"{m}-call_rcu" for m in MALLOCS)
DEFER_RCU = tuple(f"{m}-defer_rcu" for m in MALLOCS)
RCU = ("bma-rcu", "bma-rcu-exported", "bma-rcu-capped", "ring") + CALL_RCU + DEFER_RCU
GLIBC_RCU = ("glibc-call_rcu", "glibc-defer_rcu")
LOCKED = ("bma-free", "bma-rcu", "preallocated", "glibc-free") + GLIBC_RCU
LFHT = ("bma-rcu",) + GLIBC_RCU
# Their threads sleep where they wait for a lock, so how much CPU they had tells nothing of other work.
SLEEPERS = ("glibc", "gslice", "lfstack", "kmem_cache")
# They have no threads of their own, so their threads should have all of their CPUs' time.
HELPLESS = ("ring", "preallocated", "glibc-free")
# Counters that many threads add to; an array for each thread is a limit, not a rival.
COUNTERS = ("bma-percpu", "bma-percpu-exported", "padded", "atomic", "thread-local")
# Accounting groups: one program, whose rows compare ways to pay; and caches with a group, whose
# instructions are counted.
GROUP = ("bma-group",)
GROUP_COUNTED = ("bma-group-private", "bma-group-merged")
ALL_PEERS = tuple(dict.fromkeys(
    BMA + HEAPS + MERGED + PEERS + RCU + LOCKED + COUNTERS + GROUP + GROUP_COUNTED
))


@dataclass(frozen=True)
class Family:
    """Rows that share a table, and what the report compares in them."""

    rows: str
    peers: tuple
    subjects: tuple
    rivals: tuple  # the best of them is what the first subject is shown against

    @property
    def mallocs(self):
        return tuple(p for p in self.rivals if p.startswith(MALLOC_LIKE))


FAMILIES = (
    Family(
        r"^(?!heap/|merge/|percpu/|group/|shared/|oom/|rcu/|htab)",
        BMA + HEAPS + MERGED + LIMITS + RIVALS, BMA + HEAPS + MERGED, RIVALS,
    ),
    Family(r"^heap/", HEAPS + MALLOCS, HEAPS, MALLOCS),
    Family(
        r"^merge/", MERGED + ("bma-inline", "bma-heap", "kmem_cache") + MALLOCS,
        MERGED, ("kmem_cache",) + MALLOCS,
    ),
    Family(r"^percpu/", COUNTERS, ("bma-percpu",), ("padded", "atomic")),
    Family(r"^(group|shared|oom)/", BMA + GROUP + GROUP_COUNTED, GROUP, ()),
    Family(r"^rcu/", RCU, ("bma-rcu",), CALL_RCU + DEFER_RCU),
    Family(r"^htab", LOCKED, ("bma-rcu",), GLIBC_RCU),
)


def family_of(row):
    return next(f for f in FAMILIES if re.search(f.rows, row))


@dataclass(frozen=True)
class Theme:
    """Rows that ask the same question: a line of the summary, a chart of the report."""

    name: str
    rows: str

    def has(self, row):
        return re.search(self.rows, row) is not None


THEMES = (
    Theme("allocate, free at once", r"^pair/"),
    Theme("batches", r"^batch_"),
    Theme("batches, written to", r"^touched_"),
    Theme("threads", r"^(threads|crowd)_"),
    Theme("handed to another thread", r"^(prodcons|asymmetric)/"),
    Theme("between NUMA nodes", r"^numa_"),
    Theme("servers' churn", r"^(larson|xmalloc)/"),
    Theme("from a cold start", r"^warmup/"),
    Theme("a million fresh objects", r"^footprint"),
    Theme("a mix of sizes", r"^mix$"),
    Theme("many maps", r"^maps/"),
    Theme("latency", r"^latency"),
    Theme("recorded programs", r"^trace/"),
    Theme("instructions", r"^callgrind/"),
    Theme("sizes that nobody knows", r"^heap/"),
    Theme("pools that share their memory", r"^merge/"),
    Theme("counters of each CPU", r"^percpu/"),
    Theme("accounting groups", r"^(group|shared|oom)/"),
    Theme("frees that readers delay", r"^rcu/"),
    Theme("the kernel's htab_mem", r"^htab"),
)


@dataclass(frozen=True)
class Group:
    """Benchmarks that one process of each peer runs in a round, before the next peer's turn."""

    name: str
    pattern: str  # of row names
    time: float = 1.0  # of the basic time per run
    peers: tuple = PEERS
    env: dict = field(default_factory=dict, hash=False)
    rename: tuple = None  # (from, to) of row names, where env makes another row of it
    every: int = 1  # measured in one of so many rounds, if nothing was selected ...
    turn: int = 0  # ... in this one of them

    def row(self, name):
        return re.sub(*self.rename, name) if self.rename else name


# The benchmark calls bma_poll() every 50 ms, and nobody else does what the worker would do.
_DELAYED = {"env": {"BMA_CONF": "worker:off"}, "rename": (r"^htab/", "htab_delayed/")}


def _htab():
    """Alone in its process each, as above."""
    for i, work in enumerate(("overwrite", "batch", "diff_cpu", "unsynchronised")):
        for name, peers, more in (
            ("locked", LOCKED, {"turn": 1 + i % 2}),
            ("lfht", LFHT, {"turn": 2 - i % 2}),
            ("locked-delayed", ("bma-free", "bma-rcu"), {"turn": 2 - i % 2, **_DELAYED}),
        ):
            pattern = rf"^htab/{work}/map:{name.removesuffix('-delayed')}$"
            yield Group(f"htab-{work}-{name}", pattern, 30, peers, every=3, **more)


GROUPS = (
    Group("pair", r"^pair/"),
    Group("batch-64", r"^(batch|touched)_\w+/n:\d+/size:64$"),
    Group("batch-1024", r"^(batch|touched)_\w+/n:\d+/size:1024$", every=3, turn=1),
    Group("batch-4096", r"^(batch|touched)_\w+/n:\d+/size:4096$", every=3, turn=2),
    Group("threads", r"^threads_", 1.5),
    Group("crowd", r"^crowd_", 3, every=3),
    Group("prodcons", r"^prodcons/", 2),
    Group("asymmetric", r"^asymmetric/", 4, every=3, turn=1),
    Group("numa", r"^numa_", 2, every=3, turn=1),
    Group("larson", r"^larson/", 4, every=3, turn=2),
    Group("xmalloc", r"^xmalloc/", 4, every=3),
    # Once in each process, or with an address space of its own.
    Group("warmup", r"^warmup/"),
    Group("mix", r"^mix$", every=3, turn=1),
    Group("maps", r"^maps/", 2, PEERS + ("bma-merged", "bma-heap"), every=3, turn=2),
    # Alone in its process: the memory of others would be counted.
    Group("footprint", r"^footprint/"),
    Group(
        "footprint-thp",
        r"^footprint/",
        peers=("bma-inline",),
        env={"BMA_CONF": "thp:on"},
        rename=(r"^footprint/", "footprint_thp/"),
    ),
    *(
        Group(f"footprint-spike-{size}", rf"^footprint_spike/size:{size}$", peers=BMA + MALLOCS,
              every=3, turn=turn)
        for size, turn in ((64, 1), (1024, 2))
    ),
    Group("latency", r"^latency/", 6),
    Group("storm", r"^latency_storm/", 6, every=3),
    Group("figures", r"^(burst|exchanges)/", peers=("bma-inline",)),
    # The caches that use the budget up are idle.
    Group("adaptive", r"^adaptive/", peers=("bma-inline",), env={"BMA_CONF": "idle_ms:0"}),
    Group("rcu-call", r"^rcu/call/", 15, RCU, every=3),
    Group("rcu-churn", r"^rcu/churn/", 50, RCU, every=3),
    Group("rcu-throttled", r"^rcu/throttled/", 50, ("bma-rcu",) + GLIBC_RCU, every=3),
    *_htab(),
    Group("heap-known", r"^heap/known/", peers=HEAPS),
    Group("heap-free", r"^heap/free/", 2, HEAPS),
    *(
        Group(f"heap-{name}", rf"^heap/(pair|batch|touched)/{name}$", 2, HEAPS + MALLOCS,
              every=3, turn=i)
        for i, name in enumerate(("lua", "redis", "sqlite3"))
    ),
    # Once in each process: what others keep would be counted, and memory that they gave back be used.
    Group("merge-resident", r"^merge/resident/",
          peers=MERGED + ("bma-inline", "bma-heap", "kmem_cache") + MALLOCS, every=3),
    Group("merge-handle", r"^merge/handle/",
          peers=MERGED + ("bma-inline", "bma-heap", "kmem_cache"), every=3, turn=1),
    Group("percpu", r"^percpu/(?!memory)", 2, COUNTERS, every=3, turn=2),
    # Memory is the same however an addition is called.
    Group("percpu-memory", r"^percpu/memory/",
          peers=tuple(p for p in COUNTERS if p != "bma-percpu-exported"), every=3),
    Group("group", r"^group/(private|pair|sixteen|heap)/", 4, GROUP, every=3),
    Group("shared", r"^shared/", 4, GROUP, every=3, turn=2),
    Group("oom", r"^oom/", 4, GROUP, every=3, turn=2),
    # Their turns are longer, and for a ratio there have to be some hundred of each.
    Group("group-long", r"^group/(depth|threads)/", 20, GROUP, every=3, turn=1),
    # Once in each process, as above.
    Group("group-memory", r"^group/memory/", peers=GROUP, every=3, turn=2),
    *(
        Group(f"trace-{name}", rf"^trace/{name}$", peers=BMA + HEAPS + MALLOCS, every=3, turn=i)
        for i, name in enumerate(("lua", "redis", "sqlite3"))
    ),
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

    @property
    def higher(self):
        return self.better == "higher"

    @property
    def kind(self):
        for start, kind in (("^latency", "latency"), ("^callgrind", "instructions"),
                            ("^group/callgrind", "instructions")):
            if self.rows.startswith(start):
                return kind
        return "memory" if re.match(r"B each|B page|[KM]iB|x live", self.unit) else "speed"


COLUMNS = (
    Column(r"^pair/", "cpu_ns", "ns", "lower"),
    Column(r"^(batch|touched)_", "cpu_ns", "ns", "lower"),
    Column(r"^threads_", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^crowd_", "cpu_ns", "CPU ns", "lower"),
    Column(
        r"^(prodcons|asymmetric|larson|xmalloc)/", "items_per_second", "M/s", "higher", 1e-6,
    ),
    Column(r"^numa_(batch|prodcons)/", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^numa_remote_free/", "free_ns", "ns free", "lower"),
    Column(r"^warmup/", "first_us", "us to the first", "lower"),
    Column(r"^warmup/", "few_us", "us to 100", "lower"),
    Column(r"^warmup/", "many_ns", "ns each to 10000", "lower"),
    Column(r"^footprint", "resident_bytes", "B each", "lower"),
    Column(r"^footprint", "fresh_ns", "ns each", "lower"),
    Column(r"^footprint", "floor_ns", "ns touch floor", ""),
    Column(r"^footprint", "kept_kib", "KiB kept", "lower"),
    Column(r"^footprint", "setup_ms", "ms set-up", ""),
    Column(r"^footprint_spike/", "peak_ratio", "x live, spike", ""),
    Column(r"^footprint_spike/", "ratio_0s", "x live, freed", "lower"),
    Column(r"^footprint_spike/", "ratio_1s", "x live, 1 s later", "lower"),
    Column(r"^footprint_spike/", "ratio_2s", "x live, 2.1 s", "lower"),
    Column(r"^footprint_spike/", "ratio_5s", "x live, 5 s", "lower"),
    Column(r"^footprint_spike/", "ratio_10s", "x live, 10 s", "lower"),
    Column(r"^mix$", "full_ratio", "x live, full", "lower"),
    Column(r"^mix$", "thin_ratio", "x live, 1 % left", "lower"),
    Column(r"^mix$", "mixed_ratio", "x live, refilled", "lower"),
    Column(r"^maps/", "cpu_ns", "ns", "lower"),
    Column(r"^maps/", "map_bytes", "B each map", "lower"),
    Column(r"^maps/", "create_ns", "ns to make", ""),
    *(
        Column(r"^latency", f"{call}_{p}_ns", f"{call} {p} ns", "lower" if p != "max" else "")
        for call in ("alloc", "free")
        for p in ("p50", "p99", "p99.9", "p99.99", "max")
    ),
    Column(r"^burst/", "failed_percent", "% failed", ""),
    Column(r"^burst/", "failed", "failed", ""),
    Column(r"^burst/", "counted_depot_empty", "counted", ""),
    Column(r"^burst/", "counted_elsewhere", "otherwise", ""),
    Column(r"^adaptive/", "cpu_ns", "ns", ""),
    Column(r"^adaptive/", "exchanges", "exchanges in 1000", ""),
    Column(r"^adaptive/", "high", "high mark", ""),
    Column(r"^exchanges/", "worst", "per call", ""),
    Column(r"^exchanges/", "worst_batch", "at batch", ""),
    Column(r"^exchanges/", "random", "random", ""),
    Column(r"^exchanges/", "high", "high mark", ""),
    Column(r"^rcu/call/", "defer_ns", "ns deferred", "lower"),
    Column(r"^rcu/call/", "free_ns", "ns free", ""),
    Column(r"^rcu/call/", "over_free", "x free", "lower"),
    Column(r"^rcu/(churn|throttled)/", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^rcu/(churn|throttled)/", "waiting_peak_kib", "MiB waiting", "lower", 1 / 1024),
    Column(r"^rcu/churn/", "resident_peak_kib", "MiB resident", "", 1 / 1024),
    Column(r"^rcu/churn/", "over_limit_kib", "KiB over limit", ""),
    Column(r"^htab", "items_per_second", "k/s", "higher", 1e-3),
    Column(r"^htab", "memory_mib", "MiB", "lower"),
    Column(r"^htab", "memory_peak_mib", "MiB peak", "lower"),
    Column(r"^htab", "failed", "failed", ""),
    Column(r"^trace/", "first_ns", "CPU ns", "lower"),
    Column(r"^trace/", "again_ns", "CPU ns again", "lower"),
    Column(r"^trace/", "again_per_second", "M/s again", "higher", 1e-6),
    Column(r"^trace/", "peak_kib", "KiB peak", "lower"),
    Column(r"^heap/(known|free)/", "cache_ns", "ns cache", ""),
    Column(r"^heap/(known|free)/", "sized_ns", "ns sized", ""),
    Column(r"^heap/(known|free)/", "unsized_ns", "ns unsized", ""),
    Column(r"^heap/(known|free)/", "sized_over_cache", "x cache, sized", "lower"),
    Column(r"^heap/(known|free)/", "unsized_over_cache", "x cache, unsized", "lower"),
    Column(r"^heap/(pair|batch|touched)/", "cpu_ns", "ns", "lower"),
    Column(r"^merge/resident/", "over_live", "x live", "lower"),
    Column(r"^merge/resident/", "map_bytes", "B each map", ""),
    Column(r"^merge/handle/", "last_ns", "ns to make, destroy", "lower"),
    Column(r"^merge/handle/", "handle_bytes", "B each, resident", "lower"),
    Column(r"^merge/handle/", "meta_bytes", "B each, its figure", ""),
    Column(r"^percpu/memory/", "copy_bytes", "B each copy", "lower"),
    Column(r"^percpu/memory/", "table_bytes", "B page tables each", "lower"),
    Column(r"^percpu/memory/", "object_bytes", "B each, 2 CPUs", ""),
    Column(r"^percpu/memory/", "make_ns", "ns to make", ""),
    Column(r"^percpu/(add/|sum)", "cpu_ns", "ns", "lower"),
    Column(r"^percpu/threads_add/", "items_per_second", "M/s", "higher", 1e-6),
    Column(r"^group/private/", "without_ns", "ns without a group", ""),
    Column(r"^group/private/", "with_ns", "ns with one", ""),
    Column(r"^group/private/", "with_over_without", "x without", "lower"),
    Column(r"^group/private/", "again_over_without", "x, two without", ""),
    Column(r"^group/(pair|heap)/", "inlined_ns", "ns inlined", ""),
    Column(r"^group/(pair|heap)/", "exported_ns", "ns exported", ""),
    Column(r"^group/pair/", "inlined_private_ns", "ns inlined, private", ""),
    Column(r"^group/pair/", "exported_private_ns", "ns exported, private", ""),
    Column(r"^group/(pair|heap)/", "inlined_with_ns", "ns group, headers", ""),
    Column(r"^group/(pair|heap)/", "exported_with_ns", "ns group, exported", ""),
    Column(r"^group/heap/", "malloc_ns", "ns malloc", ""),
    Column(r"^group/(pair|heap)/", "exported_over_exported", "x exported pair", "lower"),
    Column(r"^group/pair/", "exported_over_inlined", "x inlined pair", "lower"),
    Column(r"^group/(pair|heap)/", "inlined_over_inlined", "x inlined, headers", "lower"),
    Column(r"^group/sixteen/", "one_ns", "ns one group", ""),
    Column(r"^group/sixteen/", "sixteen_ns", "ns sixteen", ""),
    Column(r"^group/sixteen/", "sixteen_over_one", "x one", "lower"),
    Column(r"^group/depth/", "free_of_charge_ns", "ns not charged", ""),
    Column(r"^group/depth/", "root_ns", "ns charge, root", ""),
    Column(r"^group/depth/", "charge_1_ns", "ns charge, 1 level", ""),
    Column(r"^group/depth/", "charge_8_ns", "ns charge, 8 levels", ""),
    Column(r"^group/depth/", "charge_8_over_1", "x charge, 1 level", "lower"),
    Column(r"^group/depth/", "pair_1_ns", "ns pair, 1 level", ""),
    Column(r"^group/depth/", "pair_8_ns", "ns pair, 8 levels", ""),
    Column(r"^group/depth/", "pair_8_over_1", "x pair, 1 level", "lower"),
    Column(r"^shared/borrow/", "counted_ns", "ns share, unshare", "lower"),
    Column(r"^shared/borrow/", "known_ns", "ns, not counted", "lower"),
    Column(r"^oom/decision/", "decision_ns", "ns decision", "lower"),
    Column(r"^oom/decision/", "event_ns", "ns event", "lower"),
    Column(r"^group/threads/", "one_ns", "ns one thread", ""),
    Column(r"^group/threads/", "two_ns", "ns two threads", ""),
    Column(r"^group/threads/", "two_over_one", "x one thread", "higher"),
    Column(r"^group/threads/", "without_one_ns", "ns one, no group", ""),
    Column(r"^group/threads/", "two_over_one_without", "x one, no group", ""),
    Column(r"^group/memory/payers/", "idle_bytes", "B each, unused", "lower"),
    Column(r"^group/memory/payers/", "slot_bytes", "B each slot", "lower"),
    Column(r"^group/memory/payers/", "whole_bytes", "B each slot, whole", ""),
    Column(r"^group/memory/payers/", "slots", "slots each", ""),
    Column(r"^group/memory/groups/", "group_bytes", "B each", "lower"),
    Column(r"^group/memory/(payers|groups)/", "make_ns", "ns to make", ""),
    Column(r"^group/memory/owners/", "vector_bytes", "B each owner", "lower"),
    Column(r"^group/memory/owners/", "each_bytes", "B each object", ""),
    Column(r"^group/memory/owners/", "over_bytes", "B more, rounded", ""),
    Column(r"^group/memory/owners/", "slab_kib", "KiB slab", ""),
    Column(r"^group/memory/owners/", "plain_slab_kib", "KiB slab, no group", ""),
    Column(r"^callgrind/", "instructions", "instr.", "lower"),
    Column(r"^group/callgrind/", "instructions", "instr.", "lower"),
)


def columns_of(row):
    return [c for c in COLUMNS if re.search(c.rows, row)]
