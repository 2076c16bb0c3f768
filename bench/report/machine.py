# SPDX-License-Identifier: MIT
"""What the figures belong to: machine, system, compiler, revision."""

import os
import platform
import re
import subprocess
import time


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def _output(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _field(text, key):
    found = re.search(rf"^{key}\s*[:=]\s*(.*)$", text, re.MULTILINE)
    return found.group(1).strip(' "') if found else ""


def load():
    return os.getloadavg()[0]


def describe(build, source):
    cpuinfo = _read("/proc/cpuinfo")
    cache = _read(os.path.join(build, "CMakeCache.txt"))
    compiler = _field(cache, "CMAKE_C_COMPILER:[A-Z]+")
    revision = _output("git", "-C", source, "rev-parse", "HEAD")
    changed = bool(_output("git", "-C", source, "status", "--porcelain"))
    thp = "/sys/kernel/mm/transparent_hugepage/enabled"
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "system": _field(_read("/etc/os-release"), "PRETTY_NAME"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cpu": _field(cpuinfo, "model name"),
        "cpu_flags": _field(cpuinfo, "flags").split(),
        "cpus": len(os.sched_getaffinity(0)),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_kib": _field(_read("/proc/meminfo"), "MemTotal").removesuffix(" kB"),
        "transparent_hugepage": _read(thp),
        "load": load(),
        "compiler": (_output(compiler, "--version").splitlines() or [""])[0] if compiler else "",
        "build_type": _field(cache, "CMAKE_BUILD_TYPE:[A-Z]+"),
        "revision": revision + ("+changes" if revision and changed else ""),
    }


def summary(facts):
    thp = re.search(r"\[(\w+)\]", facts["transparent_hugepage"])
    return (
        f"{facts['cpu'] or facts['architecture']}, {facts['cpus']} CPUs, {facts['system']}, kernel "
        f"{facts['kernel']}, huge pages {thp.group(1) if thp else 'unknown'}, load "
        f"{facts['load']:.1f}, {facts['compiler']}"
    )
