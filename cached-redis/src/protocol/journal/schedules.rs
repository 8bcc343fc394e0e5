use std::sync::atomic::Ordering::SeqCst;

use shuttle::thread;

use super::*;
use crate::util::sync::AtomicBool;
use crate::util::sync::explore::{Sometimes, explore};
use crate::util::sync::fake::{Slot, Source, Store};

static BYPASSED: Sometimes = Sometimes::new("a read bypasses the store");
static HIT: Sometimes = Sometimes::new("a read is a hit");
static REPLAYED: Sometimes = Sometimes::new("a replay is confirmed");
static REPLACED: Sometimes = Sometimes::new("an answer comes across a change of server");

/// One process, in small.
struct Scene {
    journal: Arc<Journal>,
    source: Source,
    store: Store,
    /// While the server is being replaced.
    down: AtomicBool,
}

impl Scene {
    fn new(bound: usize) -> Arc<Self> {
        Arc::new(Self {
            journal: Journal::new(bound, true),
            source: Source::default(),
            store: Store::default(),
            down: AtomicBool::new(false),
        })
    }

    fn read(&self) {
        let floor = self.source.floor();
        let got = self.find();
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
    }

    fn find(&self) -> u64 {
        loop {
            let Some(pass) = self.journal.pass("k") else {
                BYPASSED.seen();
                return self.source.load();
            };
            match self.store.get() {
                Slot::Value(value) if self.journal.stands(pass) => {
                    HIT.seen();
                    return value;
                }
                Slot::Value(_) => REPLACED.seen(),
                _ => return self.load(),
            }
        }
    }

    fn load(&self) -> u64 {
        let lease = self.store.acquire();
        let value = self.source.load();
        if let Ok(token) = lease {
            self.store.fill(token, value);
        }
        value
    }

    fn write(&self, reaches: bool) {
        let version = self.source.commit();
        let (attempt, keys) = (self.journal.begin(), the_key());
        let removed = reaches && self.remove();
        if !removed || self.journal.confirm(attempt, &keys).is_none() {
            self.journal.keep(attempt, &keys, None);
        }
        self.source.returned(version);
    }

    fn remove(&self) -> bool {
        let up = !self.down.load(SeqCst);
        if up {
            self.store.put(Slot::Nothing);
        }
        up
    }

    /// One attempt.
    fn replay(&self) {
        let Some(work) = self.journal.next() else {
            return;
        };
        if self.remove() {
            let settled = match &work.target {
                Target::Some(targets) => self.journal.confirm(work.attempt, targets),
                _ => self.journal.confirm_all(work.attempt),
            };
            match settled {
                Some(_) => REPLAYED.seen(),
                None => REPLACED.seen(),
            }
        }
    }
}

fn read(scene: &Scene) {
    scene.read();
}

fn confirmed_write(scene: &Scene) {
    scene.write(true);
    scene.read();
}

fn deferred_write(scene: &Scene) {
    scene.write(false);
    scene.read();
}

fn replay(scene: &Scene) {
    (0..2).for_each(|_| scene.replay());
}

/// A replica takes over that has not seen the last removals.
fn fail_over(scene: &Scene) {
    let replicated = scene.store.get();
    thread::yield_now();
    scene.down.store(true, SeqCst);
    scene.journal.connected(true);
    scene.store.put(replicated);
    scene.down.store(false, SeqCst);
}

/// Runs what each of `acts` says, all at once.
fn together(scene: &Arc<Scene>, acts: &[fn(&Scene)]) {
    scene.load();
    let tasks: Vec<_> = acts
        .iter()
        .map(|act| {
            let (scene, act) = (Arc::clone(scene), *act);
            thread::spawn(move || act(&scene))
        })
        .collect();
    tasks.into_iter().for_each(|task| task.join().unwrap());
}

fn the_key() -> Targets {
    vec!["k".to_owned()].into()
}

#[test]
fn a_read_after_a_deferred_invalidation_is_fresh() {
    explore(&[&BYPASSED, &HIT, &REPLAYED], || {
        let acts = [deferred_write, confirmed_write, replay, read, read];
        together(&Scene::new(9), &acts);
    });
}

#[test]
fn a_read_after_an_invalidation_is_fresh_although_its_server_was_replaced() {
    explore(&[&REPLACED], || {
        let acts = [deferred_write, confirmed_write, replay, fail_over, read];
        together(&Scene::new(9), &acts);
    });
}

#[test]
fn a_read_is_fresh_although_too_many_keys_are_kept() {
    explore(&[], || {
        let acts = [deferred_write, confirmed_write, replay, fail_over, read];
        together(&Scene::new(0), &acts);
    });
}

/// What is kept under a number passes again only once a confirmation under a greater one has begun.
fn an_older_confirmation_settles_nothing_newer(bound: usize) {
    let journal = Journal::new(bound, false);
    let (kept, confirming) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let keeping = thread::spawn({
        let (journal, kept) = (Arc::clone(&journal), Arc::clone(&kept));
        move || {
            for _ in 0..2 {
                let attempt = journal.begin();
                journal.keep(attempt, &the_key(), None);
                kept.store(attempt.number, SeqCst);
            }
        }
    });
    let replaying = thread::spawn({
        let (journal, confirming) = (Arc::clone(&journal), Arc::clone(&confirming));
        move || {
            for _ in 0..3 {
                let Some(work) = journal.next() else {
                    continue;
                };
                confirming.fetch_max(work.attempt.number, SeqCst);
                match &work.target {
                    Target::Some(targets) => journal.confirm(work.attempt, targets),
                    _ => journal.confirm_all(work.attempt),
                };
            }
        }
    });
    for _ in 0..3 {
        let kept = kept.load(SeqCst);
        let passes = journal.pass("k").is_some();
        let confirming = confirming.load(SeqCst);
        assert!(!passes || kept == 0 || confirming > kept);
    }
    keeping.join().unwrap();
    replaying.join().unwrap();
    while let Some(work) = journal.next() {
        match &work.target {
            Target::Some(targets) => journal.confirm(work.attempt, targets),
            _ => journal.confirm_all(work.attempt),
        };
    }
    assert!(journal.pass("k").is_some(), "the gate opens again");
}

#[test]
fn an_older_confirmation_never_clears_a_newer_key() {
    explore(&[], || an_older_confirmation_settles_nothing_newer(9));
}

#[test]
fn an_older_sweep_never_clears_a_newer_overflow() {
    explore(&[], || an_older_confirmation_settles_nothing_newer(0));
}
