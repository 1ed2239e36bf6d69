//! Shared memory between processes that survives any death: blocks, streams of typed values, and queues of messages.
//!
//! ```
//! # let domain = cove::doc_domain();
//! use cove::{Deadline, SharedBox, Stream};
//!
//! let pose: SharedBox<[f64; 2]> = SharedBox::options().domain(&domain).open("pose")?;
//! pose.set(&[1.0, 2.0], Deadline::FOREVER)?; // old or new for everybody, never half
//! pose.lock_write(Deadline::FOREVER)?[0] += 1.0; // published where the guard ends
//! assert_eq!(pose.get(Deadline::FOREVER)?, [2.0, 2.0]);
//!
//! let writer: Stream<u32> = Stream::options().domain(&domain).open("numbers")?;
//! let reader: Stream<u32> = Stream::options().domain(&domain).open("numbers")?;
//! writer.write(&7, Deadline::FOREVER)?;
//! assert_eq!(reader.read(Deadline::AT_ONCE)?.unwrap().data, 7);
//! # Ok::<(), cove::Error>(())
//! ```
//!
//! # What is safe
//!
//! Memory that several processes write is shown only through guards, under which no other *honest* member writes: [`ReadGuard`],
//! [`WriteGuard`], a [`Borrowed`] value, a [`Loan`], a [`Task`]. Everything else is copied. A member with write access that does not keep
//! the protocol can put any bytes there, at any time; so what is shared is [`Shareable`], for which any bytes are a value, and who does not trust a
//! member uses `get`, `read` and `pop`, which copy. A read-only member cannot write at all: the kernel sees to it.
//!
//! # Threads
//!
//! Handles are `Send` and `Sync`: the C library allows any number of threads to call with one handle at once, and nothing in a handle belongs to
//! the thread that opened it. Guards are neither: they hold raw pointers into memory that ends with the handle, and a guard is one holder's.
//! Its lifetime keeps the handle from being closed under it.
//!
//! # Deaths
//!
//! What a death inside each call leaves is said in the C headers, function by function. Where it can leave something half, in a block of a single
//! copy, locking gives [`OwnerDied`] with the guard in it, as `std::sync::Mutex` does with its `PoisonError`.

mod block;
mod error;
mod object;
mod queue;
mod stream;

pub use block::{Block, BlockOptions, LockError, LockResult, OwnerDied, ReadGuard, SharedBox, SharedBoxOptions, WriteGuard};
/// The C interface, for what this crate does not have.
pub use cove_sys as sys;
pub use error::{Deadline, Error, Result};
pub use object::{Lifetime, Shareable, Watch};
pub use queue::{Message, Queue, QueueLoan, QueueOptions, Task};
pub use stream::{Borrowed, Follow, Item, Loan, Start, Stream, StreamOptions};

#[doc(hidden)]
/// A domain of its own for each documentation test, in memory.
pub fn doc_domain() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let path = format!("/dev/shm/cove-doc-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    object::create_domain(&path).unwrap();
    object::remove_at_exit(&path);
    path
}
