//! The configurations, what is expected of each, and what must have been seen to happen.

use crate::config::Config;
use crate::event::What;

mod dying;
mod lagging;
mod others;
mod outages;
mod refreshing;
mod sharing;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// A short name; those that begin alike belong together.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// The protocol and the world.
    pub config: Config,
    /// What is expected.
    pub verdict: Verdict,
}

/// What an exploration should find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing wrong, although all of these happen.
    Holds(&'static [What]),
    /// A read of a value older than an invalidation.
    StaleRead,
    /// An old value that stays until its TTL.
    Stranded,
}

const fn row(name: &'static str, about: &'static str, verdict: Verdict, config: Config) -> Row {
    Row {
        name,
        about,
        config,
        verdict,
    }
}

/// All configurations.
pub fn table() -> Vec<Row> {
    [
        others::rows(),
        sharing::rows(),
        refreshing::rows(),
        dying::crashing(),
        dying::putting(),
        lagging::rows(),
        outages::journaling(),
        outages::failing_over(),
    ]
    .concat()
}

const SHIPPED: Config = Config::shipped();
const ALONE: Config = Config::alone();
