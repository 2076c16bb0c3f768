# SPDX-License-Identifier: MIT
"""Two runs that differ in what was made to differ."""

import argparse
import contextlib
import io
import json
import os
import tempfile
import unittest

import synthetic  # first: it says where the rest is
import compare
import write


def loaded(**how):
    """As read from a file: with text for keys."""
    return json.loads(json.dumps(synthetic.report(**how)))


class Compare(unittest.TestCase):
    def setUp(self):
        self.old, self.new = loaded(seed=1), loaded(seed=2, slower=1.5)

    def test_only_what_changed(self):
        lines = list(compare.text(self.old, self.new))
        pair = [line for line in lines if line.startswith("pair/")]
        self.assertEqual(len(pair), 1)
        self.assertIn("inline", pair[0])
        self.assertTrue(pair[0].endswith("worse"))
        self.assertIn("  inline: 0.66", "\n".join(lines))
        glibc = next(line for line in lines if line.startswith("  glibc: "))
        self.assertAlmostEqual(float(glibc.split()[1]), 1.0, delta=0.01)

    def test_all(self):
        lines = list(compare.text(self.old, self.new, "^pair/", True))
        self.assertEqual(sum(line.startswith("pair/") for line in lines), 3)

    def test_same_run(self):
        lines = list(compare.text(self.old, self.old))
        self.assertIn("same", lines[-1])
        self.assertNotIn("worse", "\n".join(lines))

    def test_other_machine(self):
        self.new["machine"]["cpu"] = "another"
        self.assertIn("WARNING: cpu differs", next(compare.text(self.old, self.new)))

    def test_peers_of_one_run_are_left_out(self):
        del self.new["rounds"]["pair/size:64"]["glibc"]
        lines = list(compare.text(self.old, self.new, "^pair/", True))
        self.assertEqual(sum(line.startswith("pair/") for line in lines), 2)

    def test_nothing_in_common(self):
        self.new["rounds"] = {}
        with self.assertRaisesRegex(write.Unreadable, "no row and peer in common"):
            list(compare.text(self.old, self.new))
        with self.assertRaisesRegex(write.Unreadable, "(?s)no row matches.*pair/size:64"):
            list(compare.text(self.old, self.old, "nothing"))


class Reading(unittest.TestCase):
    def refused(self, content, why):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "r.json")
            if content is not None:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(content)
            with self.assertRaisesRegex(write.Unreadable, why):
                write.read(path)

    def test_bad_files(self):
        self.refused(None, "No such file")
        self.refused("{", "no JSON")
        self.refused("[]", "not a report.json")
        self.refused('{"format": 1}', "it has no rounds")
        self.refused('{"format": 9, "rounds": {}}', "of format 9")
        self.refused('{"format": 1, "rounds": {"a": {"b": {"c": {"x": 1}}}}}', "damaged")
        self.refused('{"format": 1, "rounds": {"a": {"b": {"c": {"1": "x"}}}}}', "damaged")

    def test_exit_status(self):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertEqual(compare.main(argparse.ArgumentParser, ["no", "file"]), 2)
        self.assertIn("no: No such file", said.getvalue())


if __name__ == "__main__":
    unittest.main()
