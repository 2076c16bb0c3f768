# SPDX-License-Identifier: MIT
"""Two kinds of chart, in gnuplot's language: dots with intervals, and curves."""

import math
from dataclasses import dataclass, field

from gnuplot import draw, quoted
from table import short

WIDTH = 900
# BMA is black, its mallocs keep their colours in every chart, limits of the machine are grey.
COLOURS = {
    "bma": "#000000", "glibc": "#0072b2", "jemalloc": "#d55e00", "gperftools": "#009e73",
    "mimalloc": "#cc79a7", "rte_mempool": "#e69f00", "preallocated": "#e69f00",
    "mallocx": "#f0a080", "mi-heap": "#e6bcd3", "gslice": "#56b4e9", "kmem_cache": "#7a4fbf",
    "ck-stack": "#8c6d31", "lfstack": "#b5cf6b", "best malloc": "#0072b2", "best rival": "#d55e00", "stock of 0": "#d55e00", "stock of": "#000000",
}
LIMIT = "#999999"
_MARKS = (7, 5, 9, 13, 11, 6, 4, 8, 12, 10)


def colour(peer):
    return next((c for start, c in COLOURS.items() if peer.startswith(start)), LIMIT)


@dataclass
class Dots:
    """A line per label, a dot per peer: points[peer] = [(label, value, low, high), ...]."""

    title: str
    x: str
    labels: list
    points: dict = field(default_factory=dict)
    at_one: bool = False  # whether 1 is a place to draw a line at

    @property
    def height(self):
        return max(240, 130 + 24 * len(self.labels))

    def add(self, label, peer, value, low, high):
        """Zero has no place on a logarithmic scale, so it is left out."""
        if value and value > 0:
            low = low if low and low > 0 else value
            self.points.setdefault(peer, []).append((label, value, low, high or value))
            if label not in self.labels:
                self.labels.append(label)

    def _data(self):
        for i, (peer, points) in enumerate(self.points.items()):
            # Side by side within the line, or dots hide one another.
            aside = 0.3 * (0.5 - (i + 0.5) / len(self.points))
            yield f"$d{i} << EOD"
            for label, value, low, high in points:
                yield f"{value:.6g} {-self.labels.index(label) + aside:.3f} {low:.6g} {high:.6g}"
            yield "EOD"

    def script(self):
        ticks = ", ".join(f"{quoted(label)} {-i}" for i, label in enumerate(self.labels))
        lines = [
            f"set title {quoted(self.title)}",
            f"set xlabel {quoted(self.x)}",
            "set logscale x", "set grid x ytics lc rgb '#dddddd'", "set format x '%g'",
            f"set ytics ({ticks})",
            f"set yrange [{-len(self.labels) + 0.4}:0.6]",
            "set key outside right top",
            *self._data(),
        ]
        if self.at_one:
            lines.append("set arrow from first 1, graph 0 to first 1, graph 1 nohead lw 2")
        plots = [
            f"$d{i} using 1:2:3:4 with xerrorbars lc rgb '{colour(peer)}' lw 1.5 "
            f"pt {_MARKS[i % len(_MARKS)]} ps 0.7 title {quoted(short(peer))}"
            for i, peer in enumerate(self.points)
        ]
        return "\n".join([*lines, "plot " + ", ".join(plots), ""])


@dataclass
class Curves:
    """A curve per peer: points[peer] = [(x, value), ...]; ticks are [(text, x), ...]."""

    title: str
    x: str
    y: str
    ticks: list
    points: dict = field(default_factory=dict)
    log: bool = True

    height = 380

    def _more_ticks(self):
        """gnuplot marks powers of ten, of which a flat chart has hardly one."""
        values = [y for points in self.points.values() for _, y in points]
        if not self.log or max(values) / min(values) > 50:
            return []
        first = math.floor(math.log10(min(values)))
        ticks = [f"{m * 10.0 ** e:g}" for e in range(first, first + 3) for m in (1, 2, 5)]
        return [f"set ytics ({', '.join(ticks)})"]

    def add(self, peer, x, value):
        if value is not None and (value > 0 or not self.log):
            self.points.setdefault(peer, []).append((x, value))

    def script(self):
        ticks = ", ".join(f"{quoted(text)} {x}" for text, x in self.ticks)
        places = [x for _, x in self.ticks]
        room = 0.1 * ((max(places) - min(places)) or 1)
        lines = [
            f"set title {quoted(self.title)}",
            f"set xlabel {quoted(self.x)}", f"set ylabel {quoted(self.y)}",
            "set logscale y" if self.log else "set yrange [0:*<0.1]",
            "set grid lc rgb '#dddddd'", f"set xtics ({ticks})", "set format y '%g'",
            f"set xrange [{min(places) - room}:{max(places) + room}]",
            "set key outside right top",
            *self._more_ticks(),
        ]
        for i, points in enumerate(self.points.values()):
            lines += [f"$d{i} << EOD", *(f"{x} {y:.6g}" for x, y in points), "EOD"]
        plots = [
            f"$d{i} with linespoints lc rgb '{colour(peer)}' "
            f"lw {3 if peer.startswith('bma') else 1.5} pt {_MARKS[i % len(_MARKS)]} ps 0.7 "
            f"title {quoted(short(peer))}"
            for i, peer in enumerate(self.points)
        ]
        return "\n".join([*lines, "plot " + ", ".join(plots), ""])


def svg(chart, name):
    return draw(chart.script(), name, WIDTH, chart.height)
