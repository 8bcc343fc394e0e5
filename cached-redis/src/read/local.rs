//! What the level in process memory answers, which is asked first of all: a hit there needs nothing else of a
//! read, no future of the store and no allocation.

use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::context;
use crate::engine::handle::Inner;
use crate::engine::local::Held;
use crate::engine::plan::{AnyPlan, OkOf};
use crate::engine::source::Source;
use crate::engine::tags::{self, Life};
use crate::observe::event::Event;
use crate::policy::Policy;
use crate::read::call::Call;
use crate::store::{Bare, Store as _};
use crate::util::moment::Moment;
use crate::wire::codec::Format;
use crate::wire::entry::Live;
use crate::wire::extension::WINDOW;
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

/// What the level has to say to a call, before anything else is made for it.
pub(crate) enum Asked {
    /// It is to be asked [in the usual way](entry).
    Not,
    Nothing,
    Entry(Held),
}

impl Asked {
    /// By the call of a function whose own policy says how long its entries are kept here, and nothing of their age.
    pub(crate) fn by(call: &Call, policy: &Policy) -> Self {
        let function = call.function;
        let local = function.plain_local().filter(|_| call.is_plain());
        let (Some(local), Some((inner, key))) = (local, call.target()) else {
            return Self::Not;
        };
        // Calls by hand may have a policy of their own.
        if !ptr::eq(policy, &function.info.policy) || !may_ask(inner) {
            return Self::Not;
        }
        match kept(inner, key, &call.tags, local) {
            Some(held) => Self::Entry(held),
            None => Self::Nothing,
        }
    }

    /// Serves the value, if somebody has decoded it before and it says nothing of its age either.
    #[inline]
    pub(crate) fn served<P: AnyPlan>(self, call: &Call, plan: P) -> Result<OkOf<P>, Self> {
        let Some((live, format)) = self.plain(call) else {
            return Err(self);
        };
        match plan.copy(format, live) {
            Some(ok) => {
                tell(call);
                Ok(ok)
            }
            None => Err(self),
        }
    }

    /// The entry, if nothing is to be told of it but that it was hit, and the cache's codec.
    fn plain(&self, call: &Call) -> Option<(&Live, Format)> {
        let (Self::Entry(live), Some(cache)) = (self, call.cache()) else {
            return None;
        };
        let is_plain = live.is_of(call.origin) && live.header.flags & WINDOW == 0;
        is_plain.then_some((&**live, cache.inner.settings.format))
    }

    /// What is left of it for a reader.
    pub(crate) fn live(self, or: impl FnOnce() -> Option<Arc<Live>>) -> Option<Arc<Live>> {
        match self {
            Self::Not => or(),
            Self::Nothing => None,
            Self::Entry(held) => Some(Arc::clone(&held)),
        }
    }
}

/// Tells that a call was answered here.
fn tell(call: &Call) {
    if let Some(cache) = call.cache() {
        cache.inner.emit(&call.function.site, &Event::LocalHit);
    }
}

/// The entry that the level has of a reader of `source`, if that may be served.
pub(crate) fn entry(source: &Source<'_>, key: &str, tags: &Tags) -> Option<Arc<Live>> {
    let local = source.local().filter(|_| may_ask(source.inner))?;
    kept(source.inner, key, tags, local).map(|held| Arc::clone(&held))
}

/// Not inside of a load: what is late there would be stored with its result, for as long as that lives. In memory
/// the store itself is asked.
#[inline]
fn may_ask(inner: &Inner) -> bool {
    !matches!(inner.store.bare(), Bare::Memory(_)) && !context::is_inside_any()
}

/// What is kept for who may ask, if it was read less than `local` ago.
#[inline(always)]
fn kept(inner: &Inner, key: &str, tags: &Tags, local: Duration) -> Option<Held> {
    let pass = inner.journal.pass_all(key, tags.keys())?;
    let (level, now) = (&inner.level, Moment::now());
    let held = level.entry(key, local, now)?;
    let kept = |tag: &str| level.generation(tag, local, now);
    let is_served = inner.store.is_current(key, held.header.epoch)
        && tags::judge_kept(inner, tags, &held, kept)? == Life::Alive
        && inner.journal.stands(pass);
    is_served.then_some(held)
}
