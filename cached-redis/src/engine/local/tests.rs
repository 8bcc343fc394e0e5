use std::ops::Deref;

use bytes::Bytes;

use super::*;
use crate::wire::entry::{Header, Kind, Token};
use crate::wire::key::Pattern;

const SECOND: Duration = Duration::from_secs(1);
const SENT: Moment = Moment(1_000_000_000_000);
const KEY: &str = "app:k";

fn after(time: Duration) -> Moment {
    Moment(SENT.0 + time.as_nanos() as u64)
}

fn entry(bytes: usize) -> Kept {
    let header = Header::new(Kind::Value, Token::next());
    let entry = header.extended(&[], &vec![0; bytes]);
    Kept::entry(&mut Live::new(header, entry))
}

/// A level that is read over one connection.
struct Scene {
    level: Arc<Level>,
    lane: Arc<Lane>,
}

impl Deref for Scene {
    type Target = Arc<Level>;

    fn deref(&self) -> &Arc<Level> {
        &self.level
    }
}

impl Scene {
    fn seen(&self) -> Seen {
        Seen {
            sent: SENT,
            ..Seen::now(&self.lane)
        }
    }

    /// Over another connection.
    fn beside(&self) -> Self {
        let (level, lane) = (Arc::clone(&self.level), Arc::default());
        level.opened(&lane);
        Self { level, lane }
    }
}

fn level() -> Scene {
    let (level, lane) = (Level::new(1 << 20, SECOND), Arc::default());
    level.opened(&lane);
    Scene { level, lane }
}

fn keep(level: &Scene, key: &str, local: Duration) {
    let (ticket, seen) = (level.ticket(key), level.seen());
    level.keep(key, ticket, (&seen, local), entry(1), 10 * SECOND);
}

fn serves(level: &Level, key: &str, local: Duration, now: Moment) -> bool {
    level.entry(key, local, now).is_some()
}

#[test]
fn an_answer_is_kept_only_if_nothing_was_announced_since_its_command_was_sent() {
    type Announce = fn(&Scene);
    let announced: [(Announce, bool); 10] = [
        (|_| {}, true),
        (|level| level.changed(b"app:k"), false),
        (|level| level.confirmed(&vec![KEY.to_owned()].into()), false),
        (
            |level| level.confirmed(&Pattern::new("app", "*").into()),
            false,
        ),
        (|level| level.replaced(KEY), false),
        (|level| level.flushed(&level.lane), false),
        (|level| level.lost(&level.lane), false),
        (|level| level.moved(&level.lane), false),
        (|level| level.moved(&level.beside().lane), true),
        (|level| level.cleared(), false),
    ];
    for (at, (announce, kept)) in announced.into_iter().enumerate() {
        let level = level();
        let (ticket, seen) = (level.ticket(KEY), level.seen());
        announce(&level);
        level.keep(KEY, ticket, (&seen, SECOND), entry(1), SECOND);
        assert_eq!(serves(&level, KEY, SECOND, SENT), kept, "{at}");
        keep(&level, KEY, SECOND);
        assert!(serves(&level, KEY, SECOND, SENT), "{at}: asked for later");
        announce(&level);
        assert_eq!(serves(&level, KEY, SECOND, SENT), kept, "{at}: dropped");
    }
}

#[test]
fn what_is_dropped_is_counted_by_its_reason() {
    let level = level();
    for key in ["app:a", "app:b", "app:c", "app:d"] {
        keep(&level, key, SECOND);
    }
    level.changed(b"app:a");
    level.changed(b"app:a");
    level.changed(&[0xFF]);
    level.confirmed(&Pattern::new("app", "b*").into());
    level.lost(&level.lane);
    keep(&level, KEY, SECOND);
    level.flushed(&level.lane);
    let stats = level.stats();
    assert_eq!((stats.changed, stats.replaced), (1, 1), "{stats:?}");
    assert_eq!((stats.lost, stats.flushed, stats.moved), (2, 1, 0));
    assert_eq!((stats.entries, stats.refused), (0, 0), "{stats:?}");
}

#[test]
fn nothing_is_served_beyond_delta_after_the_horizon() {
    let level = level();
    keep(&level, KEY, 10 * SECOND);
    assert!(serves(&level, KEY, 10 * SECOND, after(SECOND)));
    assert!(!serves(&level, KEY, 10 * SECOND, after(SECOND * 2)));
    level.answered(&level.lane, after(SECOND * 3 / 2));
    assert!(serves(&level, KEY, 10 * SECOND, after(SECOND * 2)));
    assert!(!serves(&level, KEY, 10 * SECOND, after(SECOND * 3)));
    level.lost(&level.lane);
    level.answered(&level.lane, after(SECOND * 2));
    assert!(!serves(&level, KEY, 10 * SECOND, after(SECOND * 2)));
}

#[test]
fn each_connection_has_a_horizon_and_an_end_of_its_own() {
    let (level, local) = (level(), 10 * SECOND);
    let other = level.beside();
    keep(&level, "app:a", local);
    keep(&other, "app:b", local);
    level.answered(&other.lane, after(SECOND));
    let late = after(SECOND * 3 / 2);
    assert!(!serves(&level, "app:a", local, late));
    assert!(serves(&level, "app:b", local, late));
    level.answered(&level.lane, late);
    level.moved(&other.lane);
    assert!(serves(&level, "app:a", local, late));
    assert!(!serves(&level, "app:b", local, late));
    let stats = level.stats();
    assert_eq!((stats.moved, stats.entries), (1, 1), "{stats:?}");
    drop(other);
    assert!(level.stats().horizon.is_some());
}

#[test]
fn each_reader_is_served_for_its_own_time() {
    let level = level();
    level.answered(&level.lane, after(3 * SECOND));
    keep(&level, KEY, 3 * SECOND);
    assert!(serves(&level, KEY, 3 * SECOND, after(2 * SECOND)));
    assert!(!serves(&level, KEY, SECOND, after(SECOND)));
    assert!(!serves(&level, KEY, 9 * SECOND, after(3 * SECOND)));
}

#[test]
fn what_is_larger_than_a_part_is_refused_and_counted() {
    let level = level();
    let ticket = level.ticket(KEY);
    level.keep(KEY, ticket, (&level.seen(), SECOND), entry(1 << 20), SECOND);
    assert!(!serves(&level, KEY, SECOND, SENT));
    level.keep(KEY, ticket, (&level.seen(), SECOND), entry(1 << 18), SECOND);
    assert!(serves(&level, KEY, SECOND, SENT));
    assert_eq!(level.stats().refused, 1);
    for key in 0..100 {
        let key = format!("app:{key}");
        let ticket = level.ticket(&key);
        level.keep(
            &key,
            ticket,
            (&level.seen(), SECOND),
            entry(1 << 16),
            SECOND,
        );
    }
    let stats = level.stats();
    assert!(stats.bytes <= 1 << 20 && stats.entries > 1, "{stats:?}");
}

#[test]
fn what_had_to_make_room_is_let_go() {
    let level = level();
    let all: Vec<_> = (0..200)
        .map(|at| {
            let key = format!("app:{at}");
            let Kept::Entry(live) = entry(1 << 13) else {
                unreachable!()
            };
            let weak = Arc::downgrade(&live);
            let (ticket, seen) = (level.ticket(&key), level.seen());
            let kept = Kept::Entry(live);
            level.keep(&key, ticket, (&seen, SECOND), kept, SECOND);
            serves(&level, &key, SECOND, SENT);
            weak
        })
        .collect();
    let stats = level.stats();
    let left = all.iter().filter(|weak| weak.strong_count() > 0).count();
    assert_eq!((left as u64, stats.evicted > 0), (stats.entries, true));
}

#[test]
fn what_is_read_all_the_time_does_not_have_to_make_room() {
    const HOUR: Duration = Duration::from_secs(3600);
    let level = level();
    let keep = |key: &str| {
        let seen = level.seen();
        level.keep(key, level.ticket(key), (&seen, HOUR), entry(1 << 13), HOUR);
    };
    // Before it there is no more room.
    (0..100).for_each(|at| keep(&format!("app:before:{at}")));
    keep(KEY);
    for at in 0..3_000 {
        let now = after(SECOND / 10 * at);
        level.answered(&level.lane, now);
        assert!(serves(&level, KEY, HOUR, now), "{at}");
        keep(&format!("app:{at}"));
    }
    assert!(level.stats().evicted > 2_000);
}

#[test]
fn keys_that_share_a_place_are_each_served_as_their_own() {
    let level = level();
    let keys: Vec<_> = (0..2_000).map(|at| format!("app:{at}")).collect();
    let (ticket, seen) = (|key: &str| level.ticket(key), level.seen());
    for key in &keys {
        let header = Header::new(Kind::Value, Token::next());
        let mut live = Live::new(header, header.extended(&[], key.as_bytes()));
        level.keep(
            key,
            ticket(key),
            (&seen, SECOND),
            Kept::entry(&mut live),
            SECOND,
        );
    }
    let own = |key: &String| {
        let held = level.entry(key, SECOND, SENT).unwrap();
        held.payload() == key.as_bytes()
    };
    assert!(keys.iter().all(own) && keys.iter().all(own));
    keys.iter().for_each(|key| level.changed(key.as_bytes()));
    let stands = |key: &String| serves(&level, key, SECOND, SENT);
    assert!(!keys.iter().any(stands));
}

#[test]
fn a_decoded_value_is_shared_by_those_who_are_shown_the_same_entry() {
    let level = level();
    let one = || match entry(1) {
        Kept::Entry(live) => Arc::unwrap_or_clone(live),
        Kept::Generation(_) => unreachable!(),
    };
    let mut live = one();
    let mut same = live.clone();
    assert!(!level.share(KEY, &mut live), "it is not known");
    level.share_on(KEY, &mut live);
    assert!(!serves(&level, KEY, SECOND, Moment::now()), "unasked");
    let _ = live.decoded.unwrap().set(Arc::new(7_u8));
    level.share_on(KEY, &mut same);
    assert!(same.is_decoded());
    let mut other = one();
    assert!(!level.share(KEY, &mut other) && !other.is_decoded());
}

/// Asks what a destructor of a user may ask.
struct Asks(Arc<Level>);

impl Drop for Asks {
    fn drop(&mut self) {
        self.0.stats();
        self.0.changed(b"app:other");
    }
}

#[test]
fn values_are_dropped_where_no_lock_is_held() {
    let level = level();
    let drops: [fn(&Scene); 5] = [
        |level| level.changed(b"app:k"),
        |level| level.flushed(&level.lane),
        |level| level.confirmed(&Pattern::new("app", "*").into()),
        |level| keep(level, KEY, SECOND),
        |level| {
            for key in 0..200 {
                let key = format!("app:{key}");
                let ticket = level.ticket(&key);
                level.keep(
                    &key,
                    ticket,
                    (&level.seen(), SECOND),
                    entry(1 << 14),
                    SECOND,
                );
            }
        },
    ];
    for drops in drops {
        keep(&level, KEY, SECOND);
        let live = level.known(KEY).unwrap();
        let kept = live.decoded.clone().unwrap();
        drop(live);
        assert!(kept.set(Arc::new(Asks(Arc::clone(&level.level)))).is_ok());
        drop(kept);
        drops(&level);
    }
    assert!(level.stats().evicted > 0);
}

#[tokio::test]
async fn what_is_kept_holds_no_more_than_its_own_bytes() {
    let builder = crate::engine::handle::Cache::builder().url("memory://");
    let store = &builder.build().await.unwrap().inner.store;
    let header = Header {
        filled_at: u64::MAX / 2,
        soft_ttl: 1000,
        ..Header::new(Kind::Value, Token::next())
    };
    let reply = Bytes::from([&header.extended(&[], &[7; 600])[..], &[0; 1 << 16]].concat());
    let entry = reply.slice(..reply.len() - (1 << 16));
    let (kept, rest) = Kept::of(store, "k", SECOND, &entry).unwrap();
    let Kept::Entry(live) = kept else {
        unreachable!()
    };
    assert!(live.entry == entry && !reply.as_ptr_range().contains(&live.entry.as_ptr()));
    assert_eq!(rest, SECOND, "never more than the TTL, whatever the clock");
}
