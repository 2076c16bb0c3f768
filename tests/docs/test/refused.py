#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""refused.py --prefix DIR: pages with one fault each, which page.py has to find, and say where; and the same without the fault."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "page.py"
TREE = PAGE.parent.parent.parent
PREFIX = sys.argv[sys.argv.index("--prefix") + 1] if "--prefix" in sys.argv else None
MAIN = "int main(void)\n{\n\treturn %s;\n}\n"
PRINTS = "#include <stdio.h>\n" + MAIN % 'puts("3 objects") < 0'
SHOW = "<!-- run: output -->\n```text\n%s\n```\n"


def block(language, code, mark=""):
    return f"{mark}\n```{language}\n{code}```\n"


def run(text):
    """Status of page.py for a page, and what it says."""
    with tempfile.TemporaryDirectory() as directory:
        page = Path(directory) / "page.md"
        page.write_text(text, encoding="utf-8")
        done = subprocess.run([sys.executable, "-B", str(PAGE), "--prefix", PREFIX, "--source", str(TREE), str(page)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout


class Refused(unittest.TestCase):
    def good(self, text, blocks):
        status, said = run(text)
        self.assertEqual(status, 0, said)
        self.assertIn(f"page.md: {blocks} blocks", said)

    def bad(self, text, *says):
        status, said = run(text)
        self.assertEqual(status, 1, said)
        for what in says:
            self.assertIn(what, said)

    def test_a_program(self):
        self.good(block("c", MAIN % "0"), 1)
        self.bad(block("c", MAIN % "0" + ";\n"), "page.md:7:", "extra")
        self.bad(block("c", MAIN % "none"), "page.md:5:", "none")
        self.bad(block("c", MAIN % "3"), "page.md:3: status 3, not 0")
        self.bad(block("c", "#include <stdlib.h>\n" + MAIN % "(abort(), 0)"), "status -6")
        self.good(block("c", MAIN % "3", "<!-- run: program; exits 3 -->"), 1)
        self.bad(block("c", MAIN % "0", "<!-- run: program; exits 3 -->"), "status 0, not 3")

    def test_warnings(self):
        for code in ("int unused;", "int a = 1; { int a = 2; (void)a; } (void)a;", "char c; int i = 300; c = i; (void)c;",
                     "int a = 1 ?: 2; (void)a;", "int *p = 0; unsigned u = p ? 1 : -1; (void)(u);"):
            self.bad(block("c", MAIN.replace("\treturn", f"\t{code}\n\treturn") % "0"), "error")

    def test_the_library_is_there(self):
        program = "#include <bma/bma.h>\n" + MAIN % "!bma_heap_global()"
        self.good(block("c", program), 1)
        self.good(block("c", program.replace("!", "!!"), "<!-- run: program; exits 1 -->"), 1)
        self.bad(block("c", program.replace("bma_heap_global", "bma_heap_glob")), "bma_heap_glob")

    def test_its_settings(self):
        program = "#include <stdlib.h>\n" + MAIN % 'getenv("BMA_CONF") ? 5 : 0'
        self.good(block("c", program), 1)
        self.good(block("c", program, "<!-- run: program; conf verbose; exits 5 -->"), 1)

    def test_packages(self):
        program = "#include <urcu/urcu-memb.h>\n" + MAIN % "(urcu_memb_read_lock(), urcu_memb_read_unlock(), 0)"
        self.bad(block("c", program), "urcu_memb")
        self.good(block("c", program, "<!-- run: program; link liburcu-memb -->"), 1)

    def test_output(self):
        self.good(block("c", PRINTS) + SHOW % "3 objects", 2)
        self.good(block("c", PRINTS) + SHOW % "... objects", 2)
        self.bad(block("c", PRINTS) + SHOW % "4 objects", "page.md:11: the page shows\n4 objects\nand it prints\n3 objects")
        self.bad(SHOW % "3 objects", "no program before it")
        self.good(block("sh", "echo 3 objects\n") + SHOW % "3 objects", 2)

    def test_kinds(self):
        self.good(block("c", "void f(void);\nvoid f(void)\n{\n}\n", "<!-- run: compile -->"), 1)
        self.bad(block("c", "void f(void);\nvoid f(void)\n{\n\tg();\n}\n", "<!-- run: compile -->"), "page.md:6:")
        self.good(block("c", "bma_poll(value);\n", "<!-- run: fragment\nstatic const unsigned value;\n-->"), 1)
        self.bad(block("c", "bma_poll(value);\n", "<!-- run: fragment -->"), "page.md:3:", "value")
        parts = [block("c", "static int f(void)\n{\n\treturn 0;\n}\n", "<!-- run: part a -->"), block("c", MAIN % "f()", "<!-- run: part a -->")]
        self.good("".join(parts), 2)
        self.bad(parts[1], "page.md:5:")
        self.good(block("c", MAIN % "zero", "<!-- run: program\nstatic const int zero;\n-->"), 1)
        self.bad(block("c", MAIN % "0", "<!-- run: program\nint unused(;\n-->"), "page.md:2:")
        self.bad(parts[0].replace("0", "2") + parts[1], "status 2")

    def test_files(self):
        file = block("c", "#define ZERO 0\n", "<!-- run: file zero.h -->")
        program = block("c", '#include "zero.h"\n' + MAIN % "ZERO", "<!-- run: program zero.c -->")
        self.good(file + program + block("sh", "test -f zero.c\n"), 3)
        self.bad(program, "zero.h")
        self.bad(block("c", "int f(void)\n", "<!-- run: file f.c -->"), "page.md:")

    def test_commands(self):
        self.good(block("sh", "ls\npkg-config --exists bma\n"), 1)
        self.bad(block("sh", "false\ntrue\n"), "page.md:3: status 1")
        self.bad(block("sh", "false | true\n"), "status 1")
        self.bad(block("sh", 'echo "$nothing"\n'), "nothing")

    def test_dialogues(self):
        self.good(block("console", "$ echo a; echo b\na\nb\n$ true\n"), 1)
        self.bad(block("console", "$ echo a; echo b\na\n"), "the page shows")
        self.bad(block("console", "$ true\n$ false\n"), "status 1")

    def test_projects(self):
        project = ("cmake_minimum_required(VERSION 3.25)\nproject(app LANGUAGES C)\nfind_package(bma REQUIRED)\n"
                   "add_executable(app app.c)\ntarget_link_libraries(app PRIVATE bma::bma)\n")
        app = block("c", "#include <bma/bma.h>\n" + MAIN % "!bma_heap_global()", "<!-- run: program app.c -->")
        self.good(app + block("cmake", project), 2)
        self.bad(block("cmake", project), "app.c")
        self.bad(app + block("cmake", project.replace("bma::bma", "bma::none")), "bma::none")
        unlinked = block("c", "int f(void);\n" + MAIN % "f()", "<!-- run: file app.c -->")
        self.bad(unlinked + block("cmake", project), "cmake --build", "undefined reference")

    def test_what_is_not_run(self):
        none = "<!-- run: none: a test -->"
        self.good(block("sh", "false\nscripts/test --only dev\ncmake --preset dev\n", none), 0)
        self.bad(block("sh", "scripts/tests\n", none), "scripts/tests is not there")
        self.bad(block("sh", "cmake --preset fast\n", none), "no preset fast")
        self.bad(block("sh", "if true\n", none), "syntax error")

    def test_what_others_run(self):
        self.good(block("sh", "false\n", "<!-- install: pkg-config -->"), 0)
        self.bad(block("sh", "true\n", "<!-- install: pkg-confi -->"), "page.md:3:", "tests/install knows no block 'pkg-confi'")

    def test_what_is_no_block(self):
        self.bad("words\n```\nint a;\n```\n", "page.md:3:", "no language")
        self.bad("words\n\n    cmake -S .\n", "page.md:3:", "not in a fence")


if __name__ == "__main__":
    if not PREFIX:
        sys.exit("refused.py needs --prefix")
    unittest.main(argv=sys.argv[:1])
