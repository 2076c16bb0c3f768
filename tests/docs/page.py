#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""page.py --prefix DIR [--source DIR] PAGE: compiles and runs every block of a page against the library installed in DIR.

All blocks of a page see the same empty directory, where blocks of kind "file" lie, and no other file of the tree.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import Mistake, blocks
from expect import matches, dialogue

# As the house compiles itself.
WARNINGS = "-std=gnu11 -O2 -g -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror"
# Generous: machines are slow at times. A program of a page is to take three seconds at most.
SECONDS = 60


class Page:
    def __init__(self, path, prefix, source, directory):
        self.path = path
        self.source = source
        self.directory = directory
        self.printed = None  # by the program before
        self.parts = {}  # of programs that stand in several blocks
        self.count = 0
        self.ran = 0
        self.environment = dict(os.environ)
        for name in ("DESTDIR", "MAKEFLAGS", "BMA_CONF", "CFLAGS", "LDFLAGS"):
            self.environment.pop(name, None)
        libraries = {str(found.parent) for found in prefix.rglob("libbma.so")}
        packages = {str(found.parent) for found in prefix.rglob("bma.pc")}
        if not libraries or not packages:
            raise SystemExit(f"no library is installed in {prefix}")
        for name, places in (("LD_LIBRARY_PATH", libraries), ("PKG_CONFIG_PATH", packages), ("CMAKE_PREFIX_PATH", {str(prefix)})):
            before = os.environ.get(name)
            self.environment[name] = ":".join(sorted(places) + ([before] if before else []))

    def call(self, line, command, conf=None, exits=0):
        environment = self.environment | ({"BMA_CONF": conf} if conf else {})
        try:
            done = subprocess.run(command, cwd=self.directory, env=environment, text=True, errors="replace", timeout=SECONDS,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except subprocess.TimeoutExpired as late:
            raise Mistake(line, f"not done after {SECONDS} s: {shlex.join(command)}") from late
        if done.returncode != exits:
            raise Mistake(line, f"status {done.returncode}, not {exits}: {shlex.join(command)}\n{done.stdout}")
        return done.stdout

    def flags(self, line, options, link):
        packages = ["bma"] + options.get("link", "").split()
        return self.call(line, ["pkg-config", "--cflags"] + (["--libs"] if link else []) + packages).split()

    def located(self, line, code):
        return f'#line {line} "{self.path.name}"\n{code}'

    def text(self, block):
        hidden = self.located(block.hidden_line, block.hidden) if block.hidden else ""
        return hidden + self.located(block.line, block.code)

    def compile(self, block, text, link=True):
        self.count += 1
        name = self.directory / f"block{self.count}"
        name.with_suffix(".c").write_text(text, encoding="utf-8")
        command = [os.environ.get("CC", "cc"), *WARNINGS.split(), f"-I{self.directory}", str(name.with_suffix(".c"))]
        command += ["-o", str(name)] + (["-pthread"] if link else ["-c"]) + self.flags(block.line, block.options, link)
        self.call(block.line, command)
        return str(name)

    def run_program(self, block, text):
        program = self.compile(block, text)
        self.printed = self.call(block.line, [program], block.options.get("conf"), int(block.options.get("exits", 0)))

    def run_fragment(self, block):
        lines = [line for line in block.code.split("\n") if line]
        hidden = self.located(block.hidden_line, block.hidden)
        body = self.located(block.line, "\n".join(lines))
        self.run_program(block, f"#include <bma/bma.h>\n{hidden}\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n")

    def run_compile(self, block):
        self.compile(block, self.text(block), link=False)

    def run_part(self, block, last):
        parts = self.parts.setdefault(block.name, [])
        parts.append(self.text(block))
        if last:
            self.run_program(block, "".join(parts))

    def run_file(self, block):
        name = self.directory / block.name
        name.write_text(block.code, encoding="utf-8")
        if name.suffix == ".c":
            self.compile(block, self.text(block), link=False)

    def run_commands(self, block):
        self.printed = self.call(block.line, ["bash", "-eu", "-o", "pipefail", "-c", block.code])

    def run_dialogue(self, block):
        for command, shown in dialogue(block.code):
            printed = self.call(block.line, ["bash", "-c", command])
            if not matches(shown, printed):
                raise Mistake(block.line, f"$ {command}\nthe page shows\n{shown}and it prints\n{printed}")

    def run_project(self, block):
        (self.directory / "CMakeLists.txt").write_text(block.code, encoding="utf-8")
        self.count += 1
        build = str(self.directory / f"build{self.count}")
        self.call(block.line, ["cmake", "-S", ".", "-B", build])
        self.call(block.line, ["cmake", "--build", build])

    def run_output(self, block):
        if self.printed is None:
            raise Mistake(block.line, "no program before it printed anything")
        if not matches(block.code, self.printed):
            raise Mistake(block.line, f"the page shows\n{block.code}and it prints\n{self.printed}")

    def check_install(self, block):
        """Somebody else runs it: does he know it?"""
        if not self.source:
            return
        scripts = "".join(path.read_text(encoding="utf-8") for path in (self.source / "tests/install").rglob("*.sh"))
        if not re.search(rf"(?<![\w-]){re.escape(block.name)}(?![\w-])", scripts):
            raise Mistake(block.line, f"tests/install knows no block {block.name!r}")

    def look_at(self, block):
        """What is not run may at least not name what there is not."""
        if block.language not in ("sh", "console"):
            return
        text = block.code
        if block.language == "console":
            text = "\n".join(command for command, _ in dialogue(text))
        self.call(block.line, ["bash", "-n", "-c", text])
        if not self.source:
            return
        for name in re.findall(r"(?<![\w/.-])(?:scripts|tools|examples|tests|fuzz/corpus)/[\w/.-]+", text):
            if not (self.source / name).exists():
                raise Mistake(block.line, f"{name} is not there")
        presets = (self.source / "CMakePresets.json").read_text(encoding="utf-8")
        for name in re.findall(r"--preset (\S+)", text):
            if f'"name": "{name}"' not in presets:
                raise Mistake(block.line, f"there is no preset {name}")

    def run(self):
        found = blocks(self.path.read_text(encoding="utf-8"))
        names = [block.name if block.kind == "part" else None for block in found]
        for i, block in enumerate(found):
            if block.kind == "none":
                self.look_at(block)
                print(f"{self.path.name}:{block.line}: {block.language}, not run: {block.name}")
                continue
            if block.kind == "install":
                self.check_install(block)
                print(f"{self.path.name}:{block.line}: {block.language}, run by tests/install: {block.name}")
                continue
            if block.kind == "picture":
                continue
            if block.kind == "program":
                if block.name:
                    (self.directory / block.name).write_text(block.code, encoding="utf-8")
                self.run_program(block, self.text(block))
            elif block.kind == "part":
                self.run_part(block, block.name not in names[i + 1:])
            else:
                getattr(self, f"run_{block.kind}")(block)
            self.ran += 1
            print(f"{self.path.name}:{block.line}: {block.language}, {block.kind}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefix", type=Path, required=True)
    parser.add_argument("--source", type=Path)
    parser.add_argument("page", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bma-docs-") as directory:
        page = Page(arguments.page, arguments.prefix.resolve(), arguments.source, Path(directory))
        try:
            page.run()
        except (Mistake, ValueError) as mistake:
            print(f"{arguments.page}:{mistake}")
            return 1
    print(f"{arguments.page.name}: {page.ran} blocks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
