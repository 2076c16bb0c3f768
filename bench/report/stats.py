# SPDX-License-Identifier: MIT
"""Medians and ratios over rounds, and the goals held against them."""

import re
from dataclasses import dataclass
from statistics import median

from goals import GOALS


class Results:
    """values[row][peer][metric][round]; a round that a peer missed is absent."""

    def __init__(self, values=None):
        self.values = values if values is not None else {}

    @classmethod
    def of_report(cls, report):
        """From report.json, where all keys are text."""
        return cls({
            row: {
                peer: {
                    metric: {int(r): value for r, value in rounds.items()}
                    for metric, rounds in metrics.items()
                }
                for peer, metrics in peers.items()
            }
            for row, peers in report["rounds"].items()
        })

    def add(self, row, peer, round_number, metrics):
        for metric, value in metrics.items():
            peers = self.values.setdefault(row, {})
            peers.setdefault(peer, {}).setdefault(metric, {})[round_number] = value

    def rounds(self, row, peer, metric):
        return self.values.get(row, {}).get(peer, {}).get(metric, {})

    def median(self, row, peer, metric):
        rounds = self.rounds(row, peer, metric)
        return median(rounds.values()) if rounds else None

    def best(self, row, peers, metric, higher):
        """The peer with the best median, or None."""
        found = [(self.median(row, p, metric), p) for p in peers]
        found = [(value, p) for value, p in found if value is not None]
        if not found:
            return None
        return (max if higher else min)(found)[1]

    def ratios(self, top, bottom, metric):
        """Within each round that both have; top and bottom are (row, peer)."""
        above, below = self.rounds(*top, metric), self.rounds(*bottom, metric)
        return [above[r] / below[r] for r in above if r in below and below[r]]

    def ratio(self, top, bottom, metric):
        """The median of these."""
        ratios = self.ratios(top, bottom, metric)
        return median(ratios) if ratios else None


@dataclass
class Outcome:
    """What became of a goal in a row."""

    goal: object
    row: str
    value: float
    against: str

    @property
    def holds(self):
        return self.goal.holds(self.value)


def outcome(results, goal, row):
    if goal.against:
        peer = results.best(row, goal.against, goal.metric, goal.higher_is_better)
        if peer is None:
            return None
        value, against = results.ratio((row, goal.subject), (row, peer), goal.metric), peer
    elif goal.same_peer:
        other = re.sub(*goal.same_peer, row)
        value = results.ratio((row, goal.subject), (other, goal.subject), goal.metric)
        against = "1 thread"
    else:
        value, against = results.median(row, goal.subject, goal.metric), ""
    return None if value is None else Outcome(goal, row, value, against)


def outcomes(results):
    """All goals that were measured, in order of goals and rows."""
    found = [outcome(results, g, row) for g in GOALS for row in results.values if g.matches(row)]
    return [o for o in found if o]
