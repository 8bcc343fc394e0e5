//! How the servers get on, as one: what is told of it is the worst of what is known, and what is counted the sum.

use super::Cluster;
use crate::store::health::{ConnectionError, State};
use crate::store::stats::{BreakerState, StoreStats};

impl Cluster {
    /// Connected while all servers are that have any slots; the last error is that of any of them.
    pub(in crate::store::redis) fn condition(&self) -> State {
        let map = self.shared.map.load();
        let mut all = self.shared.condition.state();
        all.connected = !map.has_hole();
        for node in map.nodes() {
            let one = node.link.connection.condition();
            all.connected &= one.connected;
            all.since = all.since.max(one.since);
            all.last_error = latest(all.last_error, one.last_error);
        }
        all
    }

    pub(in crate::store::redis) fn stats(&self) -> StoreStats {
        let map = self.shared.map.load();
        let begun = StoreStats {
            connected: !map.has_hole(),
            ..StoreStats::default()
        };
        map.nodes().iter().fold(begun, |all, node| {
            let one = node.tracked.beside(node.link.connection.stats());
            StoreStats {
                connected: all.connected && one.connected,
                breaker: worse(all.breaker, one.breaker),
                attempted: all.attempted + one.attempted,
                rejected: all.rejected + one.rejected,
                timeouts: all.timeouts + one.timeouts,
                lost: all.lost + one.lost,
                reconnects: all.reconnects + one.reconnects,
                ..StoreStats::default()
            }
        })
    }
}

fn latest(one: Option<ConnectionError>, other: Option<ConnectionError>) -> Option<ConnectionError> {
    let errors = one.into_iter().chain(other);
    errors.max_by_key(|error| error.at)
}

fn worse(one: BreakerState, other: BreakerState) -> BreakerState {
    match (one, other) {
        (BreakerState::Closed, other) => other,
        (one, BreakerState::Closed) => one,
        (BreakerState::Open, _) | (_, BreakerState::Open) => BreakerState::Open,
        _ => BreakerState::HalfOpen,
    }
}
