//! What every call has in common: why it failed, and until when it waits.

use cove_sys as sys;
use std::ffi::CStr;
use std::fmt;
use std::time::Duration;

/// Why a call failed.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    code: sys::cove_result,
    sentence: Option<Box<str>>,
}

pub type Result<T> = std::result::Result<T, Error>;

fn text(of: *const std::ffi::c_char) -> &'static str {
    // The library's own texts, which last for ever.
    unsafe { CStr::from_ptr(of) }.to_str().unwrap_or("?")
}

impl Error {
    /// As the library's last failure of this thread says; without its sentence where nobody will read it.
    pub(crate) fn of(code: sys::cove_result) -> Self {
        let quiet = matches!(code, sys::COVE_ERR_TIMEOUT | sys::COVE_ERR_EMPTY | sys::COVE_ERR_FULL);
        let last = unsafe { &*sys::cove_last_error() };
        let sentence = (!quiet && last.result == code)
            .then(|| unsafe { CStr::from_ptr(last.sentence.as_ptr()) }.to_string_lossy().into_owned().into_boxed_str());
        Self { code, sentence }
    }
    /// Of this crate's own: no call has failed, so there is no sentence.
    pub(crate) fn made(code: sys::cove_result) -> Self {
        Self { code, sentence: None }
    }
    /// `cove::sys::COVE_ERR_…`
    pub fn code(&self) -> sys::cove_result {
        self.code
    }
    /// "COVE_ERR_SIZE"
    pub fn name(&self) -> &'static str {
        text(unsafe { sys::cove_result_name(self.code) })
    }
}

impl fmt::Display for Error {
    /// Names the object, and both sides of a mismatch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sentence {
            Some(sentence) => f.write_str(sentence),
            None => f.write_str(text(unsafe { sys::cove_result_text(self.code) })),
        }
    }
}
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.name())
    }
}
impl std::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(e: Error) -> Self {
        std::io::Error::new(std::io::Error::from_raw_os_error(unsafe { sys::cove_result_to_errno(e.code) }).kind(), e)
    }
}

/// A result that is not below zero is told as it is: there may be something to know.
pub(crate) fn check(result: sys::cove_result) -> Result<sys::cove_result> {
    if result < 0 {
        Err(Error::of(result))
    } else {
        Ok(result)
    }
}

/// Until when a call waits. A `Duration` is from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(pub(crate) sys::cove_time_ns);

impl Deadline {
    /// Tries once, and never sleeps.
    pub const AT_ONCE: Self = Self(sys::COVE_TRY);
    pub const FOREVER: Self = Self(sys::COVE_FOREVER);
    /// From now on; too long to be told: for ever.
    pub fn after(duration: Duration) -> Self {
        let now = unsafe { sys::cove_now() };
        Self(u64::try_from(duration.as_nanos()).ok().and_then(|d| now.checked_add(d)).unwrap_or(sys::COVE_FOREVER))
    }
}
impl From<Duration> for Deadline {
    fn from(duration: Duration) -> Self {
        Self::after(duration)
    }
}
