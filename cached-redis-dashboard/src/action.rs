//! What a page may ask for that changes something.

use std::time::Duration;

use cached_redis::{Cache, Error, Invalidation, Mode};
use serde::Deserialize;

/// What somebody wants to do from the page; [`Builder::authorize`](crate::Builder::authorize) is asked before.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// To [invalidate](Cache::invalidate) one key.
    Invalidate {
        /// The key, without the namespace.
        key: String,
    },
    /// To [remove all entries](Cache::clear) of one function.
    Clear {
        /// Its name, alone or with its module.
        function: String,
    },
    /// To change how much a function uses the cache in all processes of the namespace, for a time.
    SetMode {
        /// Its name, alone or with its module.
        function: String,
        /// How much from now on.
        mode: Mode,
        /// For how long; up to a week from the page.
        life: Duration,
    },
    /// To let the processes decide again.
    ResetMode {
        /// Its name, alone or with its module.
        function: String,
    },
}

/// In minutes.
const WEEK: u64 = 7 * 24 * 60;

/// The same as JSON.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    Invalidate {
        key: String,
    },
    Clear {
        function: String,
    },
    SetMode {
        function: String,
        mode: Wanted,
        minutes: u64,
    },
    ResetMode {
        function: String,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wanted {
    On,
    Off,
    Shadow,
}

impl Action {
    /// What the body of a request asks for, or what is wrong with it.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, String> {
        let asked = serde_json::from_slice(body).map_err(|error| format!("the body: {error}"))?;
        match asked {
            Asked::Invalidate { key } if key.is_empty() => Err("`key` is empty".to_owned()),
            Asked::Invalidate { key } if key.starts_with('#') => {
                Err("keys that begin with `#` are the library's own".to_owned())
            }
            Asked::Invalidate { key } => Ok(Self::Invalidate { key }),
            Asked::Clear { function } => Ok(Self::Clear { function }),
            Asked::ResetMode { function } => Ok(Self::ResetMode { function }),
            Asked::SetMode { minutes, .. } if !(1..=WEEK).contains(&minutes) => {
                Err(format!("`minutes` is from 1 to {WEEK}"))
            }
            Asked::SetMode {
                function,
                mode,
                minutes,
            } => Ok(Self::SetMode {
                function,
                mode: mode.into(),
                life: Duration::from_secs(minutes * 60),
            }),
        }
    }

    /// Does it; `false` if the store has not confirmed it yet.
    pub(crate) async fn run(&self, cache: &Cache) -> Result<bool, Error> {
        let done = match self {
            Self::Invalidate { key } => cache.invalidate(key).await?,
            Self::Clear { function } => cache.clear(function).await?,
            Self::SetMode {
                function,
                mode,
                life,
            } => {
                cache.mode(function)?; // the operator takes any name
                let order = cache.operator().set_mode(function, *mode, *life).await;
                order.map(|_| Invalidation::Done)?
            }
            Self::ResetMode { function } => {
                let order = cache.operator().reset_mode(function).await;
                order.map(|_| Invalidation::Done)?
            }
        };
        Ok(done == Invalidation::Done)
    }

    /// What is told of it to everybody, so without the key.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Invalidate { .. } => "One key was invalidated from this page".to_owned(),
            Self::Clear { function } => format!("`{function}` was cleared from this page"),
            Self::SetMode { function, mode, .. } => {
                format!("`{function}` was set to {} from this page", name(*mode))
            }
            Self::ResetMode { function } => {
                format!("`{function}` follows its program again, by this page")
            }
        }
    }
}

/// Shows no key.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalidate { .. } => f.debug_struct("Invalidate").finish_non_exhaustive(),
            Self::Clear { function } => {
                f.debug_struct("Clear").field("function", function).finish()
            }
            Self::SetMode {
                function,
                mode,
                life,
            } => f
                .debug_struct("SetMode")
                .field("function", function)
                .field("mode", mode)
                .field("life", life)
                .finish(),
            Self::ResetMode { function } => f
                .debug_struct("ResetMode")
                .field("function", function)
                .finish(),
        }
    }
}

impl From<Wanted> for Mode {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::On => Self::On,
            Wanted::Off => Self::Off,
            Wanted::Shadow => Self::Shadow,
        }
    }
}

/// The mode as the page calls it.
pub(crate) fn name(mode: Mode) -> &'static str {
    match mode {
        Mode::On => "on",
        Mode::Off => "off",
        Mode::Shadow => "shadow",
        _ => "unknown",
    }
}
