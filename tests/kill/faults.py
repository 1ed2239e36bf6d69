#!/usr/bin/env python3
"""The laboratory proves itself: faults are planted in a copy of the sources, one at a time, and must be caught.

Each fault is a change of the text, so that the library carries no code for its laboratory. At least one stands for every PAIR label and
every CRASH comment. Prints a line for each. An argument chooses those whose name contains it; --check only looks whether the list is whole."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# What each stands for, by the labels in the sources: `PAIR name`, and `CRASH file function`.
# name · labels · file · what stands there · what is planted · the operation that must catch it, and how it dies there
KILLED = [
    ("publish before the payload", "PAIR value, CRASH block/two_copies.c publish", "src/block/two_copies.c",
     "    covei_copy_in(block->data[c.copy], data, (size_t)size_bytes);\n    return publish(block, c, size_bytes);",
     "    result = publish(block, c, size_bytes);\n    covei_copy_in(block->data[c.copy], data, (size_t)size_bytes);\n    return result;",
     "set", "kill"),
    ("length after the sequence", "PAIR value", "src/block/two_copies.c",
     "    covei_store_relaxed(&shared->length[c.copy], length_bytes);\n    covei_store_release(&shared->sequence, 2 * c.k + 2);",
     "    covei_store_release(&shared->sequence, 2 * c.k + 2);\n    atomic_signal_fence(memory_order_seq_cst);\n    covei_store_relaxed(&shared->length[c.copy], length_bytes);",
     "set", "kill"),
    ("transaction on the current copy", "CRASH block/two_copies.c begin", "src/block/two_copies.c",
     "    change c = {sequence >> 1, ((sequence >> 1) + 1) & 1};",
     "    change c = {sequence >> 1, (sequence >> 1) & 1};",
     "set", "kill"),
    ("takeover without the mark", "CRASH block/single_copy.c begin", "src/sync/rwlock.c",
     "    return writer & (COVEI_WRITER_DIRTY | COVEI_WRITER_INSIDE) ? COVEI_WRITER_DIRTY : 0;",
     "    return writer & COVEI_WRITER_DIRTY;",
     "lock_write, unlock, single copy", "kill"),
    ("entering without INSIDE", "CRASH block/single_copy.c begin", "src/sync/rwlock.h",
     "covei_writer_word(member) | COVEI_WRITER_INSIDE | (dirty",
     "covei_writer_word(member) | (dirty",
     "lock_write, unlock, single copy", "kill"),
    ("editing under an even sequence", "PAIR edited", "src/block/single_copy.c",
     "    covei_store_relaxed(&shared->sequence, covei_load_relaxed(&shared->sequence) | 1);\n",
     "",
     "set, single copy", "kill"),
    ("a repair that nobody declared", "", "src/block/single_copy.c",
     "return end(block, length_bytes, held & COVEI_HELD_DIRTY);",
     "(void)held;\n    return end(block, length_bytes, false);",
     "lock_write, unlock, single copy", "kill"),
    ("the dead live for ever", "CRASH sync/rwlock.h covei_writer_try", "src/segment/slot.c",
     "*out_alive = held == COVEI_LOCK_EXCLUSIVE;",
     "*out_alive = held == COVEI_LOCK_EXCLUSIVE || slot < 9999;",
     "lock_write, unlock", "kill"),
    ("a burial that unlinks nothing", "CRASH segment/remove.c covei_unname", "src/segment/remove.c",
     "        result = covei_file_unlink(dir, corpse->name);",
     "        result = COVE_OK;",
     "create", "kill"),
    ("a name before the header", "CRASH segment/attach.c publish_birth", "src/segment/attach.c",
     "    header->facts = b->facts;\n",
     "",
     "create", "kill"),
    ("a slot that is taken over uncleared", "CRASH sync/rwlock.c covei_reader_enter, CRASH block/two_copies.c pin_current", "src/sync/rwlock.c",
     "        covei_store_seqcst(&member->slots[slot].hold[COVEI_HOLD_PIN + copy], 0);",
     "        (void)0;",
     "open beside a dead reader (recovery)", "kill"),
    ("a stream's payload after its publication", "PAIR confirmed", "src/stream/write.c",
     "            covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);\n            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);",
     "            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);\n            covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);",
     "stream: write, buffer in hand", "kill"),
    ("a value's description after its publication", "", "src/stream/write.c",
     "            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);",
     "            result = place(stream, b, false);\n            describe(stream, b, type, size_bytes, tag);",
     "stream: write, buffer in hand", "kill"),
    ("the own word after the swap", "CRASH stream/write.c place", "src/stream/write.c",
     "    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b)); /* 5 */",
     "    covei_store_release(&ring->own[b], stream->writing.held);\n    bool done = covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b));\n    covei_store_release(&ring->own[b], placed_word(stream, number));\n    return done;",
     "stream: write, depth 1", "kill"),
    ("a number before its cell", "PAIR confirmed", "src/stream/write.c",
     "    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b)); /* 5 */",
     "    covei_store_release(&covei_ring_buffer(ring, b)->number, number);\n    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b));",
     "stream: write, buffer in hand", "kill"),
    ("recovery that frees what was placed", "CRASH sync/ring.c covei_ring_forget", "src/sync/ring.c",
     "covei_cas_seqcst(&ring->own[b], &own, covei_own_of(COVEI_OWN_LEFT, own, own));",
     "covei_cas_seqcst(&ring->own[b], &own, 0);",
     "stream: close a writer", "kill"),
    ("a dead reader that is waited for", "CRASH stream/cursor.c join", "src/sync/ring.c",
     "covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && !is_alive",
     "covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && slot > 9999",
     "stream: read lossless", "kill"),
    ("what the dead held is held for ever", "CRASH stream/write.c acquire", "src/stream/write.c",
     "    case COVEI_OWN_HELD: return !covei_own_is_alive(&stream->member, own);",
     "    case COVEI_OWN_HELD: return false;",
     "stream: loan, publish", "kill"),
    ("tickets that the dead keep", "CRASH stream/read.c pin", "src/stream/read.c",
     "for (int from_the_dead = 0; from_the_dead < 2; from_the_dead++)",
     "for (int from_the_dead = 0; from_the_dead < 1; from_the_dead++)",
     "stream: borrow, give back", "kill"),
    ("a dead slot that is alive while it is cleared", "CRASH segment/slot.c covei_slot_recover", "src/segment/slot.c",
     "    result = covei_lock_probe(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);",
     "    result = covei_lock_probe(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);\n    if (result == COVE_OK && held == COVEI_LOCK_FREE)\n        result = covei_lock_try(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE);",
     "stream: write past a dead lossless reader (recovery)", "stop"),
    ("a message's payload after its publication", "PAIR confirmed", "src/queue/push.c",
     "    covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);\n    describe(queue, b, size_bytes, tag);\n    if (covei_likely(place(queue, b, type) == COVE_OK))\n        return true;",
     "    describe(queue, b, size_bytes, tag);\n    if (covei_likely(place(queue, b, type) == COVE_OK)) {\n        covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);\n        return true;\n    }",
     "queue: push", "kill"),
    ("a recovery that overlooks what only the head knows", "CRASH queue/take.c covei_queue_take_run", "src/queue/take.c",
     "        if (covei_cell_buffer(head) == slot)\n            claim(member, ring, head, next, true);\n",
     "",
     "queue: take the last, put back", "kill"),
    ("a head that moves without a claim", "CRASH queue/take.c claim, PAIR head", "src/queue/take.c",
     "        if (covei_unlikely(covei_cell_buffer(head) != me))\n            claim(&queue->member, ring, head, first, false);\n",
     "",
     "queue: take, put back", "kill"),
    ("what the dead had in hand stays theirs", "CRASH queue/take.c covei_queue_forget", "src/queue/take.c",
     ": covei_back_word(covei_own_deliveries(own), own);",
     ": own;",
     "queue: put back", "kill"),
    ("deliveries that nobody counts", "", "src/queue/take.c",
     "deliveries = s.deliveries < 255 ? s.deliveries + 1 : 255;",
     "deliveries = 1;",
     "queue: put back", "kill"),
    ("dead consumers that nobody looks for", "", "src/queue/take.c",
     "    if (member->is_read_only)\n        return false;",
     "    return false;",
     "queue: put back", "kill"),
    ("a dead letter that is done with before it is buried", "", "src/queue/pop.c",
     "    if (!other || run->length[0] > ring->capacity_bytes ||",
     "    set_free(queue, run);\n    if (!other || run->length[0] > ring->capacity_bytes ||",
     "queue: take past a dead letter", "kill"),
    ("a claimant that trusts what stands", "CRASH segment/slot.c try_slot, CRASH segment/slot.c covei_slot_give_back", "src/segment/slot.c",
     "    clear_slot(member, index);\n    result = covei_lock_try(",
     "    result = covei_lock_try(",
     "open beside a dead reader (recovery)", "stop"),
    ("an owner's last wish that nobody carries out", "CRASH segment/owner.c covei_owner_retire, CRASH segment/attach.c covei_segment_close", "src/segment/remove.c",
     "        *out_dead = true; /* its owner meant",
     "        *out_dead = held == COVEI_LOCK_FREE; /* its owner meant",
     "retire", "kill"),
    ("a burial that D forbids for ever", "CRASH segment/remove.c covei_bury", "src/segment/remove.c",
     "        *out_dead = held == COVEI_LOCK_FREE && owner != COVEI_OWNER_NONE;",
     "        *out_dead = false;",
     "create", "kill"),
    ("a message that its dead producer keeps", "CRASH queue/push.c acquire", "src/queue/push.c",
     "    case COVEI_OWN_HELD: return thorough && !covei_own_is_alive(&queue->member, own);",
     "    case COVEI_OWN_HELD: return false;",
     "queue: reserve, commit", "kill"),
    ("a request that is done with before its reply is sent", "", "src/call/server.c",
     "    cove_result result = reserved == COVE_OK ? send_reply(request->held, request, head, loan, fits ? size_bytes : 0) : reserved;",
     "    cove_result early = cove_queue_done(server->service.requests, &request->message);\n"
     "    cove_result result = reserved == COVE_OK ? send_reply(request->held, request, head, loan, fits ? size_bytes : 0) : reserved;\n"
     "    leave(server, request->held);\n"
     "    return early == COVE_OK ? result : early;",
     "call: take, reply", "kill"),
    ("a bell that rings only when it is rung", "CRASH sync/watch.c ring, PAIR bell", "src/platform/linux/bell.c",
     "    timerfd_settime(timer, 0, &when, NULL);",
     "    when.it_value.tv_sec += 60;\n    timerfd_settime(timer, 0, &when, NULL);",
     "stream: write to who waits by a descriptor", "kill"),
]

# name · labels · model · the mutation that must make it fail
MODELLED = [
    ("a copy that nobody checks", "PAIR copied", "copies", "NO_CHECK"),
    ("a pin that does not look again", "PAIR pin", "copies", "PIN_BLIND"),
    ("a look at the writer before the pin", "PAIR pin", "rwlock", "PIN_LATE"),
    ("a look before the arming", "PAIR event", "event", "LOOK_FIRST"),
    ("a look at who sleeps before the change", "PAIR event", "event", "CHANGE_LATE"),
    ("a sleep without an end", "CRASH sync/rwlock.h covei_writer_release, CRASH block/block.c cove_block_notify", "event", "NO_SLICE"),
    ("a descriptor that is looked at before it is armed", "PAIR bell", "bell", "LOOK_EARLY"),
    ("a bell that is disarmed before it is rung", "CRASH sync/watch.c ring, PAIR bell", "bell", "DISARM_FIRST"),
    ("a count of bells that begins anew with each member", "PAIR bell", "bell", "RESET"),
    ("a change that is done with though a bell was not reached", "PAIR bell", "bell", "UNHEARD_TOLD"),
    ("a notification in the sequence", "PAIR notified", "notify", "SAME_WORD"),
    ("a cell that is looked at before its confirmation", "PAIR published", "ring", "CELL_FIRST"),
    ("a writer that does not notice who joins", "PAIR awaited", "ring", "NO_EPOCH"),
    ("a cursor that moves before the reading", "PAIR cursor", "ring", "EARLY_CURSOR"),
    ("a pin that is only a look", "PAIR pinned", "ring", "PIN_BLIND"),
    ("an owner of a handle that passes no barrier", "PAIR local", "local", "NO_BARRIER"),
    ("an owner of a handle that nobody waits for", "PAIR left", "local", "NO_WAIT"),
    ("a ticket after the pin", "PAIR ticket", "ring", "TICKET_LATE"),
    ("a writer that does not look again whether somebody pins", "PAIR plain", "plain", "LOOK_ONCE"),
    ("a sleeper that passes no barrier", "PAIR plain, PAIR room", "plain", "SLEEP_UNANNOUNCED"),
    ("a flag before the own word", "PAIR back", "queue", "FLAG_FIRST"),
    ("a flag that is cleared too often", "PAIR back", "queue", "NO_COUNT"),
    ("a cursor that passes what is not copied", "PAIR done", "queue", "CURSOR_FIRST"),
    ("a message that is PLACED after the swap", "CRASH queue/push.c place", "queue", "OWN_LATE"),
    ("an object that has its name before its maker has D", "CRASH segment/attach.c prepare_birth, CRASH segment/attach.c take_token", "segment", "D_LATE"),
    ("a newcomer that does not look again", "CRASH segment/attach.c take_token", "segment", "NO_SECOND_LOOK"),
]

# name · labels · file · what stands there · what is planted; the thread sanitizer must see it in tests/sync/threads_test.c
RACED = [
    ("facts that are told before they are known", "PAIR facts", "src/platform/linux/process.c",
     "covei_store_release(&facts_known, 1);",
     "covei_store_relaxed(&facts_known, 1);"),
    ("a role that is told before it is had", "PAIR role", "src/stream/stream.c",
     "covei_store_release(&stream->role, role);",
     "covei_store_relaxed(&stream->role, role);"),
    ("a watch that is told before it stands", "PAIR watch", "src/sync/watch.c",
     "covei_store_release(&watch->state, COVEI_WATCH_USED);",
     "covei_store_relaxed(&watch->state, COVEI_WATCH_USED);"),
]

# Labels for which nothing is planted, and why.
UNPLANTED = {
    "CRASH segment/domain.c test_volume": "what it leaves has no name, wherever the tests run; elsewhere it is swept like a birth",
    "PAIR revoked": "an order of loads that x86 keeps anyway; the sanitizer knows no barrier that one side pays for, so that way is off there",
    "PAIR revived": "what it publishes is reached under a lock as well, in every way that threads_test.c could find, and so nothing races without it",
}


def labels_in_sources():
    """PAIR name, and CRASH file function: the function that follows the comment."""
    labels = set()
    for path in sorted((ROOT / "src").rglob("*.[ch]")):
        if path.name.endswith("_test.c"):
            continue
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines):
            labels |= {f"PAIR {name}" for name in re.findall(r"PAIR ([a-z_]+)", line) if name != "name"}
            if "CRASH" in line:
                function = next(found[1] for found in (re.match(r"[a-z][\w *]*?(\w+)\(", below) for below in lines[number:]) if found)
                labels.add(f"CRASH {path.relative_to(ROOT / 'src')} {function}")
    return labels


def look_at_the_list():
    """Every label has a fault, every fault's place and every mutation is still there."""
    problems = []
    planted = {label for fault in KILLED + MODELLED + RACED for label in fault[1].split(", ") if label} | set(UNPLANTED)
    labels = labels_in_sources()
    problems += [f"{label}: no fault is planted for it; see tests/kill/faults.py" for label in sorted(labels - planted)]
    problems += [f"tests/kill/faults.py: {label} is no label in the sources any more" for label in sorted(planted - labels)]
    for name, _, file, old, *_ in KILLED + RACED:
        if (ROOT / file).read_text().count(old) != 1:
            problems.append(f"tests/kill/faults.py: {name}: the place in {file} is not there any more")
    operations = set(re.findall(r'^    \{"([^"]+)"', "".join(p.read_text() for p in (ROOT / "tests/kill").glob("*s.c")), re.M))
    problems += [f"tests/kill/faults.py: {fault[0]}: there is no operation {fault[5]}" for fault in KILLED if fault[5] not in operations]
    for name, _, model, mutation in MODELLED:
        if f" MUTATION {mutation} " not in (ROOT / f"tests/model/{model}.pml").read_text():
            problems.append(f"tests/kill/faults.py: {name}: {model}.pml has no mutation {mutation}")
    return problems


def library(directory):
    return [str(p) for part in ("base", "platform", "platform/linux", "segment", "sync", "block", "stream", "queue", "call", "inspect")
            for p in sorted((directory / "src" / part).glob("*.c")) if not p.name.endswith("_test.c")]


def compiled(directory, program, files, *options):
    build = subprocess.run(["gcc", "-std=c11", "-w", "-D_FILE_OFFSET_BITS=64", f"-I{directory}", f"-I{directory}/include", f"-I{directory}/src",
                            *files, *library(directory), "-o", str(directory / program), "-pthread", *options], capture_output=True, text=True)
    if build.returncode:
        print(build.stderr)
    return build.returncode == 0


def fails(command, seconds, environment=None):
    """How it fails, or nothing. A program that does not end has failed too. What it leaves in memory goes with it."""
    with tempfile.TemporaryDirectory(prefix="cove-fault-", dir="/dev/shm") as root:
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   env=dict(environment or os.environ, COVE_TEST_ROOT=root))
        try:
            said, _ = program.communicate(timeout=seconds)
            if program.returncode == 2:
                sys.exit(f"{command}: {said}")
            if program.returncode == 0:
                return ""
            return "already without a death" if "even without a death" in said else "as told"
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
            return "without end"
        finally:
            shutil.rmtree(f"/dev/shm/cove-kill-{program.pid}", ignore_errors=True)


def caught_by_death(directory, operation, mode):
    stride = "29" if operation.startswith(("create", "open", "queue: take past", "call:")) or mode == "stop" else "1"  # thousands of instructions, or hundreds
    if not compiled(directory, "cove-kill", [str(p) for p in sorted((directory / "tests/kill").glob("*.c"))], "-O2", "-Wl,-z,now"):
        return ""
    return fails([str(directory / "cove-kill"), "--exactly", operation, "--mode", mode, "--stride", stride, "--first"], 240)


def caught_by_threads(directory):
    """A race is a matter of chance, so it has some."""
    files = [str(directory / "tests/support.c"), str(directory / "tests/sync/threads_test.c")]
    environment = dict(os.environ, TSAN_OPTIONS=f"halt_on_error=1 suppressions={ROOT}/tests/tsan.supp")
    if not compiled(directory, "threads", files, "-O1", "-g", "-fsanitize=thread", "-DCOVEI_LAB", '-DCOVE_BUILD_DIR="."', '-DCOVE_SOURCE_DIR="."',
                    "-lcmocka"):
        return ""
    return any(fails([str(directory / "threads")], 240, environment) for _ in range(8))


def planted(file, old, new):
    """A copy of the sources with the fault in it."""
    directory = tempfile.TemporaryDirectory(prefix="cove-fault-")
    for part in ("src", "include", "tests"):
        shutil.copytree(ROOT / part, pathlib.Path(directory.name) / part)
    path = pathlib.Path(directory.name) / file
    path.write_text(path.read_text().replace(old, new))
    return directory


wanted = sys.argv[1] if len(sys.argv) > 1 else ""
if wanted == "--check":
    for problem in (found := look_at_the_list()):
        print(problem, file=sys.stderr)
    sys.exit(1 if found else 0)
results = []


def tell(found, name, labels, by):
    results.append(bool(found))
    print(f"{'caught' if found else 'NOT CAUGHT':10} {name}  (by: {by}{'; for: ' + labels if labels else ''})", flush=True)


for name, labels, file, old, new, operation, mode in KILLED:
    if wanted in name:
        with planted(file, old, new) as directory:
            how = caught_by_death(pathlib.Path(directory), operation, mode)
            tell(how, name, labels, how if how == "already without a death" else
                 f"{'stopped' if mode == 'stop' else 'killed'} at every instruction of {operation}")
for name, labels, model, mutation in MODELLED:
    if wanted in name:
        tell(subprocess.run([str(ROOT / "tests/model/run"), "--mutation", model, mutation], capture_output=True).returncode == 0, name, labels,
             f"tests/model/{model}.pml, {mutation}")
for name, labels, file, old, new in RACED:
    if wanted in name:
        with planted(file, old, new) as directory:
            tell(caught_by_threads(pathlib.Path(directory)), name, labels, "the thread sanitizer, tests/sync/threads_test.c")
print(f"planted faults caught {sum(results)} of {len(results)}")
sys.exit(0 if all(results) else 1)
