//! Who loads an entry anew that goes on being served meanwhile.
//!
//! One caller of a process ([`Permit`]) and, for economy, one process of all
//! ([`Claim`](crate::engine::claim::Claim)). After a load that failed nobody asks the source again for
//! a while, the **throttle**, counted from the failure and whatever the age of the entry: an outage of
//! the source sees one load per throttle, not one per read. None of this is needed for correctness: what is loaded replaces the entry only while that
//! very entry stands, which no invalidation leaves it to.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::util::sync::Mutex;
use crate::wire::entry::Token;

/// How long a process remembers which entry it has replaced. Readers that had found it before are
/// through by then.
const REPLACED: Duration = Duration::from_secs(1);

/// Keys are first tidied up when there are so many.
const MANY: usize = 1024;

/// The renewals of one cache, by key.
#[derive(Default)]
pub(crate) struct Renewals {
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    states: HashMap<String, State>,
    /// With so many of them, those that have rested are removed; then it doubles, if they are few.
    tidy_at: usize,
}

impl Keys {
    fn get(&self, key: &str) -> Option<State> {
        let state = self.states.get(key).copied();
        state.filter(|state| !state.is_over())
    }

    fn set(&mut self, key: &str, state: State) {
        if self.states.len() >= self.tidy_at.max(MANY) {
            self.states.retain(|_, state| !state.is_over());
            self.tidy_at = 2 * self.states.len();
        }
        self.states.insert(key.to_owned(), state);
    }
}

#[derive(Clone, Copy)]
enum State {
    Running,
    /// To be left alone until then.
    Rests(Instant),
    /// The entry of this token has been replaced; remembered until then.
    Replaced(Token, Instant),
}

impl State {
    fn is_over(self) -> bool {
        match self {
            Self::Running => false,
            Self::Rests(until) | Self::Replaced(_, until) => until <= Instant::now(),
        }
    }

    fn forbids(self, entry: Token) -> bool {
        match self {
            Self::Running | Self::Rests(_) => true,
            Self::Replaced(token, _) => token == entry,
        }
    }
}

impl Renewals {
    /// The right to renew `entry` under `key` in this process; `None` while somebody does, if
    /// somebody has, or while the key is to rest.
    pub(crate) fn begin(self: &Arc<Self>, key: &str, entry: Token) -> Option<Permit> {
        let mut keys = self.keys.lock();
        if keys.get(key).is_some_and(|state| state.forbids(entry)) {
            return None;
        }
        keys.set(key, State::Running);
        Some(Permit {
            renewals: Arc::clone(self),
            key: key.to_owned(),
            entry,
            end: End::Free,
        })
    }

    /// Whether the last load failed so short ago that none is to be tried.
    pub(crate) fn rests(&self, key: &str) -> bool {
        matches!(self.keys.lock().get(key), Some(State::Rests(_)))
    }

    /// Leaves `key` alone for so long.
    pub(crate) fn rest(&self, key: &str, time: Duration) {
        let until = State::Rests(Instant::now() + time);
        self.keys.lock().set(key, until);
    }
}

/// The right to renew one key in this process, until it is dropped.
pub(crate) struct Permit {
    renewals: Arc<Renewals>,
    key: String,
    entry: Token,
    end: End,
}

/// What comes after a renewal.
enum End {
    /// Anybody may begin another one.
    Free,
    Rest(Duration),
    Replaced,
}

impl Permit {
    /// Leaves the key alone for so long after the end.
    pub(crate) fn rest(&mut self, time: Duration) {
        self.end = End::Rest(time);
    }

    /// Lets nobody renew the same entry again: some have found it before it was replaced.
    pub(crate) fn replaced(&mut self) {
        self.end = End::Replaced;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut keys = self.renewals.keys.lock();
        match self.end {
            End::Free => drop(keys.states.remove(&self.key)),
            End::Rest(time) => keys.set(&self.key, State::Rests(Instant::now() + time)),
            End::Replaced => {
                let until = Instant::now() + REPLACED;
                keys.set(&self.key, State::Replaced(self.entry, until));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_renews_and_a_failed_key_rests_for_the_throttle() {
        let renewals = Arc::<Renewals>::default();
        let entry = Token::next();
        let mut permit = renewals.begin("k", entry).unwrap();
        assert!(renewals.begin("k", entry).is_none() && !renewals.rests("k"));
        assert!(renewals.begin("other", entry).is_some());
        permit.rest(Duration::from_secs(1));
        drop(permit);
        assert!(renewals.begin("k", entry).is_none() && renewals.rests("k"));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!renewals.rests("k"));
        drop(renewals.begin("k", entry).unwrap());
        assert!(renewals.keys.lock().states.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_entry_that_was_replaced_is_not_renewed_by_those_who_had_found_it() {
        let renewals = Arc::<Renewals>::default();
        let [old, new] = [Token::next(), Token::next()];
        renewals.begin("k", old).unwrap().replaced();
        assert!(renewals.begin("k", old).is_none() && !renewals.rests("k"));
        assert!(renewals.begin("k", new).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_rested_do_not_pile_up() {
        let renewals = Arc::<Renewals>::default();
        let rest = |keys: std::ops::Range<usize>| {
            keys.for_each(|key| renewals.rest(&key.to_string(), Duration::from_secs(1)));
        };
        rest(0..10 * MANY);
        assert_eq!(renewals.keys.lock().states.len(), 10 * MANY, "all rest");
        tokio::time::advance(Duration::from_secs(2)).await;
        rest(0..10 * MANY);
        assert_eq!(renewals.keys.lock().states.len(), 10 * MANY);
        tokio::time::advance(Duration::from_secs(2)).await;
        rest(10 * MANY..20 * MANY);
        assert!(renewals.keys.lock().states.len() <= 16 * MANY);
    }
}
