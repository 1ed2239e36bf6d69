/* What the files of the stream folder share.
 *
 *     stream.c    the handle, its options and information, who writes
 *     write.c     buffers, publishing, loans
 *     read.c      finding the next value, reading, borrowing, waiting
 *     cursor.c    where a handle reads, and who is waited for
 */
#ifndef COVEI_STREAM_H
#define COVEI_STREAM_H

#include "stream/stream_layout.h"
#include "sync/local.h"

#include <cove/stream.h>

/* What a handle that writes remembers. All of it hints, but for the hand; guarded by `lock`. */
typedef struct covei_writing {
    covei_local lock;
    uint64_t me, held; /* slot and generation, as PLACED words have them; and the whole HELD word */
    uint32_t hand;     /* a buffer that this handle HELDs for its next value, or COVEI_NO_BUFFER */
    uint32_t scan;     /* where to look for a buffer first */
    uint32_t promised; /* the link of the last value: the buffer that readers expect next */
    uint64_t last;     /* number of this handle's last value */
    uint64_t next;     /* number to try first */
    uint64_t slowest;  /* cursor of the slowest that is waited for, as it was once; cursors only grow */
    uint64_t epoch;    /* that `slowest` is of */
} covei_writing;

/* Where a handle reads; guarded by `lock`. */
typedef struct covei_reading {
    covei_local lock;
    uint64_t next;          /* the number to read; what is below will not be read any more */
    uint64_t told;          /* the cursor in the slot, where writers wait for this handle */
    uint32_t predicted;     /* the buffer that may hold it, or COVEI_NO_BUFFER */
    cove_time_ns looked_ns; /* when a try in vain last looked at the cell */
    uint64_t missed;        /* since the last value that was delivered */
} covei_reading;

struct cove_stream {
    covei_member member;
    covei_stream_shape shape;
    covei_ring ring;
    covei_writing writing;
    covei_reading reading;
    cove_follow follow;
    bool wants_only, wants_writer; /* as the options said; again in a child of fork */
    covei_a32 role;                /* what is held of the role: 0 nothing, 1 shared, 2 the only writer, 3 the only one, by plain stores */
    covei_token role_token;
    covei_watch watch;
};

/* Attached, and allowed to write where `writes`; told. */
static inline cove_result covei_stream_enter(cove_stream *stream, bool writes, const char *step) {
    if (covei_unlikely(!stream))
        return covei_fail(COVE_ERR_ARGUMENT, 0, step, "the stream is null");
    return covei_member_enter_for(&stream->member, writes, step);
}

extern const char covei_cannot_join[];

/* Takes the role of a writer, once; told. */
cove_result covei_stream_become_writer(cove_stream *stream, const char *step);

/* write.c: forgets what a handle remembers of writing. */
void covei_writing_reset(covei_writing *writing, uint64_t next);

/* cursor.c: puts the reader where `start` says, and joins those who are waited for where the handle follows lossless. Under the lock,
 * or before anybody uses the handle. False: the stream has an only writer, and this process may not call membarrier, so it cannot join. */
bool covei_reading_start(cove_stream *stream, cove_start start);
/* The same, in a child of fork: it goes on where the parent was. */
void covei_reading_resume(cove_stream *stream);
/* Tells the writers how far a lossless reader has come. */
void covei_reading_tell(cove_stream *stream);

/* Moves to `number`. The slot tells it now and then, at the latest when there is nothing more (settle): writers that wait read its line,
 * and telling of each value would have it go to and fro. So a lossless reader counts as up to 1/32 of the depth further behind
 * than it is. */
static inline void covei_reading_move(cove_stream *stream, uint64_t number) {
    stream->reading.next = number;
    if (covei_unlikely(number - stream->reading.told > stream->ring.cells / 32 ||
                       covei_load_relaxed(&stream->ring.shared->room) & COVEI_EVENT_ARMED)) /* somebody waits: at once */
        covei_reading_tell(stream);
}
static inline void covei_reading_settle(cove_stream *stream) {
    if (covei_unlikely(stream->reading.told != stream->reading.next))
        covei_reading_tell(stream);
}

#endif
