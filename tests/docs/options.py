#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""options.py SOURCE: docs/tuning.md has a row for each word of BMA_CONF and each field and flag of a cache's or heap's attributes."""

import re
import sys
from pathlib import Path


def words(env):
    """Words and keys that the text of env.c knows; of "key:word" both."""
    table = re.search(r"\bwords\[\] = \{(.*?)\n\};", env, re.S)
    found = set(re.findall(r'\{"([^"]+)",', table[1])) if table else set()
    # "idle_ms:0" is a value of what number() reads.
    keys = set(re.findall(r'number\(text, len, "(\w+):"', env))
    found = {word for word in found if word.partition(":")[0] not in keys}
    checks = re.search(r"\bchecks\[\] = \{(.*?)\n\};", env, re.S)
    debug = set(re.findall(r'\{"([^"]+)",', checks[1])) if checks else set()
    return found | keys, debug


def fields(header, name):
    """Of the struct @name in the text of a header."""
    body = re.search(rf"\nstruct {name} \{{\n(.*?)\n\}};", header, re.S)
    names = set()
    for line in body[1].split("\n"):
        line = line.strip()
        pointer = re.search(r"\(\*(\w+)\)", line)
        last = re.search(r"(\w+)(?:\[\w+\])?;$", line)
        if pointer or last:
            names.add(pointer[1] if pointer else last[1])
    return names


def missing(page, wanted):
    """Which of @wanted no first cell of a table of @page names between backticks."""
    named = set()
    for line in page.split("\n"):
        if line.startswith("|"):
            for text in re.findall(r"`([^`]+)`", line.split("|")[1]):
                named |= {text, text.partition(":")[0]}
    return sorted(wanted - named)


def unknown(page, known):
    """Words of the table under "BMA_CONF" that the library does not know."""
    part = re.search(r"\n## BMA_CONF\n(.*?)\n##", page, re.S)
    rows = re.findall(r"^\| `([^`]+)`", part[1], re.M) if part else []
    return sorted(word for word in rows if word not in known and word.partition(":")[0] not in known)


def check(source):
    page = (source / "docs/tuning.md").read_text(encoding="utf-8")
    env, debug = words((source / "src/base/env.c").read_text(encoding="utf-8"))
    cache = (source / "include/bma/cache.h").read_text(encoding="utf-8")
    heap = (source / "include/bma/heap.h").read_text(encoding="utf-8")
    wanted = env | {"debug"} | fields(cache, "bma_cache_attr") | fields(heap, "bma_heap_attr")
    wanted |= set(re.findall(r"#define (BMA_CACHE_\w+) \(\(uint64_t\)", cache))
    wanted |= set(re.findall(r"#define (BMA_HEAP_\w+) \(\(uint64_t\)", heap))
    wrong = [f"docs/tuning.md: no row for {name}" for name in missing(page, wanted)]
    wrong += [f"docs/tuning.md: debug:{word} is not named" for word in sorted(debug) if f"`{word}`" not in page]
    return wrong + [f"docs/tuning.md: {word} is no word of BMA_CONF" for word in unknown(page, env | {"debug"})]


def main():
    wrong = check(Path(sys.argv[1]))
    print("\n".join(wrong + [f"{len(wrong)} mistakes"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
