//! A source of many ids, and the answers of batches.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cached_redis::{Cache, CachedExt as _, Status};

use super::{Source, in_time};

/// The version of the table, as each id was loaded.
pub(crate) type Values = HashMap<u64, u64>;

/// A source that remembers which ids it was asked for.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) rows: Source,
    asked: Arc<Mutex<Vec<Vec<u64>>>>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            rows: Source::new(),
            asked: Arc::default(),
        }
    }

    pub(crate) async fn load(&self, ids: &[u64]) -> Option<Values> {
        let mut sorted = ids.to_vec();
        sorted.sort_unstable();
        self.asked.lock().unwrap().push(sorted);
        let version = self.rows.try_load().await?;
        Some(ids.iter().map(|id| (*id, version)).collect())
    }

    /// What it was asked for since the last look.
    pub(crate) fn asked(&self) -> Vec<Vec<u64>> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

/// The values of ids 1, 2 …
pub(crate) fn all(values: &[u64]) -> Values {
    (1..).zip(values.iter().copied()).collect()
}

/// What a batch gives, and how the cache has answered.
pub(crate) async fn status<E: std::fmt::Debug>(
    cache: &Cache,
    batch: impl Future<Output = Result<Values, E>>,
) -> (Values, Status) {
    let (values, info) = in_time(cache.scope(batch.with_info())).await;
    (values.unwrap(), info.status())
}
