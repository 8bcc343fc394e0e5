//! Every annotated function of the program, and the checks over them.
//!
//! Each attribute registers its function at link time. So the catalogue is complete before `main`
//! runs, and mistakes that no single function shows can be found: a writer that invalidates what
//! nobody reads, two types behind one key.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::Ordering;

use crate::registry::{
    Function, FunctionInfo, Guard, Writer, WriterInfo, registered, write_throughs,
};
use crate::template;

/// Two methods of one name in one module get the same default key, and an attribute cannot see
/// that it sits in an `impl`, or in another function. Neither may serve the other's values. How their
/// parameters are called does not matter: a key holds values alone.
pub(crate) fn refuse_shared_default_keys() {
    let functions = registered().0;
    for (a, b) in pairs(&functions).filter(|(a, b)| share_default_key(a, b)) {
        b.conflicting.store(true, Ordering::Relaxed);
        if !a.conflicting.swap(true, Ordering::Relaxed) {
            tracing::error!(
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

    /// What is wrong with the catalogue as a whole; empty when nothing is.
    ///
    /// * an `#[invalidates]` target, or a `#[write_through]` key, that matches the key of no cached
    ///   function,
    /// * a tag that no cached function carries, and an `#[invalidates]` drops,
    /// * two value types behind one key template (generic functions are left out): by their text,
    ///   inside `Option` and anything that is called a `…Result`,
    /// * two functions with one key template and different tags: neither takes the other's entries,
    /// * a `#[write_through]` whose tags are not those of a reader of its key, or whose reader has a
    ///   version,
    /// * two functions with the same default key.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.useless_targets();
        problems.extend(self.useless_tags());
        problems.extend(self.mislabelled());
        for (a, b) in pairs(&self.functions) {
            let same = template::shape(a.info.template) == template::shape(b.info.template);
            if share_default_key(a, b) {
                problems.push(Problem::new(
                    a.info.path,
                    format!(
                        "has the same default key as `{}`: give each a `key`",
                        b.info.path
                    ),
                ));
            } else if same
                && !a.info.generic
                && !b.info.generic
                && kept(a.info.value) != kept(b.info.value)
            {
                problems.push(Problem::new(
                    a.info.path,
                    format!(
                        "keeps `{}` under \"{}\", where `{}` keeps `{}`",
                        a.info.value, a.info.template, b.info.path, b.info.value
                    ),
                ));
            } else if same && tag_shapes(&a.info) != tag_shapes(&b.info) {
                problems.push(Problem::new(
                    a.info.path,
                    format!(
                        "has other tags under \"{}\" than `{}`: each replaces the other's entries",
                        a.info.template, b.info.path
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
                    format!(
                        "{} \"{target}\", which matches no cached function",
                        if writer.through {
                            "writes through to"
                        } else {
                            "invalidates"
                        }
                    ),
                )
            })
            .collect()
    }

    fn useless_tags(&self) -> Vec<Problem> {
        let carried = |tag| self.functions.iter().any(|one| carries(&one.info, tag));
        let mut problems = Vec::new();
        for writer in &self.writers {
            for tag in writer.info.tags.iter().filter(|tag| !carried(tag)) {
                let text =
                    format!("invalidates the tag \"{tag}\", which no cached function carries");
                problems.push(Problem::new(writer.info.path, text));
            }
        }
        problems
    }

    /// Write-throughs whose values a reader of the key takes for dead.
    fn mislabelled(&self) -> Vec<Problem> {
        let mut written: Vec<_> = write_throughs()
            .map(|through| &through.function.info)
            .collect();
        written.sort_by_key(|info| (info.file, info.line));
        let reads = |written: &FunctionInfo, reader: &FunctionInfo| {
            template::overlap(reader.template, written.template)
        };
        let mut problems = Vec::new();
        for written in written {
            let readers = self.functions.iter().map(|function| &function.info);
            for reader in readers.filter(|reader| reads(written, reader)) {
                let problem = if reader.versioned {
                    "a version: none of the values is kept"
                } else if !reader.tags.is_empty() && !same_tags(written, reader) {
                    "other tags: it takes none of the values"
                } else {
                    continue;
                };
                let (template, path) = (written.template, reader.path);
                let text = format!(
                    "writes through to \"{template}\", whose reader `{path}` has {problem}"
                );
                problems.push(Problem::new(written.path, text));
            }
        }
        problems
    }

    fn invalidated_by(&self, function: &FunctionInfo) -> Vec<String> {
        let hits = |writer: &&&Writer| {
            let WriterInfo { targets, tags, .. } = &writer.info;
            let mut targets = targets.iter();
            targets.any(|target| template::overlap(function.template, target))
                || tags.iter().any(|tag| carries(function, tag))
        };
        self.writers
            .iter()
            .filter(hits)
            .map(|writer| described(writer))
            .collect()
    }
}

/// Whether some call of the function has some tag of this template.
fn carries(function: &FunctionInfo, tag: &str) -> bool {
    let mut own = function.tags.iter();
    own.any(|own| template::overlap(own, tag))
}

/// Whether each tag of the one may be one of the other.
fn same_tags(a: &FunctionInfo, b: &FunctionInfo) -> bool {
    a.tags.iter().all(|tag| carries(b, tag)) && b.tags.iter().all(|tag| carries(a, tag))
}

/// The tags of a function, however their placeholders are named and in whatever order.
fn tag_shapes(function: &FunctionInfo) -> BTreeSet<String> {
    let tags = function.tags.iter();
    tags.map(|tag| template::outline(tag)).collect()
}

/// The type of what stands under a key, inside `Option` and `Result`.
fn kept(returned: &str) -> &str {
    let Some((name, rest)) = returned.split_once('<') else {
        return returned;
    };
    if !name.ends_with("Result") && !name.ends_with("Option") {
        return returned;
    }
    let mut depth = 0;
    let end = rest.find(|c| {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth -= 1,
            _ => {}
        }
        depth < 0 || depth == 0 && c == ','
    });
    end.map_or(returned, |end| kept(&rest[..end]))
}

/// A writer's path, and what it does beside the plain invalidation.
fn described(writer: &Writer) -> String {
    let through = writer.through.then(|| "write-through".to_owned());
    let writer = &writer.info;
    let guard = writer.guard.map(|guard| match guard {
        Guard::Prefer => "guard".to_owned(),
        Guard::Require => "guard required".to_owned(),
    });
    let lag = writer.replica_lag.map(|lag| format!("replica lag {lag:?}"));
    let publish = writer.publish.then(|| "published".to_owned());
    let extras = through.into_iter().chain(guard).chain(lag).chain(publish);
    let extras: Vec<_> = extras.collect();
    if extras.is_empty() {
        return writer.path.to_owned();
    }
    format!("{} ({})", writer.path, extras.join(", "))
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
        let writers = match self.invalidated_by(info) {
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

#[cfg(test)]
mod tests {
    use super::kept;

    #[test]
    fn what_is_kept_is_inside_options_and_results() {
        for (returned, value) in [
            ("User", "User"),
            ("Vec<User>", "Vec<User>"),
            ("Result<Option<User>, DbError>", "User"),
            ("crate::ApiResult<Vec<(u8, User)>>", "Vec<(u8, User)>"),
            ("Option<Option<User>>", "User"),
        ] {
            assert_eq!(kept(returned), value);
        }
    }
}
