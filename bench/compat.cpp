/* Each facade's main operation against the calls of Cove's that it stands on, in turns: nobody is to pay for the old name. The goal is 20 ns more,
 * or a fifth. */
#include "bench.h"

#include "SMObject.hpp"
#include "dbj-component-loader.h"
#include "dbj-shmem.h"
#include "libsharedmemory/libsharedmemory.hpp"
#include "shmem.h"

#include <algorithm>
#include <string>
#include <unistd.h>

namespace {

constexpr std::size_t bytes = 64;
char value[bytes] = "some value", room[bytes];

void figure(const char *name, bench_fn facade, bench_fn plain, void *context, std::uint64_t count) {
    contestant f = {facade, context, 0}, p = {plain, context, 0};
    bench_compare(&f, &p, count);
    bench_figure(name, f.best_ns, "ns", p.best_ns, std::max(1.2, (p.best_ns + 20) / p.best_ns));
}

/* ---- A whole block: dbj and shmem_flock. */

struct blocks {
    component_shmem *shmem;
    dbj_string_64 key;
    shmem_t *of_file;
    cove_block *plain;
};

void plain_set(void *context, std::uint64_t count) {
    cove_block *block = static_cast<blocks *>(context)->plain;
    cove_block_view view;
    while (count--) {
        MUST(cove_block_lock_write(block, &view, COVE_FOREVER));
        std::memcpy(view.data, value, bytes);
        view.length_bytes = bytes;
        MUST(cove_block_unlock(block, &view));
    }
}
void plain_get(void *context, std::uint64_t count) {
    cove_block *block = static_cast<blocks *>(context)->plain;
    cove_block_view view;
    while (count--) {
        MUST(cove_block_lock_read(block, &view, COVE_FOREVER));
        std::memcpy(room, view.data, bytes);
        MUST(cove_block_unlock(block, &view));
    }
}
void dbj_set(void *context, std::uint64_t count) {
    blocks *b = static_cast<blocks *>(context);
    while (count--)
        DBJ_VERIFY(b->shmem->set_value(b->shmem, b->key, bytes, value));
}
void dbj_get(void *context, std::uint64_t count) {
    blocks *b = static_cast<blocks *>(context);
    void *to = room;
    while (count--)
        DBJ_VERIFY(b->shmem->get_value(b->shmem, b->key, bytes, &to));
}
void flock_set(void *context, std::uint64_t count) {
    blocks *b = static_cast<blocks *>(context);
    while (count--)
        DBJ_VERIFY(shmem_write(&b->of_file, value, bytes) == 0);
}
void flock_get(void *context, std::uint64_t count) {
    blocks *b = static_cast<blocks *>(context);
    while (count--)
        DBJ_VERIFY(shmem_read(&b->of_file, room, bytes) == 0);
}

void measure_blocks(component_shmem_factory_fp factory) {
    blocks b;
    b.shmem = factory();
    DBJ_STRING_ASSIGN(b.key, "key");
    DBJ_VERIFY(b.shmem->create(b.shmem, b.key, bytes));
    std::string file = std::string(bench_domain) + "/.file";
    b.of_file = shmem_open(&file[0], bytes);
    DBJ_VERIFY(b.of_file);
    cove_block_options options = cove_block_options();
    options.capacity_bytes = bytes;
    MUST(cove_block_open(&b.plain, "plain", &options));
    plain_set(&b, 1);
    figure("compat.dbj.set_value", dbj_set, plain_set, &b, 100000);
    figure("compat.dbj.get_value", dbj_get, plain_get, &b, 100000);
    figure("compat.shmem_flock.write", flock_set, plain_set, &b, 100000);
    figure("compat.shmem_flock.read", flock_get, plain_get, &b, 100000);
    cove_block_close(b.plain);
    DBJ_VERIFY(shmem_delete(&b.of_file) == 0);
    unlink(file.c_str());
    DBJ_VERIFY(b.shmem->delete_(b.shmem, b.key));
}

/* ---- Attaching: SMObject. Its memory is a pointer afterwards, and costs nothing. */

void smobject_attach(void *, std::uint64_t count) {
    while (count--) {
        SMObjectSpace::SMObject object(bench_domain, 'A', static_cast<int>(bytes));
        DBJ_VERIFY(object.shmCreate() == 0 && object.shmAccess() == 0);
    }
}
void plain_attach(void *, std::uint64_t count) {
    cove_block_options options = cove_block_options();
    options.capacity_bytes = bytes;
    options.flags = COVE_BLOCK_SINGLE;
    while (count--) {
        cove_block *block;
        void *data;
        MUST(cove_block_open(&block, "attached", &options));
        MUST(cove_block_data(block, &data));
        cove_block_close(block);
    }
}

/* ---- A string to a stream and to a queue, and back: libsharedmemory. */

struct pipes {
    lsm::SharedMemoryWriteStream writer{"s", 4096, false};
    lsm::SharedMemoryReadStream reader{"s", 4096, false};
    lsm::SharedMemoryQueue in{"q", 64, 4096, false, true}, out{"q", 64, 4096, false, false};
    std::string text = std::string(bytes, 'x'), got;
    cove_stream *plain_writer, *plain_reader;
    cove_queue *plain_in, *plain_out;
};

void lsm_stream(void *context, std::uint64_t count) {
    pipes *p = static_cast<pipes *>(context);
    while (count--) {
        p->writer.write(p->text);
        p->got = p->reader.readString();
    }
}
void plain_stream(void *context, std::uint64_t count) {
    pipes *p = static_cast<pipes *>(context);
    static char out[4096];
    cove_value v;
    while (count--) {
        MUST(cove_stream_write_as(p->plain_writer, COVE_TYPE_TEXT, p->text.data(), p->text.size(), 0, COVE_FOREVER));
        MUST(cove_stream_read(p->plain_reader, out, sizeof out, &v, COVE_TRY));
        p->got.assign(out, v.length_bytes);
    }
}
void lsm_queue(void *context, std::uint64_t count) {
    pipes *p = static_cast<pipes *>(context);
    while (count--)
        DBJ_VERIFY(p->in.enqueue(p->text) && p->out.dequeue(p->got));
}
void plain_queue(void *context, std::uint64_t count) {
    pipes *p = static_cast<pipes *>(context);
    cove_message m;
    while (count--) {
        MUST(cove_queue_push(p->plain_in, p->text.data(), p->text.size(), 0, COVE_TRY));
        MUST(cove_queue_take(p->plain_out, &m, COVE_TRY));
        p->got.assign(static_cast<const char *>(m.data), m.length_bytes);
        MUST(cove_queue_done(p->plain_out, &m));
    }
}

void measure_pipes() {
    pipes p;
    cove_stream_options so = cove_stream_options();
    so.type = COVE_TYPE_ANY;
    so.capacity_bytes = 4096;
    so.depth = 2;
    so.borrows = 1;
    MUST(cove_stream_open(&p.plain_writer, "plain-s", &so));
    so.follow = COVE_FOLLOW_LATEST;
    MUST(cove_stream_open(&p.plain_reader, "plain-s", &so));
    cove_queue_options qo = cove_queue_options();
    qo.capacity_bytes = 4096;
    qo.depth = 64;
    MUST(cove_queue_open(&p.plain_in, "plain-q", &qo));
    MUST(cove_queue_open(&p.plain_out, "plain-q", &qo));
    figure("compat.libsharedmemory.stream.write_and_read", lsm_stream, plain_stream, &p, 50000);
    figure("compat.libsharedmemory.queue.enqueue_and_dequeue", lsm_queue, plain_queue, &p, 50000);
    cove_stream_close(p.plain_writer);
    cove_stream_close(p.plain_reader);
    cove_queue_close(p.plain_in);
    cove_queue_close(p.plain_out);
}

} // namespace

extern "C" void bench_compat(void) {
    bench_title("compat: each facade against the calls that it stands on, 64 bytes (goal: 20 ns more, or a fifth)");
    DBJCS_CALL(DBJ_SHMEM_DLL_NAME, component_shmem_factory_fp, measure_blocks);
    figure("compat.smobject.create_access_end", smobject_attach, plain_attach, nullptr, 200);
    measure_pipes();
}
