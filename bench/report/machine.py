# SPDX-License-Identifier: MIT
"""What the figures belong to: machine, system, compiler, revision."""

import glob
import json
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


def _distinct(pattern):
    """How many different contents the files have that match."""
    return len({_read(path) for path in glob.glob(pattern)})


def _caches():
    """Of the first CPU, as L1d 32K and so on."""
    found = []
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        kind = {"Data": "d", "Instruction": "i"}.get(_read(f"{index}/type"), "")
        found.append(
            f"L{_read(f'{index}/level')}{kind} {_read(f'{index}/size')} shared by CPUs "
            f"{_read(f'{index}/shared_cpu_list')}"
        )
    return found


def _topology():
    cpu = "/sys/devices/system/cpu/cpu[0-9]*/topology"
    return {
        "packages": _distinct(f"{cpu}/physical_package_id"),
        "cores": _distinct(f"{cpu}/core_cpus_list"),
        "cpus_of_a_core": _read("/sys/devices/system/cpu/cpu0/topology/core_cpus_list"),
        "nodes": _read("/sys/devices/system/node/online"),
        "caches": "; ".join(_caches()),
    }


def _libraries():
    names = ("liburcu", "hwloc", "benchmark")
    found = {name: _output("pkg-config", "--modversion", name) for name in names}
    found["libc"] = " ".join(platform.libc_ver())
    return {name: version for name, version in found.items() if version}


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
        "topology": _topology(),
        "plan": json.loads(_output(os.path.join(build, "bench", "bench-plan"), "--json") or "{}"),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "memory_kib": _field(_read("/proc/meminfo"), "MemTotal").removesuffix(" kB"),
        "transparent_hugepage": _read(thp),
        "libraries": _libraries(),
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
