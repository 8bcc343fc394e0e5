//! Workers and queues of write-behind.

mod queue;
mod worker;

pub use queue::{DeadLetter, QueueDepth, WriteBehindQueue};
pub use worker::{WorkerSetup, WriteBehindWorker};

/// What is wrong without [`write_behind`](crate::Builder::write_behind).
const OFF: &str = "is off, and write-behind needs it";
