//! What exporters are given: the numbers of [`Stats`], under the names that they have everywhere.
//!
//! Labels take their values from the functions of the program and from lists that stand here, so how many series
//! there are is known when the program is linked, and all of them are there from the start: a rate over a counter
//! that appears with its first event misses that event. A key, an address or the text of an error is never one.

use std::collections::BTreeMap;

use crate::observe::stats::{FunctionStats, Stats};
use crate::util::histogram::Histogram;

mod of_caches;
mod of_functions;

use of_caches::{Labelled, Number, OF_CACHES};
use of_functions::{COUNTED, Counted};

/// What all names begin with.
pub(crate) const PREFIX: &str = "cached_redis_";

/// All series of one name.
pub(crate) struct Family {
    /// Without the prefix, and without what a kind adds to it.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) kind: Kind,
    /// What the name ends in, where that is a unit.
    pub(crate) unit: Option<&'static str>,
    pub(crate) series: Vec<Series>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One of them.
pub(crate) struct Series {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    Count(u64),
    Size(f64),
    Histogram(Box<Histogram>),
}

/// Those of one cache, or of several that have namespaces of their own.
pub(crate) fn families(caches: &[&Stats]) -> Vec<Family> {
    let caches: Vec<_> = caches.iter().map(|stats| Cache::of(stats)).collect();
    let counted = COUNTED.iter().map(|counted| counted.family(&caches));
    let mut all: Vec<_> = counted.collect();
    all.extend(measured(&caches));
    all.extend(of_caches(&caches));
    all
}

/// One cache, with its rows by names. Functions of one name, such as methods of two types in one module, are one
/// row: two series of the same labels are none.
struct Cache<'a> {
    stats: &'a Stats,
    rows: BTreeMap<&'static str, FunctionStats>,
}

impl<'a> Cache<'a> {
    fn of(stats: &'a Stats) -> Self {
        let mut rows = BTreeMap::<_, FunctionStats>::new();
        for row in &stats.functions {
            let sum = rows.entry(row.function);
            sum.and_modify(|sum| sum.add(row)).or_insert(*row);
        }
        Self { stats, rows }
    }

    fn series(&self, labels: &[(&'static str, &str)], value: Value) -> Series {
        let namespace = ("namespace", self.stats.namespace.as_str());
        let labels = [namespace].into_iter().chain(labels.iter().copied());
        let labels = labels.filter(|(name, _)| !name.is_empty());
        Series {
            labels: labels
                .map(|(name, value)| (name, value.to_owned()))
                .collect(),
            value,
        }
    }
}

impl Counted {
    fn family(&self, caches: &[Cache<'_>]) -> Family {
        let mut series = Vec::new();
        for cache in caches {
            for (function, row) in &cache.rows {
                series.extend(self.parts.iter().map(|(part, value)| {
                    let labels = [("function", *function), (self.label, *part)];
                    cache.series(&labels, Value::Count(value(row)))
                }));
            }
        }
        Family {
            name: self.name,
            help: self.help,
            kind: Kind::Counter,
            unit: None,
            series,
        }
    }
}

/// What is measured of each function.
fn measured(caches: &[Cache<'_>]) -> [Family; 2] {
    let family = |name, help, unit, of: fn(&FunctionStats) -> Histogram| {
        let series = caches.iter().flat_map(|cache| {
            cache.rows.iter().map(move |(function, row)| {
                let value = Value::Histogram(Box::new(of(row)));
                cache.series(&[("function", function)], value)
            })
        });
        Family {
            name,
            help,
            kind: Kind::Histogram,
            unit: Some(unit),
            series: series.collect(),
        }
    };
    [
        family("load_seconds", "Times of loads.", "seconds", |row| {
            row.load_times
        }),
        family(
            "value_bytes",
            "Sizes of entries that were stored.",
            "bytes",
            |row| row.value_bytes,
        ),
    ]
}

fn of_caches(caches: &[Cache<'_>]) -> Vec<Family> {
    let family = |name: &'static str, help, kind, label, parts: Labelled<Number>| {
        let series = caches.iter().flat_map(|cache| {
            parts.iter().map(move |(part, value)| {
                let value = match kind {
                    Kind::Counter => Value::Count(value(cache.stats) as u64),
                    _ => Value::Size(value(cache.stats)),
                };
                cache.series(&[(label, part)], value)
            })
        });
        let mut units = ["seconds", "bytes"].into_iter();
        Family {
            name,
            help,
            kind,
            unit: units.find(|unit| name.ends_with(unit)),
            series: series.collect(),
        }
    };
    let mut all: Vec<_> = OF_CACHES
        .iter()
        .map(|(name, help, kind, label, parts)| family(name, help, *kind, *label, parts))
        .collect();
    let kinds = caches.iter().flat_map(|cache| {
        let kinds = cache.stats.store.round_trips.kinds();
        kinds.map(move |(kind, took)| {
            let value = Value::Histogram(Box::new(took));
            cache.series(&[("op", kind)], value)
        })
    });
    all.push(Family {
        name: "store_seconds",
        help: "Times of operations on the store; of reads, one in sixteen.",
        kind: Kind::Histogram,
        unit: Some("seconds"),
        series: kinds.collect(),
    });
    all
}
