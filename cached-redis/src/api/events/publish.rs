//! Invalidating by hand, so that others hear of it.

use std::time::Duration;

use crate::engine::handle::Cache;
use crate::error::{Error, Unguarded};
use crate::observe::registry::DIRECT;
use crate::wire::key;
use crate::write::invalidate;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;

/// A cache whose invalidations are published; made by
/// [`Cache::publishing`](crate::Cache::publishing).
///
/// The event goes out when the store has confirmed the invalidation: before these return
/// [`Invalidation::Done`], or after the replay of one that was [deferred](Invalidation::Deferred).
#[derive(Clone, Copy, Debug)]
#[must_use = "it does nothing until something is invalidated"]
pub struct Publishing<'a> {
    cache: &'a Cache,
}

impl<'a> Publishing<'a> {
    pub(crate) fn new(cache: &'a Cache) -> Self {
        Self { cache }
    }

    /// As [`Cache::invalidate`](crate::Cache::invalidate), and published.
    ///
    /// # Errors
    ///
    /// As [`Cache::invalidate`](crate::Cache::invalidate). That an event could not be sent is none.
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent, and published, even if this future is dropped.
    pub async fn invalidate(self, key: impl AsRef<str>) -> Result<Invalidation, Error> {
        self.invalidate_many([key]).await
    }

    /// As [`Cache::invalidate_many`](crate::Cache::invalidate_many), and published as one event.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_many<K: AsRef<str>>(
        self,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Invalidation, Error> {
        self.invalidate_after(keys, None).await
    }

    /// As [`Cache::invalidate_lagging`](crate::Cache::invalidate_lagging), and published as one event.
    ///
    /// # Errors
    ///
    /// As [`Cache::invalidate_lagging`](crate::Cache::invalidate_lagging).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_lagging<K: AsRef<str>>(
        self,
        keys: impl IntoIterator<Item = K>,
        replica_lag: Duration,
    ) -> Result<Invalidation, Error> {
        if !self.cache.inner.settings.guarded {
            return Err(Unguarded::NotEnabled.into());
        }
        self.invalidate_after(keys, Some(replica_lag)).await
    }

    async fn invalidate_after<K: AsRef<str>>(
        self,
        keys: impl IntoIterator<Item = K>,
        hold_off: Option<Duration>,
    ) -> Result<Invalidation, Error> {
        let inner = &self.cache.inner;
        let full = |key: K| key::full_key(&inner.namespace, key.as_ref());
        let keys: Vec<_> = keys.into_iter().map(full).collect();
        let removal = Removal {
            hold_off,
            ..Removal::of(inner, &DIRECT.site, keys).published(true)
        };
        invalidate::send(removal).await
    }
}
