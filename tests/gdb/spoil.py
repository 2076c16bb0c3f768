# SPDX-License-Identifier: MIT
"""Lists of a stopped program.c that go round: to be sourced after bma.py."""
import gdb


def spoil():
    library = Library()
    value, _ = library.slab(int(gdb.parse_and_eval("grouped")))
    slab = Slab(value)
    engine = Engine(library, value["owner"].cast(gdb.lookup_type("struct bma__engine").pointer()))
    i, _ = slab.index(int(gdb.parse_and_eval("grouped")))
    owner = gdb.parse_and_eval("*(unsigned short *)%d" % (slab.base + int(slab.v["geo"]["owners"]) + 2 * i))
    group = int(engine.v["owners"][owner]["group"])
    gdb.execute("set var ((struct bma__group *)%d)->parent = (struct bma__group *)%d" % (group, group))

    value, _ = library.slab(int(gdb.parse_and_eval("live")))
    at = int(value.address)
    gdb.execute("set var ((struct bma__slab *)%d)->next = (struct bma__slab *)%d" % (at, at))

    value, _ = library.slab(int(gdb.parse_and_eval("in_depot")))
    engine = Engine(library, value["owner"].cast(gdb.lookup_type("struct bma__engine").pointer()))
    base = next(base for where, base, _ in engine.cached() if "depot" in where)
    index = library.bases[base & ~(SEGMENT - 1)] * POSITIONS + (base & SEGMENT - 1) // engine.mag
    gdb.execute("set var *(unsigned long *)%d = %d" % (base, 0x7FFFFFFF << 32 | index))
    print("spoilt")


spoil()
