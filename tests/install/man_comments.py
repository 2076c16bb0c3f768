#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What tools/man makes of comments, and which it refuses."""

import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/man"))
import comments  # noqa: E402
import pages  # noqa: E402
import roff  # noqa: E402

HEAD = "/* SPDX-License-Identifier: MIT */\n/*\n * Pots: what tea is made in.\n *\n * More of it.\n */\n"


def read(text):
    """Items of a header that has a head and this."""
    _, items, wrong = comments.read(HEAD + text)
    return items, wrong


def one(test, text):
    """The only item of a header without fault."""
    items, wrong = read(text)
    test.assertEqual(wrong, [])
    test.assertEqual(len(items), 1)
    return items[0]


class Comments(unittest.TestCase):
    """How a comment is taken apart."""

    def told(self, item):
        """Paragraphs as tuples."""
        return [(block.kind, tuple(block.names), block.text) for block in item.blocks]

    def test_function(self):
        item = one(self, """/**
 * pot_fill - Fill a pot,
 * to the brim.
 * @pot: which; @with: tea; @n, @m: numbers; of
 *       nothing much.
 *
 * A paragraph
 * of two lines.
 *
 * Context: any. Returns: 0; -EBUSY
 * if it is full.
 * Memory ordering: none.
 */
BMA_API int pot_fill(struct pot *pot, const char *with, int n,
                     int m) __attribute__((cold));
""")
        self.assertEqual((item.kind, item.names), ("function", ["pot_fill"]))
        self.assertEqual(self.told(item), [
            ("text", (), "Fill a pot, to the brim."), ("tag", ("pot",), "which"), ("tag", ("with",), "tea"),
            ("tag", ("n", "m"), "numbers; of nothing much."), ("text", (), "A paragraph of two lines."),
            ("section", ("Context",), "any."), ("section", ("Returns",), "0; -EBUSY if it is full."),
            ("section", ("Memory ordering",), "none.")])
        self.assertEqual(comments.clean(item.declarations[0]),
                         "int pot_fill(struct pot *pot, const char *with, int n, int m);")

    def test_one_line(self):
        item = one(self, "/** pot_size - Its size, bytes. Context: any. */\nBMA_API size_t pot_size(void);\n")
        self.assertEqual(self.told(item), [("text", (), "Its size, bytes."), ("section", ("Context",), "any.")])

    def test_kinds(self):
        for text, kind in (("#define POT_MAX ((size_t)1 << 4)", "constant"),
                           ("#define pot_each(a, b)  \\\n\tfor (;;) \\\n\t\tif (b)", "macro"),
                           ("struct POT_MAX;", "struct"), ("struct POT_MAX {\n\tint a;\n};", "struct"),
                           ("enum POT_MAX {\n\tA,\n\tB = 3,\n};", "enum"),
                           ("#if defined(__cplusplus)\n#pragma x\n#endif\nstatic inline int POT_MAX(int a)\n{\n\treturn a;\n}",
                            "function")):
            name = "pot_each" if kind == "macro" else "POT_MAX"
            self.assertEqual(one(self, "/** %s - What it is. */\n%s\n" % (name, text)).kind, kind)

    def test_several(self):
        item = one(self, "/** pot_a, pot_b - Both. @x: a number. */\nint pot_a(int x);\nint pot_b(int x);\n")
        self.assertEqual(item.names, ["pot_a", "pot_b"])
        self.assertEqual(len(item.declarations), 2)

    def test_list(self):
        item = one(self, """/* Of all pots. */
#define POT_FIGURES(F)                   \\
	F(cups, "cups", "in it")             \\
	F(spilt, "drops",                    \\
	  "that went beside it; at "         \\
	  "most")

/** struct pot - One. @name: its name. The rest: POT_FIGURES. */
struct pot {
	char name[8];
	POT_FIGURES(POT__FIGURE)
};
""")
        self.assertEqual(self.told(item)[-2:], [("tag", ("cups",), "in it (cups)"),
                                                ("tag", ("spilt",), "that went beside it; at most (drops)")])
        self.assertEqual(item.declarations[0],
                         "struct pot {\n\tchar name[8];\n\tuint64_t cups;\n\tuint64_t spilt;\n};")

    def test_parameters(self):
        for text, names in (("int f(void);", [""]), ("int f(char (*names)[32], size_t n);", ["names", "n"]),
                            ("int f(int (*fn)(struct a *a, void *arg), void *arg);", ["fn", "arg"]),
                            ("struct s { uint64_t a, b; char c[3]; void (*d)(int x); /* not; this */ };", ["a", "b", "c", "d"]),
                            ("enum e { A, B = 2, };", ["A", "B"]), ("#define m(a, b) (a)", ["a", "b"])):
            self.assertEqual([name for name in comments.parameters(text) if name != "void"],
                             [name for name in names if name])


class Refused(unittest.TestCase):
    """What is wrong with a header."""

    def refused(self, text, what):
        """It is wrong, and told so."""
        self.assertEqual(read(text)[1], [what])

    def test_call_without_comment(self):
        self.refused("/* Not one. */\nBMA_API int pot_fill(struct pot *pot);\n", "pot_fill has no comment")
        self.assertEqual(read("BMA_API int bma__pot(void);\nBMA_API int bma_bpf_pot(void);\n")[1], [])

    def test_parameter_that_is_not_there(self):
        self.refused("/**\n * pot_fill - Fill.\n * @pan: which.\n */\nint pot_fill(struct pot *pot);\n", "pot_fill has no pan")
        self.refused("/**\n * struct pot - One.\n *\n * @lid: on it.\n */\nstruct pot {\n\tint handle;\n};\n", "pot has no lid")
        self.refused("/**\n * enum pot - One.\n * @LID: on it.\n */\nenum pot {\n\tHANDLE,\n};\n", "pot has no LID")

    def test_comment_of_something_else(self):
        self.refused("/** pot_fill - Fill. */\nint pot_empty(struct pot *pot);\n",
                     "the comment of pot_fill stands above: int pot_empty(struct pot *pot);")
        self.refused("/** Fill. */\nint pot_fill(void);\n", "a comment without a name: Fill.")

    def test_head(self):
        self.assertEqual(comments.read("/* SPDX-License-Identifier: MIT */\n#ifndef X\n")[2], ["no comment at its head"])


class Roff(unittest.TestCase):
    """What becomes of text."""

    def test_inline(self):
        for text, made in (("see pot_fill() of @pot", "see \\fBpot_fill\\fP() of \\fIpot\\fP"),
                           ("%POT_MAX or -EBUSY", "\\fBPOT_MAX\\fP or \\fB\\-EBUSY\\fP"),
                           ("per-CPU, -1, a\\b", "per-CPU, \\-1, a\\eb"), ("<bma/pot.h>", "\\fB<bma/pot.h>\\fP"),
                           ("BMA_CONF=pot:on.", "\\fBBMA_CONF=pot:on\\fP."), ("2^24", "2\\(ha24")):
            self.assertEqual(roff.inline(text), made)

    def test_no_request(self):
        self.assertEqual(roff.fill(".pot is no request"), ["\\&.pot is no request"])
        self.assertEqual(roff.fill("'s"), ["\\&'s"])
        for line in roff.fill("a " * 38 + "bb .c " * 30):
            self.assertNotIn(line[0], ".'")

    def test_declaration(self):
        lines = roff.declaration("int pot_fill(struct pot *pot, const struct tea_and_more *with_what_else, int n);")
        self.assertEqual(lines, ["\\fBint pot_fill(struct pot *pot, const struct tea_and_more *with_what_else,\\fP",
                                 "\\fB    int n);\\fP"])

    def test_page(self):
        pages.PAGES["pot"] = "bma_pot"
        text, names, wrong = pages.make("pot", HEAD + """
/** POT_MAX - Most. */
#define POT_MAX 3
/** struct pot - One. Opaque. */
struct pot;
/** pot_fill - Fill @pot. Context: any. */
BMA_API int pot_fill(struct pot *pot);
/**
 * struct tea - What is in it.
 * @sort: a name.
 */
struct tea {
	const char *sort;
};
""", "1.2.3", "2001-02-03", ["bma_pan", "bma_pot"])
        self.assertEqual((names, wrong), (["pot_fill"], []))
        self.assertEqual(text.split("\n", 2)[2], """.TH BMA_POT 3 "2001-02-03" "BMA 1.2.3" "BMA"
.nh
.SH NAME
bma_pot, pot_fill \\- pots: what tea is made in
.SH LIBRARY
BMA (\\-lbma)
.SH SYNOPSIS
.nf
\\fB#include <bma/pot.h>\\fP
.PP
\\fBint pot_fill(struct pot *pot);\\fP
.fi
.SH DESCRIPTION
Pots: what tea is made in.
.PP
More of it.
.SH FUNCTIONS
.SS "pot_fill"
Fill \\fIpot\\fP.
.TP
\\fBContext\\fP
any.
.SH TYPES
.SS "struct pot"
One. Opaque.
.SS "struct tea"
What is in it.
.TP
\\fIsort\\fP
a name.
.PP
.nf
\\fBstruct tea {\\fP
\\fB    const char *sort;\\fP
\\fB};\\fP
.fi
.SH CONSTANTS
.TP
\\fBPOT_MAX\\fP
Most.
.SH SEE ALSO
.BR bma (7),
.BR bma_pan (3)
""")


if __name__ == "__main__":
    unittest.main()
