//! Several workers, and their ends.

use std::pin::pin;
use std::time::Duration;

use cached_redis::Error;

use crate::shop::{Db, builder, cache, flush, save, stock, worker};
use crate::support::{World, eventually, on_both_stores, on_redis, poll_once};

on_both_stores!(
    of_several_workers_one_applies_each_key,
    a_worker_that_stops_ends_what_it_runs_and_leaves_the_rest,
    a_worker_that_is_dropped_is_followed_by_another,
    what_cannot_work_is_refused,
);
on_redis!(a_worker_that_has_lost_its_partition_gives_up);

async fn of_several_workers_one_applies_each_key(world: World) {
    let (db, caches) = (
        Db::new(),
        [
            cache(&world).await,
            cache(&world).await,
            cache(&world).await,
        ],
    );
    let mut workers = Vec::new();
    for cache in &caches {
        workers.push(worker(cache, &db).start().await.unwrap());
    }
    for pieces in 1..30 {
        for id in 0..20 {
            let cache = &caches[(id as usize + pieces as usize) % 3];
            cache.scope(save(&db, id, pieces.into())).await.unwrap();
        }
    }
    flush(&caches[0], "stock").await;
    for id in 0..20 {
        assert_eq!(db.pieces(id), (1..30).collect::<Vec<_>>(), "{id}");
    }
    for worker in workers {
        worker.stop().await;
    }
}

async fn a_worker_that_stops_ends_what_it_runs_and_leaves_the_rest(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    db.open(false);
    for pieces in 1..4 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    let first = worker(&cache, &db).start().await.unwrap();
    eventually("the first write", async || db.tries() == 1).await;
    let mut stopped = pin!(first.stop());
    assert!(poll_once(stopped.as_mut()).is_pending());
    db.open(true);
    stopped.await;
    assert_eq!(db.pieces(1), [1]);
    let second = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(
        db.pieces(1),
        [1, 2, 3],
        "nothing is applied twice after a clean stop"
    );
    second.stop().await;
}

async fn a_worker_that_is_dropped_is_followed_by_another(world: World) {
    let short = |world: &World| builder(world).lease(Duration::from_millis(300)).build();
    let (db, cache) = (Db::new(), short(&world).await.unwrap());
    db.open(false);
    for pieces in 1..4 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    let first = worker(&cache, &db).start().await.unwrap();
    eventually("the first write", async || db.tries() == 1).await;
    drop(first);
    let other = short(&world).await.unwrap();
    let second = worker(&other, &db).start().await.unwrap();
    eventually("the second attempt", async || db.tries() == 2).await;
    assert!(db.log().is_empty());
    db.open(true);
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1, 2, 3]);
    assert_eq!(cache.scope(stock(&db, 1)).await, 3.into());
    second.stop().await;
}

async fn a_worker_that_has_lost_its_partition_gives_up(mut world: World) {
    let short = builder(&world).lease(Duration::from_millis(300));
    let (db, cache) = (Db::new(), short.build().await.unwrap());
    db.open(false);
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    let worker = worker(&cache, &db).start().await.unwrap();
    eventually("the first attempt", async || db.tries() == 1).await;
    // Its record goes, as with a server that has lost it.
    let server = world.redis();
    for partition in 0..16 {
        let owner = format!("it:#queue:{{stock}}:{partition}:owner");
        server.run::<i64>(&["DEL", &owner]);
    }
    eventually("the next attempt", async || db.tries() == 2).await;
    db.open(true);
    flush(&cache, "stock").await;
    assert_eq!(
        db.pieces(1),
        [1],
        "the function that was given up has written nothing"
    );
    worker.stop().await;
}

/// With the attempts and pauses that nobody has changed.
#[tokio::test(start_paused = true)]
async fn a_source_that_is_away_for_half_a_minute_costs_no_write() {
    let (world, db) = (World::in_memory(), Db::new());
    let cache = cache(&world).await;
    db.away(true);
    for pieces in 1..4 {
        for id in 0..20 {
            cache.scope(save(&db, id, pieces.into())).await.unwrap();
        }
    }
    let worker = cache.write_behind_worker().queue("stock");
    let worker = worker.provide(db.clone()).start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(db.tries() > 20 && db.log().is_empty(), "{}", db.tries());
    assert_eq!(cache.scope(stock(&db, 1)).await, 3.into());
    db.away(false);
    flush(&cache, "stock").await;
    for id in 0..20 {
        assert_eq!(db.pieces(id), [1, 2, 3], "{id}");
    }
    let queue = cache.write_behind_queue("stock").unwrap();
    assert!(queue.dead_letters().await.unwrap().is_empty());
    worker.stop().await;
}

async fn what_cannot_work_is_refused(world: World) {
    let cache = cache(&world).await;
    let refused = |error: Error| error.to_string();
    let without = cache.write_behind_worker().queue("stock");
    let without = without.start().await.unwrap_err();
    assert!(refused(without).contains("Db"), "names the type");
    let unknown = worker(&cache, &Db::new())
        .queue("stocks")
        .start()
        .await
        .unwrap_err();
    assert!(refused(unknown).contains("stocks"));
    let never = worker(&cache, &Db::new())
        .attempts(0)
        .start()
        .await
        .unwrap_err();
    assert!(refused(never).contains("attempts"));
    assert!(cache.write_behind_queue("a:b").is_err() && cache.write_behind_queue("").is_err());
    let plain = world.patient().build().await.unwrap_err();
    assert!(refused(plain).contains("write_behind(true)"));
}
