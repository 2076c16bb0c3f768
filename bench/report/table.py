# SPDX-License-Identifier: MIT
"""The report as text."""

import re

from plan import FAMILIES, HELPLESS, MALLOCS, SLEEPERS, columns_of, family_of
from standing import standing, sums
from stats import outcomes

_SHORT = {
    "bma-inline": "inline", "bma-exported": "exported", "null-call": "null call",
    "floor-rseq-list": "rseq list", "floor-rseq-magazine": "rseq mag.",
    "floor-tls-magazine": "tls mag.", "gperftools": "gperf", "rte_mempool": "rte_pool",
    "bma-rcu": "free_rcu", "bma-rcu-exported": "exported", "bma-rcu-capped": "capped",
    "bma-heap": "heap", "bma-heap-exported": "heap exp.", "bma-merged": "merged",
    "bma-group": "group", "bma-group-private": "private", "bma-group-merged": "paid",
    "bma-percpu": "percpu", "bma-percpu-exported": "exported", "thread-local": "tls array",
    "kmem_cache": "kmem", "bma-free": "free", "preallocated": "prealloc", "glibc-free": "glibc",
    **{
        f"{m}-{how}_rcu": f"{how} {'gperf' if m == 'gperftools' else m}"
        for m in MALLOCS for how in ("call", "defer")
    },
}


def short(peer):
    return _SHORT.get(peer, peer)


def number(x):
    """Three significant digits, no exponent."""
    if x is None:
        return ""
    if x == 0 or abs(x) >= 100:
        return f"{x:.0f}"
    if abs(x) >= 1:
        return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"
    return f"{x:.3f}" if abs(x) >= 0.1 else f"{x:.4f}"


def span(low, high):
    """An interval in as few digits as its ends need."""
    return "" if low is None else f"{number(low)}..{number(high)}"


def align(rows, left):
    """Columns of equal width; the first `left` ones are text."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths))
        ]
        yield "  ".join(cells).rstrip()


def _goal(found):
    if not found:
        return ""
    return "holds" if all(o.holds for o in found) else "MISSED"


def figures(results):
    """Family by family and row by row: the medians of all peers, and BMA against the best rival."""
    goals = {}
    for o in outcomes(results):
        goals.setdefault((o.row, o.goal.metric), []).append(o)
    tables = 0
    for family in FAMILIES:
        rows = [row for row in results.values if family_of(row) is family]
        if rows:
            if tables:
                yield ""
            yield from _figures(results, family, rows, goals)
            tables += 1


def _figures(results, family, rows, goals):
    peers = [p for p in family.peers if any(p in results.values[row] for row in rows)]
    lines = [["", "", *map(short, peers), "/ best", "95 %", "", "verdict", "goals"]]
    for row in rows:
        for column in columns_of(row):
            medians = [results.median(row, p, column.metric) for p in peers]
            if all(m is None for m in medians):
                continue
            found = standing(results, row, column, family.subjects[0], family.rivals)
            cells = [number(None if m is None else m * column.scale) for m in medians]
            goal = _goal(goals.get((row, column.metric)))
            lines.append([row, column.unit, *cells, *_against(found), goal])
    return align(lines, 2)


def _against(found):
    """Cells: the ratio to the best rival, its interval, the rival, the verdict."""
    if not found:
        return [""] * 4
    ratio = found.found
    return [number(ratio.ratio), span(ratio.low, ratio.high), short(found.rival), found.verdict]


def times(x):
    """A geometric mean of advantages in words."""
    if x is None:
        return ""
    if abs(x - 1) < 0.005:
        return "the same"
    return f"{number(x)} x better" if x > 1 else f"{number(1 / x)} x worse"


def summary(results):
    """Theme by theme: how often BMA is ahead, and by how much."""
    lines = [["", "", "", "to the best malloc", "ahead", "level", "behind"]]
    for s in sums(results):
        counts = [str(s.counts[v]) for v in ("ahead", "level", "behind")]
        lines.append([s.theme, s.kind, s.subject, times(s.times_best_malloc), *counts])
    return align(lines, 4) if len(lines) > 1 else []


def verdicts(results):
    """Goal by goal."""
    lines = [["goal", "row", "against", "figure", "limit", ""]]
    for o in outcomes(results):
        verdict = "holds" if o.holds else "MISSED"
        lines.append([o.goal.what, o.row, o.against, number(o.value), o.goal.limit, verdict])
    if len(lines) == 1:
        return ["no goal was measured"]
    return align(lines, 3)


# Of the CPUs that the threads of a row need, what they must have had for wall clock to count.
ENOUGH = 0.95


def noisy(results):
    """Rows by wall clock whose threads had to share their CPUs with other work, and what share the
    worst peer had."""
    rows = {}
    for row, peers in results.values.items():
        threads = re.search(r"^(?!crowd_|asymmetric/).*/threads:(\d+)$", row)
        if threads:
            shares = [
                results.median(row, p, "cpus_had") / int(threads.group(1))
                for p in peers if p not in SLEEPERS
            ]
        else:
            # Peers whose helper threads take a share of the CPUs do not tell.
            shares = [results.median(row, p, "crew_cpus") for p in peers if p in HELPLESS]
        shares = [share for share in shares if share is not None]
        if shares and min(shares) < ENOUGH:
            rows[row] = min(shares)
    return rows


def disturbed(results):
    """Warns of these."""
    rows = [f"{row} ({share:.2f})" for row, share in noisy(results).items()]
    if rows:
        yield "Too noisy: other work ran on the CPUs of these rows, so do not trust their figures"
        yield f"(share of its CPUs that the worst peer had): {', '.join(rows)}"


def tally(results):
    found = outcomes(results)
    held = sum(o.holds for o in found)
    return f"{held} of {len(found)} goals hold"
