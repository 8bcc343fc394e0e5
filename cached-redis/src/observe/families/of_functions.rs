//! What is counted of each function.

use crate::observe::stats::FunctionStats;

/// A value of the label, and what is counted under it.
pub(super) type Part = (&'static str, fn(&FunctionStats) -> u64);

/// Counters of a function.
pub(super) struct Counted {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Empty where there is one.
    pub(super) label: &'static str,
    pub(super) parts: &'static [Part],
}

const fn one(name: &'static str, help: &'static str, parts: &'static [Part; 1]) -> Counted {
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
    parts: &'static [Part],
) -> Counted {
    Counted {
        name,
        help,
        label,
        parts,
    }
}

/// From each field of [`FunctionStats`] to its series.
pub(super) static COUNTED: &[Counted] = &[
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
        "queued_writes",
        "Calls that write behind, by whether their queue has accepted them.",
        "result",
        &[
            ("accepted", |row| row.accepted_writes),
            ("refused", |row| row.refused_writes),
        ],
    ),
    several(
        "queue_attempts",
        "What became of writes that were taken from their queue.",
        "result",
        &[
            ("applied", |row| row.applied_writes),
            ("coalesced", |row| row.coalesced_writes),
            ("failed", |row| row.failed_writes),
        ],
    ),
    one(
        "dead_letters",
        "Writes that were given up until an operator looks.",
        &[("", |row| row.dead_letters)],
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
