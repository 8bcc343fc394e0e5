//! Who of all processes loads an entry anew that goes on being served meanwhile.
//!
//! None of this is needed for correctness: what is loaded replaces the entry only while that very entry
//! stands, which no invalidation leaves it to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::engine::fill::FillRight;
use crate::engine::handle::Inner;
use crate::engine::lease::Lease;
use crate::store::{Answer, Store as _};
use crate::wire::entry::{Header, Kind, Token};

/// The right to renew one key among all processes: a lease beside the entry, which stays where it is.
pub(crate) struct Claim(Lease);

/// The answer to asking for a claim.
pub(crate) enum Claimed {
    Granted(Claim),
    /// Another process loads.
    Taken,
    /// A load has failed; none is to be tried for so long.
    Rests(Duration),
}

impl Claimed {
    /// The answer where `entry` stands already; `None`: foreign bytes, which do not forbid anything.
    pub(crate) fn refused(entry: &[u8], now_ms: u64) -> Option<Self> {
        let (header, _) = Header::parse(entry)?;
        Some(match header.kind {
            Kind::Negative => Self::Rests(left(&header, now_ms)),
            _ => Self::Taken,
        })
    }

    /// For how long to leave the key alone, if the claim was not granted.
    pub(crate) fn rest(&self) -> Option<Duration> {
        match self {
            Self::Granted(_) => None,
            Self::Taken => Some(TAKEN),
            Self::Rests(time) => Some(*time),
        }
    }
}

impl Claim {
    /// Asks for the claim on `key`.
    pub(crate) async fn ask(inner: &Arc<Inner>, key: &str) -> Answer<Claimed> {
        let beside = beside(inner, key);
        let lease = Lease::new(inner, &beside);
        let (store, life) = (&inner.store, inner.settings.lease);
        let standing = store.acquire(&beside, lease.entry(), life).await?;
        // With its own token the command was sent twice, and the first one was granted.
        let standing = standing.filter(|entry| *entry != lease.entry());
        let refused = standing.and_then(|entry| Claimed::refused(&entry, store.now_ms(&beside)));
        Ok(match refused {
            None => Claimed::Granted(Self(lease.granted())),
            Some(refused) => {
                lease.refused();
                refused
            }
        })
    }

    /// The load has failed: leaves word of it for the time of the throttle.
    pub(crate) fn failed(self, inner: &Arc<Inner>) {
        let (inner, throttle) = (Arc::clone(inner), inner.settings.throttle);
        let key = self.0.key().to_owned();
        let word = word(inner.store.now_ms(&key), throttle);
        let (tasks, task) = (Arc::clone(&inner.runtime), inner.runtime.work.begin());
        tasks.spawn(async move {
            // Unanswered, this process alone rests.
            let right = FillRight::Lease(self.0);
            let _ = right.fill(&inner, &key, word, throttle).await;
            drop(task);
        });
    }
}

/// Where the claim on `key` stands.
pub(crate) fn beside(inner: &Inner, key: &str) -> String {
    let logical = key.get(inner.namespace.len() + 1..).unwrap_or(key);
    format!("{}:#refresh:{logical}", inner.namespace)
}

/// What a load that failed leaves there.
pub(crate) fn word(now_ms: u64, throttle: Duration) -> Bytes {
    let header = Header {
        filled_at: now_ms,
        soft_ttl: u32::try_from(throttle.as_millis()).unwrap_or(u32::MAX),
        ..Header::new(Kind::Negative, Token::next())
    };
    header.extended(&[], &[])
}

fn left(header: &Header, now_ms: u64) -> Duration {
    let age = now_ms.saturating_sub(header.filled_at);
    Duration::from_millis(u64::from(header.soft_ttl).saturating_sub(age))
}

/// How long a process leaves a key alone that another one loads, or whose load it could not vouch for.
pub(crate) const TAKEN: Duration = Duration::from_millis(100);
