//! iceoryx2: loans, no copy but the benchmark's own; its events for who sleeps.

use cove_bench_peers::{Mode, Run, Way};
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;
use std::time::Duration;

struct Iceoryx2 {
    _node: Node<ipc::Service>,
    _services: Vec<PortFactory<ipc::Service, [u8], ()>>,
    out: Option<Publisher<ipc::Service, [u8], ()>>,
    inward: Option<Subscriber<ipc::Service, [u8], ()>>,
    ring: Option<Notifier<ipc::Service>>,
    hear: Option<Listener<ipc::Service>>,
    size: usize,
}

impl Iceoryx2 {
    fn publish(&mut self, fill: impl FnOnce(&mut [u8])) {
        let sample = self
            .out
            .as_ref()
            .unwrap()
            .loan_slice_uninit(self.size)
            .unwrap();
        // SAFETY: what is not written here is not looked at on the other side.
        let mut sample = unsafe { sample.assume_init() };
        fill(sample.payload_mut());
        sample.send().unwrap();
        if let Some(ring) = &self.ring {
            ring.notify().unwrap();
        }
    }

    fn take<T>(&mut self, see: impl FnOnce(&[u8]) -> T) -> T {
        loop {
            if let Some(sample) = self.inward.as_ref().unwrap().receive().unwrap() {
                return see(sample.payload());
            }
            if let Some(hear) = &mut self.hear {
                hear.timed_wait(|_| {}, Duration::from_millis(100)).unwrap();
            }
        }
    }

    fn try_open(run: &Run) -> Result<Self, Box<dyn std::error::Error>> {
        set_log_level(LogLevel::Fatal);
        let node = NodeBuilder::new().create::<ipc::Service>()?;
        let mut services = Vec::new();
        for channel in ["there", "back"] {
            services.push(
                node.service_builder(&format!("{}/{channel}", run.name).as_str().try_into()?)
                    .publish_subscribe::<[u8]>()
                    .subscriber_max_buffer_size(if run.both_ways {
                        if run.size <= 65536 {
                            16
                        } else {
                            2
                        }
                    } else if run.size <= 1024 {
                        1024
                    } else {
                        16
                    })
                    .enable_safe_overflow(run.both_ways)
                    .max_publishers(1)
                    .max_subscribers(1)
                    .open_or_create()?,
            );
        }
        let sends_to = usize::from(run.is_first);
        let sends = run.both_ways || !run.is_first;
        let receives = run.both_ways || run.is_first;
        let out = if sends {
            Some(
                services[sends_to]
                    .publisher_builder()
                    .initial_max_slice_len(run.size)
                    .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
                    .create()?,
            )
        } else {
            None
        };
        let inward = if receives {
            Some(services[1 - sends_to].subscriber_builder().create()?)
        } else {
            None
        };
        let (mut ring, mut hear) = (None, None);
        if run.mode == Mode::Block {
            let event = |channel: &str| -> Result<_, Box<dyn std::error::Error>> {
                Ok(node
                    .service_builder(&format!("{}/{channel}", run.name).as_str().try_into()?)
                    .event()
                    .open_or_create()?)
            };
            let names = ["there", "back"];
            if sends {
                ring = Some(event(names[sends_to])?.notifier_builder().create()?);
            }
            if receives {
                hear = Some(event(names[1 - sends_to])?.listener_builder().create()?);
            }
        }
        Ok(Iceoryx2 {
            _node: node,
            _services: services,
            out,
            inward,
            ring,
            hear,
            size: run.size,
        })
    }
}

impl Way for Iceoryx2 {
    const MODES: &'static [Mode] = &[Mode::Poll, Mode::Block, Mode::InPlace];

    fn open(run: &Run) -> Result<Self, String> {
        Self::try_open(run).map_err(|e| e.to_string())
    }
    fn send(&mut self, _channel: usize, data: &[u8]) {
        self.publish(|room| room.copy_from_slice(data));
    }
    fn receive(&mut self, _channel: usize, data: &mut [u8]) {
        self.take(|message| data.copy_from_slice(message));
    }
    fn send_in_place(&mut self, _channel: usize, word: u64) {
        self.publish(|room| room[..8].copy_from_slice(&word.to_ne_bytes()));
    }
    fn receive_in_place(&mut self, _channel: usize) -> u64 {
        self.take(|message| u64::from_ne_bytes(message[..8].try_into().unwrap()))
    }
}

fn main() {
    cove_bench_peers::main::<Iceoryx2>();
}
