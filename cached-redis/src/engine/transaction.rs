//! Whether a transaction is open in this task.
//!
//! A read inside of one may go through it, whatever its key and its cache. What it sees may be rolled
//! back, so it is its own: neither stored nor shared, nor compared with what is. [`is_open`] is asked
//! wherever one of these begins. What such a transaction collects is in
//! [`after_commit`](crate::write::after_commit).

use tokio::task::LocalKey;

use crate::util::within::{Local, Within};

tokio::task_local! {
    static OPEN: Depth;
}

/// How many are open, one inside of the other.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Local for Depth {
    fn key() -> &'static LocalKey<Self> {
        &OPEN
    }
}

/// Runs `future` inside of a transaction.
pub(crate) fn open<F: Future>(future: F) -> impl Future<Output = F::Output> {
    Within::new(Some(Depth(depth() + 1)), future)
}

/// Whether a transaction is open in this task, so that what is read here is for nobody else.
pub(crate) fn is_open() -> bool {
    depth() > 0
}

/// How many transactions are open in this task, one inside of the other.
pub(crate) fn depth() -> usize {
    OPEN.try_with(|depth| depth.0).unwrap_or(0)
}
