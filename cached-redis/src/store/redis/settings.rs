//! What a Redis store works with.

use std::time::Duration;

use crate::error::Error;
use crate::policy::defaults;
use crate::store::queue::Durability;
#[cfg(feature = "tls")]
use crate::store::redis::TlsSettings;
use crate::store::redis::{AddressMap, SentinelSettings};

/// Whether values may be pending in the namespace, of which every process has to know.
#[derive(Debug, Clone, Default)]
pub(crate) struct PendingSettings {
    /// Where it stands that they may; empty where nobody asks.
    pub(crate) key: String,
    /// Whether this process may write them, and so lets all others know.
    pub(crate) allowed: bool,
    /// Whether its removals spare them.
    pub(crate) spared: bool,
    /// What it takes for one to be accepted, and within what time.
    pub(crate) durability: Durability,
    pub(crate) within: Duration,
}

impl PendingSettings {
    /// Whether they are to be on disks before they are accepted.
    pub(super) fn is_synced(&self) -> bool {
        self.allowed && matches!(self.durability, Durability::Synced { .. })
    }
}

/// What a Redis store works with.
#[derive(Debug, Clone)]
pub(crate) struct RedisSettings {
    /// How long one attempt to connect may take, login included.
    pub(crate) connect_timeout: Duration,
    /// How long an operation may take; see `deadline.rs` for how exactly.
    pub(crate) deadline: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsSettings,
    pub(crate) sentinel: SentinelSettings,
    /// Where the servers of a cluster are.
    pub(crate) address_map: AddressMap,
    /// After about what time it is learnt anew who has which slots, while nothing is wrong.
    pub(crate) refresh: Duration,
    /// After how many operations in a row without an answer none is attempted any more.
    pub(crate) breaker_failures: u32,
    /// Where the epoch stands, if there are epochs.
    pub(crate) epoch_key: Option<String>,
    /// Where the bars stand.
    pub(crate) bars_key: String,
    /// Where it stands how long something that is kept in memory may be served unannounced.
    pub(crate) staleness_key: String,
    /// How long that is here.
    pub(crate) staleness: Duration,
    pub(crate) pending: PendingSettings,
    /// How large an entry may be.
    pub(crate) value_bytes: u64,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            connect_timeout: defaults::CONNECT_TIMEOUT,
            deadline: defaults::DEADLINE,
            #[cfg(feature = "tls")]
            tls: TlsSettings::default(),
            sentinel: SentinelSettings::default(),
            address_map: AddressMap::default(),
            refresh: Duration::from_secs(60),
            breaker_failures: defaults::BREAKER_FAILURES,
            epoch_key: None,
            bars_key: String::new(),
            staleness_key: String::new(),
            staleness: defaults::LOCAL_STALENESS,
            pending: PendingSettings::default(),
            value_bytes: defaults::MAX_VALUE_BYTES,
        }
    }
}

impl RedisSettings {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let problem = "must not be zero";
        Error::require(!self.connect_timeout.is_zero(), "connect_timeout", problem)?;
        Error::require(!self.deadline.is_zero(), "deadline", problem)?;
        Error::require(self.breaker_failures > 0, "breaker_failures", problem)
    }
}
