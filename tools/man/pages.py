#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pages.py SOURCE OUT: manual pages from the public headers' comments, into OUT/man3 and OUT/man7. One page for each group of
calls, one line for each further name that leads there, and bma(7) from bma.7.in, with a list of the pages."""

import os
import re
import sys
import time

sys.dont_write_bytecode = True
import comments  # noqa: E402
import roff  # noqa: E402

# Header, and the page that it makes.
PAGES = {name: "bma_" + name for name in
         ("cache", "heap", "reserve", "percpu", "rcu", "object", "group", "shared", "oom", "numa", "stats", "profile",
          "worker", "fuzz", "version")}
PAGES["compat/bpf_mem_alloc"] = "bma_compat"
# They declare nothing of their own that is to be called.
WITHOUT = {"bma", "config"}


def title(head):
    """What a header is about, in a line."""
    text = head[0].text if head else ""
    first = re.split(r"(?<=\w)\. |\.$", text)[0]
    return first if len(first) < 76 else first.split(":")[0]


def release(source):
    """Version, and the day of its release; before there is one, the day that SOURCE_DATE_EPOCH says, or today."""
    with open(os.path.join(source, "include/bma/version.h"), encoding="utf-8") as file:
        numbers = re.findall(r"#define BMA_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", file.read())
    with open(os.path.join(source, "CHANGELOG.md"), encoding="utf-8") as file:
        day = re.search(r"^## .*(\d{4}-\d\d-\d\d)", file.read(), re.M)
    now = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", time.time())))
    return ".".join(numbers), day[1] if day else time.strftime("%Y-%m-%d", now)


def top(page, section, version, day):
    """The first lines of a page."""
    return [".\\\" SPDX-License-Identifier: MIT", ".\\\" Made of the comments in the headers by tools/man.",
            ".TH %s %d \"%s\" \"BMA %s\" \"BMA\"" % (page.upper(), section, day, version), ".nh"]


def synopsis(header, items):
    """What can be called, as it is declared."""
    out = [".SH LIBRARY", "BMA (\\-lbma)", ".SH SYNOPSIS", ".nf", roff.literal("#include <bma/%s.h>" % header)]
    for item in items:
        for text in item.declarations if item.kind in ("function", "macro") else ():
            if item.kind == "macro":
                text = re.match(r"#define\s+(\w+\([^)]*\))", text)[1] + ";"
            out += [".PP"] + roff.declaration(comments.clean(text))
    return out + [".fi"]


def section(heading, items):
    """Calls, or types: each with its comment."""
    out = [".SH " + heading] if items else []
    for item in items:
        word = item.kind + " " if item.kind in ("struct", "enum") else ""
        out += [".SS \"%s\"" % ", ".join(word + name for name in item.names)] + roff.blocks(item.blocks)[1:]
        # Of what is opaque there is nothing to see.
        if word and "{" in item.declarations[0]:
            out += [".PP", ".nf"] + [roff.literal(line.replace("\t", "    "))
                                     for line in item.declarations[0].split("\n")] + [".fi"]
    return out


def constants(items):
    """Flags and limits; what is said of one further on, too."""
    out = [".SH CONSTANTS"] if items else []
    for item in items:
        out += [".TP", "\\fB%s\\fP" % ", ".join(item.names)] + roff.fill(item.blocks[0].text)
        for block in item.blocks[1:]:
            out += [".IP"] + roff.fill(block.text)
    return out


def make(header, text, version, day, others):
    """A page; the names that it is about; what is wrong."""
    head, items, wrong = comments.read(text)
    if wrong:
        return "", [], wrong
    page = PAGES[header]
    calls = [item for item in items if item.kind in ("function", "macro")]
    # One comment may be there twice, for the inlined call and for the other.
    names = list(dict.fromkeys(name for item in calls for name in item.names))
    what = title(head)
    what = what if what[1:2].isupper() else what[0].lower() + what[1:]
    lines = top(page, 3, version, day) + [".SH NAME"]
    lines += [", ".join(dict.fromkeys([page] + names)) + " \\- " + roff.escape(what)]
    lines += synopsis(header, items)
    lines += [".SH DESCRIPTION"] + roff.blocks(head)[1:]
    lines += section("FUNCTIONS", calls)
    lines += section("TYPES", [item for item in items if item.kind in ("struct", "enum")])
    lines += constants([item for item in items if item.kind == "constant"])
    lines += [".SH SEE ALSO", ".BR bma (7)"]
    for other in others:
        if other != page:
            lines[-1] += ","
            lines.append(".BR %s (3)" % other)
    return "\n".join(lines) + "\n", names, []


def main(source, out):
    """All pages; 1 and no page if anything is wrong."""
    include = os.path.join(source, "include/bma")
    version, day = release(source)
    found = [os.path.relpath(os.path.join(root, name), include)[:-2] for root, _, names in os.walk(include)
             for name in names if name.endswith(".h")]
    wrong = ["%s.h: no page is named for it in tools/man/pages.py" % name for name in sorted(found)
             if name not in PAGES and name not in WITHOUT and not name.startswith("inline/")]
    pages, listed = {}, []
    for header, page in PAGES.items():
        with open(os.path.join(include, header + ".h"), encoding="utf-8") as file:
            text, names, bad = make(header, file.read(), version, day, sorted(PAGES.values()))
        wrong += ["include/bma/%s.h: %s" % (header, what) for what in bad]
        pages["man3/%s.3" % page] = text
        for name in names:
            # Names that others have, too, do not lead here: this_cpu_ptr().
            if name.startswith(("bma_", "bpf_")) and "man3/%s.3" % name not in pages:
                pages["man3/%s.3" % name] = ".so man3/%s.3\n" % page
        if text:
            what = re.search(r"\\- (.*)", text)[1]
            listed += [".TP", ".BR %s (3)" % page, what[0].upper() + what[1:] + "."]
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bma.7.in"), encoding="utf-8") as file:
        body = file.read().replace("@PAGES@\n", "\n".join(listed) + "\n")
    pages["man7/bma.7"] = "\n".join(top("bma", 7, version, day)) + "\n" + body
    for name, text in pages.items():
        path = os.path.join(out, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
