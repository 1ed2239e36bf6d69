//! The facade against the calls of Cove's that it stands on, in turns; a part of `./dev bench compat`. The goal is 20 ns more, or a fifth.

use cove_sys as sys;
use shmem_box::{Builder, ShmemBox};
use std::hint::black_box;
use std::time::Instant;

/// The fastest round of each, in nanoseconds for one.
fn compare(name: &str, count: u32, mut facade: impl FnMut(), mut plain: impl FnMut()) {
    let mut best = [f64::MAX; 2];
    for _ in 0..if std::env::args().any(|a| a == "--quick") { 15 } else { 60 } {
        for (side, run) in [&mut facade as &mut dyn FnMut(), &mut plain].into_iter().enumerate() {
            let begin = Instant::now();
            for _ in 0..count {
                run();
            }
            best[side] = best[side].min(begin.elapsed().as_nanos() as f64 / f64::from(count));
        }
    }
    let (ratio, goal) = (best[0] / best[1], f64::max(1.2, (best[1] + 20.0) / best[1]));
    let met = if ratio <= goal { "met" } else { "NOT MET" };
    println!("{name:<52} {:>12.1} ns    {:>12.1} {ratio:>7.2} {goal:>7.2}  {met}", best[0], best[1]);
}

fn main() {
    let domain = format!("/dev/shm/cove-overhead-{}", std::process::id());
    let path = std::ffi::CString::new(domain.as_str()).unwrap();
    assert_eq!(unsafe { sys::cove_domain_create(path.as_ptr(), 0) }, sys::COVE_OK);
    std::env::set_var("COVE_DOMAIN", &domain);

    let boxed = || -> ShmemBox<u64> { unsafe { Builder::new("b").with_size(8).open().unwrap().boxed() } };
    let name = std::ffi::CString::new("plain").unwrap();
    let options =
        sys::cove_block_options { capacity_bytes: 8, flags: sys::COVE_BLOCK_SINGLE, lifetime: sys::COVE_WHILE_OWNED, ..Default::default() };
    let open = || unsafe {
        let (mut block, mut data) = (std::ptr::null_mut(), std::ptr::null_mut());
        assert_eq!(sys::cove_block_open(&mut block, name.as_ptr(), &options), sys::COVE_OK);
        assert_eq!(sys::cove_block_data(block, &mut data), sys::COVE_OK);
        (block, data.cast::<u64>())
    };
    let close = |block| unsafe {
        assert_eq!(sys::cove_block_retire(block), sys::COVE_OK);
        sys::cove_block_close(block);
    };
    compare("compat.shmembox.open_and_drop", 200, || drop(black_box(boxed())), || close(open().0));
    let mut b = boxed();
    let (block, data) = open();
    compare("compat.shmembox.change", 1_000_000, || *black_box(&mut *b) += 1, || unsafe { *black_box(&mut *data) += 1 });
    drop(b);
    close(block);
    std::fs::remove_dir_all(&domain).unwrap();
}
