//! What is left to be removed, and to be told, of a write whose end nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::outbox::Announcement;
use crate::wire::targets::Targets;

/// See the module.
#[derive(Default)]
pub(crate) struct Parcel {
    pub(crate) targets: Vec<Arc<Targets>>,
    pub(crate) hold_off: Option<Duration>,
    /// What others are to hear then.
    pub(crate) events: Vec<Announcement>,
}

impl Parcel {
    pub(crate) fn add(&mut self, other: Self) {
        self.targets.extend(other.targets);
        self.hold_off = self.hold_off.max(other.hold_off);
        self.events.extend(other.events);
    }
}
