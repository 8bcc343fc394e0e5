//! Every invalidation reaches the store by itself. One that merges into another already on its
//! way would miss what was loaded in between.

use cached_redis::{invalidates, redis_cached};

use crate::support::{Source, World, eventually, on_both_stores, on_redis};

on_both_stores!(
    an_invalidation_beside_another_removes_what_was_loaded_between_them,
    readers_after_each_of_many_crossing_invalidations_see_its_write,
);
on_redis!(every_one_of_many_invalidations_at_once_is_sent);

#[redis_cached(ttl = 60, key = "no-merged-invalidation:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("no-merged-invalidation:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

async fn an_invalidation_beside_another_removes_what_was_loaded_between_them(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..100 {
        let other = cache.clone();
        let first = tokio::spawn(async move { other.invalidate("no-merged-invalidation:1").await });
        let loaded = cache.scope(read(&source, 1)).await;
        assert_eq!(loaded, source.version());
        let newest = source.write();
        cache.invalidate("no-merged-invalidation:1").await.unwrap();
        assert_eq!(cache.scope(read(&source, 1)).await, newest);
        first.await.unwrap().unwrap();
        assert_eq!(cache.scope(read(&source, 1)).await, newest);
    }
}

async fn readers_after_each_of_many_crossing_invalidations_see_its_write(world: World) {
    let processes = [world.cache().await, world.cache().await];
    let source = Source::new();
    let writers = (0..8).map(|writer| {
        let (cache, source) = (processes[writer % 2].clone(), source.clone());
        let inner = cache.clone();
        cache.spawn(async move {
            for _ in 0..50 {
                let floor = write(&source, 1).await;
                let other = inner.scope(read(&source, 1)).await;
                assert!(
                    other >= floor,
                    "{other} was read after {floor} had been invalidated"
                );
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

async fn every_one_of_many_invalidations_at_once_is_sent(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    server.run::<()>(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    let under_way: Vec<_> = (0..20)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.invalidate("no-merged-invalidation:1").await })
        })
        .collect();
    let blocked = async || {
        server
            .run::<String>(&["INFO", "clients"])
            .contains("blocked_clients:1")
    };
    eventually("the first one to stand at the server", blocked).await;
    server.run::<()>(&["CLIENT", "UNPAUSE"]);
    for invalidation in under_way {
        invalidation.await.unwrap().unwrap();
    }
    assert_eq!(server.commands()["unlink"], 20);
}
