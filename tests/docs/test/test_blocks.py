# SPDX-License-Identifier: MIT
"""The extractor takes every block, and refuses what nobody said how to run."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from blocks import Mistake, blocks

FENCE = "```"


def page(*lines):
    return "\n".join(lines).replace("~~~", FENCE) + "\n"


class Blocks(unittest.TestCase):
    def refused(self, what, *lines):
        with self.assertRaises(Mistake) as mistake:
            blocks(page(*lines))
        self.assertIn(what, mistake.exception.what)
        return mistake.exception.line

    def test_code_and_its_line(self):
        found = blocks(page("# Head", "", "~~~c", "int a;", "", "int b;", "~~~", "text", "~~~sh", "true", "~~~"))
        self.assertEqual([(b.line, b.language, b.kind, b.code) for b in found],
                         [(4, "c", "program", "int a;\n\nint b;\n"), (10, "sh", "commands", "true\n")])

    def test_each_language_has_its_kind(self):
        for language, kind in (("c", "program"), ("sh", "commands"), ("console", "dialogue"), ("cmake", "project"), ("text", "picture")):
            self.assertEqual(blocks(page("~~~" + language, "~~~"))[0].kind, kind)

    def test_a_mark_with_options_and_hidden_code(self):
        block = blocks(page("<!-- run: part a; link liburcu-memb; exits 3", "int hidden;", "-->", "~~~c", "int shown;", "~~~"))[0]
        self.assertEqual((block.kind, block.name, block.options), ("part", "a", {"link": "liburcu-memb", "exits": "3"}))
        self.assertEqual((block.hidden.strip(), block.hidden_line, block.line), ("int hidden;", 2, 5))

    def test_a_hidden_block_alone(self):
        found = blocks(page("~~~text", "~~~", "<!-- run: part a", "int hidden;", "-->", "", "words"))
        self.assertEqual((found[1].kind, found[1].name, found[1].code.strip(), found[1].line), ("part", "a", "int hidden;", 4))

    def test_a_mark_reaches_over_an_empty_line(self):
        self.assertEqual(blocks(page("<!-- run: compile -->", "", "~~~c", "~~~"))[0].kind, "compile")

    def test_a_mark_is_for_one_block(self):
        found = blocks(page("<!-- run: compile -->", "~~~c", "~~~", "~~~c", "~~~"))
        self.assertEqual([b.kind for b in found], ["compile", "program"])

    def test_none_needs_a_reason(self):
        self.assertEqual(blocks(page("<!-- run: none: of a kernel; not ours -->", "~~~c", "~~~"))[0].name, "of a kernel; not ours")
        self.refused("no reason", "<!-- run: none: -->", "~~~c", "~~~")

    def test_a_language_that_is_not_known(self):
        self.assertEqual(self.refused("a block of no language", "words", "~~~", "~~~"), 3)
        self.refused("a block of rust", "~~~rust", "~~~")
        self.assertEqual(blocks(page("<!-- run: none: theirs -->", "~~~rust", "~~~"))[0].kind, "none")

    def test_what_tests_of_installing_run(self):
        found = blocks(page("<!-- install: pkg-config -->", "~~~sh", "cc", "~~~", "<!-- run: part a", "int a;", "-->", "<!-- install: b -->", "", "~~~cmake", "~~~"))
        self.assertEqual([(b.kind, b.name) for b in found], [("install", "pkg-config"), ("part", "a"), ("install", "b")])
        self.refused("no block follows", "<!-- install: b -->", "words")

    def test_marks_that_say_nothing(self):
        self.refused("cannot be", "<!-- run: comands -->", "~~~sh", "~~~")
        self.refused("cannot be", "<!-- run: fragment -->", "~~~sh", "~~~")
        self.refused("no name", "<!-- run: part -->", "~~~c", "~~~")
        self.refused("what is", "<!-- run: fragment of -->", "~~~c", "~~~")
        self.refused("option", "<!-- run: compile; with x -->", "~~~c", "~~~")
        self.refused("no block follows", "<!-- run: compile -->", "words", "~~~c", "~~~")
        self.refused("no block follows", "words", "<!-- run: compile -->")

    def test_without_an_end(self):
        self.refused("without an end", "~~~c", "int a;")
        self.refused("without an end", "<!-- run: part a", "int a;")

    def test_fences_in_lists_and_other_blocks(self):
        self.assertEqual(blocks(page("* item", "", "      ~~~c", "      int a;", "      ~~~"))[0].code, "      int a;\n")
        self.refused("not in a fence", "<pre>", "int a;", "</pre>")
        with self.assertRaises(Mistake):
            blocks("~~" + "~c\nint a;\n~~" + "~\n")

    def test_commands_are_in_fences(self):
        self.assertEqual(self.refused("not in a fence", "words", "", "    cmake -S ."), 3)
        for line in ("scripts/test", "$ ls", "make all", "BMA_CONF=verbose ./app", "./app", "make"):
            self.refused("not in a fence", "", "    " + line)
        self.assertEqual(blocks(page("", "    makeshift picture", "", "    live + cached = carved", "", "* item", "  cmake is a program")), [])


if __name__ == "__main__":
    unittest.main()
