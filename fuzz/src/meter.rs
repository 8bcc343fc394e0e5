//! The meter guards against bytes that claim to be large: it counts what the process allocates
//! while something runs. Each target is a program of its own with one thread, so that nobody else
//! allocates meanwhile.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What `run` returns, and how many bytes it allocated, those it freed again included.
pub(crate) fn allocated<R>(run: impl FnOnce() -> R) -> (R, usize) {
    let region = Region::new(ALLOCATOR);
    let result = run();
    (result, region.change().bytes_allocated)
}
