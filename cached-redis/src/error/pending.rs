//! What still waits for the store.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// Invalidations that the store has not confirmed yet, for which this process bypasses the cache; and
/// events that it has not.
///
/// Its `Display` is a short text, such as `3 keys`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Pending {
    /// How many keys.
    pub keys: usize,
    /// How many patterns; each stands for all keys that match it.
    pub patterns: usize,
    /// Whether they are too many to be kept one by one, so that the whole namespace is bypassed and
    /// then invalidated.
    pub namespace: bool,
    /// How many events wait to be published, for their invalidation or by themselves.
    pub events: usize,
    /// How many fills, refreshes and invalidations were under way when [`Cache::flush`](crate::Cache::flush)
    /// gave up; 0 in [`Stats`](crate::stats::Stats).
    pub tasks: usize,
    /// For how long there have been invalidations that wait, without a break: the oldest one is no older.
    /// `None` while none waits.
    #[serde(rename = "oldest_seconds", serialize_with = "as_seconds_if_any")]
    pub oldest: Option<Duration>,
}

impl Pending {
    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            keys,
            patterns,
            namespace,
            events,
            tasks,
            oldest: _,
        } = self;
        let plural = |count| if count == 1 { "" } else { "s" };
        let all = if *namespace {
            " and with them the whole namespace"
        } else {
            ""
        };
        write!(f, "{keys} key{}", plural(*keys))?;
        if *patterns > 0 {
            write!(f, ", {patterns} pattern{}", plural(*patterns))?;
        }
        f.write_str(all)?;
        for (count, what) in [(*events, "event"), (*tasks, "task")] {
            if count > 0 {
                write!(f, ", {count} {what}{}", plural(count))?;
            }
        }
        Ok(())
    }
}

/// Times are numbers of seconds in all that is serialized.
pub(crate) fn as_seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

pub(crate) fn as_seconds_if_any<S: Serializer>(
    time: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
