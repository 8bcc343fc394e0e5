use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::super::server::{Seen, Server, eventually, in_time};
use super::super::trio::{Trio, store};
use super::super::{RedisSettings, RedisStore};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Store as _;
use crate::store::slot::slot;

mod outages;

const TTL: Duration = Duration::from_secs(60);

async fn put(store: &RedisStore, key: &str, value: &str) {
    let value = Bytes::from(value.to_owned());
    assert_eq!(store.seize(key, value, TTL).await, Ok(true), "{key}");
}

async fn get(store: &RedisStore, key: &str) -> Option<String> {
    let entry = store.get(key).await.unwrap();
    entry.map(|entry| String::from_utf8(entry.into()).unwrap())
}

/// How often a command was run on each server since the last time, or sent on to another one.
fn commands(trio: &Trio, name: &str) -> [u64; 3] {
    trio.0.each_ref().map(|server| {
        let stats = server.command(&[b"INFO", b"commandstats"]);
        server.command(&[b"CONFIG", b"RESETSTAT"]);
        let of = format!("cmdstat_{name}:");
        let line = stats.lines().find_map(|line| line.strip_prefix(&of));
        let counts = line.into_iter().flat_map(|line| line.split(','));
        let counts = counts.filter_map(|count| {
            let (what, number) = count.split_once('=')?;
            ["calls", "rejected_calls"]
                .contains(&what)
                .then(|| number.parse::<u64>().unwrap())
        });
        counts.sum()
    })
}

#[tokio::test]
async fn a_hit_costs_one_get_on_the_server_of_its_key() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    for (at, key) in Trio::keys().iter().enumerate() {
        put(&store, key, "value").await;
        commands(&trio, "get");
        assert_eq!(get(&store, key).await.as_deref(), Some("value"));
        let mut expected = [0; 3];
        expected[at] = 1;
        assert_eq!(commands(&trio, "get"), expected);
    }
}

#[tokio::test]
async fn many_readers_of_many_keys_each_get_their_own() {
    let trio = Trio::start().await;
    let store = Arc::new(trio.store().await);
    let keys: Vec<_> = (0..300).map(|n| format!("app:{n}")).collect();
    for key in &keys {
        put(&store, key, key).await;
    }
    let mut reads = tokio::task::JoinSet::new();
    for n in 0..1200 {
        let (store, key) = (Arc::clone(&store), keys[n % keys.len()].clone());
        reads.spawn(async move { (get(&store, &key).await, key) });
    }
    for (value, key) in reads.join_all().await {
        assert_eq!(value, Some(key));
    }
    let asked: Vec<_> = keys.iter().map(String::as_str).chain(["missing"]).collect();
    let all = store.get_all(&asked).await.unwrap();
    let expected = keys.iter().map(|key| Some(Bytes::from(key.clone())));
    assert!(all.into_iter().eq(expected.chain([None])));
}

#[tokio::test]
async fn neighbours_of_one_slot_are_read_by_one_command() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    let key = &Trio::keys()[0];
    let keys = ["a", "b", "c"].map(|name| format!("{{{key}}}:{name}"));
    for key in &keys {
        put(&store, key, key).await;
    }
    commands(&trio, "mget");
    let read = store
        .get_all(&keys.each_ref().map(|key| &**key))
        .await
        .unwrap();
    assert_eq!(read, keys.map(|key| Some(Bytes::from(key))));
    assert_eq!(commands(&trio, "mget").iter().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_key_that_has_moved_is_found_at_once_and_from_then_on_without_a_detour() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    for (is_read_first, key) in [(true, "one"), (false, "two")] {
        let from = Trio::place(key);
        let to = (from + 1) % 3;
        put(&store, key, "before").await;
        trio.begin_move(key, from, to);
        trio.migrate(key, from, to);
        trio.end_move(key, to);
        if is_read_first {
            assert_eq!(get(&store, key).await.as_deref(), Some("before"));
        }
        put(&store, key, "after").await;
        commands(&trio, "get");
        assert_eq!(get(&store, key).await.as_deref(), Some("after"));
        let mut expected = [0; 3];
        expected[to] = 1;
        assert_eq!(commands(&trio, "get"), expected);
    }
}

#[tokio::test]
async fn a_key_on_its_way_is_found_where_it_is() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    let (key, other, stays) = ("{slot}:there", "{slot}:not there", "{slot}:here");
    let from = Trio::place(key);
    let to = (from + 1) % 3;
    put(&store, key, "value").await;
    put(&store, stays, "old").await;
    trio.begin_move(key, from, to);
    // Not yet there.
    assert_eq!(get(&store, key).await.as_deref(), Some("value"));
    assert_eq!(get(&store, other).await, None);
    trio.migrate(key, from, to);
    assert_eq!(get(&store, key).await.as_deref(), Some("value"));
    // By a script, which is not known there.
    trio.0[to].command(&[b"SCRIPT", b"FLUSH"]);
    put(&store, other, "new").await;
    assert_eq!(
        trio.0[to]
            .command(&[b"EXISTS", other.as_bytes()])
            .chars()
            .next(),
        Some('-')
    );
    assert_eq!(get(&store, other).await.as_deref(), Some("new"));
    // Both at once are of the slot, and of two servers.
    let read = store.get_all(&[key, other, stays]).await.unwrap();
    let expected = ["value", "new", "old"].map(|value| Some(Bytes::from(value)));
    assert_eq!(read, expected);
    assert_eq!(store.invalidate(&[stays.to_owned()]).await, Ok(()));
    let keys = [key, other].map(str::to_owned);
    assert_eq!(store.invalidate(&keys).await, Ok(()));
    for key in [key, other, stays] {
        assert_eq!(get(&store, key).await, None, "{key}");
    }
    trio.end_move(key, to);
    assert_eq!(get(&store, other).await, None);
}

#[tokio::test]
async fn a_dead_server_costs_its_own_keys_alone() {
    let mut trio = Trio::start().await;
    for server in &trio.0 {
        server.command(&[b"CONFIG", b"SET", b"cluster-require-full-coverage", b"no"]);
    }
    let store = trio.store().await;
    let keys = Trio::keys();
    for key in &keys {
        put(&store, key, "value").await;
    }
    trio.0[1].kill();
    eventually(async || store.get(&keys[1]).await == Err(StoreError::Unavailable)).await;
    assert!(!store.is_connected());
    let before = store.stats();
    for _ in 0..1000 {
        for key in [&keys[0], &keys[2]] {
            assert_eq!(get(&store, key).await.as_deref(), Some("value"));
        }
    }
    let after = store.stats();
    assert_eq!((after.timeouts, after.lost), (before.timeouts, before.lost));
    let all: Vec<_> = keys.iter().map(String::as_str).collect();
    assert_eq!(store.get_all(&all).await, Err(StoreError::Unavailable));
    trio.0[1].restart();
    eventually(async || store.get(&keys[1]).await == Ok(None)).await;
}

#[tokio::test]
async fn one_seed_that_answers_is_enough_and_without_any_it_starts_and_heals() {
    let mut trio = Trio::start().await;
    let dead = "127.0.0.1:1";
    let seed = format!("127.0.0.1:{}", trio.0[2].port());
    let url = format!("redis+cluster://{dead},{seed}");
    let store = in_time(store(&url, RedisSettings::default(), Arc::default())).await;
    assert_eq!(store.first_try(), Ok(()));
    let keys = Trio::keys();
    put(&store, &keys[0], "value").await;
    drop(store);
    trio.0.iter_mut().for_each(Server::kill);
    let store = in_time(self::store(
        &trio.url(),
        RedisSettings::default(),
        Arc::default(),
    ))
    .await;
    assert_eq!(store.first_try(), Err(ConnectProblem::Refused));
    assert_eq!(store.get(&keys[0]).await, Err(StoreError::Unavailable));
    trio.0.iter_mut().for_each(Server::restart);
    eventually(async || store.get(&keys[0]).await == Ok(None)).await;
}

#[tokio::test]
async fn a_cluster_and_a_single_server_are_told_apart() {
    let server = Server::start();
    let url = server.url().replace("redis://", "redis+cluster://");
    let alone = in_time(store(&url, RedisSettings::default(), Arc::default())).await;
    assert_eq!(alone.first_try(), Err(ConnectProblem::NotCluster));
    let node = Server::start_in_cluster();
    let one = super::super::server::store(&node.url(), RedisSettings::default()).await;
    assert_eq!(one.first_try(), Err(ConnectProblem::Cluster));
    let url = node.url().replace("redis://", "redis+cluster://");
    let empty = in_time(store(&url, RedisSettings::default(), Arc::default())).await;
    assert_eq!(empty.first_try(), Err(ConnectProblem::NoSlots));
}

#[tokio::test]
async fn a_server_that_takes_the_place_of_another_is_told() {
    let mut trio = Trio::start().await;
    let seen = Arc::new(Seen::default());
    let settings = RedisSettings {
        deadline: Duration::from_secs(5),
        ..RedisSettings::default()
    };
    let store = store(&trio.url(), settings, Arc::clone(&seen)).await;
    assert_eq!(seen.connections(), [false; 3]);
    let replica = Server::start_in_cluster();
    let (port, bus) = (trio.0[0].port().to_string(), trio.0[0].bus().to_string());
    replica.command(&[
        b"CLUSTER",
        b"MEET",
        b"127.0.0.1",
        port.as_bytes(),
        bus.as_bytes(),
    ]);
    let id = trio.0[0].command(&[b"CLUSTER", b"MYID"]);
    let replicates = || replica.command(&[b"CLUSTER", b"REPLICATE", id.as_bytes()]) == "+OK";
    eventually(async || replicates()).await;
    let is_linked = || {
        replica
            .command(&[b"INFO", b"replication"])
            .contains("master_link_status:up")
    };
    eventually(async || is_linked()).await;
    let key = &Trio::keys()[0];
    put(&store, key, "value").await;
    let has = || replica.command(&[b"DBSIZE"]) == ":1";
    eventually(async || has()).await;
    // Else it may be that one which is connected to again, as a replica.
    trio.0[0].kill();
    replica.command(&[b"CLUSTER", b"FAILOVER", b"TAKEOVER"]);
    eventually(async || {
        store.get(key).await == Ok(Some(Bytes::from("value"))) && seen.connections().len() > 3
    })
    .await;
    let made = seen.connections();
    assert!(made[3..].iter().all(|replaces| *replaces), "{made:?}");
    assert!(usize::from(slot(key)) * 3 < 16384);
    put(&store, key, "after").await;
    assert_eq!(replica.command(&[b"STRLEN", key.as_bytes()]), ":5");
}
