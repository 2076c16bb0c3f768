# SPDX-License-Identifier: MIT
"""Each picture of the screen is in the document as it is.

usage: shown.py DOCUMENT PICTURES
"""
import pathlib
import sys

document = pathlib.Path(sys.argv[1]).read_text()
pictures = sorted(pathlib.Path(sys.argv[2]).glob("*.txt"))
missing = [p.name for p in pictures if "```text\n" + p.read_text().rstrip("\n") + "\n```\n" not in document]
print(f"{len(pictures)} pictures, not in the document: {missing}")
sys.exit(bool(missing) or not pictures)
