//! What to do about invalidations that a store confirmed and then lost.

/// What happens when Redis restarts or fails over, which may lose invalidations that it has confirmed:
/// replicas lag, and snapshots are older than the last write. Set by
/// [`Builder::on_failover`](crate::Builder::on_failover).
///
/// A server is known by the id of its process and of its history, which are new after every restart
/// and every promotion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnFailover {
    /// Nothing. An entry whose invalidation was lost is served until its TTL.
    Ttl,
    /// Each process repeats its own invalidations of the last 30 s before it lost the old server,
    /// before it reads from the new one. Covers what replication or an append-only file lost, as long as the process that
    /// invalidated lives; not an older snapshot, beyond those 30 s.
    #[default]
    Replay,
    /// All entries from before are dead, so none of them can be stale.
    ///
    /// The price is a cold cache after each restart and failover; leases see to it that every key is
    /// then loaded once. It takes one more call for each connection, and nothing for each read.
    ///
    /// The number of the epoch stands under `namespace:#epoch`, without a TTL. A lost one is replaced
    /// by a higher one, from the seconds of the server's clock, so
    /// [eviction](crate::docs::redis#eviction) costs entries and never the promise. All processes
    /// of a namespace should have the same setting: what is written under another one is dead to them.
    ///
    /// The login must be allowed `EVAL`, `INFO`, `TIME`, and `GET` and `SET` of that key. Where the
    /// epoch cannot be agreed on there is no connection: a warning says why, functions run uncached,
    /// invalidations fail, and the cache goes on trying.
    ///
    /// It holds for processes that talk to the new primary. One that is still connected to the old one
    /// asks it once a second what it is; of a server that goes on as a primary, cut off from the
    /// others, nobody can tell.
    Epoch,
}

impl OnFailover {
    /// Where the number of the epoch stands, if there are epochs.
    pub(crate) fn epoch_key(self, namespace: &str) -> Option<String> {
        (self == Self::Epoch).then(|| epoch_key(namespace))
    }
}

/// The key of a namespace that is no entry.
pub(crate) fn epoch_key(namespace: &str) -> String {
    format!("{namespace}:#epoch")
}
