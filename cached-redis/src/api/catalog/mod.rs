//! Every annotated function of the program, and the checks over them.
//!
//! Each attribute registers its function at link time. So the catalogue is complete before `main`
//! runs, and mistakes that no single function shows can be found: a writer that invalidates what
//! nobody reads, two types behind one key.

mod advice;
mod behind;
mod explain;
mod export;
mod print;
mod problems;
mod types;

pub use self::advice::Advice;
pub use self::explain::ExplainError;
pub use self::export::{
    Exported, ExportedAdvice, ExportedFunction, ExportedProblem, ExportedWriter,
};
pub use self::problems::Problem;
use crate::observe::registry::{Function, Writer, registered};

/// Every annotated function of the program.
///
/// Its `Display` is for people: the [problems](Catalog::problems), and then the key conventions of the
/// program, from its source. It serializes as an object with the lists `problems`, [`advice`](Catalog::advice) and `functions`, for
/// programs that compare or publish them.
#[derive(Clone, Debug)]
#[must_use]
pub struct Catalog {
    functions: Vec<&'static Function>,
    writers: Vec<&'static Writer>,
    /// The templates that are read by other programs.
    elsewhere: Vec<String>,
    /// What is known of the cache that was asked for it.
    advice: Vec<Advice>,
}

impl Catalog {
    pub(crate) fn collect() -> Self {
        let (functions, writers) = registered();
        Self {
            functions,
            writers,
            elsewhere: Vec::new(),
            advice: Vec::new(),
        }
    }

    /// Says which keys and tags functions of other programs have, as templates or patterns: writers that
    /// invalidate them here are no [problem](Catalog::problems).
    ///
    /// ```standalone_crate
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// let cache = Cache::builder().url("memory://").build().await?;
    /// let catalog = cache.catalog().elsewhere(["user:<id>:feed", "prices:*"]);
    /// assert_eq!(catalog.problems(), []);
    /// # Ok(())
    /// # }
    /// ```
    pub fn elsewhere(mut self, templates: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.elsewhere.extend(templates.into_iter().map(Into::into));
        self
    }

    /// The functions under `#[redis_cached]`.
    pub(crate) fn functions(&self) -> &[&'static Function] {
        &self.functions
    }

    /// The functions under `#[invalidates]` and `#[write_through]`.
    pub(crate) fn writers(&self) -> &[&'static Writer] {
        &self.writers
    }
}

/// Fails unless the catalogue of the program is sound: see [`Catalog::problems`].
///
/// ```standalone_crate
/// use cached_redis::redis_cached;
///
/// #[redis_cached(ttl = 60, key = "square:<n>")]
/// async fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// // in a test of your own
/// cached_redis::assert_catalog!();
/// ```
///
/// Keys and tags that only functions of other programs have are named by
/// `assert_catalog!(elsewhere = ["user:<id>:feed", "prices:*"])`: see [`Catalog::elsewhere`].
///
/// # Panics
///
/// With one line for each problem.
#[macro_export]
macro_rules! assert_catalog {
    () => {
        $crate::assert_catalog!(elsewhere = [])
    };
    (elsewhere = [$($template:expr),* $(,)?]) => {
        $crate::__private::assert_catalog(&[$($template),*])
    };
}

/// The body of [`assert_catalog!`].
///
/// # Panics
///
/// When the catalogue has problems.
#[track_caller]
pub fn assert_catalog(elsewhere: &[&str]) {
    let problems: Vec<_> = Catalog::collect()
        .elsewhere(elsewhere.iter().copied())
        .problems()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        problems.is_empty(),
        "the catalogue of cached functions has problems:\n{}",
        problems.join("\n")
    );
}
