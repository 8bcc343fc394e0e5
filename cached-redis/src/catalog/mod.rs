//! Every annotated function of the program, and the checks over them.
//!
//! Each attribute registers its function at link time. So the catalogue is complete before `main`
//! runs, and mistakes that no single function shows can be found: a writer that invalidates what
//! nobody reads, two types behind one key.

mod print;
mod problems;
mod types;

use std::sync::atomic::Ordering;

pub use self::problems::Problem;
use crate::registry::{Function, Writer, registered};
use crate::template;

/// Two methods of one name in one module get the same default key, and an attribute cannot see
/// that it sits in an `impl`, or in another function. Neither may serve the other's values. How their
/// parameters are called does not matter: a key holds values alone.
pub(crate) fn refuse_shared_default_keys() {
    let functions = registered().0;
    for (a, b) in pairs(&functions).filter(|(a, b)| share_default_key(a, b)) {
        b.conflicting.store(true, Ordering::Relaxed);
        if !a.conflicting.swap(true, Ordering::Relaxed) {
            crate::unheard::error!(
                function = a.info.path,
                "two functions have the same default key and run uncached: give each a `key`"
            );
        }
    }
}

fn share_default_key(a: &Function, b: &Function) -> bool {
    a.info.default_key && b.info.default_key && template::overlap(a.info.template, b.info.template)
}

fn pairs<'a>(
    functions: &'a [&'static Function],
) -> impl Iterator<Item = (&'static Function, &'static Function)> + 'a {
    functions
        .iter()
        .enumerate()
        .flat_map(|(i, a)| functions[i + 1..].iter().map(move |b| (*a, *b)))
}

/// Every annotated function of the program.
///
/// Its `Display` is a table for people: the key conventions of the program, from its source.
#[derive(Clone, Debug)]
#[must_use]
pub struct Catalog {
    functions: Vec<&'static Function>,
    writers: Vec<&'static Writer>,
}

impl Catalog {
    pub(crate) fn collect() -> Self {
        let (functions, writers) = registered();
        Self { functions, writers }
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
/// # Panics
///
/// With one line for each problem.
#[macro_export]
macro_rules! assert_catalog {
    () => {
        $crate::__private::assert_catalog()
    };
}

/// The body of [`assert_catalog!`].
///
/// # Panics
///
/// When the catalogue has problems.
#[track_caller]
pub fn assert_catalog() {
    let problems: Vec<_> = Catalog::collect()
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
