# SPDX-License-Identifier: MIT
"""Output as a page shows it: "..." stands for any text within a line, and on a line of its own for any lines."""

import re


def _pattern(line):
    return re.compile("(.*)".join(re.escape(part) for part in line.rstrip().split("...")) + "$")


def matches(shown, printed):
    """Is @printed what the page shows as @shown?"""
    wanted = shown.rstrip("\n").split("\n") if shown.strip("\n") else []
    lines = [line.rstrip() for line in printed.rstrip("\n").split("\n")] if printed.strip("\n") else []
    reach = {0}  # how many of the lines may be behind us
    for want in wanted:
        if want.strip() == "...":
            reach = set(range(min(reach), len(lines) + 1)) if reach else set()
        else:
            pattern = _pattern(want)
            reach = {n + 1 for n in reach if n < len(lines) and pattern.match(lines[n])}
    return len(lines) in reach


def dialogue(text):
    """Pairs of a command and the output that is shown after it. A command goes on where its line ends with a backslash."""
    pairs = []
    goes_on = False
    for line in text.rstrip("\n").split("\n"):
        if goes_on:
            pairs[-1][0] += "\n" + line
        elif line.startswith("$ "):
            pairs.append([line[2:], ""])
        elif pairs:
            pairs[-1][1] += line + "\n"
        else:
            raise ValueError(f"output before the first command: {line}")
        goes_on = line.endswith("\\") and (goes_on or line.startswith("$ "))
    return [tuple(pair) for pair in pairs]
