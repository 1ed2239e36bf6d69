//! A value in shared memory that is owned by one process at a time: ShmemBox, on Cove.
//!
//! ```no_run
//! use shmem_box as shmem;
//! use std::mem;
//!
//! let shared_mem = shmem::Builder::new("counter").with_size(mem::size_of::<u64>() as i64).open()?;
//! let mut counter = unsafe { shared_mem.boxed::<u64>() };
//! *counter += 1;
//! # Ok::<(), shmem::ShmemError>(())
//! ```
//!
//! Who creates the memory owns it, and so does the next who opens it after the owner was killed. What ends how:
//!
//! | | `T` is dropped | the name is removed |
//! |---|---|---|
//! | the owner's box is dropped | yes | yes |
//! | `leak` of the owner's box | no | no |
//! | another box is dropped | no | no |
//! | a box that was made an owner by `own` is dropped | yes | yes |
//! | the owner's `ShmemConf` is dropped unboxed | no | yes |
//!
//! Where two have come to own it, `T` is dropped once. How processes take turns at it is theirs to say.

use cove_sys as sys;
use std::ffi::{c_char, CString};
use std::fmt;
use std::marker::PhantomData;
use std::mem::{align_of, size_of, ManuallyDrop};
use std::ops::{Deref, DerefMut};

/// Why there is no shared memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShmemError {
    /// It cannot be made or opened: a size that is not above 0, or not that of what exists; a name or a permission that does not allow it.
    CreateFailedErr,
    /// There is no room for it.
    AllocationFailedErr,
    /// It could not be mapped.
    NullPointerErr,
}
impl fmt::Display for ShmemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateFailedErr => "the shared memory could not be created or opened",
            Self::AllocationFailedErr => "there is no room for the shared memory",
            Self::NullPointerErr => "the shared memory could not be mapped",
        })
    }
}
impl std::error::Error for ShmemError {}

/// The name of the memory, for all processes.
#[derive(Debug, Clone)]
pub struct Builder {
    id: String,
}
impl Builder {
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned() }
    }
    /// In bytes.
    pub fn with_size(self, size: i64) -> BuilderWithSize {
        BuilderWithSize { id: self.id, size }
    }
}

#[derive(Debug, Clone)]
pub struct BuilderWithSize {
    id: String,
    size: i64,
}
impl BuilderWithSize {
    /// Makes the memory, all 0, and owns it; or opens it, where it is there. Of any number who open at once exactly one owns it.
    pub fn open(self) -> Result<ShmemConf, ShmemError> {
        let mut name = [0 as c_char; sys::COVE_NAME_MAX + 1];
        let prefix = CString::new("shmembox").expect("no NUL");
        if self.size <= 0
            || unsafe { sys::cove_name_escape(prefix.as_ptr(), self.id.as_ptr().cast(), self.id.len(), name.as_mut_ptr()) } != sys::COVE_OK
        {
            return Err(ShmemError::CreateFailedErr);
        }
        let mut opened = sys::cove_opened { created: false, owner: false };
        let options = sys::cove_block_options {
            capacity_bytes: self.size as u64,
            flags: sys::COVE_BLOCK_SINGLE,
            lifetime: sys::COVE_WHILE_OWNED,
            opened: &mut opened,
            ..Default::default()
        };
        let mut block = std::ptr::null_mut();
        match unsafe { sys::cove_block_open(&mut block, name.as_ptr(), &options) } {
            sys::COVE_OK => {}
            sys::COVE_ERR_SPACE | sys::COVE_ERR_MEMORY => return Err(ShmemError::AllocationFailedErr),
            _ => return Err(ShmemError::CreateFailedErr),
        }
        let mut conf = ShmemConf { block, data: std::ptr::null_mut(), size: self.size as usize, owner: opened.owner };
        match unsafe { sys::cove_block_data(block, &mut conf.data) } {
            sys::COVE_OK => Ok(conf),
            _ => Err(ShmemError::NullPointerErr),
        }
    }
}

/// Shared memory that nobody has said the type of. Dropped as it is, an owner's removes the name.
pub struct ShmemConf {
    block: *mut sys::cove_block,
    data: *mut std::ffi::c_void,
    size: usize,
    owner: bool,
}
// The library ties nothing to a thread, and the bytes are reached by a box only.
unsafe impl Send for ShmemConf {}
unsafe impl Sync for ShmemConf {}

impl ShmemConf {
    /// The memory as a `T`.
    ///
    /// # Safety
    /// The bytes must be a `T`, of which 0 is one where this process has made them; every other process must take them for the same; and who
    /// changes it must not do so while another looks.
    ///
    /// # Panics
    /// Where a `T` is larger than the memory, or of an alignment that the memory does not have.
    pub unsafe fn boxed<T>(self) -> ShmemBox<T> {
        assert!(size_of::<T>() <= self.size, "a value of {} bytes in shared memory of {}", size_of::<T>(), self.size);
        assert!(self.data as usize % align_of::<T>() == 0, "shared memory is not aligned to {} bytes", align_of::<T>());
        ShmemBox { conf: ManuallyDrop::new(self), of: PhantomData }
    }
}
impl Drop for ShmemConf {
    fn drop(&mut self) {
        // An owner's end removes the name; another's does not.
        unsafe { sys::cove_block_close(self.block) }
    }
}
impl fmt::Debug for ShmemConf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShmemConf").field("size", &self.size).field("owner", &self.owner).finish()
    }
}

/// A `T` in shared memory.
pub struct ShmemBox<T> {
    conf: ManuallyDrop<ShmemConf>,
    of: PhantomData<T>,
}
unsafe impl<T: Send> Send for ShmemBox<T> {}
unsafe impl<T: Sync> Sync for ShmemBox<T> {}

impl<T> ShmemBox<T> {
    /// Makes this box the owner: its end is that of the value. Where the value has had its end already it stays what it is.
    pub fn own(b: Self) -> Self {
        let mut b = b;
        b.conf.owner = unsafe { sys::cove_block_own(b.conf.block) } == sys::COVE_OK;
        b
    }
    /// Lets go of the memory and leaves it as it is, with its name, for whoever opens it.
    pub fn leak(b: Self) {
        let mut b = ManuallyDrop::new(b);
        if b.conf.owner {
            // It may be another's by now; then that one's end is its end.
            let _ = unsafe { sys::cove_block_disown(b.conf.block) };
        }
        unsafe { ManuallyDrop::drop(&mut b.conf) };
    }
}
impl<T> Deref for ShmemBox<T> {
    type Target = T;
    fn deref(&self) -> &T {
        unsafe { &*self.conf.data.cast::<T>() }
    }
}
impl<T> DerefMut for ShmemBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        unsafe { &mut *self.conf.data.cast::<T>() }
    }
}
impl<T> Drop for ShmemBox<T> {
    fn drop(&mut self) {
        /// Closes also where T's own drop panics.
        struct Close<'a>(&'a mut ManuallyDrop<ShmemConf>);
        impl Drop for Close<'_> {
            fn drop(&mut self) {
                unsafe { ManuallyDrop::drop(self.0) };
            }
        }
        let close = Close(&mut self.conf);
        // Of several owners one retires it, and that one drops the value.
        if close.0.owner && unsafe { sys::cove_block_retire(close.0.block) } == sys::COVE_OK {
            unsafe { std::ptr::drop_in_place(close.0.data.cast::<T>()) };
        }
    }
}
impl<T: fmt::Debug> fmt::Debug for ShmemBox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
