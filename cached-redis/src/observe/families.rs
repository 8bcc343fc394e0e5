//! What exporters are given: the numbers of [`Stats`], under the names that they have everywhere.
//!
//! Labels take their values from the functions of the program and from lists that stand here, so how many series
//! there are is known when the program is linked, and all of them are there from the start: a rate over a counter
//! that appears with its first event misses that event. A key, an address or the text of an error is never one.

use std::collections::BTreeMap;

use crate::observe::stats::{FunctionStats, Stats};
use crate::store::sample::StoreSample;
use crate::store::stats::BreakerState;
use crate::util::histogram::Histogram;

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

/// Counters of a function.
struct Counted {
    name: &'static str,
    help: &'static str,
    /// Empty where there is one.
    label: &'static str,
    parts: &'static [(&'static str, fn(&FunctionStats) -> u64)],
}

const fn one(
    name: &'static str,
    help: &'static str,
    parts: &'static [(&'static str, fn(&FunctionStats) -> u64); 1],
) -> Counted {
    let label = "";
    Counted {
        name,
        help,
        label,
        parts,
    }
}

const fn several(
    name: &'static str,
    help: &'static str,
    label: &'static str,
    parts: &'static [(&'static str, fn(&FunctionStats) -> u64)],
) -> Counted {
    Counted {
        name,
        help,
        label,
        parts,
    }
}

/// From each field of [`FunctionStats`] to its series.
static COUNTED: &[Counted] = &[
    several(
        "reads",
        "Reads, by how they were answered.",
        "result",
        &[
            ("hit", |row| row.hits),
            ("local_hit", |row| row.local_hits),
            ("stale", |row| row.stale),
            ("joined", |row| row.joined),
            ("shadow_hit", |row| row.shadow_hits),
            ("miss", |row| row.misses),
            ("bypass", |row| row.bypasses),
        ],
    ),
    one(
        "waits",
        "Times that a read waited for the load of another caller.",
        &[("", |row| row.waits)],
    ),
    one(
        "timeouts",
        "Calls that were given up after their timeout.",
        &[("", |row| row.timeouts)],
    ),
    one(
        "renewals",
        "Loads of entries that could be served meanwhile.",
        &[("", |row| row.renewals)],
    ),
    several(
        "loads",
        "Runs of the function on behalf of the cache, by how they ended.",
        "result",
        &[
            ("ok", |row| row.loads.saturating_sub(row.load_errors)),
            ("error", |row| row.load_errors),
        ],
    ),
    several(
        "audits",
        "Values of the cache that were compared with the source.",
        "result",
        &[
            ("fresh", |row| row.audits.saturating_sub(row.stale_audits)),
            ("stale", |row| row.stale_audits),
        ],
    ),
    several(
        "fills",
        "Results of loads, by whether they were stored.",
        "result",
        &[
            ("stored", |row| row.fills),
            ("refused", |row| row.refused_fills),
            ("lapsed", |row| row.lapsed_fills),
            ("unstorable", |row| row.unstorable),
            ("too_large", |row| row.too_large),
        ],
    ),
    several(
        "unusable_entries",
        "Entries that were found and replaced: of another type, or under a tag that was invalidated.",
        "cause",
        &[
            ("undecodable", |row| row.undecodable),
            ("outdated", |row| row.outdated),
        ],
    ),
    one(
        "errors",
        "Operations that failed.",
        &[("", |row| row.errors)],
    ),
    one(
        "invalidated_keys",
        "Keys whose invalidation the store has confirmed.",
        &[("", |row| row.invalidations)],
    ),
    one(
        "deferred_invalidations",
        "Keys whose invalidation waits for the store.",
        &[("", |row| row.deferred_invalidations)],
    ),
    one(
        "replayed_invalidations",
        "Deferred keys that a replay has removed.",
        &[("", |row| row.replayed_invalidations)],
    ),
    one(
        "repeated_invalidations",
        "Keys that were removed again from the server after.",
        &[("", |row| row.repeated_invalidations)],
    ),
    one(
        "lost_invalidations",
        "Keys whose invalidation will not reach the store.",
        &[("", |row| row.lost_invalidations)],
    ),
    one(
        "unguarded_writes",
        "Writes without the guard or the hold-off that they ask for.",
        &[("", |row| row.unguarded_writes)],
    ),
    one(
        "lost_locks",
        "Locks that were lost before they were released.",
        &[("", |row| row.lost_locks)],
    ),
    several(
        "events",
        "Events of invalidations, by whether they were published.",
        "result",
        &[
            ("published", |row| row.published_events),
            ("deferred", |row| row.deferred_events),
            ("lost", |row| row.lost_events),
        ],
    ),
    several(
        "messages",
        "Messages of others that were to invalidate something.",
        "result",
        &[
            ("ingested", |row| row.ingested_messages),
            ("malformed", |row| row.malformed_messages),
        ],
    ),
    one(
        "ingestion_gaps",
        "Times that messages of others may have been missed.",
        &[("", |row| row.ingestion_gaps)],
    ),
];

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
            let sum = rows.get(row.function).map_or(*row, |sum| sum.plus(row));
            rows.insert(row.function, sum);
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

/// What there is of one cache.
type Gauge = fn(&Stats) -> f64;
type Labelled<T> = &'static [(&'static str, T)];

fn of_caches(caches: &[Cache<'_>]) -> Vec<Family> {
    let family = |name: &'static str, help, kind, label, parts: Labelled<Gauge>| {
        let series = caches.iter().flat_map(|cache| {
            parts.iter().map(move |(part, value)| {
                let value = match kind {
                    Kind::Counter => Value::Count(value(cache.stats) as u64),
                    _ => Value::Size(value(cache.stats)),
                };
                cache.series(&[(label, part)], value)
            })
        });
        let unit = ["seconds", "bytes"].into_iter();
        Family {
            name,
            help,
            kind,
            unit: unit.filter(|unit| name.ends_with(unit)).next(),
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

/// Name, help, kind, label, and the parts of what there is of one cache.
static OF_CACHES: &[(&str, &str, Kind, &str, Labelled<Gauge>)] = &[
    (
        "pending_invalidations",
        "Invalidations that wait for the store at the moment.",
        Kind::Gauge,
        "kind",
        &[
            ("key", |it| it.pending.keys as f64),
            ("pattern", |it| it.pending.patterns as f64),
            ("namespace", |it| f64::from(u8::from(it.pending.namespace))),
        ],
    ),
    (
        "pending_oldest_seconds",
        "For how long there have been invalidations that wait.",
        Kind::Gauge,
        "",
        &[("", |it| it.pending.oldest.unwrap_or_default().as_secs_f64())],
    ),
    (
        "pending_events",
        "Events that wait for the store at the moment.",
        Kind::Gauge,
        "",
        &[("", |it| it.pending.events as f64)],
    ),
    (
        "store_up",
        "Whether there is a connection to the store.",
        Kind::Gauge,
        "",
        &[("", |it| f64::from(u8::from(it.store.connected)))],
    ),
    (
        "breaker_state",
        "1 for the state that the circuit breaker is in.",
        Kind::Gauge,
        "state",
        &[
            ("closed", |it| is_in(it, BreakerState::Closed)),
            ("open", |it| is_in(it, BreakerState::Open)),
            ("half_open", |it| is_in(it, BreakerState::HalfOpen)),
        ],
    ),
    (
        "store_operations",
        "Operations that were sent to the store.",
        Kind::Counter,
        "",
        &[("", |it| it.store.attempted as f64)],
    ),
    (
        "store_failures",
        "Operations without an answer: not sent, not answered in time, or lost with their connection.",
        Kind::Counter,
        "cause",
        &[
            ("rejected", |it| it.store.rejected as f64),
            ("timeout", |it| it.store.timeouts as f64),
            ("lost", |it| it.store.lost as f64),
        ],
    ),
    (
        "store_reconnects",
        "Connections made after the first one.",
        Kind::Counter,
        "",
        &[("", |it| it.store.reconnects as f64)],
    ),
    (
        "store_outdated_entries",
        "Entries of another epoch that were met.",
        Kind::Counter,
        "",
        &[("", |it| it.store.outdated as f64)],
    ),
    (
        "store_keys",
        "Keys in the store when it was sampled last; 0 before that.",
        Kind::Gauge,
        "",
        &[("", |it| sampled(it, StoreSample::keys))],
    ),
    (
        "store_memory_bytes",
        "Memory that the store used when it was sampled last; 0 before that.",
        Kind::Gauge,
        "",
        &[("", |it| sampled(it, StoreSample::used_memory))],
    ),
    (
        "store_memory_limit_bytes",
        "Memory that the store may use; 0 where there is no limit, and before it was sampled.",
        Kind::Gauge,
        "",
        &[("", |it| {
            sampled(it, |sample| sample.max_memory().unwrap_or_default())
        })],
    ),
    (
        "store_evicted_keys",
        "Keys that the store had evicted when it was sampled last.",
        Kind::Counter,
        "",
        &[("", |it| sampled(it, StoreSample::evicted_keys))],
    ),
    (
        "local_entries",
        "Entries and generations in process memory.",
        Kind::Gauge,
        "",
        &[("", |it| it.local.entries as f64)],
    ),
    (
        "local_bytes",
        "Bytes that they take, about.",
        Kind::Gauge,
        "",
        &[("", |it| it.local.bytes as f64)],
    ),
    (
        "local_horizon_seconds",
        "For how long nothing has shown that changes are announced; 0 while nothing is kept.",
        Kind::Gauge,
        "",
        &[("", |it| it.local.horizon.unwrap_or_default().as_secs_f64())],
    ),
    (
        "local_drops",
        "What was dropped from process memory, or not kept there.",
        Kind::Counter,
        "cause",
        &[
            ("changed", |it| it.local.changed as f64),
            ("replaced", |it| it.local.replaced as f64),
            ("flushed", |it| it.local.flushed as f64),
            ("lost", |it| it.local.lost as f64),
            ("moved", |it| it.local.moved as f64),
            ("evicted", |it| it.local.evicted as f64),
            ("refused", |it| it.local.refused as f64),
        ],
    ),
];

fn is_in(stats: &Stats, state: BreakerState) -> f64 {
    f64::from(u8::from(stats.store.breaker == state))
}

fn sampled(stats: &Stats, of: fn(&StoreSample) -> u64) -> f64 {
    stats
        .sample
        .as_ref()
        .map_or(0.0, |sample| of(sample) as f64)
}
