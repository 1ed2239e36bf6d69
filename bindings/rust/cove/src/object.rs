//! What objects of all kinds have in common.

use crate::error::{check, Result};
use cove_sys as sys;
use std::ffi::{c_void, CString};
use std::marker::PhantomData;
use std::mem::{align_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

/// Types that may lie in memory which other processes write.
///
/// # Safety
///
/// Any bytes must be a valid value of the type, and mean the same in every process: so no references, pointers, `bool`, `char` or enums, nor
/// anything with them in it. A struct of such fields is shareable when it is `#[repr(C)]`. Padding in it goes along with whatever is there: where that
/// is nobody's business, give it a field.
///
/// Values of a stream or queue lie at multiples of 8, those of a box at multiples of 64: a type that needs more is refused when it is compiled.
///
/// ```
/// #[repr(C)]
/// #[derive(Clone, Copy)]
/// struct Pose {
///     x: f64,
///     y: f64,
/// }
/// unsafe impl cove::Shareable for Pose {}
/// ```
///
/// What is not shareable cannot be shared:
///
/// ```compile_fail
/// let strings = cove::Stream::<String>::options().open("strings");
/// ```
/// ```compile_fail
/// let pointers = cove::SharedBox::<&'static u8>::options().open("pointer");
/// ```
/// ```compile_fail
/// let truth = cove::Queue::<bool>::options().open("truth"); // 2 would be neither
/// ```
pub unsafe trait Shareable: Copy + Send + Sync + 'static {
    /// What the values of a stream or queue are, for members in other languages.
    #[doc(hidden)]
    const TYPE: sys::cove_type = sys::COVE_TYPE_STRUCT;
}
macro_rules! shareable {
    ($($t:ty, $label:ident;)*) => {$(
        unsafe impl Shareable for $t {
            const TYPE: sys::cove_type = sys::$label;
        }
    )*};
}
shareable! {
    u8, COVE_TYPE_U8; u16, COVE_TYPE_U16; u32, COVE_TYPE_U32; u64, COVE_TYPE_U64;
    i8, COVE_TYPE_I8; i16, COVE_TYPE_I16; i32, COVE_TYPE_I32; i64, COVE_TYPE_I64;
    f32, COVE_TYPE_F32; f64, COVE_TYPE_F64;
}
unsafe impl Shareable for u128 {}
unsafe impl Shareable for i128 {}
unsafe impl<T: Shareable, const N: usize> Shareable for [T; N] {}

/// How long an object lasts. Its creator says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// Gone with its last user, killed or not.
    #[default]
    WhileUsed,
    /// Gone with its owner; a killed owner's is adopted by the next to open it, or gone.
    WhileOwned,
    UntilRemoved,
}

pub(crate) fn c_string(text: &str) -> CString {
    // No name has a NUL in it. What stands for it is no name either, and too long for that of a type, so the library says so.
    CString::new(text).unwrap_or_else(|_| CString::new("\u{1}".repeat(sys::COVE_NAME_MAX + 1)).unwrap())
}

/// The options that all kinds have, as methods of a builder around the C struct.
macro_rules! common_options {
    ($builder:ident $(<$t:ident>)?) => {
        /// A directory; without it the default one, as for every program of Cove's.
        pub fn domain(mut self, path: &str) -> Self {
            self.domain = Some(crate::object::c_string(path));
            self
        }
        /// Only what exists.
        pub fn existing(mut self) -> Self {
            self.c.how = cove_sys::COVE_OPEN;
            self
        }
        /// Only what does not exist yet.
        pub fn new_only(mut self) -> Self {
            self.c.how = cove_sys::COVE_CREATE;
            self
        }
        /// The kernel stops every write. Implies that it exists.
        pub fn read_only(mut self) -> Self {
            self.c.access = cove_sys::COVE_READ_ONLY;
            self.existing()
        }
        pub fn lifetime(mut self, lifetime: crate::Lifetime) -> Self {
            self.c.lifetime = match lifetime {
                crate::Lifetime::WhileUsed => cove_sys::COVE_WHILE_USED,
                crate::Lifetime::WhileOwned => cove_sys::COVE_WHILE_OWNED,
                crate::Lifetime::UntilRemoved => cove_sys::COVE_UNTIL_REMOVED,
            };
            self
        }
        /// File mode of what is created: 0o600 to 0o666.
        pub fn mode(mut self, mode: u32) -> Self {
            self.c.mode = mode;
            self
        }
        /// How many members that write there can be at once, 1 to 4096. At creation.
        pub fn slots(mut self, slots: u32) -> Self {
            self.c.slots = slots;
            self
        }
        /// A name by which all languages know the type of what is in it, of up to 63 bytes, and a number for its shape.
        pub fn type_name(mut self, name: &str, schema: u64) -> Self {
            self.type_name = Some(crate::object::c_string(name));
            self.c.schema_hash = schema;
            self
        }
        /// A larger one that exists will do.
        pub fn at_least(mut self) -> Self {
            self.c.size_rule = cove_sys::COVE_AT_LEAST;
            self
        }
        /// How long opening what exists waits for it to appear.
        pub fn wait_until(mut self, deadline: crate::Deadline) -> Self {
            self.c.deadline_ns = deadline.0;
            self
        }
        /// All that belongs to the C struct is kept alive by `self` meanwhile.
        fn complete(&mut self) {
            self.c.domain = self.domain.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
            self.c.type_name = self.type_name.as_ref().map_or(std::ptr::null(), |s| s.as_ptr());
        }
    };
}
pub(crate) use common_options;

/// The options that say what a value or message consists of.
macro_rules! element_options {
    ($builder:ident) => {
        impl<T: Shareable> $builder<T> {
            /// For how many elements there is room in each; at first 1.
            pub fn most(mut self, elements: usize) -> Self {
                self.c.capacity_bytes = elements.saturating_mul(std::mem::size_of::<T>()) as u64;
                self
            }
            fn complete_elements(&mut self) {
                const { assert!(std::mem::align_of::<T>() <= 8, "values lie at multiples of 8") };
                if self.c.type_ == cove_sys::COVE_TYPE_UNSPECIFIED {
                    self.c.type_ = T::TYPE;
                }
                self.c.element_bytes = if self.c.type_ == cove_sys::COVE_TYPE_STRUCT { std::mem::size_of::<T>() as u32 } else { 0 };
                if self.c.capacity_bytes == 0 {
                    self.c.capacity_bytes = std::mem::size_of::<T>() as u64;
                    self.c.size_rule = cove_sys::COVE_AT_LEAST;
                }
            }
        }
        impl $builder<u8> {
            /// Bytes of no type, as of members in other languages that say nothing else.
            pub fn bytes(mut self) -> Self {
                self.c.type_ = cove_sys::COVE_TYPE_BYTES;
                self
            }
            /// Text in UTF-8, which is checked.
            pub fn text(mut self) -> Self {
                self.c.type_ = cove_sys::COVE_TYPE_TEXT;
                self
            }
        }
    };
}
pub(crate) use element_options;

/// The elements of shared bytes, of which there may be none.
///
/// # Safety
/// The bytes are there, and nobody writes them, for as long as the slice lives.
pub(crate) unsafe fn elements<'a, T: Shareable>(data: *const c_void, bytes: u64) -> &'a [T] {
    let count = bytes as usize / size_of::<T>().max(1);
    if count == 0 {
        return &[];
    }
    assert!(data as usize % align_of::<T>() == 0);
    unsafe { std::slice::from_raw_parts(data.cast(), count) }
}

/// The same, to be written.
///
/// # Safety
/// As of [`elements`], and nobody else reads them either.
pub(crate) unsafe fn elements_mut<'a, T: Shareable>(data: *mut c_void, bytes: u64) -> &'a mut [T] {
    let count = unsafe { elements::<T>(data, bytes) }.len();
    if count == 0 {
        return &mut [];
    }
    unsafe { std::slice::from_raw_parts_mut(data.cast(), count) }
}

/// What the handles of all kinds can do, by the C functions of the kind.
macro_rules! common_methods {
    ($own:ident $disown:ident $retire:ident $remove:ident $is_removed:ident $fd:ident $interrupt:ident) => {
        /// Becomes the owner, also in a live owner's place.
        pub fn own(&self) -> crate::Result<()> {
            crate::error::check(unsafe { cove_sys::$own(self.handle()) }).map(drop)
        }
        /// Stops being the owner: the object then stays.
        pub fn disown(&self) -> crate::Result<()> {
            crate::error::check(unsafe { cove_sys::$disown(self.handle()) }).map(drop)
        }
        /// Ends ownership and removes the name: of any number of callers exactly one succeeds.
        pub fn retire(&self) -> crate::Result<()> {
            crate::error::check(unsafe { cove_sys::$retire(self.handle()) }).map(drop)
        }
        /// Removes the name of this very object. Members go on with what they have.
        pub fn remove(&self) -> crate::Result<()> {
            crate::error::check(unsafe { cove_sys::$remove(self.handle()) }).map(drop)
        }
        pub fn is_removed(&self) -> bool {
            unsafe { cove_sys::$is_removed(self.handle()) }
        }
        /// A descriptor for poll, epoll, tokio: readable while there may be something new.
        pub fn watch(&self) -> crate::Result<crate::Watch<'_>> {
            let mut fd = -1;
            crate::error::check(unsafe { cove_sys::$fd(self.handle(), &mut fd) })?;
            Ok(crate::object::Watch::new(fd))
        }
        /// Ends all waiting by this handle, now and for good.
        pub fn interrupt(&self) {
            unsafe { cove_sys::$interrupt(self.handle()) }
        }
    };
}
pub(crate) use common_methods;

/// The descriptor of a handle, to be waited for and for nothing else: never read from it.
///
/// It does not outlive the handle:
/// ```compile_fail
/// let watch = {
///     let block = cove::Block::options().capacity(8).open("b").unwrap();
///     block.watch().unwrap()
/// };
/// ```
#[derive(Debug)]
pub struct Watch<'a> {
    fd: RawFd,
    of: PhantomData<&'a ()>,
}
impl Watch<'_> {
    pub(crate) fn new(fd: RawFd) -> Self {
        Self { fd, of: PhantomData }
    }
}
impl AsFd for Watch<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // It is open for as long as the handle is, which 'a is.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}
impl AsRawFd for Watch<'_> {
    fn as_raw_fd(&self) -> RawFd {
        self.fd
    }
}

pub(crate) fn create_domain(path: &str) -> Result<()> {
    check(unsafe { sys::cove_domain_create(c_string(path).as_ptr(), 0) }).map(drop)
}

/// For documentation tests.
pub(crate) fn remove_at_exit(path: &str) {
    use std::sync::Mutex;
    static PATHS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    extern "C" fn remove() {
        for path in PATHS.lock().unwrap().iter() {
            let _ = std::fs::remove_dir_all(path);
        }
    }
    extern "C" {
        fn atexit(function: extern "C" fn()) -> std::ffi::c_int;
    }
    let mut paths = PATHS.lock().unwrap();
    if paths.is_empty() {
        unsafe { atexit(remove) };
    }
    paths.push(path.to_owned());
}
