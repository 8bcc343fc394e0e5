//! A server that restarts from an old snapshot has entries again that had been invalidated. What the
//! invalidating process does about it is a setting.

use cached_redis::{Builder, Cache, CachedExt as _, OnFailover, Status, invalidates, redis_cached};

use crate::support::{RedisServer, Rows, World, eventually, filled, on_redis};

on_redis!(
    by_default_what_an_old_snapshot_brought_back_is_removed_before_it_is_served_here,
    more_invalidations_than_can_be_remembered_are_the_whole_namespace,
    left_to_the_ttl_an_old_snapshot_is_served,
    a_new_connection_to_the_same_server_replays_nothing,
    what_a_server_lost_that_was_demoted_and_promoted_again_is_removed_although_no_connection_was_lost,
);

#[redis_cached(ttl = 60, key = "failover:<id>", skip(rows))]
async fn read(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

#[invalidates("failover:<id>")]
async fn write(rows: &Rows, id: usize) -> u64 {
    rows.write(id)
}

async fn process(world: &World) -> Cache {
    world.patient().build().await.unwrap()
}

/// Caches all rows, takes a snapshot of that, and then changes and invalidates them.
async fn snapshot_and_change(world: &World, cache: &Cache, rows: &Rows) {
    for id in rows.ids() {
        cache.scope(read(rows, id)).await;
    }
    filled(cache, rows.ids().len() as u64).await;
    world.server().unwrap().run::<()>(&["SAVE"]);
    for id in rows.ids() {
        let version = cache.scope(write(rows, id)).await;
        rows.acknowledge(id, version);
    }
    assert_eq!(cache.stats().total().deferred_invalidations, 0);
}

async fn connected(cache: &Cache) {
    let answers = async || cache.get::<u64>("failover:0").await.is_ok();
    eventually("a connection", answers).await;
}

/// Restarts the server under readers, and looks at what another process finds.
async fn replays(mut world: World, builder: Builder) {
    let cache = builder.build().await.unwrap();
    let rows = Rows::new(200);
    snapshot_and_change(&world, &cache, &rows).await;
    let readers = rows.readers(&cache, 4, |rows, id| async move { read(&rows, id).await });
    world.redis().kill();
    world.redis().restart();
    let replayed = async || cache.stats().total().repeated_invalidations == 200;
    eventually("the replay", replayed).await;
    let other = process(&world).await;
    for id in rows.ids() {
        assert_eq!(other.scope(read(&rows, id)).await, 2);
    }
    readers.stop().await;
    assert!(cache.stats().pending_invalidations().is_empty());
}

async fn by_default_what_an_old_snapshot_brought_back_is_removed_before_it_is_served_here(
    world: World,
) {
    let builder = world.patient();
    replays(world, builder).await;
}

async fn more_invalidations_than_can_be_remembered_are_the_whole_namespace(world: World) {
    let builder = world.patient().journal_keys(50);
    replays(world, builder).await;
}

async fn left_to_the_ttl_an_old_snapshot_is_served(mut world: World) {
    let builder = world.patient().on_failover(OnFailover::Ttl);
    let cache = builder.build().await.unwrap();
    let rows = Rows::new(1);
    snapshot_and_change(&world, &cache, &rows).await;
    assert_eq!(cache.scope(read(&rows, 0)).await, 2);
    world.redis().kill();
    world.redis().restart();
    connected(&cache).await;
    let (value, info) = cache.scope(read(&rows, 0).with_info()).await;
    assert_eq!((value, info.status()), (1, Status::Hit));
}

async fn a_new_connection_to_the_same_server_replays_nothing(world: World) {
    let cache = process(&world).await;
    let rows = Rows::new(10);
    snapshot_and_change(&world, &cache, &rows).await;
    let server = world.server().unwrap();
    server.reset_commands();
    server.run::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);
    let gone = async || cache.get::<u64>("failover:0").await.is_err();
    let again = async || server.commands().contains_key("time");
    tokio::join!(
        eventually("the loss", gone),
        eventually("a handshake", again)
    );
    connected(&cache).await;
    cache.flush().await.unwrap();
    assert_eq!(server.commands().get("unlink"), None);
}

async fn what_a_server_lost_that_was_demoted_and_promoted_again_is_removed_although_no_connection_was_lost(
    world: World,
) {
    let cache = process(&world).await;
    let rows = Rows::new(1);
    cache.scope(read(&rows, 0)).await;
    filled(&cache, 1).await;
    let (server, other) = (world.server().unwrap(), RedisServer::start());
    other.demote(server);
    other.promote();
    assert_eq!(cache.scope(write(&rows, 0)).await, 2);
    assert_eq!(cache.stats().total().deferred_invalidations, 0);
    server.demote(&other);
    server.promote();
    let repeated = async || cache.stats().total().repeated_invalidations == 1;
    eventually("the repetition", repeated).await;
    assert_eq!(cache.scope(read(&rows, 0)).await, 2);
    assert_eq!(cache.stats().store().lost, 0);
}
