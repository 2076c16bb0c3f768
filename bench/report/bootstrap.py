# SPDX-License-Identifier: MIT
"""Confidence intervals of medians, from rounds that are drawn again."""

import math
import random
from functools import lru_cache
from statistics import median

RESAMPLES = 2000
COVERAGE = 0.95
SEED = 1  # fixed: the same rounds make the same report
LEVEL = 0.02  # what differs by no more than this is level, however sure it is


@lru_cache(maxsize=None)
def _middles(n, seed):
    """For each resample of n sorted values, the places of its two middle ones. They do not depend
    on the values, so they are drawn once for all rows."""
    drawn = random.Random(seed * 1000003 + n)
    middles = []
    for _ in range(RESAMPLES):
        places = sorted(drawn.choices(range(n), k=n))
        middles.append((places[(n - 1) // 2], places[n // 2]))
    return tuple(middles)


def resampled(values, seed=SEED):
    """The median of each resample, in the order of drawing."""
    ordered = sorted(values)
    return [(ordered[a] + ordered[b]) / 2 for a, b in _middles(len(ordered), seed)]


def bounds(statistics):
    """The middle COVERAGE of these."""
    ordered = sorted(statistics)
    tail = (1 - COVERAGE) / 2 * len(ordered)
    return ordered[math.floor(tail)], ordered[math.ceil(len(ordered) - tail) - 1]


def of_median(values):
    """(low, high), or None: one value tells nothing of how much it varies."""
    return bounds(resampled(values)) if len(values) > 1 else None


def of_change(before, after):
    """(ratio, low, high) of two runs' medians. Their rounds have nothing to do with each other, so
    they are drawn apart. None if it is not known how much they vary, or the old median is 0."""
    if min(len(before), len(after)) < 2 or not median(before):
        return None
    pairs = zip(resampled(before, SEED), resampled(after, SEED + 1))
    ratios = [new / old if old else math.inf for old, new in pairs]
    return (median(after) / median(before), *bounds(ratios))


def verdict(low, high, higher_is_better, words=("ahead", "level", "behind")):
    """What an interval of a ratio says of what is above the line."""
    if low <= 1 <= high or (1 - LEVEL <= low and high <= 1 + LEVEL):
        return words[1]
    return words[0] if (low > 1) == higher_is_better else words[2]
