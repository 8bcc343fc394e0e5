//! Several attributes of one function.
//!
//! Each makes a write, one inside of the other. Were each sent when it ends, an outer
//! entry that one of them names could be loaded anew from an inner one that goes with the next. So the
//! outermost collects what the others would remove, and removes all of it as one thing.
//!
//! Only the attributes of this very call take part. What its body calls has its own promise to keep, and is
//! removed when that returns.

use std::fmt;
use std::sync::Arc;

use tokio::task::LocalKey;

use crate::engine::transaction;
use crate::util::lock::Mutex;
use crate::util::within::{Local, Within};
use crate::write::removal::{Collection, Removal};

tokio::task_local! {
    static AROUND: Arc<Attributes>;
}

/// See the module.
pub struct Attributes {
    path: &'static str,
    /// How many transactions are open around: what is written inside of one more waits for its commit.
    transactions: usize,
    collection: Collection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Whether one has entered that has not left: what runs meanwhile is its body.
    entered: bool,
    /// What went before the function runs.
    before: Vec<Removal>,
}

impl Local for Arc<Attributes> {
    fn key() -> &'static LocalKey<Self> {
        &AROUND
    }
}

impl Attributes {
    pub(crate) fn new(path: &'static str) -> Arc<Self> {
        Arc::new(Self {
            path,
            transactions: transaction::depth(),
            collection: Collection::default(),
            state: Mutex::default(),
        })
    }

    /// Those of the attribute around, of the same function, which has this path.
    pub(crate) fn enter(path: &str) -> Option<Arc<Self>> {
        let around = AROUND.try_with(Arc::clone).ok()?;
        let is_of_this_call = around.path == path && around.transactions == transaction::depth();
        let is_first =
            is_of_this_call && !std::mem::replace(&mut around.state.lock().entered, true);
        is_first.then_some(around)
    }

    /// Runs a body in which another attribute is to enter.
    pub fn around<F: Future>(self: Arc<Self>, body: F) -> impl Future<Output = F::Output> {
        self.state.lock().entered = false;
        Within::new(Some(self), body)
    }

    /// Ends an attribute that has entered; gives back what nobody will remove, as the outermost has ended.
    pub(crate) fn leave(&self, own: Option<Removal>) -> Option<Removal> {
        self.state.lock().entered = false;
        self.collection.add(own?)
    }

    /// Ends the outermost; gives what is to be removed then.
    pub(crate) fn close(&self, own: Option<Removal>) -> Vec<Removal> {
        self.leave(own);
        self.collection.close()
    }

    /// What is to be removed before the function runs: what has gone so before goes with it once more.
    pub(crate) fn before(&self, own: Removal) -> Removal {
        let before = &mut self.state.lock().before;
        let mut all = own.copy();
        for earlier in before.iter().filter(|earlier| earlier.is_of(&own.inner)) {
            all.add(earlier.copy().published(false));
        }
        before.push(own);
        all
    }
}

impl fmt::Debug for Attributes {
    /// Says nothing of what is written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attributes").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_inside_of_one_more_transaction_waits_for_that_one() {
        let enters = || Attributes::enter("f").is_some();
        let body = async { (transaction::open(async { enters() }).await, enters()) };
        assert_eq!(Attributes::new("f").around(body).await, (false, true));
        let all = async { Attributes::new("f").around(async { enters() }).await };
        assert!(transaction::open(all).await, "all of it waits");
    }
}
