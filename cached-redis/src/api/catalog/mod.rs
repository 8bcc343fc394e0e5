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
    functions: &'static [&'static Function],
    writers: &'static [&'static Writer],
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
        self.functions
    }

    /// The functions under `#[invalidates]` and `#[write_through]`.
    pub(crate) fn writers(&self) -> &[&'static Writer] {
        self.writers
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
/// With one line for each problem, and where no annotated function is linked into the program: there is nothing to
/// be checked then. A test in `tests/` links the crate that it tests by a `use` of it, if only `use my_crate as _;`.
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
/// When the catalogue has problems or is empty.
#[track_caller]
pub fn assert_catalog(elsewhere: &[&str]) {
    let catalog = Catalog::collect();
    assert!(
        !(catalog.functions.is_empty() && catalog.writers.is_empty()),
        "no annotated function is linked into this program, so none was checked\n\
         help: a test in `tests/` links the crate with the functions if it uses it: `use my_crate as _;`"
    );
    let problems: Vec<_> = catalog
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

#[cfg(test)]
mod tests {
    /// These tests annotate nothing.
    #[test]
    #[should_panic(expected = "no annotated function is linked into this program")]
    fn a_catalogue_of_nothing_is_not_called_sound() {
        crate::assert_catalog!();
    }
}
