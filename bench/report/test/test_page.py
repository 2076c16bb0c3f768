# SPDX-License-Identifier: MIT
"""The page from a report that was made up."""

import json
import math
import re
import unittest
from html.parser import HTMLParser
from unittest import mock

import synthetic  # first: it says where the rest is
import gnuplot
import page
import plots
import write
from stats import Results

VOID = {"meta", "br", "path", "use", "circle", "rect"}


class Nesting(HTMLParser):
    """Fails on an element that is closed out of turn."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.addresses = []

    def handle_starttag(self, tag, attrs):
        self.addresses += [v for k, v in attrs if k in ("src", "href") and not v.startswith("#")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag, tag


class Page(unittest.TestCase):
    def has(self, part, text):
        """Unlike assertIn(), shows no whole page."""
        self.assertTrue(part in text, part)

    def check(self, text):
        nesting = Nesting()
        nesting.feed(text)
        self.assertEqual(nesting.open, [])
        self.assertEqual(nesting.addresses, [])
        for word in ("http", "<script", "@import"):
            self.assertFalse(word in text, word)

    def test_who_wins_comes_first(self):
        # Through JSON, as after `bench page`.
        text = page.build(json.loads(json.dumps(synthetic.report())))
        self.check(text)
        places = [text.index(f"<h2>{h}") for h in ("Who wins", "Every figure", "Goals", "Machine")]
        self.assertEqual(places, sorted(places))
        lead = text[places[0]:][:400]
        self.assertRegex(lead, r"speed: 2\.(49|5\d?) x better than the best malloc")
        self.has("sse2 &lt;&amp;&gt;", text)

    @unittest.skipUnless(gnuplot.available(), gnuplot.HOW_TO_GET)
    def test_every_kind_of_plot(self):
        text = page.build(synthetic.report())
        for heading in ("Speed", "Latency", "Scaling", "Memory", "Failures"):
            self.has(f"<h2>{heading}</h2>", text)
        self.assertFalse("gnuplot:" in text)
        self.assertEqual(len(re.findall("<svg", text)),
                         1 + len(plots.charts(synthetic.results())))

    def test_without_gnuplot(self):
        with mock.patch("gnuplot.shutil.which", return_value=None):
            text = page.build(synthetic.report())
        self.check(text)
        self.has("apt-get install gnuplot-nox", text)
        self.assertFalse("<svg" in text)

    def test_part_of_a_run(self):
        made = synthetic.results()
        made.values = {"pair/size:64": made.values["pair/size:64"]}
        self.assertEqual([h for h, _ in plots.charts(made)], ["Speed"])
        self.check(page.build(write.make({}, {"finished": False, "rounds_done": 3}, made)))

    def test_nothing_finished(self):
        text = page.build(write.make({}, {"finished": False, "rounds_done": 0}, Results()))
        self.check(text)
        self.has("Interrupted after 0 whole rounds", text)

    def test_failures_are_shown(self):
        made = synthetic.report()
        made["failures"] = [{"peer": "glibc", "group": "pair", "round": 1, "what": "crashed <"}]
        self.has("Failed: glibc in pair: crashed &lt;", page.build(made))

    def test_failure_rate(self):
        chart = plots.failures(synthetic.results())
        self.assertEqual(chart.points["stock of 16384"], [(round(math.log2(10000), 3), 0.0)])
        self.assertEqual(chart.points["stock of 0"][0][1], 5.0)


if __name__ == "__main__":
    unittest.main()
