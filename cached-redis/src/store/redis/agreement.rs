//! How long something may be served unannounced: agreed on in the store, by whoever asks first.

use std::sync::Once;
use std::time::Duration;

use redis::{Cmd, Value};

use super::settings::RedisSettings;
use super::{failure, reply};
use crate::error::ConnectProblem;

/// What the connection is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing: there is none, it leads elsewhere, or it is to be made anew.
    #[default]
    Down,
    /// Changes are announced there.
    Announces,
    /// The server announces none.
    Silent,
    /// Nothing may be kept, since less was agreed on.
    Refused,
    /// Nor while it is not known what was.
    Unagreed,
}

/// What is asked for here.
pub(super) struct Agreement {
    /// Where it stands what was agreed on.
    pub(super) key: String,
    pub(super) staleness: Duration,
    told: Once,
}

impl Agreement {
    pub(super) fn of(settings: &RedisSettings) -> Self {
        Self {
            key: settings.staleness_key.clone(),
            staleness: settings.staleness,
            told: Once::new(),
        }
    }

    /// In ms; rounded up, so that nothing is served for longer than others know of.
    pub(super) fn least(&self) -> u64 {
        self.staleness.as_nanos().div_ceil(1_000_000) as u64
    }

    pub(super) fn question(&self) -> Cmd {
        redis::cmd("GET").arg(&self.key).clone()
    }

    /// Where nothing stands.
    pub(super) fn proposal(&self) -> Cmd {
        let mut command = redis::cmd("SET");
        command.arg(&self.key).arg(self.least()).arg("NX");
        command
    }

    /// Whether what stands, which is known to others from now on, is enough.
    pub(super) fn is_met(&self, stands: Option<&Value>) -> Result<bool, ConnectProblem> {
        let agreed = match stands {
            Some(Value::ServerError(error)) if !is_refusal(error.code()) => {
                return Err(failure::of_server(error));
            }
            stands => stands.cloned().and_then(reply::number).unwrap_or(0),
        };
        Ok(self.is_met_by(agreed))
    }

    /// The same of what stands for certain; 0: what cannot be read.
    pub(super) fn is_met_by(&self, agreed: u64) -> bool {
        let is_met = agreed >= self.least();
        if !is_met {
            self.told.call_once(|| refused(self.least(), agreed));
        }
        is_met
    }
}

/// Whether it is of this key or user, and would be repeated.
pub(super) fn is_refusal(code: &str) -> bool {
    matches!(code, "NOPERM" | "WRONGTYPE")
}

fn refused(asked: u64, agreed: u64) {
    crate::util::warning::error!(
        asked,
        agreed,
        "more `local_staleness`, in ms, is asked for here than was agreed on in the namespace: nothing is \
         kept in memory"
    );
}
