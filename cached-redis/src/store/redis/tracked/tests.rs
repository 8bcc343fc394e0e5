use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::super::server::{Server, eventually, in_time, store};
use super::super::{RedisSettings, RedisStore};
use crate::error::StoreError;
use crate::policy::defaults::LONGEST_STALENESS;
use crate::store::Store as _;
use crate::store::tracked::{Keeper, Lane};
use crate::util::lock::Mutex;
use crate::util::moment::Moment;

mod proxy;

use proxy::Proxy;

const KEY: &str = "ns:#local";

/// Notes what it is told.
#[derive(Default)]
struct Notes {
    changed: Mutex<Vec<String>>,
    flushed: AtomicUsize,
    lost: AtomicUsize,
    moved: AtomicUsize,
    answered: Mutex<Vec<Moment>>,
}

impl Notes {
    fn has_heard(&self, key: &str) -> bool {
        self.changed.lock().iter().any(|changed| changed == key)
    }

    fn horizon(&self) -> Option<Moment> {
        self.answered.lock().iter().max().copied()
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

impl Keeper for Notes {
    fn changed(&self, key: &[u8]) {
        let key = String::from_utf8_lossy(key).into_owned();
        self.changed.lock().push(key);
    }

    fn flushed(&self, _: &Lane) {
        self.flushed.fetch_add(1, Ordering::SeqCst);
    }

    fn lost(&self, _: &Lane) {
        self.lost.fetch_add(1, Ordering::SeqCst);
    }

    fn moved(&self, _: &Lane) {
        self.moved.fetch_add(1, Ordering::SeqCst);
    }

    fn answered(&self, _: &Lane, sent: Moment) {
        self.answered.lock().push(sent);
    }
}

fn settings() -> RedisSettings {
    RedisSettings {
        deadline: Duration::from_secs(2),
        staleness_key: KEY.to_owned(),
        staleness: Duration::from_millis(150),
        ..RedisSettings::default()
    }
}

/// A store whose reads are kept, and who keeps them.
async fn keeping(url: &str, settings: RedisSettings) -> (RedisStore, Arc<Notes>) {
    let (store, notes) = (store(url, settings).await, Arc::<Notes>::default());
    store.track(Arc::clone(&notes) as _);
    (store, notes)
}

async fn is_kept(store: &RedisStore, key: &str) -> bool {
    matches!(store.read_tracked(&[key]).await, Ok(shown) if shown.seen[0].is_some())
}

async fn until_kept(store: &RedisStore) {
    eventually(async || is_kept(store, "any").await).await;
}

/// How many connections have changes announced.
fn links(server: &Server) -> usize {
    let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
    let is_link = |line: &&str| line.contains(" flags=t ");
    list.lines().filter(is_link).count()
}

#[tokio::test]
async fn a_change_is_announced_before_any_later_answer() {
    let server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    for round in 0..200 {
        let key = format!("k{round}");
        server.command(&[b"SET", key.as_bytes(), b"old"]);
        let read = store.read_tracked(&[&key, "other"]).await.unwrap();
        assert!(read.seen[0].is_some() && read.entries[0].as_deref() == Some(b"old"));
        // By others, and over the connection of the steps.
        match round % 2 {
            0 => drop(server.command(&[b"DEL", key.as_bytes()])),
            _ => store.invalidate(std::slice::from_ref(&key)).await.unwrap(),
        }
        assert!(is_kept(&store, "other").await);
        assert!(notes.has_heard(&key), "{key}");
    }
}

#[tokio::test]
async fn nobody_who_keeps_nothing_has_a_second_connection() {
    let server = Server::start();
    let store = store(&server.url(), settings()).await;
    assert!(!is_kept(&store, "k").await && !store.server().1.is_begun());
    assert_eq!(links(&server), 0);
    assert_eq!(server.command(&[b"EXISTS", KEY.as_bytes()]), ":0");
}

#[tokio::test]
async fn a_flush_is_told_and_the_staleness_agreed_on_anew() {
    let server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    assert_eq!(server.command(&[b"GET", KEY.as_bytes()]), "150");
    server.command(&[b"FLUSHALL"]);
    eventually(async || count(&notes.flushed) == 1 && count(&notes.lost) == 1).await;
    until_kept(&store).await;
    assert_eq!(server.command(&[b"GET", KEY.as_bytes()]), "150");
}

#[tokio::test]
async fn where_nothing_is_agreed_on_any_more_all_is_dropped_and_it_is_agreed_on_anew() {
    for refused in ["+@all", "-client|tracking", "-info"] {
        let server = Server::start();
        let url = logged_in(&server, &["~*", "+@all", refused]);
        let (store, notes) = keeping(&url, settings()).await;
        until_kept(&store).await;
        for round in 1..3 {
            server.command(&[b"DEL", KEY.as_bytes()]);
            eventually(async || count(&notes.lost) >= round).await;
            until_kept(&store).await;
            assert_eq!(
                server.command(&[b"GET", KEY.as_bytes()]),
                "150",
                "{refused}"
            );
        }
    }
}

#[tokio::test]
async fn what_could_not_be_agreed_on_is_when_it_can_be() {
    // One that is full, one that nothing may be written to, one where nothing can be understood.
    for (before, after) in [
        (
            ["CONFIG", "SET", "maxmemory", "1"],
            ["CONFIG", "SET", "maxmemory", "0"],
        ),
        (["ACL", "SETUSER", "ann", "-set"], ["SET", KEY, "200", "NX"]),
        (["SET", KEY, "soon", "NX"], ["SET", KEY, "200", "XX"]),
    ] {
        let server = Server::start();
        let url = logged_in(&server, &["~*", "+@all"]);
        let command = |words: [&str; 4]| server.command(&words.map(str::as_bytes));
        assert_eq!(command(before), "+OK");
        let (store, notes) = keeping(&url, settings()).await;
        for _ in 0..20 {
            let _ = in_time(store.read_tracked(&["any"])).await;
        }
        assert_eq!(notes.horizon(), None, "{before:?}");
        assert_eq!(command(after), "+OK");
        until_kept(&store).await;
    }
}

/// As somebody with these rights.
fn logged_in(server: &Server, rights: &[&str]) -> String {
    let user = ["ACL", "SETUSER", "ann", "on", ">pw"];
    let rules: Vec<_> = user
        .iter()
        .chain(rights)
        .map(|word| word.as_bytes())
        .collect();
    assert_eq!(server.command(&rules), "+OK");
    server.url().replace("//", "//ann:pw@")
}

#[tokio::test]
async fn what_was_agreed_on_can_be_read_without_the_right_to_write_it() {
    let server = Server::start();
    server.command(&[b"SET", KEY.as_bytes(), b"150"]);
    let url = logged_in(&server, &[&format!("%R~{KEY}"), "~any", "+@all"]);
    let (store, _) = keeping(&url, settings()).await;
    until_kept(&store).await;
    assert_eq!(
        store.server().1.tracking.standing(),
        super::Standing::Announces
    );
}

#[tokio::test]
async fn what_cannot_be_understood_of_what_was_agreed_on_is_the_longest_there_can_be() {
    let server = Server::start();
    let (store, _) = keeping(&server.url(), settings()).await;
    let own = settings().staleness;
    assert_eq!(store.staleness().await, Ok(own), "nothing stands there");
    for (text, expected) in [
        ("100", own),
        ("200", Duration::from_millis(200)),
        ("18446744073709551615", LONGEST_STALENESS),
        ("4000000000", LONGEST_STALENESS),
        ("soon", LONGEST_STALENESS),
        ("", LONGEST_STALENESS),
    ] {
        server.command(&[b"SET", KEY.as_bytes(), text.as_bytes()]);
        assert_eq!(store.staleness().await, Ok(expected), "{text:?}");
    }
}

#[tokio::test]
async fn who_asks_for_nothing_hears_nothing() {
    let server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    // The last heartbeat is an answer, too.
    server.signal("-STOP");
    let stopped = Moment::now();
    let shown = store.read_tracked(&[]).await.unwrap();
    assert!(shown.seen.is_empty() && shown.entries.is_empty());
    assert!(notes.horizon() < Some(stopped));
    server.signal("-CONT");
}

#[tokio::test]
async fn while_the_steps_have_no_connection_nothing_is_vouched_for() {
    let (server, other) = (Server::start(), Server::start());
    let proxy = Proxy::to(&server).await;
    let (store, notes) = keeping(&proxy.url(), settings()).await;
    until_kept(&store).await;
    // Where nobody may log in.
    other.command(&[b"ACL", b"SETUSER", b"default", b"resetpass"]);
    proxy.point_at(&other);
    proxy.cut(0);
    eventually(async || !store.link().connection.is_up()).await;
    let asked = || {
        let stats = server.command(&[b"INFO", b"commandstats"]);
        let info = stats.split("cmdstat_info:calls=").nth(1).unwrap();
        info.split(',').next().unwrap().parse::<u64>().unwrap()
    };
    let (horizon, before) = (notes.horizon(), asked());
    eventually(async || asked() > before + 10).await;
    assert_eq!((notes.horizon(), count(&notes.lost)), (horizon, 0));
    let read = store.read_tracked(&["k"]).await;
    assert_eq!(read.err(), Some(StoreError::Unavailable));
}

#[tokio::test]
async fn a_server_that_forgets_who_has_read_says_so() {
    let server = Server::start_with(&["--tracking-table-max-keys", "10"]);
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    for key in 0..100 {
        assert!(is_kept(&store, &format!("k{key}")).await);
    }
    // The server makes room now and then.
    eventually(async || notes.changed.lock().len() >= 80).await;
}

#[tokio::test]
async fn a_lost_connection_is_told_and_replaced() {
    let server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    for round in 1..4 {
        until_kept(&store).await;
        let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
        let link = list.lines().find(|line| line.contains(" flags=t "));
        let id = link.and_then(|line| line.split(' ').find_map(|word| word.strip_prefix("id=")));
        server.command(&[b"CLIENT", b"KILL", b"ID", id.unwrap().as_bytes()]);
        eventually(async || count(&notes.lost) == round).await;
    }
    until_kept(&store).await;
    assert_eq!((count(&notes.moved), links(&server)), (0, 1));
    assert_eq!(store.stats().reconnects, 0, "that of the steps");
}

#[tokio::test]
async fn without_announcements_things_are_kept_and_nothing_is_answered() {
    for (options, refused) in [
        (&[][..], "-client|tracking"),
        (&[][..], "-info"),
        (&["--rename-command", "HELLO", ""][..], "+@all"),
    ] {
        let server = Server::start_with(options);
        let url = logged_in(&server, &["~*", "+@all", refused]);
        let (store, notes) = keeping(&url, settings()).await;
        until_kept(&store).await;
        for _ in 0..10 {
            assert!(is_kept(&store, "k").await, "{refused}");
        }
        assert_eq!(notes.horizon(), None, "{refused}");
        assert_eq!(server.command(&[b"GET", KEY.as_bytes()]), "150");
    }
}

#[tokio::test]
async fn who_asks_for_more_than_was_agreed_on_keeps_nothing_and_others_do() {
    let server = Server::start();
    let asking = |ms| RedisSettings {
        staleness: Duration::from_millis(ms),
        ..settings()
    };
    let (first, _) = keeping(&server.url(), asking(200)).await;
    until_kept(&first).await;
    let (more, notes) = keeping(&server.url(), asking(201)).await;
    let (less, _) = keeping(&server.url(), asking(100)).await;
    until_kept(&less).await;
    eventually(async || {
        assert!(!is_kept(&more, "k").await);
        more.server().1.tracking.standing() == super::Standing::Refused
    })
    .await;
    assert!(!is_kept(&more, "k").await && notes.horizon().is_none());
    assert_eq!(server.command(&[b"GET", KEY.as_bytes()]), "200");
}

#[tokio::test]
async fn a_silent_server_moves_no_horizon_and_holds_up_no_read_for_longer_than_the_deadline() {
    let server = Server::start();
    let short = RedisSettings {
        deadline: Duration::from_millis(50),
        ..settings()
    };
    let (store, notes) = keeping(&server.url(), short).await;
    until_kept(&store).await;
    server.signal("-STOP");
    // What is under way may have been answered.
    let (stopped, error) = (Moment::now(), store.read_tracked(&["k"]).await.err());
    assert_eq!(error, Some(StoreError::Timeout));
    assert!(notes.horizon() < Some(stopped));
    server.signal("-CONT");
    eventually(async || notes.horizon() > Some(stopped)).await;
}

#[tokio::test]
async fn an_idle_connection_is_asked_for_a_sign_of_life() {
    let server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    let read = Moment::now();
    eventually(async || {
        let answered = notes.answered.lock();
        answered.iter().filter(|sent| **sent > read).count() >= 5
    })
    .await;
}

#[tokio::test]
async fn answers_to_steps_move_no_horizon_while_announcements_are_held_back() {
    let server = Server::start();
    let proxy = Proxy::to(&server).await;
    let short = RedisSettings {
        deadline: Duration::from_millis(100),
        ..settings()
    };
    let (store, notes) = keeping(&proxy.url(), short).await;
    until_kept(&store).await;
    // The second connection, from the server's side.
    proxy.hold_back(1, true);
    let held = Moment::now();
    assert_eq!(
        store.read_tracked(&["k"]).await.err(),
        Some(StoreError::Timeout)
    );
    for _ in 0..100 {
        assert_eq!(store.get("k").await, Ok(None));
    }
    assert!(notes.horizon() < Some(held));
    server.command(&[b"SET", b"k", b"new"]);
    assert!(!notes.has_heard("k"));
    proxy.hold_back(1, false);
    eventually(async || notes.has_heard("k") && notes.horizon() > Some(held)).await;
}

#[tokio::test]
async fn nothing_is_kept_of_another_server_than_that_of_the_steps() {
    let [first, second] = [(); 2].map(|()| Server::start());
    let proxy = Proxy::to(&first).await;
    let (store, notes) = keeping(&proxy.url(), settings()).await;
    until_kept(&store).await;
    for server in [&first, &second] {
        server.command(&[b"SET", b"k", server.url().as_bytes()]);
    }
    proxy.point_at(&second);
    proxy.cut(1);
    eventually(async || count(&notes.lost) >= 1).await;
    // It leads to the second one now, and is tried again and again.
    let horizon = notes.horizon();
    eventually(async || {
        let shown = store.read_tracked(&["k"]).await.unwrap();
        assert!(shown.seen[0].is_none());
        assert_eq!(shown.entries[0].as_deref(), Some(first.url().as_bytes()));
        proxy.accepted() >= 4
    })
    .await;
    assert_eq!(notes.horizon(), horizon);
    assert_eq!(count(&notes.moved), 0);
    // The steps follow.
    proxy.cut(0);
    eventually(async || count(&notes.moved) == 1).await;
    until_kept(&store).await;
    let shown = store.read_tracked(&["k"]).await.unwrap();
    assert_eq!(shown.entries[0].as_deref(), Some(second.url().as_bytes()));
}

#[tokio::test]
async fn a_restart_and_a_promotion_are_told_as_a_move() {
    let mut server = Server::start();
    let (store, notes) = keeping(&server.url(), settings()).await;
    until_kept(&store).await;
    server.restart();
    eventually(async || count(&notes.moved) == 1 && count(&notes.lost) == 1).await;
    until_kept(&store).await;
    server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    server.command(&[b"REPLICAOF", b"NO", b"ONE"]);
    eventually(async || count(&notes.moved) == 2 && count(&notes.lost) >= 2).await;
    until_kept(&store).await;
}

#[test]
fn a_runtime_that_nobody_drives_holds_up_no_reader_of_another_one() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (server, home) = (Server::start(), runtime());
    let short = RedisSettings {
        deadline: Duration::from_millis(100),
        ..settings()
    };
    let (store, notes) = home.block_on(async {
        let (store, notes) = keeping(&server.url(), short).await;
        until_kept(&store).await;
        (store, notes)
    });
    runtime().block_on(async {
        in_time(store.read_tracked(&["k"])).await.ok();
        until_kept(&store).await;
    });
    assert!(count(&notes.lost) >= 1);
    drop(home);
}
