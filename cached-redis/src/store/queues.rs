//! The steps of [queues](super::queue), on either store.

use super::queue::{Accepted, Dead, Depth, Offer, Partition, Queued, Taken};
use super::{Answer, AnyStore, Bare};
use crate::wire::entry::Token;

impl AnyStore {
    /// Whether values may be pending of which this process does not know.
    pub(crate) async fn hides_pending(&self) -> bool {
        match self.bare() {
            Bare::Memory(_) => false,
            Bare::Redis(store) => Box::pin(store.hides_pending()).await,
        }
    }

    /// They meet no fault, but may be where a process of a test ends.
    fn reach(&self, _step: &'static str, _has_run: bool) {
        #[cfg(feature = "testing")]
        if let Self::Faulty(store) = self {
            store.reach(_step, _has_run);
        }
    }
}

macro_rules! queues {
    ($($(#[$doc:meta])* $step:ident($($name:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl AnyStore {
            $($(#[$doc])*
            pub(crate) async fn $step(&self, at: &Partition, $($name: $type),*) -> Answer<$answer> {
                self.reach(stringify!($step), false);
                let answer = match self.bare() {
                    Bare::Memory(store) => store.$step(at, $($name),*),
                    Bare::Redis(store) => Box::pin(store.$step(at, $($name),*)).await,
                };
                self.reach(stringify!($step), true);
                answer
            })+
        }
    };
}

queues! {
    /// Takes a write in, and tells the worker of it.
    enqueue(offer: &Offer<'_>) -> Accepted;

    /// The oldest write, for the owner of the partition.
    take(owner: Token) -> Taken;

    /// A write was applied: it leaves the queue, and its pending entry goes. So does whatever else stands under its
    /// key, where that was gone before its time, but what is pending of a later write. `false`: it had left before.
    finish(write: &Queued) -> bool;

    /// Makes a write a dead letter, and those of its key that are behind it; how many those are together. 0: it
    /// has left the queue before. `None`: there would be more than `most`, and nothing is changed.
    bury(number: u64, why: &str, most: u64) -> Option<u64>;

    /// The dead letters, those of each key in their order.
    dead(most: u64) -> Vec<Dead>;

    /// Puts the dead letters of `key` back at the end of the queue, under new numbers; how many there were.
    retry_dead(key: &str) -> u64;

    /// Forgets the oldest dead letter of `key`. With the last of them goes what is pending. `false`: there is none.
    drop_dead(key: &str) -> bool;

    /// How much there is.
    depth() -> Depth;
}
