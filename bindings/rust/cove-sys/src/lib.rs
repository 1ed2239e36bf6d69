//! The C interface of Cove, as it stands in its headers: names, types and what each function does, waits for and leaves when the process
//! dies are documented there. Every function is unsafe to call as any C function is; the crate `cove` is the safe way.
//!
//! Enumerations are integers with constants, since a newer library may give values that this crate does not know.

#![allow(non_camel_case_types)]
#![no_std]

use core::ffi::{c_char, c_int, c_void};

pub type cove_time_ns = u64;

pub type cove_result = c_int;
pub const COVE_OK: cove_result = 0;
pub const COVE_OWNER_DIED: cove_result = 1;
pub const COVE_REMOVED: cove_result = 2;
pub const COVE_MISSED: cove_result = 3;
pub const COVE_REDELIVERED: cove_result = 4;
pub const COVE_DROPPED: cove_result = 5;
pub const COVE_ERR_ARGUMENT: cove_result = -1;
pub const COVE_ERR_NAME: cove_result = -2;
pub const COVE_ERR_OPTION: cove_result = -3;
pub const COVE_ERR_MODE: cove_result = -4;
pub const COVE_ERR_SIZE: cove_result = -5;
pub const COVE_ERR_TYPE: cove_result = -6;
pub const COVE_ERR_KIND: cove_result = -7;
pub const COVE_ERR_VIEW: cove_result = -8;
pub const COVE_ERR_TEXT: cove_result = -9;
pub const COVE_ERR_NOT_FOUND: cove_result = -20;
pub const COVE_ERR_EXISTS: cove_result = -21;
pub const COVE_ERR_ACCESS: cove_result = -22;
pub const COVE_ERR_DOMAIN: cove_result = -23;
pub const COVE_ERR_OWNER: cove_result = -24;
pub const COVE_ERR_VERSION: cove_result = -25;
pub const COVE_ERR_FOREIGN: cove_result = -26;
pub const COVE_ERR_DAMAGED: cove_result = -27;
pub const COVE_ERR_TRUNCATED: cove_result = -28;
pub const COVE_ERR_SPACE: cove_result = -29;
pub const COVE_ERR_MEMORY: cove_result = -30;
pub const COVE_ERR_LIMIT: cove_result = -31;
pub const COVE_ERR_UNSUPPORTED: cove_result = -32;
pub const COVE_ERR_SYSTEM: cove_result = -33;
pub const COVE_ERR_TIMEOUT: cove_result = -40;
pub const COVE_ERR_BUSY: cove_result = -41;
pub const COVE_ERR_FULL: cove_result = -42;
pub const COVE_ERR_IN_USE: cove_result = -43;
pub const COVE_ERR_NOT_OWNER: cove_result = -44;
pub const COVE_ERR_GONE: cove_result = -45;
pub const COVE_ERR_FORKED: cove_result = -46;
pub const COVE_ERR_INTERRUPTED: cove_result = -47;
pub const COVE_ERR_UNREPAIRED: cove_result = -48;
pub const COVE_ERR_LOST: cove_result = -49;
pub const COVE_ERR_EMPTY: cove_result = -50;

pub type cove_how = c_int;
pub const COVE_OPEN_OR_CREATE: cove_how = 0;
pub const COVE_OPEN: cove_how = 1;
pub const COVE_CREATE: cove_how = 2;

pub type cove_access = c_int;
pub const COVE_READ_WRITE: cove_access = 0;
pub const COVE_READ_ONLY: cove_access = 1;

pub type cove_lifetime = c_int;
pub const COVE_WHILE_USED: cove_lifetime = 0;
pub const COVE_WHILE_OWNED: cove_lifetime = 1;
pub const COVE_UNTIL_REMOVED: cove_lifetime = 2;

pub type cove_size_rule = c_int;
pub const COVE_EXACT: cove_size_rule = 0;
pub const COVE_AT_LEAST: cove_size_rule = 1;

pub type cove_type = c_int;
pub const COVE_TYPE_UNSPECIFIED: cove_type = 0;
pub const COVE_TYPE_BYTES: cove_type = 1;
pub const COVE_TYPE_TEXT: cove_type = 2;
pub const COVE_TYPE_I8: cove_type = 3;
pub const COVE_TYPE_I16: cove_type = 4;
pub const COVE_TYPE_I32: cove_type = 5;
pub const COVE_TYPE_I64: cove_type = 6;
pub const COVE_TYPE_U8: cove_type = 7;
pub const COVE_TYPE_U16: cove_type = 8;
pub const COVE_TYPE_U32: cove_type = 9;
pub const COVE_TYPE_U64: cove_type = 10;
pub const COVE_TYPE_F32: cove_type = 11;
pub const COVE_TYPE_F64: cove_type = 12;
pub const COVE_TYPE_STRUCT: cove_type = 13;
pub const COVE_TYPE_ANY: cove_type = 14;

pub type cove_follow = c_int;
pub const COVE_FOLLOW_ALL: cove_follow = 0;
pub const COVE_FOLLOW_LATEST: cove_follow = 1;
pub const COVE_FOLLOW_LOSSLESS: cove_follow = 2;

pub type cove_start = c_int;
pub const COVE_START_LATEST: cove_start = 0;
pub const COVE_START_OLDEST: cove_start = 1;
pub const COVE_START_NEW: cove_start = 2;

pub type cove_kind = c_int;
pub const COVE_KIND_UNKNOWN: cove_kind = 0;
pub const COVE_KIND_BLOCK: cove_kind = 1;
pub const COVE_KIND_STREAM: cove_kind = 2;
pub const COVE_KIND_QUEUE: cove_kind = 3;

pub const COVE_VERSION_MAJOR: u32 = 0;
pub const COVE_VERSION_MINOR: u32 = 1;
pub const COVE_VERSION_PATCH: u32 = 0;
pub const COVE_NAME_MAX: usize = 200;
pub const COVE_REMOVE_FORCE: u32 = 1;
pub const COVE_GC_DRY_RUN: u32 = 1;
pub const COVE_BLOCK_SINGLE: u32 = 1;
pub const COVE_BLOCK_UNFILLED: u32 = 2;
pub const COVE_STREAM_TIMES: u32 = 1;
pub const COVE_STREAM_ONLY_WRITER: u32 = 2;
pub const COVE_STREAM_WRITER: u32 = 4;
pub const COVE_STREAM_DEPTH_MAX: u32 = 65536;
pub const COVE_STREAM_SPARE_MAX: u32 = 32767;
pub const COVE_QUEUE_TIMES: u32 = 1;
pub const COVE_QUEUE_DROP_OLDEST: u32 = 2;
pub const COVE_QUEUE_PRODUCER: u32 = 4;
pub const COVE_QUEUE_CONSUMER: u32 = 8;
pub const COVE_QUEUE_ONLY_PRODUCER: u32 = 16;
pub const COVE_QUEUE_ONLY_CONSUMER: u32 = 32;
pub const COVE_QUEUE_DEPTH_MAX: u32 = 65536;
pub const COVE_QUEUE_SPARE_MAX: u32 = 32767;
pub const COVE_QUEUE_DELIVERIES_MAX: u32 = 250;
pub const COVE_QUEUE_RUN_MAX: u32 = 64;
pub const COVE_TRY: cove_time_ns = 0;
pub const COVE_FOREVER: cove_time_ns = u64::MAX;

#[repr(C)]
pub struct cove_block {
    _opaque: [u8; 0],
    _not_send: core::marker::PhantomData<*mut u8>,
}
#[repr(C)]
pub struct cove_client {
    _opaque: [u8; 0],
    _not_send: core::marker::PhantomData<*mut u8>,
}
#[repr(C)]
pub struct cove_queue {
    _opaque: [u8; 0],
    _not_send: core::marker::PhantomData<*mut u8>,
}
#[repr(C)]
pub struct cove_server {
    _opaque: [u8; 0],
    _not_send: core::marker::PhantomData<*mut u8>,
}
#[repr(C)]
pub struct cove_stream {
    _opaque: [u8; 0],
    _not_send: core::marker::PhantomData<*mut u8>,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_error {
    pub result: cove_result,
    pub os_code: c_int,
    pub step: [c_char; 32],
    pub object: [c_char; 256],
    pub sentence: [c_char; 640],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_opened {
    pub created: bool,
    pub owner: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_gc_report {
    pub examined_count: u64,
    pub removed_count: u64,
    pub removed_bytes: u64,
    pub refused_count: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_value {
    pub data: *const c_void,
    pub length_bytes: u64,
    pub count: u64,
    pub type_: cove_type,
    pub reserved_0: u32,
    pub sequence: u64,
    pub tag: u64,
    pub time_ns: cove_time_ns,
    pub missed_count: u64,
    pub held: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_loan {
    pub data: *mut c_void,
    pub capacity_bytes: u64,
    pub length_bytes: u64,
    pub tag: u64,
    pub type_: cove_type,
    pub reserved_0: u32,
    pub held: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_block_options {
    pub domain: *const c_char,
    pub how: cove_how,
    pub access: cove_access,
    pub lifetime: cove_lifetime,
    pub mode: u32,
    pub slots: u32,
    pub size_rule: cove_size_rule,
    pub reserved_0: u32,
    pub type_name: *const c_char,
    pub schema_hash: u64,
    pub deadline_ns: cove_time_ns,
    pub opened: *mut cove_opened,
    pub prefault: bool,
    pub lock_memory: bool,
    pub huge_pages: bool,
    pub trust_any_owner: bool,
    pub interruptible: bool,
    pub wake_readers_always: bool,
    pub reserved_1: [u8; 2],
    pub capacity_bytes: u64,
    pub flags: u32,
    pub reserved_2: u32,
}
impl Default for cove_block_options {
    /// All defaults, which are zeros.
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_block_view {
    pub data: *mut c_void,
    pub length_bytes: u64,
    pub capacity_bytes: u64,
    pub version: u64,
    pub held: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_block_info {
    pub capacity_bytes: u64,
    pub length_bytes: u64,
    pub version: u64,
    pub flags: u32,
    pub slot_count: u32,
    pub lifetime: cove_lifetime,
    pub is_owner: bool,
    pub is_read_only: bool,
    pub is_removed: bool,
    pub is_unrepaired: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_stream_options {
    pub domain: *const c_char,
    pub how: cove_how,
    pub access: cove_access,
    pub lifetime: cove_lifetime,
    pub mode: u32,
    pub slots: u32,
    pub size_rule: cove_size_rule,
    pub reserved_0: u32,
    pub type_name: *const c_char,
    pub schema_hash: u64,
    pub deadline_ns: cove_time_ns,
    pub opened: *mut cove_opened,
    pub prefault: bool,
    pub lock_memory: bool,
    pub huge_pages: bool,
    pub trust_any_owner: bool,
    pub interruptible: bool,
    pub wake_readers_always: bool,
    pub reserved_1: [u8; 2],
    pub type_: cove_type,
    pub element_bytes: u32,
    pub capacity_bytes: u64,
    pub depth: u32,
    pub loans: u32,
    pub borrows: u32,
    pub flags: u32,
    pub follow: cove_follow,
    pub start: cove_start,
}
impl Default for cove_stream_options {
    /// All defaults, which are zeros.
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_stream_info {
    pub type_: cove_type,
    pub element_bytes: u32,
    pub capacity_bytes: u64,
    pub depth: u32,
    pub loans: u32,
    pub borrows: u32,
    pub flags: u32,
    pub buffer_bytes: u64,
    pub memory_bytes: u64,
    pub newest_sequence: u64,
    pub next_sequence: u64,
    pub slot_count: u32,
    pub lifetime: cove_lifetime,
    pub is_owner: bool,
    pub is_read_only: bool,
    pub is_removed: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_queue_options {
    pub domain: *const c_char,
    pub how: cove_how,
    pub access: cove_access,
    pub lifetime: cove_lifetime,
    pub mode: u32,
    pub slots: u32,
    pub size_rule: cove_size_rule,
    pub reserved_0: u32,
    pub type_name: *const c_char,
    pub schema_hash: u64,
    pub deadline_ns: cove_time_ns,
    pub opened: *mut cove_opened,
    pub prefault: bool,
    pub lock_memory: bool,
    pub huge_pages: bool,
    pub trust_any_owner: bool,
    pub interruptible: bool,
    pub wake_readers_always: bool,
    pub reserved_1: [u8; 2],
    pub type_: cove_type,
    pub element_bytes: u32,
    pub capacity_bytes: u64,
    pub depth: u32,
    pub loans: u32,
    pub holds: u32,
    pub flags: u32,
    pub max_deliveries: u32,
    pub reserved_2: u32,
    pub dead_letter: *const c_char,
}
impl Default for cove_queue_options {
    /// All defaults, which are zeros.
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_message {
    pub data: *const c_void,
    pub length_bytes: u64,
    pub count: u64,
    pub type_: cove_type,
    pub deliveries: u32,
    pub sequence: u64,
    pub tag: u64,
    pub time_ns: cove_time_ns,
    pub held: [u64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_queue_info {
    pub type_: cove_type,
    pub element_bytes: u32,
    pub capacity_bytes: u64,
    pub depth: u32,
    pub loans: u32,
    pub holds: u32,
    pub flags: u32,
    pub max_deliveries: u32,
    pub dead_letter: [c_char; COVE_NAME_MAX + 1],
    pub buffer_bytes: u64,
    pub memory_bytes: u64,
    pub ready_count: u64,
    pub in_flight_count: u64,
    pub pushed_count: u64,
    pub delivered_count: u64,
    pub redelivered_count: u64,
    pub dropped_count: u64,
    pub dead_letter_count: u64,
    pub slot_count: u32,
    pub lifetime: cove_lifetime,
    pub is_owner: bool,
    pub is_read_only: bool,
    pub is_removed: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_call_options {
    pub domain: *const c_char,
    pub how: cove_how,
    pub access: cove_access,
    pub lifetime: cove_lifetime,
    pub mode: u32,
    pub slots: u32,
    pub size_rule: cove_size_rule,
    pub reserved_0: u32,
    pub type_name: *const c_char,
    pub schema_hash: u64,
    pub deadline_ns: cove_time_ns,
    pub opened: *mut cove_opened,
    pub prefault: bool,
    pub lock_memory: bool,
    pub huge_pages: bool,
    pub trust_any_owner: bool,
    pub interruptible: bool,
    pub wake_readers_always: bool,
    pub reserved_1: [u8; 2],
    pub request_bytes: u64,
    pub reply_bytes: u64,
    pub depth: u32,
    pub max_deliveries: u32,
    pub dead_letter: *const c_char,
}
impl Default for cove_call_options {
    /// All defaults, which are zeros.
    fn default() -> Self {
        unsafe { core::mem::zeroed() }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_reply {
    pub data: *mut c_void,
    pub room_bytes: u64,
    pub length_bytes: u64,
    pub status: i32,
    pub deliveries: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_request {
    pub data: *const c_void,
    pub length_bytes: u64,
    pub correlation: u64,
    pub client: u64,
    pub deliveries: u32,
    pub reserved_0: u32,
    pub deadline_ns: cove_time_ns,
    pub reply_bytes: u64,
    pub message: cove_message,
    pub held: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_object_info {
    pub name: [c_char; COVE_NAME_MAX + 1],
    pub state: cove_result,
    pub file_bytes: u64,
    pub allocated_bytes: u64,
    pub owner_uid: u32,
    pub mode: u32,
    pub kind: cove_kind,
    pub lifetime: cove_lifetime,
    pub object_bytes: u64,
    pub layout_major: u32,
    pub layout_minor: u32,
    pub creator_version: [c_char; 16],
    pub type_name: [c_char; 64],
    pub schema_hash: u64,
    pub id: [u8; 16],
    pub created_unix_ns: u64,
    pub created_before_boot: bool,
    pub slot_count: u32,
    pub live_count: u32,
    pub dead_count: u32,
    pub has_readers: bool,
    pub has_owner: bool,
    pub owner_slot: u32,
    pub capacity_bytes: u64,
    pub length_bytes: u64,
    pub version: u64,
    pub is_single_copy: bool,
    pub is_unrepaired: bool,
    pub type_: cove_type,
    pub element_bytes: u32,
    pub depth: u32,
    pub loans: u32,
    pub borrows: u32,
    pub borrowed_count: u32,
    pub newest_sequence: u64,
    pub writer_count: u32,
    pub has_only_writer: bool,
    pub keeps_times: bool,
    pub holds: u32,
    pub max_deliveries: u32,
    pub dead_letter: [c_char; COVE_NAME_MAX + 1],
    pub consumer_count: u32,
    pub ready_count: u64,
    pub in_flight_count: u64,
    pub delivered_count: u64,
    pub redelivered_count: u64,
    pub dropped_count: u64,
    pub dead_letter_count: u64,
    pub oldest_age_ns: u64,
    pub drops_oldest: bool,
    pub has_only_consumer: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_attachment_info {
    pub slot: u32,
    pub generation: u32,
    pub is_alive: bool,
    pub is_owner: bool,
    pub pid: u32,
    pub pid_namespace: u64,
    pub same_pid_namespace: bool,
    pub program: [c_char; 17],
    pub since_unix_ns: u64,
    pub is_writing: bool,
    pub reading_count: u32,
    pub is_writer: bool,
    pub is_reader: bool,
    pub is_awaited: bool,
    pub behind_count: u64,
    pub borrowed_count: u32,
    pub has_bell: bool,
    pub is_consumer: bool,
    pub taken_count: u32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct cove_domain_info {
    pub path: [c_char; 4096],
    pub file_system: [c_char; 24],
    pub owner_uid: u32,
    pub mode: u32,
    pub default_object_mode: u32,
    pub total_bytes: u64,
    pub free_bytes: u64,
}

pub type cove_gc_fn = Option<unsafe extern "C" fn(context: *mut c_void, name: *const c_char, size_bytes: u64, outcome: cove_result)>;
pub type cove_block_fn = Option<unsafe extern "C" fn(context: *mut c_void, block: *mut cove_block)>;
pub type cove_stream_fn = Option<unsafe extern "C" fn(context: *mut c_void, stream: *mut cove_stream)>;
pub type cove_queue_fn = Option<unsafe extern "C" fn(context: *mut c_void, queue: *mut cove_queue)>;
pub type cove_serve_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, request: *const cove_request, reply: *mut c_void, out_reply_bytes: *mut u64) -> i32>;
pub type cove_inspect_fn = Option<unsafe extern "C" fn(context: *mut c_void, info: *const cove_object_info) -> bool>;
pub type cove_inspect_attachment_fn = Option<unsafe extern "C" fn(context: *mut c_void, info: *const cove_attachment_info) -> bool>;

extern "C" {
    pub fn cove_version() -> *const c_char;
    pub fn cove_result_name(result: cove_result) -> *const c_char;
    pub fn cove_result_text(result: cove_result) -> *const c_char;
    pub fn cove_result_to_errno(result: cove_result) -> c_int;
    pub fn cove_last_error() -> *const cove_error;
    pub fn cove_now() -> cove_time_ns;
    pub fn cove_in_ms(milliseconds: u64) -> cove_time_ns;
    pub fn cove_domain_create(path: *const c_char, mode: u32) -> cove_result;
    pub fn cove_domain_path(domain: *const c_char, out_path: *mut c_char, size_bytes: usize) -> cove_result;
    pub fn cove_remove(domain: *const c_char, name: *const c_char, flags: u32) -> cove_result;
    pub fn cove_wait_for_name(domain: *const c_char, name: *const c_char, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_gc(
        domain: *const c_char,
        flags: u32,
        each: cove_gc_fn,
        context: *mut c_void,
        out_report: *mut cove_gc_report,
    ) -> cove_result;
    pub fn cove_name_escape(prefix: *const c_char, key: *const c_void, length_bytes: usize, out_name: *mut c_char) -> cove_result;
    pub fn cove_name_unescape(
        prefix: *const c_char,
        name: *const c_char,
        out_key: *mut c_void,
        out_length_bytes: *mut usize,
    ) -> cove_result;
    pub fn cove_type_label(type_: cove_type) -> *const c_char;
    pub fn cove_type_of_label(label: *const c_char) -> cove_type;
    pub fn cove_type_bytes(type_: cove_type) -> u32;
    pub fn cove_block_open_sized(
        out_block: *mut *mut cove_block,
        name: *const c_char,
        options: *const cove_block_options,
        options_bytes: usize,
    ) -> cove_result;
    pub fn cove_block_close(block: *mut cove_block);
    pub fn cove_block_set(block: *mut cove_block, data: *const c_void, size_bytes: u64, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_block_get(
        block: *mut cove_block,
        out_data: *mut c_void,
        size_bytes: u64,
        out_length_bytes: *mut u64,
        out_version: *mut u64,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_block_lock_read(block: *mut cove_block, view: *mut cove_block_view, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_block_lock_write(block: *mut cove_block, view: *mut cove_block_view, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_block_unlock(block: *mut cove_block, view: *mut cove_block_view) -> cove_result;
    pub fn cove_block_abandon(block: *mut cove_block, view: *mut cove_block_view) -> cove_result;
    pub fn cove_block_mark_repaired(block: *mut cove_block, view: *mut cove_block_view) -> cove_result;
    pub fn cove_block_data(block: *mut cove_block, out_data: *mut *mut c_void) -> cove_result;
    pub fn cove_block_version(block: *mut cove_block) -> u64;
    pub fn cove_block_wait(block: *mut cove_block, version: u64, deadline_ns: cove_time_ns, out_version: *mut u64) -> cove_result;
    pub fn cove_block_fd(block: *mut cove_block, out_fd: *mut c_int) -> cove_result;
    pub fn cove_block_on_change(block: *mut cove_block, function: cove_block_fn, context: *mut c_void) -> cove_result;
    pub fn cove_block_notify(block: *mut cove_block) -> cove_result;
    pub fn cove_block_interrupt(block: *mut cove_block);
    pub fn cove_block_own(block: *mut cove_block) -> cove_result;
    pub fn cove_block_disown(block: *mut cove_block) -> cove_result;
    pub fn cove_block_retire(block: *mut cove_block) -> cove_result;
    pub fn cove_block_remove(block: *mut cove_block) -> cove_result;
    pub fn cove_block_is_removed(block: *const cove_block) -> bool;
    pub fn cove_block_get_info(block: *mut cove_block, out_info: *mut cove_block_info) -> cove_result;
    pub fn cove_stream_open_sized(
        out_stream: *mut *mut cove_stream,
        name: *const c_char,
        options: *const cove_stream_options,
        options_bytes: usize,
    ) -> cove_result;
    pub fn cove_stream_close(stream: *mut cove_stream);
    pub fn cove_stream_write(
        stream: *mut cove_stream,
        data: *const c_void,
        size_bytes: u64,
        tag: u64,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_stream_write_as(
        stream: *mut cove_stream,
        type_: cove_type,
        data: *const c_void,
        size_bytes: u64,
        tag: u64,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_stream_loan(stream: *mut cove_stream, size_bytes: u64, out_loan: *mut cove_loan, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_stream_publish(stream: *mut cove_stream, loan: *mut cove_loan, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_stream_discard(stream: *mut cove_stream, loan: *mut cove_loan) -> cove_result;
    pub fn cove_stream_read(
        stream: *mut cove_stream,
        out_data: *mut c_void,
        size_bytes: u64,
        out_value: *mut cove_value,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_stream_read_as(
        stream: *mut cove_stream,
        type_: cove_type,
        out_data: *mut c_void,
        size_bytes: u64,
        out_value: *mut cove_value,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_stream_borrow(stream: *mut cove_stream, out_value: *mut cove_value, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_stream_give_back(stream: *mut cove_stream, value: *mut cove_value) -> cove_result;
    pub fn cove_stream_seek(stream: *mut cove_stream, start: cove_start) -> cove_result;
    pub fn cove_stream_wait(stream: *mut cove_stream, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_stream_writers(stream: *mut cove_stream, out_count: *mut u32) -> cove_result;
    pub fn cove_stream_wait_writers(stream: *mut cove_stream, count: u32, deadline_ns: cove_time_ns, out_count: *mut u32) -> cove_result;
    pub fn cove_stream_fd(stream: *mut cove_stream, out_fd: *mut c_int) -> cove_result;
    pub fn cove_stream_on_change(stream: *mut cove_stream, function: cove_stream_fn, context: *mut c_void) -> cove_result;
    pub fn cove_stream_interrupt(stream: *mut cove_stream);
    pub fn cove_stream_own(stream: *mut cove_stream) -> cove_result;
    pub fn cove_stream_disown(stream: *mut cove_stream) -> cove_result;
    pub fn cove_stream_retire(stream: *mut cove_stream) -> cove_result;
    pub fn cove_stream_remove(stream: *mut cove_stream) -> cove_result;
    pub fn cove_stream_is_removed(stream: *const cove_stream) -> bool;
    pub fn cove_stream_get_info(stream: *mut cove_stream, out_info: *mut cove_stream_info) -> cove_result;
    pub fn cove_queue_open_sized(
        out_queue: *mut *mut cove_queue,
        name: *const c_char,
        options: *const cove_queue_options,
        options_bytes: usize,
    ) -> cove_result;
    pub fn cove_queue_close(queue: *mut cove_queue);
    pub fn cove_queue_push(
        queue: *mut cove_queue,
        data: *const c_void,
        size_bytes: u64,
        tag: u64,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_push_as(
        queue: *mut cove_queue,
        type_: cove_type,
        data: *const c_void,
        size_bytes: u64,
        tag: u64,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_push_many(
        queue: *mut cove_queue,
        messages: *const cove_message,
        count: u32,
        out_count: *mut u32,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_reserve(queue: *mut cove_queue, size_bytes: u64, out_loan: *mut cove_loan, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_queue_commit(queue: *mut cove_queue, loan: *mut cove_loan, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_queue_abandon(queue: *mut cove_queue, loan: *mut cove_loan) -> cove_result;
    pub fn cove_queue_pop(
        queue: *mut cove_queue,
        out_data: *mut c_void,
        size_bytes: u64,
        out_message: *mut cove_message,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_pop_many(
        queue: *mut cove_queue,
        out_data: *mut c_void,
        size_bytes: u64,
        out_messages: *mut cove_message,
        most: u32,
        out_count: *mut u32,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_take(queue: *mut cove_queue, out_message: *mut cove_message, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_queue_done(queue: *mut cove_queue, message: *mut cove_message) -> cove_result;
    pub fn cove_queue_put_back(queue: *mut cove_queue, message: *mut cove_message) -> cove_result;
    pub fn cove_queue_peek(
        queue: *mut cove_queue,
        out_data: *mut c_void,
        size_bytes: u64,
        out_message: *mut cove_message,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_wait(queue: *mut cove_queue, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_queue_members(queue: *mut cove_queue, out_producers: *mut u32, out_consumers: *mut u32) -> cove_result;
    pub fn cove_queue_wait_members(
        queue: *mut cove_queue,
        in_out_producers: *mut u32,
        in_out_consumers: *mut u32,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_queue_fd(queue: *mut cove_queue, out_fd: *mut c_int) -> cove_result;
    pub fn cove_queue_on_change(queue: *mut cove_queue, function: cove_queue_fn, context: *mut c_void) -> cove_result;
    pub fn cove_queue_interrupt(queue: *mut cove_queue);
    pub fn cove_queue_own(queue: *mut cove_queue) -> cove_result;
    pub fn cove_queue_disown(queue: *mut cove_queue) -> cove_result;
    pub fn cove_queue_retire(queue: *mut cove_queue) -> cove_result;
    pub fn cove_queue_remove(queue: *mut cove_queue) -> cove_result;
    pub fn cove_queue_is_removed(queue: *const cove_queue) -> bool;
    pub fn cove_queue_get_info(queue: *mut cove_queue, out_info: *mut cove_queue_info) -> cove_result;
    pub fn cove_client_open_sized(
        out_client: *mut *mut cove_client,
        name: *const c_char,
        options: *const cove_call_options,
        options_bytes: usize,
    ) -> cove_result;
    pub fn cove_client_close(client: *mut cove_client);
    pub fn cove_call(
        client: *mut cove_client,
        request: *const c_void,
        request_bytes: u64,
        reply: *mut cove_reply,
        deadline_ns: cove_time_ns,
    ) -> cove_result;
    pub fn cove_client_interrupt(client: *mut cove_client);
    pub fn cove_server_open_sized(
        out_server: *mut *mut cove_server,
        name: *const c_char,
        options: *const cove_call_options,
        options_bytes: usize,
    ) -> cove_result;
    pub fn cove_server_close(server: *mut cove_server);
    pub fn cove_serve(server: *mut cove_server, function: cove_serve_fn, context: *mut c_void, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_server_take(server: *mut cove_server, out_request: *mut cove_request, deadline_ns: cove_time_ns) -> cove_result;
    pub fn cove_server_reply(
        server: *mut cove_server,
        request: *mut cove_request,
        status: i32,
        data: *const c_void,
        size_bytes: u64,
    ) -> cove_result;
    pub fn cove_server_put_back(server: *mut cove_server, request: *mut cove_request) -> cove_result;
    pub fn cove_server_fd(server: *mut cove_server, out_fd: *mut c_int) -> cove_result;
    pub fn cove_server_interrupt(server: *mut cove_server);
    pub fn cove_kind_name(kind: cove_kind) -> *const c_char;
    pub fn cove_lifetime_name(lifetime: cove_lifetime) -> *const c_char;
    pub fn cove_inspect_domain(domain: *const c_char, out_info: *mut cove_domain_info) -> cove_result;
    pub fn cove_inspect_list(domain: *const c_char, each: cove_inspect_fn, context: *mut c_void) -> cove_result;
    pub fn cove_inspect_object(domain: *const c_char, name: *const c_char, out_info: *mut cove_object_info) -> cove_result;
    pub fn cove_inspect_attachments(
        domain: *const c_char,
        name: *const c_char,
        each: cove_inspect_attachment_fn,
        context: *mut c_void,
    ) -> cove_result;
}

/// As in C, where these are inline: the size of the options says which version of them is meant.
macro_rules! open {
    ($($name:ident $sized:ident $handle:ident $options:ident;)*) => {$(
        /// # Safety
        /// `out` may be written, `name` is a C string, and `options` is null or valid.
        pub unsafe fn $name(out: *mut *mut $handle, name: *const c_char, options: *const $options) -> cove_result {
            $sized(out, name, options, core::mem::size_of::<$options>())
        }
    )*};
}
open! {
    cove_block_open cove_block_open_sized cove_block cove_block_options;
    cove_stream_open cove_stream_open_sized cove_stream cove_stream_options;
    cove_queue_open cove_queue_open_sized cove_queue cove_queue_options;
    cove_client_open cove_client_open_sized cove_client cove_call_options;
    cove_server_open cove_server_open_sized cove_server cove_call_options;
}
