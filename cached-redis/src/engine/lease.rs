//! The right to fill one key, held by one load among all processes.
//!
//! The lease is an entry in the store with a token of its own and a short life. It guards two
//! things: other readers wait instead of loading too, and the fill succeeds only while that very
//! token still stands, which no invalidation survives. A heartbeat renews it while the load runs;
//! a process that dies stops renewing, and the key is free again within one lease life.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::engine::handle::Inner;
use crate::engine::tags::{Basis, Stamp};
use crate::observe::status::Filled;
use crate::store::{Answer, Store as _};
use crate::util::beats::{Beat, Beating};
use crate::util::boxed::Boxed;
use crate::util::moment::Moment;
use crate::wire::entry::{Header, Token};
use bytes::Bytes;

/// When a lease was certainly there, of many keys by one: it is asked for when it is refused.
pub(crate) struct Pulse(AtomicU64);

/// In the place of the time: it was taken away while it lived.
const TAKEN: u64 = u64::MAX;

impl Pulse {
    /// Of a lease that is asked for now.
    pub(crate) fn begun() -> Self {
        Self(AtomicU64::new(Moment::now().0))
    }

    /// It was renewed, as was asked at that time.
    pub(crate) fn renewed(&self, asked: Moment) {
        self.0.store(asked.0, Ordering::Relaxed);
    }

    /// It was gone when it was to be renewed; nobody will renew it any more.
    pub(crate) fn gone(&self, inner: &Inner) {
        if self.refused(inner) == Filled::Overtaken {
            self.0.store(TAKEN, Ordering::Relaxed);
        }
    }

    /// Why a fill under it is refused.
    pub(crate) fn refused(&self, inner: &Inner) -> Filled {
        let renewed = Moment(self.0.load(Ordering::Relaxed));
        match renewed.elapsed() < inner.settings.lease {
            true => Filled::Overtaken,
            false => Filled::Lapsed,
        }
    }
}

/// A lease that is asked for or granted. Dropping it releases it: the asking or the load failed,
/// panicked or was given up.
pub(crate) struct Lease {
    place: Arc<Place>,
    /// The epoch is that of the store when the lease was asked for.
    basis: Basis,
    /// Whether the key may carry our token. True before the store is asked, since an answer that
    /// never came may have been a grant.
    held: bool,
    heartbeat: Option<Beating>,
}

/// Where it stands, if it is there.
struct Place {
    inner: Arc<Inner>,
    key: String,
    token: Token,
    pulse: Pulse,
}

impl Lease {
    /// A lease with a token that was never used before, to be asked for.
    pub(crate) fn new(inner: &Arc<Inner>, key: &str) -> Self {
        Self {
            // Before it is sent: a later one begins anew, and this lease may outlive an invalidation.
            basis: Basis::of(inner.store.epoch(key)),
            place: Arc::new(Place {
                inner: Arc::clone(inner),
                key: key.to_owned(),
                token: Token::next(),
                pulse: Pulse::begun(),
            }),
            held: true,
            heartbeat: None,
        }
    }

    /// Takes the lease whatever stands there, unless that is a tombstone. That breaks every other
    /// lease and removes the entry, as an invalidation does.
    pub(crate) async fn seize(inner: &Arc<Inner>, key: &str) -> Answer<Option<Self>> {
        let lease = Self::new(inner, key);
        let (store, life) = (&inner.store, inner.settings.lease);
        if store.seize(key, lease.entry(), life).await? {
            inner.journal.changed(key);
            return Ok(Some(lease.granted()));
        }
        lease.refused();
        Ok(None)
    }

    /// Takes the lease if nothing stands, or if `dead` still does. Else what stands there, as far as the
    /// answer tells.
    pub(crate) async fn ask(
        inner: &Arc<Inner>,
        key: &str,
        dead: Option<Bytes>,
    ) -> Answer<Result<Self, Option<Bytes>>> {
        let lease = Self::new(inner, key);
        let (store, life) = (&inner.store, inner.settings.lease);
        let standing = match dead {
            Some(dead) => match store.acquire_over(key, dead, lease.entry(), life).await? {
                true => return Ok(Ok(lease.granted())),
                false => None,
            },
            None => match store.acquire(key, lease.entry(), life).await? {
                // Our own: the command was sent twice, and the first one was granted.
                Some(standing) if standing != lease.entry() => Some(standing),
                _ => return Ok(Ok(lease.granted())),
            },
        };
        lease.refused();
        Ok(Err(standing))
    }

    pub(crate) fn key(&self) -> &str {
        &self.place.key
    }

    pub(crate) fn token(&self) -> Token {
        self.place.token
    }

    /// What an entry filled under this lease says of its load.
    pub(crate) fn basis(&self) -> &Basis {
        &self.basis
    }

    /// The tags have been read too.
    pub(crate) fn stamped(mut self, stamp: Stamp) -> Self {
        self.basis.stamp = stamp;
        self
    }

    /// What stands under the key while the lease does.
    pub(crate) fn entry(&self) -> Bytes {
        Bytes::copy_from_slice(&Header::lease(self.token()))
    }

    /// The store has granted it: keep it alive.
    pub(crate) fn granted(mut self) -> Self {
        let tasks = &self.place.inner.runtime;
        self.heartbeat = Some(tasks.beat(self.place.inner.settings.lease / 3, &self.place));
        self
    }

    /// The store has granted it to somebody else: there is nothing to release.
    pub(crate) fn refused(mut self) {
        self.held = false;
    }

    /// Why a fill under it is refused.
    pub(crate) fn refusal(&self) -> Filled {
        self.place.pulse.refused(&self.place.inner)
    }

    /// What was stored has taken its place: there is nothing to release.
    pub(crate) fn replaced(mut self) {
        self.held = false;
    }

    pub(crate) fn stop_heartbeat(&mut self) {
        self.heartbeat = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.stop_heartbeat();
        if self.held {
            let (key, token) = (Arc::<str>::from(self.key()), self.token());
            // Unanswered, the lease runs out by itself.
            self.place.inner.finish(move |inner| {
                let key = Arc::clone(&key);
                async move { inner.store.release(&key, token).await.is_ok() }
            });
        }
    }
}

impl Beat for Place {
    /// Without an answer the next one tries again; a lease that is gone needs no more of them.
    fn beat(self: Arc<Self>) -> Boxed<'static, bool> {
        Box::pin(async move {
            let (life, asked) = (self.inner.settings.lease, Moment::now());
            let stands = self.inner.store.extend(&self.key, self.token, life).await;
            match stands {
                Ok(true) => self.pulse.renewed(asked),
                Ok(false) => self.pulse.gone(&self.inner),
                Err(_) => {}
            }
            stands != Ok(false)
        })
    }
}
