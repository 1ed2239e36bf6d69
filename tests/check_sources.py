#!/usr/bin/env python3
"""Holds the sources to the rules of the house: layers, labels with two sides, headers that stand alone, the drawn picture."""
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OURS = {"cove", "base", "platform", "segment", "sync", "block", "stream", "queue", "call", "inspect"}
C11 = {"assert.h", "errno.h", "inttypes.h", "limits.h", "signal.h", "stdalign.h", "stdarg.h", "stdatomic.h", "stdbool.h", "stddef.h",
       "stdint.h", "stdio.h", "stdlib.h", "string.h", "time.h", "math.h", "ctype.h"}
problems = []


def layers():
    table = {}
    for line in (ROOT / "docs/layers.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            folder, allowed = line.split(":")
            table[folder] = allowed.split()
    return table


def sources():
    for folder in ("include", "src", "tools", "bindings", "compat", "examples", "bench", "tests"):
        yield from sorted(p for p in (ROOT / folder).rglob("*") if p.suffix in (".c", ".h", ".hpp", ".cpp"))


def folder_of(path, table):
    name = path.relative_to(ROOT).as_posix()
    if name.endswith("_test.c"):
        return "tests"  # unit tests stand beside the code, and may use what tests may
    return max((f for f in table if name.startswith(f + "/")), key=len, default=None)


def target_of(include):
    head = include.split("/")[0]
    if head in OURS:
        return "platform/linux" if include.startswith("platform/linux/") else head
    if "/" not in include and include in C11:
        return None
    return "os"


def check_layers(table):
    for path in sources():
        folder = folder_of(path, table)
        if folder is None:
            problems.append(f"{path.relative_to(ROOT)}: its folder is not in docs/layers.txt")
            continue
        own = folder.removeprefix("src/")
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if found:
                target = target_of(found[1])
                if target == "os" and line.lstrip().startswith("#include \"") and "/" not in found[1]:
                    target = None  # a neighbour in the same folder
                if target and target != own and target not in table[folder]:
                    problems.append(f"{path.relative_to(ROOT)}:{number}: {folder} may not include {found[1]}; see docs/layers.txt")
            if folder.startswith("src/") and "linux" not in folder and re.match(r"\s*#\s*if.*(__linux__|_WIN32|__APPLE__|__unix__)", line):
                problems.append(f"{path.relative_to(ROOT)}:{number}: a condition on the operating system outside src/platform/<os>/")


def check_pairs():
    """Every PAIR label stands on two sides at least."""
    seen = {}
    for path in sources():
        if "src" not in path.parts:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for name in re.findall(r"PAIR ([a-z_]+)", line):
                if name != "name":
                    seen.setdefault(name, []).append(f"{path.relative_to(ROOT)}:{number}")
    for name, places in seen.items():
        if len(places) < 2:
            problems.append(f"{places[0]}: PAIR {name} has one side only")
    return len(seen)


def check_manners():
    """The library never prints, aborts, exits or installs a signal handler."""
    for path in sources():
        if "src" in path.parts and not path.name.endswith("_test.c"):
            for number, line in enumerate(path.read_text().splitlines(), 1):
                found = re.search(r"(?<![a-z_])(printf|puts|fprintf|perror|abort|exit|_exit|assert|signal|sigaction)\s*\(", line)
                if found and not line.lstrip().startswith(("*", "/*", "//")) and "__attribute__" not in line:
                    problems.append(f"{path.relative_to(ROOT)}:{number}: the library does not call {found[1]}")


def check_headers():
    """Each public header compiles as the first thing in a file, in each language and standard that it is for, by gcc and clang."""
    c, old, new = ["c11"], ["c++11", "c++17", "c++20"], ["c++17", "c++20"]
    headers = [(header, c + new) for header in sorted((ROOT / "include/cove").glob("*.h"))]
    headers += [(header, c + old) for header in sorted((ROOT / "compat").rglob("*.h"))]
    headers += [(header, old) for header in sorted((ROOT / "compat").rglob("*.hpp"))]
    headers += [(ROOT / "bindings/cpp/cove.hpp", new)]
    runs = []
    for header, standards in headers:
        for standard in standards:
            for compiler in ("gcc", "clang"):
                if shutil.which(compiler):
                    command = [compiler, f"-xc{'++' if '+' in standard else ''}", f"-std={standard}", "-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic",
                               "-Werror", f"-I{ROOT}/include", "-"]
                    runs.append((header, standard, subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)))
                    runs[-1][2].stdin.write(f'#include "{header}"\n')
                    runs[-1][2].stdin.close()
                    if len(runs) % 4 == 0:
                        runs[-1][2].wait()
    for header, standard, run in runs:
        if run.wait():
            problems.append(f"{header.relative_to(ROOT)} as the first include of a file in {standard}:\n{run.stderr.read()}")


def picture(table):
    lines = ["```"]
    for folder, allowed in table.items():
        lines.append(f"{folder:20} may include  {' '.join(allowed)}")
    return "\n".join(lines + ["```"])


def check_picture(table):
    path = ROOT / "ARCHITECTURE.md"
    text = path.read_text()
    begin, end = "<!-- layers: drawn from docs/layers.txt by ./dev check -->\n", "\n<!-- end of layers -->"
    a, b = text.find(begin), text.find(end)
    if a < 0 or b < 0:
        problems.append("ARCHITECTURE.md has no place for the layer picture")
        return
    drawn = text[:a + len(begin)] + picture(table) + text[b:]
    if drawn != text:
        path.write_text(drawn)
        problems.append("ARCHITECTURE.md: the layer picture was out of date and has been drawn anew; commit it")


table = layers()
check_layers(table)
pairs = check_pairs()
check_manners()
check_headers()
check_picture(table)
for problem in problems:
    print(problem, file=sys.stderr)
print(f"check_sources: {len(list(sources()))} files, {pairs} labelled pairs, {len(problems)} problems")
sys.exit(1 if problems else 0)
