//! How much a function uses the cache: a switch per function, for the day on which caching comes to an
//! existing service, and for the day on which it has to go.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::Error;
use crate::observe::registry::{self, Site};

/// How much a function uses the cache.
///
/// Set by [`Builder::mode`](crate::Builder::mode) and, while the program runs,
/// [`Cache::set_mode`](crate::Cache::set_mode). Writers invalidate in every mode, so that a function
/// can be switched on again at any time.
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
}

/// The modes of all functions, by the slots of their sites.
pub(crate) struct Modes(Box<[AtomicU8]>);

impl Modes {
    pub(crate) fn new(sites: usize) -> Self {
        Self((0..sites).map(|_| AtomicU8::default()).collect())
    }

    pub(crate) fn of(&self, site: &Site) -> Mode {
        // Code loaded after the cache was built has no place and is on.
        let mode = self.0.get(site.slot());
        mode.map_or(Mode::On, |mode| {
            Mode::ALL[usize::from(mode.load(Ordering::Relaxed))]
        })
    }

    /// Sets the mode of the function of this name.
    pub(crate) fn set(&self, function: &str, mode: Mode) -> Result<(), Error> {
        let function = registry::function(function)?;
        if let Some(place) = self.0.get(function.site.slot()) {
            place.store(mode as u8, Ordering::Relaxed);
        }
        Ok(())
    }
}
