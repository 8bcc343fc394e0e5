//! Steps on many keys at once.
//!
//! Nothing asks that the keys be changed in one moment: each has its own lease and its own fill, and
//! one that fails leaves the others alone. So on Redis these are pipelines, of bounded length so that
//! nobody else waits long behind one, and on other stores one step after the other.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::entry::Token;

/// How many keys one command or pipeline names at most.
pub(crate) const MOST: usize = 500;

/// A lease that is asked for.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) key: String,
    /// The dead entry that it may replace; `None`: it may only stand where nothing does.
    pub(crate) over: Option<Bytes>,
}

/// A key whose lease or entry is to be replaced.
#[derive(Clone)]
pub(crate) struct Filling {
    pub(crate) key: String,
    /// What has to stand there.
    pub(crate) token: Token,
    pub(crate) entry: Bytes,
    pub(crate) ttl: Duration,
}

/// How a lease was answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Granted {
    Yes,
    /// What stands in its place, as far as the answer tells.
    No(Option<Bytes>),
}

impl Granted {
    pub(super) fn of(standing: Option<Bytes>) -> Self {
        match standing {
            None => Self::Yes,
            Some(entry) => Self::No(Some(entry)),
        }
    }

    pub(super) fn over(won: bool) -> Self {
        if won { Self::Yes } else { Self::No(None) }
    }
}

/// The steps on many keys: what is given for each key and for all of them, what is answered to each,
/// and the step on one key that it is made of where nothing is quicker.
macro_rules! many {
    ($make:ident) => {
        $make! {
            /// Puts `lease` under each key, as [`acquire`](crate::store::Store::acquire) and
            /// [`acquire_over`](crate::store::Store::acquire_over) do. A repetition may find its own lease.
            acquire_all(asked: Asked, lease: Bytes, ttl: Duration) -> Granted {
                store => match &asked.over {
                    None => store.acquire(&asked.key, lease.clone(), ttl).await.map(Granted::of),
                    Some(seen) => {
                        let over = store.acquire_over(&asked.key, seen.clone(), lease.clone(), ttl);
                        over.await.map(Granted::over)
                    }
                }
            }

            /// Puts `lease` over whatever stands under each key but a tombstone.
            seize_all(key: String, lease: Bytes, ttl: Duration) -> bool {
                store => store.seize(key, lease.clone(), ttl).await
            }

            /// Gives what carries `token` under each key a new time to live.
            extend_all(key: String, token: Token, ttl: Duration) -> bool {
                store => store.extend(key, token, ttl).await
            }

            /// Replaces what carries its token under each key.
            fill_all(fill: Filling) -> bool {
                store => store.fill(&fill.key, fill.token, fill.entry.clone(), fill.ttl).await
            }

            /// Removes what carries `token` under each key.
            release_all(key: String, token: Token) -> bool {
                store => store.release(key, token).await
            }
        }
    };
}
pub(crate) use many;
