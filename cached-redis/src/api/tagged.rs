//! Tags without the attribute.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::get_or_fill::by_hand;
use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::engine::shape::{Fallible, FallibleOptional};
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::read::call::Call;
use crate::read::renew::InPlace;
use crate::wire::tag::Tags;
use crate::wire::version::source_version;
use crate::write::through::{self, Through};
use crate::write::{invalidate, update};

impl Cache {
    /// The same cache, for entries that carry `tags`: invalidating one of them drops all its entries.
    /// See [tags](crate::docs::tags).
    ///
    /// The names are kept in the entries, so that [`Cache::get`] and every other reader of the key
    /// can tell whether they are alive. Up to 64 fit; with more, nothing is cached.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let members = cache
    ///     .tagged(["team:7", "users"])
    ///     .get_or_fill(&POLICY, "members:7", || async { Ok::<_, io::Error>(vec![1, 2]) })
    ///     .await?;
    /// # assert_eq!(members, [1, 2]);
    /// cache.invalidate_tag("users").await?;
    /// assert_eq!(cache.get::<Vec<i32>>("members:7").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn tagged<T: AsRef<str>>(&self, tags: impl IntoIterator<Item = T>) -> Tagged<'_> {
        let tags = Tags::named(&self.inner.namespace, tags);
        let version = None;
        Tagged {
            cache: self,
            label: Label { tags, version },
        }
    }
}

/// A cache, for entries that carry some tags; made by [`Cache::tagged`].
#[derive(Debug)]
#[must_use = "it does nothing by itself"]
pub struct Tagged<'a> {
    cache: &'a Cache,
    label: Label,
}

impl Tagged<'_> {
    /// The source's current version: an entry of another one is a miss, and what is stored is of this one.
    /// What the option `version` does, without the attribute; see [versions](crate::docs::versions).
    pub fn version<V: Display>(mut self, version: V) -> Self {
        self.label.version = Some(source_version(&version));
        self
    }

    /// As [`Cache::get_or_fill`].
    ///
    /// # Errors
    ///
    /// Those of `load`. The store's never: without it, `load` runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs, its lease is released and waiters go on with their own loads.
    pub async fn get_or_fill<T, E, F, L>(
        self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        by_hand(self.call(key), policy, Fallible::new(), InPlace(load)).await
    }

    /// As [`Cache::get_or_fill_optional`].
    ///
    /// # Errors
    ///
    /// Those of `load`.
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_fill`](Self::get_or_fill).
    pub async fn get_or_fill_optional<T, E, F, L>(
        self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<T>, E>>,
    {
        by_hand(
            self.call(key),
            policy,
            FallibleOptional::new(),
            InPlace(load),
        )
        .await
    }

    /// As [`Cache::put`]; `Ok(false)` also if one of the tags is barred, or its invalidation
    /// [deferred](crate::Invalidation::Deferred).
    ///
    /// # Errors
    ///
    /// As [`Cache::put`], and when there are too many tags.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the value may or may not be stored.
    pub async fn put<T>(
        self,
        policy: &Policy,
        key: impl AsRef<str>,
        value: &T,
    ) -> Result<bool, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        let Self { cache, label } = self;
        invalidate::put(&cache.inner, policy, &cache.key(key), &label, value).await
    }

    /// As [`Cache::put_through`].
    ///
    /// # Errors
    ///
    /// Those of `write`.
    ///
    /// # Cancel safety
    ///
    /// As [`Cache::put_through`].
    pub async fn put_through<T, E, F, L>(
        self,
        policy: &Policy,
        key: impl AsRef<str>,
        write: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        let Self { cache, label } = self;
        let through = Through::direct(cache, cache.key(key), label);
        through::by_hand(through, policy, write).await
    }

    /// As [`Cache::update`]; a value that lacks one of the tags, or is of another version, is taken for
    /// none.
    ///
    /// # Errors
    ///
    /// As [`Cache::update`], and when there are too many tags.
    ///
    /// # Cancel safety
    ///
    /// As [`Cache::update`].
    pub async fn update<T, E, F>(
        self,
        policy: &Policy,
        key: impl AsRef<str>,
        change: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        E: From<Error>,
        F: FnMut(Option<T>) -> Result<T, E>,
    {
        let Self { cache, label } = self;
        update::update(&cache.inner, policy, cache.key(key), label, change).await
    }

    fn call(self, key: impl AsRef<str>) -> Call {
        let Self { cache, label } = self;
        let mut call = Call::direct(&DIRECT, cache, cache.key(key)).tagged(label.tags);
        call.version = label.version;
        call
    }
}
