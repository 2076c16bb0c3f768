#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""links.py SOURCE: links of the pages of a tree lead somewhere, names of files are those of files, and no page is lost.

Looked at: README.md, CONTRIBUTING.md, docs/*.md and the README.md of examples and bench. What stands in fences is not.
"""

import re
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
# `src/cache/slot.c`, also with a `:line` or a wildcard; not what only the build makes.
PATH = re.compile(r"`((?:src|include|tests|tools|scripts|docs|examples|bench|fuzz|cmake)/[\w./*-]*)`")


def prose(text):
    """@text with fences, and comments of HTML, as empty lines."""
    blank = lambda found: "\n" * found[0].count("\n")
    text = re.sub(r"<!--.*?-->", blank, text, flags=re.S)
    return re.sub(r"^ {0,3}```.*?^ {0,3}```$", blank, text, flags=re.S | re.M)


def anchors(text):
    """Of the headings of a page, as GitHub makes them."""
    found = {}
    names = set()
    for line in prose(text).split("\n"):
        heading = re.match(r"#{1,6} +(.*)", line)
        if not heading:
            continue
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1].strip()).replace("`", "")
        name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        names.add(f"{name}-{found[name]}" if name in found else name)
        found[name] = found.get(name, 0) + 1
    return names


def pages_of(source):
    found = [source / "README.md", source / "CONTRIBUTING.md", source / "bench" / "README.md"]
    found += sorted((source / "docs").glob("*.md")) + sorted((source / "examples").glob("*/README.md"))
    return [page for page in found if page.exists()]


def check_page(source, page):
    """What is wrong with the links of @page, and the files that it links to."""
    text = page.read_text(encoding="utf-8")
    wrong = []
    targets = set()
    for number, line in enumerate(prose(text).split("\n"), 1):
        where = f"{page.relative_to(source)}:{number}"
        for link in LINK.findall(line):
            if re.match(r"[a-z]+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page.resolve()
            targets.add(target)
            if not target.exists():
                wrong.append(f"{where}: {link}: there is no such file")
            elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
                wrong.append(f"{where}: {link}: there is no such heading")
        for name in PATH.findall(line):
            if "NAME" not in name and not list(source.glob(name.rstrip("/"))):
                wrong.append(f"{where}: {name}: there is no such file")
    return wrong, targets


def check(source):
    """What is wrong with the pages of a tree."""
    source = source.resolve()
    wrong = []
    for page in pages_of(source):
        found, targets = check_page(source, page)
        wrong += found
        if page == source / "docs" / "README.md":
            lost = {other for other in (source / "docs").glob("*.md") if other != page} - targets
            wrong += [f"docs/README.md: no link to {other.name}" for other in sorted(lost)]
    if not (source / "docs" / "README.md").exists():
        wrong.append("docs/README.md is missing")
    return wrong


def main():
    source = Path(sys.argv[1])
    wrong = check(source)
    print("\n".join(wrong + [f"{len(pages_of(source))} pages, {len(wrong)} mistakes"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
