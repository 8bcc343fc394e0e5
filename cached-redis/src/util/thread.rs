//! A number for each thread, to spread over what all threads write to: a cache line that two of them
//! write to in turn costs more than the rest of a hit's bookkeeping.

use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static NUMBER: usize = {
        static THREADS: AtomicUsize = AtomicUsize::new(0);
        THREADS.fetch_add(1, Ordering::Relaxed)
    };
}

/// The calling thread's number; they are given out in turn, from 0.
#[inline]
pub(crate) fn number() -> usize {
    NUMBER.with(|number| *number)
}
