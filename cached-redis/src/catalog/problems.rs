//! What no single function shows.

use std::collections::BTreeSet;
use std::fmt;

use super::types::kept;
use super::{Catalog, pairs, share_default_key};
use crate::registry::{FunctionInfo, write_throughs};
use crate::template;

impl Catalog {
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
}

/// Whether some call of the function has some tag of this template.
pub(super) fn carries(function: &FunctionInfo, tag: &str) -> bool {
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
