# SPDX-License-Identifier: MIT
"""Charts made by gnuplot, as SVG to put into a page."""

import re
import shutil
import subprocess

HOW_TO_GET = "no plots: gnuplot is missing; apt-get install gnuplot-nox"


class PlotFailed(Exception):
    """gnuplot would not draw this; the text says why."""


def available():
    return shutil.which("gnuplot") is not None


def version():
    try:
        done = subprocess.run(["gnuplot", "--version"], capture_output=True, text=True,
                              timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def quoted(text):
    """As a string of gnuplot's."""
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'


def _inline(svg):
    """As an element of a page: no prologue, and no address of anything."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r'\s+xmlns(:xlink)?="[^"]*"', "", svg, count=2)
    # gnuplot's titles are its names for the parts, which a browser would show under the pointer.
    svg = re.sub(r"\s*<(title|desc)>[^<]*</\1>", "", svg)
    return svg.replace("xlink:href", "href").strip()


def draw(script, name, width, height):
    """The SVG text. Names of elements begin with `name`, as a page has many charts."""
    head = (
        f"set terminal svg size {width},{height} noenhanced font 'sans-serif,12' "
        f"background '#ffffff' name {quoted(name)}\n"
    )
    try:
        done = subprocess.run(["gnuplot"], input=head + script, capture_output=True, text=True,
                              timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PlotFailed(str(error)) from None
    if done.returncode or "<svg" not in done.stdout:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PlotFailed(f"gnuplot: {last[0]}")
    return _inline(done.stdout)
