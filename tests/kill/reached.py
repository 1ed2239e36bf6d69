#!/usr/bin/env python3
"""Whether the laboratory of deaths comes to every place that it is for: reached.py build/test/bin/cove-kill.

The program tells which instructions its operations step through; the debug information, which lines those are, also of inlined functions.
Every line with a PAIR label and every function with a CRASH comment must be among them, but for those that are named here, with reasons.
Prints what is not reached, and a last line of numbers."""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# File, and function or PAIR label · why no operation steps through it
EXCEPT = {
    "segment/domain.c: CRASH test_volume": "once for each domain and process; what it leaves has no name, or is swept like a birth",
    "block/two_copies.c: PAIR pin in pin_current": "a writer must pass between two instructions: copies.pml, PIN_BLIND",
    "stream/read.c: PAIR confirmed in read_predicted": "one of three there: only who looks twice in a millisecond comes to it, and steps take longer",
    "block/two_copies.c: PAIR notified in get_pinned": "writers must pass three times while one copies: tests/crash/writers_test.c",
}


def code_of(line):
    return re.sub(r"/\*.*?(\*/|$)|^[^/]*\*/", "", line).strip()


def places():
    """(what, file, first line, last line) of everything that must be reached."""
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        if path.name.endswith("_test.c"):
            continue
        file, lines = str(path.relative_to(ROOT / "src")), path.read_text().splitlines()
        function = ""
        crash = False
        for number, line in enumerate(lines):
            crash = crash or "CRASH" in line
            if found := re.match(r"[a-z][\w *]*?(\w+)\(", line):
                function = found[1]
                end = next((n for n in range(number, len(lines)) if lines[n].startswith("}")), number)
                if crash and "{" in "".join(lines[number:end + 1]):
                    yield f"CRASH {function}", file, number + 1, end + 1
                    crash = False
            for label in re.findall(r"PAIR ([a-z_]+)", line):
                if label == "name" or not function:
                    continue
                # The statement beside the comment, or the first one below it; and its neighbours, since a fence may be no instruction.
                first = number if code_of(line) else next((n for n in range(number, len(lines)) if code_of(lines[n])), number)
                if lines[first][:1].isalpha():
                    continue  # a declaration that says for what it is
                last = next((n for n in range(first, len(lines)) if re.search(r"[;{]\s*$", code_of(lines[n]))), first)
                yield f"PAIR {label} in {function}", file, first, last + 3


def lines_reached(program):
    with tempfile.NamedTemporaryFile() as file:
        subprocess.run([program, "--places", file.name], check=True, stdout=subprocess.DEVNULL)
        addresses = sorted(set(pathlib.Path(file.name).read_text().split()))
    told = subprocess.run(["addr2line", "-i", "-e", program], input="\n".join(addresses), capture_output=True, text=True, check=True).stdout
    return {(found[1], int(found[2])) for found in re.finditer(r"/src/(\S+?):(\d+)", told)}


reached = lines_reached(sys.argv[1])
wanted = list(places())
unreached = [(what, file, first) for what, file, first, last in wanted if not any((file, line) in reached for line in range(first, last + 1))]
missing = [(what, file, first) for what, file, first in unreached if f"{file}: {what}" not in EXCEPT]
for what, file, first in missing:
    print(f"NOT REACHED  src/{file}:{first}: {what}")
stale = [name for name in EXCEPT if name not in {f"{file}: {what}" for what, file, _, _ in wanted}]
for name in stale:
    print(f"tests/kill/reached.py: there is no {name} any more")
print(f"labelled places reached {len(wanted) - len(unreached)} of {len(wanted)}, excepted {len(unreached) - len(missing)}")
sys.exit(1 if missing or stale else 0)
