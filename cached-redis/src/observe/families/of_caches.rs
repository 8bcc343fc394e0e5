//! What there is of one cache.

use super::Kind;
use crate::observe::stats::Stats;
use crate::store::sample::StoreSample;
use crate::store::stats::BreakerState;

/// A number of one cache.
pub(super) type Number = fn(&Stats) -> f64;

/// Each with the value of its label.
pub(super) type Labelled<T> = &'static [(&'static str, T)];

/// Name, help, kind, label, and the parts of what there is of one cache.
pub(super) static OF_CACHES: &[(&str, &str, Kind, &str, Labelled<Number>)] = &[
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
