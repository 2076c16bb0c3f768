# SPDX-License-Identifier: MIT
"""Runs the benchmark programs of a build side by side and reports. scripts/bench calls this."""

import argparse
import os
import re
import signal
import sys

import compare
import gnuplot
import machine
import page
import table
import write
from plan import ALL_PEERS
from runner import read_manifest
from session import Session

QUICK = {"rounds": 7, "seconds": 0.006, "budget": 160, "timeout": 60}
FULL = {"rounds": 25, "seconds": 0.03, "budget": 1620, "timeout": 300}


class Parser(argparse.ArgumentParser):
    """Says what exists when something does not."""

    def error(self, message):
        self.print_help(sys.stderr)
        self.exit(2, f"\n{self.prog}: {message}\n")


MORE = """
bench compare A.json B.json   what changed from run A to run B
bench page REPORT.json        writes the page of a report again, beside it
bench plan                    shows which thread runs on which CPU; HWLOC_SYNTHETIC: of that machine
"""


def named_peers(parser, text):
    """The names in a list, all of which must exist."""
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in ALL_PEERS]
    if unknown or not names:
        parser.exit(
            2, f"{parser.prog}: unknown peer: {', '.join(unknown) or 'none named'}; these exist:\n"
               f"{os.linesep.join(ALL_PEERS)}\n"
        )
    return names


def parse(arguments):
    parser = Parser(
        prog="bench", description="Measures BMA and its peers side by side.", epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--full", action="store_true", help="longer runs and 25 rounds")
    parser.add_argument("--only", metavar="REGEX", help="rows whose name contains a match")
    parser.add_argument("--peers", metavar="NAME,...", help="these peers only")
    parser.add_argument("--list", action="store_true", help="show rows and peers, run nothing")
    parser.add_argument("--out", metavar="DIR", default="bench-out", help="where the report goes")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds, 7 unless said")
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
    if options.peers is not None:
        options.peers = named_peers(parser, options.peers)
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
    for part in (table.figures, table.verdicts, table.summary, table.disturbed):
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
        "options": {"full": options.full, "only": options.only, "peers": options.peers,
                    "seconds": options.seconds, "last_seconds": session.seconds,
                    "rounds": options.rounds},
        "versions": session.versions,
        "skipped": skipped,
        "failures": session.failures,
        "loads": session.loads,
    }
    made = write.make(facts, run, session.results)
    # First what cannot be made again.
    path = write.write_json(options.out, made)
    say_page(options.out, made)
    say(f"{'' if finished else 'interrupted; '}{table.tally(session.results)}; {path}")


def say_page(directory, made):
    """Writes the page, and says so."""
    if not gnuplot.available():
        say(gnuplot.HOW_TO_GET)
    say(write.write_page(directory, page.build(made)))


def main_page(arguments):
    parser = Parser(prog="bench page", description="Writes the page of a report, beside it.")
    parser.add_argument("report", metavar="REPORT.json")
    path = parser.parse_args(arguments).report
    try:
        say_page(os.path.dirname(path) or ".", write.read(path))
    except (write.Unreadable, OSError) as error:
        print(f"bench page: {error}", file=sys.stderr)
        return 2
    return 0


def interrupted(*_):
    raise KeyboardInterrupt


def not_built(options, programs, skipped):
    """Says of asked-for peers that the build has not; whether there are any."""
    missing = [p for p in options.peers or () if p not in programs]
    for peer in missing:
        print(f"bench: {peer} was not built: {skipped.get(peer, 'unknown to this build')}; "
              f"these were: {' '.join(p for p in ALL_PEERS if p in programs)}", file=sys.stderr)
    return bool(missing)


def no_rows(session):
    """Says which rows there are, where --only left none."""
    session.options.only = None
    which = " of these peers" if session.options.peers else ""
    print(f"bench: no row{which} matches --only; these exist:\n{os.linesep.join(session.plan())}",
          file=sys.stderr)
    return 2


def main(arguments):
    if arguments[:1] == ["compare"]:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # into head and the like
        return compare.main(Parser, arguments[1:])
    if arguments[:1] == ["page"]:
        return main_page(arguments[1:])
    return measure(parse(arguments))


def measure(options):
    if options.parse_only:
        return 0
    programs, callgrind_programs, skipped = read_manifest(options.build)
    if not_built(options, programs, skipped):
        return 2
    session = Session(programs, callgrind_programs, options, say)
    rows = session.plan()
    if not rows:
        return no_rows(session)
    if options.list:
        show_list(rows, skipped)
        return 0
    facts = machine.describe(options.build, os.path.dirname(os.path.dirname(__file__)))
    if facts["plan"].get("synthetic"):
        print("bench: HWLOC_SYNTHETIC describes another machine: its plan can be shown (bench plan, "
              "--list), not run", file=sys.stderr)
        return 2
    try:
        os.makedirs(options.out, exist_ok=True)
    except OSError as error:
        print(f"bench: --out {options.out}: {error.strerror}", file=sys.stderr)
        return 2
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
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
