//! What users ask to invalidate, by hand.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::Inner;
use crate::error::{Error, Unguarded};
use crate::observe::registry::{self, DIRECT};
use crate::wire::key::{self, Pattern};
use crate::wire::tag;
use crate::wire::targets::Targets;
use crate::write::invalidate;
use crate::write::invalidation::Invalidation;
use crate::write::removal::Removal;

/// What is to be invalidated as one thing; made by [`Cache::invalidation`](crate::Cache::invalidation).
#[must_use = "it does nothing until it is sent"]
pub struct InvalidationRequest<'a> {
    inner: &'a Arc<Inner>,
    targets: Targets,
    replica_lag: Option<Duration>,
    publish: bool,
    settled: bool,
}

impl<'a> InvalidationRequest<'a> {
    pub(crate) fn new(inner: &'a Arc<Inner>) -> Self {
        Self {
            inner,
            targets: Targets::default(),
            replica_lag: None,
            publish: false,
            settled: false,
        }
    }

    /// The entry under `key`.
    pub fn key(self, key: impl AsRef<str>) -> Self {
        self.keys([key])
    }

    /// The entries under all `keys`.
    pub fn keys<K: AsRef<str>>(mut self, keys: impl IntoIterator<Item = K>) -> Self {
        let full = |key: K| key::full_key(&self.inner.namespace, key.as_ref());
        self.targets.keys.extend(keys.into_iter().map(full));
        self
    }

    /// All entries that carry the tag, which is taken as it is: build it with [`Key`](crate::Key) when it
    /// contains foreign values.
    pub fn tag(self, tag: impl AsRef<str>) -> Self {
        self.tags([tag])
    }

    /// All entries that carry any of `tags`.
    pub fn tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        let own = |tag: T| tag::named_key(&self.inner.namespace, tag.as_ref());
        self.targets.keys.extend(tags.into_iter().map(own));
        self
    }

    /// The entries under all keys that match `pattern`, in which `*` stands for any text and everything
    /// else for itself.
    ///
    /// The store is scanned from one end to the other, whatever the number of keys that match; see
    /// [patterns](crate::docs::invalidating#patterns). Build the pattern with [`Key`](crate::Key) when it
    /// contains foreign values: a `*` in one of them is then no wildcard.
    pub fn matching(mut self, pattern: impl AsRef<str>) -> Self {
        let pattern = Pattern::new(&self.inner.namespace, pattern.as_ref());
        self.targets.extend(pattern.into());
        self
    }

    /// All entries of one function under `#[redis_cached]`, as [`Cache::clear`](crate::Cache::clear) removes them.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`].
    pub fn function(self, name: &str) -> Result<Self, Error> {
        let info = &registry::function(name)?.info;
        let is_tagged = !info.tags.is_empty();
        let entries = entries_of(info.template, is_tagged, &self.inner.namespace);
        Ok(self.of(entries))
    }

    pub(crate) fn of(mut self, targets: Targets) -> Self {
        self.targets.extend(targets);
        self
    }

    /// For so long afterwards nobody stores what is loaded under the keys: a source whose replicas lag may
    /// still answer with the old value. What `#[invalidates(…, replica_lag = …)]` does; by default nothing.
    pub fn replica_lag(mut self, lag: Duration) -> Self {
        self.replica_lag = Some(lag);
        self
    }

    /// Publishes it as an event, once the store has confirmed it: before [`send`](Self::send) returns
    /// [`Invalidation::Done`], or after the replay of what was [deferred](Invalidation::Deferred). See
    /// [events](crate::docs::events).
    pub fn publish(mut self) -> Self {
        self.publish = true;
        self
    }

    /// Waits, once the store has confirmed it, until no process can serve what was there before, also from its
    /// memory: for what is left of [`local_staleness`](crate::Builder::local_staleness) then. See
    /// [settled writers](crate::docs::writing#settled).
    pub fn settled(mut self) -> Self {
        self.settled = true;
        self
    }

    /// Removes all of it, up to 500 keys and tags in one round trip. Once this has returned
    /// [`Invalidation::Done`], no read that starts afterwards, in any process, returns a value that was
    /// loaded before; after [`Invalidation::Deferred`] that holds for this process, and for others later.
    ///
    /// # Errors
    ///
    /// When a pattern matches every key there is, or a [`replica_lag`](Self::replica_lag) was given and the
    /// cache is not [`guarded`](crate::Builder::guarded); then nothing was sent. What the store does not
    /// confirm is no error but [`Invalidation::Deferred`], and that an event could not be sent is none.
    ///
    /// # Cancel safety
    ///
    /// Polled once, it is sent, and published, even if this future is dropped.
    pub async fn send(self) -> Result<Invalidation, Error> {
        invalidate::send(self.removal()?).await
    }

    pub(crate) fn removal(mut self) -> Result<Removal, Error> {
        let mut seen = HashSet::new();
        self.targets.keys.retain(|key| seen.insert(key.clone()));
        let is_everything = self.targets.patterns.iter().any(Pattern::is_everything);
        Error::require(!is_everything, "pattern", "matches every key there is")?;
        if self.replica_lag.is_some() && !self.inner.settings.guarded {
            return Err(Unguarded::NotEnabled.into());
        }
        Ok(Removal {
            hold_off: self.replica_lag,
            settles: self.settled,
            ..Removal::of(self.inner, &DIRECT.site, self.targets).published(self.publish)
        })
    }
}

impl fmt::Debug for InvalidationRequest<'_> {
    /// Says nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvalidationRequest")
            .finish_non_exhaustive()
    }
}

/// All that a function of this template can have stored, and those that share it.
pub(crate) fn entries_of(template: &str, is_tagged: bool, namespace: &str) -> Targets {
    match is_tagged {
        false => Pattern::of_template(namespace, template).into(),
        true => vec![tag::function_key(namespace, template)].into(),
    }
}
