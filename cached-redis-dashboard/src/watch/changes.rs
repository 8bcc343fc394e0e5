//! Which differences between two looks at the counters are worth a line.

use cached_redis::stats::{BreakerState, FunctionStats, Stats};

use crate::events::Severity::{Bad, Good, Info, Warning};
use crate::events::{Severity, plural};

/// How much it matters, its name for programs, and for people.
pub(super) type Change = (Severity, &'static str, String);

/// A counter that rises seldom, or never in a healthy program.
struct Counter {
    severity: Severity,
    kind: &'static str,
    count: fn(&FunctionStats) -> u64,
    /// What is counted, and what happened to it.
    what: &'static str,
    verb: &'static str,
}

const fn counter(
    severity: Severity,
    kind: &'static str,
    count: fn(&FunctionStats) -> u64,
    what: &'static str,
    verb: &'static str,
) -> Counter {
    Counter {
        severity,
        kind,
        count,
        what,
        verb,
    }
}

#[rustfmt::skip]
const COUNTERS: [Counter; 13] = [
    counter(Bad, "stale_audits", |row| row.stale_audits, "stale value", "found by audits"),
    counter(Bad, "lost_invalidations", |row| row.lost_invalidations, "invalidation", "lost: its key could not be rendered"),
    counter(Warning, "deferred_invalidations", |row| row.deferred_invalidations, "invalidation", "deferred: the store did not confirm"),
    counter(Good, "replayed_invalidations", |row| row.replayed_invalidations, "deferred invalidation", "replayed"),
    counter(Warning, "unguarded_writes", |row| row.unguarded_writes, "write", "made without the guard asked for"),
    counter(Warning, "lost_locks", |row| row.lost_locks, "lock", "lost before the release"),
    counter(Bad, "dead_letters", |row| row.dead_letters, "write", "given up until an operator looks"),
    counter(Warning, "lost_events", |row| row.lost_events, "event", "lost: no room to keep it"),
    counter(Warning, "ingestion_gaps", |row| row.ingestion_gaps, "gap", "met in the messages of others"),
    counter(Warning, "unstorable", |row| row.unstorable, "value", "not stored: no codec can keep it"),
    counter(Warning, "too_large", |row| row.too_large, "value", "not stored: too large"),
    counter(Info, "undecodable", |row| row.undecodable, "entry of another type", "met and replaced"),
    counter(Warning, "errors", |row| row.errors, "operation", "failed on the store"),
];

pub(super) fn between(before: &Stats, now: &Stats) -> Vec<Change> {
    let mut changes = Vec::new();
    let (was, is) = (before.store(), now.store());
    match (was.connected, is.connected) {
        (true, false) => changes.push((Bad, "connection", "The connection was lost".to_owned())),
        (false, true) => changes.push((Good, "connection", "There is a connection".to_owned())),
        _ => {}
    }
    // A probe on its way is no news.
    match (
        was.breaker == BreakerState::Closed,
        is.breaker == BreakerState::Closed,
    ) {
        (true, false) => changes.push((
            Bad,
            "breaker",
            "The breaker has opened: functions run without the store".to_owned(),
        )),
        (false, true) => changes.push((
            Good,
            "breaker",
            "The breaker has closed: the store is used again".to_owned(),
        )),
        _ => {}
    }
    let rows = before.functions().iter().zip(now.functions());
    changes.extend(rows.flat_map(|(before, now)| risen(before, now)));
    changes.extend(evicted(before, now));
    changes
}

fn risen(before: &FunctionStats, now: &FunctionStats) -> impl Iterator<Item = Change> {
    COUNTERS.iter().filter_map(|counter| {
        let by = (counter.count)(now).saturating_sub((counter.count)(before));
        let text = || {
            let (count, verb) = (plural(by, counter.what), counter.verb);
            format!("{}: {count} {verb}", now.function)
        };
        (by > 0).then(|| (counter.severity, counter.kind, text()))
    })
}

fn evicted(before: &Stats, now: &Stats) -> Option<Change> {
    let (before, now) = (before.sample()?, now.sample()?);
    let by = now.evicted_keys().saturating_sub(before.evicted_keys());
    let text = || format!("{} evicted by the store for room", plural(by, "key"));
    (by > 0).then(|| (Info, "evictions", text()))
}
