//! Invalidating by hand.

use crate::engine::handle::Cache;
use crate::error::Error;
use crate::observe::registry;
use crate::write::clear;
use crate::write::invalidate;
use crate::write::invalidation::Invalidation;
use crate::write::request::{InvalidationRequest, entries_of};

impl Cache {
    /// What is to be invalidated as one thing: keys, tags, patterns, and how.
    ///
    /// ```
    /// # use cached_redis::{Cache, Key};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// # let name = "a*b";
    /// cache
    ///     .invalidation()
    ///     .key("user:42")
    ///     .tag("team:7")
    ///     .matching(Key::new("search:").value(name).text(":*"))
    ///     .publish()
    ///     .send()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidation(&self) -> InvalidationRequest<'_> {
        InvalidationRequest::new(&self.inner)
    }

    /// Removes the entry under `key`: short for an [`invalidation`](Self::invalidation) of one key.
    ///
    /// # Errors
    ///
    /// None at present: what the store does not confirm is [`Invalidation::Deferred`].
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn invalidate(&self, key: impl AsRef<str>) -> Result<Invalidation, Error> {
        self.invalidation().key(key).send().await
    }

    /// Drops every entry that carries the tag, however many there are, by one command: short for an
    /// [`invalidation`](Self::invalidation) of one tag.
    ///
    /// # Errors
    ///
    /// As [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// As [`invalidate`](Self::invalidate).
    pub async fn invalidate_tag(&self, tag: impl AsRef<str>) -> Result<Invalidation, Error> {
        self.invalidation().tag(tag).send().await
    }

    /// Removes all entries of one function under `#[redis_cached]`, known by its name alone or with
    /// its module: `"get_user"`, `"users::get_user"`. Once this has returned, all that
    /// [`invalidate`](Self::invalidate) promises holds for each of its keys.
    ///
    /// The entries are those under the keys that its template can make, so functions that share a
    /// template lose theirs as well. The store is scanned from one end to the other, as for a
    /// [pattern](InvalidationRequest::matching); of a function with `tags` one command is enough.
    ///
    /// ```standalone_crate
    /// # use cached_redis::{Cache, redis_cached};
    /// #[redis_cached(ttl = 60, key = "user:<id>")]
    /// async fn get_user(id: u64) -> String {
    ///     format!("user {id}")
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// cache.clear("get_user").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`]; and as
    /// [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// Polled once, the invalidation is sent even if this future is dropped.
    pub async fn clear(&self, function: &str) -> Result<Invalidation, Error> {
        let function = registry::function(function)?;
        let entries = entries_of(
            function.info.template,
            !function.info.tags.is_empty(),
            &self.inner.namespace,
        );
        invalidate::invalidate(&self.inner, &function.site, entries).await
    }

    /// Removes all entries of the namespace, of all functions and all processes: for a source that was
    /// restored from a backup, say, or when it is not known what has changed. Once this has returned
    /// [`Invalidation::Done`], all that [`invalidate`](Self::invalidate) promises holds for every key.
    ///
    /// The store is scanned from one end to the other, and from then on each read loads: expect the load of
    /// an empty cache. Locks, streams of events, [writes that wait](crate::docs::write_behind) and what other
    /// programs keep beside stay. It does not wait for the commit of a [transaction](crate::AfterCommit) around it.
    ///
    /// ```
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// cache.clear_namespace().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// None at present: what the store does not confirm is [`Invalidation::Deferred`].
    ///
    /// # Cancel safety
    ///
    /// Polled once, it is done even if this future is dropped.
    pub async fn clear_namespace(&self) -> Result<Invalidation, Error> {
        Ok(clear::namespace(&self.inner).await)
    }
}
