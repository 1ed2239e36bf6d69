//! What every peer in Rust does: the words of peers/peer.h.

use std::io::{BufRead, Write};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Poll,
    Block,
    InPlace,
    Batch,
}

/// How this run was asked for.
#[derive(Clone)]
pub struct Run {
    pub is_first: bool,
    pub both_ways: bool,
    pub mode: Mode,
    pub size: usize,
    pub name: String,
}

/// One way to send messages. Channel 0 goes there, 1 back.
pub trait Way: Sized {
    const MODES: &'static [Mode];
    /// Everything that both sides need, or why it cannot be had.
    fn open(run: &Run) -> Result<Self, String>;
    fn send(&mut self, channel: usize, data: &[u8]);
    fn receive(&mut self, channel: usize, data: &mut [u8]);
    fn send_in_place(&mut self, _channel: usize, _word: u64) {}
    fn receive_in_place(&mut self, _channel: usize) -> u64 {
        0
    }
}

fn now() -> u64 {
    let mut t = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `t` is there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut t) };
    t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64
}

/// Exchanges that are not told: the other side has only just been told, and the caches are somebody else's.
const AT_FIRST: u64 = 32;

struct Player<W: Way> {
    way: W,
    run: Run,
    room: Vec<u8>,
    at: u64,
}

impl<W: Way> Player<W> {
    fn send(&mut self, channel: usize) -> u64 {
        self.at += 1;
        if self.run.mode == Mode::InPlace {
            self.way.send_in_place(channel, self.at);
        } else {
            let end = self.room.len();
            for from in [0, end / 2 / 8 * 8, end - 8] {
                self.room[from..from + 8].copy_from_slice(&self.at.to_ne_bytes());
            }
            self.way.send(channel, &self.room);
        }
        3 * self.at
    }

    fn receive(&mut self, channel: usize) -> u64 {
        if self.run.mode == Mode::InPlace {
            return 3 * self.way.receive_in_place(channel);
        }
        self.way.receive(channel, &mut self.room);
        let word = |at: usize| u64::from_ne_bytes(self.room[at..at + 8].try_into().unwrap());
        word(0) + word(self.room.len() / 2 / 8 * 8) + word(self.room.len() - 8)
    }

    fn play(&mut self, role: &str, count: u64, out: &mut impl Write) {
        let mut sum = 0u64;
        match role {
            "ping" => {
                let mut each = Vec::with_capacity(count as usize);
                let (mut before, mut received) = (0, 0u64);
                for i in 0..AT_FIRST + count {
                    if i == AT_FIRST {
                        before = now();
                    }
                    sum += self.send(0);
                    received += self.receive(1);
                    if i >= AT_FIRST {
                        let after = now();
                        each.push(after - before);
                        before = after;
                    }
                }
                for ns in each {
                    let _ = write!(out, "{ns} ");
                }
                let _ = writeln!(out, "\n{sum} {received}");
            }
            "pong" => {
                let mut sent = 0u64;
                for _ in 0..AT_FIRST + count {
                    sum += self.receive(0);
                    sent += self.send(1);
                }
                let _ = writeln!(out, "{sum} {sent}");
            }
            "send" => {
                let began = now();
                for _ in 0..count {
                    sum += self.send(0);
                }
                let _ = writeln!(out, "{began} {sum}");
            }
            _ => {
                let _ = writeln!(out, "set");
                let _ = out.flush();
                for _ in 0..count {
                    sum += self.receive(0);
                }
                let _ = writeln!(out, "{} {sum}", now());
            }
        }
    }
}

pub fn main<W: Way>() {
    let words: Vec<String> = std::env::args().collect();
    let [_, role, mode, size, name] = &words[..] else {
        eprintln!(
            "usage: {} ping|pong|send|receive poll|block|in-place|batch SIZE NAME",
            words[0]
        );
        std::process::exit(2);
    };
    let mode = match mode.as_str() {
        "poll" => Mode::Poll,
        "block" => Mode::Block,
        "in-place" => Mode::InPlace,
        _ => Mode::Batch,
    };
    let run = Run {
        is_first: role == "pong" || role == "receive",
        both_ways: role == "ping" || role == "pong",
        mode,
        size: size.parse().unwrap_or(8),
        name: name.clone(),
    };
    // SAFETY: it takes numbers.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if !W::MODES.contains(&mode) {
        println!("absent: it has no such way");
        return;
    }
    let began = now();
    let way = match W::open(&run) {
        Ok(way) => way,
        Err(why) => return println!("absent: {why}"),
    };
    println!("ready {}", now() - began);
    let room = vec![3u8; run.size];
    let mut player = Player {
        way,
        run,
        room,
        at: 0,
    };
    let mut out = std::io::BufWriter::with_capacity(1 << 20, std::io::stdout());
    for line in std::io::stdin().lock().lines() {
        let count = line.ok().and_then(|l| l.trim().parse().ok()).unwrap_or(0);
        if count == 0 {
            break;
        }
        player.play(role, count, &mut out);
        let _ = out.flush();
    }
}
