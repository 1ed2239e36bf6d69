//! The table of ends, item by item, in threads and in processes that are killed.

use shmem_box::{Builder, ShmemBox, ShmemConf, ShmemError};
use std::mem::{align_of, size_of};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

/// The default domain is the process's, so these tests take turns, in one of their own.
static TURN: Mutex<()> = Mutex::new(());
struct Domain {
    path: String,
    _turn: std::sync::MutexGuard<'static, ()>,
}
impl Domain {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(|e| e.into_inner());
        let path = format!("/dev/shm/cove-boxes-{}", std::process::id());
        let c = std::ffi::CString::new(path.as_str()).unwrap();
        assert_eq!(unsafe { cove_sys::cove_domain_create(c.as_ptr(), 0) }, cove_sys::COVE_OK);
        std::env::set_var("COVE_DOMAIN", &path);
        Self { path, _turn: turn }
    }
    fn count(&self) -> usize {
        std::fs::read_dir(&self.path).unwrap().count()
    }
}
impl Drop for Domain {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

fn open(id: &str, size: i64) -> Result<ShmemConf, ShmemError> {
    Builder::new(id).with_size(size).open()
}

/// Counts how often it was dropped, in a place that outlives it.
#[repr(C)]
struct Counted {
    value: u32,
}
static DROPS: AtomicU32 = AtomicU32::new(0);
impl Drop for Counted {
    fn drop(&mut self) {
        DROPS.fetch_add(1, Ordering::SeqCst);
    }
}
fn counted(id: &str) -> ShmemBox<Counted> {
    unsafe { open(id, size_of::<Counted>() as i64).unwrap().boxed() }
}
fn drops() -> u32 {
    DROPS.swap(0, Ordering::SeqCst)
}

#[test]
fn each_end_is_as_in_the_table() {
    let d = Domain::new();
    drops();
    // The owner's box.
    let owner = counted("a");
    let other = counted("a");
    drop(other);
    assert_eq!((drops(), d.count()), (0, 1));
    drop(owner);
    assert_eq!((drops(), d.count()), (1, 0));
    // Leaked, and found again as it was.
    let mut owner = counted("a");
    owner.value = 7;
    ShmemBox::leak(owner);
    assert_eq!((drops(), d.count()), (0, 1));
    let found = counted("a");
    assert_eq!(found.value, 7);
    drop(found);
    assert_eq!((drops(), d.count()), (0, 1));
    let owned = ShmemBox::own(counted("a"));
    drop(owned);
    assert_eq!((drops(), d.count()), (1, 0));
    // Unboxed.
    drop(open("a", 4).unwrap());
    assert_eq!((drops(), d.count()), (0, 0));
}

#[test]
fn two_owners_drop_it_once() {
    let d = Domain::new();
    drops();
    let first = counted("a");
    let second = ShmemBox::own(counted("a"));
    let third = ShmemBox::own(counted("a"));
    std::thread::scope(|s| {
        for b in [first, second, third] {
            s.spawn(move || drop(b));
        }
    });
    assert_eq!((drops(), d.count()), (1, 0));
}

#[test]
fn what_cannot_be_is_refused() {
    let _d = Domain::new();
    assert_eq!(open("a", 0).unwrap_err(), ShmemError::CreateFailedErr);
    assert_eq!(open("a", -1).unwrap_err(), ShmemError::CreateFailedErr);
    assert_eq!(open(&"x".repeat(300), 8).unwrap_err(), ShmemError::CreateFailedErr);
    assert!(matches!(open("huge", i64::MAX), Err(ShmemError::CreateFailedErr | ShmemError::AllocationFailedErr)));
    let conf = open("a", 8).unwrap();
    assert_eq!(open("a", 9).unwrap_err(), ShmemError::CreateFailedErr);
    assert_eq!(open("a", 7).unwrap_err(), ShmemError::CreateFailedErr);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(unsafe { conf.boxed::<[u8; 9]>() }))).is_err());
    #[repr(align(8192))]
    struct Wide([u8; 8192]);
    assert_eq!(align_of::<Wide>(), 8192);
    // Whether memory happens to be aligned so is chance: then it is right.
    let conf = open("wide", 8192).unwrap();
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let b = unsafe { conf.boxed::<Wide>() };
        assert_eq!(&*b as *const Wide as usize % 8192, 0);
        assert_eq!(b.0[8191], 0);
    }));
    assert!(!ShmemError::NullPointerErr.to_string().is_empty() && format!("{:?}", ShmemError::AllocationFailedErr).contains("Allocation"));
    let _: &dyn std::error::Error = &ShmemError::CreateFailedErr;
}
#[test]
fn a_box_is_send_and_sync_as_its_value() {
    fn both<T: Send + Sync>() {}
    both::<ShmemBox<AtomicU32>>();
    let _d = Domain::new();
    let counter: ShmemBox<AtomicU32> = unsafe { open("c", 4).unwrap().boxed() };
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| (0..1000).for_each(|_| _ = counter.fetch_add(1, Ordering::Relaxed)));
        }
    });
    assert_eq!(counter.load(Ordering::Relaxed), 4000);
}

/// A box of a value whose drop panics is closed all the same.
#[test]
fn a_panic_in_the_value_s_drop_leaves_nothing() {
    struct Panics(#[allow(dead_code)] u32);
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    let d = Domain::new();
    let b: ShmemBox<Panics> = unsafe { open("p", 4).unwrap().boxed() };
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(b))).is_err());
    assert_eq!(d.count(), 0);
}

// ---- Other processes.

/// This very program again, to do `act`; it says what it has found on its standard output.
fn start(act: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "act_as_told", "--nocapture"])
        .env("BOXES_ACT", act)
        .stdout(Stdio::piped())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap()
}
fn next_line(child: &mut Child, with: &str) -> String {
    use std::io::Read;
    let mut line = String::new();
    let out = child.stdout.as_mut().unwrap();
    loop {
        let mut byte = [0];
        assert_eq!(out.read(&mut byte).unwrap(), 1, "the child has ended: {line}");
        if byte[0] == b'\n' {
            if line.starts_with(with) {
                return line;
            }
            line.clear();
        } else {
            line.push(byte[0] as char);
        }
    }
}

#[test]
fn act_as_told() {
    let Ok(act) = std::env::var("BOXES_ACT") else { return };
    let conf = open("n", 4).unwrap();
    println!("\nowns {}", format!("{conf:?}").contains("owner: true"));
    let mut b: ShmemBox<u32> = unsafe { conf.boxed() };
    if act == "set" {
        *b = 77;
        println!("set");
    }
    let mut end = String::new();
    std::io::stdin().read_line(&mut end).unwrap(); // or to be killed
    drop(b);
}

#[test]
fn of_many_who_open_at_once_exactly_one_owns() {
    let _d = Domain::new();
    for _ in 0..5 {
        let mut children: Vec<Child> = (0..8).map(|_| start("open")).collect();
        let owners = children.iter_mut().map(|c| next_line(c, "owns")).filter(|l| l == "owns true").count();
        for mut c in children {
            drop(c.stdin.take()); // all end
            c.wait().unwrap();
        }
        assert_eq!(owners, 1);
    }
}

#[test]
fn a_killed_owner_s_memory_is_the_next_opener_s() {
    let d = Domain::new();
    let mut owner = start("set");
    assert_eq!(next_line(&mut owner, "owns"), "owns true");
    next_line(&mut owner, "set");
    let other: ShmemBox<u32> = unsafe { open("n", 4).unwrap().boxed() };
    assert_eq!(*other, 77);
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(*other, 77); // still there
    let next = open("n", 4).unwrap();
    assert!(format!("{next:?}").contains("owner: true"));
    drop(other);
    assert_eq!(d.count(), 1);
    drop(unsafe { next.boxed::<u32>() });
    assert_eq!(d.count(), 0);
}

/// The example, in two processes: it lies beside this test.
#[test]
fn the_example_hands_a_message_from_one_process_to_another() {
    let d = Domain::new();
    let program = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/message-passing");
    let receiver = Command::new(&program).arg("receive").stdout(Stdio::piped()).spawn().unwrap();
    let sender = Command::new(&program).args(["send", "hello there"]).stdout(Stdio::piped()).spawn().unwrap();
    let said = |child: Child| String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(said(receiver), "hello there\n");
    assert_eq!(said(sender), "it has arrived\n");
    assert_eq!(d.count(), 0);
}
