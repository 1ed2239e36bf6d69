//! The snippets of the original's description, with the output that it says. Runs itself for each, and looks at what it prints.

use shmem_box as shmem;
use shmem_box::ShmemBox;
use std::mem;

#[allow(dead_code)]
struct Message(u64);

struct MyType;

impl Drop for MyType {
    fn drop(&mut self) {
        println!("my type is dropped");
    }
}

type NotZeroI32 = i32;

fn boxed() -> Result<(), shmem::ShmemError> {
    let shared_mem = shmem::Builder::new("<FLINK_FILE_HANDLE>").with_size(mem::size_of::<Message>() as i64).open()?;
    let _boxed_val = unsafe {
        let mut boxed_val = shared_mem.boxed::<NotZeroI32>();
        *boxed_val = 5;
        boxed_val
    };
    Ok(())
}

#[allow(unused_mut)]
fn dropped() -> Result<(), shmem::ShmemError> {
    let shared_mem = shmem::Builder::new("<FLINK_FILE_HANDLE>").with_size(mem::size_of::<Message>() as i64).open()?;
    let mut _boxed_val = unsafe { shared_mem.boxed::<MyType>() };
    Ok(())
    // boxed_val goes out of scope and the underlying MyType is dropped
}

#[allow(unused_mut)]
fn leaked() -> Result<(), shmem::ShmemError> {
    let shared_mem = shmem::Builder::new("<FLINK_FILE_HANDLE>").with_size(mem::size_of::<Message>() as i64).open()?;
    let mut boxed_val = unsafe { shared_mem.boxed::<MyType>() };
    ShmemBox::leak(boxed_val);
    Ok(())
    // boxed_val leaks and the underlying MyType is not dropped
}

#[allow(unused_mut)]
fn owned() -> Result<(), shmem::ShmemError> {
    {
        let shared_mem = shmem::Builder::new("<FLINK_FILE_HANDLE>").with_size(mem::size_of::<Message>() as i64).open()?;
        let mut boxed_val = unsafe { shared_mem.boxed::<MyType>() };

        // boxed_val was owner, but it got leaked
        ShmemBox::leak(boxed_val);
    }
    {
        let shared_mem = shmem::Builder::new("<FLINK_FILE_HANDLE>").with_size(mem::size_of::<Message>() as i64).open()?;
        let mut boxed_val = unsafe { shared_mem.boxed::<MyType>() };

        // shared memory is already created, so the boxed_val is not the owner.
        let _boxed_val = ShmemBox::own(boxed_val);

        // boxed_val goes out of scope, MyType is dropped. the shared memory is unlinked.
    }
    Ok(())
}

fn main() {
    type Snippet = fn() -> Result<(), shmem::ShmemError>;
    // Name, what it prints, and how many files it leaves.
    let snippets: [(&str, Snippet, &str, usize); 4] = [
        ("boxed", boxed, "", 0),
        ("dropped", dropped, "my type is dropped\n", 0),
        ("leaked", leaked, "", 1),
        ("owned", owned, "my type is dropped\n", 0),
    ];
    if let Ok(wanted) = std::env::var("SNIPPET") {
        return snippets.iter().find(|s| s.0 == wanted).unwrap().1().unwrap();
    }
    for (name, _, says, leaves) in snippets {
        let domain = format!("/dev/shm/cove-snippet-{}-{name}", std::process::id());
        let path = std::ffi::CString::new(domain.as_str()).unwrap();
        assert_eq!(unsafe { cove_sys::cove_domain_create(path.as_ptr(), 0) }, cove_sys::COVE_OK);
        let output =
            std::process::Command::new(std::env::current_exe().unwrap()).env("SNIPPET", name).env("COVE_DOMAIN", &domain).output().unwrap();
        let left = std::fs::read_dir(&domain).unwrap().count();
        std::fs::remove_dir_all(&domain).unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), says, "{name}");
        assert_eq!(left, leaves, "{name}");
        println!("snippet {name} ... ok");
    }
}
