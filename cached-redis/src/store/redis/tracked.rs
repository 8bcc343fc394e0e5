//! Reads for a level in process memory, over a connection of their own.
//!
//! It is opened by the first of them, and only what is kept is read there: the server remembers each key
//! that was. Where it is of no use, the connection of the steps is read instead, and nothing is kept of
//! that; but where the server announces nothing at all, for as long as may be served unannounced. On a cluster
//! nothing is kept yet.

use std::sync::Arc;
use std::time::Duration;

use super::RedisStore;
use super::connector::Role;
use super::link::Link;
use super::links::Links;
use super::tracking::Standing;
use crate::error::StoreError;
use crate::policy::defaults::LONGEST_STALENESS;
use crate::store::tracked::{Keeper, Shown};
use crate::store::{Answer, Store as _};
use crate::util::moment::Moment;

impl RedisStore {
    pub(in crate::store) fn track(&self, keeper: Arc<dyn Keeper>) {
        self.tracking.set_keeper(keeper);
    }

    pub(in crate::store) async fn read_tracked(&self, keys: &[&str]) -> Answer<Shown> {
        // Nothing is sent, so nothing is answered.
        if keys.is_empty() {
            return Ok(Shown::default());
        }
        if let Links::Cluster(_) = &self.links {
            self.tracking.is_on_a_cluster();
            return self.read_untracked(keys, None).await;
        }
        let sent = Moment::now();
        self.tracking.used(sent);
        let Some(link) = self.tracked() else {
            return self.read_untracked(keys, None).await;
        };
        match self.tracking.standing() {
            Standing::Silent => return self.read_untracked(keys, Some(sent)).await,
            Standing::Refused => return self.read_untracked(keys, None).await,
            Standing::Down if link.connection.is_up() => {
                // A server that says nothing of itself is asked by nobody else.
                if self.tracking.is_useless() {
                    link.connection.abandon();
                }
                return self.read_untracked(keys, None).await;
            }
            Standing::Down | Standing::Announces => {}
        }
        let made = link.connection.made();
        match link.read_all(keys).await {
            Ok(entries) if link.connection.made() == made && self.tracking.vouches(sent) => {
                let sent = Some(sent);
                Ok(Shown { sent, entries })
            }
            Ok(_) | Err(StoreError::Unavailable | StoreError::Lost) => {
                self.read_untracked(keys, None).await
            }
            Err(error) => Err(error),
        }
    }

    async fn read_untracked(&self, keys: &[&str], sent: Option<Moment>) -> Answer<Shown> {
        let entries = self.get_all(keys).await?;
        Ok(Shown { sent, entries })
    }

    /// The greater of what was agreed on and what is asked for here; of what cannot be read, the longest.
    pub(in crate::store) async fn staleness(&self) -> Answer<Duration> {
        let agreed = match self.get(&self.settings.staleness_key).await? {
            None => Duration::ZERO,
            Some(text) => std::str::from_utf8(&text)
                .ok()
                .and_then(|text| text.parse().ok())
                .map_or(LONGEST_STALENESS, Duration::from_millis),
        };
        Ok(agreed.max(self.settings.staleness).min(LONGEST_STALENESS))
    }

    /// The connection, if anybody wants it; without one of the steps none is begun.
    fn tracked(&self) -> Option<&Link> {
        let Links::Server(steps) = &self.links else {
            return None;
        };
        let is_wanted = || self.tracking.is_wanted() && steps.connection.is_up();
        let begun = match self.tracked.get() {
            None if is_wanted() => Some(self.tracked.get_or_init(|| self.open_tracked(steps))),
            begun => begun,
        };
        begun.map(|begun| &**begun)
    }

    fn open_tracked(&self, steps: &Link) -> Box<Link> {
        let role = Role::Tracked(Arc::clone(&self.tracking));
        let (route, tasks) = (
            Arc::clone(&steps.route),
            Arc::clone(steps.connection.tasks()),
        );
        Box::new(Link::start(
            route,
            &self.settings,
            role,
            &steps.deadline,
            tasks,
        ))
    }
}

#[cfg(test)]
mod tests;
