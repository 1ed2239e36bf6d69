//! The crates shared_memory and raw_sync: a mapping with an event of theirs for each direction, which spins or sleeps. The one that spins,
//! BusyEvent, orders nothing: on x86-64 that does no harm, elsewhere it would be a race.

use cove_bench_peers::{Mode, Run, Way};
use raw_sync::events::{BusyEvent, Event, EventImpl, EventInit, EventState};
use raw_sync::Timeout;
use shared_memory::{Shmem, ShmemConf};

const HEAD: usize = 256;

struct RawSync {
    memory: Shmem,
    events: Vec<Box<dyn EventImpl>>,
    each: usize,
}

impl RawSync {
    fn data(&self, channel: usize) -> *mut u8 {
        // SAFETY: within what was asked for.
        unsafe { self.memory.as_ptr().add(channel * self.each + HEAD) }
    }
}

/// The event in place, as its size is not known beforehand.
unsafe fn event<E: EventInit>(run: &Run, at: *mut u8) -> Result<Box<dyn EventImpl>, String> {
    let made = if run.is_first {
        E::new(at, true)
    } else {
        E::from_existing(at)
    };
    made.map(|(event, _)| event).map_err(|e| e.to_string())
}

impl Way for RawSync {
    const MODES: &'static [Mode] = &[Mode::Poll, Mode::Block, Mode::InPlace];

    fn open(run: &Run) -> Result<Self, String> {
        if !run.both_ways {
            return Err("it holds one value".into());
        }
        let each = (HEAD + run.size).next_multiple_of(64);
        let conf = ShmemConf::new().os_id(&run.name).size(2 * each);
        let memory = if run.is_first {
            conf.create()
        } else {
            conf.open()
        }
        .map_err(|e| e.to_string())?;
        let mut events = Vec::new();
        for channel in 0..2 {
            // SAFETY: the mapping is HEAD bytes and more.
            events.push(unsafe {
                let at = memory.as_ptr().add(channel * each);
                if run.mode != Mode::Block {
                    event::<BusyEvent>(run, at)?
                } else {
                    event::<Event>(run, at)?
                }
            });
        }
        Ok(RawSync {
            memory,
            events,
            each,
        })
    }

    fn send(&mut self, channel: usize, data: &[u8]) {
        // SAFETY: it fits, and the other side does not look before the event.
        unsafe { std::ptr::copy_nonoverlapping(data.as_ptr(), self.data(channel), data.len()) };
        self.events[channel].set(EventState::Signaled).unwrap();
    }

    fn receive(&mut self, channel: usize, data: &mut [u8]) {
        self.events[channel].wait(Timeout::Infinite).unwrap();
        // SAFETY: it fits, and the other side does not write before it has been answered.
        unsafe { std::ptr::copy_nonoverlapping(self.data(channel), data.as_mut_ptr(), data.len()) };
    }

    fn send_in_place(&mut self, channel: usize, word: u64) {
        self.send(channel, &word.to_ne_bytes());
    }

    fn receive_in_place(&mut self, channel: usize) -> u64 {
        let mut word = [0u8; 8];
        self.receive(channel, &mut word);
        u64::from_ne_bytes(word)
    }
}

fn main() {
    cove_bench_peers::main::<RawSync>();
}
