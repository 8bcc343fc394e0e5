//! Locks and atomics of the modules whose schedules are tested.
//!
//! They are the standard library's, and the [mutex without poison](super::lock). In this crate's own
//! tests each is a switch point as well: there shuttle may let any other task go on, in an order that its
//! seed decides. Elsewhere nothing of that is compiled.

#[cfg(not(test))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

#[cfg(not(test))]
pub(crate) use super::lock::{Mutex, MutexGuard};

#[cfg(test)]
pub(crate) use switching::{AtomicBool, AtomicU64, AtomicUsize, Mutex, MutexGuard};

#[cfg(test)]
pub(crate) mod explore;
#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
pub(crate) mod network;
#[cfg(test)]
mod switching;

/// Through which every operation on a store in memory goes, so that a test can delay and lose it.
#[cfg(not(test))]
pub(crate) fn carried<F>(operation: F) -> F {
    operation
}
#[cfg(test)]
pub(crate) use network::carried;
