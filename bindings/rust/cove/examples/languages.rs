//! The member in Rust of tests/languages/: the same as in C and in C++, at once, on the same objects.

use cove::{Deadline, Lifetime, Queue, Shareable, SharedBox, Start, Stream};
use std::time::{Duration, Instant};

#[repr(C)]
#[derive(Clone, Copy)]
struct Sample {
    language: u32,
    number: u32,
    half: f64,
}
unsafe impl Shareable for Sample {}
#[repr(C)]
#[derive(Clone, Copy)]
struct Board {
    count: [u64; 3],
    popped: u64,
}
unsafe impl Shareable for Board {}

const ME: u32 = 2;
const EACH: u32 = 300;

fn check(s: &Sample, next: &mut [u32; 3], exactly: bool) {
    let wanted = &mut next[s.language as usize];
    assert!(s.half == s.number as f64 / 2.0 && if exactly { s.number == *wanted } else { s.number >= *wanted });
    *wanted = s.number + 1;
}

fn main() -> cove::Result<()> {
    let begin = Instant::now();
    let patience = Deadline::after(Duration::from_secs(30));
    let board: SharedBox<Board> = SharedBox::options().lifetime(Lifetime::UntilRemoved).type_name("languages.Board", 0).open("board")?;
    let stream: Stream<Sample> = Stream::options()
        .lifetime(Lifetime::UntilRemoved)
        .type_name("languages.Sample", 1)
        .depth(1024)
        .start(Start::Oldest)
        .open("stream")?;
    let queue: Queue<Sample> =
        Queue::options().lifetime(Lifetime::UntilRemoved).type_name("languages.Sample", 1).depth(1024).open("queue")?;
    for number in 0..EACH {
        let sample = Sample { language: ME, number, half: number as f64 / 2.0 };
        board.lock_write(patience)?.count[ME as usize] += 1;
        stream.write(&sample, patience)?;
        assert!(queue.push(&sample, patience)?);
    }
    let (mut next, mut popped) = ([0; 3], [0; 3]);
    for _ in 0..3 * EACH {
        check(&stream.read(patience)?.expect("a value in time").data, &mut next, true);
    }
    while begin.elapsed() < Duration::from_secs(30) {
        if let Some(message) = queue.pop(Deadline::AT_ONCE)? {
            check(&message.data, &mut popped, false);
            board.lock_write(patience)?.popped += 1;
        } else {
            let b = board.get(patience)?;
            if b.popped == 3 * u64::from(EACH) {
                assert_eq!(b.count, [u64::from(EACH); 3]);
                println!("Rust: well");
                return Ok(());
            }
        }
    }
    panic!("messages are missing");
}
