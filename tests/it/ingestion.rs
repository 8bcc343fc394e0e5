//! Ingestion: invalidations that other programs ask for, whatever they are written in.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::testing::{Recorded, Recorder};
use cached_redis::{Cache, Policy, redis_cached, testing};
use tracing::Level;

use crate::support::{
    Forwarder, Log, Rows, Source, World, eventually, filled, in_time, on_both_stores, on_redis,
    tier,
};

on_both_stores!(
    a_plain_key_from_any_program_invalidates,
    json_invalidates_all_that_it_names,
    no_read_after_an_ingested_invalidation_is_stale,
    messages_that_cannot_be_understood_are_counted_and_the_rest_served,
    keys_tags_and_patterns_of_one_message_are_all_invalidated,
    a_pattern_of_everything_is_refused_and_the_keys_beside_it_served,
    the_keys_of_the_library_itself_cannot_be_removed,
    a_dropped_listener_hears_nothing_more,
    a_flood_of_messages_is_served_together_or_told_as_missed,
);

on_redis!(
    an_ingested_invalidation_that_is_not_confirmed_is_deferred_and_replayed,
    a_listener_that_was_cut_off_tells_that_messages_may_be_missing,
);

const CHANNEL: &str = "cache_invalidation";

#[redis_cached(ttl = 60, key = "user:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "row:<id>", skip(rows))]
async fn read_row(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

/// Sends a message as any program does: past the cache.
async fn send(world: &World, cache: &Cache, message: &[u8]) {
    match world.server() {
        Some(server) => {
            let mut command = redis::cmd("PUBLISH");
            command.arg(CHANNEL).arg(message);
            command.exec(&mut server.connect()).unwrap();
        }
        None => testing::publish(cache, CHANNEL, message).await.unwrap(),
    }
}

async fn ingested(cache: &Cache, messages: u64) {
    let all = async || cache.stats().total().ingested_messages >= messages;
    eventually("the messages", all).await;
}

async fn malformed(cache: &Cache, messages: u64) {
    let all = async || cache.stats().total().malformed_messages >= messages;
    eventually("the refusals", all).await;
}

async fn a_plain_key_from_any_program_invalidates(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let _listener = here.listen_for_invalidations(CHANNEL).await;
    let source = Source::new();
    assert_eq!(there.scope(read(&source, 42)).await, 1);
    filled(&there, 1).await;
    source.write();
    send(&world, &here, b"user:42").await;
    ingested(&here, 1).await;
    assert_eq!(there.scope(read(&source, 42)).await, 2);
    assert_eq!(here.stats().total().invalidations, 1);
}

async fn json_invalidates_all_that_it_names(world: World) {
    let cache = world.cache().await;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    let source = Source::new();
    for id in 0..3 {
        cache.scope(read(&source, id)).await;
    }
    filled(&cache, 3).await;
    source.write();
    send(
        &world,
        &cache,
        br#"{"keys": ["user:0", "user:2"], "sent_by": "psql"}"#,
    )
    .await;
    ingested(&cache, 1).await;
    let mut seen = Vec::new();
    for id in 0..3 {
        seen.push(cache.scope(read(&source, id)).await);
    }
    assert_eq!(seen, [2, 1, 2]);
}

async fn no_read_after_an_ingested_invalidation_is_stale(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let _listener = here.listen_for_invalidations(CHANNEL).await;
    let rows = Rows::new(4);
    let readers = rows.readers(&there, 3, async |rows, id| read_row(&rows, id).await);
    for message in 1..=tier(30, 100) {
        let id = fastrand::usize(rows.ids());
        let version = rows.write(id);
        send(&world, &here, format!("row:{id}").as_bytes()).await;
        ingested(&here, message).await;
        rows.acknowledge(id, version);
    }
    readers.stop().await;
}

async fn messages_that_cannot_be_understood_are_counted_and_the_rest_served(world: World) {
    let cache = world.cache().await;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    let long = vec![b'x'; (1 << 20) + 1];
    let odd: [&[u8]; 6] = [b"", b"\xff\xfe", b"{\"keys\": 7}", b"{", b"{}", &long];
    for message in odd {
        send(&world, &cache, message).await;
    }
    send(&world, &cache, b"user:1").await;
    ingested(&cache, 1).await;
    let total = cache.stats().total();
    assert_eq!((total.malformed_messages, total.ingested_messages), (6, 1));
}

#[tokio::test]
async fn each_kind_of_mistake_is_warned_of_once_and_without_what_it_says() {
    let (log, _guard) = Log::collect();
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    for _ in 0..5 {
        testing::publish(&cache, CHANNEL, b"{\"keys\": s3cret}")
            .await
            .unwrap();
        testing::publish(&cache, CHANNEL, b"").await.unwrap();
    }
    malformed(&cache, 10).await;
    assert_eq!(log.count(Level::WARN, "was refused"), 2);
    assert!(!log.text().contains("s3cret"), "{}", log.text());
}

async fn keys_tags_and_patterns_of_one_message_are_all_invalidated(world: World) {
    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    let (cache, source) = (world.cache().await, Source::new());
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    let load = || async { Ok::<_, Infallible>(source.load().await) };
    let read = async |key: &str| match key {
        "tagged" => {
            cache
                .entry(key)
                .policy(&POLICY)
                .tags(["team:7"])
                .get_or_fill(load)
                .await
        }
        _ => cache.get_or_fill(&POLICY, key, load).await,
    };
    let keys = ["user:1", "tagged", "user:1:orders", "user:2:orders"];
    for key in keys {
        read(key).await.unwrap();
    }
    filled(&cache, 4).await;
    source.write();
    let all = br#"{"keys": ["user:1"], "tags": ["team:7"], "patterns": ["user:1:*"]}"#;
    send(&world, &cache, all).await;
    ingested(&cache, 1).await;
    for (key, version) in keys.into_iter().zip([2, 2, 2, 1]) {
        assert_eq!(read(key).await, Ok(version), "{key}");
    }
}

async fn a_pattern_of_everything_is_refused_and_the_keys_beside_it_served(world: World) {
    let cache = world.cache().await;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    send(
        &world,
        &cache,
        br#"{"keys": ["user:1"], "patterns": ["*"]}"#,
    )
    .await;
    ingested(&cache, 1).await;
    assert_eq!(cache.stats().total().malformed_messages, 1);
}

async fn the_keys_of_the_library_itself_cannot_be_removed(world: World) {
    let cache = world.builder().event_stream(10).build().await.unwrap();
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    cache
        .invalidation()
        .key("a")
        .publish()
        .send()
        .await
        .unwrap();
    send(&world, &cache, b"#stream").await;
    malformed(&cache, 1).await;
    if let Some(server) = world.server() {
        assert_eq!(server.run::<u64>(&["EXISTS", "it:#stream"]), 1);
    }
}

async fn a_dropped_listener_hears_nothing_more(world: World) {
    let cache = world.cache().await;
    let listener = cache.listen_for_invalidations(CHANNEL).await;
    send(&world, &cache, b"a").await;
    ingested(&cache, 1).await;
    drop(listener);
    send(&world, &cache, b"b").await;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    send(&world, &cache, b"c").await;
    ingested(&cache, 2).await;
    assert_eq!(cache.stats().total().invalidations, 2);
}

async fn a_flood_of_messages_is_served_together_or_told_as_missed(world: World) {
    let recorder = Recorder::new();
    let cache = world.builder().recorder(recorder.clone()).build();
    let cache = cache.await.unwrap();
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    let sender = world.cache().await;
    for number in 0..2000 {
        let key = format!("key:{number}");
        testing::publish(&sender, CHANNEL, key).await.unwrap();
    }
    let all = async || {
        let total = cache.stats().total();
        total.ingested_messages == 2000 || total.ingestion_gaps > 0
    };
    eventually("the flood is over", all).await;
    assert_eq!(cache.stats().total().malformed_messages, 0);
    assert!(recorder.count(Recorded::Invalidated) <= 2000);
}

async fn an_ingested_invalidation_that_is_not_confirmed_is_deferred_and_replayed(world: World) {
    let cache = world.cache().await;
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    source.write();
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
    send(&world, &cache, b"user:1").await;
    ingested(&cache, 1).await;
    assert_eq!(cache.stats().pending_invalidations().keys, 1);
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
    in_time(cache.flush()).await.unwrap();
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

async fn a_listener_that_was_cut_off_tells_that_messages_may_be_missing(mut world: World) {
    let forwarder = Forwarder::to(world.redis()).await;
    let recorder = Recorder::new();
    let builder = world.builder().url(forwarder.url());
    let cache = builder.recorder(recorder.clone()).build().await.unwrap();
    let _listener = cache.listen_for_invalidations(CHANNEL).await;
    send(&world, &cache, b"a").await;
    in_time(recorder.wait_for(Recorded::Ingested, 1)).await;
    forwarder.cut();
    in_time(recorder.wait_for(Recorded::IngestionGap, 1)).await;
    let connected = async || cache.stats().store().connected;
    eventually("a connection", connected).await;
    send(&world, &cache, b"b").await;
    in_time(recorder.wait_for(Recorded::Ingested, 2)).await;
    in_time(cache.flush()).await.unwrap();
}
