#!/usr/bin/env python3
"""The laboratory proves itself: faults are planted in a copy of the sources, one at a time, and must be caught.

Each fault is a change of the text, so that the library carries no code for its laboratory. Prints a line for each.
An argument chooses those whose name contains it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
# name, file, what stands there, what is planted, operation that must catch it
FAULTS = [
    ("publish before the payload", "src/block/two_copies.c",
     "    covei_copy_in(block->data[c.copy], data, (size_t)size_bytes);\n    return publish(block, c, size_bytes);",
     "    result = publish(block, c, size_bytes);\n    covei_copy_in(block->data[c.copy], data, (size_t)size_bytes);\n    return result;", "set"),
    ("length after the sequence", "src/block/two_copies.c",
     "    covei_store_relaxed(&shared->length[c.copy], length_bytes);\n    covei_store_release(&shared->sequence, 2 * c.k + 2);",
     "    covei_store_release(&shared->sequence, 2 * c.k + 2);\n    atomic_signal_fence(memory_order_seq_cst);\n    covei_store_relaxed(&shared->length[c.copy], length_bytes);", "set"),
    ("transaction on the current copy", "src/block/two_copies.c", "    change c = {sequence >> 1, ((sequence >> 1) + 1) & 1};",
     "    change c = {sequence >> 1, (sequence >> 1) & 1};", "set"),
    ("takeover without the mark", "src/sync/rwlock.c", "    return writer & (COVEI_WRITER_DIRTY | COVEI_WRITER_INSIDE) ? COVEI_WRITER_DIRTY : 0;",
     "    return writer & COVEI_WRITER_DIRTY;", "lock_write, unlock, single copy"),
    ("entering without INSIDE", "src/sync/rwlock.h", "covei_writer_word(member) | COVEI_WRITER_INSIDE | (dirty", "covei_writer_word(member) | (dirty",
     "lock_write, unlock, single copy"),
    ("editing under an even sequence", "src/block/single_copy.c",
     "    covei_store_relaxed(&shared->sequence, covei_load_relaxed(&shared->sequence) | 1);\n", "", "set, single copy"),
    ("a repair that nobody declared", "src/block/single_copy.c", "return end(block, length_bytes, held & COVEI_HELD_DIRTY);",
     "(void)held;\n    return end(block, length_bytes, false);", "lock_write, unlock, single copy"),
    ("the dead live for ever", "src/segment/slot.c", "*out_alive = held == COVEI_LOCK_EXCLUSIVE;", "*out_alive = held == COVEI_LOCK_EXCLUSIVE || slot < 9999;",
     "lock_write, unlock"),
    ("a burial that unlinks nothing", "src/segment/remove.c", "        result = covei_file_unlink(dir, corpse->name);", "        result = COVE_OK;",
     "create"),
    ("a name before the header", "src/segment/attach.c", "    header->facts = b->facts;\n", "", "create"),
    ("a slot that is taken over uncleared", "src/sync/rwlock.c",
     "        covei_store_seqcst(&member->slots[slot].hold[COVEI_HOLD_PIN + copy], 0);",
     "        (void)0;", "open beside a dead reader"),
    ("a stream's payload after its publication", "src/stream/write.c",
     "            covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);\n            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);",
     "            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);\n            covei_copy_in(covei_ring_payload(&stream->ring, b), data, (size_t)size_bytes);", "stream: write"),
    ("a value's description after its publication", "src/stream/write.c",
     "            describe(stream, b, type, size_bytes, tag);\n            result = place(stream, b, false);",
     "            result = place(stream, b, false);\n            describe(stream, b, type, size_bytes, tag);", "stream: write, buffer in hand"),
    ("the own word after the swap", "src/stream/write.c",
     "    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b)); /* 5 */",
     "    covei_store_release(&ring->own[b], stream->writing.held);\n    bool done = covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b));\n    covei_store_release(&ring->own[b], placed_word(stream, number));\n    return done;",
     "stream: write, depth 1"),
    ("a number before its cell", "src/stream/write.c",
     "    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b)); /* 5 */",
     "    covei_store_release(&covei_ring_buffer(ring, b)->number, number);\n    return covei_cas_seqcst(covei_ring_cell(ring, number), cell, covei_cell_word(number, b));",
     "stream: write"),
    ("recovery that frees what was placed", "src/sync/ring.c",
     "covei_cas_seqcst(&ring->own[b], &own, covei_own_of(COVEI_OWN_LEFT, own, own));", "covei_cas_seqcst(&ring->own[b], &own, 0);",
     "stream: close a writer"),
    ("a dead reader that is waited for", "src/sync/ring.c", "covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && !is_alive",
     "covei_slot_is_alive(member, slot, &is_alive) == COVE_OK && slot > 9999", "stream: read lossless"),
    ("what the dead held is held for ever", "src/stream/write.c", "    case COVEI_OWN_HELD: return !covei_own_is_alive(&stream->member, own);",
     "    case COVEI_OWN_HELD: return false;", "stream: loan, publish"),
    ("tickets that the dead keep", "src/stream/read.c", "for (int from_the_dead = 0; from_the_dead < 2; from_the_dead++)",
     "for (int from_the_dead = 0; from_the_dead < 1; from_the_dead++)", "stream: borrow, give back"),
    ("a dead slot that is alive while it is cleared", "src/segment/slot.c",
     "    result = covei_lock_probe(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);",
     "    result = covei_lock_probe(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE, &held);\n    if (result == COVE_OK && held == COVEI_LOCK_FREE)\n        result = covei_lock_try(file, COVEI_BYTE_SLOT(index), COVEI_LOCK_EXCLUSIVE);",
     "stream: write past a dead lossless reader", "stop"),
    ("a message's payload after its publication", "src/queue/push.c",
     "    covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);\n    describe(queue, b, size_bytes, tag);\n    if (covei_likely(place(queue, b, type) == COVE_OK))\n        return true;",
     "    describe(queue, b, size_bytes, tag);\n    if (covei_likely(place(queue, b, type) == COVE_OK)) {\n        covei_copy_in(covei_ring_payload(&queue->ring, b), data, (size_t)size_bytes);\n        return true;\n    }",
     "queue: push"),
    ("a recovery that overlooks what only the head knows", "src/queue/take.c",
     "        if (covei_cell_buffer(head) == slot)\n            claim(member, ring, head, next, true);\n", "", "queue: take the last"),
    ("a head that moves without a claim", "src/queue/take.c",
     "        if (covei_unlikely(covei_cell_buffer(head) != me))\n            claim(&queue->member, ring, head, first, false);\n", "",
     "queue: take, put back"),
    ("what the dead had in hand stays theirs", "src/queue/take.c", ": covei_back_word(covei_own_deliveries(own), own);", ": own;",
     "queue: put back"),
    ("deliveries that nobody counts", "src/queue/take.c", "deliveries = s.deliveries < 255 ? s.deliveries + 1 : 255;", "deliveries = 1;",
     "queue: put back"),
    ("dead consumers that nobody looks for", "src/queue/take.c", "    if (member->is_read_only)\n        return false;",
     "    return false;", "queue: put back"),
    ("a dead letter that is done with before it is buried", "src/queue/pop.c",
     "    if (!other || run->length[0] > ring->capacity_bytes ||",
     "    set_free(queue, run);\n    if (!other || run->length[0] > ring->capacity_bytes ||", "queue: take past a dead letter"),
]


def caught(directory, name, only, mode="kill"):
    sources = [str(p) for part in ("base", "platform", "platform/linux", "segment", "sync", "block", "stream", "queue", "inspect")
               for p in sorted((directory / "src" / part).glob("*.c")) if not p.name.endswith("_test.c")]
    kill = [str(p) for p in sorted((directory / "tests/kill").glob("*.c"))]
    build = subprocess.run(["gcc", "-std=c11", "-O2", "-w", "-D_FILE_OFFSET_BITS=64", f"-I{directory}", f"-I{directory}/include", f"-I{directory}/src",
                            *kill, *sources, "-o", str(directory / "cove-kill"), "-pthread", "-Wl,-z,now"], capture_output=True, text=True)
    if build.returncode:
        print(f"{name}: does not compile\n{build.stderr}")
        return False
    stride = "29" if only.startswith(("create", "open")) or mode == "stop" else "1"  # thousands of instructions, or hundreds
    try:
        run = subprocess.run([str(directory / "cove-kill"), "--only", only, "--mode", mode, "--stride", stride, "--first"], capture_output=True, text=True, timeout=240)
    except subprocess.TimeoutExpired:
        return True
    return run.returncode not in (0, 2)


wanted = sys.argv[1] if len(sys.argv) > 1 else ""
FAULTS = [fault for fault in FAULTS if wanted in fault[0]]
count = 0
for name, file, old, new, only, *mode in FAULTS:
    with tempfile.TemporaryDirectory(prefix="cove-fault-") as directory:
        directory = pathlib.Path(directory)
        for part in ("src", "include", "tests/kill"):
            shutil.copytree(ROOT / part, directory / part)
        text = (directory / file).read_text()
        if text.count(old) != 1:
            print(f"{name}: the place in {file} is not there any more")
            continue
        (directory / file).write_text(text.replace(old, new))
        found = caught(directory, name, only, *mode)
        how = "stopped" if mode else "killed"
        count += found
        print(f"{'caught' if found else 'NOT CAUGHT':10} {name}  (by: {how} at every instruction of {only})", flush=True)
for left in pathlib.Path("/dev/shm").glob("cove-kill-*"):
    shutil.rmtree(left, ignore_errors=True)
print(f"planted faults caught {count} of {len(FAULTS)}")
sys.exit(count != len(FAULTS))
