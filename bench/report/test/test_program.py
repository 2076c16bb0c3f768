# SPDX-License-Identifier: MIT
"""The program as it is called: bad input, peers that crash, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import synthetic

CRASH = "os.kill(os.getpid(), signal.SIGSEGV)"
HANG = "open(os.path.dirname(sys.argv[0]) + '/hangs', 'w').close(); time.sleep(60)"


class Program(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.build = os.path.join(self.directory.name, "build")
        self.out = os.path.join(self.directory.name, "out")

    def command(self, *arguments):
        return [sys.executable, "-B", synthetic.SOURCE, *arguments]

    def run_it(self, *arguments):
        if arguments[:1] not in (("compare",), ("page",)):
            arguments = ("--build", self.build, "--out", self.out, *arguments)
        return subprocess.run(self.command(*arguments), capture_output=True, text=True,
                              timeout=120, check=False)

    def report(self):
        with open(os.path.join(self.out, "report.json"), encoding="utf-8") as file:
            return json.load(file)

    def peers(self, **peers):
        synthetic.build(self.build, **peers)


class BadInput(Program):
    def refused(self, arguments, *says):
        done = self.run_it(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)

    def test_refused(self):
        self.peers(bma_inline=(2, ""), glibc=(8, ""))
        self.refused(["--nonsense"], "--nonsense", "--only")
        self.refused(["--only", "nothing"], "no row matches", "pair/size:64")
        self.refused(["--only", "("], "--only (")
        self.refused(["--peers", "glibc,emalloc"], "unknown peer: emalloc", "bma-inline")
        self.refused(["--peers", ""], "none named")
        self.refused(["--peers", "jemalloc"], "install libjemalloc-dev", "these were: bma-inline")
        self.refused(["--rounds", "0"], "--rounds")
        self.refused(["--out", "/dev/null/x"], "--out /dev/null/x")

    def test_another_machines_plan_is_not_run(self):
        self.peers(bma_inline=(2, ""), glibc=(8, ""))
        plan = os.path.join(self.build, "bench", "bench-plan")
        with open(plan, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho '{\"synthetic\": true}'\n")
        os.chmod(plan, 0o755)
        self.refused([], "another machine")
        self.assertEqual(self.run_it("--list").returncode, 0)
        self.refused(["compare", "a.json"], "B.json")
        self.refused(["compare", "/no/a", "/no/b"], "/no/a: No such file")
        self.refused(["page", "/no/a"], "/no/a: No such file")


class Runs(Program):
    def test_selected_peers(self):
        self.peers(bma_inline=(2, ""), glibc=(8, ""), mimalloc=(5, ""))
        done = self.run_it("--rounds", "3", "--peers", "glibc,bma-inline")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(self.report()["medians"]["pair/size:64"]), ["bma-inline", "glibc"])
        self.assertIn("ahead", done.stdout)
        self.assertTrue(os.path.exists(os.path.join(self.out, "report.html")))
        path = os.path.join(self.out, "report.json")
        self.assertEqual(self.run_it("page", path).returncode, 0)
        self.assertEqual(self.run_it("compare", path, path).returncode, 0)

    def test_a_crash_is_reported_and_the_run_goes_on(self):
        self.peers(bma_inline=(2, ""), glibc=(8, CRASH), mimalloc=(5, ""))
        done = self.run_it("--rounds", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("FAILED: glibc in pair, round 1 2: crashed, signal 11", done.stdout)
        report = self.report()
        self.assertEqual(sorted(report["medians"]["pair/size:64"]), ["bma-inline", "mimalloc"])
        self.assertEqual(len(report["rounds"]["pair/size:64"]["mimalloc"]["cpu_ns"]), 3)

    def test_interrupt_reports_what_is_finished(self):
        # glibc is the last one of the second round's turn.
        self.peers(bma_inline=(2, ""), glibc=(
            8, f"n = os.path.dirname(sys.argv[0]) + '/n'\nif os.path.exists(n): {HANG}\n"
               "open(n, 'w').close()"))
        command = self.command("--build", self.build, "--out", self.out, "--rounds", "3")
        # A group of its own, which gets the signal as it does of a terminal.
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True,
                              start_new_session=True) as run:
            while not os.path.exists(os.path.join(self.build, "hangs")) and run.poll() is None:
                time.sleep(0.02)
            os.killpg(run.pid, signal.SIGINT)
            said = run.communicate(timeout=60)[0]
        self.assertEqual(run.returncode, 130, said)
        report = self.report()
        self.assertFalse(report["finished"])
        self.assertEqual(report["rounds_done"], 1)
        self.assertIn("glibc", report["medians"]["pair/size:64"])
        self.assertTrue(os.path.exists(os.path.join(self.out, "report.html")))


if __name__ == "__main__":
    unittest.main()
