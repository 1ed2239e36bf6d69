//! Another name of `shmem_box`, for sources that import it as this.

pub use shmem_box::*;
