# SPDX-License-Identifier: MIT
"""Runs a peer's program and reads what Google Benchmark writes."""

import json
import os
import signal
import subprocess
from dataclasses import dataclass

from plan import row_name

_TO_NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Fields of a result that are not figures of ours.
_FIELDS = {
    "family_index", "per_family_instance_index", "repetitions", "repetition_index", "threads",
    "iterations", "real_time", "cpu_time",
}


class PeerFailed(Exception):
    """A program that crashed, hung or refused; the text says which."""


def _ended(status):
    """How a program ended that did not end well."""
    if status > 0:
        return f"exit {status}"
    return f"crashed, signal {-status} ({signal.strsignal(-status) or 'unknown'})"


@dataclass
class Program:
    """A peer's program as the build left it."""

    name: str
    path: str

    def _run(self, arguments, env, timeout):
        try:
            done = subprocess.run(
                [self.path, *arguments],
                env={**os.environ, **env},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PeerFailed(f"stopped after {timeout:.0f} s") from None
        except OSError as error:
            raise PeerFailed(str(error)) from None
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no message"]
            raise PeerFailed(f"{_ended(done.returncode)}: {last[0]}")
        return done.stdout

    def benchmarks(self):
        """Google Benchmark's names of what it has, by row name."""
        names = self._run(["--benchmark_list_tests"], {}, 60).split()
        return {row_name(n): n for n in names}

    def measure(self, names, seconds, env, timeout):
        """Runs the benchmarks of these names; returns (facts, {row: {metric: value}}, errors)."""
        text = self._run(
            [
                f"--benchmark_filter=^({'|'.join(names)})$",
                f"--benchmark_min_time={seconds:.4f}",
                "--benchmark_format=json",
            ],
            env,
            timeout,
        )
        try:
            report = json.loads(text)
        except ValueError:
            raise PeerFailed("wrote no report") from None
        rows, errors = {}, []
        for result in report["benchmarks"]:
            row = row_name(result["name"])
            if result.get("error_occurred"):
                errors.append(f"{row}: {result.get('error_message')}")
                continue
            unit = _TO_NS[result["time_unit"]]
            rows[row] = {
                "real_ns": result["real_time"] * unit,
                "cpu_ns": result["cpu_time"] * unit,
                **{
                    key: value
                    for key, value in result.items()
                    if isinstance(value, (int, float)) and key not in _FIELDS
                },
            }
            # CPUs that the threads had on average; less than the threads if others ran there.
            rows[row]["cpus_had"] = rows[row]["cpu_ns"] / max(rows[row]["real_ns"], 1e-9)
            if "miscounted" in rows[row]:
                rows[row]["miscounted_abs"] = abs(rows[row]["miscounted"])
        return report["context"], rows, errors


def read_manifest(build):
    """(programs, callgrind programs, skipped) of a build directory."""
    programs, callgrind, skipped = {}, {}, {}
    with open(os.path.join(build, "bench", "peers.tsv"), encoding="utf-8") as manifest:
        for line in manifest:
            kind, name, rest = line.rstrip("\n").split("\t")
            if kind == "skipped":
                skipped[name] = rest
            else:
                (programs if kind == "peer" else callgrind)[name] = Program(name, rest)
    return programs, callgrind, skipped
