# SPDX-License-Identifier: MIT
"""Text of comments as man(7) source."""

import re
import textwrap

# Names of calls, constants, variables; errors; and what else is written as it is typed.
MARK = re.compile(r"%(?P<constant>\w+)|@(?P<argument>\w+)|(?P<call>\b[a-z]\w*)\(\)|(?P<error>-E[A-Z0-9]+)\b|"
                  r"(?P<header><[a-z_]+/[\w/]+\.h>)|(?P<page>\b[a-z]\w+\([1-8]\))|"
                  r"(?P<setting>\bBMA_CONF=[\w:,+]*\w)")


def escape(text):
    """Characters that mean something to roff, or are taken for others by it."""
    text = text.replace("\\", "\\e").replace("^", "\\(ha").replace("~", "\\(ti")
    return re.sub(r"(?<![\w])-(?=[\w\-])|-(?=-)", r"\\-", text)


def inline(text):
    """With words set in bold and italics."""
    out, at = "", 0
    for mark in MARK.finditer(text):
        kind = mark.lastgroup
        word = mark[kind].replace("-", "\\-")
        font = "I" if kind == "argument" else "B"
        tail = "()" if kind == "call" else ""
        out += escape(text[at:mark.start()]) + "\\f%s%s\\fP%s" % (font, word, tail)
        at = mark.end()
    return out + escape(text[at:])


def fill(text):
    """Lines of running text; none that roff takes for a request."""
    lines = textwrap.wrap(inline(text), 78, break_long_words=False, break_on_hyphens=False)
    return ["\\&" + line if line[0] in ".'" else line for line in lines]


def literal(text):
    """A line that is shown as it is, in bold."""
    return "\\fB%s\\fP" % escape(text).replace("-", "\\-").replace("\\\\-", "\\-")


def declaration(text):
    """A declaration; one that is too long for a terminal is broken between two parameters."""
    head, bracket, parameters = text.partition("(")
    joined = bracket + parameters.replace(" ", "\0").replace(",\0", ", ")
    return [literal(line.replace("\0", " "))
            for line in textwrap.wrap(head.replace(" ", "\0") + joined, 72, subsequent_indent="    ",
                                      break_long_words=False, break_on_hyphens=False)]


def tagged(tag, text):
    """An entry of a list: what it is about, and the text beside it."""
    return [".TP", tag] + fill(text)


def blocks(items):
    """Paragraphs of a comment."""
    out = []
    for block in items:
        if block.kind == "tag":
            out += tagged(", ".join("\\fI%s\\fP" % name for name in block.names), block.text)
        elif block.kind == "section":
            out += tagged("\\fB%s\\fP" % block.names[0], block.text)
        elif block.kind == "list":
            number = re.match(r"(\S+) ", block.text)
            out += [".IP \"%s\" 4" % number[1]] + fill(block.text[number.end():])
        else:
            out += [".PP"] + fill(block.text)
    return out
