//! A message from one process to another: `cargo run --example message-passing -- send hello`, and beside it `… -- receive`.

use shmem_box as shmem;
use std::mem;
use std::sync::atomic::{AtomicU32, AtomicU8, Ordering};
use std::time::Duration;

/// All atomics: two processes look at it at once.
#[repr(C)]
struct Message {
    is_there: AtomicU32,
    length: AtomicU32,
    text: [AtomicU8; 56],
}

fn main() -> Result<(), shmem::ShmemError> {
    let arguments: Vec<String> = std::env::args().collect();
    let shared_mem = shmem::Builder::new("message").with_size(mem::size_of::<Message>() as i64).open()?;
    let message = unsafe { shared_mem.boxed::<Message>() };
    match arguments.get(1).map(String::as_str) {
        Some("send") => {
            let text = arguments.get(2).map_or("hello", String::as_str).as_bytes();
            let length = text.len().min(message.text.len());
            for (to, from) in message.text.iter().zip(text) {
                to.store(*from, Ordering::Relaxed);
            }
            message.length.store(length as u32, Ordering::Relaxed);
            message.is_there.store(1, Ordering::Release);
            while message.is_there.load(Ordering::Acquire) == 1 {
                std::thread::sleep(Duration::from_millis(1));
            }
            println!("it has arrived");
        }
        _ => {
            while message.is_there.load(Ordering::Acquire) == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let length = message.length.load(Ordering::Relaxed) as usize;
            let text: Vec<u8> = message.text.iter().take(length).map(|b| b.load(Ordering::Relaxed)).collect();
            println!("{}", String::from_utf8_lossy(&text));
            message.is_there.store(2, Ordering::Release);
        }
    }
    Ok(())
}
