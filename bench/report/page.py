# SPDX-License-Identifier: MIT
"""The report as one HTML file that needs nothing else: who wins first, then why to believe it."""

from html import escape

import charts
import gnuplot
import plots
from plan import ALL_PEERS, FAMILIES, columns_of, family_of
from standing import geometric_mean, intervals, standings, sums
from stats import Results, outcomes
from table import noisy, number, short, span, times

STYLE = """
body { font: 15px/1.4 sans-serif; margin: 1.5em auto; max-width: 76em; padding: 0 1em;
       color: #111; background: #fff; }
table { border-collapse: collapse; margin: .6em 0; }
th, td { padding: .15em .6em; border-bottom: 1px solid #ddd; text-align: right;
         vertical-align: top; }
th:first-child, td:first-child, td.text { text-align: left; }
.ahead { background: #d8f0d8; } .level { background: #eee; } .behind { background: #f8d8d4; }
.lead { font-size: 125%; } .wide { overflow-x: auto; font-size: 85%; }
.note { color: #555; } .warning { background: #fff0c0; padding: .4em .8em; }
svg { max-width: 100%; height: auto; }
"""
VERDICTS = ("ahead", "level", "behind")


def cell(text, kind="", tip=""):
    kind = f' class="{kind}"' if kind else ""
    tip = f' title="{escape(tip)}"' if tip else ""
    return f"<td{kind}{tip}>{escape(str(text))}</td>"


def html_table(head, rows):
    """Rows are lists of cells."""
    titles = "".join(f"<th>{escape(h)}</th>" for h in head)
    body = "\n".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return f'<div class="wide"><table>\n<tr>{titles}</tr>\n{body}\n</table></div>'


def section(title, *parts):
    parts = [p for p in parts if p]
    return f"<h2>{escape(title)}</h2>\n" + "\n".join(parts) if parts else ""


def _lead_of(subject, best, mallocs):
    """A line per kind of figure, as nanoseconds and bytes are not to be added up."""
    said = []
    for kind in ("speed", "latency", "memory"):
        ours = [s for s in best if (s.subject, s.column.kind) == (subject, kind)]
        means = [
            s.advantage for s in mallocs
            if (s.subject, s.column.kind) == (subject, kind) and s.advantage
        ]
        if not ours:
            continue
        counts = {v: sum(s.verdict == v for s in ours) for v in VERDICTS}
        how = f"{times(geometric_mean(means))} than the best malloc of each row; " if means else ""
        how = how.replace("the same than", "the same as")
        said.append(
            f"{kind}: {how}ahead of the best rival of any kind in {counts['ahead']}, level in "
            f"{counts['level']}, behind in {counts['behind']} figures"
        )
        unknown = len(ours) - sum(counts.values())
        said[-1] += f"; too few rounds to say in {unknown}" if unknown else ""
    lines = "".join(f"<li>{escape(line)}</li>" for line in said)
    return f"<li><b>{escape(subject)}</b><ul>{lines}</ul></li>" if said else ""


def lead(results):
    best = standings(results)
    mallocs = standings(results, lambda family: family.mallocs)
    lines = [_lead_of(s, best, mallocs) for s in dict.fromkeys(s.subject for s in best)]
    held = outcomes(results)
    goals = f"<p>{sum(o.holds for o in held)} of {len(held)} goals hold.</p>" if held else ""
    return f'<ul class="lead">{"".join(lines)}</ul>{goals}' if best else (
        "<p>Nothing was measured beside a rival.</p>" + goals
    )


def summary(results):
    rows = [
        [cell(s.theme), cell(s.kind, "text"), cell(s.subject, "text"),
         cell(times(s.times_best_malloc)),
         *(cell(s.counts[v] or "", v if s.counts[v] else "") for v in VERDICTS)]
        for s in sums(results)
    ]
    if not rows:
        return ""
    note = (
        '<p class="note">The geometric mean is over the figures of a line, each against the malloc '
        "that is best there. Ahead, level and "
        "behind are by the 95 % interval of the ratio to the best rival, which may be an object "
        "pool; level is an interval that contains 1 or stays within 2 %.</p>"
    )
    return html_table(["", "", "", "geometric mean", *VERDICTS], rows) + note


def behind(results):
    """What BMA loses is not to be looked for."""
    found = [s for s in standings(results) if s.verdict == "behind"]
    if not found:
        return ""
    rows = [
        [cell(s.row), cell(s.column.unit, "text"), cell(s.subject, "text"),
         cell(times(s.advantage)), cell(short(s.rival), "text"),
         cell(span(s.found.low, s.found.high))]
        for s in found
    ]
    return html_table(["", "", "", "than", "", "ratio, 95 %"], rows)


def overview(results):
    """The one picture to look at first."""
    chart = plots.overview(results)
    if not gnuplot.available() or not chart.points:
        return ""
    try:
        return f"<figure>{charts.svg(chart, 'overview')}</figure>"
    except gnuplot.PlotFailed as failure:
        return f"<p>{escape(str(failure))}</p>"


def drawings(results):
    """Headings and charts; says how to get them where there are none."""
    if not gnuplot.available():
        return section("Plots", f"<p>{gnuplot.HOW_TO_GET}</p>")
    parts, last = [], ""
    for i, (heading, chart) in enumerate(plots.charts(results)):
        if heading != last:
            parts.append(f"<h2>{escape(heading)}</h2>")
            last = heading
        try:
            parts.append(f"<figure>{charts.svg(chart, f'c{i}')}</figure>")
        except gnuplot.PlotFailed as failure:
            parts.append(f"<p>{escape(chart.title)}: {escape(str(failure))}</p>")
    return "\n".join(parts)


def _figure(results, row, column, peer, ratios):
    value = results.median(row, peer, column.metric)
    if value is None:
        return cell("")
    found = ratios.get((row, column.metric, peer))
    tip = f"{number(found.ratio)} ({span(found.low, found.high)}) of BMA's" if found else ""
    return cell(number(value * column.scale), tip=tip)


def _rows(results, rows, peers, subject, ratios):
    best = {
        (s.row, s.column.metric): s for s in standings(results) if s.subject == subject
    }
    disturbed = noisy(results)
    for row in rows:
        name = row + (" (too noisy)" if row in disturbed else "")
        for column in columns_of(row):
            if all(results.median(row, p, column.metric) is None for p in peers):
                continue
            s = best.get((row, column.metric))
            against = [
                cell(number(s.found.ratio)), cell(span(s.found.low, s.found.high)),
                cell(short(s.rival), "text"), cell(s.verdict, s.verdict),
            ] if s else [cell("")] * 4
            yield [
                cell(name), cell(column.unit, "text"),
                *(_figure(results, row, column, p, ratios) for p in peers), *against,
            ]


def figures(results):
    """The full table, family by family; a peer's ratio to BMA is shown under the pointer."""
    ratios = {(row, c.metric, peer): found for row, c, peer, _, found in intervals(results)}
    for family in FAMILIES:
        rows = [row for row in results.values if family_of(row) is family]
        peers = [p for p in family.peers if any(p in results.values[row] for row in rows)]
        if rows:
            head = ["", "", *map(short, peers), "/ best", "95 %", "", "verdict"]
            subject = family.subjects[0]
            yield html_table(head, list(_rows(results, rows, peers, subject, ratios)))


def goals(results):
    rows = [
        [cell(o.goal.what), cell(o.row, "text"), cell(o.against, "text"), cell(number(o.value)),
         cell(o.goal.limit), cell("holds" if o.holds else "MISSED", "" if o.holds else "behind")]
        for o in outcomes(results)
    ]
    return html_table(["goal", "row", "against", "figure", "limit", ""], rows) if rows else ""


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{k}: {_text(v)}" for k, v in value.items())
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def machine(report):
    facts = {**report.get("machine", {})}
    loads = report.get("loads") or []
    if loads:
        facts["load, least and most of rounds"] = f"{min(loads):.1f}..{max(loads):.1f}"
    facts["rounds"] = report.get("rounds_done")
    facts["options"] = report.get("options", {})
    versions = report.get("versions", {})
    facts |= {p: versions[p] for p in ALL_PEERS if p in versions}
    facts |= {f"without {name}": how for name, how in report.get("skipped", {}).items()}
    rows = [[cell(k), cell(_text(v), "text")] for k, v in facts.items() if v not in ("", None)]
    return html_table(["", ""], rows)


def warnings(report, results):
    lines = []
    if not report.get("finished", True):
        lines.append(f"Interrupted after {report.get('rounds_done')} whole rounds.")
    rows = [f"{row} ({share:.2f})" for row, share in noisy(results).items()]
    if rows:
        lines.append(
            "Too noisy: other work ran on the CPUs of these rows, so do not trust their figures "
            f"(share of its CPUs that the worst peer had): {', '.join(rows)}"
        )
    failed = {(f["peer"], f["group"], f["what"]) for f in report.get("failures", [])}
    lines += [f"Failed: {peer} in {group}: {what}" for peer, group, what in sorted(failed)]
    return "".join(f'<p class="warning">{escape(line)}</p>\n' for line in lines)


def build(report):
    """The page of what write.make() or write.read() gave."""
    results = Results.of_report(report)
    when = report.get("machine", {}).get("time", "")
    parts = [
        section("Who wins", lead(results), warnings(report, results), overview(results),
                summary(results)),
        section("Where BMA is behind", behind(results)),
        drawings(results),
        section("Every figure", *figures(results)),
        section("Goals", goals(results)),
        section("Machine and versions", machine(report)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f"<title>BMA beside its peers, {escape(when)}</title>\n<style>{STYLE}</style></head>\n"
        f"<body>\n<h1>BMA beside its peers</h1>\n{chr(10).join(p for p in parts if p)}\n"
        "</body></html>\n"
    )
