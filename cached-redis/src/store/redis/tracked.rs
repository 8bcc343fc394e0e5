//! Reads for a level in process memory, over a connection of their own to each server.
//!
//! It is opened by the first of them, and only what is kept is read there: the server remembers each key
//! that was. Where it is of no use, the connection of the steps is read instead, and nothing is kept of
//! that; but where the server announces nothing at all, for as long as may be served unannounced.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::agreement::Standing;
use super::connector::Role;
use super::link::Link;
use super::settings::RedisSettings;
use super::tracking::Tracking;
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::stats::StoreStats;
use crate::store::tracked::Seen;

/// That of one server.
pub(super) struct Tracked {
    pub(super) tracking: Arc<Tracking>,
    /// From the first read on.
    link: OnceLock<Box<Link>>,
}

/// How keys can be read.
pub(super) enum Read {
    Here(Vec<Option<Bytes>>, Seen),
    /// Over the connection of the steps; `None`: nothing of that may be kept.
    Elsewhere(Option<Seen>),
}

impl Tracked {
    pub(super) fn new(tracking: Arc<Tracking>) -> Self {
        let link = OnceLock::new();
        Self { tracking, link }
    }

    /// Reads `keys` of the server where `steps` lead.
    pub(super) async fn read(
        &self,
        steps: &Link,
        settings: &RedisSettings,
        keys: &[&str],
    ) -> Answer<Read> {
        let seen = self.tracking.used();
        let Some(link) = self.link(steps, settings) else {
            return Ok(Read::Elsewhere(None));
        };
        match self.tracking.standing() {
            Standing::Silent => return Ok(Read::Elsewhere(Some(seen))),
            Standing::Refused | Standing::Unagreed => return Ok(Read::Elsewhere(None)),
            Standing::Down if link.connection.is_up() => {
                // A server that says nothing of itself is asked by nobody else.
                if self.tracking.is_useless() {
                    link.connection.abandon();
                }
                return Ok(Read::Elsewhere(None));
            }
            Standing::Down | Standing::Announces => {}
        }
        let made = link.connection.made();
        match link.read_all(keys).await {
            Ok(entries) if link.connection.made() == made && self.tracking.vouches(seen.sent) => {
                Ok(Read::Here(entries, seen))
            }
            Ok(_) | Err(StoreError::Unavailable | StoreError::Lost) => Ok(Read::Elsewhere(None)),
            Err(error) => Err(error),
        }
    }

    /// The connection, if anybody wants it; without one of the steps none is begun.
    fn link(&self, steps: &Link, settings: &RedisSettings) -> Option<&Link> {
        let is_wanted = || self.tracking.is_wanted() && steps.connection.is_up();
        let begun = match self.link.get() {
            None if is_wanted() => Some(self.link.get_or_init(|| self.open(steps, settings))),
            begun => begun,
        };
        begun.map(|begun| &**begun)
    }

    fn open(&self, steps: &Link, settings: &RedisSettings) -> Box<Link> {
        let role = Role::Tracked(Arc::clone(&self.tracking));
        let (route, tasks) = (
            Arc::clone(&steps.route),
            Arc::clone(steps.connection.tasks()),
        );
        Box::new(Link::start(route, settings, role, &steps.deadline, tasks))
    }

    /// Those of the steps, and what is counted of its own.
    pub(super) fn beside(&self, steps: StoreStats) -> StoreStats {
        let own = self.link.get().map(|link| link.connection.stats());
        let own = own.unwrap_or_default();
        StoreStats {
            attempted: steps.attempted + own.attempted,
            timeouts: steps.timeouts + own.timeouts,
            lost: steps.lost + own.lost,
            ..steps
        }
    }

    #[cfg(test)]
    pub(super) fn is_begun(&self) -> bool {
        self.link.get().is_some()
    }
}

#[cfg(test)]
mod tests;
