//! Every annotated function of the program, and the checks over them.
//!
//! Each attribute registers its function at link time. So the catalogue is complete before `main`
//! runs, and mistakes that no single function shows can be found: a writer that invalidates what
//! nobody reads, two types behind one key.

use std::fmt;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Policy;
use crate::template;

/// A function's name and its place in the counters of every cache.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    slot: AtomicUsize,
}

impl Site {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            slot: AtomicUsize::new(0),
        }
    }

    /// 0, the place of calls without an attribute, until the catalogue has been numbered.
    pub(crate) fn slot(&self) -> usize {
        self.slot.load(Ordering::Relaxed)
    }
}

/// What `#[redis_cached]` knows about its function.
#[derive(Debug)]
pub struct FunctionInfo {
    /// Path of the function.
    pub path: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the attribute.
    pub line: u32,
    /// The key template, as written or by default.
    pub template: &'static str,
    /// Whether the template is the default one.
    pub default_key: bool,
    /// The return type, as written.
    pub value: &'static str,
    /// Whether the function has type or const parameters.
    pub generic: bool,
    /// Whether the attribute names its cache.
    pub bound: bool,
    /// What the attribute says of the life of entries.
    pub policy: Policy,
    /// The codec, as written.
    pub codec: Option<&'static str>,
}

/// One function under `#[redis_cached]`.
#[derive(Debug)]
pub struct Function {
    pub(crate) info: FunctionInfo,
    pub(crate) site: Site,
    /// Whether its values are kept as MessagePack, because its own codec cannot read them back.
    pub(crate) fell_back: AtomicBool,
    /// Whether it was told already that no layer gives it a TTL.
    pub(crate) without_policy: AtomicBool,
    /// Whether another function has the same default key; both then run uncached.
    pub(crate) conflicting: AtomicBool,
}

impl Function {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(info: FunctionInfo) -> Self {
        let site = Site::new(info.path);
        let [fell_back, without_policy, conflicting] = [const { AtomicBool::new(false) }; 3];
        Self {
            info,
            site,
            fell_back,
            without_policy,
            conflicting,
        }
    }
}

/// When an invalidation is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// However the function ends.
    Always,
    /// Unless it returns an error.
    Ok,
    /// Before it runs.
    Before,
}

/// What `#[invalidates]` knows about its function.
#[derive(Debug)]
pub struct WriterInfo {
    /// Path of the function.
    pub path: &'static str,
    /// Source file.
    pub file: &'static str,
    /// Line of the attribute.
    pub line: u32,
    /// The key templates it invalidates.
    pub targets: &'static [&'static str],
    /// When.
    pub when: When,
}

/// One function under `#[invalidates]`.
#[derive(Debug)]
pub struct Writer {
    pub(crate) info: WriterInfo,
    pub(crate) site: Site,
}

impl Writer {
    /// Made in a static by the attribute.
    #[must_use]
    pub const fn new(info: WriterInfo) -> Self {
        let site = Site::new(info.path);
        Self { info, site }
    }
}

/// What the attributes register.
#[derive(Debug)]
pub enum Registered {
    /// A reader.
    Cached(&'static Function),
    /// A writer.
    Writer(&'static Writer),
}

inventory::collect!(Registered);

/// The calls that no attribute made.
pub(crate) static DIRECT: Function = Function::new(FunctionInfo {
    path: "(direct)",
    file: "",
    line: 0,
    template: "",
    default_key: false,
    value: "",
    generic: true,
    bound: true,
    policy: Policy::new(),
    codec: None,
});

/// All sites in the order of their slots.
pub(crate) fn sites() -> Vec<&'static Site> {
    let registered = inventory::iter::<Registered>
        .into_iter()
        .map(|registered| match registered {
            Registered::Cached(function) => &function.site,
            Registered::Writer(writer) => &writer.site,
        });
    let sites: Vec<_> = std::iter::once(&DIRECT.site).chain(registered).collect();
    static NUMBERED: Once = Once::new();
    NUMBERED.call_once(|| {
        for (slot, site) in sites.iter().enumerate() {
            site.slot.store(slot, Ordering::Relaxed);
        }
        refuse_shared_default_keys();
    });
    sites
}

/// Two methods of one name in one module get the same default key, and an attribute cannot see
/// that it sits in an `impl`. Neither may serve the other's values.
fn refuse_shared_default_keys() {
    let functions = Catalog::collect().functions;
    for (a, b) in pairs(&functions) {
        if a.info.default_key && b.info.default_key && a.info.template == b.info.template {
            for function in [a, b] {
                function.conflicting.store(true, Ordering::Relaxed);
            }
            tracing::error!(
                function = a.info.path,
                "two functions have the same default key and run uncached: give each a `key`"
            );
        }
    }
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
    /// Collects what the attributes have registered, in the order of files and lines.
    pub(crate) fn collect() -> Self {
        let (mut functions, mut writers) = (Vec::new(), Vec::new());
        for registered in inventory::iter::<Registered> {
            match registered {
                Registered::Cached(function) => functions.push(*function),
                Registered::Writer(writer) => writers.push(*writer),
            }
        }
        functions.sort_by_key(|function| (function.info.file, function.info.line));
        writers.sort_by_key(|writer| (writer.info.file, writer.info.line));
        Self { functions, writers }
    }

    /// The functions under `#[redis_cached]`.
    pub(crate) fn functions(&self) -> &[&'static Function] {
        &self.functions
    }

    /// What is wrong with the catalogue as a whole; empty when nothing is.
    ///
    /// * an `#[invalidates]` target that matches the key of no cached function,
    /// * two value types behind one key template (generic functions are left out),
    /// * two functions with the same default key.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.useless_targets();
        for (a, b) in pairs(&self.functions) {
            let same = template::shape(a.info.template) == template::shape(b.info.template);
            if same && a.info.default_key && b.info.default_key {
                problems.push(Problem::new(
                    a.info.path,
                    format!(
                        "has the same default key as `{}`: give each a `key`",
                        b.info.path
                    ),
                ));
            } else if same && !a.info.generic && !b.info.generic && a.info.value != b.info.value {
                problems.push(Problem::new(
                    a.info.path,
                    format!(
                        "keeps `{}` under \"{}\", where `{}` keeps `{}`",
                        a.info.value, a.info.template, b.info.path, b.info.value
                    ),
                ));
            }
        }
        problems
    }

    fn useless_targets(&self) -> Vec<Problem> {
        let targets = self.writers.iter().flat_map(|writer| {
            writer
                .info
                .targets
                .iter()
                .map(move |target| (writer, *target))
        });
        targets
            .filter(|(_, target)| {
                !self
                    .functions
                    .iter()
                    .any(|function| template::overlap(function.info.template, target))
            })
            .map(|(writer, target)| {
                Problem::new(
                    writer.info.path,
                    format!("invalidates \"{target}\", which matches no cached function"),
                )
            })
            .collect()
    }

    fn invalidated_by(&self, template: &str) -> Vec<&'static str> {
        let hits = |writer: &&&Writer| {
            writer
                .info
                .targets
                .iter()
                .any(|target| template::overlap(template, target))
        };
        self.writers
            .iter()
            .filter(hits)
            .map(|writer| writer.info.path)
            .collect()
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header =
            ["key", "value", "ttl", "function", "invalidated by", "where"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(header)
            .chain(
                self.functions
                    .iter()
                    .map(|function| self.row(&function.info)),
            )
            .collect();
        let widths: Vec<usize> = (0..6)
            .map(|column| {
                rows.iter()
                    .map(|row| row[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        for row in &rows {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}", width = *width))
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}

impl Catalog {
    fn row(&self, info: &FunctionInfo) -> [String; 6] {
        let ttl = match (info.policy.ttl, info.policy.name) {
            (Some(ttl), _) => format!("{ttl:?}"),
            (None, Some(name)) => format!("policy {name}"),
            (None, None) => "default".to_owned(),
        };
        let writers = match self.invalidated_by(info.template) {
            writers if writers.is_empty() => "-".to_owned(),
            writers => writers.join(", "),
        };
        [
            info.template.to_owned(),
            info.value.to_owned(),
            ttl,
            info.path.to_owned(),
            writers,
            format!("{}:{}", info.file, info.line),
        ]
    }
}

/// One thing that is wrong with the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    function: &'static str,
    text: String,
}

impl Problem {
    fn new(function: &'static str, text: String) -> Self {
        Self { function, text }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.function, self.text)
    }
}

/// Fails unless the catalogue of the program is sound: see [`Catalog::problems`].
///
/// ```
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
