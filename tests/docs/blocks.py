# SPDX-License-Identifier: MIT
"""Code blocks of a page, and what is to be done with each.

A block is a fence with a language. An HTML comment before it says what is to be done, where that is not what the language says
already:

    <!-- run: KIND -->
    <!-- run: KIND; link PACKAGE; conf WORDS; exits STATUS
    code that the reader does not see, put before the block
    -->

A comment with code that no fence follows is a block that the reader does not see at all. docs/testing.md lists the kinds.

    <!-- install: NAME -->

says that tests/install runs the block, which it knows by that name: kind "install".
"""

import re
from dataclasses import dataclass, field

# What each language may be used as; the first is what it is without a comment.
KINDS = {
    "c": ("program", "fragment", "compile", "part", "file", "none"),
    "sh": ("commands", "none"),
    "console": ("dialogue", "none"),
    "cmake": ("project", "none"),
    "text": ("picture", "output"),
}
NAMED = ("part", "file")
MAY_BE_NAMED = ("program",)  # it is then a file, too
OPTIONS = ("link", "conf", "exits")
# An indented block is a picture or a formula. What looks like a command belongs in a fence.
COMMAND = re.compile(
    r"(\$ |#include|\./|[A-Z_]+=\S* |(scripts|tools|build|fuzz|bench)/|"
    r"(sudo|apt-get|apt|cmake|ctest|make|cc|gcc|clang|gdb|mkdir|pkg-config|bpftrace|git|python3|bash|sh|seq)( |$))")
# Other ways to write a block.
OTHER = re.compile(r"\s*(~~~|<pre)")


class Mistake(Exception):
    """Of the page: where, and what."""

    def __init__(self, line, what):
        super().__init__(f"{line}: {what}")
        self.line = line
        self.what = what


@dataclass
class Block:
    line: int  # of its first line of code
    language: str
    kind: str
    name: str = ""  # of a part, a file or a program; why, of none
    options: dict = field(default_factory=dict)
    hidden: str = ""  # code before it that is not shown
    hidden_line: int = 0
    code: str = ""


@dataclass
class _Mark:
    line: int
    kind: str
    name: str
    options: dict
    hidden: str


def _mark(line, text):
    """What the comment @text says, without its brackets."""
    head, _, hidden = text.partition("\n")
    words, *rest = (part.strip() for part in head.split(";"))
    if words.startswith("none:"):
        return _Mark(line, "none", head[len("none:"):].strip(), {}, hidden)
    kind, _, name = words.partition(" ")
    options = {}
    for option in rest:
        key, _, value = option.partition(" ")
        if key not in OPTIONS or not value:
            raise Mistake(line, f"option {option!r} is not known")
        options[key] = value
    return _Mark(line, kind, name.strip(), options, hidden)


def _block(line, language, mark, code):
    kinds = KINDS.get(language)
    if kinds is None and (mark is None or mark.kind not in ("none", "install")):
        raise Mistake(line, f"a block of {language or 'no language'} without a mark that says why it is not run")
    if mark is None:
        return Block(line, language, kinds[0], code=code)
    if mark.kind == "install":
        return Block(line, language, "install", mark.name, code=code)
    if kinds and mark.kind not in kinds:
        raise Mistake(line, f"a block of {language} cannot be {mark.kind!r}")
    if mark.kind in NAMED + ("none",) and not mark.name:
        raise Mistake(line, f"{mark.kind}: no name, or no reason")
    if mark.kind not in NAMED + MAY_BE_NAMED + ("none",) and mark.name:
        raise Mistake(line, f"{mark.kind}: what is {mark.name!r}?")
    return Block(line, language, mark.kind, mark.name, mark.options, mark.hidden, mark.line + 1, code)


def blocks(text):
    """Blocks of the page @text, in order."""
    lines = text.split("\n")
    found = []
    mark = None
    at = 0
    while at < len(lines):
        line = lines[at]
        fence = re.match(r"\s*```+(.*)$", line)
        install = re.match(r"<!-- install: (.*\S) -->$", line)
        if mark and (install or line.startswith("<!-- run:")):
            found.append(_alone(mark))
            mark = None
        if install:
            mark = _Mark(at + 1, "install", install[1], {}, "")
        elif line.startswith("<!-- run:"):
            first = at
            while "-->" not in lines[at]:
                at += 1
                if at == len(lines):
                    raise Mistake(first + 1, "a comment without an end")
            comment = "\n".join(lines[first:at + 1])
            mark = _mark(first + 1, comment[len("<!-- run:"):comment.index("-->")].strip(" "))
        elif fence:
            first = at + 1
            at = first
            while at < len(lines) and lines[at].strip() != "```":
                at += 1
            if at == len(lines):
                raise Mistake(first, "a fence without an end")
            found.append(_block(first + 1, fence[1].strip(), mark, "\n".join(lines[first:at]) + "\n"))
            mark = None
        elif OTHER.match(line):
            raise Mistake(at + 1, "a block that is not in a fence of ```")
        elif line.strip():
            if mark:
                found.append(_alone(mark))
                mark = None
            before = lines[at - 1].strip() if at else ""
            if line.startswith(("    ", "\t")) and not before and COMMAND.match(line.strip()):
                raise Mistake(at + 1, f"a command that is not in a fence: {line.strip()}")
        at += 1
    if mark:
        found.append(_alone(mark))
    return found


def _alone(mark):
    """A comment that no fence follows."""
    if not mark.hidden:
        raise Mistake(mark.line, "no block follows")
    return _block(mark.line + 1, "c", _Mark(mark.line, mark.kind, mark.name, mark.options, ""), mark.hidden)
