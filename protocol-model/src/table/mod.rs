//! The configurations, what is expected of each, and what must have been seen to happen.

use crate::behind::Behind;
use crate::check::Checks;
use crate::config::Config;
use crate::event::What;
use crate::level::Level;
use crate::moving::Moves;
use crate::sweep::Sweeps;
use crate::update::Updates;

mod behind;
mod committing;
mod dying;
mod lagging;
mod levels;
mod moving;
mod others;
mod outages;
mod refreshing;
mod sharing;
mod strict;
mod sweeping;
mod tagging;
mod updating;

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// A short name; those that begin alike belong together.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What is explored.
    pub subject: Subject,
    /// What is expected.
    pub verdict: Verdict,
}

/// What is explored.
#[derive(Clone, Copy, Debug)]
pub enum Subject {
    /// The protocol of one key, and its world.
    Key(Config),
    /// Read-modify-write of one value.
    Updates(Updates),
    /// The removal of keys whose functions call one another.
    Sweeps(Sweeps),
    /// A slot that goes to another server.
    Moves(Moves),
    /// A level in process memory.
    Level(Level),
    /// One whose entries are checked.
    Checks(Checks),
    /// Write-behind.
    Behind(Behind),
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
    /// An update that was lost, or counts twice.
    Miscounted,
    /// An accepted write that was never applied.
    Lost,
    /// A write that was applied after a later one.
    Backwards,
}

const fn row(name: &'static str, about: &'static str, verdict: Verdict, config: Config) -> Row {
    Row {
        name,
        about,
        subject: Subject::Key(config),
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
        committing::rows(),
        outages::failing_over(),
        tagging::known_before(),
        tagging::two_at_once(),
        tagging::known_after(),
        tagging::nesting(),
        updating::rows(),
        sweeping::rows(),
        moving::rows(),
        levels::bounded(),
        levels::broadcast(),
        strict::settled(),
        levels::moving(),
        levels::tagging(),
        strict::checked(),
        behind::rows(),
    ]
    .concat()
}

const SHIPPED: Config = Config::shipped();
const UNSHARED: Config = Config::unshared();
