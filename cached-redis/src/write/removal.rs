//! What writes have made outdated, and how its removal went.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::Inner;
use crate::observe::registry::Site;
use crate::protocol::journal::Hold;
use crate::util::lock::Mutex;
use crate::wire::targets::Targets;
use crate::write::attempt::{Part, Sending};
use crate::write::dispatch::Sent;
use crate::write::guard::WriteGuard;
use crate::write::step::{SentStep, Work};

/// What writes have made outdated in a cache.
pub(crate) struct Removal {
    pub(crate) inner: Arc<Inner>,
    pub(crate) parts: Vec<Part>,
    /// For keys: it could not be left where nothing stands.
    pub(crate) hold_off: Option<Duration>,
    /// Writes in two phases that end with it.
    pub(crate) guards: Vec<WriteGuard>,
    /// Whether its end is awaited until no process serves what was there before.
    pub(crate) settles: bool,
    /// What bars the keys until it has ended.
    pub(crate) hold: Option<Hold>,
}

impl Removal {
    pub(crate) fn new(inner: &Arc<Inner>) -> Self {
        Self {
            inner: Arc::clone(inner),
            parts: Vec::new(),
            hold_off: None,
            guards: Vec::new(),
            settles: false,
            hold: None,
        }
    }

    /// What one writer has made outdated.
    pub(crate) fn of(inner: &Arc<Inner>, site: &'static Site, targets: impl Into<Targets>) -> Self {
        let part = Part {
            site,
            targets: targets.into(),
            publish: false,
        };
        Self::only(inner, part)
    }

    /// A part, unless it is of nothing.
    pub(crate) fn only(inner: &Arc<Inner>, part: Part) -> Self {
        Self {
            parts: Vec::from_iter((!part.targets.is_empty()).then_some(part)),
            ..Self::new(inner)
        }
    }

    pub(crate) fn published(mut self, publish: bool) -> Self {
        self.parts
            .iter_mut()
            .for_each(|part| part.publish = publish);
        self
    }

    pub(crate) fn is_of(&self, inner: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.inner, inner)
    }

    /// All of them, those of its guards too.
    pub(crate) fn targets(&self) -> Targets {
        let barred = self.guards.iter().map(|guard| guard.part().targets);
        let own = self.parts.iter().map(|part| part.targets.clone());
        own.chain(barred).collect()
    }

    /// The same keys and patterns, for another time.
    pub(crate) fn copy(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            hold_off: self.hold_off,
            ..Self::new(&self.inner)
        }
    }

    /// All of it once more, with the keys of `guards`.
    fn again(&self, guards: &[WriteGuard]) -> Self {
        let mut again = self.copy();
        guards.iter().for_each(|guard| again.add_part(guard.part()));
        again
    }

    /// Adds another one.
    pub(crate) fn add(&mut self, other: Self) {
        other.parts.into_iter().for_each(|part| self.add_part(part));
        // The longest for all, which costs loads and nothing else.
        self.hold_off = self.hold_off.max(other.hold_off);
        self.settles |= other.settles;
        self.guards.extend(other.guards);
    }

    /// Removes it as one thing, whatever becomes of the caller, and ends the guards then: their keys are barred
    /// until all else is removed.
    pub(crate) fn sent(self) -> Sent {
        let settles = self.settles.then(|| Arc::clone(&self.inner));
        self.dispatched().settled(settles)
    }

    fn dispatched(mut self) -> Sent {
        let (guards, hold) = (std::mem::take(&mut self.guards), self.hold.take());
        if let ([guard], true) = (guards.as_slice(), self.parts.is_empty()) {
            return guard.end();
        }
        let again = (!guards.is_empty()).then(|| self.again(&guards));
        let inner = Arc::clone(&self.inner);
        let sending = self.sending();
        if guards.is_empty() && sending.is_step() {
            return SentStep::new(Work::Removal(sending), hold).into();
        }
        let mut parcel = sending.parcel();
        guards.iter().for_each(|guard| parcel.add(guard.parcel()));
        let all = async move {
            let mut outcome = sending.send().await;
            // All at once: an inner one that ends later is barred until then.
            let ends: Vec<_> = guards.iter().map(WriteGuard::end).collect();
            for end in ends {
                outcome = outcome.and(end.await);
            }
            // What was stored under its keys meanwhile may have been read until it ended.
            let has_lapsed = guards.iter().any(WriteGuard::has_lapsed);
            if let Some(again) = again.filter(|_| has_lapsed) {
                outcome = outcome.and(again.sending().send().await);
            }
            outcome
        };
        Sent::by(all, &inner, parcel, hold)
    }

    fn sending(self) -> Sending {
        Sending::of(&self.inner, self.parts, self.hold_off)
    }

    /// What is held, once: of who publishes it, or else of who was the first.
    fn add_part(&mut self, mut part: Part) {
        if let Some(hold) = &mut self.hold {
            let named = part.publish.then(|| part.targets.clone());
            part.targets = hold.add(part.targets);
            if let Some(named) = named.filter(|named| named.len() > part.targets.len()) {
                let quiet = self.parts.iter_mut().filter(|it| !it.publish);
                let known = quiet.map(|it| it.targets.split_off(&named));
                part.targets.extend(known.collect());
            }
        }
        let is_same = |known: &&mut Part| {
            std::ptr::eq(known.site, part.site) && known.publish == part.publish
        };
        match self.parts.iter_mut().find(is_same) {
            _ if part.targets.is_empty() => {}
            Some(known) => known.targets.extend(part.targets),
            None => self.parts.push(part),
        }
    }
}

/// What is to be removed in several caches, in each as one thing. Until then reads of its keys bypass the
/// cache. `None` once it is closed.
pub(crate) struct Collection(Mutex<Option<Vec<Removal>>>);

impl Collection {
    /// Gives it back if it is closed.
    pub(crate) fn add(&self, removal: Removal) -> Option<Removal> {
        let mut all = self.0.lock();
        let Some(all) = &mut *all else {
            return Some(removal);
        };
        let known = all.iter().position(|known| known.is_of(&removal.inner));
        let at = known.unwrap_or_else(|| {
            let inner = &removal.inner;
            let hold = Some(Hold::new(&inner.journal));
            all.push(Removal {
                hold,
                ..Removal::new(inner)
            });
            all.len() - 1
        });
        all[at].add(removal);
        None
    }

    pub(crate) fn each<T>(&self, look: impl FnMut(&Removal) -> T) -> Vec<T> {
        self.0.lock().iter().flatten().map(look).collect()
    }

    /// Gives all that was collected.
    pub(crate) fn close(&self) -> Vec<Removal> {
        self.0.lock().take().unwrap_or_default()
    }
}

impl Default for Collection {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}
