//! A primary that became a replica refuses every write for ever; the address it was reached
//! under may by then lead to the new primary. A new connection is what finds out.

use cached_redis::{Cache, CachedExt as _, Status, invalidates, redis_cached};

use crate::support::{Forwarder, RedisServer, Source, eventually, new_process};

#[redis_cached(ttl = 60, key = "read-only-server:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("read-only-server:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

async fn process(url: String) -> Cache {
    let builder = Cache::builder()
        .url(url)
        .namespace("it")
        .process(new_process());
    builder.require_connection(true).build().await.unwrap()
}

async fn hits(cache: &Cache, source: &Source, id: u64) {
    let hit = async || cache.scope(read(source, id).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

#[tokio::test]
async fn an_address_that_leads_to_the_new_primary_is_followed() {
    let (old, new) = (RedisServer::start(), RedisServer::start());
    let address = Forwarder::to(&old).await;
    let cache = process(address.url()).await;
    let source = Source::new();
    hits(&cache, &source, 1).await;

    address.point_at(&new);
    old.demote(&new);
    hits(&cache, &source, 2).await;
    assert!(new.lives().contains_key("it:read-only-server:2"));
    assert!(cache.stats().store().reconnects >= 1);

    assert_eq!(cache.scope(write(&source, 2)).await, 2);
    assert_eq!(cache.scope(read(&source, 2)).await, 2);
    assert_eq!(cache.stats().total().lost_invalidations, 0);
}

#[tokio::test]
async fn functions_run_while_the_server_is_a_replica_and_hit_when_it_is_promoted() {
    let server = RedisServer::start();
    let cache = process(server.url()).await;
    let source = Source::new();
    hits(&cache, &source, 1).await;

    server.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    for id in 2..20 {
        assert_eq!(cache.scope(read(&source, id)).await, 1);
    }
    assert_eq!(cache.scope(write(&source, 2)).await, 2);
    assert_eq!(cache.stats().total().deferred_invalidations, 1);

    server.promote();
    hits(&cache, &source, 3).await;
    assert!(cache.stats().store().reconnects >= 1);
}

#[tokio::test]
async fn a_replica_that_may_not_serve_what_it_has_is_left_by_those_who_only_read() {
    let server = RedisServer::start_with(&["--replica-serve-stale-data", "no"]);
    let cache = process(server.url()).await;
    let source = Source::new();
    hits(&cache, &source, 1).await;

    server.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    let left = async || !cache.stats().store().connected;
    eventually("the end of the connection", left).await;

    server.promote();
    hits(&cache, &source, 1).await;
}
