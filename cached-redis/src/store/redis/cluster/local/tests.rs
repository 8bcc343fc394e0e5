use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::super::server::eventually;
use super::super::super::trio::{Trio, store};
use super::super::super::{RedisSettings, RedisStore};
use crate::store::Store as _;
use crate::store::tracked::{Keeper, Lane, Seen};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

const KEY: &str = "ns:#local";

/// Notes what it is told of each connection.
#[derive(Default)]
struct Notes {
    changed: Mutex<Vec<String>>,
    told: Mutex<HashMap<usize, Told>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    flushed: usize,
    lost: usize,
    moved: usize,
    horizon: Option<Moment>,
}

impl Notes {
    fn note(&self, lane: &Lane, note: impl FnOnce(&mut Told)) {
        let lane = std::ptr::from_ref(lane).addr();
        note(self.told.lock().entry(lane).or_default());
    }

    fn of(&self, seen: &Seen) -> Told {
        let lane = Arc::as_ptr(&seen.lane).addr();
        self.told.lock().get(&lane).copied().unwrap_or_default()
    }

    fn has_heard(&self, key: &str) -> bool {
        self.changed.lock().iter().any(|changed| changed == key)
    }
}

impl Keeper for Notes {
    fn changed(&self, key: &[u8]) {
        let key = String::from_utf8_lossy(key).into_owned();
        self.changed.lock().push(key);
    }

    fn flushed(&self, lane: &Lane) {
        self.note(lane, |told| told.flushed += 1);
    }

    fn lost(&self, lane: &Lane) {
        self.note(lane, |told| told.lost += 1);
    }

    fn moved(&self, lane: &Lane) {
        self.note(lane, |told| told.moved += 1);
    }

    fn answered(&self, lane: &Lane, sent: Moment) {
        self.note(lane, |told| told.horizon = told.horizon.max(Some(sent)));
    }
}

fn settings() -> RedisSettings {
    RedisSettings {
        deadline: Duration::from_secs(5),
        staleness_key: KEY.to_owned(),
        staleness: Duration::from_millis(150),
        ..RedisSettings::default()
    }
}

/// A store on a cluster whose reads are kept, and who keeps them.
async fn keeping(trio: &Trio, settings: RedisSettings) -> (RedisStore, Arc<Notes>) {
    let store = store(&trio.url(), settings, Arc::default()).await;
    let notes = Arc::<Notes>::default();
    store.track(Arc::clone(&notes) as _);
    (store, notes)
}

/// What was noted of each key; `None` of those that may not be kept.
async fn seen(store: &RedisStore, keys: &[String]) -> Vec<Option<Seen>> {
    let keys: Vec<_> = keys.iter().map(String::as_str).collect();
    let shown = store.read_tracked(&keys).await;
    shown.map_or_else(|_| vec![None; keys.len()], |shown| shown.seen)
}

/// Waits until all may be kept.
async fn until_kept(store: &RedisStore, keys: &[String]) -> Vec<Seen> {
    let mut all = None;
    eventually(async || {
        all = seen(store, keys)
            .await
            .into_iter()
            .collect::<Option<Vec<_>>>();
        all.is_some()
    })
    .await;
    all.unwrap()
}

fn key_of(place: usize, name: &str) -> String {
    format!("{{{}}}:{name}", Trio::keys()[place])
}

fn set(trio: &Trio, key: &str, value: &str) {
    let words = ["SET", key, value].map(str::as_bytes);
    assert_eq!(trio.of(key).command(&words), "+OK");
}

#[tokio::test]
async fn a_change_is_announced_by_its_server_before_any_later_answer() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let others = Trio::keys();
    until_kept(&store, &others).await;
    for round in 0..60 {
        let keys = [0, 1, 2].map(|place| key_of(place, &format!("k{round}")));
        keys.iter().for_each(|key| set(&trio, key, "old"));
        let asked = keys.each_ref().map(String::as_str);
        let shown = store.read_tracked(&asked).await.unwrap();
        assert!(shown.seen.iter().all(Option::is_some));
        assert_eq!(shown.entries, vec![Some(Bytes::from("old")); 3]);
        for key in &keys {
            match round % 2 {
                0 => set(&trio, key, "new"),
                _ => store.invalidate(std::slice::from_ref(key)).await.unwrap(),
            }
        }
        assert!(seen(&store, &others).await.iter().all(Option::is_some));
        assert!(keys.iter().all(|key| notes.has_heard(key)), "{round}");
    }
    let links = |server: &super::super::super::server::Server| {
        let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
        list.lines()
            .filter(|line| line.contains(" flags=t "))
            .count()
    };
    assert_eq!(trio.0.each_ref().map(links), [1; 3]);
}

#[tokio::test]
async fn each_server_has_a_horizon_of_its_own() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    let lanes = until_kept(&store, &keys).await;
    trio.0[1].signal("-STOP");
    let stopped = Moment::now();
    let later = |at: usize| notes.of(&lanes[at]).horizon > Some(stopped);
    eventually(async || {
        // They count as in use.
        for at in [0, 2] {
            assert!(seen(&store, &keys[at..=at]).await[0].is_some());
        }
        later(0) && later(2)
    })
    .await;
    assert!(!later(1));
    trio.0[1].signal("-CONT");
    eventually(async || later(1)).await;
}

#[tokio::test]
async fn an_answer_to_a_read_is_no_sign_of_life() {
    let trio = Trio::start().await;
    let slow = RedisSettings {
        staleness: Duration::from_secs(60),
        ..settings()
    };
    let (store, notes) = keeping(&trio, slow).await;
    let keys = &Trio::keys()[..1];
    let lane = until_kept(&store, keys).await.remove(0);
    for _ in 0..100 {
        let answered = seen(&store, keys).await[0].clone().unwrap();
        assert_ne!(notes.of(&lane).horizon, Some(answered.sent));
    }
}

#[tokio::test]
async fn what_was_read_from_a_server_that_has_lost_a_slot_counts_no_more() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    let moved = key_of(0, "moved");
    set(&trio, &moved, "value");
    let lanes = until_kept(&store, &keys).await;
    until_kept(&store, std::slice::from_ref(&moved)).await;
    trio.begin_move(&moved, 0, 1);
    trio.migrate(&moved, 0, 1);
    eventually(async || notes.has_heard(&moved)).await;
    // On its way: it is read, and not kept.
    let shown = store.read_tracked(&[&moved]).await.unwrap();
    assert_eq!(shown.entries, [Some(Bytes::from("value"))]);
    assert!(shown.seen[0].is_none());
    trio.end_move(&moved, 1);
    let before = notes.of(&lanes[0]).moved;
    let shown = store.read_tracked(&[&moved]).await.unwrap();
    assert_eq!(shown.entries, [Some(Bytes::from("value"))]);
    assert!(notes.of(&lanes[0]).moved > before);
    let now = until_kept(&store, &[moved]).await.remove(0);
    assert!(Arc::ptr_eq(&now.lane, &lanes[1].lane));
}

#[tokio::test]
async fn what_a_slot_took_along_unannounced_counts_no_more_when_it_is_learnt_anew_who_has_it() {
    let trio = Trio::start().await;
    let often = RedisSettings {
        refresh: Duration::from_millis(100),
        ..settings()
    };
    let (store, notes) = keeping(&trio, often).await;
    let key = key_of(0, "lost");
    set(&trio, &key, "value");
    let lane = until_kept(&store, std::slice::from_ref(&key))
        .await
        .remove(0);
    let before = notes.of(&lane);
    // It is the one that was elected last, and so takes the slot without another election. Who had it loses it
    // with its keys when he hears of that.
    trio.take_slot(&key, 0, 2);
    eventually(async || notes.of(&lane).moved > before.moved).await;
    assert_eq!(notes.of(&lane).lost, before.lost);
    until_kept(&store, &[key]).await;
}

#[tokio::test]
async fn an_election_that_a_server_has_heard_of_ends_all_that_was_read_from_it() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    let lanes = until_kept(&store, &keys).await;
    let before = lanes.each(|lane| notes.of(lane).moved);
    let eras = lanes.each(|lane| lane.era);
    // Nobody has lost a slot.
    trio.0[1].command(&[b"CLUSTER", b"BUMPEPOCH"]);
    trio.0[0].command(&[b"CLUSTER", b"BUMPEPOCH"]);
    eventually(async || {
        seen(&store, &keys).await;
        let now = lanes.each(|lane| notes.of(lane).moved);
        now.iter().zip(&before).all(|(now, before)| now > before)
    })
    .await;
    assert_eq!(lanes.each(|lane| notes.of(lane).lost), [0; 3]);
    assert_eq!(eras, lanes.each(|lane| lane.lane.seen().0), "the keeper's");
    until_kept(&store, &keys).await;
}

#[tokio::test]
async fn a_server_that_is_not_among_those_that_decide_gives_no_sign_of_life() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = &Trio::keys()[..1];
    let lane = until_kept(&store, keys).await.remove(0);
    // It shall miss them soon.
    trio.0[0].command(&[b"CONFIG", b"SET", b"cluster-node-timeout", b"1000"]);
    for server in &trio.0[1..] {
        server.signal("-STOP");
    }
    let fails = || {
        let info = trio.0[0].command(&[b"CLUSTER", b"INFO"]);
        info.contains("cluster_state:fail")
    };
    eventually(async || fails()).await;
    let before = notes.of(&lane).moved;
    eventually(async || notes.of(&lane).moved > before + 2).await;
    let horizon = notes.of(&lane).horizon;
    let before = notes.of(&lane).moved;
    eventually(async || notes.of(&lane).moved > before + 2).await;
    assert_eq!(notes.of(&lane).horizon, horizon);
    for server in &trio.0[1..] {
        server.signal("-CONT");
    }
    eventually(async || notes.of(&lane).horizon > horizon).await;
}

#[tokio::test]
async fn a_server_that_is_killed_ends_what_was_read_from_it_alone() {
    let mut trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    let lanes = until_kept(&store, &keys).await;
    trio.0[2].kill();
    eventually(async || notes.of(&lanes[2]).lost > 0).await;
    assert_eq!((notes.of(&lanes[0]).lost, notes.of(&lanes[1]).lost), (0, 0));
    trio.0[2].restart();
    until_kept(&store, &keys).await;
}

#[tokio::test]
async fn the_staleness_is_agreed_on_in_one_slot_for_all_servers() {
    let trio = Trio::start().await;
    let (store, notes) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    let lanes = until_kept(&store, &keys).await;
    let agreed = || trio.of(KEY).command(&[b"GET", KEY.as_bytes()]);
    assert_eq!(agreed(), "150");
    assert_eq!(store.staleness().await, Ok(settings().staleness));
    let asking = |ms| RedisSettings {
        staleness: Duration::from_millis(ms),
        ..settings()
    };
    let (more, heard) = keeping(&trio, asking(151)).await;
    let (less, _) = keeping(&trio, asking(100)).await;
    until_kept(&less, &keys).await;
    for _ in 0..20 {
        assert!(seen(&more, &keys).await.iter().all(Option::is_none));
    }
    assert!(
        heard
            .told
            .lock()
            .values()
            .all(|told| told.horizon.is_none())
    );
    drop((more, less));
    // It is gone: so is what was kept by it, and it is agreed on anew.
    let before = lanes.each(|lane| notes.of(lane).moved);
    trio.of(KEY).command(&[b"DEL", KEY.as_bytes()]);
    eventually(async || {
        seen(&store, &keys).await;
        let now = lanes.each(|lane| notes.of(lane).moved);
        now.iter().zip(&before).all(|(now, before)| now > before)
    })
    .await;
    until_kept(&store, &keys).await;
    assert_eq!(agreed(), "150");
}

#[tokio::test]
async fn what_was_agreed_on_follows_its_slot() {
    let trio = Trio::start().await;
    let (store, _) = keeping(&trio, settings()).await;
    let keys = Trio::keys();
    until_kept(&store, &keys).await;
    let from = Trio::place(KEY);
    let to = (from + 1) % 3;
    trio.begin_move(KEY, from, to);
    trio.migrate(KEY, from, to);
    trio.end_move(KEY, to);
    until_kept(&store, &keys).await;
    assert_eq!(trio.0[to].command(&[b"GET", KEY.as_bytes()]), "150");
    let (later, _) = keeping(&trio, settings()).await;
    until_kept(&later, &keys).await;
}

trait Each<T> {
    fn each<R>(&self, of: impl Fn(&T) -> R) -> Vec<R>;
}

impl<T> Each<T> for Vec<T> {
    fn each<R>(&self, of: impl Fn(&T) -> R) -> Vec<R> {
        self.iter().map(of).collect()
    }
}
