//! A stream from one process to another: `cargo run --example two_processes -- write`, and beside it `… -- read`.

use cove::{Deadline, Stream};
use std::time::Duration;

fn main() -> cove::Result<()> {
    let numbers: Stream<u64> = Stream::options().open("numbers")?;
    match std::env::args().nth(1).as_deref() {
        Some("write") => {
            for n in 1.. {
                numbers.write(&n, Deadline::FOREVER)?;
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Some("read") => {
            while let Some(value) = numbers.read(Duration::from_secs(2).into())? {
                println!("{} ({} missed)", value.data, value.missed_count);
            }
            println!("nobody has written for 2 s");
        }
        _ => eprintln!("usage: two_processes write | read"),
    }
    Ok(())
}
