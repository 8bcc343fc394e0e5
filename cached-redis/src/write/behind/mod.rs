//! Write-behind: a call is accepted into a queue, and applied to the source later.
//!
//! It must not be lost, not be overtaken by a later one of its key, and be seen by every read from then on. So its
//! value and its arguments are stored in **one step**: the value as a *pending* entry under the key, which nothing
//! but the end of this very write or a later one replaces, the arguments at the end of the queue. See rules 43 to 48
//! of the architecture, and `wb` of the model.
//!
//! ```text
//! the call ──► enqueue ──► returns          worker: take ──► the function ──► finish: what is pending goes
//!                └ pending under the key, until ─────────────────────────────────┘
//! ```

use std::fmt;
use std::slice;

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use xxhash_rust::xxh3::xxh3_64;

use crate::engine::handle::{self, Cache, Inner};
use crate::error::Busy;
use crate::observe::behind::WriteBehind;
use crate::observe::event::Event;
use crate::store::Store as _;
use crate::store::queue::{Accepted, Offer, PARTITIONS, Partition};
use crate::util::backoff::Backoff;
use crate::wire::entry::{Header, Kind, Token};
use crate::wire::key::KeyWriter;
use crate::wire::stored::Stored;

pub(crate) mod id;
mod partition;
pub(crate) mod worker;

/// How many dead letters one key may have before writes of it are refused.
const MOST_DEAD: u64 = 100;

/// One call of a function under `#[write_behind]`.
#[must_use]
pub struct Behind {
    behind: &'static WriteBehind,
    cache: Option<Cache>,
    key: Option<String>,
}

impl Behind {
    /// A write to the cache in scope, or else the installed one.
    pub fn new(behind: &'static WriteBehind) -> Self {
        Self::with(behind, handle::current().map(|cache| Cache::clone(&cache)))
    }

    /// A write to this cache.
    pub fn on(behind: &'static WriteBehind, cache: &Cache) -> Self {
        Self::with(behind, Some(cache.clone()))
    }

    fn with(behind: &'static WriteBehind, cache: Option<Cache>) -> Self {
        let key = None;
        Self { behind, cache, key }
    }

    /// Whether there is no cache, so that the function is to be run as it is.
    pub fn is_uncached(&self) -> bool {
        self.cache.is_none()
    }

    /// Renders the key.
    pub fn key(&mut self, render: impl Fn(&mut KeyWriter)) {
        let Some(cache) = &self.cache else { return };
        let mut key = KeyWriter::new(&cache.inner.namespace);
        render(&mut key);
        self.key = key.finish();
    }

    /// About what the clock of the store says.
    fn now_ms(&self) -> u64 {
        let key = self.key.as_deref().unwrap_or_default();
        let store = self.cache.as_ref().map(|cache| &cache.inner.store);
        store.map_or(0, |store| store.now_ms(key))
    }

    /// Not generic, so that it is compiled once.
    async fn accept(self, entry: Option<Bytes>, arguments: Option<Bytes>) -> Result<(), Busy> {
        let Self { behind, cache, key } = self;
        let Some(Cache { inner }) = cache else {
            return Err(Busy::NotEnabled);
        };
        let accepted = match (key, entry.zip(arguments)) {
            _ if !inner.settings.write_behind => Err(Busy::NotEnabled),
            (None, _) => Err(Busy::Key),
            (_, None) => Err(Busy::Unstorable),
            (Some(key), Some((entry, arguments))) => {
                enqueue(&inner, behind, &key, entry, arguments).await
            }
        };
        let site = &behind.writer.site;
        match &accepted {
            Ok(()) => inner.emit(site, &Event::Accepted),
            Err(busy) => inner.emit(site, &Event::NotAccepted(busy)),
        }
        accepted
    }
}

impl fmt::Debug for Behind {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behind").finish_non_exhaustive()
    }
}

/// Accepts a call with these arguments, one of which is the value that readers get from then on.
pub(crate) fn write<A, V>(
    behind: Behind,
    arguments: &A,
    value: &V,
    (of_arguments, of_value): &(Stored<A>, Stored<V>),
) -> impl Future<Output = Result<(), Busy>> + Send + use<A, V> {
    let pending = Header {
        filled_at: behind.now_ms(),
        ..Header::new(Kind::Pending, Token::next())
    };
    let entry = of_value.encode(pending, value);
    let stored = Header::new(Kind::Value, Token::next());
    behind.accept(entry, of_arguments.encode(stored, arguments))
}

async fn enqueue(
    inner: &Inner,
    behind: &'static WriteBehind,
    key: &str,
    entry: Bytes,
    arguments: Bytes,
) -> Result<(), Busy> {
    let at = partition(inner, behind.info.queue, key);
    let offer = Offer {
        key,
        entry,
        function: behind.function.info.path,
        arguments,
        most: share(behind.info.max_queue),
        most_dead: MOST_DEAD,
        most_lag: behind.info.max_lag,
    };
    let until = Instant::now() + inner.settings.wait;
    let mut pause = Backoff::contention();
    let accepted = loop {
        match inner.store.enqueue(&at, &offer).await? {
            // It does not last: a removal of many keys, or a write of somebody else.
            Accepted::Barred if Instant::now() < until => sleep(pause.next()).await,
            accepted => break accepted,
        }
    };
    match accepted {
        Accepted::Yes => {
            // Their fills are refused from now on, so nobody should wait for them any more.
            let key = key.to_owned();
            inner.flights.abandon_all(slice::from_ref(&key));
            Ok(())
        }
        Accepted::Full => Err(Busy::Full),
        Accepted::Late => Err(Busy::Late),
        Accepted::Blocked => Err(Busy::Blocked),
        Accepted::Barred => Err(Busy::Barred),
    }
}

/// Where writes of `key` wait.
pub(crate) fn partition(inner: &Inner, queue: &str, key: &str) -> Partition {
    let number = xxh3_64(key.as_bytes()) % u64::from(PARTITIONS);
    Partition::new(&inner.namespace, queue, number as u32)
}

/// All partitions of a queue.
pub(crate) fn partitions(inner: &Inner, queue: &str) -> Vec<Partition> {
    let numbers = 0..PARTITIONS;
    numbers
        .map(|number| Partition::new(&inner.namespace, queue, number))
        .collect()
}

/// That of one partition in what the whole queue may hold.
fn share(most: u64) -> u64 {
    most.div_ceil(PARTITIONS.into())
}
