#!/usr/bin/env python3
"""Writes docs/performance.md and its plots from bench/results/performance.json, which `./dev bench` has left there."""
import json
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parent.parent
RESULT = ROOT / "bench/results/performance.json"
PAGE = ROOT / "docs/performance.md"
PLOTS = ROOT / "docs/performance"

data = json.loads(RESULT.read_text())
machine, figures, records = data["machine"], data["figures"], data["records"]


def bytes_text(size):
    for unit, factor in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"


def ns_text(ns):
    if ns >= 1e6:
        return f"{ns / 1e6:.2f} ms"
    return f"{ns / 1e3:.1f} µs" if ns >= 1e4 else f"{ns:.0f} ns" if ns >= 100 else f"{ns:.1f} ns"


def table(head, rows):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)] + ["| " + " | ".join(r) + " |" for r in rows])


# ---- Contests.

def contests(kind):
    """(mode, size) → {way: record}, in the order they were held."""
    found = {}
    for r in records:
        if r["kind"] == kind:
            found.setdefault((r["mode"], r["size"]), {})[r["way"]] = r
    return found


LATENCY, FLOW = contests("latency"), contests("flow")
SAYS = {r["way"]: r["says"] for r in records if "way" in r}
ABSENT = "it is not built or installed here"


def latency_table(mode, with_tail_of):
    held = {size: ways for (m, size), ways in LATENCY.items() if m == mode}
    order = [w for w in SAYS if any("p50" in held[s].get(w, {}) for s in held)]
    order.sort(key=lambda w: (w != "floor", min(held[s][w]["p50"] / s ** 0.01 for s in held if "p50" in held[s].get(w, {}))))
    rows = []
    for way in order:
        cells = [SAYS[way]]
        for size in held:
            r = held[size].get(way, {})
            floor = held[size].get("floor", {}).get("p50")
            cells.append(f"{ns_text(r['p50'])}" + (f" ({r['p50'] / floor:.2f})" if floor else "") if "p50" in r else "–")
        tail = held[with_tail_of].get(way, {})
        cells.append(f"{ns_text(tail['least'])} to {ns_text(tail['most'])}" if "least" in tail else "–")
        cells += [ns_text(tail[p]) if tail.get(p) else "–" for p in ("p90", "p99", "p999", "max")]
        rows.append(cells)
    return table(["way"] + [bytes_text(s) for s in held] + [f"rounds, {bytes_text(with_tail_of)}", "p90", "p99", "p99.9", "max"], rows)


def held_table(size):
    ways = LATENCY[("poll", size)]
    rows = [[r["says"], str(r["descriptors"]), str(r["mappings"]), f"{r['resident_kib'] / 1024:.1f} MiB", ns_text(r["first_open"]),
             ns_text(r["second_open"])] for r in ways.values() if "descriptors" in r]
    rows += [[r["says"], str(r["descriptors"]), str(r["mappings"]), f"{r['resident_kib'] / 1024:.1f} MiB", ns_text(r["first_open"]),
              ns_text(r["second_open"])] for (mode, _), others in LATENCY.items() if mode == "block" for way, r in others.items()
             if "descriptors" in r and "descriptors" not in ways.get(way, {}) and mode == "block" and _ == min(
                 s for m, s in LATENCY if m == "block")]
    return table(["way", "descriptors", "mappings", "resident", "create", "attach"], rows)


def flow_table():
    order = [w for w in SAYS if any("each" in ways.get(w, {}) for ways in FLOW.values())]
    first = next(iter(FLOW))
    order.sort(key=lambda w: FLOW[first].get(w, {}).get("each", 1e12))
    rows = []
    for way in order:
        cells = [SAYS[way]]
        for ways in FLOW.values():
            r = ways.get(way, {})
            cells.append(f"{1e3 / r['each']:.2f} M/s ({1e3 / r['most']:.2f} to {1e3 / r['least']:.2f})" if "each" in r else "–")
        rows.append(cells)
    return table(["way"] + [f"{bytes_text(size)}, {mode}" for mode, size in FLOW], rows)


def absent_list():
    missing = {}
    for r in records:
        if "absent" in r and r["absent"] != "not asked for":
            missing.setdefault((r["says"], r["absent"]), []).append(f"{r['kind']} {r['mode']} {bytes_text(r['size'])}")
    parts = []
    for (says, why), where in missing.items():
        why = "it has no such way here" if why == "it has no such way" else why
        parts.append(f"- {says}: {why} ({'everywhere' if len(where) > 12 else ', '.join(where)})")
    return "\n".join(parts)


# ---- Goals.

def goals_table():
    rows = []
    for f in figures:
        if f["goal"] is None:
            continue
        value = f"{f['value']:.1f} {f['unit']}"
        base = "" if f["baseline"] is None else f"{f['baseline']:.1f}"
        ratio = "" if f["ratio"] is None else f"{f['ratio']:.2f}"
        rows.append([f"`{f['name']}`", value, base, ratio, f"{f['goal']:.2f}", "met" if f["met"] else "**not met**"])
    return table(["figure", "value", "beside", "ratio", "goal", ""], rows)


# Why a goal is missed, by the beginning of the figure's name; the contests' reasons are in WHY.
MISSED = {
    "block.lock_": "two locked steps, as pthread's own lock; besides, a call checks that the view is this handle's and this process's",
    "block.open_close": "36 system calls (costs.calls): the directory is checked, the file locked and its facts checked, the slot taken and given back",
    "stream.one_way": "a value and its header; differs by a tenth from run to run",
    "stream.flow": "a locked swap for each value, as long as others may write",
    "queue.one_way": "a message and its header are one cache line more than the bare slot from 41 bytes on; differs from run to run",
    "queue.in_place": "differs by a tenth from run to run",
    "queue.flow": "each message takes a locked swap for its place and one for its buffer, in a run too; with roles declared, plain stores. Where the "
                  "processors' caches are near each other the bare ring takes a few ns, and all of that shows; where they are far, most of it hides "
                  "behind the way of the cache lines",
    "queue.crowd": "one producer and one consumer who sleep: a mutex that nobody contends for costs less than two swaps",
    "growth.": "see Growth",
}


def goals_text():
    goals = [f for f in figures if f["goal"] is not None]
    missed = [f for f in goals if not f["met"]]
    text = f"{len(goals) - len(missed)} of {len(goals)} goals are met."
    if missed:
        lines = []
        for f in missed:
            why = next((w for start, w in MISSED.items() if f["name"].startswith(start)), None)
            lines.append(f"- `{f['name']}`: {f['ratio'] if f['ratio'] is not None else f['value']:.2f}, goal {f['goal']:.2f}" + (f": {why}" if why else ""))
        text += " Not met (why, of `latency` and `flow`: below, by the name of the other):\n\n" + "\n".join(dict.fromkeys(lines))
    return text


# ---- Who is quicker than Cove, and why.

WHY = {
    "raw-sync": "one byte that says that there is something, and one place for it: the next message overwrites it, nobody else can read it, and "
                "when one side dies the other spins for ever. Its event orders nothing, which only x86-64 forgives",
    "seed-flag": "one place and a spinlock: a process that is killed inside leaves it locked for ever",
    "seed-mutex": "one copy under a mutex that a killed process leaves locked for ever",
    "aeron": "appends to a log of up to 64 MiB that nothing is given back to, so that messages lie behind each other and the processor fetches "
             "them ahead; a death is found by a time-out of the driver's. Cove names the member in each step, takes back a buffer and looks at "
             "who has it, so that each death leaves one state: how many instructions that is, is in tests/instructions/expected",
    "iceoryx2": "it goes through fewer buffers in turn, and what counts for large values is what lies in the processor's cache: a smaller "
                "depth is quicker",
    "seed-flock": "one copy under a lock: who is killed inside leaves half of a value. Cove's block has two, which at 8 MiB leave the cache",
    "pipes": "one call of the kernel's for a copy; a message is gone when its reader dies with it",
    "unix-socket": "the kernel copies in pieces, so that the reader begins while the writer still writes; messages are gone with the process "
                   "that has them",
    "posix-mq": "one call of the kernel's, which hands the message to who sleeps",
    "boost-queue": "a condition variable that a killed process leaves locked for ever",
    "boost-segment": "one copy under a mutex and a condition that a killed process leaves locked for ever",
}


def quicker_text():
    """By the figures that compare it with the way of Cove's that does the same."""
    lines = []
    for f in figures:
        parts = f["name"].split(".")
        if len(parts) == 5 and parts[4].startswith("against_") and f["ratio"] and f["ratio"] > 1:
            kind, mode, size, mine, way = parts
            lines.append((way[len("against_"):], f"{kind} {mode} {bytes_text(int(size[6:]))}: {ns_text(f['baseline'])}, "
                          f"{SAYS[mine]}: {ns_text(f['value'])}"))
    lines = list(dict.fromkeys(lines))
    if not lines:
        return "Nobody, in any contest."
    text = []
    for way in dict.fromkeys(w for w, _ in lines):
        text.append(f"- **{SAYS[way]}**: {WHY.get(way, 'not looked into')}. " + "; ".join(t for w, t in lines if w == way) + ".")
    return "\n".join(text)


# ---- Plots: small pictures by gnuplot, each from the same numbers as the tables.

COLOURS = ["#888888", "#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#dfab01", "#e03e3e", "#64473a", "#1f77b4", "#2ca02c", "#7f7f00"]


def plot(name, title, x_label, y_label, curves, extra=""):
    """curves: (label, [(x, y), …])"""
    PLOTS.mkdir(exist_ok=True)
    script = [f'set terminal svg size 760,420 font "sans-serif,12" background "#ffffff"\nset output "{PLOTS / (name + ".svg")}"',
              f'set title "{title}"\nset xlabel "{x_label}"\nset ylabel "{y_label}"\nset logscale xy\nset grid lc "#dddddd"',
              "set key outside right top\nset format y '%.0s%c'", extra]
    plots = []
    for i, (label, points) in enumerate(curves):
        script.append(f"$d{i} << EOD\n" + "\n".join(f"{x} {y}" for x, y in points) + "\nEOD")
        plots.append(f'$d{i} with linespoints lw 2 pt 7 ps 0.5 lc rgb "{COLOURS[i % len(COLOURS)]}" title "{label}"')
    script.append("plot " + ", ".join(plots))
    subprocess.run(["gnuplot"], input="\n".join(script), text=True, check=True)
    # The same numbers should make the same file.
    path = PLOTS / f"{name}.svg"
    path.write_text("\n".join(line.rstrip() for line in path.read_text().splitlines()) + "\n")


def plots():
    poll = {size: ways for (m, size), ways in LATENCY.items() if m == "poll"}
    curves = [(SAYS[w], [(s, poll[s][w]["p50"]) for s in poll if "p50" in poll[s].get(w, {})]) for w in SAYS]
    curves = [c for c in curves if len(c[1]) > 1]
    order = {SAYS[w]: i for i, w in enumerate(("floor", "cove-block", "cove-stream", "cove-queue", "iceoryx2", "aeron", "iceoryx", "boost-queue",
                                               "raw-sync", "zeromq", "unix-socket", "lmdb")) if w in SAYS}
    curves = sorted((c for c in curves if c[0] in order), key=lambda c: order[c[0]])
    for old in PLOTS.glob("*.svg"):
        old.unlink()
    if curves:
        plot("latency", "One way between two processes, both spinning: median", "bytes of a message", "ns", curves)
    tails = []
    for way in ("floor", "cove-stream", "cove-queue", "iceoryx2", "aeron", "iceoryx", "unix-socket"):
        r = poll.get(64, poll.get(32, {})).get(way, {})
        if "histogram" not in r:
            continue
        total, seen, points = sum(n for _, n in r["histogram"]), 0, []
        for ns, n in r["histogram"]:
            seen += n
            if seen < total:
                points.append((1 / (1 - seen / total), max(ns, 1)))
        tails.append((SAYS[way], points))
    if tails:
        plot("tail", "How slow the slowest are: 10 is one in ten, 1000 one in a thousand", "one in", "ns", tails)
    for what in dict.fromkeys(r["what"] for r in records if r["kind"] == "growth"):
        curves = [(r["of"], [tuple(p) for p in r["points"]]) for r in records if r["kind"] == "growth" and r["what"] == what]
        plot(f"growth_{what}", f"Cost against {what}", what, "ns", curves)


def pictures():
    return "\n\n".join(f"![{text}](performance/{name}.svg)" for name, text in (("latency", "one way against size"), ("tail", "tails"))
                       if (PLOTS / f"{name}.svg").exists())


def growth_text():
    text = {"segments": "Segments in a domain. Opening and creating do not look at the others; listing costs the same for each.",
            "members": "Members of a segment. Who locks a single copy for writing, or sets a block, looks at every member's slot, for whether it "
                       "is read there; who attaches looks for a free one. Nothing else looks at how many there are.",
            "depth": "Values that a stream keeps.",
            "bytes": "Bytes of a value, written and read in one process, beside two memcpys.",
            "readers": "Readers of a stream: what a write costs, and a write together with all its readers' reads, in one process."}
    parts = []
    for what in dict.fromkeys(r["what"] for r in records if r["kind"] == "growth"):
        parts.append(f"{text[what]}\n\n![cost against {what}](performance/growth_{what}.svg)")
    return "\n\n".join(parts)


def other_figures(prefix):
    rows = [[f"`{f['name']}`", f"{f['value']:.1f} {f['unit']}", "" if f["baseline"] is None else f"{f['baseline']:.1f}"]
            for f in figures if f["name"].startswith(prefix) and f["goal"] is None]
    return table(["figure", "value", "beside"], rows)


poll_sizes = [size for (m, size) in LATENCY if m == "poll"]
plots()
sections = [f"""# Performance

Made by `./dev bench` from [its own numbers](../bench/results/performance.json); nothing here was written by hand but these sentences.
To repeat it: `./dev bench` (everything; ten minutes, after what it needs is built), `./dev bench --quick` (two minutes), `./dev bench report` (this page from the
last results). What is compared with comes from Debian, crates.io (with a Rust of 1.89 or later) and Maven (with a JDK of 17 or later); what cannot be had is named below.

How to read it: two processes, each held to a processor of its own, and one way is half of there and back. Each way warms up until its rounds agree;
then each has a short round, then each the next, and whoever has no round is stopped. The figure is the median of the rounds' medians, each over
means of 16 exchanges, and the number in brackets is how many times the floor it is: **look at that one**, since the machine is
{'virtual and shared' if machine['virtual'] else 'not virtual'}, and its times change from hour to hour. The clock is read once for each exchange and takes some 10 ns of
each way, the floor's too. Percentiles are of single exchanges, halved; where there were too few, there is none. The floor is a bare slot or ring in
which nothing survives. Each message is written by one side and read by the other, and the sums of both are compared, there and back. That both
sides are held to one processor each costs those who have threads of their own (ZeroMQ, nng, and a little Aeron).

| | |
|---|---|
| processor | {machine['cpu']}, {machine['cpus']} of them{', virtual' if machine['virtual'] else ''} |
| kernel | Linux {machine['kernel']}, {machine['architecture']}; clock {machine['clocksource']}; governor {machine['governor']} |
| day, compiler | {machine['day']}, {machine['compiler']}{'; a quick run' if machine['quick'] else ''} |

## Goals

{goals_text()}
"""]
if LATENCY:
    sections.append(f"""## One way, both sides spinning

{latency_table("poll", 64 if 64 in poll_sizes else poll_sizes[0])}

{pictures()}
""")
    for mode, title in (("block", "One way, asleep until it comes"), ("in-place", "One way in place: one line of the message written and read")):
        sizes = [size for (m, size) in LATENCY if m == mode]
        if sizes:
            sections.append(f"## {title}\n\n{latency_table(mode, sizes[0])}\n")
if FLOW:
    sections.append(f"## Messages a second, one side sending and one receiving\n\n`batch` is thirty-two at a time; `block` sleeps where nothing is.\n\n{flow_table()}\n")
if LATENCY:
    sections.append(f"""## Who is quicker than the way of Cove's that does the same, where, and what they do without

{quicker_text()}
""")
    sections.append(f"""## What the second of both processes holds, and how long opening took

Two channels, one there and one back. The first creates them, and begins the daemon where there is one (half a second is the benchmark's own patience);
daemons are not counted. Python begins its other side itself. The numbers are of the whole process: the floor's is what one holds that has nothing
but a mapping.

{held_table(64 if 64 in poll_sizes else poll_sizes[0])}
""")
if absent_list():
    sections.append(f"## What took no part\n\n{absent_list()}\n")
sections.append(f"## System calls, descriptors, memory, births\n\n{other_figures('costs.')}\n")
if any(r["kind"] == "growth" for r in records):
    sections.append(f"## Growth\n\n{growth_text()}\n")
sections.append(f"""## Every figure that has a goal

`value` against what stands `beside` it; without that, the value itself. In `latency` and `flow` both are medians of rounds in turns; in `block`,
`stream`, `queue` and `costs` the least of many short rounds in turns; in `growth` the least of many, beside that of the fewest.

{goals_table()}
""")
PAGE.write_text("\n".join(sections))
print(f"{PAGE.relative_to(ROOT)} and {len(list(PLOTS.glob('*.svg')))} plots, from the run of {machine['day']}")
