//! What holds where nobody says otherwise: the defaults of all settings.

use std::time::Duration;

use crate::policy::Jitter;

pub(crate) const JITTER: Jitter = Jitter::around(0.05);
pub(crate) const NEGATIVE_TTL: Duration = Duration::from_secs(30);
pub(crate) const LEASE: Duration = Duration::from_secs(3);
pub(crate) const WAIT_BUDGET: Duration = Duration::from_secs(10);
pub(crate) const THROTTLE: Duration = Duration::from_secs(1);
pub(crate) const UPDATE_ATTEMPTS: u32 = 64;
pub(crate) const JOURNAL_KEYS: usize = 10_000;
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const HOLD: Duration = Duration::from_secs(10);
pub(crate) const LOCAL_STALENESS: Duration = Duration::from_secs(1);
/// What can be asked for at most: writers who cannot learn what was agreed on wait for so long.
pub(crate) const LONGEST_STALENESS: Duration = Duration::from_secs(60);
pub(crate) const LOCAL_BYTES: u64 = 64 << 20;
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
pub(crate) const DEADLINE: Duration = Duration::from_millis(100);
pub(crate) const BREAKER_FAILURES: u32 = 5;
pub(crate) const MAX_VALUE_BYTES: u64 = 64 << 20;
pub(crate) const MEMORY_ENTRIES: u64 = 100_000;
