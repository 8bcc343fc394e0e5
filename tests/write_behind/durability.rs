//! Writes that replicas, or disks, must have before their call returns.

use std::time::Duration;

use cached_redis::behind::Durability;
use cached_redis::error::{Busy, StoreError};
use cached_redis::{Builder, Cache};
use tokio::task::JoinSet;

use crate::shop::{Db, DbError, Stock, flush, save, stock, worker};
use crate::support::{Cluster, RedisServer, World, eventually};

const REPLICATED: Durability = Durability::Replicated { replicas: 1 };
const SYNCED: Durability = Durability::Synced { replicas: 0 };
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(50);

fn builder(url: &str, durability: Durability, within: Duration) -> Builder {
    let builder = Cache::builder().url(url).namespace("it").write_behind(true);
    let builder = builder.lease(Duration::from_secs(600)).deadline(LONG);
    builder.durability(durability, within)
}

async fn cache(url: &str, durability: Durability, within: Duration) -> Cache {
    builder(url, durability, within).build().await.unwrap()
}

/// How many writes wait in queue `stock`, as this server knows.
fn waiting(server: &RedisServer) -> u64 {
    let queue = |partition| format!("it:#queue:{{stock}}:{partition}");
    let lengths = (0..16).map(|partition| server.run::<u64>(&["XLEN", &queue(partition)]));
    lengths.sum()
}

#[tokio::test]
async fn a_write_that_no_replica_has_in_time_is_told_so_and_is_applied() {
    let (server, db) = (RedisServer::start(), Db::new());
    let cache = cache(&server.url(), REPLICATED, SHORT).await;
    let lost = Err(DbError::Busy(Busy::Store(StoreError::Timeout)));
    assert_eq!(cache.scope(save(&db, 1, 1.into())).await, lost);
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(1));
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1]);
    worker.stop().await;
}

#[tokio::test]
async fn a_write_returns_once_a_replica_has_it_and_reads_do_not_wait_for_that() {
    let (server, replica, db) = (RedisServer::start(), RedisServer::start(), Db::new());
    replica.demote(&server);
    let cache = cache(&server.url(), REPLICATED, LONG).await;
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    assert_eq!(waiting(&replica), 1);
    replica.freeze();
    let writing = tokio::spawn(save_first(cache.clone(), db.clone(), 2));
    for _ in 0..3 {
        eventually("the value", async || {
            cache.scope(stock(&db, 1)).await == 2.into()
        })
        .await;
    }
    assert!(!writing.is_finished(), "the replica does not have it");
    replica.thaw();
    writing.await.unwrap().unwrap();
    assert_eq!(waiting(&replica), 2);
}

/// Saves row 1, in a task.
async fn save_first(cache: Cache, db: Db, pieces: u64) -> Result<(), DbError> {
    cache.scope(save(&db, 1, pieces.into())).await
}

#[tokio::test]
async fn writes_that_come_together_wait_together() {
    let (server, replica, db) = (RedisServer::start(), RedisServer::start(), Db::new());
    replica.demote(&server);
    let cache = cache(&server.url(), REPLICATED, LONG).await;
    server.reset_commands();
    let mut writes = JoinSet::new();
    for pieces in 1..=40 {
        writes.spawn(save_first(cache.clone(), db.clone(), pieces));
    }
    let accepted: Result<Vec<()>, _> = writes.join_all().await.into_iter().collect();
    accepted.unwrap();
    let commands = server.commands();
    assert_eq!(commands["eval"], 40, "{commands:?}");
    assert!(commands["wait"] < 40, "{commands:?}");
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    let mut pieces = db.pieces(1);
    pieces.sort_unstable();
    assert_eq!(pieces, (1..=40).collect::<Vec<_>>());
    worker.stop().await;
}

#[tokio::test]
async fn the_next_write_has_a_new_connection() {
    let (server, replica, db) = (RedisServer::start(), RedisServer::start(), Db::new());
    replica.demote(&server);
    let cache = cache(&server.url(), REPLICATED, LONG).await;
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    server.run::<u64>(&["CLIENT", "KILL", "TYPE", "normal"]);
    let mut pieces = 1;
    eventually("a connection", async || {
        pieces += 1;
        cache.scope(save(&db, 1, pieces.into())).await.is_ok()
    })
    .await;
    assert_eq!(waiting(&replica), waiting(&server));
}

#[tokio::test]
async fn on_a_cluster_the_replicas_of_the_queues_server_count() {
    let cluster = Cluster::start(3).with_replicas();
    let world = World::on_this(&cluster);
    let (cache, db) = (cache(world.url(), REPLICATED, LONG).await, Db::new());
    for pieces in 1..4 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    // That of another server has nothing to say.
    let owner = cluster.owner("it:#queue:{stock}:0");
    let replica = &cluster.nodes()[owner + 3];
    replica.freeze();
    let writing = tokio::spawn(save_first(cache.clone(), db.clone(), 4));
    eventually("the value", async || {
        cache.scope(stock(&db, 1)).await == 4.into()
    })
    .await;
    assert!(!writing.is_finished(), "its own replica does not have it");
    replica.thaw();
    writing.await.unwrap().unwrap();
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1, 2, 3, 4]);
    worker.stop().await;
}

#[tokio::test]
async fn a_write_is_synced_where_the_server_can() {
    let server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let info: String = server.run(&["INFO", "server"]);
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"));
    let has_it = !version.unwrap().starts_with("7.0");
    let (built, db) = (
        builder(&server.url(), SYNCED, LONG).build().await,
        Db::new(),
    );
    if !has_it {
        let told = built.unwrap_err().to_string();
        assert!(told.contains("no `WAITAOF`"), "{told}");
        return;
    }
    let cache = built.unwrap();
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    assert_eq!(server.commands()["waitaof"], 1);
    let without = RedisServer::start();
    let refused = builder(&without.url(), SYNCED, LONG).build().await;
    let told = refused.unwrap_err().to_string();
    assert!(told.contains("no append-only file"), "{told}");
}

#[tokio::test]
async fn what_can_never_be_reached_is_refused() {
    let server = RedisServer::start();
    for (url, durability, within, told) in [
        ("memory://", REPLICATED, LONG, "needs a server"),
        (&*server.url(), REPLICATED, Duration::ZERO, "needs a time"),
        (
            &*server.url(),
            Durability::Replicated { replicas: 0 },
            LONG,
            "a replica at least",
        ),
    ] {
        let refused = builder(url, durability, within).build().await.unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
}
