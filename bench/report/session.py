# SPDX-License-Identifier: MIT
"""A run: rounds over groups over peers, so that what is compared was measured side by side."""

import re
import time

import callgrind
import machine
from plan import ALL_PEERS, GROUPS
from runner import PeerFailed
from stats import Results

# A peer that fails this often in a group is left out of it.
MAX_FAILURES = 2


class Session:
    def __init__(self, programs, callgrind_programs, options, say):
        wanted = [p for p in ALL_PEERS if not options.peers or p in options.peers]
        self.programs = {p: programs[p] for p in wanted if p in programs}
        self.callgrind_programs = {p: c for p, c in callgrind_programs.items() if p in wanted}
        self.options = options
        self.say = say
        self.results = Results()
        self.versions = {}
        self.failures = []
        self.loads = []
        self.rounds_done = 0
        self.seconds = options.seconds
        self._names = {}
        self._failed = {}

    def plan(self):
        """Reads what each program has; keeps the rows that --only lets through."""
        for peer, program in self.programs.items():
            try:
                known = program.benchmarks()
            except PeerFailed as failure:
                self._note(peer, "start", 0, str(failure))
                continue
            for group in GROUPS:
                if peer not in group.peers:
                    continue
                names = {
                    group.row(row): name
                    for row, name in known.items()
                    if re.search(group.pattern, row) and self._wanted(group.row(row))
                }
                if names:
                    self._names[group.name, peer] = names
        return self.rows()

    def rows(self):
        """All rows of the plan, in order of groups, with their peers."""
        found = {}
        for group in GROUPS:
            for peer in self.programs:
                for row in self._names.get((group.name, peer), ()):
                    found.setdefault(row, []).append(peer)
        return {**found, **self._counted_rows()}

    def _counted_rows(self):
        if not callgrind.available():
            return {}
        rows = callgrind.rows([p for p in ALL_PEERS if p in self.callgrind_programs])
        return {row: peers for row, peers in rows.items() if self._wanted(row)}

    def _wanted(self, row):
        return not self.options.only or re.search(self.options.only, row) is not None

    def _note(self, peer, group, number, what):
        """Keeps a failure, and says so the first time."""
        if not any(f["peer"] == peer and f["what"] == what for f in self.failures):
            self.say(f"  {peer} failed in {group}: {what}")
        self.failures.append({"peer": peer, "group": group, "round": number, "what": what})

    def run(self):
        start = time.monotonic()
        for number in range(1, self.options.rounds + 1):
            began = time.monotonic()
            self.loads.append(machine.load())
            self._round(number)
            self.rounds_done = number
            now = time.monotonic()
            self.say(
                f"round {number} of {self.options.rounds}: {now - began:.1f} s, "
                f"{now - start:.0f} s in all, load {self.loads[-1]:.1f}"
            )
            self._keep_to_budget(number, now - start)
        self._count_instructions()

    def _round(self, number):
        for group in GROUPS:
            if not self._due(group, number):
                continue
            peers = [p for p in self.programs if (group.name, p) in self._names]
            # Nobody is always first, or always after the same one.
            turn = number % len(peers) if peers else 0
            for peer in peers[turn:] + peers[:turn]:
                self._measure(group, peer, number)

    def _due(self, group, number):
        """Groups of long runs take turns, so that a run of everything stays short."""
        every = 1 if self.options.only else min(group.every, self.options.rounds)
        return number % every == group.turn % every

    def _measure(self, group, peer, number):
        failed = self._failed.get((group.name, peer), 0)
        if failed >= MAX_FAILURES:
            return
        names = self._names[group.name, peer]
        try:
            facts, rows, errors = self.programs[peer].measure(
                names.values(), self.seconds * group.time, group.env, self.options.timeout
            )
        except PeerFailed as failure:
            self._failed[group.name, peer] = failed + 1
            self._note(peer, group.name, number, str(failure))
            return
        self.versions[peer] = facts.get("peer_version", "")
        for row, metrics in rows.items():
            self.results.add(group.row(row), peer, number, metrics)
        for error in errors:
            self._note(peer, group.name, number, error)

    def _keep_to_budget(self, done, spent):
        """Shorter runs from here on if the rounds would not fit: never fewer rounds."""
        left = self.options.rounds - done
        each = spent / done
        if self.options.budget and left and each * self.options.rounds > self.options.budget:
            fits = (self.options.budget - spent) / left / each
            self.seconds = max(self.seconds * max(fits, 0.5), 0.002)

    def _count_instructions(self):
        rows = self._counted_rows()
        for peer in dict.fromkeys(p for peers in rows.values() for p in peers):
            try:
                each = callgrind.per_pair(self.callgrind_programs[peer])
            except PeerFailed as failure:
                self._note(peer, "callgrind", 0, str(failure))
                continue
            for row, peers in rows.items():
                if peer in peers:
                    self.results.add(row, peer, 1, {"instructions": each})
        if rows:
            self.say("instructions counted")
