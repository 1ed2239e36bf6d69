//! Blocks: named bytes, and boxes of one type.

use crate::error::{check, Deadline, Error, Result};
use crate::object::{c_string, common_methods, common_options, Shareable};
use cove_sys as sys;
use std::ffi::CString;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{size_of, MaybeUninit};
use std::ops::{Deref, DerefMut};

/// The handle, closed with its life.
struct Raw(*mut sys::cove_block);
// The C library allows any number of threads to call with one handle, and ties nothing to the thread that opened it.
unsafe impl Send for Raw {}
unsafe impl Sync for Raw {}
impl Drop for Raw {
    fn drop(&mut self) {
        // Guards borrow the handle, so no call and no view is left.
        unsafe { sys::cove_block_close(self.0) }
    }
}

/// How a [`Block`] is opened.
#[derive(Clone, Default)]
pub struct BlockOptions {
    c: sys::cove_block_options,
    domain: Option<CString>,
    type_name: Option<CString>,
}
// The pointers in it are set only inside a call.
unsafe impl Send for BlockOptions {}
unsafe impl Sync for BlockOptions {}

impl BlockOptions {
    common_options!(BlockOptions);
    /// Most bytes of a value.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.c.capacity_bytes = bytes;
        self
    }
    /// One copy, edited in place: for huge data. The death of a writer is then told by [`OwnerDied`].
    pub fn single_copy(mut self) -> Self {
        self.c.flags |= sys::COVE_BLOCK_SINGLE;
        self
    }
    /// Opens the block, or creates it.
    pub fn open(mut self, name: &str) -> Result<Block> {
        let mut handle = std::ptr::null_mut();
        let name = c_string(name);
        self.complete();
        check(unsafe { sys::cove_block_open(&mut handle, name.as_ptr(), &self.c) })?;
        Ok(Block { raw: Raw(handle) })
    }
}

/// Named bytes that several processes share.
///
/// A guard does not outlive its block, and what is read is not written:
/// ```compile_fail
/// let guard = {
///     let block = cove::Block::options().capacity(8).open("b").unwrap();
///     block.lock_read(cove::Deadline::FOREVER).unwrap()
/// };
/// ```
/// ```compile_fail
/// let block = cove::Block::options().capacity(8).open("b").unwrap();
/// let mut guard = block.lock_read(cove::Deadline::FOREVER).unwrap();
/// guard[0] = 1;
/// ```
/// ```compile_fail
/// let block = cove::Block::options().capacity(8).open("b").unwrap();
/// let guard = block.lock_write(cove::Deadline::FOREVER).unwrap();
/// drop(block); // under the guard
/// drop(guard);
/// ```
/// ```compile_fail
/// let block = cove::Block::options().capacity(8).open("b").unwrap();
/// let guard = block.lock_read(cove::Deadline::FOREVER).unwrap();
/// std::thread::scope(|s| { s.spawn(|| drop(guard)); }); // another thread's
/// ```
pub struct Block {
    raw: Raw,
}

impl Block {
    pub fn options() -> BlockOptions {
        BlockOptions::default()
    }
    pub(crate) fn handle(&self) -> *mut sys::cove_block {
        self.raw.0
    }
    common_methods!(cove_block_own cove_block_disown cove_block_retire cove_block_remove cove_block_is_removed cove_block_fd cove_block_interrupt);

    pub fn capacity(&self) -> u64 {
        self.info().map_or(0, |i| i.capacity_bytes)
    }
    pub fn info(&self) -> Result<sys::cove_block_info> {
        let mut info = MaybeUninit::uninit();
        check(unsafe { sys::cove_block_get_info(self.handle(), info.as_mut_ptr()) })?;
        Ok(unsafe { info.assume_init() })
    }

    /// Replaces the whole value: every reader sees the old one or the new one.
    pub fn set(&self, value: &[u8], deadline: Deadline) -> Result<()> {
        check(unsafe { sys::cove_block_set(self.handle(), value.as_ptr().cast(), value.len() as u64, deadline.0) }).map(drop)
    }
    /// Copies the value into `room`; tells how many bytes that is. A value that is longer is an error, and then `room` is unspecified.
    pub fn get(&self, room: &mut [u8], deadline: Deadline) -> Result<usize> {
        let mut length = 0;
        check(unsafe {
            sys::cove_block_get(self.handle(), room.as_mut_ptr().cast(), room.len() as u64, &mut length, std::ptr::null_mut(), deadline.0)
        })?;
        Ok(length as usize)
    }
    pub fn get_vec(&self, deadline: Deadline) -> Result<Vec<u8>> {
        let mut room = vec![0; self.capacity() as usize];
        let length = self.get(&mut room, deadline)?;
        room.truncate(length);
        Ok(room)
    }

    /// Counts the changes.
    pub fn version(&self) -> u64 {
        unsafe { sys::cove_block_version(self.handle()) }
    }
    /// Waits until the version is not `version`, and tells which it is; `None` at the deadline. Where the block is removed meanwhile, it tells the
    /// version as it is, once.
    pub fn wait(&self, version: u64, deadline: Deadline) -> Result<Option<u64>> {
        let mut now = version;
        match unsafe { sys::cove_block_wait(self.handle(), version, deadline.0, &mut now) } {
            sys::COVE_ERR_TIMEOUT => Ok(None),
            result => check(result).map(|_| Some(now)),
        }
    }
    pub fn notify(&self) -> Result<()> {
        check(unsafe { sys::cove_block_notify(self.handle()) }).map(drop)
    }

    /// Holds the current value in place.
    pub fn lock_read(&self, deadline: Deadline) -> LockResult<ReadGuard<'_, [u8]>> {
        self.hold(false, deadline, |hold| ReadGuard { hold, shows: PhantomData })
    }
    /// Begins a change, which is published when the guard ends; not where a panic passes it, unless there is one copy. The guard shows as many
    /// bytes as the value has; [`WriteGuard::resize`] says otherwise.
    pub fn lock_write(&self, deadline: Deadline) -> LockResult<WriteGuard<'_, [u8]>> {
        self.hold(true, deadline, |hold| WriteGuard { hold, shows: PhantomData })
    }

    fn hold<'a, G>(&'a self, writes: bool, deadline: Deadline, guard: impl FnOnce(Hold<'a>) -> G) -> LockResult<G> {
        let mut view = MaybeUninit::uninit();
        let lock = if writes { sys::cove_block_lock_write } else { sys::cove_block_lock_read };
        let result = unsafe { lock(self.handle(), view.as_mut_ptr(), deadline.0) };
        if result < 0 {
            return Err(LockError::Failed(Error::of(result)));
        }
        let hold = Hold { block: self, view: unsafe { view.assume_init() }, writes, panicked: std::thread::panicking() };
        match result {
            sys::COVE_OWNER_DIED => Err(LockError::OwnerDied(OwnerDied { guard: guard(hold) })),
            _ => Ok(guard(hold)),
        }
    }
}

/// A view of a block, ended with its life.
struct Hold<'a> {
    block: &'a Block,
    view: sys::cove_block_view,
    writes: bool,
    panicked: bool, /* already when it began */
}
impl Hold<'_> {
    fn bytes(&self) -> &[u8] {
        if self.view.length_bytes == 0 {
            return &[];
        }
        // Nobody else writes them while we hold them, and they are there for as long as the block is open.
        unsafe { std::slice::from_raw_parts(self.view.data.cast(), self.view.length_bytes as usize) }
    }
    fn abandon(&mut self) -> Result<()> {
        check(unsafe { sys::cove_block_abandon(self.block.handle(), &mut self.view) }).map(drop)
    }
}
impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.writes && !self.panicked && std::thread::panicking() && self.abandon().is_ok() {
            return;
        }
        unsafe { sys::cove_block_unlock(self.block.handle(), &mut self.view) };
    }
}

/// The last writer was killed inside, and what it has left may be half edited. The guard is in it, as in a `PoisonError`.
pub struct OwnerDied<G> {
    guard: G,
}
impl<G> OwnerDied<G> {
    pub fn into_inner(self) -> G {
        self.guard
    }
    pub fn get_ref(&self) -> &G {
        &self.guard
    }
    pub fn get_mut(&mut self) -> &mut G {
        &mut self.guard
    }
}
impl<G> fmt::Debug for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnerDied { .. }")
    }
}
impl<G> fmt::Display for OwnerDied<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last writer was killed inside, and nobody has repaired what it left")
    }
}

/// Why there is no guard, or a guard with a warning.
pub enum LockError<G> {
    OwnerDied(OwnerDied<G>),
    Failed(Error),
}
pub type LockResult<G> = std::result::Result<G, LockError<G>>;
impl<G> fmt::Debug for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(e) => e.fmt(f),
            Self::Failed(e) => e.fmt(f),
        }
    }
}
impl<G> fmt::Display for LockError<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnerDied(e) => e.fmt(f),
            Self::Failed(e) => e.fmt(f),
        }
    }
}
impl<G> std::error::Error for LockError<G> {}
/// So that `?` works in functions that return [`Result`]: a dead owner is then an error like any other, and the guard has ended.
impl<G> From<LockError<G>> for Error {
    fn from(e: LockError<G>) -> Self {
        match e {
            LockError::OwnerDied(_) => Error::made(sys::COVE_OWNER_DIED),
            LockError::Failed(e) => e,
        }
    }
}
impl<G> LockError<G> {
    /// `cove::sys::COVE_OWNER_DIED`, or the code of the failure.
    pub fn code(&self) -> sys::cove_result {
        match self {
            Self::OwnerDied(_) => sys::COVE_OWNER_DIED,
            Self::Failed(e) => e.code(),
        }
    }
    fn map<H>(self, f: impl FnOnce(G) -> H) -> LockError<H> {
        match self {
            Self::OwnerDied(e) => LockError::OwnerDied(OwnerDied { guard: f(e.guard) }),
            Self::Failed(e) => LockError::Failed(e),
        }
    }
}

/// What a block or box holds, to be read. It stays as it is until this ends.
pub struct ReadGuard<'a, T: ?Sized> {
    hold: Hold<'a>,
    shows: PhantomData<*const T>,
}
/// What a block or box holds, to be changed. Published when this ends.
pub struct WriteGuard<'a, T: ?Sized> {
    hold: Hold<'a>,
    shows: PhantomData<*mut T>,
}

impl Deref for ReadGuard<'_, [u8]> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.hold.bytes()
    }
}
impl Deref for WriteGuard<'_, [u8]> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.hold.bytes()
    }
}
impl DerefMut for WriteGuard<'_, [u8]> {
    fn deref_mut(&mut self) -> &mut [u8] {
        if self.hold.view.length_bytes == 0 {
            return &mut [];
        }
        // Nobody else reads or writes the copy that we change, and we are borrowed for as long as it is.
        unsafe { std::slice::from_raw_parts_mut(self.hold.view.data.cast(), self.hold.view.length_bytes as usize) }
    }
}
impl WriteGuard<'_, [u8]> {
    /// How many bytes the value has from now on; new ones are 0. Panics over the capacity.
    pub fn resize(&mut self, length: usize) {
        assert!(length as u64 <= self.hold.view.capacity_bytes, "{length} bytes in a block of {}", self.hold.view.capacity_bytes);
        let before = self.hold.view.length_bytes as usize;
        self.hold.view.length_bytes = length as u64;
        if length > before {
            self[before..].fill(0);
        }
    }
}
impl<T: Shareable> Deref for ReadGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // As large as a T, aligned to 64, and any bytes are a T.
        unsafe { &*self.hold.view.data.cast::<T>() }
    }
}
impl<T: Shareable> Deref for WriteGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        unsafe { &*self.hold.view.data.cast::<T>() }
    }
}
impl<T: Shareable> DerefMut for WriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        unsafe { &mut *self.hold.view.data.cast::<T>() }
    }
}
impl<T: ?Sized> WriteGuard<'_, T> {
    /// The old value stays. An error where there is one copy, which was changed in place; it is then published as it is.
    pub fn abandon(mut self) -> Result<()> {
        self.hold.abandon()
    }
    /// After [`OwnerDied`]: it is right again.
    pub fn mark_repaired(&mut self) -> Result<()> {
        check(unsafe { sys::cove_block_mark_repaired(self.hold.block.handle(), &mut self.hold.view) }).map(drop)
    }
}

/// How a [`SharedBox`] is opened.
pub struct SharedBoxOptions<T> {
    block: BlockOptions,
    of: PhantomData<T>,
}
macro_rules! pass_on {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {$(
        #[doc = concat!("As [`BlockOptions::", stringify!($name), "`].")]
        pub fn $name(mut self, $($argument: $type),*) -> Self {
            self.block = self.block.$name($($argument),*);
            self
        }
    )*};
}
impl<T: Shareable> SharedBoxOptions<T> {
    pass_on! {
        domain(path: &str); existing(); new_only(); read_only(); lifetime(lifetime: crate::Lifetime); mode(mode: u32); slots(slots: u32);
        type_name(name: &str, schema: u64); wait_until(deadline: Deadline); single_copy();
    }
    /// Opens the box, or creates it, of zeros.
    pub fn open(self, name: &str) -> Result<SharedBox<T>> {
        const { assert!(size_of::<T>() > 0 && std::mem::align_of::<T>() <= 64) };
        let block = self.block.capacity(size_of::<T>() as u64).open(name)?;
        Ok(SharedBox { block, of: PhantomData })
    }
}

/// A `T` that several processes share. A box that nobody has set holds zeros.
pub struct SharedBox<T> {
    block: Block,
    of: PhantomData<T>,
}
impl<T: Shareable> SharedBox<T> {
    pub fn options() -> SharedBoxOptions<T> {
        SharedBoxOptions { block: Block::options(), of: PhantomData }
    }
    fn handle(&self) -> *mut sys::cove_block {
        self.block.handle()
    }
    common_methods!(cove_block_own cove_block_disown cove_block_retire cove_block_remove cove_block_is_removed cove_block_fd cove_block_interrupt);

    pub fn set(&self, value: &T, deadline: Deadline) -> Result<()> {
        // By address and not as bytes: padding has no value.
        check(unsafe { sys::cove_block_set(self.handle(), (value as *const T).cast(), size_of::<T>() as u64, deadline.0) }).map(drop)
    }
    pub fn get(&self, deadline: Deadline) -> Result<T> {
        let mut value = MaybeUninit::<T>::zeroed();
        let mut length = 0;
        check(unsafe {
            sys::cove_block_get(
                self.handle(),
                value.as_mut_ptr().cast(),
                size_of::<T>() as u64,
                &mut length,
                std::ptr::null_mut(),
                deadline.0,
            )
        })?;
        if !Self::fits(length) {
            return Err(Error::made(sys::COVE_ERR_SIZE));
        }
        Ok(unsafe { value.assume_init() }) // any bytes are a T
    }
    /// 0: nobody has set it.
    fn fits(length: u64) -> bool {
        length == 0 || length == size_of::<T>() as u64
    }
    pub fn lock_read(&self, deadline: Deadline) -> LockResult<ReadGuard<'_, T>> {
        match self.block.lock_read(deadline) {
            // Never set, it has been zeros since its birth; set to nothing, which only bytes can be, it is no T.
            Ok(guard) if guard.hold.view.length_bytes != size_of::<T>() as u64 && guard.hold.view.version != 0 => {
                Err(LockError::Failed(Error::made(sys::COVE_ERR_SIZE)))
            }
            Ok(guard) => Ok(ReadGuard { hold: guard.hold, shows: PhantomData }),
            Err(e) => Err(e.map(|guard| ReadGuard { hold: guard.hold, shows: PhantomData })),
        }
    }
    pub fn lock_write(&self, deadline: Deadline) -> LockResult<WriteGuard<'_, T>> {
        match self.block.lock_write(deadline) {
            Ok(mut guard) => {
                if !Self::fits(guard.hold.view.length_bytes) {
                    // One copy is unlocked as it is; of two the old one stays.
                    let _ = guard.abandon();
                    return Err(LockError::Failed(Error::made(sys::COVE_ERR_SIZE)));
                }
                guard.resize(size_of::<T>());
                Ok(WriteGuard { hold: guard.hold, shows: PhantomData })
            }
            Err(e) => Err(e.map(|mut guard| {
                guard.hold.view.length_bytes = size_of::<T>() as u64; // with what the dead one has left in it
                WriteGuard { hold: guard.hold, shows: PhantomData }
            })),
        }
    }
    /// As [`Block::version`].
    pub fn version(&self) -> u64 {
        self.block.version()
    }
    /// As [`Block::wait`].
    pub fn wait(&self, version: u64, deadline: Deadline) -> Result<Option<u64>> {
        self.block.wait(version, deadline)
    }
}
