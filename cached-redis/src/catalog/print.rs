//! The catalogue as a table.

use std::fmt;

use super::Catalog;
use super::problems::carries;
use crate::registry::{FunctionInfo, Guard, Writer, WriterInfo};
use crate::template;

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
