# SPDX-License-Identifier: MIT
"""Runs the benchmark programs of a build side by side and reports. scripts/bench calls this."""

import argparse
import os
import re
import signal
import sys

import machine
import table
import write
from plan import ALL_PEERS
from runner import read_manifest
from session import Session

QUICK = {"rounds": 9, "seconds": 0.006, "budget": 210, "timeout": 60}
FULL = {"rounds": 25, "seconds": 0.03, "budget": None, "timeout": 300}


class Parser(argparse.ArgumentParser):
    """Says what exists when something does not."""

    def error(self, message):
        self.print_help(sys.stderr)
        self.exit(2, f"\n{self.prog}: {message}\n")


def parse(arguments):
    parser = Parser(prog="bench", description="Measures BMA and its peers side by side.")
    parser.add_argument("--full", action="store_true", help="longer runs and 25 rounds")
    parser.add_argument("--only", metavar="REGEX", help="rows whose name contains a match")
    parser.add_argument("--list", action="store_true", help="show rows and peers, run nothing")
    parser.add_argument("--out", metavar="DIR", default="bench-out", help="where report.json goes")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds, 9 unless said")
    # For scripts/bench.
    parser.add_argument("--build", metavar="DIR", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--parse-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    for key, value in (FULL if options.full else QUICK).items():
        if getattr(options, key, None) is None:
            setattr(options, key, value)
    if options.rounds < 1:
        parser.error("--rounds takes a number from 1")
    try:
        re.compile(options.only or "")
    except re.error as error:
        parser.error(f"--only {options.only}: {error}")
    return options


def say(line):
    print(line, flush=True)


def show_list(rows, skipped):
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # into head and the like
    for row, peers in rows.items():
        say(f"{row}: {' '.join(peers)}")
    say_skipped(skipped)


def say_skipped(skipped):
    for name, how in skipped.items():
        say(f"without {name}: {how}")


def report(session, facts, options, skipped, finished):
    for part in (table.figures, table.verdicts, table.disturbed):
        say("")
        for line in part(session.results):
            say(line)
    say("")
    for peer in ALL_PEERS:
        if peer in session.versions:
            say(f"{peer}: {session.versions[peer]}")
    say_skipped(skipped)
    failed = {}
    for f in session.failures:
        failed.setdefault((f["peer"], f["group"], f["what"]), []).append(str(f["round"]))
    for (peer, group, what), rounds in failed.items():
        say(f"FAILED: {peer} in {group}, round {' '.join(rounds)}: {what}")
    run = {
        "finished": finished,
        "rounds_done": session.rounds_done,
        "options": {"full": options.full, "only": options.only, "seconds": options.seconds,
                    "last_seconds": session.seconds, "rounds": options.rounds},
        "versions": session.versions,
        "skipped": skipped,
        "failures": session.failures,
        "loads": session.loads,
    }
    path = write.write(options.out, facts, run, session.results)
    say(f"{'' if finished else 'interrupted; '}{table.tally(session.results)}; {path}")


def interrupted(*_):
    raise KeyboardInterrupt


def main(arguments):
    options = parse(arguments)
    if options.parse_only:
        return 0
    programs, callgrind_programs, skipped = read_manifest(options.build)
    session = Session(programs, callgrind_programs, options, say)
    rows = session.plan()
    if not rows:
        options.only = None
        print(f"bench: no row matches --only; these exist:\n{os.linesep.join(session.plan())}",
              file=sys.stderr)
        return 2
    if options.list:
        show_list(rows, skipped)
        return 0
    os.makedirs(options.out, exist_ok=True)
    facts = machine.describe(options.build, os.path.dirname(os.path.dirname(__file__)))
    say(machine.summary(facts))
    signal.signal(signal.SIGTERM, interrupted)
    finished = False
    try:
        session.run()
        finished = True
    except KeyboardInterrupt:
        say("interrupted")
    report(session, facts, options, skipped, finished)
    return 0 if finished else 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
