# SPDX-License-Identifier: MIT
"""Where BMA stands: its ratio to a peer in a row, how sure that is, and the sum of it."""

import math
from dataclasses import dataclass

import bootstrap
from plan import THEMES, columns_of, family_of

# Counted, not measured: the same every time, so one round says all.
EXACT = ("instructions",)


@dataclass
class Ratio:
    """One peer's figure to another's; low and high are None where one round is all there is."""

    ratio: float
    low: float
    high: float
    rounds: int


def ratio(results, top, bottom, metric):
    """top and bottom are (row, peer)."""
    ratios = results.ratios(top, bottom, metric)
    value = results.ratio(top, bottom, metric)
    if value is None:
        return None
    if metric in EXACT:
        return Ratio(value, value, value, len(ratios))
    return Ratio(value, *(bootstrap.of_median(ratios) or (None, None)), len(ratios))


@dataclass
class Standing:
    """BMA against the best rival in one figure of a row."""

    row: str
    column: object
    subject: str
    rival: str
    found: Ratio

    @property
    def verdict(self):
        if self.found.low is None:
            return ""
        return bootstrap.verdict(self.found.low, self.found.high, self.column.higher)

    @property
    def advantage(self):
        """Over 1 where BMA is the better one, or None where there is no such number: memory that
        was given back may be none, or less."""
        if self.found.ratio <= 0:
            return None
        return self.found.ratio if self.column.higher else 1 / self.found.ratio


def standing(results, row, column, subject, rivals):
    if not column.better:
        return None
    best = results.best(row, rivals, column.metric, column.higher)
    if best is None:
        return None
    found = ratio(results, (row, subject), (row, best), column.metric)
    return Standing(row, column, subject, best, found) if found else None


def standings(results, rivals=lambda family: family.rivals):
    """Of all rows, figures and subjects that were measured beside a rival."""
    found = []
    for row in results.values:
        family = family_of(row)
        for column in columns_of(row):
            for subject in family.subjects:
                found.append(standing(results, row, column, subject, rivals(family)))
    return [s for s in found if s]


def geometric_mean(numbers):
    return math.exp(sum(map(math.log, numbers)) / len(numbers)) if numbers else None


@dataclass
class Sum:
    """What a theme's rows say together."""

    theme: str
    kind: str
    subject: str
    figures: int
    times_best_malloc: float  # over 1: better than the best malloc of each row ...
    times_best_rival: float  # ... or than the best of all rivals
    counts: dict  # verdicts against the best rival, malloc or not


def _sum(theme, kind, subject, best, mallocs):
    means = [
        geometric_mean([s.advantage for s in found if s.advantage]) for found in (mallocs, best)
    ]
    counts = {v: sum(s.verdict == v for s in best) for v in ("ahead", "level", "behind")}
    return Sum(theme, kind, subject, len(best), *means, counts)


def sums(results):
    """By theme, kind of figure and subject, in the order of THEMES."""
    best = standings(results)
    mallocs = standings(results, lambda family: family.mallocs)
    found = []
    for theme in THEMES:
        def inside(all_of, kind, subject):
            return [
                s for s in all_of
                if theme.has(s.row) and (s.column.kind, s.subject) == (kind, subject)
            ]
        groups = dict.fromkeys((s.column.kind, s.subject) for s in best if theme.has(s.row))
        for kind, subject in groups:
            ours = inside(best, kind, subject)
            found.append(
                _sum(theme.name, kind, subject, ours, inside(mallocs, kind, subject))
            )
    return found


def intervals(results):
    """Every peer's ratio to BMA, BMA being the first subject of the row's family."""
    for row, peers in results.values.items():
        subject = family_of(row).subjects[0]
        for column in columns_of(row):
            for peer in peers:
                if peer != subject:
                    found = ratio(results, (row, peer), (row, subject), column.metric)
                    if found:
                        yield row, column, peer, subject, found
