# SPDX-License-Identifier: MIT
"""Shown output is compared, and dots stand for what differs."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expect import matches, dialogue


class Expect(unittest.TestCase):
    def test_lines_are_equal(self):
        self.assertTrue(matches("a b\nc\n", "a b  \nc\n"))
        self.assertTrue(matches("", "\n"))
        for printed in ("a b\n", "a b\nc\nd\n", "c\na b\n", "a b\ncc\n", "xa b\nc\n", ""):
            self.assertFalse(matches("a b\nc\n", printed), printed)
        self.assertFalse(matches("", "a\n"))

    def test_what_is_special_elsewhere_is_not(self):
        self.assertTrue(matches("a.b* (c)\n", "a.b* (c)\n"))
        self.assertFalse(matches("a.b\n", "axb\n"))

    def test_dots_in_a_line(self):
        self.assertTrue(matches("live ... of ...\n", "live 3 of 70\n"))
        self.assertFalse(matches("live ... of\n", "live 3 of 70\n"))
        self.assertFalse(matches("live ... of\n", "live 3\nof\n"))

    def test_dots_for_lines(self):
        self.assertTrue(matches("a\n...\nz\n", "a\nz\n"))
        self.assertTrue(matches("a\n...\nz\n", "a\nz\ny\nz\n"))
        self.assertFalse(matches("a\n...\nz\n", "a\nz\ny\n"))

    def test_a_dialogue(self):
        self.assertEqual(dialogue("$ a\n1\n2\n$ b \\\n  c\n$ d\n"), [("a", "1\n2\n"), ("b \\\n  c", ""), ("d", "")])
        with self.assertRaises(ValueError):
            dialogue("1\n$ a\n")


if __name__ == "__main__":
    unittest.main()
