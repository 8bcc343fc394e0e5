//! How much a function uses the cache: a switch per function, for the day on which caching comes to an
//! existing service, and for the day on which it has to go.
//!
//! A hit reads one number. What the program says and what an operator [orders](super::orders) are put together
//! where either changes.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use serde::{Serialize, Serializer};

use crate::error::Error;
use crate::observe::registry::{self, Site};
use crate::util::lock::Mutex;

/// How much a function uses the cache.
///
/// Set by [`Builder::mode`](crate::Builder::mode), by [`Cache::set_mode`](crate::Cache::set_mode) while the program
/// runs, and for all processes of a namespace by [`Operator::set_mode`](crate::operator::Operator::set_mode). Writers
/// invalidate in every mode, so that a function can be switched on again at any time.
///
/// As text it is `on`, `off` or `shadow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// It uses the cache.
    #[default]
    On,
    /// It simply runs: the cache is neither asked nor filled.
    Off,
    /// It runs for every call and its own result is served. The cache is filled as usual, and where it
    /// has a value this is compared with the result: see
    /// [`FunctionStats::fresh_ratio`](crate::stats::FunctionStats::fresh_ratio).
    Shadow,
}

impl Mode {
    const ALL: [Self; 3] = [Self::On, Self::Off, Self::Shadow];

    const fn name(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Shadow => "shadow",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut all = Self::ALL.into_iter();
        let named = all.find(|mode| mode.name() == text);
        named.ok_or_else(|| Error::setting("mode", "must be `on`, `off` or `shadow`"))
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The modes of all functions, by the slots of their sites.
pub(crate) struct Modes {
    in_force: Box<[AtomicU8]>,
    said: Mutex<Said>,
    /// Whether a task follows what is ordered.
    followed: AtomicBool,
}

/// Where they come from.
#[derive(Default)]
struct Said {
    own: HashMap<usize, Mode>,
    ordered: HashMap<usize, Mode>,
}

impl Said {
    fn mode(&self, slot: usize) -> Mode {
        let ordered = self.ordered.get(&slot).or_else(|| self.own.get(&slot));
        ordered.copied().unwrap_or_default()
    }
}

impl Modes {
    pub(crate) fn new(sites: usize) -> Self {
        Self {
            in_force: (0..sites).map(|_| AtomicU8::default()).collect(),
            said: Mutex::default(),
            followed: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(crate) fn of(&self, site: &Site) -> Mode {
        // Code loaded after the cache was built has no place and is on.
        let mode = self.in_force.get(site.slot());
        mode.map_or(Mode::On, |mode| {
            Mode::ALL[usize::from(mode.load(Ordering::Relaxed))]
        })
    }

    /// Sets the mode of the function of this name, as far as nothing is ordered.
    pub(crate) fn set(&self, function: &str, mode: Mode) -> Result<(), Error> {
        let slot = registry::function(function)?.site.slot();
        let mut said = self.said.lock();
        said.own.insert(slot, mode);
        self.put(slot, said.mode(slot));
        Ok(())
    }

    /// All that is ordered from now on. Gives what has changed by it: each function and its mode.
    pub(crate) fn order(&self, orders: HashMap<usize, Mode>) -> Vec<(usize, Mode)> {
        let mut said = self.said.lock();
        let before = std::mem::replace(&mut said.ordered, orders);
        let mut slots: Vec<_> = before.keys().chain(said.ordered.keys()).copied().collect();
        slots.sort_unstable();
        slots.dedup();
        let put = |slot| {
            let mode = said.mode(slot);
            self.put(slot, mode).then_some((slot, mode))
        };
        slots.into_iter().filter_map(put).collect()
    }

    /// Whether nobody follows yet what is ordered; from then on somebody does.
    pub(crate) fn begins_to_follow(&self) -> bool {
        !self.followed.swap(true, Ordering::Relaxed)
    }

    /// Whether that is another one.
    fn put(&self, slot: usize, mode: Mode) -> bool {
        let place = self.in_force.get(slot);
        place.is_some_and(|place| place.swap(mode as u8, Ordering::Relaxed) != mode as u8)
    }
}
