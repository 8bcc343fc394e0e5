//! What writes have made outdated, and how its removal went.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::handle::Inner;
use crate::observe::registry::Site;
use crate::protocol::journal::Hold;
use crate::wire::key::Pattern;
use crate::write::guard::WriteGuard;

/// What writes have made outdated in a cache, each part with the writer that is counted for it.
pub(crate) struct Removal {
    pub(crate) inner: Arc<Inner>,
    pub(crate) keys: Vec<(String, &'static Site)>,
    pub(crate) patterns: Vec<(Pattern, &'static Site)>,
    /// For keys: it could not be left where nothing stands.
    pub(crate) hold_off: Option<Duration>,
    /// In whose name others are to hear of it, if they are: one that asks for it does so for all.
    pub(crate) publish: Option<&'static Site>,
    /// Writes in two phases that end with it.
    pub(crate) guards: Vec<WriteGuard>,
    /// What bars the keys until it has ended.
    pub(crate) hold: Option<Hold>,
}

impl Removal {
    pub(crate) fn new(inner: &Arc<Inner>) -> Self {
        Self {
            inner: Arc::clone(inner),
            keys: Vec::new(),
            patterns: Vec::new(),
            hold_off: None,
            publish: None,
            guards: Vec::new(),
            hold: None,
        }
    }

    /// What one writer has made outdated.
    pub(crate) fn of(
        inner: &Arc<Inner>,
        site: &'static Site,
        keys: Vec<String>,
        patterns: Vec<Pattern>,
    ) -> Self {
        Self {
            keys: keys.into_iter().map(|key| (key, site)).collect(),
            patterns: patterns.into_iter().map(|it| (it, site)).collect(),
            ..Self::new(inner)
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.patterns.is_empty() && self.guards.is_empty()
    }

    pub(crate) fn is_of(&self, inner: &Arc<Inner>) -> bool {
        Arc::ptr_eq(&self.inner, inner)
    }

    /// The same keys and patterns, for another time.
    pub(crate) fn copy(&self) -> Self {
        Self {
            keys: self.keys.clone(),
            patterns: self.patterns.clone(),
            hold_off: self.hold_off,
            ..Self::new(&self.inner)
        }
    }

    /// All of it once more, with the keys of `guards`.
    pub(crate) fn again(&self, guards: &[WriteGuard]) -> Self {
        let mut again = self.copy();
        again.publish = self.publish;
        for guard in guards {
            let keys = guard.keys().iter();
            again
                .keys
                .extend(keys.map(|key| (key.clone(), guard.site())));
        }
        again
    }

    /// Adds another one; what is held, once.
    pub(crate) fn add(&mut self, other: Self) {
        let mut hold = self.hold.as_mut();
        for (key, site) in other.keys {
            if hold.as_mut().is_none_or(|hold| hold.add(&key)) {
                self.keys.push((key, site));
            }
        }
        for (pattern, site) in other.patterns {
            if hold.as_mut().is_none_or(|hold| hold.add_pattern(&pattern)) {
                self.patterns.push((pattern, site));
            }
        }
        // The longest for all, which costs loads and nothing else.
        self.hold_off = self.hold_off.max(other.hold_off);
        self.publish = self.publish.or(other.publish);
        self.guards.extend(other.guards);
    }
}

/// What is to be removed in several caches, in each as one thing. Until then reads of its keys bypass the
/// cache. `None` once it is closed.
pub(crate) struct Collection(Mutex<Option<Vec<Removal>>>);

impl Collection {
    /// Gives it back if it is closed.
    pub(crate) fn add(&self, removal: Removal) -> Option<Removal> {
        let mut all = self.lock();
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

    /// Gives all that was collected.
    pub(crate) fn close(&self) -> Vec<Removal> {
        self.lock().take().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Removal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Collection {
    fn default() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }
}
