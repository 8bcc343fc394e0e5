//! What cannot be used, what comes back, and what is said of it.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::server::{Server, eventually, in_time};
use super::super::super::trio::{Trio, store};
use super::super::super::{AddressMap, RedisSettings, RedisStore};
use super::{get, put};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Store as _;
use crate::store::slot::slot;

async fn on(url: &str) -> RedisStore {
    in_time(store(url, RedisSettings::default(), Arc::default())).await
}

fn without_full_coverage(trio: &Trio) {
    for server in &trio.0 {
        server.command(&[b"CONFIG", b"SET", b"cluster-require-full-coverage", b"no"]);
    }
}

/// Connections of ours to each server.
fn connections(trio: &Trio) -> [usize; 3] {
    trio.0.each_ref().map(|server| {
        let list = server.command(&[b"CLIENT", b"LIST", b"TYPE", b"normal"]);
        // But for the one that asks.
        let ours = |line: &&str| !line.contains("cmd=client|list") && line.contains("addr=");
        list.lines().filter(ours).count()
    })
}

#[tokio::test]
async fn connections_that_are_all_lost_at_once_are_made_anew() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    let keys = Trio::keys();
    for key in &keys {
        put(&store, key, "value").await;
    }
    for _ in 0..3 {
        let reconnects = store.stats().reconnects;
        for server in &trio.0 {
            server.command(&[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]);
        }
        eventually(async || store.stats().reconnects == reconnects + 3).await;
        for key in &keys {
            assert_eq!(get(&store, key).await.as_deref(), Some("value"));
        }
    }
    assert_eq!(connections(&trio), [1; 3]);
}

#[tokio::test]
async fn many_processes_that_start_at_once_have_a_connection_to_each_server() {
    const PROCESSES: usize = 100;
    let trio = Trio::start().await;
    let settings = RedisSettings {
        connect_timeout: Duration::from_secs(50),
        deadline: Duration::from_secs(50),
        ..RedisSettings::default()
    };
    let mut starting = tokio::task::JoinSet::new();
    for _ in 0..PROCESSES {
        let (url, settings) = (trio.url(), settings.clone());
        starting.spawn(async move { store(&url, settings, Arc::default()).await });
    }
    let stores = in_time(starting.join_all()).await;
    for store in &stores {
        assert_eq!(store.first_try(), Ok(()));
        assert_eq!(store.stats().reconnects, 0);
    }
    // Those by which they asked who is there are closed.
    eventually(async || connections(&trio) == [PROCESSES; 3]).await;
}

#[tokio::test]
async fn a_seed_that_refuses_the_login_is_passed_over_and_named_where_there_is_no_other() {
    let trio = Trio::start().await;
    for server in &trio.0 {
        server.command(&[
            b"ACL", b"SETUSER", b"ann", b"on", b">right", b"~*", b"+@all",
        ]);
    }
    let other = Server::start_in_cluster();
    other.command(&[
        b"ACL", b"SETUSER", b"ann", b"on", b">wrong", b"~*", b"+@all",
    ]);
    let url = |ports: &[u16]| {
        let seeds = ports.iter().map(|port| format!("127.0.0.1:{port}"));
        let seeds: Vec<_> = seeds.collect();
        format!("redis+cluster://ann:right@{}", seeds.join(","))
    };
    let ports = trio.0.each_ref().map(Server::port);
    let both = on(&url(&[other.port(), ports[1]])).await;
    assert_eq!(both.first_try(), Ok(()));
    let key = &Trio::keys()[0];
    put(&both, key, "value").await;
    assert_eq!(get(&both, key).await.as_deref(), Some("value"));
    let alone = on(&url(&[other.port()])).await;
    assert_eq!(alone.first_try(), Err(ConnectProblem::LoginRefused));
    assert!(!format!("{alone:?}").contains("right"));
}

#[tokio::test]
async fn a_user_who_may_not_ask_who_is_there_is_told_what_he_needs() {
    let trio = Trio::start().await;
    for denied in ["-cluster|info", "-cluster|slots"] {
        for server in &trio.0 {
            let rights = [
                "ACL", "SETUSER", "ann", "reset", "on", ">pw", "~*", "+@all", denied,
            ];
            assert_eq!(server.command(&rights.map(str::as_bytes)), "+OK");
        }
        let store = on(&trio.url().replace("//", "//ann:pw@")).await;
        assert_eq!(
            store.first_try(),
            Err(ConnectProblem::ClusterRights),
            "{denied}"
        );
    }
}

#[tokio::test]
async fn a_slot_that_nobody_has_costs_its_own_keys_alone() {
    let trio = Trio::start().await;
    without_full_coverage(&trio);
    let store = trio.store().await;
    let keys = Trio::keys();
    for key in &keys {
        put(&store, key, "value").await;
    }
    let hole = slot(&keys[0]).to_string();
    for server in &trio.0 {
        server.command(&[b"CLUSTER", b"DELSLOTS", hole.as_bytes()]);
    }
    // Whoever had it says so.
    eventually(async || store.get(&keys[0]).await.is_err()).await;
    let beside = keys[1..].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(store.get_all(&beside).await.unwrap().len(), 2);
    // Who comes later learns it at once.
    let later = on(&trio.url()).await;
    assert_eq!(later.get(&keys[0]).await, Err(StoreError::Unavailable));
    assert!(!later.condition().connected);
    assert_eq!(get(&later, &keys[1]).await.as_deref(), Some("value"));
    trio.0[0].command(&[b"CLUSTER", b"ADDSLOTS", hole.as_bytes()]);
    eventually(async || store.get(&keys[0]).await.is_ok()).await;
    eventually(async || later.get(&keys[0]).await.is_ok()).await;
}

#[tokio::test]
async fn servers_are_where_the_map_says_and_seeds_where_they_are() {
    let server = Server::start_in_cluster();
    server.command(&[b"CLUSTER", b"ADDSLOTSRANGE", b"0", b"16383"]);
    // Of this machine, whatever its network: nobody is there.
    server.command(&[b"CONFIG", b"SET", b"cluster-announce-ip", b"127.0.0.2"]);
    let is_ok = || {
        let info = server.command(&[b"CLUSTER", b"INFO"]);
        info.contains("cluster_state:ok")
    };
    eventually(async || is_ok()).await;
    let mapped = RedisSettings {
        address_map: AddressMap::new(|host, port| {
            (host == "127.0.0.2").then(|| ("127.0.0.1".to_owned(), port))
        }),
        ..RedisSettings::default()
    };
    let url = server.url().replace("redis://", "redis+cluster://");
    let store = in_time(store(&url, mapped, Arc::default())).await;
    assert_eq!(store.first_try(), Ok(()));
    put(&store, "key", "value").await;
    assert_eq!(get(&store, "key").await.as_deref(), Some("value"));
    let lost = on(&url).await;
    assert_eq!(lost.first_try(), Err(ConnectProblem::Refused));
}

#[tokio::test]
async fn a_sweep_sees_a_slot_that_began_to_move_and_one_that_came_back() {
    let trio = Trio::start().await;
    let store = trio.store().await;
    let key = &Trio::keys()[0];
    let before = store.layout().await.unwrap();
    assert_eq!(store.layout().await, Ok(before));
    trio.begin_move(key, 0, 1);
    assert_eq!(store.layout().await, Err(StoreError::Unavailable));
    trio.end_move(key, 1);
    let moved = store.layout().await.unwrap();
    trio.begin_move(key, 1, 0);
    trio.end_move(key, 0);
    let back = store.layout().await.unwrap();
    assert!(moved != before && back != before && back != moved);
}

#[tokio::test]
async fn writers_of_several_keys_of_a_slot_on_its_way_bar_each() {
    use crate::wire::entry::Token;
    const HOLD: Duration = Duration::from_secs(60);
    let trio = Trio::start().await;
    let store = trio.store().await;
    let keys = ["{slot}:there", "{slot}:here", "elsewhere"].map(str::to_owned);
    let from = Trio::place(&keys[0]);
    let to = (from + 1) % 3;
    for key in &keys {
        put(&store, key, "value").await;
    }
    trio.begin_move(&keys[0], from, to);
    trio.migrate(&keys[0], from, to);
    let token = Token::next();
    assert_eq!(store.begin(&keys, token, HOLD).await, Ok(()));
    for key in &keys {
        let stands = store.get(key).await.unwrap().unwrap();
        assert_eq!(stands[1], b'T', "{key}");
    }
    assert_eq!(store.hold(&keys, token, HOLD).await, Ok(true));
    assert_eq!(store.end(&keys, token, None).await, Ok(true));
    for key in &keys {
        assert_eq!(get(&store, key).await, None);
    }
}
