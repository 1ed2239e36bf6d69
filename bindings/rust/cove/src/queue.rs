//! Queues: each message to exactly one consumer.

use crate::error::{check, Deadline, Error, Result};
use crate::object::{c_string, common_methods, common_options, element_options, elements, elements_mut, Shareable};
use cove_sys as sys;
use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::{size_of, MaybeUninit};
use std::ops::{Deref, DerefMut};

struct Raw(*mut sys::cove_queue);
// As for blocks.
unsafe impl Send for Raw {}
unsafe impl Sync for Raw {}
impl Drop for Raw {
    fn drop(&mut self) {
        // Tasks and loans borrow the handle, so none is left.
        unsafe { sys::cove_queue_close(self.0) }
    }
}

/// How a [`Queue`] is opened.
pub struct QueueOptions<T> {
    c: sys::cove_queue_options,
    domain: Option<CString>,
    type_name: Option<CString>,
    dead_letter: Option<CString>,
    of: PhantomData<T>,
}
impl<T: Shareable> QueueOptions<T> {
    common_options!(QueueOptions<T>);
    /// How many messages may wait.
    pub fn depth(mut self, depth: u32) -> Self {
        self.c.depth = depth;
        self
    }
    /// Buffers for messages that are being made, and for those in hand.
    pub fn spare(mut self, loans: u32, holds: u32) -> Self {
        self.c.loans = loans;
        self.c.holds = holds;
        self
    }
    /// Who pushes into a full queue drops the oldest message, and does not wait. At creation.
    pub fn drop_oldest(mut self) -> Self {
        self.c.flags |= sys::COVE_QUEUE_DROP_OLDEST;
        self
    }
    pub fn only_producer(mut self) -> Self {
        self.c.flags |= sys::COVE_QUEUE_ONLY_PRODUCER;
        self
    }
    pub fn only_consumer(mut self) -> Self {
        self.c.flags |= sys::COVE_QUEUE_ONLY_CONSUMER;
        self
    }
    /// After so many deliveries that were not done a message goes to the queue of this name. At creation.
    pub fn dead_letter(mut self, name: &str, max_deliveries: u32) -> Self {
        self.dead_letter = Some(c_string(name));
        self.c.max_deliveries = max_deliveries;
        self
    }
    /// Opens the queue, or creates it.
    pub fn open(mut self, name: &str) -> Result<Queue<T>> {
        let mut handle = std::ptr::null_mut();
        let name = c_string(name);
        self.complete_elements();
        self.c.dead_letter = self.dead_letter.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
        self.complete();
        check(unsafe { sys::cove_queue_open(&mut handle, name.as_ptr(), &self.c) })?;
        Ok(Queue { raw: Raw(handle), of: PhantomData })
    }
}

element_options!(QueueOptions);

/// A message that was popped.
#[derive(Clone, Copy, Debug)]
pub struct Message<T> {
    pub data: T,
    pub sequence: u64,
    pub tag: u64,
    /// 1: the first; more: others had it, and did not get it done.
    pub deliveries: u32,
}

/// Messages of `T`, or of several of them each.
///
/// ```
/// # let domain = cove::doc_domain();
/// use cove::{Deadline, Queue};
/// let jobs: Queue<u64> = Queue::options().domain(&domain).open("jobs")?;
/// assert!(jobs.push(&42, Deadline::FOREVER)?);
/// let task = jobs.take(Deadline::AT_ONCE)?.unwrap(); // another has it when this process dies now
/// assert_eq!(*task, [42]);
/// task.done()?;
/// # Ok::<(), cove::Error>(())
/// ```
///
/// What is done with is not there any more, and what is in hand ends before its queue:
/// ```compile_fail
/// let jobs: cove::Queue<u64> = cove::Queue::options().open("jobs").unwrap();
/// let task = jobs.take(cove::Deadline::AT_ONCE).unwrap().unwrap();
/// task.done().unwrap();
/// println!("{}", task[0]);
/// ```
/// ```compile_fail
/// let jobs: cove::Queue<u64> = cove::Queue::options().open("jobs").unwrap();
/// let task = jobs.take(cove::Deadline::AT_ONCE).unwrap().unwrap();
/// drop(jobs);
/// task.done().unwrap();
/// ```
pub struct Queue<T> {
    raw: Raw,
    of: PhantomData<T>,
}

impl<T: Shareable> Queue<T> {
    pub fn options() -> QueueOptions<T> {
        QueueOptions { c: Default::default(), domain: None, type_name: None, dead_letter: None, of: PhantomData }
    }
    fn handle(&self) -> *mut sys::cove_queue {
        self.raw.0
    }
    common_methods!(cove_queue_own cove_queue_disown cove_queue_retire cove_queue_remove cove_queue_is_removed cove_queue_fd cove_queue_interrupt);
    pub fn info(&self) -> Result<sys::cove_queue_info> {
        let mut info = MaybeUninit::uninit();
        check(unsafe { sys::cove_queue_get_info(self.handle(), info.as_mut_ptr()) })?;
        Ok(unsafe { info.assume_init() })
    }

    /// False: it was full until the deadline.
    pub fn push(&self, value: &T, deadline: Deadline) -> Result<bool> {
        self.push_tagged(std::slice::from_ref(value), 0, deadline)
    }
    pub fn push_slice(&self, values: &[T], deadline: Deadline) -> Result<bool> {
        self.push_tagged(values, 0, deadline)
    }
    /// With a number that goes along.
    pub fn push_tagged(&self, values: &[T], tag: u64, deadline: Deadline) -> Result<bool> {
        let bytes = std::mem::size_of_val(values) as u64;
        match unsafe { sys::cove_queue_push(self.handle(), values.as_ptr().cast(), bytes, tag, deadline.0) } {
            sys::COVE_ERR_FULL => Ok(false),
            result => check(result).map(|_| true),
        }
    }
    /// Room for `count` elements in shared memory, which nobody else sees until it is published.
    pub fn reserve(&self, count: usize, deadline: Deadline) -> Result<QueueLoan<'_, T>> {
        let mut loan = MaybeUninit::uninit();
        let bytes = count.saturating_mul(size_of::<T>()) as u64;
        check(unsafe { sys::cove_queue_reserve(self.handle(), bytes, loan.as_mut_ptr(), deadline.0) })?;
        Ok(QueueLoan { queue: Some(self), loan: unsafe { loan.assume_init() } })
    }

    /// Copies the next message into `room`, and is done with it; `data` is how many elements it has. A message that is longer is an error, and
    /// stays where it is. `None` where none came until the deadline, or the queue was removed.
    pub fn pop_into(&self, room: &mut [T], deadline: Deadline) -> Result<Option<Message<usize>>> {
        let bytes = std::mem::size_of_val(room) as u64;
        let message = self.pop_bytes(room.as_mut_ptr().cast(), bytes, deadline)?;
        Ok(message.map(|m| Message {
            data: m.length_bytes as usize / size_of::<T>(),
            sequence: m.sequence,
            tag: m.tag,
            deliveries: m.deliveries,
        }))
    }
    fn pop_bytes(&self, room: *mut std::ffi::c_void, bytes: u64, deadline: Deadline) -> Result<Option<sys::cove_message>> {
        let mut message = MaybeUninit::<sys::cove_message>::uninit();
        let result = unsafe { sys::cove_queue_pop(self.handle(), room, bytes, message.as_mut_ptr(), deadline.0) };
        if result == sys::COVE_ERR_EMPTY || result == sys::COVE_REMOVED {
            return Ok(None);
        }
        check(result)?;
        Ok(Some(unsafe { message.assume_init() }))
    }
    /// The next message, of one `T`, done with as soon as it is here. One of another length is an error: a longer one stays where it is, for
    /// [`pop_into`](Self::pop_into) or [`take`](Self::take); a shorter one, which only an empty `push_slice` makes, is gone.
    pub fn pop(&self, deadline: Deadline) -> Result<Option<Message<T>>> {
        let mut data = MaybeUninit::<T>::uninit();
        let Some(message) = self.pop_bytes(data.as_mut_ptr().cast(), size_of::<T>() as u64, deadline)? else {
            return Ok(None);
        };
        if message.length_bytes != size_of::<T>() as u64 {
            return Err(Error::made(sys::COVE_ERR_SIZE));
        }
        let data = unsafe { data.assume_init() };
        Ok(Some(Message { data, sequence: message.sequence, tag: message.tag, deliveries: message.deliveries }))
    }
    /// The next message, in hand. Dropped before [`Task::done`] it is put back, and when the process dies somebody else has it.
    pub fn take(&self, deadline: Deadline) -> Result<Option<Task<'_, T>>> {
        let mut message = MaybeUninit::uninit();
        let result = unsafe { sys::cove_queue_take(self.handle(), message.as_mut_ptr(), deadline.0) };
        if result == sys::COVE_ERR_EMPTY || result == sys::COVE_REMOVED {
            return Ok(None);
        }
        check(result)?;
        Ok(Some(Task { queue: Some(self), message: unsafe { message.assume_init() } }))
    }
    /// Whether there is a message.
    pub fn wait(&self, deadline: Deadline) -> Result<bool> {
        match unsafe { sys::cove_queue_wait(self.handle(), deadline.0) } {
            sys::COVE_ERR_EMPTY => Ok(false),
            result => check(result).map(|r| r == sys::COVE_OK),
        }
    }
}

/// A message in hand.
pub struct Task<'a, T: Shareable> {
    queue: Option<&'a Queue<T>>,
    message: sys::cove_message,
}
impl<T: Shareable> Task<'_, T> {
    pub fn sequence(&self) -> u64 {
        self.message.sequence
    }
    pub fn tag(&self) -> u64 {
        self.message.tag
    }
    pub fn deliveries(&self) -> u32 {
        self.message.deliveries
    }
    pub fn done(mut self) -> Result<()> {
        if let Some(queue) = self.queue {
            check(unsafe { sys::cove_queue_done(queue.handle(), &mut self.message) })?; // else it is put back
            self.queue = None;
        }
        Ok(())
    }
}
impl<T: Shareable> Deref for Task<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // It is ours until it is done with.
        unsafe { elements(self.message.data, self.message.length_bytes) }
    }
}
impl<T: Shareable> Drop for Task<'_, T> {
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            unsafe { sys::cove_queue_put_back(queue.handle(), &mut self.message) };
        }
    }
}

/// Room for a message. Its elements are what lay there before; dropped, it is nothing.
pub struct QueueLoan<'a, T: Shareable> {
    queue: Option<&'a Queue<T>>,
    loan: sys::cove_loan,
}
impl<T: Shareable> QueueLoan<'_, T> {
    /// A number that goes along.
    pub fn tag(&mut self, tag: u64) {
        self.loan.tag = tag;
    }
    /// False: it was full until the deadline, and the message is gone; who wants to try again has [`try_commit`](Self::try_commit).
    pub fn commit(mut self, deadline: Deadline) -> Result<bool> {
        self.try_commit(deadline)
    }
    /// False: it was full until the deadline, and the loan is as it was. Once committed it has no elements.
    pub fn try_commit(&mut self, deadline: Deadline) -> Result<bool> {
        let Some(queue) = self.queue else { return Err(Error::made(sys::COVE_ERR_VIEW)) };
        match unsafe { sys::cove_queue_commit(queue.handle(), &mut self.loan, deadline.0) } {
            sys::COVE_ERR_FULL => return Ok(false),
            result => check(result)?,
        };
        self.queue = None;
        self.loan.length_bytes = 0;
        Ok(true)
    }
}
impl<T: Shareable> Deref for QueueLoan<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // Nobody else can see it.
        unsafe { elements(self.loan.data, self.loan.length_bytes) }
    }
}
impl<T: Shareable> DerefMut for QueueLoan<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // Nobody else can see it.
        unsafe { elements_mut(self.loan.data, self.loan.length_bytes) }
    }
}
impl<T: Shareable> Drop for QueueLoan<'_, T> {
    fn drop(&mut self) {
        if let Some(queue) = self.queue {
            unsafe { sys::cove_queue_abandon(queue.handle(), &mut self.loan) };
        }
    }
}
