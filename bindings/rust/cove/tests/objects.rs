//! Objects between threads, and between processes that are killed.

use cove::{sys, Block, Deadline, Follow, Lifetime, LockError, Queue, Shareable, SharedBox, Start, Stream};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command};
use std::time::Duration;

const NOW: Deadline = Deadline::AT_ONCE;
const EVER: Deadline = Deadline::FOREVER;

/// A domain of its own for a test, gone with it.
struct Domain(String);
impl Domain {
    fn new(test: &str) -> Self {
        let path = format!("/dev/shm/cove-rust-{}-{test}", std::process::id());
        let c = std::ffi::CString::new(path.as_str()).unwrap();
        assert_eq!(unsafe { sys::cove_domain_create(c.as_ptr(), 0) }, sys::COVE_OK);
        Self(path)
    }
    fn count(&self) -> usize {
        std::fs::read_dir(&self.0).unwrap().count()
    }
}
impl Drop for Domain {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// This very program again, to do only what `child` says for that test; it says "ready" by a file.
fn start(test: &str, domain: &Domain) -> Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("COVE_TEST_CHILD", &domain.0)
        .spawn()
        .unwrap();
    while !std::path::Path::new(&format!("{}/.ready", domain.0)).exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::fs::remove_file(format!("{}/.ready", domain.0)).unwrap();
    child
}
fn child() -> Option<String> {
    std::env::var("COVE_TEST_CHILD").ok()
}
fn ready_and_wait_for_the_end(domain: &str) -> ! {
    std::fs::write(format!("{domain}/.ready"), "").unwrap();
    loop {
        std::thread::park();
    }
}
fn kill(mut child: Child) {
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pose {
    x: f64,
    id: u32, // and padding
}
unsafe impl Shareable for Pose {}

#[test]
fn a_box_is_set_got_and_edited() {
    let d = Domain::new("box");
    let a: SharedBox<Pose> = SharedBox::options().domain(&d.0).open("p").unwrap();
    let b: SharedBox<Pose> = SharedBox::options().domain(&d.0).open("p").unwrap();
    assert_eq!(a.get(NOW).unwrap(), Pose { x: 0.0, id: 0 }); // nobody has set it
    assert_eq!(*b.lock_read(NOW).unwrap(), Pose { x: 0.0, id: 0 });
    let version = b.version();
    a.set(&Pose { x: 1.0, id: 2 }, EVER).unwrap();
    assert_eq!(b.wait(version, EVER).unwrap(), Some(version + 1));
    assert_eq!(b.wait(version + 1, Duration::from_millis(1).into()).unwrap(), None);
    {
        let mut edit = b.lock_write(EVER).unwrap();
        edit.x += 10.0;
        assert_eq!(a.get(NOW).unwrap().x, 1.0); // not yet
    }
    assert_eq!(a.get(NOW).unwrap(), Pose { x: 11.0, id: 2 });
    let mut edit = b.lock_write(EVER).unwrap();
    edit.x = 99.0;
    edit.abandon().unwrap();
    assert_eq!(a.get(NOW).unwrap().x, 11.0);
    let refused: Result<SharedBox<[u64; 3]>, _> = SharedBox::options().domain(&d.0).open("p");
    assert_eq!(refused.err().unwrap().code(), sys::COVE_ERR_SIZE);
    drop((a, b));
    assert_eq!(d.count(), 0);
}

#[test]
fn a_panic_that_passes_abandons_the_edit() {
    let d = Domain::new("panic");
    let b: SharedBox<u64> = SharedBox::options().domain(&d.0).open("b").unwrap();
    b.set(&1, EVER).unwrap();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut edit = b.lock_write(EVER).unwrap();
        *edit = 2;
        panic!("on purpose");
    }));
    assert!(caught.is_err());
    assert_eq!(b.get(NOW).unwrap(), 1);
}

#[test]
fn blocks_hold_bytes_of_any_length() {
    let d = Domain::new("block");
    let block = Block::options().domain(&d.0).capacity(10).open("b").unwrap();
    assert_eq!(block.get_vec(NOW).unwrap(), b"");
    block.set(b"hello", EVER).unwrap();
    assert_eq!(block.get_vec(NOW).unwrap(), b"hello");
    assert_eq!(&*block.lock_read(NOW).unwrap(), b"hello");
    assert_eq!(block.set(&[0; 11], EVER).unwrap_err().code(), sys::COVE_ERR_SIZE);
    assert_eq!(block.get(&mut [0; 4], EVER).unwrap_err().code(), sys::COVE_ERR_SIZE);
    {
        let mut edit = block.lock_write(EVER).unwrap();
        edit[0] = b'J';
        edit.resize(7);
        edit[6] = b'!';
    }
    assert_eq!(block.get_vec(NOW).unwrap(), b"Jello\0!");
    block.lock_write(EVER).unwrap().resize(0);
    assert_eq!(&*block.lock_read(NOW).unwrap(), b"");
}

#[test]
fn failures_name_the_object_and_become_io_errors() {
    let d = Domain::new("fail");
    let e = Block::options().domain(&d.0).existing().open("none").err().unwrap();
    assert_eq!((e.code(), e.name()), (sys::COVE_ERR_NOT_FOUND, "COVE_ERR_NOT_FOUND"));
    assert!(e.to_string().contains("'none'"), "{e}");
    assert_eq!(std::io::Error::from(e).kind(), std::io::ErrorKind::NotFound);
    assert_eq!(Block::options().domain(&d.0).open("a\0b").err().unwrap().code(), sys::COVE_ERR_NAME);
    let b = Block::options().domain(&d.0).capacity(8).open("b").unwrap();
    let reader = Block::options().domain(&d.0).read_only().open("b").unwrap();
    assert_eq!(reader.set(b"x", NOW).unwrap_err().code(), sys::COVE_ERR_ACCESS);
    b.set(b"x", NOW).unwrap();
    assert_eq!(reader.get_vec(NOW).unwrap(), b"x");
}

#[test]
fn the_owner_died() {
    if let Some(domain) = child() {
        let b: SharedBox<u64> = SharedBox::options().domain(&domain).single_copy().open("b").unwrap();
        let mut edit = b.lock_write(EVER).unwrap();
        *edit = 666;
        ready_and_wait_for_the_end(&domain);
    }
    let d = Domain::new("died");
    let b: SharedBox<u64> = SharedBox::options().domain(&d.0).single_copy().open("b").unwrap();
    b.set(&1, EVER).unwrap();
    kill(start("the_owner_died", &d));
    assert_eq!(b.get(NOW).unwrap_err().code(), sys::COVE_ERR_UNREPAIRED);
    assert!(matches!(b.lock_read(EVER), Err(LockError::OwnerDied(_))));
    match b.lock_write(EVER) {
        Err(LockError::OwnerDied(died)) => {
            assert!(died.to_string().contains("killed"));
            let mut edit = died.into_inner();
            assert_eq!(*edit, 666);
            *edit = 2;
            edit.mark_repaired().unwrap();
        }
        _ => panic!("no OwnerDied"),
    }
    assert_eq!(b.get(NOW).unwrap(), 2);
    assert!(b.lock_read(EVER).is_ok());
}

#[test]
fn owners_come_and_go() {
    let d = Domain::new("own");
    let a: SharedBox<u8> = SharedBox::options().domain(&d.0).lifetime(Lifetime::WhileOwned).open("o").unwrap();
    let b: SharedBox<u8> = SharedBox::options().domain(&d.0).lifetime(Lifetime::WhileOwned).open("o").unwrap();
    assert_eq!(b.disown().unwrap_err().code(), sys::COVE_ERR_NOT_OWNER);
    b.own().unwrap();
    b.disown().unwrap();
    a.own().unwrap();
    a.retire().unwrap();
    assert!(b.is_removed());
    assert_eq!(b.own().unwrap_err().code(), sys::COVE_ERR_GONE);
}

#[test]
fn streams_carry_values_to_every_reader() {
    let d = Domain::new("stream");
    let writer: Stream<Pose> = Stream::options().domain(&d.0).depth(4).open("s").unwrap();
    let reader: Stream<Pose> = Stream::options().domain(&d.0).start(Start::New).open("s").unwrap();
    let lossless: Stream<Pose> = Stream::options().domain(&d.0).follow(Follow::Lossless).open("s").unwrap();
    assert!(reader.read(NOW).unwrap().is_none() && !reader.wait(NOW).unwrap());
    writer.write_tagged(&[Pose { x: 1.0, id: 1 }], 7, EVER).unwrap();
    let item = reader.read(EVER).unwrap().unwrap();
    assert_eq!((item.data.id, item.tag, item.sequence, item.missed_count), (1, 7, 1, 0));
    let mut loan = writer.loan(1, EVER).unwrap();
    loan[0] = Pose { x: 2.0, id: 2 };
    loan.tag(8);
    loan.publish(EVER).unwrap();
    drop(writer.loan(1, EVER).unwrap()); // is nothing
    let kept = reader.borrow(EVER).unwrap().unwrap();
    assert_eq!((kept[0].id, kept.tag(), kept.sequence()), (2, 8, 2));
    for id in 3..5 {
        writer.write(&Pose { x: 0.0, id }, EVER).unwrap();
    }
    let full = writer.write(&Pose { x: 0.0, id: 5 }, Duration::from_millis(1).into()).unwrap_err();
    assert_eq!(full.code(), sys::COVE_ERR_FULL); // the lossless one is waited for
    assert_eq!((1..5).map(|_| lossless.read(NOW).unwrap().unwrap().data.id).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(kept[0].id, 2);
    drop(kept);
    assert_eq!(writer.writers().unwrap(), 1);
    let wrong: Result<Stream<f32>, _> = Stream::options().domain(&d.0).open("s");
    assert_eq!(wrong.err().unwrap().code(), sys::COVE_ERR_TYPE);
}

#[test]
fn a_descriptor_tells_of_what_has_come() {
    let d = Domain::new("watch");
    let writer: Stream<u32> = Stream::options().domain(&d.0).open("s").unwrap();
    let reader: Stream<u32> = Stream::options().domain(&d.0).open("s").unwrap();
    let watch = reader.watch().unwrap();
    assert_eq!(watch.as_fd().as_raw_fd(), watch.as_raw_fd());
    while reader.read(NOW).unwrap().is_some() {}
    #[repr(C)]
    struct PollFd(i32, i16, i16);
    extern "C" {
        fn poll(fds: *mut PollFd, count: std::ffi::c_ulong, timeout_ms: i32) -> i32;
    }
    let wait = |ms| unsafe { poll(&mut PollFd(watch.as_raw_fd(), 1, 0), 1, ms) };
    wait(0);
    std::thread::scope(|s| {
        s.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            writer.write(&5, EVER).unwrap();
        });
        assert_eq!(wait(5000), 1);
    });
    assert_eq!(reader.read(EVER).unwrap().unwrap().data, 5);
}

#[test]
fn handles_are_shared_between_threads() {
    let d = Domain::new("threads");
    let counter: SharedBox<u64> = SharedBox::options().domain(&d.0).single_copy().open("c").unwrap();
    let queue: Queue<u32> = Queue::options().domain(&d.0).open("q").unwrap();
    std::thread::scope(|s| {
        for t in 0..4 {
            let (counter, queue) = (&counter, &queue);
            s.spawn(move || {
                for i in 0..1000 {
                    *counter.lock_write(EVER).unwrap() += 1;
                    assert!(queue.push(&(t * 1000 + i), EVER).unwrap());
                }
            });
        }
        let mut seen = vec![false; 4000];
        for _ in 0..4000 {
            let i = queue.pop(EVER).unwrap().unwrap().data as usize;
            assert!(!std::mem::replace(&mut seen[i], true));
        }
    });
    assert_eq!(counter.get(NOW).unwrap(), 4000);
}

#[test]
fn a_task_of_a_dead_process_comes_again() {
    if let Some(domain) = child() {
        let jobs: Queue<u32> = Queue::options().domain(&domain).open("q").unwrap();
        let task = jobs.take(EVER).unwrap().unwrap();
        assert_eq!(*task, [42, 43]);
        ready_and_wait_for_the_end(&domain);
    }
    let d = Domain::new("task");
    let jobs: Queue<u32> = Queue::options().domain(&d.0).most(2).depth(2).open("q").unwrap();
    assert!(jobs.push_slice(&[42, 43], EVER).unwrap());
    let child = start("a_task_of_a_dead_process_comes_again", &d);
    assert!(jobs.take(NOW).unwrap().is_none());
    kill(child);
    let task = jobs.take(Duration::from_secs(5).into()).unwrap().unwrap();
    assert_eq!((&*task, task.deliveries()), (&[42, 43][..], 2));
    drop(task); // put back
    let task = jobs.take(NOW).unwrap().unwrap();
    assert_eq!(task.deliveries(), 3);
    task.done().unwrap();
    let mut loan = jobs.reserve(1, EVER).unwrap();
    loan[0] = 1;
    assert!(loan.commit(EVER).unwrap());
    assert!(jobs.push(&2, NOW).unwrap() && !jobs.push(&3, NOW).unwrap()); // full
    assert_eq!(jobs.pop(NOW).unwrap().unwrap().data, 1);
    assert_eq!(jobs.pop(NOW).unwrap().unwrap().data, 2);
    assert!(!jobs.wait(NOW).unwrap());
}

#[test]
fn values_are_whole_whoever_is_killed() {
    if let Some(domain) = child() {
        let b: SharedBox<[u64; 64]> = SharedBox::options().domain(&domain).open("b").unwrap();
        std::fs::write(format!("{domain}/.ready"), "").unwrap();
        for i in 1.. {
            b.set(&[i; 64], EVER).unwrap();
        }
    }
    let d = Domain::new("whole");
    let b: SharedBox<[u64; 64]> = SharedBox::options().domain(&d.0).open("b").unwrap();
    for _ in 0..20 {
        let child = start("values_are_whole_whoever_is_killed", &d);
        for _ in 0..1000 {
            let value = b.get(EVER).unwrap();
            assert!(value.iter().all(|&v| v == value[0]));
        }
        kill(child);
        b.set(&[0; 64], Duration::from_secs(1).into()).unwrap();
    }
}

#[test]
fn handles_are_send_and_sync_and_guards_are_neither() {
    fn both<T: Send + Sync>() {}
    both::<Block>();
    both::<SharedBox<Pose>>();
    both::<Stream<Pose>>();
    both::<Queue<u8>>();
    both::<cove::Error>();
}

#[test]
fn what_a_dead_first_writer_has_left_is_shown() {
    if let Some(domain) = child() {
        let b: SharedBox<u64> = SharedBox::options().domain(&domain).single_copy().open("b").unwrap();
        *b.lock_write(EVER).unwrap() = 1; // its end publishes
        let b: SharedBox<u64> = SharedBox::options().domain(&domain).single_copy().open("fresh").unwrap();
        let mut edit = b.lock_write(EVER).unwrap();
        *edit = 77;
        ready_and_wait_for_the_end(&domain);
    }
    let d = Domain::new("fresh");
    let b: SharedBox<u64> = SharedBox::options().domain(&d.0).single_copy().open("fresh").unwrap();
    kill(start("what_a_dead_first_writer_has_left_is_shown", &d));
    match b.lock_write(EVER) {
        Err(LockError::OwnerDied(died)) => assert_eq!(**died.get_ref(), 77),
        _ => panic!("no OwnerDied"),
    };
}

#[test]
fn lengths_that_are_no_t_are_told_and_of_any_number_can_be_read() {
    let d = Domain::new("lengths");
    let bytes = Block::options().domain(&d.0).capacity(8).open("b").unwrap();
    let b: SharedBox<u64> = SharedBox::options().domain(&d.0).open("b").unwrap();
    b.set(&7, EVER).unwrap();
    bytes.set(&[1, 2, 3], EVER).unwrap();
    for result in
        [b.get(EVER).err().map(|e| e.code()), b.lock_read(EVER).err().map(|e| e.code()), b.lock_write(EVER).err().map(|e| e.code())]
    {
        assert_eq!(result, Some(sys::COVE_ERR_SIZE));
    }
    assert_eq!(bytes.get_vec(EVER).unwrap(), [1, 2, 3]);
    bytes.set(&[], EVER).unwrap();
    assert_eq!(b.lock_read(EVER).err().map(|e| e.code()), Some(sys::COVE_ERR_SIZE)); // and not some old value
    assert_eq!(*b.lock_write(EVER).unwrap(), 0);

    let stream: Stream<f32> = Stream::options().domain(&d.0).most(4).open("s").unwrap();
    stream.write_slice(&[1.0, 2.0], EVER).unwrap();
    let e = stream.read(NOW).unwrap_err();
    assert_eq!(e.code(), sys::COVE_ERR_SIZE);
    let reader: Stream<f32> = Stream::options().domain(&d.0).read_only().open("s").unwrap();
    let mut room = [0.0; 4];
    assert_eq!(reader.read_into(&mut room, NOW).unwrap().unwrap().data, 2);
    assert_eq!(room[..2], [1.0, 2.0]);
    assert_eq!(stream.loan(usize::MAX / 2, NOW).err().unwrap().code(), sys::COVE_ERR_SIZE);

    let queue: Queue<u32> = Queue::options().domain(&d.0).most(4).open("q").unwrap();
    queue.push_slice(&[1, 2, 3], EVER).unwrap();
    assert_eq!(queue.pop(NOW).unwrap_err().code(), sys::COVE_ERR_SIZE);
    let mut room = [0; 4];
    assert_eq!(queue.pop_into(&mut room, NOW).unwrap().unwrap().data, 3);
    assert_eq!(room, [1, 2, 3, 0]);
    queue.push_slice(&[], EVER).unwrap();
    let e = queue.pop(NOW).unwrap_err();
    assert!(e.code() == sys::COVE_ERR_SIZE && !e.to_string().contains("'b'"), "{e}");
    // and not about something else
}

#[test]
fn a_loan_may_be_tried_again() {
    let d = Domain::new("again");
    let stream: Stream<u8> = Stream::options().domain(&d.0).depth(1).bytes().open("s").unwrap();
    let reader: Stream<u8> = Stream::options().domain(&d.0).bytes().follow(Follow::Lossless).open("s").unwrap();
    stream.write(&1, EVER).unwrap();
    let mut loan = stream.loan(1, EVER).unwrap();
    loan[0] = 2;
    assert!(!loan.try_publish(NOW).unwrap());
    assert_eq!((loan[0], reader.read(NOW).unwrap().unwrap().data), (2, 1));
    assert!(loan.try_publish(NOW).unwrap() && loan.is_empty());
    assert_eq!(loan.try_publish(NOW).unwrap_err().code(), sys::COVE_ERR_VIEW);
    assert_eq!(reader.read(NOW).unwrap().unwrap().data, 2);
    let refused = Block::options().domain(&d.0).capacity(8).type_name("a\0b", 0).open("t").err().unwrap();
    assert_eq!(refused.code(), sys::COVE_ERR_TYPE);
}
