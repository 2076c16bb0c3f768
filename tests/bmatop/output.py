# SPDX-License-Identifier: MIT
"""What bmatop prints for programs, and what it says when there is nothing to print.

usage: output.py BMATOP EXPORTING
"""
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

BMATOP, EXPORTING = sys.argv[1:3]
CONF = "export,worker:off,rseq:off"
ODD = 'name "quoted\\" \n'
failed = 0


def check(what, good, seen=""):
    global failed
    if not good:
        failed += 1
        print(f"{what}: {seen}")


def bmatop(*args, **kw):
    return subprocess.run([BMATOP, *map(str, args)], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, **kw)


def said(what, words, status, *args, **kw):
    r = bmatop(*args, **kw)
    err = r.stderr.decode()
    check(what, r.returncode == status and words in err and err.count("\n") == 1 and not r.stdout,
          (r.returncode, err, r.stdout[:200]))


def start():
    p = subprocess.Popen([EXPORTING], env={**os.environ, "BMA_CONF": CONF}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    check("start", p.stdout.readline() == b"ready %d\n" % p.pid)
    return p


def text(*args):
    r = bmatop(*args)
    check(f"status of {args}", r.returncode == 0, r.stderr)
    return r.stdout


def check_json(pid):
    page = json.loads(text("--json", pid).decode())
    check("pid", page["pid"] == pid)
    check("state", page["state"] == "running" or page["state"].startswith("stale, no update"), page["state"])
    caches = {c["name"]: c for c in page["caches"]["rows"] if c["name"] != "twin"}
    check("names", set(caches) == {"flow", "packet buffer", ODD + "\ufffd", "timer"}, list(caches))
    check("live", (caches["flow"]["live"], caches["packet buffer"]["live"], caches["timer"]["live"]) == (1900, 100, 850))
    check("limbo", caches["timer"]["limbo"] == 50)
    for c in page["caches"]["rows"]:
        check("sum of " + c["name"], c["live"] + c["cached"] + c["limbo"] + c["parked"] + c["reserved"] + c["slab_free"] == c["carved"])
    (ledger,) = page["ledger"]["rows"]
    check("ledger", sum(ledger[k] for k in ("live", "cached", "limbo", "parked", "slab_free", "metadata")) == ledger["resident"])
    groups = {g["path"]: g for g in page["groups"]["rows"]}
    check("groups", set(groups) == {"/", "/agent", "/agent/flows"}, list(groups))
    check("max", groups["/"]["max"] == "max" and groups["/agent"]["max"] == 64 << 20)
    return page


def check_once(pid):
    lines = text("--once", pid).decode().split("\n")
    check("head", lines[0].startswith(f"bmatop - pid {pid} (bmatop_exportin"), lines[0])
    titles = lines[5].split()
    check("titles", titles[:3] == ["OBJS", "LIVE", "USE"] and titles[-1] == "NAME", titles)
    rows = [line for line in lines[6:] if line]
    check("rows", len(rows) == 6, rows)
    check("no control characters", all(" " <= c <= "~" or c == "\n" for c in "\n".join(lines)))
    flow = [r.split() for r in rows if r.endswith(" flow")][0]
    check("flow", flow[1] == "1900" and flow[3] == "64", flow)
    names = [re.split(r"  +", r)[-1] for r in text("--once", "--sort", "n", pid).decode().split("\n")[6:] if r]
    check("by name", [n[:4] for n in names] == ["flow", "name", "pack", "time", "twin", "twin"], names)
    for view, word in (("cpus", "KIND"), ("nodes", "ELSEWHERE"), ("groups", "/"), ("limbo", "FLAVOUR")):
        check(view, word in text("-o", "-w", view, pid).decode())


def check_slabinfo(pid):
    lines = text("--slabinfo", pid).decode().splitlines()
    check("version", lines[0] == "slabinfo - version: 2.1")
    check("comment", lines[1].startswith("# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables"))
    seen = {}
    for line in lines[2:]:
        m = re.fullmatch(r"(\S+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+) : tunables +(\d+) +(\d+) +(\d+) : slabdata +(\d+) +(\d+) +(\d+)", line)
        check("line", m, line)
        seen.setdefault(m[1], []).append([int(x) for x in m.groups()[1:]])
    check("slabinfo names", sorted(seen) == ["flow", r"name\040\"quoted\134\"\040\012\377".replace(r"\"", '"'), r"packet\040buffer", "timer", "twin"], list(seen))
    flow = seen["flow"][0]
    check("slabinfo flow", flow[0] == 1900 and flow[1] >= 1900 and flow[2] == 64 and flow[8] == flow[9], flow)
    check("slab", flow[3] * flow[2] <= flow[4] * 4096, flow)


LABEL = r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"'


def check_prometheus(pid, page):
    """The format's own rules: HELP, TYPE, then all samples of a metric, each series once."""
    out = text("--prometheus", pid)
    check("ends in a newline", out.endswith(b"\n"))
    series, metric, kind, done = {}, None, None, set()
    for line in out.decode("utf-8").split("\n")[:-1]:
        if m := re.fullmatch(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)", line):
            check("twice", m[1] not in done, m[1])
            done.add(m[1])
            metric, kind = m[1], None
            check("escapes", re.fullmatch(r"(?:[^\\]|\\[\\n])*", m[2]), line)
        elif m := re.fullmatch(r"# TYPE (\S+) (counter|gauge|untyped)", line):
            check("type of another", m[1] == metric, line)
            kind = m[2]
            check("total", (kind == "counter") == metric.endswith("_total"), line)
        else:
            m = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(" + LABEL + "(?:," + LABEL + r")*)\})? (\+Inf|[0-9.]+)", line)
            check("sample", m and m[1] == metric and kind, line)
            if not m:
                continue
            labels = tuple(sorted((k, re.sub(r"\\(.)", lambda e: "\n" if e[1] == "n" else e[1], v)) for k, v in re.findall(LABEL, m[2] or "")))
            check("series twice", (metric, labels) not in series, line)
            series[metric, labels] = m[m.lastindex]
    value = lambda metric, **labels: series.get((metric, tuple(sorted(labels.items()))))
    check("live", value("bma_cache_live_objects", cache="flow") == "1900")
    check("odd name", value("bma_cache_live_objects", cache=ODD + "\ufffd") == "1800")
    twins = sorted(v for (m, l), v in series.items() if m == "bma_cache_live_objects" and ("cache", "twin") in l)
    check("twins", twins == ["10", "20"], twins)
    check("no limit", value("bma_group_max_bytes", group="/") == "+Inf")
    check("up", value("bma_up") == "1")
    for table, thing in (("process", "process"), ("ledger", "ledger"), ("caches", "cache"), ("nodes", "node"), ("rcu", "rcu"), ("groups", "group")):
        for row in page[table]["rows"]:
            for figure, v in row.items():
                if isinstance(v, int) and figure not in ("id", "node"):
                    check("missing", any(m.startswith(f"bma_{thing}_{figure}") for m in done), figure)


def made(tables=1, fields=2, rows=1, row_size=4000, size=8, apart=1, total=4 << 20):
    """A page of nobody's, with as much as that: each table has the same fields."""
    head, table, field = "=QIIQIIQQ32sII3Q", "=16s6IQ", "=32s16s208sII"
    at = struct.calcsize(head)
    listed = at + tables * struct.calcsize(table)
    first = listed + fields * struct.calcsize(field)
    page = bytearray(total)
    struct.pack_into(head, page, 0, 0x656761502E414D42, 1, at, total, 100, os.getpid(), 0, 1, b"made", tables, at, 0, 0, 0)
    for i in range(tables):
        # In each row the name is another, and only in its last character.
        where = first + i * apart * rows * row_size
        struct.pack_into(table, page, at + i * struct.calcsize(table), b"caches" if not i else b"%d" % i, fields, listed, rows, where, row_size, rows, 0)
        for r in range(rows if apart or not i else 0):
            text = b"%0*d" % (row_size - (fields - 1) * 8 - 1, r)
            page[where + r * row_size:where + r * row_size + len(text)] = text
    text = row_size - (fields - 1) * 8
    struct.pack_into(field, page, listed, b"name", b"text", b"", 0, text)
    for i in range(1, fields):
        struct.pack_into(field, page, listed + i * struct.calcsize(field), b"id" if i == 1 else b"f%d" % i, b"number", b"", text + (i - 1) * size, 8)
    return bytes(page)


def check_made(at):
    """Pages that are made to keep a reader busy: it does what its limits let it, and that is soon done."""

    def write(page):
        with open(at, "wb") as f:
            f.write(page)

    for what, page in (("tables", made(tables=32, row_size=100)), ("fields", made(fields=256, row_size=4000)), ("rows", made(rows=1024)),
                       ("all", made(tables=32, fields=256, rows=50, row_size=2100))):
        write(page)
        begun = time.monotonic()
        for way in ("--once", "--json", "--slabinfo", "--prometheus"):
            r = bmatop(way, "--file", at)
            check(f"{what} {way}", r.returncode == 0 and len(r.stdout) < 40 << 20, (r.returncode, r.stderr))
        check(what, time.monotonic() - begun < 30, time.monotonic() - begun)
    for what, page in (("tables", made(tables=33, row_size=100)), ("fields", made(fields=257, row_size=4000)), ("rows", made(rows=1025)),
                       ("fields on fields", made(fields=200, size=0, row_size=2000)),
                       ("rows on rows", made(tables=2, rows=1000, apart=0))):
        if what == "fields on fields":
            page = page.replace(struct.pack("=II", 0, 2000 - 199 * 8), struct.pack("=II", 0, 1000), 1)
        write(page)
        said(f"too many {what}", "contradicts itself", 1, "--json", "--file", at)
    write(made(total=(4 << 20) + 8))
    said("too large", "is too large to be true", 1, "--json", "--file", at)


def check_errors(pid, page_path):
    said("no such process", "there is no process 2147483646", 1, 2147483646)
    said("no export", f"process {os.getpid()} does not export: start it with BMA_CONF=export", 1, os.getpid())
    said("no terminal", "no terminal that can show a screen; try --once", 1, pid)
    said("no pid", '"x1" is no process id', 2, "x1")
    said("no delay", '"0" is no delay', 2, "-d", "0", pid)
    said("no order", '"z" is no order: one of', 2, "-s", "z", pid)
    said("no view", '"x" is no view', 2, "-w", "x", pid)
    said("two", "one process at a time", 2, pid, pid)
    with tempfile.TemporaryDirectory() as d, open(page_path, "rb") as f:
        page = f.read()
        at = os.path.join(d, "page")

        def spoil(what, words, spoilt):
            with open(at, "wb") as g:
                g.write(spoilt)
            for way in ("--once", "--json", "--slabinfo", "--prometheus"):
                said(what, words, 1, way, "--file", at)

        spoil("layout", "this bmatop reads layout 1", page[:8] + struct.pack("=I", 7) + page[12:])
        spoil("cut", "was cut short", page[:-1])
        spoil("empty", "is empty: it was cut short", b"")
        spoil("other", "is no page that BMA exported", b"x" * 5000)
        with open(at, "wb") as g:
            g.write(page)
        check("a kept page", text("--once", "--file", at).startswith(b"bmatop - pid"))
        said("no directory", "Not a directory", 1, "--once", "--file", at + "/x")
        seed = random.randrange(1 << 32)
        rnd = random.Random(seed)
        for _ in range(60):
            spoilt = bytearray(page)
            for _ in range(rnd.randint(1, 6)):
                i = rnd.choice([rnd.randrange(8, 600), rnd.randrange(len(page))])
                spoilt[i:i + 4] = rnd.choice([b"\xff" * 4, bytes(4), rnd.randbytes(4)])
            with open(at, "wb") as g:
                g.write(spoilt)
            for way in ("--once", "--json", "--slabinfo", "--prometheus"):
                r = bmatop(way, "--file", at)
                check(f"any page (seed {seed})", r.returncode in (0, 1) and r.stderr.count(b"\n") == r.returncode, r)
        check_made(at)
        with open(at, "wb") as g:
            g.write(page.replace(b"stride\0", b"str\nde\0"))
        for line in text("--prometheus", "--file", at).decode().split("\n")[:-1]:
            check("a line of its own", re.match(r"# (HELP|TYPE) bma_|bma_", line), line)
        with open("/dev/full", "wb") as full:
            r = subprocess.run([BMATOP, "--json", str(pid)], stdout=full, stderr=subprocess.PIPE, timeout=60)
            check("full", r.returncode == 1 and b"standard output: No space left" in r.stderr, r)
        if os.getuid() == 0:
            # Somebody else may not look.
            os.chmod(d, 0o755)
            copy = shutil.copy(BMATOP, os.path.join(d, "bmatop"))
            r = subprocess.run([copy, "--once", str(pid)], capture_output=True, user=65534, group=65534, extra_groups=[], timeout=60)
            forged = f"/dev/shm/bma-0-{os.getpid()}"
            shutil.copy(page_path, forged)
            os.chown(forged, 65534, 65534)
            said("forged", "does not export", 1, "--once", os.getpid())
            check("forged in the list", str(os.getpid()) not in re.findall(r"^ *(\d+)", text().decode(), re.M))
            os.unlink(forged)
            # Nobody's own file, which says that it is of a process of root's; in the directory both before and after the true one.
            forged = f"/dev/shm/bma-65534-{pid}"
            true_page = f"/dev/shm/bma-0-{pid}"
            for first in (True, False):
                shutil.copy(page_path, forged)
                with open(forged, "r+b") as g:
                    g.seek(48)
                    g.write(b"forged\0")
                os.chown(forged, 65534, 65534)
                if first:
                    os.rename(true_page, true_page + "x")
                    os.rename(true_page + "x", true_page)
                check("the true one", json.loads(text("--json", pid))["program"].startswith("bmatop_exp"), first)
                check("told in the list", re.search(rf"^ *{pid}  forged .*another process has its pid$", text().decode(), re.M), text())
                os.unlink(forged)
            check("permission", r.returncode == 1 and b"Permission denied" in r.stderr, r)
    r = bmatop("--help")
    check("help", r.returncode == 0 and r.stdout.startswith(b"usage: bmatop"))
    check("version", re.fullmatch(rb"bmatop \d+\.\d+\.\d+\n", bmatop("--version").stdout))
    check("unknown", bmatop("--what").returncode == 2)


def state(pid):
    return json.loads(text("--json", pid).decode())["state"]


def main():
    p = start()
    page_path = f"/dev/shm/bma-{os.geteuid()}-{p.pid}"
    page = check_json(p.pid)
    check_once(p.pid)
    check_slabinfo(p.pid)
    check_prometheus(p.pid, page)
    check_errors(p.pid, page_path)
    listed = text().decode()
    check("list", re.search(rf"^ *{p.pid}  bmatop_exportin +\S+ +\d+\.\d+\.\d+  ", listed, re.M), listed)
    # A process that does nothing any more shows all the same.
    os.kill(p.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, p.pid, os.WSTOPPED)
    check("stopped", state(p.pid) == "stopped", state(p.pid))
    check_once(p.pid)
    os.kill(p.pid, signal.SIGKILL)
    p.wait()
    check("ended", state(p.pid) == "ended, last figures", state(p.pid))
    check("down", "\nbma_up 0\n" in text("--prometheus", p.pid).decode())
    q = start()
    check("not of the living", text("--clean", q.pid) == b"0 removed\n")
    check("clean", text("--clean", p.pid) == b"1 removed\n")
    # Of a process that died before it was finished, or of another version; and not while the process lives.
    for what, pid, left in (("ended", p.pid, 0), ("lives", os.getpid(), 1)):
        odd = f"/dev/shm/bma-{os.geteuid()}-{pid}"
        with open(odd, "wb") as f:
            f.write(bytes(5000))
        check(f"clean what cannot be read, {what}", text("--clean", pid) == b"%d removed\n" % (1 - left))
        check(f"{what}", os.path.exists(odd) == bool(left))
        if left:
            os.unlink(odd)
    for name in ("bma- {0}-{1}", "bma-{0}-+{1}", "bma-{0}-0{1}"):
        odd = "/dev/shm/" + name.format(os.geteuid(), q.pid)
        shutil.copy(f"/dev/shm/bma-{os.geteuid()}-{q.pid}", odd)
    check("names that the library does not give", len(re.findall(rf"^ *{q.pid} ", text().decode(), re.M)) == 1, text())
    for name in ("bma- {0}-{1}", "bma-{0}-+{1}", "bma-{0}-0{1}"):
        os.unlink("/dev/shm/" + name.format(os.geteuid(), q.pid))
    check("cleaned", not os.path.exists(page_path))
    check("not of the living", os.path.exists(f"/dev/shm/bma-{os.geteuid()}-{q.pid}"))
    q.stdin.close()
    q.wait()
    p = start()
    p.stdin.close()
    check("exit", p.wait() == 0)
    said("gone", f"there is no process {p.pid}", 1, "--once", p.pid)
    return failed > 0


sys.exit(main())
