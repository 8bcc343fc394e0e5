//! What only servers have: their limits, their restarts, and clusters.

use std::time::Duration;

use cached_redis::Cache;
use cached_redis::error::{Busy, StoreError};

use crate::shop::{Db, DbError, Stock, builder, cache, flush, save, stock, worker};
use crate::support::{RedisServer, World, eventually, on_a_cluster, on_redis};

on_redis!(
    a_call_is_one_command_and_a_read_of_it_is_one,
    a_full_server_accepts_nothing_and_lets_go_of_what_waits,
    a_write_in_two_phases_and_a_queue_keep_out_of_each_others_way,
);
on_a_cluster!(what_is_promised_holds_on_a_cluster);

async fn a_call_is_one_command_and_a_read_of_it_is_one(mut world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    let server = world.redis();
    server.reset_commands();
    cache.scope(save(&db, 1, 2.into())).await.unwrap();
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(2));
    let commands = server.commands();
    let sent = |name: &str| commands.get(name).copied().unwrap_or(0);
    assert_eq!((sent("evalsha"), sent("get")), (1, 1), "{commands:?}");
}

async fn a_full_server_accepts_nothing_and_lets_go_of_what_waits(mut world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    for pieces in 1..20 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    world
        .redis()
        .run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = cache.scope(save(&db, 1, 20.into())).await;
    let code = "OOM".to_owned();
    let full = Busy::Store(StoreError::Server { code });
    assert_eq!(refused, Err(DbError::Busy(full)));
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(19));
    world
        .redis()
        .run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    let worker = worker(&cache, &db).start().await.unwrap();
    eventually("the partitions to be owned", async || db.tries() > 0).await;
    world
        .redis()
        .run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), (1..20).collect::<Vec<_>>());
    worker.stop().await;
}

async fn a_write_in_two_phases_and_a_queue_keep_out_of_each_others_way(world: World) {
    let wait = Duration::from_millis(50);
    let (db, builder) = (Db::new(), builder(&world).guarded(true).wait_budget(wait));
    let cache = builder.build().await.unwrap();
    let guard = cache.begin_write(["{stock}:1"]).await.unwrap();
    let refused = cache.scope(save(&db, 1, 1.into())).await;
    assert_eq!(refused, Err(DbError::Busy(Busy::Barred)));
    guard.finish().await.unwrap();
    cache.scope(save(&db, 1, 2.into())).await.unwrap();
    assert!(cache.begin_write(["{stock}:1"]).await.is_err());
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(2));
}

async fn what_is_promised_holds_on_a_cluster(world: World) {
    let (db, here, there) = (Db::new(), cache(&world).await, cache(&world).await);
    for pieces in 1..4 {
        for id in 0..10 {
            here.scope(save(&db, id, pieces.into())).await.unwrap();
            assert_eq!(there.scope(stock(&db, id)).await, pieces.into());
        }
    }
    // Of several slots: each key is barred before all of them go.
    there
        .invalidation()
        .keys(["{stock}:1", "another", "{stock}:2", "third"])
        .send()
        .await
        .unwrap();
    there
        .invalidation()
        .matching("{stock}:*")
        .send()
        .await
        .unwrap();
    there.clear("shop::stock").await.unwrap();
    assert_eq!(here.scope(stock(&db, 1)).await, Stock::from(3));
    let worker = worker(&there, &db).start().await.unwrap();
    flush(&here, "stock").await;
    for id in 0..10 {
        assert_eq!(db.pieces(id), [1, 2, 3]);
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_server_that_may_evict_what_has_no_time_to_live_is_refused() {
    for (policy, is_refused) in [
        ("allkeys-lru", true),
        ("allkeys-random", true),
        ("volatile-lru", false),
    ] {
        let server = RedisServer::start_with(&["--maxmemory-policy", policy]);
        let builder = Cache::builder().url(server.url()).namespace("it");
        let built = builder.write_behind(true).build().await;
        let told = built.as_ref().err().map(ToString::to_string);
        assert_eq!(
            told.is_some_and(|told| told.contains(policy)),
            is_refused,
            "{policy}: {built:?}"
        );
    }
}

/// All that a caller was told is accepted is applied, and in its order; of what it was told nothing, some may be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_outlives_a_server_that_keeps_all_it_confirms() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let db = Db::new();
    let builder = Cache::builder()
        .url(server.url())
        .namespace("it")
        .write_behind(true);
    let cache = builder
        .lease(Duration::from_millis(500))
        .build()
        .await
        .unwrap();
    let worker = worker(&cache, &db)
        .attempts(u32::MAX)
        .start()
        .await
        .unwrap();
    let (mut accepted, mut pieces) = (Vec::new(), 0);
    for _ in 0..3 {
        let until = accepted.len() + 100;
        while accepted.len() < until {
            pieces += 1;
            if cache.scope(save(&db, 1, pieces.into())).await.is_ok() {
                accepted.push(pieces);
            }
            tokio::task::yield_now().await;
        }
        server.kill();
        // Some calls that find it gone.
        for _ in 0..3 {
            pieces += 1;
            assert!(cache.scope(save(&db, 1, pieces.into())).await.is_err());
        }
        server.restart();
    }
    eventually("the connection", async || cache.health().connected).await;
    let queue = cache.write_behind_queue("stock").unwrap();
    eventually("an empty queue", async || {
        queue.depth().await.is_ok_and(|depth| depth.waiting == 0)
    })
    .await;
    let mut applied = db.pieces(1);
    applied.dedup();
    assert!(
        applied.is_sorted_by(|a, b| a < b),
        "in its order: {applied:?}"
    );
    let missing = accepted.iter().find(|pieces| !applied.contains(pieces));
    assert_eq!(missing, None, "each is applied");
    worker.stop().await;
}
