# SPDX-License-Identifier: MIT
"""What changed between two runs: figures that both have, the second run's to the first one's."""

import re
import sys
from dataclasses import dataclass

import bootstrap
import write
from plan import ALL_PEERS, columns_of
from standing import EXACT, geometric_mean
from stats import Results
from table import align, number, short, span

WORDS = ("better", "same", "worse")


@dataclass
class Change:
    """One figure of a peer in both runs."""

    row: str
    column: object
    peer: str
    before: float
    after: float
    ratio: float  # after / before; None where one round is all there is, or before is 0
    low: float
    high: float

    @property
    def verdict(self):
        if self.ratio is None:
            return "same" if self.before == self.after else "?"
        if not self.column.better:
            return bootstrap.verdict(self.low, self.high, True, ("more", "same", "less"))
        return bootstrap.verdict(self.low, self.high, self.column.higher, WORDS)


def _change(old, new, row, column, peer):
    before, after = (r.rounds(row, peer, column.metric) for r in (old, new))
    if not before or not after:
        return None
    medians = [r.median(row, peer, column.metric) for r in (old, new)]
    if column.metric in EXACT and medians[0]:
        found = (medians[1] / medians[0],) * 3
    else:
        found = bootstrap.of_change(list(before.values()), list(after.values()))
    return Change(row, column, peer, *medians, *(found or (None, None, None)))


def changes(old, new):
    found = [
        _change(old, new, row, column, peer)
        for row in new.values if row in old.values
        for column in columns_of(row)
        for peer in new.values[row] if peer in old.values[row]
    ]
    return [c for c in found if c]


def _machines(old, new):
    """Facts without which two runs are not to be compared."""
    keys = ("cpu", "cpus", "kernel", "compiler", "build_type", "transparent_hugepage")
    a, b = old.get("machine", {}), new.get("machine", {})
    for key in keys:
        if a.get(key) != b.get(key):
            yield f"WARNING: {key} differs: {a.get(key)} | {b.get(key)}"


def _lines(found):
    lines = [["", "", "peer", "before", "after", "ratio", "95 %", ""]]
    for c in found:
        values = [number(v * c.column.scale) for v in (c.before, c.after)]
        lines.append([
            c.row, c.column.unit, short(c.peer), *values,
            number(c.ratio), span(c.low, c.high), c.verdict,
        ])
    return align(lines, 3)


def _drift(found):
    """What all peers have in common is the machine's doing."""
    yield "geometric mean of each peer's speed and latency (over 1: the second run is better):"
    for peer in ALL_PEERS:
        ratios = [
            c.ratio if c.column.higher else 1 / c.ratio
            for c in found
            if c.peer == peer and c.ratio and c.column.better and c.column.kind != "memory"
        ]
        if ratios:
            yield f"  {short(peer)}: {geometric_mean(ratios):.3f} of {len(ratios)} figures"


def _tally(found):
    counts = {}
    for c in found:
        counts[c.verdict] = counts.get(c.verdict, 0) + 1
    return ", ".join(f"{n} {'unknown' if v == '?' else v}" for v, n in counts.items())


def text(old, new, only="", everything=False):
    """Lines of the comparison of two reports; write.Unreadable if they have nothing in common."""
    results = [Results.of_report(r) for r in (old, new)]
    both = changes(*results)
    if not both:
        raise write.Unreadable("these runs have no row and peer in common:\n" + "\n".join(
            f"  {which}: {' '.join(r.values) or 'no rows'}"
            for which, r in zip(("first", "second"), results)
        ))
    found = [c for c in both if re.search(only, c.row)]
    if not found:
        rows = dict.fromkeys(c.row for c in both)
        raise write.Unreadable("no row matches --only; both have:\n" + "\n".join(rows))
    yield from _machines(old, new)
    shown = [c for c in found if everything or c.verdict != "same"]
    if shown:
        yield from _lines(shown)
        yield ""
    yield from _drift(found)
    yield f"{len(found)} figures: {_tally(found)}"


def parse(parser_class, arguments):
    parser = parser_class(
        prog="bench compare",
        description="Shows what changed from run A to run B, with 95 % intervals.",
    )
    parser.add_argument("a", metavar="A.json")
    parser.add_argument("b", metavar="B.json")
    parser.add_argument("--only", metavar="REGEX", default="", help="rows with a match")
    parser.add_argument("--all", action="store_true", help="what did not change, too")
    options = parser.parse_args(arguments)
    try:
        re.compile(options.only)
    except re.error as error:
        parser.error(f"--only {options.only}: {error}")
    return options


def main(parser_class, arguments):
    options = parse(parser_class, arguments)
    try:
        reports = [write.read(p) for p in (options.a, options.b)]
        for line in text(*reports, options.only, options.all):
            print(line)
    except write.Unreadable as error:
        print(f"bench compare: {error}", file=sys.stderr)
        return 2
    return 0
