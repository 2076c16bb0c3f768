#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests notice? Breaks one operator, constant, order or statement of the library at a time, in a copy under build/mutate,
and runs the quick tests. A mutant that no test fails on survives, and is shown; one that the compiler makes the same code of (many
orders are, on this machine) is none. --seed draws the same ones again."""

import argparse
import hashlib
import os
import random
import re
import shutil
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "mutate")
# What is replaced by what, outside of comments and strings.
RULES = [
    (r"memory_order_(acquire|release|acq_rel|seq_cst)", "memory_order_relaxed"),
    (r" == ", " != "), (r" != ", " == "), (r" < ", " <= "), (r" <= ", " < "), (r" > ", " >= "),
    (r" >= ", " > "), (r" && ", " || "), (r" \|\| ", " && "), (r" \+ ", " - "), (r" - ", " + "),
    (r" \+= ", " -= "), (r"\+\+", "--"), (r"\b0\b", "1"), (r"\b1\b", "2"), (r"\btrue\b", "false"),
    (r"\bfalse\b", "true"), (r"\(!", "("), (r"^\tif \((?!.*\{$)", "\tif (0 && "),
    (r"^(\t+)(atomic_|bma__)\w+\(.*\);$", r"\1;"), (r"^(\t+)\w[\w>.\[\]-]* [|&+-]?= .*;$", r"\1;"),
]
QUICK = "^(unit|misuse|process|inject.signal.cid)"
LIBRARY = "src/libbma.so"


def code_lines(text):
    """Numbers of lines that are code."""
    inside = False
    for number, line in enumerate(text.split("\n")):
        bare = line.strip()
        if inside or bare.startswith(("/*", "*", "#")) or not bare:
            inside = (inside or bare.startswith("/*")) and "*/" not in bare
            continue
        yield number


def candidates(folders):
    for folder in folders:
        for name in sorted(os.listdir(os.path.join(ROOT, folder))):
            path = os.path.join(folder, name)
            if not name.endswith((".c", ".h")):
                continue
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                text = file.read()
            lines = text.split("\n")
            for number in code_lines(text):
                line = lines[number]
                code = line.split("/*")[0]
                # Messages and checks of our own that never fail are not to be broken.
                if '"' in code or "bma__assert" in code or "bma__log" in code:
                    continue
                for rule, by in RULES:
                    for found in re.finditer(rule, code):
                        changed = code[:found.start()] + found.expand(by) + code[found.end():]
                        yield path, number, line, changed + line[len(code):]


def run(command, limit):
    try:
        done = subprocess.run(command, cwd=WORK, capture_output=True, text=True, timeout=limit,
                              check=False)
    except subprocess.TimeoutExpired:
        return None
    return done


def prepare():
    os.makedirs(WORK, exist_ok=True)
    # New files with new times, or what was built of a mutant would pass for what it was made of.
    shutil.rmtree(os.path.join(WORK, "tree"), ignore_errors=True)
    for part in ("src", "include", "tests", "cmake", "examples", "CMakeLists.txt"):
        source, copy = os.path.join(ROOT, part), os.path.join(WORK, "tree", part)
        if os.path.isdir(source):
            shutil.copytree(source, copy, copy_function=shutil.copyfile)
        else:
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(source, copy)
    for folder in ("report", "trace"):
        os.makedirs(os.path.join(WORK, "tree", "bench", folder), exist_ok=True)
        with open(os.path.join(WORK, "tree", "bench", folder, "CMakeLists.txt"), "w",
                  encoding="utf-8") as file:
            file.write("# Not part of this.\n")
    done = run(["cmake", "-S", "tree", "-B", "built", "-G", "Ninja", "-DBMA_BUILD_EXAMPLES=OFF",
                "-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DCMAKE_C_FLAGS_RELWITHDEBINFO=-O1 -g"], 300)
    if done is None or done.returncode:
        sys.exit(f"mutate: cmake failed\n{done.stdout if done else ''}{done.stderr if done else ''}")
    if not build() or not passes():
        sys.exit("mutate: the tests do not pass as it is")


def build(*targets):
    done = run(["ninja", "-C", "built", *targets], 600)
    return done is not None and done.returncode == 0


def code():
    """What the library does: a digest of its sections, without what only debuggers read."""
    stripped = os.path.join(WORK, "stripped")
    run(["objcopy", "--strip-debug", "--remove-section", ".note.gnu.build-id",
         os.path.realpath(os.path.join(WORK, "built", LIBRARY)), stripped], 60)
    with open(stripped, "rb") as file:
        return hashlib.sha256(file.read()).digest()


def passes():
    done = run(["ctest", "--test-dir", "built", "-R", QUICK, "-E", "^process.step", "-j2", "--timeout",
                "200", "--stop-on-failure"], 900)
    return done is not None and done.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="stop after so long (30)")
    parser.add_argument("--seed", type=int, default=1, help="which mutants (1)")
    parser.add_argument("folders", nargs="*", default=["src/cache", "src/page"])
    options = parser.parse_args()
    end = time.monotonic() + 60 * options.minutes
    drawn = list(candidates(options.folders))
    random.Random(options.seed).shuffle(drawn)
    prepare()
    original = code()
    killed = survived = same = 0
    for path, number, line, changed in drawn:
        if time.monotonic() > end:
            break
        # The copy's own text: the tree may be worked on meanwhile.
        target = os.path.join(WORK, "tree", path)
        with open(target, encoding="utf-8") as file:
            whole = file.read()
        lines = whole.split("\n")
        lines[number] = changed
        with open(target, "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        if build(LIBRARY):
            if code() == original:
                same += 1
            elif not build() or not passes():
                killed += 1
            else:
                survived += 1
                print(f"survived: {path}:{number + 1}\n- {line.strip()}\n+ {changed.strip()}", flush=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(whole)
    compiling = killed + survived
    share = 100 * killed / compiling if compiling else 0
    print(f"{len(drawn)} mutants known, {compiling} tried that compile to other code, {killed} killed ({share:.0f} %); "
          f"{same} were the same code")
    return 0


if __name__ == "__main__":
    sys.exit(main())
