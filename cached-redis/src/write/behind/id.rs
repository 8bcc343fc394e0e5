//! The number of a write, by which its source can tell that it was applied before.

use std::sync::Arc;

use tokio::task::LocalKey;

use crate::util::within::{Local, Within};

tokio::task_local! {
    static APPLYING: WriteId;
}

/// Which write a function under `#[write_behind]` applies: the same one each time that it is tried.
///
/// In each partition of a queue numbers rise, and writes are applied one after the other. So one row for each
/// partition, changed in the transaction of the function, tells what was applied already, also by a worker that was
/// given up and goes on: see [exactly once](crate::docs::write_behind#exactly-once).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WriteId {
    /// The name of the queue.
    pub queue: Arc<str>,
    /// The partition, from 0 to 15.
    pub partition: u32,
    /// The number, which fits into an `i64`. One that an operator has put back has a new one.
    pub number: u64,
}

impl WriteId {
    /// That of the write that is being applied; `None` outside of a worker.
    #[must_use]
    pub fn current() -> Option<Self> {
        APPLYING.try_with(Self::clone).ok()
    }

    pub(crate) fn scope<F: Future>(self, applies: F) -> impl Future<Output = F::Output> {
        Within::new(Some(self), applies)
    }
}

impl Local for WriteId {
    fn key() -> &'static LocalKey<Self> {
        &APPLYING
    }
}
