# SPDX-License-Identifier: MIT
"""Which charts the report has. A chart without figures, as after --only, is not made."""

import math
import re

import bootstrap
from charts import Curves, Dots
from plan import ALL_PEERS, THEMES, columns_of, family_of
from standing import ratio, sums

PERCENTILES = ("p50", "p99", "p99.9", "p99.99", "max")
# Memory, by what is asked of it; the unit of each chart is its columns'.
MEMORY = (
    ("Resident bytes of each object", r"^footprint", ("resident_bytes",)),
    ("KiB kept after everything was freed", r"^footprint", ("kept_kib",)),
    ("A mix of sizes: resident bytes over live ones", r"^mix$",
     ("full_ratio", "thin_ratio", "mixed_ratio")),
    ("Bytes of each map with 8 objects of 64", r"^maps/", ("map_bytes",)),
    ("Recorded programs: peak of resident memory, KiB", r"^trace/", ("peak_kib",)),
    ("1000 maps of 50 objects of 64 bytes: resident bytes over live ones", r"^merge/resident/",
     ("over_live",)),
    ("Resident bytes of each of 10000 pools", r"^merge/handle/", ("handle_bytes",)),
    ("Resident bytes of each copy of a counter of 8 bytes", r"^percpu/memory/", ("copy_bytes",)),
    ("Waiting for readers and resident, at most, MiB", r"^rcu/",
     ("waiting_peak_kib", "resident_peak_kib")),
    ("htab_mem: memory, MiB", r"^htab", ("memory_mib", "memory_peak_mib")),
)
# Themes in which there are more subjects than the caches.
SHARED = ("recorded programs", "many maps")


def _peers(results, row, order=ALL_PEERS):
    return [p for p in order if p in results.values[row]]


def speed(results, theme):
    """Every peer's speed, BMA's being 1."""
    chart = Dots(f"Speed: {theme.name}", "times BMA's speed, 95 % interval (left: slower than BMA)",
                 [], at_one=True)
    for row in filter(theme.has, results.values):
        subject = family_of(row).subjects[0]
        columns = [c for c in columns_of(row) if c.better and c.kind == "speed"]
        for column in columns:
            label = row if len(columns) == 1 else f"{row} {column.unit}"
            for peer in _peers(results, row):
                # A rate's ratio is the peer's to BMA's, a cost's the other way round.
                pair = ((row, peer), (row, subject)) if column.higher else (
                    (row, subject), (row, peer))
                found = ratio(results, *pair, column.metric) if peer != subject else None
                if found:
                    chart.add(label, peer, found.ratio, found.low, found.high)
    return chart


def overview(results):
    """How far BMA's inlined calls are ahead or behind, question by question."""
    chart = Dots("BMA, inlined calls: how much better, geometric means",
                 "times better (left of 1: worse)", [], at_one=True)
    for s in sums(results):
        inlined = ("bma-inline", "bma-rcu", "bma-heap", "bma-merged", "bma-percpu")
        if s.subject in inlined:
            label = s.theme if s.kind in ("speed", s.theme) else f"{s.theme}: {s.kind}"
            if s.subject in ("bma-heap", "bma-merged") and s.theme in SHARED:
                label += f", {s.subject}"
            for rival, mean in (("best malloc", s.times_best_malloc),
                                ("best rival of any kind", s.times_best_rival)):
                chart.add(label, rival, mean, mean, mean)
    return chart


def latency(results, call, rows, when):
    ticks = [(p, i) for i, p in enumerate(PERCENTILES)]
    chart = Curves(f"Latency of {call}{when}", "of all calls", "ns", ticks)
    for row in results.values:
        if row.startswith(rows):
            for peer in _peers(results, row):
                for text, x in ticks:
                    chart.add(peer, x, results.median(row, peer, f"{call}_{text}_ns"))
    return chart


def scaling(results, work):
    """CPU time, not wall clock: there are more threads than CPUs."""
    found = {}
    for row in results.values:
        threads = re.search(rf"^(?:threads|crowd)_{work}/.*/threads:(\d+)$", row)
        if threads:
            found[int(threads.group(1))] = row
    chart = Curves(f"Scaling: {work}", "threads", "CPU ns of each operation (level: scales fully)",
                   [(str(n), round(math.log2(n), 3)) for n in sorted(found)])
    for n, row in sorted(found.items()):
        for peer in _peers(results, row):
            chart.add(peer, round(math.log2(n), 3), results.median(row, peer, "cpu_ns"))
    return chart if len(found) > 1 else None


def memory(results, title, rows, metrics):
    chart = Dots(title, "median and its 95 % interval (what is 0 is not shown)", [])
    for row in results.values:
        for column in columns_of(row) if re.search(rows, row) else ():
            if column.metric not in metrics:
                continue
            label = row if len(metrics) == 1 else f"{row} {column.unit}"
            for peer in _peers(results, row):
                values = [
                    v * column.scale for v in results.rounds(row, peer, column.metric).values()
                ]
                if values:
                    middle = results.median(row, peer, column.metric) * column.scale
                    low, high = bootstrap.of_median(values) or (middle, middle)
                    chart.add(label, peer, middle, low, high)
    return chart


def failures(results):
    """What share of a burst's any-context allocations failed, by the stock a cache was told to keep."""
    shares = {}
    for row in results.values:
        burst = re.search(r"^burst/stock:(\d+)/n:(\d+)", row)
        share = results.median(row, "bma-inline", "failed_percent") if burst else None
        if share is not None:
            shares.setdefault(int(burst.group(1)), {})[int(burst.group(2))] = share
    sizes = sorted({x for places in shares.values() for x in places})
    ticks = [(str(x), round(math.log2(x), 3)) for x in sizes]
    chart = Curves("Failures against the size of a burst", "objects in a burst", "% failed", ticks,
                   log=False)
    for stock, places in sorted(shares.items()):
        for x, share in sorted(places.items()):
            chart.add(f"stock of {stock}", round(math.log2(x), 3), share)
    return chart


def charts(results):
    """(heading, chart) of all that have figures."""
    found = [("Speed", speed(results, theme)) for theme in THEMES]
    found += [
        ("Latency", latency(results, call, rows, when))
        for rows, when in (("latency/", ""), ("latency_storm/", ", another thread storming"))
        for call in ("alloc", "free")
    ]
    found += [("Scaling", scaling(results, w)) for w in ("pair", "batch")]
    found += [("Memory", memory(results, *asked)) for asked in MEMORY]
    found.append(("Failures", failures(results)))
    return [(heading, chart) for heading, chart in found if chart and chart.points]
