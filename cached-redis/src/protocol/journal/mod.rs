//! The invalidations that the store has not confirmed.
//!
//! A write has been committed and the command that should tell the store gets no answer. Were it
//! forgotten, the old value would be served until its TTL, in this process too. So its keys are kept
//! here until a later attempt is confirmed, and while a key is kept, reads of it in this process
//! **bypass** the cache: no look, no joining of somebody's load, no fill.
//!
//! # No read that starts after the write returned is stale here
//!
//! The keys are kept before the write function, or `invalidate`, returns. A later read therefore
//! finds its key kept, or a removal of it has been confirmed meanwhile:
//!
//! * *Kept*: it loads. It may share a bypass load, but only one that starts after it came (see
//!   [`bypass`](crate::protocol::bypass)), hence after the commit. What a load that began before the commit
//!   does meanwhile is no matter: it may still win its fill, which nobody here looks at, and whoever
//!   gets its result had joined it before.
//! * *Confirmed*: what a load from before the commit had stored, or the lease under which it would,
//!   was removed. If that load still runs and is joined, its fill is refused, and a result is
//!   shared only if the fill won (see [`flight`](crate::protocol::flight)).
//!
//! # Numbers
//!
//! Each attempt takes a number when it starts, and its keys are kept under it. An attempt that is
//! confirmed settles what was kept under **smaller** numbers: those writes were committed before it
//! started. What was kept under a greater one may have been committed after the store had done it.
//! What one attempt was to remove is settled as a whole, by an attempt at all of it: an outer entry that
//! went alone could be made anew, by any process, of an inner one that is still there.
//! More keys than the bound are kept as "the whole namespace", under the greatest of their numbers,
//! which only a sweep of the namespace settles, by the same rule.
//!
//! A [pattern](Pattern) is kept as such, and every key that matches is a key that is kept; only a
//! sweep of that pattern, or of the namespace, settles it. More patterns than a few are the whole
//! namespace too.
//!
//! # Lives
//!
//! An answer says nothing about a server that came after the one that gave it: after a restart or a
//! failover, entries may be back that had been removed. Each change of server begins a new **life** of
//! the store. An attempt that was confirmed in a life other than the one it started in is not
//! confirmed, and an entry that was looked up across the change is looked up again. Where
//! [`OnFailover`](crate::OnFailover) says so, the keys removed in the last 30 s before the connection
//! was lost are kept again, before the first operation can use the new one.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{self, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};

use crate::error::pending::Pending;
use crate::store::tracked::Keeper;
use crate::store::{Identity, Watch};
use crate::util::sync::{AtomicBool, AtomicU64, Mutex};
use crate::wire::key::Pattern;
use crate::wire::targets::Targets;

mod book;
mod hold;
mod ledger;
mod recent;
#[cfg(test)]
mod schedules;
mod siblings;
mod target;
#[cfg(test)]
mod tests;

use book::Book;
pub(crate) use hold::Hold;
use recent::Recent;
use siblings::Others;
pub(crate) use target::Target;

/// See the module.
pub(crate) struct Journal {
    gate: Gate,
    state: Mutex<State>,
    /// That of the state, for [`look_around`](Self::look_around).
    life: AtomicU64,
    /// Whether anything is kept or held here.
    bars: AtomicBool,
    siblings: Mutex<Others>,
    /// Who keeps what its cache has read.
    keeper: OnceLock<Arc<dyn Keeper>>,
    /// Whether a cache of the siblings may leave tombstones, which every invalidation has to spare.
    guarded: atomic::AtomicBool,
    /// Whether a cache is there that repeats what is kept.
    serves: atomic::AtomicBool,
    /// Whether anything is kept, for those who wait for that.
    busy: watch::Sender<bool>,
    /// Reasons to try again at once.
    wake: Notify,
}

/// All that a read looks at while nothing is kept or held: twice the life, plus one if anything is, here
/// or by its siblings. Alone on its cache line, so that writers do not take it away from readers.
#[repr(align(128))]
struct Gate(AtomicU64);

struct State {
    last_number: u64,
    life: u64,
    /// What the last connection has led to.
    server: Option<Identity>,
    kept: Book<u64>,
    /// What the server before had confirmed of late, to be removed once more.
    repeats: Book<u64>,
    /// Since when anything is kept, without a break.
    busy_since: Option<Instant>,
    /// What writes that are not committed yet are changing, and how many of them.
    held: HashMap<String, usize>,
    /// The same of patterns, each as often as it is held.
    held_patterns: Vec<Pattern>,
    /// The longest hold-off of what is kept: a replay leaves it for all, which costs loads and nothing
    /// else.
    hold_off: Option<Duration>,
    /// What was confirmed of late, if that is to be remembered.
    recent: Option<Recent>,
}

/// The start of an attempt to remove something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    number: u64,
    life: u64,
}

/// Leave to use the store.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pass {
    life: u64,
}

/// How many keys and patterns an attempt has settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// Whose own attempts the store had not confirmed.
    pub(crate) deferred: usize,
    /// Which a server before had confirmed.
    pub(crate) repeated: usize,
}

/// What is to be removed next.
pub(crate) struct Work {
    pub(crate) attempt: Attempt,
    pub(crate) target: Target,
    pub(crate) hold_off: Option<Duration>,
}

impl Journal {
    /// An empty journal with room for `bound` keys. `remembers`: whether they are kept again after
    /// a change of server.
    pub(crate) fn new(bound: usize, remembers: bool) -> Arc<Self> {
        Arc::new(Self {
            gate: Gate(AtomicU64::new(0)),
            state: Mutex::new(State {
                last_number: 0,
                life: 0,
                server: None,
                kept: Book::new(bound),
                repeats: Book::new(bound),
                busy_since: None,
                held: HashMap::new(),
                held_patterns: Vec::new(),
                hold_off: None,
                recent: remembers.then(|| Recent::new(bound)),
            }),
            life: AtomicU64::new(0),
            bars: AtomicBool::new(false),
            siblings: Mutex::default(),
            keeper: OnceLock::new(),
            guarded: atomic::AtomicBool::new(false),
            serves: atomic::AtomicBool::new(false),
            busy: watch::Sender::new(false),
            wake: Notify::new(),
        })
    }

    /// Who drops what is confirmed to be removed, here or in a cache of the siblings: before a read may use
    /// what was kept until then.
    pub(crate) fn kept_by(&self, keeper: Arc<dyn Keeper>) {
        let _ = self.keeper.set(keeper);
    }

    /// What stood under `key` was replaced or removed from here, by something else than an invalidation.
    pub(crate) fn changed(&self, key: &str) {
        self.keepers(|keeper| keeper.replaced(key));
    }

    /// The same of tombstones that stand under all of `targets`.
    pub(crate) fn barred(&self, targets: &Targets) {
        self.keepers(|keeper| keeper.confirmed(targets));
    }

    fn keepers(&self, drops: impl Fn(&dyn Keeper)) {
        let own = self.keeper.get().into_iter();
        own.for_each(|keeper| drops(&**keeper));
        for other in self.others() {
            other
                .keeper
                .get()
                .iter()
                .for_each(|keeper| drops(&***keeper));
        }
    }

    /// Whether its cache may leave tombstones; to be said before it is [enrolled](Self::enrol).
    pub(crate) fn set_guarded(&self, guarded: bool) {
        self.guarded.store(guarded, Ordering::Relaxed);
    }

    /// Whether tombstones may stand, left by any of the siblings.
    pub(crate) fn is_guarded(&self) -> bool {
        self.guarded.load(Ordering::Relaxed)
    }

    /// Leave to use the store for `key`; `None` while its invalidation is to be replayed, or is still
    /// to come with a commit, here or in another cache of this process.
    #[inline]
    pub(crate) fn pass(&self, key: &str) -> Option<Pass> {
        let gate = self.gate.0.load(Ordering::Acquire);
        let barred = gate & 1 == 1 && self.is_barred(key);
        (!barred).then_some(Pass { life: gate >> 1 })
    }

    #[cold]
    fn is_barred(&self, key: &str) -> bool {
        let others = || self.others().into_iter();
        self.state.lock().bars(key) || others().any(|other| other.state.lock().bars(key))
    }

    /// Whether the invalidation of any of them is to be replayed, from here. One that is to come with a
    /// commit is another write's.
    pub(crate) fn keeps(&self, targets: &Targets) -> bool {
        self.bars.load(Ordering::Acquire)
            && self.state.lock().books().any(|book| book.keeps(targets))
    }

    /// The same for `key` and all of `tags`.
    #[inline]
    pub(crate) fn pass_all(&self, key: &str, tags: &[String]) -> Option<Pass> {
        // The first one is the oldest: a change of server in between shows later.
        let pass = self.pass(key)?;
        let all = tags.iter().all(|tag| self.pass(tag).is_some());
        all.then_some(pass)
    }

    /// Whether what was seen under `pass` may be used: the server is still the same.
    #[inline]
    pub(crate) fn stands(&self, pass: Pass) -> bool {
        self.gate.0.load(Ordering::Acquire) >> 1 == pass.life
    }

    /// To be called when an attempt starts, after what it announces was committed.
    pub(crate) fn begin(&self) -> Attempt {
        self.state.lock().begin()
    }

    /// The store has confirmed that `targets` were removed. Gives what this has settled; `None` if the
    /// server has changed since the start, so that nothing is confirmed.
    pub(crate) fn confirm(&self, attempt: Attempt, targets: &Targets) -> Option<Settled> {
        self.keepers(|keeper| keeper.confirmed(targets));
        let settle = |kept: &mut Book<u64>| kept.settle(attempt.number, targets);
        self.confirmed(attempt, settle, |recent| recent.add(targets))
    }

    /// The same for everything in the namespace.
    pub(crate) fn confirm_all(&self, attempt: Attempt) -> Option<Settled> {
        self.keepers(|keeper| keeper.cleared());
        let all = |kept: &mut Book<u64>| kept.settle_all(attempt.number);
        self.confirmed(attempt, all, Recent::add_all)
    }

    /// The store has confirmed that a value that was written stands in the place of what stood under
    /// the keys. This settles nothing: what is kept may have been committed after that value. `false`
    /// if the server has changed since the start.
    pub(crate) fn replaced(&self, attempt: Attempt, targets: &Targets) -> bool {
        self.keepers(|keeper| keeper.confirmed(targets));
        self.confirmed(attempt, |_| 0, |recent| recent.add(targets))
            .is_some()
    }

    fn confirmed(
        &self,
        attempt: Attempt,
        settle: impl Fn(&mut Book<u64>) -> usize,
        remember: impl FnOnce(&mut Recent),
    ) -> Option<Settled> {
        let mut state = self.state.lock();
        if state.life != attempt.life {
            return None;
        }
        if let Some(recent) = &mut state.recent {
            remember(recent);
        }
        let settled = Settled {
            deferred: settle(&mut state.kept),
            repeated: settle(&mut state.repeats),
        };
        self.publish(&mut state);
        Some(settled)
    }

    /// The store has not confirmed: keeps `targets`. `true` if with this the whole namespace is kept.
    pub(crate) fn keep(
        &self,
        attempt: Attempt,
        targets: &Targets,
        hold_off: Option<Duration>,
    ) -> bool {
        let mut state = self.state.lock();
        state.hold_off = state.hold_off.max(hold_off);
        let before = state.kept.keys.is_folded();
        state.kept.add_together(attempt.number, targets);
        self.publish(&mut state);
        state.kept.keys.is_folded() && !before
    }

    /// The store has not confirmed that everything in the namespace was removed: keeps that.
    pub(crate) fn keep_all(&self, attempt: Attempt) {
        let mut state = self.state.lock();
        state.kept.keys.fold(attempt.number, 1);
        self.publish(&mut state);
    }

    /// Lets reads bypass them as often as they are [released](Self::release).
    fn hold(&self, targets: &Targets) {
        let mut state = self.state.lock();
        for key in &targets.keys {
            *state.held.entry(key.clone()).or_default() += 1;
        }
        state.held_patterns.extend_from_slice(&targets.patterns);
        self.publish(&mut state);
    }

    fn release<'a>(&self, keys: impl Iterator<Item = &'a String>, patterns: &[Pattern]) {
        let mut state = self.state.lock();
        for pattern in patterns {
            let held = state.held_patterns.iter().position(|held| held == pattern);
            held.map(|held| state.held_patterns.swap_remove(held));
        }
        for key in keys {
            let Some(holds) = state.held.get_mut(key) else {
                continue;
            };
            *holds -= 1;
            if *holds == 0 {
                state.held.remove(key);
            }
        }
        self.publish(&mut state);
    }

    /// What to remove next; `None` if nothing is kept.
    pub(crate) fn next(&self) -> Option<Work> {
        let mut state = self.state.lock();
        if state.is_idle() {
            state.hold_off = None;
            return None;
        }
        Some(Work {
            attempt: state.begin(),
            target: state.target(),
            hold_off: state.hold_off,
        })
    }

    /// The same apart, by the attempts that have failed: where one of several servers is away, its keys must
    /// not hold up those of the others.
    pub(crate) fn next_apart(&self) -> Vec<Work> {
        let whole = self.next();
        let apart = |work: Work| match work.target {
            Target::Namespace => vec![work],
            Target::Some(_) => {
                let parts = self.state.lock().parts().into_values();
                let part = |part| Work {
                    target: Target::Some(part),
                    ..work
                };
                parts.map(part).collect()
            }
        };
        whole.map_or_else(Vec::new, apart)
    }

    /// What is kept.
    pub(crate) fn pending(&self) -> Pending {
        let state = self.state.lock();
        Pending {
            keys: state.books().map(|book| book.keys.len()).sum(),
            patterns: state.books().map(Book::patterns).sum(),
            namespace: state.books().any(|book| book.keys.is_folded()),
            oldest: state.busy_since.map(|since| since.elapsed()),
            ..Pending::default()
        }
    }

    /// Waits until something is kept, or until nothing is.
    pub(crate) async fn until(&self, busy: bool) {
        // It cannot fail: the sender is here.
        let _ = self.busy.subscribe().wait_for(|now| *now == busy).await;
    }

    /// Asks for the next attempt at once.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }

    /// Waits for so long, or until there is a reason to try again: then `true`.
    pub(crate) async fn hurried(&self, most: Duration) -> bool {
        timeout(most, self.wake.notified()).await.is_ok()
    }

    /// Tells the readers, here and in the siblings, under the lock.
    fn publish(&self, state: &mut State) {
        let busy = !state.is_idle();
        state.busy_since = busy.then(|| state.busy_since.unwrap_or_else(Instant::now));
        let bars = busy || !state.held.is_empty() || !state.held_patterns.is_empty();
        let before = self.bars.load(Ordering::Relaxed);
        self.life.store(state.life, Ordering::Relaxed);
        self.bars.store(bars, Ordering::Release);
        self.look_around();
        if bars != before {
            self.others().iter().for_each(|other| other.look_around());
        }
        self.busy
            .send_if_modified(|now| std::mem::replace(now, busy) != busy);
    }
}

impl State {
    fn begin(&mut self) -> Attempt {
        self.last_number += 1;
        Attempt {
            number: self.last_number,
            life: self.life,
        }
    }

    fn books(&self) -> impl Iterator<Item = &Book<u64>> {
        [&self.kept, &self.repeats].into_iter()
    }

    /// Whether there is nothing to be removed.
    fn is_idle(&self) -> bool {
        self.books().all(Book::is_empty)
    }

    fn target(&self) -> Target {
        if self.books().any(|book| book.keys.is_folded()) {
            return Target::Namespace;
        }
        let keys: BTreeSet<_> = self.books().flat_map(|book| book.keys.all()).collect();
        let patterns = self.books().flat_map(Book::all_patterns).cloned();
        Target::Some(Targets {
            keys: keys.into_iter().collect(),
            patterns: patterns.collect(),
        })
    }

    /// What is kept, by the numbers of the attempts.
    fn parts(&self) -> BTreeMap<u64, Targets> {
        let mut parts = BTreeMap::<_, Targets>::new();
        for (number, part) in self.books().flat_map(Book::parts) {
            parts.entry(number).or_default().extend(part);
        }
        parts
    }

    fn bars(&self, key: &str) -> bool {
        self.books().any(|book| book.holds(key))
            || self.held.contains_key(key)
            || self.held_patterns.iter().any(|held| held.matches(key))
    }

    /// Keeps what the server before had confirmed of late; gives the number of those keys.
    fn keep_recent(&mut self) -> usize {
        let Attempt { number, .. } = self.begin();
        let Some(recent) = &mut self.recent else {
            return 0;
        };
        recent.pour(&mut self.repeats, number)
    }
}

impl Watch for Journal {
    fn recognised(&self, server: &Identity, database: u32) {
        self.recognise(server, database);
    }

    fn connected(&self, changed: bool) {
        if changed {
            let server = self.state.lock().server.clone();
            let others = self.others().into_iter();
            others.for_each(|other| other.doubt(server.as_ref()));
        }
        let mut state = self.state.lock();
        if changed {
            state.life += 1;
            let keys = state.keep_recent();
            self.publish(&mut state);
            if keys > 0 {
                crate::util::warning::warn!(
                    keys,
                    "the store was replaced: its last invalidations are repeated"
                );
            }
        }
        if let Some(recent) = &mut state.recent {
            recent.resume();
        }
        drop(state);
        // The connection is there a moment after this. An attempt that is even faster fails and is
        // repeated after the shortest pause.
        self.hurry();
    }

    fn lost(&self, seen: Instant) {
        if let Some(recent) = &mut self.state.lock().recent {
            recent.pause(seen);
        }
    }
}
