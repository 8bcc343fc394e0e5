//! The ways to a server, and what a server does to a connection.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, redis_cached};

use crate::support::{RedisServer, Source, World, eventually, filled, on_redis};

on_redis!(
    the_newest_protocol_is_spoken,
    a_user_and_a_password_are_used,
    a_password_of_odd_characters_is_used,
    a_unix_socket_is_used,
    a_database_is_used,
    scripts_flushed_in_mid_flight_are_sent_again,
    a_connection_that_the_server_closes_is_made_again,
);

#[redis_cached(ttl = 60, key = "connections:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn process(url: String) -> Cache {
    let builder = Cache::builder()
        .url(url)
        .namespace("it")
        .deadline(Duration::from_secs(20));
    builder.require_connection(true).build().await.unwrap()
}

/// Every step of the protocol works: a miss with its fill, a hit, an invalidation.
async fn assert_works(cache: &Cache) {
    let source = Source::new();
    for expected in [Status::Miss, Status::Hit] {
        let (_, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!(info.status(), expected);
    }
    source.write();
    cache.invalidate("connections:1").await.unwrap();
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.bypasses), (0, 0), "{stats:?}");
}

/// The connections of a user, as the server lists them.
fn connections(server: &RedisServer, user: &str) -> Vec<String> {
    let list: String = server.run(&["CLIENT", "LIST", "TYPE", "normal"]);
    let of_user = format!("user={user} ");
    list.lines()
        .filter(|line| line.contains(&of_user))
        .map(str::to_owned)
        .collect()
}

async fn the_newest_protocol_is_spoken(mut world: World) {
    let server = world.redis();
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all"]);
    let cache = process(server.url_of("app", "secret")).await;
    assert_works(&cache).await;
    let connections = connections(server, "app");
    assert!(!connections.is_empty());
    assert!(
        connections.iter().all(|line| line.contains("resp=3")),
        "{connections:?}"
    );
}

async fn a_user_and_a_password_are_used(mut world: World) {
    let server = world.redis();
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">secret", "~it:*", "+@all"]);
    assert_works(&process(server.url_of("app", "secret")).await).await;
}

async fn a_password_of_odd_characters_is_used(mut world: World) {
    let server = world.redis();
    server.run::<()>(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">p@ss/w:rd %?#",
        "~*",
        "+@all",
    ]);
    assert_works(&process(server.url_of("app", "p%40ss%2Fw%3Ard%20%25%3F%23")).await).await;
}

async fn a_unix_socket_is_used(mut world: World) {
    let cache = process(world.redis().socket_url()).await;
    assert_works(&cache).await;
    let list: String = world.redis().run(&["CLIENT", "LIST", "TYPE", "normal"]);
    assert!(!list.contains("laddr=127.0.0.1"), "{list}");
}

async fn a_database_is_used(mut world: World) {
    let cache = process(format!("{}/3", world.redis().url())).await;
    assert_works(&cache).await;
    assert!(world.redis().lives().is_empty());
    let keyspace: String = world.redis().run(&["INFO", "keyspace"]);
    assert!(keyspace.contains("db3:keys=1"), "{keyspace}");
}

async fn scripts_flushed_in_mid_flight_are_sent_again(mut world: World) {
    let cache = world.cache().await;
    for round in 1..=3 {
        let source = Source::held();
        let reader = cache.spawn({
            let source = source.clone();
            async move { read(&source, round).await }
        });
        source.begun(1).await;
        world.redis().run::<()>(&["SCRIPT", "FLUSH"]);
        source.release();
        assert_eq!(reader.await.unwrap(), 1);
        filled(&cache, round).await;
        assert_eq!(cache.scope(read(&source, round)).await, 1);
        assert_eq!(source.loads(), 1);
    }
    assert_eq!(cache.stats().total().errors, 0);
    let policy = Policy::new().ttl(Duration::from_secs(60));
    world.redis().run::<()>(&["SCRIPT", "FLUSH"]);
    assert!(cache.put(&policy, "connections:put", &1_u64).await.unwrap());
}

async fn a_connection_that_the_server_closes_is_made_again(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for _ in 0..3 {
        world
            .redis()
            .run::<()>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let hit =
            async || cache.scope(read(&source, 1).with_info()).await.1.status() == Status::Hit;
        eventually("a hit", hit).await;
    }
}
