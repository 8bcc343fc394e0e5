//! Reading and storing one entry by hand.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::engine::handle::Cache;
use crate::engine::label::Label;
use crate::engine::shape::{Fallible, FallibleOptional, Shape};
use crate::error::Error;
use crate::observe::registry::DIRECT;
use crate::policy::Policy;
use crate::wire::version::source_version;

impl Cache {
    /// The entry under `key`, to be read or written with options. What the attributes do, without them.
    ///
    /// `key` is taken as it is; build it with [`Key`](crate::Key) when it contains foreign values.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let team = 7;
    /// let members = cache
    ///     .entry(Key::new("members:").value(team))
    ///     .policy(&POLICY)
    ///     .tags(["team:7", "users"])
    ///     .get_or_fill(|| async { Ok::<_, io::Error>(vec![1, 2]) })
    ///     .await?;
    /// # assert_eq!(members, [1, 2]);
    /// cache.invalidate_tag("users").await?;
    /// assert_eq!(cache.get::<Vec<i32>>("members:7").await?, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn entry(&self, key: impl AsRef<str>) -> EntryRequest<'_> {
        EntryRequest {
            cache: self,
            key: self.key(key),
            policy: &DIRECT.info.policy,
            label: Label::default(),
            form: PhantomData,
        }
    }

    /// The entry under `key`, or the result of `load`, which is then stored under `policy`: short for
    /// [`get_or_fill`](EntryRequest::get_or_fill) of an [`entry`](Self::entry).
    ///
    /// `key` is taken as it is; build it with [`Key`](crate::Key) when it contains foreign values. Errors are
    /// not stored; callers that waited for a load that failed load for themselves, one after the other.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    ///
    /// let page = "a/b";
    /// let hits = cache
    ///     .get_or_fill(&POLICY, Key::new("hits:").value(page), || async { Ok::<_, io::Error>(7_u64) })
    ///     .await?;
    /// assert_eq!(hits, 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `load`. The store's never: without it, `load` runs.
    ///
    /// # Cancel safety
    ///
    /// Dropped while `load` runs, its lease is released and waiters go on with their own loads.
    pub async fn get_or_fill<T, E, F, L>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        load: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        self.entry(key).policy(policy).get_or_fill(load).await
    }

    /// The value under `key`, if a live entry of this type is there: short for [`get`](EntryRequest::get) of
    /// an [`entry`](Self::entry). A cached absence is `None`, and so is a key whose invalidation was
    /// [deferred](crate::Invalidation::Deferred).
    ///
    /// # Errors
    ///
    /// When the store fails.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe.
    pub async fn get<T>(&self, key: impl AsRef<str>) -> Result<Option<T>, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        self.entry(key).get().await
    }

    /// Stores a `value` that is current now: short for [`put`](EntryRequest::put) of an
    /// [`entry`](Self::entry), which says when it is `Ok(false)`.
    ///
    /// An invalidation that ends before it is called is not noticed: for a value that was read from a source
    /// that others write to, use [`get_or_fill`](Self::get_or_fill). A value whose readers have tags or a
    /// version needs [`entry`](Self::entry) with both: without them the key is invalidated instead.
    ///
    /// # Errors
    ///
    /// When the store fails, no layer gives a TTL, or no codec can keep the value.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the value may or may not be stored.
    pub async fn put<T>(
        &self,
        policy: &Policy,
        key: impl AsRef<str>,
        value: &T,
    ) -> Result<bool, Error>
    where
        T: Serialize + DeserializeOwned,
    {
        self.entry(key).policy(policy).put(value).await
    }
}

/// One entry, and how it is read or written; made by [`Cache::entry`].
///
/// `V` says whether its value may be absent, `L` where a load runs.
#[must_use = "it does nothing by itself"]
pub struct EntryRequest<'a, V = Present, L = InPlace> {
    pub(super) cache: &'a Cache,
    pub(super) key: String,
    pub(super) policy: &'a Policy,
    pub(super) label: Label,
    form: PhantomData<fn() -> (V, L)>,
}

/// Of an [`EntryRequest`]: there always is a value.
#[derive(Debug)]
pub struct Present;

/// Of an [`EntryRequest`]: there may be none.
#[derive(Debug)]
pub struct Optional;

/// Of an [`EntryRequest`]: its caller runs the load, which may borrow.
#[derive(Debug)]
pub struct InPlace;

/// Of an [`EntryRequest`]: the load can run in a task of its own.
#[derive(Debug)]
pub struct Detached;

/// Whether there always is a value.
pub trait Presence {
    /// What a load gives.
    type Ok<T>;
    #[doc(hidden)]
    type Shape<T, E>: Shape<Return = Result<Self::Ok<T>, E>, Ok = Self::Ok<T>, Value = T, Error = E>
        + Send
        + Sync;
    #[doc(hidden)]
    fn shape<T, E>() -> Self::Shape<T, E>;
}

impl Presence for Present {
    type Ok<T> = T;
    type Shape<T, E> = Fallible<T, E>;

    fn shape<T, E>() -> Fallible<T, E> {
        Fallible::new()
    }
}

impl Presence for Optional {
    type Ok<T> = Option<T>;
    type Shape<T, E> = FallibleOptional<T, E>;

    fn shape<T, E>() -> FallibleOptional<T, E> {
        FallibleOptional::new()
    }
}

impl<'a, V, L> EntryRequest<'a, V, L> {
    /// How what is stored lives. By default as the [builder](crate::Builder) says; nothing is stored where
    /// neither gives a TTL.
    pub fn policy(mut self, policy: &'a Policy) -> Self {
        self.policy = policy;
        self
    }

    /// What the entry carries: invalidating one of `tags` drops it; none by default. See
    /// [tags](crate::docs::tags).
    ///
    /// The names are kept in the entry, so that every reader of the key can tell whether it is alive. Up to
    /// 64 fit; with more, nothing is cached. An entry that lacks one of them is a miss here.
    pub fn tags<T: AsRef<str>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.label.tags.extend(&self.cache.inner.namespace, tags);
        self
    }

    /// The source's current version: an entry of another one is a miss, and what is stored is of this one;
    /// none by default. What the option `version` does, without the attribute; see
    /// [versions](crate::docs::versions).
    pub fn version<D: Display>(mut self, version: D) -> Self {
        self.label.version = Some(source_version(&version));
        self
    }

    /// A load gives `Result<Option<T>, E>`, and a `None` is kept for the policy's negative TTL.
    pub fn optional(self) -> EntryRequest<'a, Optional, L> {
        self.of_form()
    }

    /// A load owns all that it needs: what the policy lets happen behind a value that is served
    /// ([`stale_while_revalidate`](Policy::stale_while_revalidate),
    /// [`refresh_ahead`](Policy::refresh_ahead), [`early_expiry`](Policy::early_expiry),
    /// [`soft_timeout`](Policy::soft_timeout)) happens in a task of its own, and no caller waits for it.
    ///
    /// ```
    /// # use std::{io, time::Duration};
    /// # use cached_redis::{Cache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// const POLICY: Policy = Policy::new()
    ///     .ttl(Duration::from_secs(60))
    ///     .stale_while_revalidate(Duration::from_secs(600));
    ///
    /// let city = "Bern".to_owned();
    /// let weather = cache
    ///     .entry("weather")
    ///     .policy(&POLICY)
    ///     .detached()
    ///     .get_or_fill(move || async move { Ok::<_, io::Error>(format!("sun over {city}")) })
    ///     .await?;
    /// # assert_eq!(weather, "sun over Bern");
    /// # Ok(())
    /// # }
    /// ```
    pub fn detached(self) -> EntryRequest<'a, V, Detached> {
        self.of_form()
    }

    fn of_form<W, M>(self) -> EntryRequest<'a, W, M> {
        EntryRequest {
            cache: self.cache,
            key: self.key,
            policy: self.policy,
            label: self.label,
            form: PhantomData,
        }
    }
}

impl<V, L> fmt::Debug for EntryRequest<'_, V, L> {
    /// Says nothing of the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntryRequest")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
