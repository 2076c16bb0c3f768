# SPDX-License-Identifier: MIT
"""The report as JSON: enough to compute every figure again."""

import json
import os

from standing import intervals, standings, sums
from stats import outcomes
from table import noisy


FORMAT = 1


def _medians(results):
    return {
        row: {
            peer: {metric: results.median(row, peer, metric) for metric in metrics}
            for peer, metrics in peers.items()
        }
        for row, peers in results.values.items()
    }


def _bounds(found):
    return {"ratio": found.ratio, "low": found.low, "high": found.high, "rounds": found.rounds}


def _ratios(results):
    """BMA against the best of its rivals, where a row has both."""
    return [
        {"row": s.row, "metric": s.column.metric, "peer": s.subject, "against": s.rival,
         **_bounds(s.found), "verdict": s.verdict}
        for s in standings(results)
    ]


def _intervals(results):
    """Every peer's figure to BMA's."""
    return [
        {"row": row, "metric": column.metric, "peer": peer, "to": subject, **_bounds(found)}
        for row, column, peer, subject, found in intervals(results)
    ]


def _sums(results):
    return [
        {"theme": s.theme, "kind": s.kind, "peer": s.subject, "figures": s.figures,
         "times_best_malloc": s.times_best_malloc, **s.counts}
        for s in sums(results)
    ]


def _put(path, text):
    """Replaces the file at once, so that it is never half a report."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)
    return path


def make(machine, run, results):
    return {
        "format": FORMAT,
        "machine": machine,
        **run,
        "summary": _sums(results),
        "goals": [
            {"goal": o.goal.what, "row": o.row, "metric": o.goal.metric, "peer": o.goal.subject,
             "against": o.against, "figure": o.value, "limit": o.goal.limit, "holds": o.holds}
            for o in outcomes(results)
        ],
        "noisy": noisy(results),
        "ratios": _ratios(results),
        "intervals": _intervals(results),
        "medians": _medians(results),
        "rounds": results.values,
    }


def write_json(directory, report):
    """Returns the path."""
    return _put(os.path.join(directory, "report.json"), json.dumps(report, indent=1) + "\n")


def write_page(directory, text):
    """Returns the path."""
    return _put(os.path.join(directory, "report.html"), text)


def _whole(rounds):
    """Whether these are numbers of numbered rounds, four levels deep."""
    try:
        return all(
            isinstance(value, (int, float)) and int(number) >= 0
            for peers in rounds.values() for metrics in peers.values()
            for numbered in metrics.values() for number, value in numbered.items()
        )
    except (AttributeError, ValueError):
        return False


class Unreadable(Exception):
    """A file that is no report; the text says why."""


def read(path):
    """What write_json() wrote."""
    try:
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Unreadable(f"{path}: no JSON: {error}") from None
    if not isinstance(report, dict) or not isinstance(report.get("rounds"), dict):
        raise Unreadable(f"{path}: not a report.json of scripts/bench: it has no rounds")
    if report.get("format") != FORMAT:
        raise Unreadable(f"{path}: of format {report.get('format')}; this reads format {FORMAT}")
    if not _whole(report["rounds"]):
        raise Unreadable(f"{path}: damaged: rounds are not row, peer, metric, round: number")
    return report
