//! What the level in process memory answers, which is asked first of all: a hit there needs nothing else of a
//! read, no future of the store and no allocation.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::context;
use crate::engine::handle::Inner;
use crate::engine::source::Source;
use crate::engine::tags::{self, Life};
use crate::store::Store as _;
use crate::util::moment::Moment;
use crate::wire::entry::Live;
use crate::wire::tag::Tags;

/// An entry to decode, alone or shared with the level.
pub(crate) enum Shown {
    Read(Live),
    Kept(Arc<Live>),
}

impl Deref for Shown {
    type Target = Live;

    fn deref(&self) -> &Live {
        match self {
            Self::Read(live) => live,
            Self::Kept(live) => live,
        }
    }
}

impl Shown {
    /// The same for who goes on with it.
    pub(crate) fn into_live(self) -> Live {
        match self {
            Self::Read(live) => live,
            Self::Kept(live) => Arc::unwrap_or_clone(live),
        }
    }
}

/// The entry that the level has of a reader of `source`, if that may be served. Not inside of a load: what is
/// late there would be stored with its result, for as long as that lives.
pub(crate) fn entry(source: &Source<'_>, key: &str, tags: &Tags) -> Option<Arc<Live>> {
    let local = source.local()?;
    if source.is_in_memory() || context::is_inside_any() {
        return None;
    }
    kept(source.inner, key, tags, local)
}

/// The same for who may ask, if it was read less than `local` ago.
fn kept(inner: &Inner, key: &str, tags: &Tags, local: Duration) -> Option<Arc<Live>> {
    let pass = inner.journal.pass_all(key, tags.keys())?;
    let (level, now) = (&inner.level, Moment::now());
    let live = level.entry(key, local, now)?;
    let kept = |tag: &str| level.generation(tag, local, now);
    let is_served = inner.store.is_current(key, live.header.epoch)
        && tags::judge_kept(inner, tags, &live, kept)? == Life::Alive
        && inner.journal.stands(pass);
    is_served.then_some(live)
}
