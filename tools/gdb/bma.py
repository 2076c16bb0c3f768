# SPDX-License-Identifier: MIT
"""
gdb commands for programs that use BMA, on a live process and on a core file:

    bma caches          what each cache holds
    bma whatis ADDRESS  whose an address is, and in which state
    bma stats           figures of the process

They read the library's structures by its debug information and call no function of the program. Of a process that
runs on, or was stopped in mid-call, they show a snapshot: what a thread has in its hand is found nowhere, and shows as live.
"""
import struct

import gdb

# What debug information does not tell.
UNIT = 65536  # bytes, src/page/chunk.h
CHUNK = 32 * UNIT
SLOT_SHIFT = 22  # include/bma/inline/fastpath.h
POSITIONS = 65536  # of a segment, src/cache/magazine.h
SEGMENT = 2 << 20
PAGE = 4096
NUMA_KINDS = ("in a per-CPU chunk", "on all nodes in turn", "on any node")
# src/cache/owner.h
PINNED = {65535: "pinned", 65534: "pinned, and freed since", 65533: "pinned, and freed with free_rcu since"}


class Missing(gdb.GdbError):
    pass


def word(addr):
    return struct.unpack("=Q", gdb.selected_inferior().read_memory(addr, 8))[0]


def words(addr, n):
    return struct.unpack("=%dQ" % n, gdb.selected_inferior().read_memory(addr, 8 * n)) if n else ()


def warn(what):
    print("bma: damaged: %s" % what)


class Once:
    """What a list has been through: one that goes round ends where it began. That it does can also be seen of one that is changed meanwhile."""

    def __init__(self, what):
        self.what = what
        self.seen = set()

    def more(self, at):
        if at in self.seen:
            warn("%s goes round at %#x" % (self.what, at))
            return False
        self.seen.add(at)
        return True


def text(value):
    return value.string(errors="replace") if value else ""


def static(name, file):
    """A file's own variable."""
    for symbol in gdb.lookup_static_symbols(name):
        if symbol.symtab.filename.endswith(file):
            return symbol.value()
    raise Missing(
        "bma: no debug information for %s of %s: is the library loaded, and has it any (-g, or its dbgsym package)?"
        % (name, file)
    )


def known(name):
    symbol = gdb.lookup_global_symbol(name)
    if symbol is None or symbol.type.code == gdb.TYPE_CODE_ERROR:
        raise Missing(
            "bma: no debug information for %s: is the library loaded, and has it any (-g, or its dbgsym package)?" % name
        )
    return symbol.value()


def type_of_file(name, function):
    """A type, as the file that defines a function knows it."""
    symbol = gdb.lookup_global_symbol(function)
    if symbol is None:
        raise Missing("bma: no debug information for %s" % function)
    return gdb.lookup_type(name, symbol.symtab.static_block())


def length(array):
    low, high = array.type.strip_typedefs().range()
    return high - low + 1


def log2(n):
    return n.bit_length() - 1


class Library:
    """What is asked of the process once for each command."""

    def __init__(self):
        self.map = known("bma__heap_map")
        self.slots = int(self.map["slots"])
        self.cpu = known("bma__cpu")
        self.nodes = int(known("bma__topo")["nodes"])
        self.segments = known("bma__mag_segments")
        self.nsegments = int(static("nsegments", "src/cache/magazine.c"))
        self.bases = {}
        for i in range(1, self.nsegments):
            self.bases[int(self.segments[i]["base"])] = i

    def engines(self):
        e = static("first", "src/cache/engine.c")
        once = Once("the list of caches")
        while int(e) and once.more(int(e)):
            yield Engine(self, e)
            e = e["next"]

    # Magazines.
    def is_magazine(self, base, size):
        return base % size == 0 and base & ~(SEGMENT - 1) in self.bases and base % SEGMENT != 0

    # The page map: a root by the high bits, a leaf, a chunk's units.
    def chunk(self, addr):
        root = static("root", "src/page/chunk.c")
        leaf_type = root.type.target().target()
        leaves = length(gdb.Value(0).cast(leaf_type.pointer()).dereference()["chunk"])
        shift = log2(CHUNK)
        at = addr >> (shift + log2(leaves))
        if at >= length(root) or not int(root[at]):
            return None
        chunk = root[at].dereference()["chunk"][addr >> shift & (leaves - 1)]
        return chunk.dereference() if int(chunk) else None

    def run(self, chunk, addr):
        """The slab of a large object that an address is in; only its first unit is in the map."""
        if chunk is None or not int(chunk["slab"][0]):
            return None
        s = chunk["slab"][0].dereference()
        return s if not int(s["geo"]["units"]) and addr < int(s["base"]) + int(large(s)["bytes"]) else None

    def slab(self, addr):
        """The slab, and in which copy of it the address is."""
        percpu = length(static("partial", "src/page/chunk.c")) - len(NUMA_KINDS)
        copies = int(static("copies", "src/page/chunk.c"))
        for copy in range(min(4096, addr // CHUNK)):
            at = addr - copy * CHUNK
            c = self.chunk(at)
            if c is None:
                continue
            s = c["slab"][at // UNIT % (CHUNK // UNIT)]
            if int(s) and (not copy or int(c["node"]) == percpu and copy < copies):
                return s.dereference(), copy
            return self.run(c, addr), 0
        return None, 0


def large(slab):
    kind = type_of_file("struct large", "bma__large_alloc")
    return slab.address.cast(kind.pointer()).dereference()


class Slab:
    def __init__(self, value):
        self.v = value
        geo = value["geo"]
        self.base = int(value["base"])
        self.carved = int(value["carved"])
        self.nfree = int(value["nfree"])
        self.stride, self.group, self.span = (int(geo[f]) for f in ("stride", "group", "span"))
        self.objs, self.offset = int(geo["objs"]), int(geo["offset"])
        self.copies = bool(geo["percpu"])

    def index(self, addr):
        """Of the object in whose place an address is, and how far in; None: it is behind them all, or between."""
        at = addr - self.base - self.offset
        in_group = at % self.span
        i = at // self.span * self.group + in_group // self.stride
        if at < 0 or in_group // self.stride >= self.group or i >= self.objs:
            return None, 0
        return i, in_group % self.stride

    def object(self, i):
        return self.base + self.offset + i // self.group * self.span + i % self.group * self.stride

    def bit(self, field, i):
        bits = int(self.v[field])
        return None if not bits else bool(word(bits + i // 64 * 8) >> i % 64 & 1)


class Engine:
    def __init__(self, library, value):
        self.lib = library
        self.v = value.dereference()
        self.id = int(self.v["id"])
        self.size = int(self.v["size"])
        self.mag = 32 << int(self.v["class"])
        self.capacity = int(self.v["capacity"])
        self.planes = int(self.v["planes"])
        self.name = text(self.v["name"])

    def used(self):
        bitmap = int(self.v["used"])
        for i, bits in enumerate(words(bitmap, (self.planes + 63) // 64)):
            for b in range(64):
                if bits >> b & 1:
                    yield i * 64 + b

    def slot(self, plane):
        at = int(self.v["head"]["slots"]) + (plane << SLOT_SHIFT)
        return gdb.Value(at).cast(gdb.lookup_type("struct bma__slot").pointer()).dereference()

    def place(self, plane):
        slots = int(self.lib.cpu["slots"])
        return "slot %d" % plane if plane < slots else "guest slot %d" % (plane - slots)

    def count(self, top):
        offset = top & (self.mag - 1)
        return offset // 8 - 1 if offset else 0

    def on_chain(self, index):
        """Base and count of each magazine from an index on."""
        once = Once('a list of magazines of cache "%s"' % self.name)
        while True:
            segment, position = divmod(index, POSITIONS)
            if not index or segment >= self.lib.nsegments:
                return
            base = int(self.lib.segments[segment]["base"]) + position * self.mag
            if not once.more(base):
                return
            link = word(base)
            yield base, self.sane(base, link >> 32)
            index = link & 0xFFFFFFFF

    def sane(self, base, n):
        room = self.mag // 8 - 2
        if n > room:
            warn("magazine %#x has %d elements, and room for %d" % (base, n, room))
        return min(n, room)

    def on_stack(self, stack):
        return self.on_chain(int(stack["head"]) & 0xFFFFFFFF)

    def on_tape(self, plane):
        """The loaded magazine and those to its left: what is to its right is empty."""
        top = int(self.slot(plane)["loaded"])
        if not top:
            return
        base = top & ~(self.mag - 1)
        yield base, self.count(top)
        once = Once("the tape of %s" % self.place(plane))
        base = word(base)
        while self.lib.is_magazine(base, self.mag) and once.more(base):
            yield base, self.capacity
            base = word(base)

    def cached(self):
        """(where, base, count) of what can be handed out."""
        for plane in self.used():
            for base, n in self.on_tape(plane):
                yield "in %s" % self.place(plane), base, n
        for node in range(self.lib.nodes):
            d = self.v["depot"][node]
            where = "in the depot" if self.lib.nodes == 1 else "in the depot of node %d" % node
            for i in range(length(d["full"])):
                for base, n in self.on_stack(d["full"][i]):
                    yield where, base, n
            for i in range(length(d["local"])):
                for base, n in self.on_stack(d["local"][i]["near"]):
                    yield where + ", by slot", base, n
                for base, n in self.on_stack(d["local"][i]["recent"]):
                    yield where + ", back from a grace period", base, n

    def quarantined(self):
        places = int(self.v["quarantine"])
        return [obj for obj in words(places, int(self.v["quarantine_places"]) if places else 0) if obj]

    def waiting(self):
        """(where, base, count) of what waits for a grace period, or a destructor."""
        for plane in self.used():
            top = int(self.slot(plane)["limbo"])
            if top:
                yield "fills in %s" % self.place(plane), top & ~(self.mag - 1), self.count(top)
        for base, n in self.on_stack(self.v["sealed"]):
            yield "sealed, for the next grace period", base, n
        for base, n in self.on_chain(int(self.v["waiting"])):
            yield "the running grace period is for it", base, n
        for base, n in self.on_stack(self.v["finish"]):
            yield "for its destructor", base, n
        for base, n in self.on_chain(int(self.v["finish_chain"])):
            yield "its destructor runs", base, n

    def figures(self):
        carved, home = int(self.v["objs_carved"]), int(self.v["objs_home"])
        f = {
            "carved": carved,
            "free": home,
            "slabs": int(self.v["nslabs"]),
            "cached": sum(n for _, _, n in self.cached()) + len(self.quarantined()),
            "limbo": sum(n for _, _, n in self.waiting()),
            "parked": int(self.v["parks"]["word"]) // 16 - int(self.v["collects"]),
            "reserved": int(self.v["reserved"]),
        }
        f["live"] = max(0, carved - home - sum(f[k] for k in ("cached", "limbo", "parked", "reserved")))
        return f

    def kib(self):
        geo = self.v["geo"]
        copies = int(static("copies", "src/page/chunk.c")) if geo["percpu"] else 1
        return int(self.v["nslabs"]) * int(geo["units"]) * UNIT * copies // 1024

    def handles(self):
        names, m = [], self.v["handles"]
        once = Once("the list of handles of %#x" % int(self.v.address))
        while int(m) and len(names) < 1000 and once.more(int(m)):
            names.append(text(m["name"]))
            m = m["next"]
        return names

    def title(self):
        names = [n for n in self.handles() if n != self.name]
        shared = " (shared by: %s)" % ", ".join(names[:8] + ["..."] * (len(names) > 8)) if names else ""
        return 'cache "%s"%s' % (self.name, shared)

    def find(self, obj):
        """Where an object is that is away from its slab; None: nowhere."""
        for what, places in (("cached, %s", self.cached()), ("limbo: %s", self.waiting())):
            for where, base, n in places:
                objs = words(base + 16, n)
                if obj in objs:
                    return (what + ", element %d of %d in magazine %#x") % (where, objs.index(obj) + 1, n, base)
        return "cached, in quarantine" if obj in self.quarantined() else None

    def state(self, slab, i):
        obj = slab.object(i)
        if i >= slab.carved:
            return "never handed out"
        if slab.bit("free", i):
            return "free, at home in its slab"
        if slab.bit("parked", i):
            return "limbo: parked in its slab"
        found = self.find(obj)
        if found:
            return found
        if int(slab.v["list"]) == length(self.v["slabs"][0]["first"]):
            return "its slab was given up"
        live = slab.bit("live", i)
        if live is False:
            return "free, in the hand of a thread or in a reserve"
        reserved = int(self.v["reserved"])
        if live is None and reserved:
            return "live, or one of %d in reserves" % reserved
        return "live"


def show_pcs(what, pcs):
    print("  %s:" % what)
    for pc in pcs:
        line = gdb.find_pc_line(pc - 1)
        where = " (%s:%d)" % (line.symtab.filename, line.line) if line.symtab else ""
        print("    %#x %s%s" % (pc, ", inlined in ".join(functions(pc - 1)) or "?", where))


def show_stack(what, stack):
    n = int(stack["n"])
    if n:
        show_pcs("%s by thread %d" % (what, int(stack["thread"])), [int(stack["pc"][i]) for i in range(n)])


def show_profile(obj):
    """What the heap profile knows of it, if it is one of the sample: src/cache/profile.h."""
    table = static("table", "src/cache/profile.c")
    if not int(table):
        return
    table = table.dereference()
    sets, ways = length(table["key"]), length(table["key"][0])
    at = (obj * 0x9E3779B97F4A7C15 & (1 << 64) - 1) >> 40 & sets - 1
    for i in range(ways):
        if int(table["key"][at][i]) & (1 << 48) - 1 == obj:
            sample = table["words"][at][i]
            show_pcs(
                "in the heap profile, for %d bytes, allocated" % int(sample["stands"]),
                [int(sample["pc"][k]) for k in range(int(sample["n"]))],
            )


def functions(pc):
    """Innermost first: those that are inlined, then the one that they are inlined in."""
    block, names = gdb.block_for_pc(pc), []
    while block is not None and not block.is_static and not block.is_global:
        if block.function is not None:
            names.append(block.function.print_name)
        block = block.superblock
    return names


def path(group):
    names, once = [], Once("the way up from group %#x" % int(group))
    while int(group) and int(group["parent"]) and once.more(int(group)):
        names.insert(0, text(group["name"]))
        group = group["parent"]
    return 'group "%s"' % "/".join(names) if names else "the root group"


def show_payer(engine, slab, obj):
    owners = int(slab.v["geo"]["owners"])
    record = engine.v["record"]
    if owners:
        i, _ = slab.index(obj)
        owner = struct.unpack("=H", gdb.selected_inferior().read_memory(slab.base + owners + 2 * i, 2))[0]
        if owner in PINNED:
            print("  owner: %s" % PINNED[owner])
            return
        record = engine.v["owners"][owner] if owner else None
    if record is not None and int(record) and int(record["group"]):
        print("  charged to: %s" % path(record["group"]))


def in_slab(library, value, addr, copy):
    if not int(value["geo"]["units"]):
        obj = large(value)
        heap = obj["heap"].cast(gdb.lookup_type("struct bma_heap").pointer())
        print(
            '%#x: large object %#x of %d bytes, of heap "%s", %d bytes in'
            % (addr, int(value["base"]), int(obj["bytes"]), text(heap["name"]), addr - int(value["base"]))
        )
        print("  state: %s" % ("live" if obj["live"] else "freed, waits for a grace period"))
        show_profile(int(value["base"]))
        return
    slab = Slab(value)
    at = addr - copy * CHUNK
    engine = Engine(library, value["owner"].cast(gdb.lookup_type("struct bma__engine").pointer()))
    i, inside = slab.index(at)
    if i is None:
        print("%#x: of %s, in slab %#x, but in no object" % (addr, engine.title(), slab.base))
        return
    obj = slab.object(i)
    notes = ", %d bytes in" % inside if inside else ""
    if inside >= engine.size:
        notes += ", behind its end"
    if slab.copies:
        notes += ", copy of slot %d" % copy
    print("%#x: of %s, object %#x of %d bytes%s" % (addr, engine.title(), obj, engine.size, notes))
    print("  state: %s" % engine.state(slab, i))
    node = int(value["node"])
    kinds = length(static("partial", "src/page/chunk.c")) - len(NUMA_KINDS)
    print(
        "  slab: %#x, object %d of %d, %d carved, %d at home, %s"
        % (slab.base, i, slab.objs, slab.carved, slab.nfree, "on node %d" % node if node < kinds else NUMA_KINDS[node - kinds])
    )
    show_payer(engine, slab, obj)
    tracks = value["tracks"]
    if int(tracks):
        show_stack("allocated", tracks[i]["alloc"])
        show_stack("freed", tracks[i]["free"])
    show_profile(obj)


SAMPLE_STATES = (
    "free, and closed",
    "free, in the hand of a thread",
    "live",
    "limbo: waits for a grace period",
    "limbo: parked",
)


def sampled(library, addr):
    base = int(known("bma__sample_base"))
    places = static("places", "src/cache/sample.c")
    if not base or not base <= addr < base + (2 * length(places) + 1) * PAGE:
        return False
    page = (addr - base) // PAGE
    if not page & 1:
        print("%#x: a guard page of sampled objects" % addr)
        return True
    place = places[page // 2]
    if not int(place["obj"]):
        print("%#x: a place for a sampled object, never used" % addr)
        return True
    state = int(static("words", "src/cache/sample.c")[page // 2]) & 7
    print(
        '%#x: of cache "%s", sampled object %#x of %d bytes between guard pages'
        % (addr, text(place["name"]), int(place["obj"]), int(place["size"]))
    )
    print("  state: %s" % SAMPLE_STATES[state])
    if state == 2:
        engine = Engine(library, place["engine"])
        found = engine.find(int(place["obj"]))
        if found:
            print("  but: %s" % found)
    show_stack("allocated", place["track"]["alloc"])
    show_stack("freed", place["track"]["free"])
    return True


def metadata(library, addr):
    """What an address in the library's own memory is; None: it knows of none."""
    segment = library.bases.get(addr & ~(SEGMENT - 1))
    if segment:
        return "in magazine segment %d" % segment
    planes = int(library.cpu["slots"]) + int(library.cpu["guests"])
    if library.slots <= addr < library.slots + (planes << SLOT_SHIFT):
        plane, rest = divmod(addr - library.slots, 1 << SLOT_SHIFT)
        for e in library.engines():
            if e.id == rest // 64:
                return "%s of %s" % (e.place(plane), e.title())
        return "a slot of no cache"
    for e in library.engines():
        handle = int(library.map["places"]) + e.id * 64
        if handle <= addr < handle + 64:
            return "the handle of %s" % e.title()
        at = int(e.v.address)
        if at <= addr < at + int(e.v["bytes"]):
            return "the engine of %s" % e.title()
        for node in range(library.nodes):
            lists = e.v["slabs"][node]["first"]
            for i in range(length(lists)):
                s = lists[i]
                once = Once('a list of slabs of cache "%s"' % e.name)
                while int(s) and once.more(int(s)):
                    if int(s) <= addr < int(s) + s.dereference().type.sizeof:
                        return "a slab's description, of %s" % e.title()
                    s = s["next"]
    if library.chunk(addr) is not None:
        return "in a chunk, in no slab"
    tags, units = int(library.map["tags"]), int(library.map["units"])
    if units and tags <= addr < tags + 2 * units:
        return "in the map of tags"
    return None


class Bma(gdb.Command):
    """Look at BMA's caches and objects."""

    def __init__(self):
        super().__init__("bma", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class Caches(gdb.Command):
    """What each cache holds: bma caches [PREFIX]

    LIVE is what users have, CACHED what is in slots and depots, LIMBO what waits for a grace period (parked objects
    included), RESV what is in reserves, FREE what is at home in SLABS, which take KIB."""

    columns = ("SIZE", "LIVE", "CACHED", "LIMBO", "RESV", "FREE", "SLABS", "KIB")

    def __init__(self):
        super().__init__("bma caches", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        library = Library()
        print("%-31s" % "NAME" + "".join("%9s" % c for c in self.columns))
        for e in library.engines():
            name = "+".join(dict.fromkeys(e.handles())) or e.name
            if not name.startswith(arg):
                continue
            f = e.figures()
            values = (e.size, f["live"], f["cached"], f["limbo"] + f["parked"], f["reserved"], f["free"], f["slabs"], e.kib())
            print("%-31s" % name + "".join("%9d" % v for v in values))


class Whatis(gdb.Command):
    """Whose an address is, and in which state: bma whatis ADDRESS"""

    def __init__(self):
        super().__init__("bma whatis", gdb.COMMAND_DATA, gdb.COMPLETE_EXPRESSION)

    def invoke(self, arg, from_tty):
        if not arg:
            raise gdb.GdbError("bma whatis ADDRESS")
        addr = int(gdb.parse_and_eval(arg).cast(gdb.lookup_type("unsigned long")))
        library = Library()
        if sampled(library, addr):
            return
        slab, copy = library.slab(addr)
        if slab is not None:
            in_slab(library, slab, addr, copy)
            return
        what = metadata(library, addr)
        print("%#x: %s" % (addr, "of the library itself: " + what if what else "not of this library, as far as it knows"))


class Stats(gdb.Command):
    """Figures of the process: bma stats"""

    def __init__(self):
        super().__init__("bma stats", gdb.COMMAND_DATA)

    def invoke(self, arg, from_tty):
        library = Library()
        cpu = library.cpu
        print("mode: %s (%s), %d slots, %d guest slots, %d nodes" % (
            cpu["mode"], text(cpu["reason"]), int(cpu["slots"]), int(cpu["guests"]), library.nodes))
        print("caches: %d" % int(static("number", "src/cache/engine.c")))
        for what, name, file in (
            ("chunks", "mapped", "src/page/chunk.c"),
            ("of these in slabs", "used", "src/page/chunk.c"),
            ("magazines", "mapped", "src/cache/magazine.c"),
            ("metadata", "mapped", "src/page/meta.c"),
        ):
            print("%s: %d bytes" % (what, int(static(name, file))))
        print("worker: %d passes" % int(static("passes", "src/cache/worker.c")))
        flavors = known("bma__flavors")
        for i in range(length(flavors)):
            f = flavors[i]
            if not text(f["rcu"]["name"]):
                break
            print('rcu "%s": %d grace periods, longest %d us%s, %d bytes in limbo, %d bytes of slabs given up%s' % (
                text(f["rcu"]["name"]), int(f["periods"]), int(f["longest"]) // 1000,
                ", one runs" if int(f["since"]) else "", int(f["limbo_bytes"]["word"]) // 16, int(f["dying_bytes"]),
                ", frozen by a fork" if f["frozen"] else ""))


Bma()
Caches()
Whatis()
Stats()
