//! A cluster of three servers for a test.

use std::sync::Arc;
use std::time::Duration;

use super::server::{Seen, Server};
use super::{RedisSettings, RedisStore};
use crate::store::address::Address;
use crate::store::slot::{SLOTS, slot};

pub(crate) struct Trio(pub(crate) [Server; 3]);

impl Trio {
    pub(crate) async fn start() -> Self {
        let trio = Self([(); 3].map(|()| Server::start_in_cluster()));
        trio.share_out();
        // On a busy machine they may be too late to meet.
        for round in 0_u64.. {
            if round.is_multiple_of(500) {
                trio.meet();
            }
            if trio.0.iter().all(Self::is_whole) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        trio
    }

    fn meet(&self) {
        let [a, b, c] = &self.0;
        for (one, other) in [(a, b), (a, c), (b, c)] {
            let (port, bus) = (other.port().to_string(), other.bus().to_string());
            one.command(&[
                b"CLUSTER",
                b"MEET",
                b"127.0.0.1",
                port.as_bytes(),
                bus.as_bytes(),
            ]);
        }
    }

    /// In three parts of about the same size.
    fn share_out(&self) {
        for (at, server) in self.0.iter().enumerate() {
            let bound = |at: usize| (at * SLOTS).div_ceil(3);
            let (first, last) = (bound(at).to_string(), (bound(at + 1) - 1).to_string());
            server.command(&[
                b"CLUSTER",
                b"ADDSLOTSRANGE",
                first.as_bytes(),
                last.as_bytes(),
            ]);
            let epoch = (at + 1).to_string();
            server.command(&[b"CLUSTER", b"SET-CONFIG-EPOCH", epoch.as_bytes()]);
        }
    }

    /// Whether it knows of all slots and servers.
    fn is_whole(server: &Server) -> bool {
        let info = server.command(&[b"CLUSTER", b"INFO"]);
        [
            "cluster_state:ok",
            "cluster_slots_ok:16384",
            "cluster_size:3",
        ]
        .iter()
        .all(|line| info.contains(line))
    }

    pub(crate) fn url(&self) -> String {
        let [a, b, c] = self.0.each_ref().map(Server::port);
        format!("redis+cluster://127.0.0.1:{a},127.0.0.1:{b},127.0.0.1:{c}")
    }

    pub(crate) async fn store(&self) -> RedisStore {
        self.patient(Duration::from_secs(5)).await
    }

    /// One whose operations may take so long.
    pub(crate) async fn patient(&self, deadline: Duration) -> RedisStore {
        let settings = RedisSettings {
            deadline,
            ..RedisSettings::default()
        };
        store(&self.url(), settings, Arc::default()).await
    }

    /// The place of the server that had `key` at first.
    pub(crate) fn place(key: &str) -> usize {
        usize::from(slot(key)) * 3 / SLOTS
    }

    pub(crate) fn of(&self, key: &str) -> &Server {
        &self.0[Self::place(key)]
    }

    /// A key of each server.
    pub(crate) fn keys() -> [String; 3] {
        [0, 1, 2].map(|at| {
            let mut keys = (0..).map(|n| format!("key:{n}"));
            keys.find(|key| Self::place(key) == at).unwrap()
        })
    }

    pub(crate) fn flush(&self) {
        for server in &self.0 {
            server.command(&[b"FLUSHALL"]);
        }
    }

    /// What the slot of `key` begins to do at `from` and `to`.
    pub(crate) fn begin_move(&self, key: &str, from: usize, to: usize) {
        let slot = slot(key).to_string();
        let set = |at: usize, what: &[u8], other: usize| {
            let id = self.id(other);
            self.0[at].command(&[b"CLUSTER", b"SETSLOT", slot.as_bytes(), what, id.as_bytes()]);
        };
        set(to, b"IMPORTING", from);
        set(from, b"MIGRATING", to);
    }

    /// Moves the key itself.
    pub(crate) fn migrate(&self, key: &str, from: usize, to: usize) {
        let port = self.0[to].port().to_string();
        let words: [&[u8]; 6] = [
            b"MIGRATE",
            b"127.0.0.1",
            port.as_bytes(),
            key.as_bytes(),
            b"0",
            b"5000",
        ];
        assert_eq!(self.0[from].command(&words), "+OK");
    }

    pub(crate) fn end_move(&self, key: &str, to: usize) {
        let (slot, id) = (slot(key).to_string(), self.id(to));
        for server in &self.0 {
            server.command(&[
                b"CLUSTER",
                b"SETSLOT",
                slot.as_bytes(),
                b"NODE",
                id.as_bytes(),
            ]);
        }
    }

    /// Gives the slot of `key` to another server, which has none of its keys.
    pub(crate) fn take_slot(&self, key: &str, from: usize, to: usize) {
        let slot = slot(key).to_string();
        for (what, whose) in [("IMPORTING", from), ("NODE", to)] {
            let id = self.id(whose);
            let words = ["CLUSTER", "SETSLOT", &slot, what, &id].map(str::as_bytes);
            assert_eq!(self.0[to].command(&words), "+OK");
        }
    }

    fn id(&self, at: usize) -> String {
        self.0[at].command(&[b"CLUSTER", b"MYID"])
    }
}

/// A store on the cluster of `url`.
pub(crate) async fn store(url: &str, settings: RedisSettings, seen: Arc<Seen>) -> RedisStore {
    match Address::parse(url) {
        Ok(Address::Cluster(address)) => RedisStore::connect_cluster(address, settings, seen)
            .await
            .unwrap(),
        other => panic!("{other:?}"),
    }
}
