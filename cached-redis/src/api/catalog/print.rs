//! The catalogue as a table, and as data.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::problems::tags;
use super::types::of;
use super::{Advice, Catalog, Problem};
use crate::observe::registry::{Function, FunctionInfo, Guard, Writer};
use crate::wire::template::{Holds, Template};

/// The catalogue as data.
#[derive(Serialize)]
struct Data<'a> {
    problems: Vec<Problem>,
    advice: &'a [Advice],
    functions: Vec<Row>,
}

/// One cached function.
#[derive(Serialize)]
struct Row {
    key: &'static str,
    tags: &'static [&'static str],
    value: &'static str,
    #[serde(rename = "ttl_ms", serialize_with = "millis")]
    ttl: Option<Duration>,
    policy: Option<&'static str>,
    /// Above how many bytes of value entries are compressed.
    compress: Option<u64>,
    codec: Option<&'static str>,
    parameters: &'static [(&'static str, &'static str)],
    function: &'static str,
    file: &'static str,
    line: u32,
    writers: Vec<Wrote>,
}

/// One function that writes what it reads.
#[derive(Serialize)]
struct Wrote {
    function: &'static str,
    /// What it does beside the plain invalidation.
    does: Vec<String>,
    file: &'static str,
    line: u32,
}

impl Catalog {
    fn rows(&self) -> Vec<Row> {
        let writers: Vec<_> = self.writers.iter().map(|one| Targets::of(one)).collect();
        let row = |function: &&Function| Row::of(&function.info, &writers);
        self.functions.iter().map(row).collect()
    }
}

/// A writer and what it invalidates, which is compared with what all functions read.
struct Targets {
    writer: &'static Writer,
    keys: Vec<Template>,
    tags: Vec<Template>,
}

impl Targets {
    fn of(writer: &'static Writer) -> Self {
        let patterns = |texts: &[&str]| texts.iter().map(|text| Template::pattern(text)).collect();
        Self {
            writer,
            keys: patterns(writer.info.targets),
            tags: patterns(writer.info.tags),
        }
    }
}

impl Row {
    fn of(info: &FunctionInfo, writers: &[Targets]) -> Self {
        let keys = [of(info, info.template, Holds::Anything)];
        let tags: Vec<_> = tags(info).collect();
        let meets = |own: &[Template], targets: &[Template]| {
            let met = |own: &Template| targets.iter().any(|target| own.meets(target));
            own.iter().any(met)
        };
        let writes = |it: &&Targets| meets(&keys, &it.keys) || meets(&tags, &it.tags);
        let writers = writers.iter().filter(writes);
        Self {
            key: info.template,
            tags: info.tags,
            value: info.value,
            ttl: info.policy.ttl,
            policy: info.policy.name,
            compress: info.policy.compress,
            codec: info.codec,
            parameters: info.parameters,
            function: info.path,
            file: info.file,
            line: info.line,
            writers: writers.map(|it| Wrote::of(it.writer)).collect(),
        }
    }
}

impl Wrote {
    fn of(writer: &Writer) -> Self {
        let through = writer.through.then(|| "write-through".to_owned());
        let behind = writer.behind.then(|| "write-behind".to_owned());
        let writer = &writer.info;
        let guard = writer.guard.map(|guard| match guard {
            Guard::Prefer => "guard".to_owned(),
            Guard::Require => "guard required".to_owned(),
        });
        let lag = writer.replica_lag.map(|lag| format!("replica lag {lag:?}"));
        let publish = writer.publish.then(|| "published".to_owned());
        let does = [through, behind, guard, lag, publish];
        Self {
            function: writer.path,
            does: does.into_iter().flatten().collect(),
            file: writer.file,
            line: writer.line,
        }
    }
}

impl fmt::Display for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.problems();
        if !problems.is_empty() {
            writeln!(f, "problems:")?;
            problems
                .iter()
                .try_for_each(|problem| writeln!(f, "  {problem}"))?;
            writeln!(f)?;
        }
        Table::of(&self.rows()).fmt(f)
    }
}

/// The rows as text, without what all paths begin with.
struct Table {
    module: &'static str,
    folder: &'static str,
    /// Each with the lines beneath it.
    rows: Vec<([String; 5], Vec<String>)>,
}

impl Table {
    fn of(rows: &[Row]) -> Self {
        let writers = rows.iter().flat_map(|row| &row.writers);
        let functions = rows.iter().map(|row| row.function);
        let module = common(functions.chain(writers.map(|writer| writer.function)), "::");
        let folder = common(rows.iter().map(|row| row.file), "/");
        let header = ["key", "ttl", "value", "function", "where"].map(str::to_owned);
        let cells = |row: &Row| {
            [
                row.key.to_owned(),
                lasting(row),
                kept(row),
                row.function[module.len()..].to_owned(),
                format!("{}:{}", &row.file[folder.len()..], row.line),
            ]
        };
        let beneath = |row: &Row| {
            let writers = row.writers.iter().map(|it| it.line(module));
            tagged(row).into_iter().chain(writers).collect()
        };
        let rows = rows.iter().map(|row| (cells(row), beneath(row)));
        let rows = [(header, Vec::new())].into_iter().chain(rows).collect();
        Self {
            module,
            folder,
            rows,
        }
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|(row, _)| row[column].chars().count());
        cells.max().unwrap_or(0)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefixes = [("of", self.module, "::"), ("in", self.folder, "/")].into_iter();
        let prefixes = prefixes.filter_map(|(word, prefix, separator)| {
            Some(format!("{word} {}", prefix.strip_suffix(separator)?))
        });
        let prefixes: Vec<_> = prefixes.collect();
        if !prefixes.is_empty() {
            writeln!(f, "functions {}\n", prefixes.join(", "))?;
        }
        let widths: Vec<_> = (0..5).map(|column| self.width(column)).collect();
        for (row, beneath) in &self.rows {
            let cells = row.iter().zip(&widths);
            let cells: Vec<_> = cells
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
            beneath
                .iter()
                .try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

impl Wrote {
    fn line(&self, module: &str) -> String {
        let function = &self.function[module.len()..];
        match self.does.join(", ") {
            does if does.is_empty() => format!("invalidated by {function}"),
            does => format!("invalidated by {function} ({does})"),
        }
    }
}

fn tagged(row: &Row) -> Option<String> {
    (!row.tags.is_empty()).then(|| format!("tagged {}", row.tags.join(", ")))
}

fn kept(row: &Row) -> String {
    let packed = row
        .compress
        .map(|above| format!(", compressed above {above} B"));
    format!("{}{}", row.value, packed.unwrap_or_default())
}

fn lasting(row: &Row) -> String {
    match (row.ttl, row.policy) {
        (Some(ttl), _) => format!("{ttl:?}"),
        (None, Some(name)) => format!("policy {name}"),
        (None, None) => "default".to_owned(),
    }
}

/// What all paths begin with, up to a separator.
fn common(mut paths: impl Iterator<Item = &'static str>, separator: &str) -> &'static str {
    let shared = |prefix: &'static str, path: &'static str| {
        let same = prefix.bytes().zip(path.bytes()).take_while(|(a, b)| a == b);
        let same = prefix.get(..same.count()).unwrap_or("");
        same.rfind(separator)
            .map_or("", |at| &same[..at + separator.len()])
    };
    let first = paths.next().unwrap_or("");
    paths.fold(shared(first, first), shared)
}

fn millis<S: Serializer>(ttl: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    ttl.map(millis).serialize(serializer)
}

impl Serialize for Catalog {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (problems, functions) = (self.problems(), self.rows());
        Data {
            problems,
            advice: &self.advice,
            functions,
        }
        .serialize(serializer)
    }
}
