//! Streams: typed values from any number of writers to any number of readers.

use crate::error::{check, Deadline, Error, Result};
use crate::object::{c_string, common_methods, common_options, element_options, elements, elements_mut, Shareable};
use cove_sys as sys;
use std::ffi::CString;
use std::marker::PhantomData;
use std::mem::{size_of, MaybeUninit};
use std::ops::{Deref, DerefMut};

struct Raw(*mut sys::cove_stream);
// As for blocks.
unsafe impl Send for Raw {}
unsafe impl Sync for Raw {}
impl Drop for Raw {
    fn drop(&mut self) {
        // Loans and borrowed values borrow the handle, so none is left.
        unsafe { sys::cove_stream_close(self.0) }
    }
}

/// Which values a handle reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Follow {
    /// Every value; told how many it missed where it was too slow.
    #[default]
    All,
    /// The newest that it has not given yet.
    Latest,
    /// Every value for certain: writers wait for it.
    Lossless,
}
/// Where a handle begins to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    #[default]
    Latest,
    Oldest,
    New,
}
impl Start {
    fn c(self) -> sys::cove_start {
        match self {
            Start::Latest => sys::COVE_START_LATEST,
            Start::Oldest => sys::COVE_START_OLDEST,
            Start::New => sys::COVE_START_NEW,
        }
    }
}

/// How a [`Stream`] is opened.
pub struct StreamOptions<T> {
    c: sys::cove_stream_options,
    domain: Option<CString>,
    type_name: Option<CString>,
    of: PhantomData<T>,
}
impl<T: Shareable> StreamOptions<T> {
    common_options!(StreamOptions<T>);
    /// How many values are kept.
    pub fn depth(mut self, depth: u32) -> Self {
        self.c.depth = depth;
        self
    }
    /// Buffers for values that are being written, and for those that are borrowed.
    pub fn spare(mut self, loans: u32, borrows: u32) -> Self {
        self.c.loans = loans;
        self.c.borrows = borrows;
        self
    }
    pub fn follow(mut self, follow: Follow) -> Self {
        self.c.follow = match follow {
            Follow::All => sys::COVE_FOLLOW_ALL,
            Follow::Latest => sys::COVE_FOLLOW_LATEST,
            Follow::Lossless => sys::COVE_FOLLOW_LOSSLESS,
        };
        self
    }
    pub fn start(mut self, start: Start) -> Self {
        self.c.start = start.c();
        self
    }
    /// This handle is to be the only writer: the fastest path.
    pub fn only_writer(mut self) -> Self {
        self.c.flags |= sys::COVE_STREAM_ONLY_WRITER;
        self
    }
    /// Each value carries the time of its publication. At creation.
    pub fn times(mut self) -> Self {
        self.c.flags |= sys::COVE_STREAM_TIMES;
        self
    }
    /// Opens the stream, or creates it.
    pub fn open(mut self, name: &str) -> Result<Stream<T>> {
        let mut handle = std::ptr::null_mut();
        let name = c_string(name);
        self.complete_elements();
        self.complete();
        check(unsafe { sys::cove_stream_open(&mut handle, name.as_ptr(), &self.c) })?;
        Ok(Stream { raw: Raw(handle), of: PhantomData })
    }
}

element_options!(StreamOptions);

/// A value that was read.
#[derive(Clone, Copy, Debug)]
pub struct Item<T> {
    pub data: T,
    /// The first value of a stream has 1; there are no gaps.
    pub sequence: u64,
    pub tag: u64,
    /// Values between the last that this handle read and this one, which it did not get.
    pub missed_count: u64,
    /// When it was published, in nanoseconds of the monotonic clock; 0 without `times`.
    pub time_ns: u64,
}

/// Values of `T`, or of several of them each.
///
/// ```
/// # let domain = cove::doc_domain();
/// use cove::{Deadline, Stream};
/// let frames: Stream<f32> = Stream::options().domain(&domain).most(1024).open("frames")?;
/// let mut loan = frames.loan(3, Deadline::FOREVER)?; // in shared memory: nothing is copied
/// loan.copy_from_slice(&[1.0, 2.0, 3.0]);
/// loan.publish(Deadline::FOREVER)?;
/// let frame = frames.borrow(Deadline::AT_ONCE)?.unwrap();
/// assert_eq!(*frame, [1.0, 2.0, 3.0]);
/// # Ok::<(), cove::Error>(())
/// ```
///
/// What is borrowed is not written, and ends before its stream does; a loan is published once:
/// ```compile_fail
/// let stream: cove::Stream<u8> = cove::Stream::options().open("s").unwrap();
/// let mut value = stream.borrow(cove::Deadline::AT_ONCE).unwrap().unwrap();
/// value[0] = 1;
/// ```
/// ```compile_fail
/// let stream: cove::Stream<u8> = cove::Stream::options().open("s").unwrap();
/// let value = stream.borrow(cove::Deadline::AT_ONCE).unwrap().unwrap();
/// drop(stream);
/// drop(value);
/// ```
/// ```compile_fail
/// let stream: cove::Stream<u8> = cove::Stream::options().open("s").unwrap();
/// let loan = stream.loan(1, cove::Deadline::AT_ONCE).unwrap();
/// loan.publish(cove::Deadline::AT_ONCE).unwrap();
/// loan.publish(cove::Deadline::AT_ONCE).unwrap();
/// ```
pub struct Stream<T> {
    raw: Raw,
    of: PhantomData<T>,
}

impl<T: Shareable> Stream<T> {
    pub fn options() -> StreamOptions<T> {
        StreamOptions { c: Default::default(), domain: None, type_name: None, of: PhantomData }
    }
    fn handle(&self) -> *mut sys::cove_stream {
        self.raw.0
    }
    common_methods!(cove_stream_own cove_stream_disown cove_stream_retire cove_stream_remove cove_stream_is_removed cove_stream_fd cove_stream_interrupt);
    pub fn info(&self) -> Result<sys::cove_stream_info> {
        let mut info = MaybeUninit::uninit();
        check(unsafe { sys::cove_stream_get_info(self.handle(), info.as_mut_ptr()) })?;
        Ok(unsafe { info.assume_init() })
    }

    pub fn write(&self, value: &T, deadline: Deadline) -> Result<()> {
        self.write_tagged(std::slice::from_ref(value), 0, deadline)
    }
    pub fn write_slice(&self, values: &[T], deadline: Deadline) -> Result<()> {
        self.write_tagged(values, 0, deadline)
    }
    /// With a number that goes along.
    pub fn write_tagged(&self, values: &[T], tag: u64, deadline: Deadline) -> Result<()> {
        let bytes = std::mem::size_of_val(values) as u64;
        check(unsafe { sys::cove_stream_write(self.handle(), values.as_ptr().cast(), bytes, tag, deadline.0) }).map(drop)
    }
    /// Room for `count` elements in shared memory, which nobody else sees until it is published.
    pub fn loan(&self, count: usize, deadline: Deadline) -> Result<Loan<'_, T>> {
        let mut loan = MaybeUninit::uninit();
        let bytes = count.saturating_mul(size_of::<T>()) as u64;
        check(unsafe { sys::cove_stream_loan(self.handle(), bytes, loan.as_mut_ptr(), deadline.0) })?;
        Ok(Loan { stream: Some(self), loan: unsafe { loan.assume_init() } })
    }

    /// Copies the next value into `room`; `data` is how many elements it has. A value that is longer is an error, and stays the next.
    /// `None` where there was nothing new until the deadline, or the stream was removed.
    pub fn read_into(&self, room: &mut [T], deadline: Deadline) -> Result<Option<Item<usize>>> {
        let bytes = std::mem::size_of_val(room) as u64;
        let value = self.read_bytes(room.as_mut_ptr().cast(), bytes, deadline)?;
        Ok(value.map(|v| Item {
            data: v.length_bytes as usize / size_of::<T>(),
            sequence: v.sequence,
            tag: v.tag,
            missed_count: v.missed_count,
            time_ns: v.time_ns,
        }))
    }
    fn read_bytes(&self, room: *mut std::ffi::c_void, bytes: u64, deadline: Deadline) -> Result<Option<sys::cove_value>> {
        let mut value = MaybeUninit::<sys::cove_value>::uninit();
        let result = unsafe { sys::cove_stream_read(self.handle(), room, bytes, value.as_mut_ptr(), deadline.0) };
        if result == sys::COVE_ERR_EMPTY || result == sys::COVE_REMOVED {
            return Ok(None);
        }
        check(result)?;
        Ok(Some(unsafe { value.assume_init() }))
    }
    /// The next value, of one `T`. One of another length is an error: a longer one stays the next, for [`read_into`](Self::read_into) or
    /// [`borrow`](Self::borrow); a shorter one is passed over.
    pub fn read(&self, deadline: Deadline) -> Result<Option<Item<T>>> {
        let mut data = MaybeUninit::<T>::uninit();
        let Some(value) = self.read_bytes(data.as_mut_ptr().cast(), size_of::<T>() as u64, deadline)? else {
            return Ok(None);
        };
        if value.length_bytes != size_of::<T>() as u64 {
            return Err(Error::made(sys::COVE_ERR_SIZE));
        }
        // As many bytes as a T has were copied, and any are one.
        let data = unsafe { data.assume_init() };
        Ok(Some(Item { data, sequence: value.sequence, tag: value.tag, missed_count: value.missed_count, time_ns: value.time_ns }))
    }
    /// The next value in place. It stays as it is until it is given back, which is its end.
    pub fn borrow(&self, deadline: Deadline) -> Result<Option<Borrowed<'_, T>>> {
        let mut value = MaybeUninit::uninit();
        let result = unsafe { sys::cove_stream_borrow(self.handle(), value.as_mut_ptr(), deadline.0) };
        if result == sys::COVE_ERR_EMPTY || result == sys::COVE_REMOVED {
            return Ok(None);
        }
        check(result)?;
        Ok(Some(Borrowed { stream: self, value: unsafe { value.assume_init() } }))
    }
    pub fn seek(&self, start: Start) -> Result<()> {
        check(unsafe { sys::cove_stream_seek(self.handle(), start.c()) }).map(drop)
    }
    /// Whether there is something to read.
    pub fn wait(&self, deadline: Deadline) -> Result<bool> {
        match unsafe { sys::cove_stream_wait(self.handle(), deadline.0) } {
            sys::COVE_ERR_EMPTY => Ok(false),
            result => check(result).map(|r| r == sys::COVE_OK),
        }
    }
    /// Live writers.
    pub fn writers(&self) -> Result<u32> {
        let mut count = 0;
        check(unsafe { sys::cove_stream_writers(self.handle(), &mut count) })?;
        Ok(count)
    }
}

/// A value in place.
pub struct Borrowed<'a, T: Shareable> {
    stream: &'a Stream<T>,
    value: sys::cove_value,
}
impl<T: Shareable> Borrowed<'_, T> {
    pub fn sequence(&self) -> u64 {
        self.value.sequence
    }
    pub fn tag(&self) -> u64 {
        self.value.tag
    }
    pub fn missed_count(&self) -> u64 {
        self.value.missed_count
    }
}
impl<T: Shareable> Deref for Borrowed<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // It stays as it is until it is given back.
        unsafe { elements(self.value.data, self.value.length_bytes) }
    }
}
impl<T: Shareable> Drop for Borrowed<'_, T> {
    fn drop(&mut self) {
        unsafe { sys::cove_stream_give_back(self.stream.handle(), &mut self.value) };
    }
}

/// Room for a value. Its elements are what lay there before; dropped, it is nothing.
pub struct Loan<'a, T: Shareable> {
    stream: Option<&'a Stream<T>>,
    loan: sys::cove_loan,
}
impl<T: Shareable> Loan<'_, T> {
    /// A number that goes along.
    pub fn tag(&mut self, tag: u64) {
        self.loan.tag = tag;
    }
    /// Where that fails, what was in it is gone; who wants to try again has [`try_publish`](Self::try_publish).
    pub fn publish(mut self, deadline: Deadline) -> Result<()> {
        match self.try_publish(deadline)? {
            true => Ok(()),
            false => Err(Error::made(sys::COVE_ERR_FULL)),
        }
    }
    /// False: a lossless reader had not come far enough until the deadline, and the loan is as it was. Once published it has no elements.
    pub fn try_publish(&mut self, deadline: Deadline) -> Result<bool> {
        let Some(stream) = self.stream else { return Err(Error::made(sys::COVE_ERR_VIEW)) };
        match unsafe { sys::cove_stream_publish(stream.handle(), &mut self.loan, deadline.0) } {
            sys::COVE_ERR_FULL => return Ok(false),
            result => check(result)?,
        };
        self.stream = None;
        self.loan.length_bytes = 0;
        Ok(true)
    }
}
impl<T: Shareable> Deref for Loan<'_, T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // Nobody else can see it.
        unsafe { elements(self.loan.data, self.loan.length_bytes) }
    }
}
impl<T: Shareable> DerefMut for Loan<'_, T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // Nobody else can see it.
        unsafe { elements_mut(self.loan.data, self.loan.length_bytes) }
    }
}
impl<T: Shareable> Drop for Loan<'_, T> {
    fn drop(&mut self) {
        if let Some(stream) = self.stream {
            unsafe { sys::cove_stream_discard(stream.handle(), &mut self.loan) };
        }
    }
}
