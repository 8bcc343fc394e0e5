//! How full a store is, as far as that is told at little cost.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

/// How full a store was at a moment; [`Cache::store_sample`](crate::Cache::store_sample) takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[must_use]
pub struct StoreSample {
    /// When it was taken, by the clock of this process; `taken_ms` since the Unix epoch where it is serialized.
    #[serde(rename = "taken_ms", serialize_with = "unix_ms")]
    pub taken: SystemTime,
    /// One of each server: of a cluster those that have slots; of a store in memory that alone.
    pub servers: Vec<ServerSample>,
}

/// How full one server was. What others keep on it counts as well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServerSample {
    /// Its address without user, password and query; `memory` in memory.
    pub server: String,
    /// What it says of its version.
    pub version: String,
    /// Keys in the database that the cache uses, those of others included.
    pub keys: u64,
    /// Bytes that it uses; in memory those of keys and entries.
    pub used_memory: u64,
    /// How many it may use: `maxmemory`, or [`memory_bytes`](crate::Builder::memory_bytes). `None`: all there are.
    pub max_memory: Option<u64>,
    /// What it does when it is full: `maxmemory-policy`.
    pub eviction_policy: String,
    /// Keys that it has evicted since it was started; not counted in memory.
    pub evicted_keys: u64,
    /// Keys whose time was over since it was started; not counted in memory.
    pub expired_keys: u64,
}

impl StoreSample {
    pub(crate) fn now(servers: Vec<ServerSample>) -> Self {
        let taken = SystemTime::now();
        Self { taken, servers }
    }

    fn sum(&self, of: impl Fn(&ServerSample) -> u64) -> u64 {
        self.servers.iter().map(of).sum()
    }

    /// Keys of all servers.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.sum(|server| server.keys)
    }

    /// Bytes that all servers use.
    #[must_use]
    pub fn used_memory(&self) -> u64 {
        self.sum(|server| server.used_memory)
    }

    /// How many bytes all servers may use; `None` where one of them may use all that there are.
    #[must_use]
    pub fn max_memory(&self) -> Option<u64> {
        self.servers.iter().map(|server| server.max_memory).sum()
    }

    /// Keys that were evicted, on all servers since each was started.
    #[must_use]
    pub fn evicted_keys(&self) -> u64 {
        self.sum(|server| server.evicted_keys)
    }
}

pub(super) fn unix_ms<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    serializer.serialize_u64(since.as_millis() as u64)
}
