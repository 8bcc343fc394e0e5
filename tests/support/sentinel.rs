//! A primary with a replica, and three Sentinels that watch them.

use std::collections::HashMap;

use super::{RedisServer, eventually};

/// What the Sentinels call it.
pub(crate) const SERVICE: &str = "shop";

pub(crate) struct Watched {
    /// The first one is the primary until there is a failover.
    pub(crate) servers: [RedisServer; 2],
    pub(crate) sentinels: [RedisServer; 3],
}

impl Watched {
    /// Returns when the Sentinels know the replica and each other: they tell themselves of it every two seconds.
    pub(crate) async fn start() -> Self {
        let servers = [RedisServer::start(), RedisServer::start()];
        servers[1].demote(&servers[0]);
        let sentinels = [(); 3].map(|()| watching(&servers[0], 2));
        let watched = Self { servers, sentinels };
        let know_all = async || {
            let mut sentinels = watched.sentinels.iter();
            sentinels.all(|sentinel| {
                let known = about(sentinel, "num-other-sentinels") == "2";
                known && about(sentinel, "num-slaves") == "1"
            })
        };
        eventually("the Sentinels to know all", know_all).await;
        watched
    }

    /// The address, as a user writes it.
    pub(crate) fn url(&self) -> String {
        url(&[0, 1, 2].map(|at| self.sentinels[at].port()))
    }

    /// Waits until the Sentinels name the replica.
    pub(crate) async fn failed_over(&self) {
        self.names(&self.servers[1]).await;
    }

    /// Waits until they name that one.
    pub(crate) async fn names(&self, server: &RedisServer) {
        let port = server.port().to_string();
        let named = async || {
            let mut sentinels = self.sentinels.iter();
            sentinels.all(|sentinel| about(sentinel, "port") == port)
        };
        eventually("the failover", named).await;
    }
}

impl Watched {
    /// Waits until they know of a replica that can take over.
    pub(crate) async fn is_ready(&self) {
        let is_ready = async || self.sentinels.iter().all(has_replica);
        eventually("a replica that can take over", is_ready).await;
    }
}

fn has_replica(sentinel: &RedisServer) -> bool {
    let replicas: Vec<HashMap<String, String>> = sentinel.run(&["SENTINEL", "REPLICAS", SERVICE]);
    replicas.iter().any(|replica| {
        let says = |field: &str, what: &str| replica.get(field).is_some_and(|said| said == what);
        let follows = says("role-reported", "slave") && says("master-link-status", "ok");
        follows && says("flags", "slave")
    })
}

/// A Sentinel that watches `primary`, which is down when so many say so.
pub(crate) fn watching(primary: &RedisServer, quorum: u16) -> RedisServer {
    let sentinel = RedisServer::start_with(&["--sentinel"]);
    watch(&sentinel, primary, quorum);
    sentinel
}

/// Has `sentinel` watch `primary`.
pub(crate) fn watch(sentinel: &RedisServer, primary: &RedisServer, quorum: u16) {
    let (port, quorum) = (primary.port().to_string(), quorum.to_string());
    let monitor = ["SENTINEL", "MONITOR", SERVICE, "127.0.0.1", &port, &quorum];
    sentinel.run::<()>(&monitor);
    for (setting, ms) in [
        ("down-after-milliseconds", "500"),
        ("failover-timeout", "2000"),
    ] {
        sentinel.run::<()>(&["SENTINEL", "SET", SERVICE, setting, ms]);
    }
}

/// Of Sentinels on these ports.
pub(crate) fn url(ports: &[u16]) -> String {
    let places: Vec<_> = ports
        .iter()
        .map(|port| format!("127.0.0.1:{port}"))
        .collect();
    format!("redis+sentinel://{}/{SERVICE}", places.join(","))
}

fn about(sentinel: &RedisServer, field: &str) -> String {
    let fields: Vec<String> = sentinel.run(&["SENTINEL", "MASTER", SERVICE]);
    let at = fields.iter().position(|name| name == field);
    fields[at.expect("a field of it") + 1].clone()
}
