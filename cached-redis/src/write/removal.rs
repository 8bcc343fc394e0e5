//! What writes have made outdated, and how its removal went.

use std::time::Duration;

use crate::observe::registry::Site;
use crate::wire::key::Pattern;

/// What writes have made outdated, each part with the writer that is counted for it.
#[derive(Clone)]
pub(crate) struct Removal {
    pub(crate) keys: Vec<(String, &'static Site)>,
    pub(crate) patterns: Vec<(Pattern, &'static Site)>,
    /// For keys: it could not be left where nothing stands.
    pub(crate) hold_off: Option<Duration>,
    /// In whose name others are to hear of it, if they are.
    pub(crate) publish: Option<&'static Site>,
}

impl Removal {
    /// The same with more keys of one writer.
    pub(crate) fn with_keys(mut self, keys: &[String], site: &'static Site) -> Self {
        self.keys.extend(keys.iter().map(|key| (key.clone(), site)));
        self
    }

    /// What one writer has made outdated.
    pub(crate) fn of(site: &'static Site, keys: Vec<String>, patterns: Vec<Pattern>) -> Self {
        Self {
            keys: keys.into_iter().map(|key| (key, site)).collect(),
            patterns: patterns.into_iter().map(|it| (it, site)).collect(),
            hold_off: None,
            publish: None,
        }
    }
}

/// How an invalidation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// The store has confirmed it.
    Done,
    /// The store has not confirmed it; whether it has removed the entry is not known. The
    /// invalidation is kept and replayed until it is confirmed. No read in this process that starts
    /// from now on returns an older value, it runs the function instead. Other processes may, until
    /// the replay, or until the TTL if this process ends before it.
    Deferred,
    /// It is sent at the commit: see [`AfterCommit`](crate::AfterCommit).
    Collected,
}

impl Invalidation {
    /// That of two which belong together: done if both are.
    pub(crate) fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}
