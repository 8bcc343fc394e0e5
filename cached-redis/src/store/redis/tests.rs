use std::fmt::Debug;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::server::{Seen, Server, eventually, in_time, store, watched};
use super::{RedisSettings, RedisStore};
use crate::error::Error;
use crate::error::StoreError;
use crate::store::Store;
use crate::store::address::Address;
use crate::store::many::{Asked, Filling, Granted};
use crate::wire::entry::{Header, Token};
use crate::wire::tombstone::Tombstone;

const TTL: Duration = Duration::from_secs(60);

fn settings(deadline_ms: u64) -> RedisSettings {
    let quick = RedisSettings {
        connect_timeout: Duration::from_millis(500),
        ..RedisSettings::default()
    };
    RedisSettings {
        deadline: Duration::from_millis(deadline_ms),
        ..quick
    }
}

fn refusal(code: &str) -> StoreError {
    let code = code.to_owned();
    StoreError::Server { code }
}

/// The output of `future`, which must not wait for anything.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits"),
    }
}

/// Repeats `get` until `wanted`; reconnecting takes its time.
async fn until(store: &RedisStore, wanted: impl Fn(&Result<Option<Bytes>, StoreError>) -> bool) {
    eventually(async || wanted(&store.get("k").await)).await;
}

/// The id of the connection whose last command was `command`. On the port may also be a store whose own
/// server had it before.
fn client_of(server: &Server, command: &str) -> Option<String> {
    let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
    let of_command = format!(" cmd={command} ");
    let line = list.lines().find(|line| line.contains(&of_command))?;
    let id = line.split(' ').find_map(|word| word.strip_prefix("id="));
    id.map(str::to_owned)
}

/// Has the server close it.
fn kill_client_of(server: &Server, command: &str) {
    let id = client_of(server, command).unwrap();
    let killed = server.command(&[b"CLIENT", b"KILL", b"ID", id.as_bytes()]);
    assert_eq!(killed, ":1");
}

#[tokio::test]
async fn every_operation_on_a_stopped_server_ends_at_the_deadline() {
    let server = Server::start();
    let deadline = Duration::from_millis(40);
    let settings = RedisSettings {
        breaker_failures: u32::MAX,
        ..settings(40)
    };
    let store = store(&server.url(), settings).await;
    assert_eq!(store.get("k").await, Ok(None));
    server.signal("-STOP");
    // The hundredth time as well, else all would take minutes; how closely is the held clock's test
    // in `deadline`.
    in_time(async {
        for _ in 0..100 {
            let started = Instant::now();
            assert_eq!(store.get("k").await, Err(StoreError::Timeout));
            assert!(started.elapsed() >= deadline);
        }
    })
    .await;
    server.signal("-CONT");
    // The answers that come now are to operations long given up.
    until(&store, Result::is_ok).await;
    assert_eq!(
        store.acquire("k", Bytes::from_static(b"x"), TTL).await,
        Ok(None)
    );
}

#[tokio::test]
async fn many_operations_at_once_end_at_the_deadline_queued_or_not() {
    let server = Server::start();
    let store = Arc::new(store(&server.url(), settings(100)).await);
    server.signal("-STOP");
    let value = Bytes::from(vec![1; 10_000]);
    let rush = (0..3000).map(|_| {
        let (store, value) = (store.clone(), value.clone());
        tokio::spawn(async move { store.acquire("k", value, TTL).await })
    });
    let mut rush: Vec<_> = rush.collect();
    let last = rush.pop().unwrap();
    assert_eq!(in_time(last).await.unwrap(), Err(StoreError::Timeout));
    // None that had come before has a later deadline.
    for operation in rush {
        assert!(operation.is_finished());
        assert_eq!(operation.await.unwrap(), Err(StoreError::Timeout));
    }
    server.signal("-CONT");
}

/// How often the server ran `SET`.
fn sets(server: &Server) -> usize {
    let stats = server.command(&[b"INFO", b"commandstats"]);
    let row = stats
        .lines()
        .find_map(|line| line.strip_prefix("cmdstat_set:calls="));
    let calls = row.and_then(|row| row.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

#[tokio::test]
async fn operations_that_were_given_up_are_not_kept_for_a_silent_server() {
    let server = Server::start();
    let store = Arc::new(store(&server.url(), settings(50)).await);
    server.signal("-STOP");
    // 100 MB, of which the sockets and the queue take a part.
    let value = Bytes::from(vec![1; 10_000]);
    for _ in 0..10 {
        let rush = (0..1000).map(|_| {
            let (store, value) = (store.clone(), value.clone());
            tokio::spawn(async move { store.acquire("k", value, TTL).await })
        });
        for operation in rush.collect::<Vec<_>>() {
            assert!(operation.await.unwrap().is_err());
        }
    }
    let stats = store.stats();
    assert_eq!((stats.attempted, stats.rejected), (1000, 9000), "{stats:?}");
    server.signal("-CONT");
    until(&store, Result::is_ok).await;
    assert!(sets(&server) <= 1000);
}

#[tokio::test]
async fn a_silent_server_costs_some_operations_a_deadline_and_then_none_is_attempted() {
    let server = Server::start();
    let store = store(&server.url(), settings(40)).await;
    assert_eq!(store.get("k").await, Ok(None));
    server.signal("-STOP");
    for _ in 0..5 {
        assert_eq!(store.get("k").await, Err(StoreError::Timeout));
    }
    for _ in 0..10_000 {
        assert_eq!(store.get("k").await, Err(StoreError::Unavailable));
    }
    let stats = store.stats();
    assert_eq!(
        (stats.attempted, stats.timeouts, stats.rejected),
        (6, 5, 10_000)
    );
    server.signal("-CONT");
    until(&store, Result::is_ok).await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_answers_is_given_up_for_a_new_one() {
    let server = Server::start();
    let settings = RedisSettings {
        connect_timeout: Duration::from_millis(100),
        ..settings(20)
    };
    let store = store(&server.url(), settings).await;
    server.signal("-STOP");
    until(&store, |_| !store.is_connected()).await;
    server.signal("-CONT");
    until(&store, Result::is_ok).await;
    assert_eq!(store.stats().reconnects, 1);
}

#[tokio::test]
async fn errors_of_the_server_do_not_open_the_breaker() {
    let server = Server::start();
    let store = server.store().await;
    server.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    for _ in 0..20 {
        let refused = store.acquire("k", Bytes::from_static(b"x"), TTL).await;
        assert_eq!(refused, Err(refusal("OOM")));
    }
    assert_eq!(store.get("k").await, Ok(None));
    assert_eq!((store.stats().attempted, store.stats().rejected), (21, 0));
}

#[tokio::test]
async fn a_store_without_server_is_built_fails_at_once_and_heals() {
    let mut server = Server::start();
    server.kill();
    let store = store(&server.url(), settings(100)).await;
    for _ in 0..100 {
        assert_eq!(at_once(store.get("k")), Err(StoreError::Unavailable));
    }
    server.restart();
    until(&store, Result::is_ok).await;
}

#[tokio::test]
async fn a_server_that_never_answers_delays_the_build_by_the_connect_timeout() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let started = Instant::now();
    let store = in_time(store(&url, settings(100))).await;
    assert!(started.elapsed() >= settings(100).connect_timeout);
    // Not by that of another attempt.
    silent.set_nonblocking(true).unwrap();
    assert!(silent.accept().is_ok() && silent.accept().is_err());
    assert_eq!(store.get("k").await, Err(StoreError::Unavailable));
}

#[tokio::test]
async fn a_restarted_server_is_found_again() {
    let mut server = Server::start();
    let store = store(&server.url(), settings(100)).await;
    assert_eq!(store.get("k").await, Ok(None));
    server.kill();
    until(&store, |answer| *answer == Err(StoreError::Unavailable)).await;
    server.restart();
    until(&store, Result::is_ok).await;
    // The new server knows no scripts but those of the handshake.
    assert_eq!(store.release("k", Token([1; 16])).await, Ok(false));
    let stats = server.command(&[b"INFO", b"commandstats"]);
    assert!(
        stats.contains("cmdstat_evalsha") && !stats.contains("cmdstat_eval:"),
        "{stats}"
    );
}

#[tokio::test]
async fn a_connection_the_server_closes_fails_what_is_in_flight_at_once() {
    let server = Server::start();
    let store = Arc::new(store(&server.url(), settings(600_000)).await);
    server.command(&[b"CLIENT", b"PAUSE", b"600000", b"WRITE"]);
    let waiting = tokio::spawn({
        let store = store.clone();
        async move { store.acquire("k", Bytes::from_static(b"x"), TTL).await }
    });
    eventually(async || client_of(&server, "set").is_some()).await;
    kill_client_of(&server, "set");
    // Neither the deadline nor the end of the pause was waited for: both would be told as other things.
    assert_eq!(in_time(waiting).await.unwrap(), Err(StoreError::Lost));
    until(&store, Result::is_ok).await;
}

/// Closes the connection while `step` is under way, which fails for each key; repeated, it is done.
async fn closed_during<T: PartialEq + Debug + Clone>(
    server: &Server,
    done: T,
    step: impl AsyncFn() -> Vec<Result<T, StoreError>>,
) {
    server.command(&[b"CLIENT", b"PAUSE", b"600000", b"WRITE"]);
    let close = async || {
        let clients = || server.command(&[b"INFO", b"clients"]);
        eventually(async || clients().contains("blocked_clients:1")).await;
        server.command(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]);
    };
    let (answers, ()) = tokio::join!(in_time(step()), close());
    assert_eq!(answers, vec![Err(StoreError::Lost); answers.len()]);
    server.command(&[b"CLIENT", b"UNPAUSE"]);
    let done = vec![Ok(done); answers.len()];
    eventually(async || step().await == done).await;
}

#[tokio::test]
async fn a_connection_closed_during_a_step_on_many_keys_fails_each_of_them_at_once() {
    let server = Server::start();
    let store = store(&server.url(), settings(600_000)).await;
    let keys = ["a", "b", "c"].map(str::to_owned);
    let (token, new) = (Token([1; 16]), Token([2; 16]));
    let [lease, entry] = [token, new].map(|token| Bytes::copy_from_slice(&Header::lease(token)));
    let ttl = TTL;
    let asked = |over: Option<&Bytes>| {
        let asked = |key| Asked {
            key,
            over: over.cloned(),
        };
        keys.clone().map(asked)
    };
    let fills = keys.clone().map(|key| {
        let entry = entry.clone();
        Filling {
            key,
            token,
            entry,
            ttl,
        }
    });
    let (lease, done) = (|| lease.clone(), Granted::Yes);
    closed_during(&server, done.clone(), async || {
        store.acquire_all(&asked(None), lease(), ttl).await
    })
    .await;
    closed_during(&server, true, async || {
        store.extend_all(&keys, token, ttl).await
    })
    .await;
    closed_during(&server, true, async || store.fill_all(&fills).await).await;
    closed_during(&server, done, async || {
        store.acquire_all(&asked(Some(&entry)), lease(), ttl).await
    })
    .await;
    closed_during(&server, true, async || {
        store.seize_all(&keys, lease(), ttl).await
    })
    .await;
    closed_during(&server, true, async || {
        store.release_all(&keys, token).await
    })
    .await;
}

#[tokio::test]
async fn scripts_the_server_forgot_are_sent_again_once() {
    let server = Server::start();
    let store = server.store().await;
    for round in 1..=3 {
        server.command(&[b"SCRIPT", b"FLUSH"]);
        for _ in 0..3 {
            assert_eq!(store.extend("k", Token([1; 16]), TTL).await, Ok(false));
        }
        let stats = server.command(&[b"INFO", b"commandstats"]);
        let sent = format!("cmdstat_eval:calls={round},");
        assert!(stats.contains(&sent), "{stats}");
    }
}

#[tokio::test]
async fn scripts_the_server_forgot_are_sent_again_for_all_keys_at_once() {
    let server = Server::start();
    let store = server.store().await;
    let (keys, token) = (["a", "b", "c"].map(str::to_owned), Token([1; 16]));
    for round in 1..=3 {
        server.command(&[b"SCRIPT", b"FLUSH"]);
        assert_eq!(store.begin(&keys, token, TTL).await, Ok(()));
        assert_eq!(store.hold(&keys, token, TTL).await, Ok(true));
        assert_eq!(store.end(&keys, token, None).await, Ok(true));
        assert_eq!(store.invalidate_guarded(&keys, None).await, Ok(()));
        let stats = server.command(&[b"INFO", b"commandstats"]);
        let sent = format!("cmdstat_eval:calls={},", 4 * round);
        assert!(stats.contains(&sent), "{stats}");
    }
}

#[tokio::test]
async fn of_several_keys_one_that_is_refused_fails_the_step_and_the_others_are_done() {
    let server = Server::start();
    let store = server.store().await;
    let (keys, token) = (["a", "list", "c"].map(str::to_owned), Token([1; 16]));
    server.command(&[b"RPUSH", b"list", b"item"]);
    let begun = store.begin(&keys, token, TTL).await;
    assert_eq!(begun, Err(StoreError::WrongType));
    assert_eq!(server.command(&[b"LLEN", b"list"]), ":1");
    for key in ["a", "c"] {
        assert_eq!(store.hold(&[key.to_owned()], token, TTL).await, Ok(true));
    }
    let ended = store.end(&keys, token, None).await;
    assert_eq!(ended, Err(StoreError::WrongType));
    assert_eq!(server.command(&[b"DBSIZE"]), ":1", "the list");
    // As any invalidation, a guarded one removes whatever stands there.
    assert_eq!(store.invalidate_guarded(&keys, None).await, Ok(()));
    assert_eq!(server.command(&[b"DBSIZE"]), ":0");
}

#[tokio::test]
async fn the_deadlines_of_tombstones_are_of_the_servers_clock() {
    let server = Server::start();
    let store = server.store().await;
    let token = Token([1; 16]);
    store.begin(&["k".to_owned()], token, TTL).await.unwrap();
    let expires: u64 = server.command(&[b"PEXPIRETIME", b"k"])[1..]
        .parse()
        .unwrap();
    let entry = store.get("k").await.unwrap();
    let before = |ms| Tombstone::read(entry.as_ref(), ms).writers();
    assert_eq!(
        (before(expires - 1), before(expires)),
        (vec![token], vec![])
    );
}

#[tokio::test]
async fn every_step_works_for_a_login_that_may_not_load_scripts_or_ask_the_time() {
    let server = Server::start();
    server.command(&[
        b"ACL", b"SETUSER", b"ann", b"on", b">p:w", b"~*", b"+@all", b"-script", b"-time",
    ]);
    let url = server.url().replace("redis://", "redis://ann:p%3Aw@");
    let store = store(&url, settings(1000)).await;
    assert_eq!(server.command(&[b"ACL", b"WHOAMI"]), "default");
    assert_eq!(
        store.seize("k", Bytes::from_static(b"x"), TTL).await,
        Ok(true)
    );
    assert_eq!(store.release("k", Token([1; 16])).await, Ok(false));
    let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
    assert!(list.contains("user=ann"), "{list}");
}

#[tokio::test]
async fn a_login_that_may_not_load_scripts_can_write_in_two_phases() {
    let server = Server::start();
    server.command(&[
        b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"+@all", b"-script",
    ]);
    let store = store(&server.url().replace("//", "//ann:pw@"), settings(1000)).await;
    let (keys, token) = (["a", "b"].map(str::to_owned), Token([1; 16]));
    assert_eq!(store.begin(&keys, token, TTL).await, Ok(()));
    assert_eq!(store.hold(&keys, token, TTL).await, Ok(true));
    assert_eq!(store.end(&keys, token, None).await, Ok(true));
}

#[tokio::test]
async fn a_login_that_may_not_ask_the_time_cannot_write_in_two_phases_but_invalidate() {
    let server = Server::start();
    server.command(&[
        b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"+@all", b"-time",
    ]);
    let store = store(&server.url().replace("//", "//ann:pw@"), settings(1000)).await;
    let (keys, token) = (["a", "b"].map(str::to_owned), Token([1; 16]));
    let begun = store.begin(&keys, token, TTL).await;
    assert_eq!(begun, Err(refusal("ERR")));
    store.acquire("a", vec![1; 48].into(), TTL).await.unwrap();
    assert_eq!(store.invalidate_guarded(&keys, None).await, Ok(()));
    assert_eq!(store.get("a").await, Ok(None));
}

#[tokio::test]
async fn what_a_login_may_not_do_is_refused_by_code() {
    let server = Server::start();
    server.command(&[
        b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~mine:*", b"+@all",
    ]);
    let store = store(&server.url().replace("//", "//ann:pw@"), settings(1000)).await;
    assert_eq!(store.get("mine:1").await, Ok(None));
    assert_eq!(store.get("other").await, Err(refusal("NOPERM")));
    assert_eq!(
        store.release("other", Token([1; 16])).await,
        Err(refusal("NOPERM"))
    );
}

#[tokio::test]
async fn a_wrong_password_leaves_the_store_unavailable() {
    let server = Server::start_with(&["--requirepass", "right"]);
    for login in ["", ":wrong@", "ann:wrong@"] {
        let url = server.url().replace("//", &format!("//{login}"));
        let store = store(&url, settings(1000)).await;
        assert_eq!(store.get("k").await, Err(StoreError::Unavailable));
        assert!(!format!("{store:?}").contains("wrong"));
    }
    let store = store(&server.url().replace("//", "//:right@"), settings(1000)).await;
    assert_eq!(store.get("k").await, Ok(None));
}

#[tokio::test]
async fn a_server_that_refuses_hello_is_spoken_to_in_the_old_protocol() {
    let server = Server::start_with(&["--rename-command", "HELLO", "", "--requirepass", "right"]);
    let store = store(&server.url().replace("//", "//:right@"), settings(1000)).await;
    assert_eq!(
        store.acquire("k", Bytes::from_static(b"x"), TTL).await,
        Ok(None)
    );
    assert_eq!(store.get("k").await, Ok(Some(Bytes::from_static(b"x"))));
    assert_eq!(store.get("absent").await, Ok(None));
    assert_eq!(store.release("k", Token([1; 16])).await, Ok(false));
}

#[tokio::test]
async fn the_old_protocol_notices_a_lost_connection_too() {
    let mut server = Server::start_with(&["--rename-command", "HELLO", ""]);
    let store = store(&server.url(), settings(1000)).await;
    assert_eq!(store.get("k").await, Ok(None));
    server.kill();
    eventually(async || !store.stats().connected).await;
    assert_eq!(store.get("k").await, Err(StoreError::Unavailable));
    server.restart();
    until(&store, Result::is_ok).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_unix_socket_and_a_database_are_used() {
    let server = Server::start();
    let url = format!("redis+unix://{}?db=3", server.socket());
    let store = store(&url, settings(1000)).await;
    assert_eq!(
        store.acquire("k", Bytes::from_static(b"x"), TTL).await,
        Ok(None)
    );
    let keyspace = server.command(&[b"INFO", b"keyspace"]);
    assert!(keyspace.contains("db3:keys=1"), "{keyspace}");
}

#[tokio::test]
async fn a_value_of_another_type_is_refused_and_left_untouched() {
    let server = Server::start();
    let store = server.store().await;
    server.command(&[b"RPUSH", b"k", b"item"]);
    let (bytes, token) = (Bytes::from(vec![0xCA; 48]), Token([0xCA; 16]));
    let wrong = StoreError::WrongType;
    assert_eq!(store.get("k").await, Err(wrong.clone()));
    assert_eq!(
        store.acquire("k", bytes.clone(), TTL).await,
        Err(wrong.clone())
    );
    let over = store.acquire_over("k", bytes.clone(), bytes.clone(), TTL);
    assert_eq!(over.await, Err(wrong.clone()));
    assert_eq!(
        store.seize("k", bytes.clone(), TTL).await,
        Err(wrong.clone())
    );
    assert_eq!(store.extend("k", token, TTL).await, Err(wrong.clone()));
    assert_eq!(store.fill("k", token, bytes, TTL).await, Err(wrong.clone()));
    assert_eq!(store.release("k", token).await, Err(wrong));
    assert_eq!(server.command(&[b"LLEN", b"k"]), ":1");
}

#[tokio::test]
async fn a_full_server_refuses_fills_and_takes_invalidations() {
    let server = Server::start();
    let store = server.store().await;
    let (lease, token) = (Bytes::from(vec![1; 48]), Token([1; 16]));
    store.seize("k", lease.clone(), TTL).await.unwrap();
    server.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    assert_eq!(
        store.acquire("other", lease.clone(), TTL).await,
        Err(refusal("OOM"))
    );
    assert_eq!(
        store.fill("k", token, lease.clone(), TTL).await,
        Err(refusal("OOM"))
    );
    assert_eq!(store.get("k").await, Ok(Some(lease)));
    assert_eq!(store.invalidate(&["k".to_owned()]).await, Ok(()));
    assert_eq!(store.get("k").await, Ok(None));
}

#[tokio::test]
async fn a_full_server_takes_tombstones() {
    let server = Server::start();
    let store = server.store().await;
    let (keys, token) = (["a", "b"].map(str::to_owned), Token([1; 16]));
    server.command(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    assert_eq!(store.begin(&keys, token, TTL).await, Ok(()));
    assert_eq!(store.hold(&keys, token, TTL).await, Ok(true));
    assert_eq!(store.invalidate_guarded(&keys, Some(TTL)).await, Ok(()));
    assert_eq!(store.end(&keys, token, None).await, Ok(true));
    assert_eq!(server.command(&[b"DBSIZE"]), ":2", "the hold-offs");
}

#[tokio::test]
async fn a_server_turned_replica_is_left_for_a_new_connection() {
    let server = Server::start_with(&["--replica-serve-stale-data", "yes"]);
    let store = server.store().await;
    assert_eq!(store.get("k").await, Ok(None));
    let before = client_of(&server, "get").unwrap();
    server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    let refused = store.acquire("k", Bytes::from_static(b"x"), TTL).await;
    assert_eq!(refused, Err(refusal("READONLY")));
    server.command(&[b"REPLICAOF", b"NO", b"ONE"]);
    until(&store, |answer| answer.is_err()).await;
    until(&store, Result::is_ok).await;
    assert_ne!(client_of(&server, "get").unwrap(), before);
}

#[tokio::test]
async fn a_dropped_store_closes_its_connection_and_ends_its_tasks() {
    let server = Server::start();
    let store = server.store().await;
    assert_eq!(store.get("k").await, Ok(None));
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    assert!(tasks() > 0);
    drop(store);
    let clients = || server.command(&[b"INFO", b"clients"]);
    eventually(async || tasks() == 0 && !clients().contains("connected_clients:2")).await;
}

#[tokio::test]
async fn times_of_zero_are_refused() {
    let Ok(Address::Redis(address)) = Address::parse("redis://h") else {
        panic!()
    };
    let watch = Arc::new(Seen::default());
    let without_time = RedisSettings {
        connect_timeout: Duration::ZERO,
        ..RedisSettings::default()
    };
    let without_deadline = RedisSettings {
        deadline: Duration::ZERO,
        ..RedisSettings::default()
    };
    for (settings, wrong) in [
        (without_time, "connect_timeout"),
        (without_deadline, "deadline"),
    ] {
        match RedisStore::connect(address.clone(), settings, watch.clone()).await {
            Err(Error::Setting { setting, .. }) => assert_eq!(setting, wrong),
            other => panic!("{other:?}"),
        }
    }
}

/// Waits for so many connections, and until the last one answers.
async fn connections(store: &RedisStore, seen: &Seen, count: usize) -> Vec<bool> {
    eventually(async || seen.connections().len() >= count).await;
    until(store, Result::is_ok).await;
    seen.connections()
}

#[tokio::test]
async fn a_change_of_server_is_told_from_a_new_connection_to_the_same() {
    let mut server = Server::start();
    let seen = Arc::new(Seen::default());
    let store = watched(&server.url(), settings(2000), seen.clone()).await;
    assert_eq!(connections(&store, &seen, 1).await, [false]);
    kill_client_of(&server, "get");
    assert_eq!(connections(&store, &seen, 2).await, [false, false]);
    server.restart();
    assert_eq!(connections(&store, &seen, 3).await, [false, false, true]);
}

#[tokio::test]
async fn the_end_of_a_connection_is_told_with_its_last_sign_of_life() {
    let mut server = Server::start();
    let seen = Arc::new(Seen::default());
    let begun = tokio::time::Instant::now();
    let store = watched(&server.url(), settings(2000), seen.clone()).await;
    let connected = tokio::time::Instant::now();
    assert!(store.is_connected() && seen.ends().is_empty());
    server.restart();
    connections(&store, &seen, 2).await;
    let [end] = seen.ends()[..] else { panic!() };
    // Nothing was asked within the first second, so that the handshake was the last.
    assert!(end >= begun && (end <= connected || end - begun >= Duration::from_secs(1)));
}

#[tokio::test]
async fn a_server_that_does_not_say_who_it_is_counts_as_another_each_time() {
    let server = Server::start();
    server.command(&[b"ACL", b"SETUSER", b"default", b"-info"]);
    let seen = Arc::new(Seen::default());
    let store = watched(&server.url(), settings(2000), seen.clone()).await;
    assert_eq!(connections(&store, &seen, 1).await, [false]);
    kill_client_of(&server, "get");
    assert_eq!(connections(&store, &seen, 2).await, [false, true]);
}

#[tokio::test]
async fn a_server_that_became_a_replica_counts_as_another_when_it_is_back() {
    let server = Server::start();
    let seen = Arc::new(Seen::default());
    let store = watched(&server.url(), settings(2000), seen.clone()).await;
    server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    assert_eq!(
        store.invalidate(&["k".to_owned()]).await,
        Err(refusal("READONLY"))
    );
    server.command(&[b"REPLICAOF", b"NO", b"ONE"]);
    assert_eq!(connections(&store, &seen, 2).await, [false, true]);
}

#[tokio::test]
async fn a_server_that_was_demoted_and_promoted_again_is_noticed_although_no_connection_was_lost() {
    let server = Server::start();
    let seen = Arc::new(Seen::default());
    let store = watched(&server.url(), settings(2000), seen.clone()).await;
    assert_eq!(connections(&store, &seen, 1).await, [false]);
    server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    server.command(&[b"REPLICAOF", b"NO", b"ONE"]);
    assert_eq!(connections(&store, &seen, 2).await, [false, true]);
}

#[tokio::test]
async fn a_scan_skips_keys_that_are_no_text() {
    let server = Server::start();
    let store = server.store().await;
    server.command(&[b"SET", b"app:\xFF", b"x"]);
    server.command(&[b"SET", b"app:k", b"x"]);
    let scanned = store.scan("app:", 0).await.unwrap();
    assert_eq!(scanned, (vec!["app:k".to_owned()], 0));
}

/// A reader that is alone, one that opens a batch, and one that joins it: none of them is answered yet.
macro_rules! begin_reads {
    ($store:ident, $alone:ident, $opening:ident, $joining:ident) => {
        let (mut $alone, mut $opening) = (pin!($store.get("k")), pin!($store.get("k")));
        let mut $joining = pin!($store.get("k"));
        let mut context = Context::from_waker(Waker::noop());
        assert!($alone.as_mut().poll(&mut context).is_pending());
        assert!($opening.as_mut().poll(&mut context).is_pending());
        assert!($joining.as_mut().poll(&mut context).is_pending());
    };
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

#[test]
fn readers_of_a_batch_start_over_when_the_runtime_of_its_connection_ends() {
    let server = Server::start();
    let (home, here) = (runtime(), runtime());
    // A batch that is never sent would cost its readers this deadline.
    let store = home.block_on(store(&server.url(), settings(600_000)));
    here.block_on(async {
        begin_reads!(store, alone, opening, joining);
        home.shutdown_background();
        for read in [&mut joining, &mut opening, &mut alone] {
            assert_eq!(in_time(read).await, Ok(None));
        }
    });
}

#[test]
fn readers_of_a_batch_that_nobody_sends_end_at_their_deadlines_and_count_as_one_failure() {
    let server = Server::start();
    let (home, here) = (runtime(), runtime());
    let store = home.block_on(store(&server.url(), settings(50)));
    here.block_on(async {
        begin_reads!(store, alone, opening, joining);
        let reads = async { tokio::join!(alone, opening, joining) };
        let late = Err(StoreError::Timeout);
        assert_eq!(in_time(reads).await, (late.clone(), late.clone(), late));
    });
    let stats = store.stats();
    assert_eq!((stats.attempted, stats.timeouts), (2, 2));
}

#[test]
fn readers_of_a_batch_that_nobody_answers_end_at_their_deadlines_and_count_as_one_failure() {
    let server = Server::start();
    let here = runtime();
    here.block_on(async {
        let store = store(&server.url(), settings(50)).await;
        server.signal("-STOP");
        begin_reads!(store, alone, opening, joining);
        for read in [&mut alone, &mut opening, &mut joining] {
            assert_eq!(in_time(read).await, Err(StoreError::Timeout));
        }
        let stats = store.stats();
        assert_eq!((stats.attempted, stats.timeouts), (2, 2));
        server.signal("-CONT");
        until(&store, Result::is_ok).await;
    });
}

#[test]
fn readers_who_wait_in_vain_leave_a_runtime_that_nobody_drives() {
    let server = Server::start();
    let (home, here) = (runtime(), runtime());
    let settings = RedisSettings {
        // Nobody else looks where the connection is.
        breaker_failures: u32::MAX,
        ..settings(20)
    };
    let store = home.block_on(store(&server.url(), settings));
    here.block_on(until(&store, Result::is_ok));
}

#[tokio::test]
async fn a_read_whose_connection_has_just_ended_is_lost() {
    let server = Server::start();
    let store = server.store().await;
    // The driver tells it before the connection is taken away.
    store.link().connection.batches().end(1);
    assert_eq!(store.get("k").await, Err(StoreError::Lost));
    assert_eq!((store.stats().attempted, store.stats().lost), (1, 1));
}
