//! The journals of one process that speak of the same keys.
//!
//! A process may have several caches on one namespace: one that is installed and others that are named,
//! or one for each of its runtimes. Whoever has written through one of them must not be served the old
//! value through another. So whether a key may be read is asked of all their journals, while each goes
//! on keeping and repeating its own: what one connection is answered proves nothing for another.
//!
//! Who belongs together is known by **names**. The first is where the store is, as it was written. Once
//! there is a connection, the id that the server has given itself is another, so two spellings of one
//! server find each other then, and stay together.
//!
//! Locks are taken in this order: all members, the state of a journal, its siblings. Only [`bequeath`] holds
//! the states of two.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::{Journal, State};
use crate::store::Identity;
use crate::util::lock::{Mutex, MutexGuard};

/// All journals of the process that have a name.
static MEMBERS: Mutex<Vec<Member>> = Mutex::new(Vec::new());

struct Member {
    journal: Weak<Journal>,
    realm: String,
    names: Vec<String>,
    /// The same for those that belong together.
    siblings: u64,
}

impl Member {
    fn is_named(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }
}

/// The other journals that speak of the same keys.
pub(super) type Others = Vec<Weak<Journal>>;

fn members() -> MutexGuard<'static, Vec<Member>> {
    MEMBERS.lock()
}

impl Journal {
    /// Makes it one of those that keep keys of the same `realm`, process and namespace, of the store of
    /// this name.
    pub(crate) fn enrol(self: &Arc<Self>, realm: String, name: &str) {
        let mut members = members();
        members.retain(|member| member.journal.strong_count() > 0);
        let last = members.iter().map(|member| member.siblings).max();
        members.push(Member {
            journal: Arc::downgrade(self),
            realm,
            names: Vec::new(),
            siblings: last.unwrap_or_default() + 1,
        });
        self.named(&mut members, name);
    }

    /// Another name of its store.
    fn named(&self, members: &mut [Member], name: &str) {
        let is_own = |member: &&mut Member| std::ptr::eq(member.journal.as_ptr(), self);
        // One whose store is nobody else's is no member.
        let Some(own) = members.iter_mut().find(is_own) else {
            return;
        };
        if own.is_named(name) {
            return;
        }
        let (siblings, realm) = (own.siblings, own.realm.clone());
        own.names.push(name.to_owned());
        let same = |member: &&Member| member.realm == realm && member.is_named(name);
        let met: Vec<_> = members.iter().filter(same).map(|it| it.siblings).collect();
        let together = members.iter_mut().filter(|it| met.contains(&it.siblings));
        let together = together.filter_map(|member| {
            member.siblings = siblings;
            member.journal.upgrade()
        });
        introduce(&together.collect::<Vec<_>>());
    }

    pub(super) fn others(&self) -> Vec<Arc<Self>> {
        let others = self.siblings.lock();
        others.iter().filter_map(Weak::upgrade).collect()
    }

    /// Tells the readers what is known of itself and of the others.
    pub(super) fn look_around(&self) {
        let others = self.siblings.lock();
        let mut others = others.iter().filter_map(Weak::upgrade);
        let bars = |journal: &Self| journal.bars.load(Ordering::Acquire);
        let barred = bars(self) || others.any(|other| bars(&other));
        let life = self.life.load(Ordering::Relaxed);
        self.gate
            .0
            .store(life << 1 | u64::from(barred), Ordering::Release);
    }

    /// Which server the next connection leads to.
    pub(super) fn recognise(&self, server: &Identity, database: u32) {
        if let Some(process) = server.process() {
            self.named(&mut members(), &format!("{process}/{database}"));
        }
        self.state.lock().server = Some(server.clone());
    }

    /// A sibling has found a new server: what was confirmed here of late may be missing
    /// there, and those who read from it must not wait until this one has found it too.
    pub(super) fn doubt(&self, server: Option<&Identity>) {
        let mut state = self.state.lock();
        let knows = |server| state.server.as_ref().is_some_and(|own| own.is(server));
        if !server.is_some_and(knows) {
            state.keep_recent();
            self.publish(&mut state);
        }
    }

    /// Whether a cache is there that repeats what is kept.
    pub(crate) fn serve(&self, serves: bool) {
        self.serves.store(serves, Ordering::Relaxed);
    }

    /// Leaves what is kept, and what was confirmed of late, to a sibling, if one is left:
    /// to one that remembers, if one does.
    pub(crate) fn bequeath(&self) {
        // Held to the end, so that no two leave theirs to each other.
        let _members = members();
        let others = self.others();
        let serves = |other: &&Arc<Self>| other.serves.load(Ordering::Relaxed);
        let remembers = |other: &&Arc<Self>| other.state.lock().recent.is_some();
        let Some(heir) = others.iter().filter(serves).max_by_key(remembers) else {
            return;
        };
        let (mut own, mut its) = (self.state.lock(), heir.state.lock());
        its.inherit(&mut own);
        heir.publish(&mut its);
        self.publish(&mut own);
    }
}

impl State {
    fn inherit(&mut self, other: &mut Self) {
        let number = self.begin().number;
        self.hold_off = self.hold_off.max(other.hold_off);
        other.kept.pour(&mut self.kept, number);
        other.repeats.pour(&mut self.repeats, number);
        let server = self.server.as_ref().zip(other.server.as_ref());
        let is_same = server.is_some_and(|(its, own)| its.is(own));
        match (&mut self.recent, &mut other.recent) {
            (Some(its), Some(own)) if is_same => its.inherit(own),
            (Some(_), Some(own)) => {
                // The server that the heir knows, or will meet, may never have seen it.
                own.pour(&mut self.repeats, number);
            }
            _ => {}
        }
    }
}

/// Tells each who the others are, and only then what they bar: nothing slips through in between.
fn introduce(siblings: &[Arc<Journal>]) {
    let guarded = |journal: &Arc<Journal>| journal.guarded.load(Ordering::Relaxed);
    let guarded = siblings.iter().any(guarded);
    for journal in siblings {
        let others = siblings.iter().filter(|other| !Arc::ptr_eq(other, journal));
        let others = others.map(Arc::downgrade).collect();
        *journal.siblings.lock() = others;
        journal.guarded.store(guarded, Ordering::Relaxed);
    }
    siblings.iter().for_each(|journal| journal.look_around());
}
