//! Removes all entries of a function.

use super::Operator;
use crate::error::Error;
use crate::observe::registry;
use crate::write::invalidation::Invalidation;
use crate::write::request::{InvalidationRequest, entries_of};

impl Operator<'_> {
    /// Removes all entries of a function, as [`Cache::clear`](crate::Cache::clear) does, and waits until no process
    /// serves them from its memory.
    ///
    /// A tool that is not one of the writers should be [guarded](crate::Builder::guarded): it cannot know whether
    /// they are, and so it spares their tombstones.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownFunction`] and [`Error::AmbiguousFunction`]; and as
    /// [`invalidate`](crate::Cache::invalidate).
    ///
    /// # Cancel safety
    ///
    /// Polled once, it is sent even if this future is dropped.
    pub async fn clear(&self, function: &str) -> Result<Invalidation, Error> {
        let namespace = &self.inner.namespace;
        let entries = match self.catalog {
            Some(catalog) => {
                let function = catalog.function(function)?;
                entries_of(&function.key, !function.tags.is_empty(), namespace)
            }
            None => {
                let info = &registry::function(function)?.info;
                entries_of(info.template, !info.tags.is_empty(), namespace)
            }
        };
        let request = InvalidationRequest::new(self.inner).of(entries);
        request.settled().send().await
    }
}
