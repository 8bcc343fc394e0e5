//! For people who operate a cache.
//!
//! What they ask for costs the calls of the program nothing: it is read beside them, in bounded steps, and changes
//! nothing. What they change is done by the steps that writers take as well, so it keeps the promise as they do.

mod entry;
mod inspect;
mod known;
mod life;
mod list;
mod orders;
mod purge;
mod servers;

use std::fmt;
use std::sync::Arc;

pub use self::entry::{Entry, Inspection, Life, Standing, TagFacts, TagState};
pub use self::list::{Listed, Listing};
pub use self::orders::ModeOrder;
use crate::api::catalog::Exported;
use crate::engine::handle::{Cache, Inner};

/// What people ask and do who operate a cache; made by [`Cache::operator`].
///
/// Functions are those of this program, or of a [catalogue](Self::with_catalog) that another one has exported.
#[derive(Clone, Copy)]
#[must_use]
pub struct Operator<'a> {
    inner: &'a Arc<Inner>,
    catalog: Option<&'a Exported>,
}

impl Cache {
    /// What people ask and do who operate this cache.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cached_redis::{Cache, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// let policy = Policy::new().ttl(Duration::from_secs(60));
    /// cache.put(&policy, "user:42", &"Ann".to_owned()).await?;
    ///
    /// let found = cache.operator().inspect("user:42").await?;
    /// assert_eq!(found.standing.kind(), "value");
    /// # Ok(())
    /// # }
    /// ```
    pub fn operator(&self) -> Operator<'_> {
        Operator {
            inner: &self.inner,
            catalog: None,
        }
    }
}

impl<'a> Operator<'a> {
    /// Knows the functions of a program that has exported its catalogue, instead of those of this one.
    pub fn with_catalog(self, catalog: &'a Exported) -> Self {
        let catalog = Some(catalog);
        Self { catalog, ..self }
    }
}

impl fmt::Debug for Operator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").finish_non_exhaustive()
    }
}
