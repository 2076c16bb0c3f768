# SPDX-License-Identifier: MIT
"""Links, names of files, and rows of options that are missing are found."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import links
import options

ENV = """
} words[] = {
	{"verbose", set_verbose}, {"worker:off", off},
	{"purge_ms:0", at_once},
};
} checks[] = {
	{"check", 1},
	{"all", 1 | 2},
};
	uint64_t purge = number(text, len, "purge_ms:", 5);
"""
HEADER = """
struct attr {
	size_t attr_size;
	const char *name;
	void (*ctor)(void *obj, void *ctx);
	uint32_t low;
};
"""


class Links(unittest.TestCase):
    def wrong(self, text, index="[a](a.md)\n"):
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory)
            for name in ("docs", "src/cache"):
                (source / name).mkdir(parents=True)
            (source / "src/cache/slot.c").touch()
            (source / "README.md").write_text(text, encoding="utf-8")
            (source / "docs/README.md").write_text(index, encoding="utf-8")
            (source / "docs/a.md").write_text("# A page, `too`: bma_x()\n## B\n## B\n```\n# no\n```\n", encoding="utf-8")
            return links.check(source)

    def test_what_is_there(self):
        text = "[a](docs/a.md), [b](docs/a.md#b-1) [c](docs/a.md#a-page-too-bma_x) [d](https://e.org/x) [e](#head) `src/cache/*.c`\n# Head\n"
        self.assertEqual(self.wrong(text), [])

    def test_what_is_not_there(self):
        for text, what in (("[a](b.md)", "b.md: there is no such file"), ("[a](docs/a.md#no)", "no such heading"),
                           ("[a](#b)", "no such heading"), ("\n\n`src/cache/slots.c`", "README.md:3")):
            self.assertEqual(len(self.wrong(text)), 1, text)
            self.assertIn(what, self.wrong(text)[0])

    def test_fences_are_no_links(self):
        self.assertEqual(self.wrong("```c\na[1](b);\n```\n"), [])

    def test_a_page_that_nobody_links_to(self):
        self.assertEqual(self.wrong("", "nothing"), ["docs/README.md: no link to a.md"])


class Options(unittest.TestCase):
    def test_words_of_the_source(self):
        self.assertEqual(options.words(ENV), ({"verbose", "worker:off", "purge_ms"}, {"check", "all"}))

    def test_fields_of_a_struct(self):
        self.assertEqual(options.fields(HEADER, "attr"), {"attr_size", "name", "ctor", "low"})

    def test_rows(self):
        text = "| `verbose` | x |\n| `purge_ms:N` | x |\n| `low`, `high` | `name` |\n`ctor`\n"
        self.assertEqual(options.missing(text, {"verbose", "purge_ms", "low", "high", "name", "ctor"}), ["ctor", "name"])

    def test_rows_of_nothing(self):
        text = "\n## BMA_CONF\n| `verbose` | x |\n| `purge_ms:N` | x |\n| `frob` | x |\n\n## More\n| `other` | x |\n"
        self.assertEqual(options.unknown(text, {"verbose", "purge_ms"}), ["frob"])


if __name__ == "__main__":
    unittest.main()
