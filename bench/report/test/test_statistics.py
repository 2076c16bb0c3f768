# SPDX-License-Identifier: MIT
"""Intervals of known data, verdicts, and the sums of them."""

import random
import unittest

import synthetic  # first: it says where the rest is
import bootstrap
import standing
from stats import Results


class Bootstrap(unittest.TestCase):
    def test_no_noise_no_width(self):
        self.assertEqual(bootstrap.of_median([3.0] * 9), (3.0, 3.0))

    def test_one_value_tells_nothing(self):
        self.assertIsNone(bootstrap.of_median([3.0]))

    def test_same_every_time_and_in_any_order(self):
        values = [1.0, 5.0, 2.0, 4.0, 3.0]
        self.assertEqual(bootstrap.of_median(values), bootstrap.of_median(sorted(values)))

    def test_places_of_nine(self):
        """The median of a resample of 9 is at place 2 or before if 5 of 9 draws are, which is so in
        3.0 % of them; at place 1, in 0.1 %; at place 3 or before, in 14 %."""
        low, high = bootstrap.of_median(list(range(1, 10)))
        self.assertIn(low, (2, 3))
        self.assertIn(high, (7, 8))

    def test_three_rounds_give_their_range(self):
        self.assertEqual(bootstrap.of_median([1.0, 2.0, 9.0]), (1.0, 9.0))

    def test_holds_the_true_median_about_as_often_as_it_says(self):
        drawn = random.Random(3)
        held = 0
        for _ in range(300):
            low, high = bootstrap.of_median([drawn.gauss(10, 1) for _ in range(25)])
            held += low <= 10 <= high
        self.assertGreater(held / 300, 0.90)

    def test_change_of_two_runs(self):
        ratio, low, high = bootstrap.of_change([10.0, 10.1, 9.9] * 3, [20.0, 20.2, 19.8] * 3)
        self.assertAlmostEqual(ratio, 2.0)
        self.assertTrue(1.9 < low <= 2.0 <= high < 2.1)
        self.assertIsNone(bootstrap.of_change([0.0, 0.0], [1.0, 1.0]))


class Verdicts(unittest.TestCase):
    def test_words(self):
        for low, high, higher, word in (
            (0.9, 1.1, False, "level"), (0.985, 0.99, False, "level"), (1.0, 1.5, True, "level"),
            (0.5, 0.6, False, "ahead"), (0.5, 0.6, True, "behind"), (1.01, 1.05, True, "ahead"),
            (1.01, 1.05, False, "behind"), (0.97, 0.99, False, "ahead"),
        ):
            self.assertEqual(bootstrap.verdict(low, high, higher), word, (low, high, higher))


class Standings(unittest.TestCase):
    def setUp(self):
        self.results = synthetic.results()

    def test_best_rival(self):
        found = {(s.row, s.column.metric): s for s in standing.standings(self.results)}
        s = found["pair/size:64", "cpu_ns"]
        self.assertEqual((s.rival, s.verdict), ("mimalloc", "ahead"))
        self.assertAlmostEqual(s.found.ratio, 0.4, delta=0.01)
        self.assertLessEqual(s.found.low, s.found.ratio)
        self.assertGreaterEqual(s.found.high, s.found.ratio)
        self.assertAlmostEqual(s.advantage, 2.5, delta=0.06)
        rate = found["threads_pair/size:64/threads:2", "items_per_second"]
        self.assertAlmostEqual(rate.advantage, 2.5, delta=0.1)
        self.assertEqual(rate.verdict, "ahead")

    def test_sums(self):
        found = {(s.theme, s.kind): s for s in standing.sums(self.results)}
        threads = found["threads", "speed"]
        self.assertEqual(threads.counts, {"ahead": 3, "level": 0, "behind": 0})
        self.assertAlmostEqual(threads.times_best_malloc, 2.5, delta=0.05)

    def test_behind_and_level(self):
        for slower, word in ((5.0, "behind"), (2.5, "level")):
            found = standing.standings(synthetic.results(slower=slower))
            pair = next(s for s in found if s.row == "pair/size:64")
            self.assertEqual(pair.verdict, word)

    def test_intervals_of_every_peer(self):
        found = {(row, peer): r for row, _, peer, _, r in standing.intervals(self.results)}
        self.assertAlmostEqual(found["pair/size:64", "glibc"].ratio, 4.0, delta=0.1)
        self.assertNotIn(("pair/size:64", "bma-inline"), found)

    def test_one_round_has_no_verdict_unless_counted(self):
        made = Results()
        for peer, value in (("bma-inline", 1.0), ("glibc", 2.0)):
            made.add("pair/size:64", peer, 1, {"cpu_ns": value})
            made.add("callgrind/size:64", peer, 1, {"instructions": value})
        words = {s.row: s.verdict for s in standing.standings(made)}
        self.assertEqual(words, {"pair/size:64": "", "callgrind/size:64": "ahead"})

    def test_geometric_mean(self):
        self.assertAlmostEqual(standing.geometric_mean([0.5, 2.0, 8.0]), 2.0)
        self.assertIsNone(standing.geometric_mean([]))


if __name__ == "__main__":
    unittest.main()
