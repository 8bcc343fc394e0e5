//! The epoch: which of the entries on this server can be trusted.
//!
//! A server that was restarted or promoted may have lost invalidations that it had confirmed, and
//! shows entries that should be gone. So each such event begins a new epoch, and entries of another
//! one are dead. It is agreed on before a connection is handed out; hence whoever has an answer over
//! that connection finds the epoch of its server, or a later one, known here.

use redis::Value;
use redis::aio::MultiplexedConnection;

use super::{script, send};
use crate::error::StoreError;
use crate::store::Answer;

/// The epoch of the server behind `connection`, later than or the same as `seen`.
pub(super) async fn agree(
    connection: &mut MultiplexedConnection,
    key: &str,
    seen: u32,
) -> Answer<u32> {
    let seen = seen.to_string();
    let command = script::EPOCH.on(&[key], &[seen.as_bytes()]);
    match send::one(connection, command).await? {
        Value::Int(epoch) => u32::try_from(epoch).map_err(|_| StoreError::Answer),
        _ => Err(StoreError::Answer),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::super::server::{Server, eventually, store};
    use super::super::{RedisSettings, RedisStore};
    use crate::store::Store as _;

    async fn process(server: &Server) -> RedisStore {
        let settings = RedisSettings {
            epoch_key: Some("ns:#epoch".to_owned()),
            deadline: Duration::from_secs(2),
            ..RedisSettings::default()
        };
        let store = store(&server.url(), settings).await;
        assert!(store.is_connected());
        store
    }

    async fn later(store: &RedisStore, than: u32) -> u32 {
        eventually(async || store.epoch("k") > than).await;
        store.epoch("k")
    }

    #[tokio::test]
    async fn all_processes_on_one_server_agree_and_the_key_stays() {
        let server = Server::start();
        let epoch = process(&server).await.epoch("k");
        assert!(epoch > 150_000_000, "{epoch} is before 2025");
        assert_eq!(process(&server).await.epoch("k"), epoch);
        assert_eq!(server.command(&[b"PTTL", b"ns:#epoch"]), ":-1");
    }

    /// Until the clock of the server has passed an epoch that was taken from it.
    async fn passed(server: &Server, epoch: u32) {
        let time = "return redis.call('TIME')[1] - 1577836800";
        eventually(async || {
            let seconds = server.command(&[b"EVAL", time.as_bytes(), b"0"]);
            seconds.trim_start_matches(':').parse::<u32>().unwrap() >= epoch
        })
        .await;
    }

    #[tokio::test]
    async fn an_epoch_that_was_lost_does_not_come_back_even_for_a_process_that_never_saw_it() {
        let server = Server::start();
        let mut last = process(&server).await.epoch("k");
        for planted in [&b""[..], b"foreign", b"4294967295 x"] {
            passed(&server, last).await;
            server.command(&[b"SET", b"ns:#epoch", planted]);
            let epoch = process(&server).await.epoch("k");
            assert!(epoch > last && epoch < last + 1000, "{epoch} after {last}");
            last = epoch;
        }
        server.command(&[b"DEL", b"ns:#epoch"]);
        server.command(&[b"RPUSH", b"ns:#epoch", b"item"]);
        process(&server).await;
        assert_eq!(server.command(&[b"TYPE", b"ns:#epoch"]), "+string");
    }

    #[tokio::test]
    async fn an_epoch_of_another_server_is_followed_by_a_later_one_whatever_the_clock_says() {
        let server = Server::start();
        server.command(&[b"SET", b"ns:#epoch", b"4000000000 cafe-babe"]);
        assert_eq!(process(&server).await.epoch("k"), 4_000_000_001);
    }

    #[tokio::test]
    async fn a_restart_and_a_promotion_begin_a_new_epoch() {
        let mut server = Server::start();
        let store = process(&server).await;
        let first = store.epoch("k");
        server.restart();
        let second = later(&store, first).await;
        server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
        let refused = store
            .acquire("k", Bytes::new(), Duration::from_secs(1))
            .await;
        assert!(refused.is_err());
        assert_eq!(store.epoch("k"), second);
        server.command(&[b"REPLICAOF", b"NO", b"ONE"]);
        later(&store, second).await;
    }

    #[tokio::test]
    async fn a_later_epoch_is_learnt_from_an_entry_and_an_earlier_one_is_not_gone_back_to() {
        let server = Server::start();
        let store = process(&server).await;
        let first = store.epoch("k");
        assert!(store.is_current("k", first) && !store.is_current("k", first - 1));
        assert!(store.is_connected());
        let ahead = format!("{} cafe-babe", first + 10);
        server.command(&[b"SET", b"ns:#epoch", ahead.as_bytes()]);
        let second = process(&server).await.epoch("k");
        assert!(!store.is_current("k", second));
        assert_eq!(later(&store, first).await, second);
        assert!(store.is_current("k", second));
        assert_eq!(store.stats().outdated, 2);
        // Back to what an old snapshot may hold, on the same server.
        let stands = server.command(&[b"GET", b"ns:#epoch"]);
        let old = stands
            .lines()
            .last()
            .map(|line| line.replace(&second.to_string(), "7"));
        server.command(&[b"SET", b"ns:#epoch", old.unwrap_or_default().as_bytes()]);
        assert!(!store.is_current("k", second + 1));
        later(&store, second).await;
    }

    #[tokio::test]
    async fn without_an_epoch_there_is_no_connection() {
        let server = Server::start();
        server.command(&[
            b"ACL", b"SETUSER", b"ann", b"on", b">pw", b"~*", b"+@all", b"-info",
        ]);
        let settings = RedisSettings {
            epoch_key: Some("ns:#epoch".to_owned()),
            ..RedisSettings::default()
        };
        let url = server.url().replace("//", "//ann:pw@");
        let store = store(&url, settings).await;
        assert!(!store.is_connected());
        server.command(&[b"ACL", b"SETUSER", b"ann", b"+info"]);
        later(&store, 0).await;
    }
}
