//! What a page may ask for that changes something.

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
    /// To change how much a function [uses the cache](Cache::set_mode) in this process.
    SetMode {
        /// Its name, alone or with its module.
        function: String,
        /// How much from now on.
        mode: Mode,
    },
}

/// The same as JSON.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum Asked {
    Invalidate { key: String },
    Clear { function: String },
    SetMode { function: String, mode: Wanted },
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
            Asked::SetMode { function, mode } => Ok(Self::SetMode {
                function,
                mode: mode.into(),
            }),
        }
    }

    /// Does it; `false` if the store has not confirmed it yet.
    pub(crate) async fn run(&self, cache: &Cache) -> Result<bool, Error> {
        let done = match self {
            Self::Invalidate { key } => cache.invalidate(key).await?,
            Self::Clear { function } => cache.clear(function).await?,
            Self::SetMode { function, mode } => {
                cache.set_mode(function, *mode)?;
                Invalidation::Done
            }
        };
        Ok(done == Invalidation::Done)
    }

    /// What is told of it to everybody, so without the key.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Invalidate { .. } => "One key was invalidated from this page".to_owned(),
            Self::Clear { function } => format!("`{function}` was cleared from this page"),
            Self::SetMode { function, mode } => {
                format!("`{function}` was set to {} from this page", name(*mode))
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
            Self::SetMode { function, mode } => f
                .debug_struct("SetMode")
                .field("function", function)
                .field("mode", mode)
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
