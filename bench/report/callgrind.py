# SPDX-License-Identifier: MIT
"""Instructions per allocation and free, counted by valgrind."""

import os
import re
import shutil
import subprocess

from plan import BMA, GROUP_COUNTED
from runner import PeerFailed

PAIRS = 20000
SIZE = 64
ROW = f"callgrind/size:{SIZE}"
# Beside the calls without a group.
GROUP_ROW = f"group/callgrind/size:{SIZE}"


def rows(peers):
    """Of these peers, in this order: row = those that are counted in it."""
    found = {ROW: [p for p in peers if p not in GROUP_COUNTED],
             GROUP_ROW: [p for p in peers if p in BMA + GROUP_COUNTED]}
    return {row: counted for row, counted in found.items() if counted}


def available():
    return shutil.which("valgrind") is not None


def _instructions(program, pairs):
    # The worker's own work is not part of a call, nor is what valgrind would be told of each object.
    env = {**os.environ, "BMA_CONF": "worker:off,tools:off"}
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    try:
        done = subprocess.run(
            [*command, program.path, str(pairs), str(SIZE)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PeerFailed("callgrind: stopped after 120 s") from None
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or not found:
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise PeerFailed(f"callgrind: exit {done.returncode}: {last[0]}")
    return int(found.group(1))


def per_pair(program):
    """What N more pairs cost, by N."""
    return (_instructions(program, 2 * PAIRS) - _instructions(program, PAIRS)) / PAIRS
