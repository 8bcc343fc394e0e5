//! What no single function shows.
//!
//! A target is useless where no values can make it a key that is read. Two functions are in each other's
//! way where some values surely can: what is not known of a parameter's type raises no alarm.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::Catalog;
use super::types::{differ, of, transaction};
use crate::observe::registry::{Function, FunctionInfo, pairs, share_default_key, write_throughs};
use crate::wire::template::{Holds, Template};

impl Catalog {
    /// What is wrong with the catalogue as a whole; empty when nothing is.
    ///
    /// * an `#[invalidates]` target, or a `#[write_through]` key, that matches the key of no cached
    ///   function of this program nor one that is [elsewhere](Catalog::elsewhere): `<q>` and `<q:hash>` do
    ///   not match, nor `latest` and an integer; `<id>` and `<id:?>` of an integer do,
    /// * a tag that no cached function carries, and an `#[invalidates]` drops,
    /// * two value types behind one key, inside `Option`, `Result` and pointers (generic functions are left
    ///   out). Once both functions have kept a value these are the types themselves; before, names of the
    ///   standard library are told apart, and types of the program are not,
    /// * two functions with different templates that can make one key, such as `a:<x>` and `a:latest` where
    ///   `x` is text,
    /// * two functions with one key template and different tags: neither takes the other's entries,
    /// * a `#[write_through]` whose type or tags are not those of a reader of its key, or whose reader has a
    ///   version,
    /// * a `#[write_behind]` whose type is not that of a reader of its key, or whose reader has tags or a version;
    ///   another writer of its key that guards it or writes it through,
    /// * a parameter that is an open transaction, on a function that keeps what it saw there: a type called
    ///   `…Transaction` that has a lifetime or other arguments, is behind `&mut` or a lock, or is written
    ///   with the crate of a database's driver; and `DatabaseTransaction`. A `&BankTransaction` is none,
    /// * two functions with the same default key,
    /// * more than one `{` in a template: a Redis Cluster goes by the first pair of braces alone.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.useless_targets();
        problems.extend(self.useless_tags());
        problems.extend(self.written_otherwise());
        problems.extend(self.behind());
        let readers: Vec<_> = self.functions.iter().map(|one| Reader::of(one)).collect();
        let clashes = |(a, b): (&Reader, &Reader)| Problem::maybe(&a.function.info, clash(a, b));
        problems.extend(pairs(&readers).filter_map(clashes));
        problems.extend(self.in_transactions());
        problems.extend(self.with_several_hash_tags());
        problems
    }

    fn useless_targets(&self) -> Vec<Problem> {
        let read =
            |function: &&Function| of(&function.info, function.info.template, Holds::Anything);
        let read: Vec<_> = self.functions.iter().map(read).collect();
        let is_read = |target: &Template| read.iter().any(|keys| keys.meets(target));
        let mut problems = Vec::new();
        for writer in self.writers {
            let useless = |target: &&&str| !is_read(&Template::pattern(target));
            for target in writer.info.targets.iter().filter(useless) {
                let does = match (writer.through, writer.behind) {
                    (true, _) => "writes through to",
                    (_, true) => "writes behind to",
                    _ => "invalidates",
                };
                let text = format!("{does} \"{target}\", which matches no cached function");
                let keys = |info: &FunctionInfo| vec![info.template];
                problems.extend(self.useless(writer.info.path, target, text, keys));
            }
        }
        problems
    }

    fn useless_tags(&self) -> Vec<Problem> {
        let carried = self.functions.iter().flat_map(|one| tags(&one.info));
        let carried: Vec<_> = carried.collect();
        let useless = |tag: &&&str| {
            let tag = Template::pattern(tag);
            !carried.iter().any(|carried| carried.meets(&tag))
        };
        let mut problems = Vec::new();
        for writer in self.writers {
            for tag in writer.info.tags.iter().filter(useless) {
                let text =
                    format!("invalidates the tag \"{tag}\", which no cached function carries");
                let tags = |info: &FunctionInfo| info.tags.to_vec();
                problems.extend(self.useless(writer.info.path, tag, text, tags));
            }
        }
        problems
    }

    /// The problem of a target that nobody reads in this program, if it is not known to be read elsewhere;
    /// it names the function that has it with other formats among its `templates`.
    fn useless(
        &self,
        writer: &'static str,
        target: &str,
        mut text: String,
        templates: impl Fn(&FunctionInfo) -> Vec<&'static str>,
    ) -> Option<Problem> {
        let pattern = Template::pattern(target);
        let mut elsewhere = self.elsewhere.iter();
        if elsewhere.any(|template| Template::pattern(template).meets(&pattern)) {
            return None;
        }
        let pattern = pattern.without_formats();
        let meant = self.functions.iter().find_map(|Function { info, .. }| {
            let alike = |template: &&str| {
                let template = of(info, template, Holds::Anything);
                template.without_formats().meets(&pattern)
            };
            let template = templates(info).into_iter().find(alike)?;
            Some((info.path, template))
        });
        if let Some((path, template)) = meant {
            text += &format!("; `{path}` has \"{template}\": write it alike");
        }
        Some(Problem::new(writer, text))
    }

    /// Write-throughs whose values a reader of the key takes for dead, or for those of another type.
    fn written_otherwise(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for written in throughs() {
            let keys = surely(&written.info);
            let readers = self.functions.iter();
            for reader in readers.filter(|reader| surely(&reader.info).meets(&keys)) {
                problems.extend(Problem::maybe(&written.info, mislabelled(written, reader)));
                problems.extend(Problem::maybe(&written.info, mistyped(written, reader)));
            }
        }
        problems
    }

    /// Functions that keep what they saw in a transaction, which may be rolled back.
    fn in_transactions(&self) -> Vec<Problem> {
        let functions = self.functions.iter().copied().chain(throughs());
        let problem = |function: &Function| {
            let name = transaction(&function.info)?;
            let text = format!(
                "may keep what is never committed, as it is handed an open transaction, `{name}`: let it \
                 take a connection, and call it inside `after_commit()` or with `.uncached()` where that \
                 is a transaction's"
            );
            Some(Problem::new(function.info.path, text))
        };
        functions.filter_map(problem).collect()
    }

    /// Functions whose keys have a hash tag that is none.
    fn with_several_hash_tags(&self) -> Vec<Problem> {
        let functions = self.functions.iter().copied().chain(throughs());
        let problem = |function: &Function| {
            let template = function.info.template;
            let text = format!(
                "has more than one `{{` in \"{template}\": a Redis Cluster goes by the first pair of braces alone, \
                 so leave one"
            );
            let has_several = template.matches('{').count() > 1;
            has_several.then(|| Problem::new(function.info.path, text))
        };
        functions.filter_map(problem).collect()
    }
}

/// The write-throughs, in the order of the source.
fn throughs() -> Vec<&'static Function> {
    let mut written: Vec<_> = write_throughs().map(|through| &through.function).collect();
    written.sort_by_key(|function| (function.info.file, function.info.line));
    written
}

/// The keys that a function is known to have.
pub(super) fn surely(info: &FunctionInfo) -> Template {
    of(info, info.template, Holds::Nothing)
}

/// A function and its keys, which are compared with those of all others.
struct Reader {
    function: &'static Function,
    keys: Template,
    /// Those whatever its values are.
    shape: Template,
}

impl Reader {
    fn of(function: &'static Function) -> Self {
        let keys = surely(&function.info);
        Self {
            function,
            shape: keys.clone().without_types(),
            keys,
        }
    }
}

/// How two readers are in each other's way.
fn clash(one: &Reader, another: &Reader) -> Option<String> {
    let (a, b) = (one.function, another.function);
    let (a_info, b_info) = (&a.info, &b.info);
    let (template, path) = (a_info.template, b_info.path);
    if share_default_key(a, b) {
        return Some(format!(
            "has the same default key as `{path}`: give each a `key`"
        ));
    }
    if one.shape != another.shape {
        let other = b_info.template;
        return one.keys.collides(&another.keys).then(|| {
            format!(
                "has keys \"{template}\", and those of `{path}`, \"{other}\", can be the same: give one \
                 of the two a prefix of its own"
            )
        });
    }
    if let Some([a, b]) = differ(a, b) {
        return Some(format!(
            "keeps `{a}` under \"{template}\", where `{path}` keeps `{b}`"
        ));
    }
    (tag_shapes(a_info) != tag_shapes(b_info)).then(|| {
        format!(
            "has other tags under \"{template}\" than `{path}`: each replaces the other's entries"
        )
    })
}

/// Why a reader keeps none of the written values.
fn mislabelled(written: &Function, reader: &Function) -> Option<String> {
    let (written, reader) = (&written.info, &reader.info);
    let problem = if reader.versioned {
        "a version: none of the values is kept"
    } else if !reader.tags.is_empty() && !same_tags(written, reader) {
        "other tags: it takes none of the values"
    } else {
        return None;
    };
    let (template, path) = (written.template, reader.path);
    Some(format!(
        "writes through to \"{template}\", whose reader `{path}` has {problem}"
    ))
}

fn mistyped(written: &Function, reader: &Function) -> Option<String> {
    let [a, b] = differ(written, reader)?;
    let (template, path) = (written.info.template, reader.info.path);
    Some(format!(
        "writes `{a}` through to \"{template}\", where `{path}` keeps `{b}`"
    ))
}

/// Whether some call of the function has some tag of this template.
fn carries(function: &FunctionInfo, tag: &str) -> bool {
    let tag = Template::pattern(tag);
    tags(function).any(|own| own.meets(&tag))
}

/// The tags that a call of the function may have.
pub(super) fn tags(function: &FunctionInfo) -> impl Iterator<Item = Template> {
    let tags = function.tags.iter();
    tags.map(|tag| of(function, tag, Holds::Anything))
}

/// Whether each tag of the one may be one of the other.
fn same_tags(a: &FunctionInfo, b: &FunctionInfo) -> bool {
    a.tags.iter().all(|tag| carries(b, tag)) && b.tags.iter().all(|tag| carries(a, tag))
}

/// The tags of a function, however their placeholders are named and in whatever order.
fn tag_shapes(function: &FunctionInfo) -> BTreeSet<Template> {
    tags(function).map(Template::without_types).collect()
}

/// One thing that is wrong with the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    function: &'static str,
    #[serde(rename = "problem")]
    text: String,
}

impl Problem {
    pub(super) fn new(function: &'static str, text: String) -> Self {
        Self { function, text }
    }

    fn maybe(function: &FunctionInfo, text: Option<String>) -> Option<Self> {
        Some(Self::new(function.path, text?))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.function, self.text)
    }
}
