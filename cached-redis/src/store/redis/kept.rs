//! What a level in process memory asks of the store.

use std::sync::Arc;
use std::time::Duration;

use super::RedisStore;
use crate::policy::defaults::LONGEST_STALENESS;
use crate::store::tracked::{Keeper, Shown};
use crate::store::{Answer, Store as _};

impl RedisStore {
    pub(in crate::store) fn track(&self, keeper: Arc<dyn Keeper>) {
        self.links.track(keeper);
    }

    pub(in crate::store) async fn read_tracked(&self, keys: &[&str]) -> Answer<Shown> {
        // Nothing is sent, so nothing is answered.
        if keys.is_empty() {
            return Ok(Shown::default());
        }
        self.links.read_tracked(keys, &self.settings).await
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
}
