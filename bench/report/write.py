# SPDX-License-Identifier: MIT
"""The report as JSON: enough to compute every figure again."""

import json
import os

from plan import columns_of, family_of
from stats import outcomes


def _medians(results):
    return {
        row: {
            peer: {metric: results.median(row, peer, metric) for metric in metrics}
            for peer, metrics in peers.items()
        }
        for row, peers in results.values.items()
    }


def _ratios(results):
    """BMA against the best of its rivals, where a row has both."""
    ratios = []
    for row in results.values:
        family = family_of(row)
        for column in columns_of(row):
            if not column.better:
                continue
            best = results.best(row, family.rivals, column.metric, column.better == "higher")
            for subject in family.subjects:
                value = best and results.ratio((row, subject), (row, best), column.metric)
                if value is not None:
                    ratios.append(
                        {"row": row, "metric": column.metric, "peer": subject,
                         "against": best, "ratio": value}
                    )
    return ratios


def write(directory, machine, run, results):
    """Returns the path. Replaces the file at once, so that it is never half a report."""
    report = {
        "format": 1,
        "machine": machine,
        **run,
        "goals": [
            {"goal": o.goal.what, "row": o.row, "metric": o.goal.metric, "peer": o.goal.subject,
             "against": o.against, "figure": o.value, "limit": o.goal.limit, "holds": o.holds}
            for o in outcomes(results)
        ],
        "ratios": _ratios(results),
        "medians": _medians(results),
        "rounds": results.values,
    }
    path = os.path.join(directory, "report.json")
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    os.replace(path + ".new", path)
    return path
