//! What is found under a key, as a reader sees it.

use bytes::Bytes;

use super::Seen;
use crate::engine::handle::Inner;
use crate::engine::tags::Life;
use crate::observe::event::Event;
use crate::observe::registry::Function;
use crate::store::Store as _;
use crate::wire::entry::{Header, Kind, Live};

/// What a lease may take the place of.
pub(crate) enum Over {
    /// Bytes that are no entry, or none of this type, of this epoch or of these generations.
    Dead(Bytes),
    /// What the reader may not serve, although nobody has invalidated it.
    Outdated(Live),
}

impl Over {
    pub(crate) fn entry(&self) -> &Bytes {
        match self {
            Self::Dead(entry) => entry,
            Self::Outdated(live) => &live.entry,
        }
    }
}

impl Seen {
    /// What `entry`, found under `key` of `function`, is to a reader.
    pub(crate) fn of(inner: &Inner, function: &Function, key: &str, entry: Option<Bytes>) -> Self {
        let Some(entry) = entry else {
            return Self::Absent;
        };
        let Some((header, _)) = Header::parse(&entry) else {
            inner.emit(&function.site, &Event::Undecodable);
            return Self::Dead(Over::Dead(entry));
        };
        match header.kind {
            // What it shows may have been invalidated on a server that is gone.
            Kind::Value | Kind::Negative if !inner.store.is_current(key, header.epoch) => {
                Self::Dead(Over::Dead(entry))
            }
            // What is pending is of no epoch: it is newer than its source.
            Kind::Value | Kind::Negative | Kind::Pending => Self::Live(Live::new(header, entry)),
            // One of another epoch as well: its load runs, and what it stores will be dead.
            Kind::Lease => Self::Leased,
            Kind::Tombstone => Self::Barred,
        }
    }

    /// What an entry is whose tags have been read.
    pub(crate) fn judged(inner: &Inner, function: &Function, live: Live, life: Life) -> Self {
        match life {
            Life::Alive => Self::Live(live),
            Life::Barred => Self::Barred,
            Life::Dead => {
                inner.emit(&function.site, &Event::Outdated);
                Self::replaceable(live, |live| Over::Dead(live.entry))
            }
        }
    }

    /// Whether it is an entry of generations of tags.
    pub(crate) fn is_tagged(&self) -> bool {
        matches!(self, Self::Live(live) if live.header.is_tagged())
    }

    /// What an entry is that its reader has no use for. No lease takes the place of what is pending.
    pub(super) fn replaceable(live: Live, over: fn(Live) -> Over) -> Self {
        match live.header.is_pending() {
            true => Self::Barred,
            false => Self::Dead(over(live)),
        }
    }
}
