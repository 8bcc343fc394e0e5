//! The Redis user of the page may do all that the library does and nothing else; where a user may
//! do less, that costs hits and never a call.

use std::time::Duration;

use cached_redis::events::{Consumer, Notice};
use cached_redis::{Builder, Cache, CachedExt as _, Policy, Status, invalidates, redis_cached};

use crate::support::{RedisServer, Source, World, eventually, filled, in_time, on_redis};

on_redis!(
    the_user_of_the_page_may_do_all_that_is_needed,
    the_user_of_the_page_may_do_nothing_else,
    a_command_that_is_not_allowed_never_fails_a_function,
    the_user_of_a_service_with_events_may_do_all_that_they_need,
    the_user_of_a_consumer_of_invalidations_may_do_all_that_it_needs,
);

#[redis_cached(ttl = 60, key = "user:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "user:failing")]
async fn fail() -> Result<u64, String> {
    Err("no".to_owned())
}

#[invalidates("user:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

/// What follows the name in the page's line for an ACL file.
fn rules() -> Vec<&'static str> {
    const PAGE: &str = include_str!("../../cached-redis/src/docs/redis.md");
    let mut lines = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("user app "));
    let rules = lines.next().expect("the page has the line of a user");
    rules.split_whitespace().collect()
}

/// What the chapter on events adds.
fn rules_of_events() -> Vec<&'static str> {
    const CHAPTER: &str = include_str!("../../cached-redis/src/docs/events.md");
    let mut lines = CHAPTER
        .lines()
        .filter(|line| line.starts_with("&shop:#events"));
    let rules = lines.next().expect("the chapter has the line");
    rules.split_whitespace().collect()
}

/// What the page about messages adds for a consumer.
fn rules_of_consumers() -> Vec<&'static str> {
    const PAGE: &str = include_str!("../../cached-redis/src/docs/messages.md");
    let (_, rules) = PAGE
        .split_once("The Redis user of a consumer needs `")
        .expect("they are there");
    let (rules, _) = rules.split_once('`').expect("they end");
    rules.split_whitespace().collect()
}

fn create(server: &RedisServer, rules: &[&str]) {
    let command = [&["ACL", "SETUSER", "app", "reset"], rules].concat();
    server.run::<()>(&command);
}

fn builder(server: &RedisServer) -> Builder {
    let builder = Cache::builder().url(server.url_of("app", "password"));
    builder.namespace("shop").deadline(Duration::from_secs(20))
}

async fn the_user_of_the_page_may_do_all_that_is_needed(mut world: World) {
    let server = world.redis();
    create(server, &rules());
    let lease = Duration::from_millis(300);
    let cache = builder(server)
        .lease(lease)
        .require_connection(true)
        .build();
    let cache = cache.await.unwrap();

    // A miss whose lease is renewed, a hit, an invalidation, a refresh, a failed load.
    let source = Source::slow(2 * lease);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(&cache, 1).await;
    let (_, info) = cache.scope(read(&source, 1).with_info()).await;
    assert_eq!(info.status(), Status::Hit);
    assert_eq!(cache.scope(write(&source, 1)).await, 2);
    assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 2);
    cache.scope(fail()).await.unwrap_err();

    // By hand, over bytes that are no entry, and by scripts that the server has forgotten.
    let policy = Policy::new().ttl(Duration::from_secs(60));
    assert!(cache.put(&policy, "user:put", &1_u64).await.unwrap());
    server.plant("shop:user:2", b"foreign");
    server.run::<()>(&["SCRIPT", "FLUSH"]);
    assert_eq!(cache.scope(read(&source, 2)).await, 2);
    filled(&cache, 4).await;
    cache.invalidate("user:put").await.unwrap();

    let stats = cache.stats().total();
    assert_eq!(
        (stats.errors, stats.lost_invalidations),
        (0, 0),
        "{stats:?}"
    );
    assert_eq!(denied(server), [""; 0]);
}

/// What the server has refused to the user. Newer servers know a command by which the client tells
/// its name, which it does not mind not being allowed.
fn denied(server: &RedisServer) -> Vec<String> {
    let log: Vec<Vec<redis::Value>> = server.run(&["ACL", "LOG"]);
    let text = |value: &redis::Value| redis::from_redis_value_ref::<String>(value).ok();
    let object = |entry: &Vec<redis::Value>| {
        let at = entry
            .iter()
            .position(|field| text(field).as_deref() == Some("object"));
        text(&entry[at? + 1])
    };
    let objects = log.iter().filter_map(object);
    objects
        .filter(|object| object != "client|setinfo")
        .collect()
}

async fn the_user_of_the_page_may_do_nothing_else(mut world: World) {
    let server = world.redis();
    create(server, &rules());
    let client = redis::Client::open(server.url_of("app", "password")).unwrap();
    let mut connection = client.get_connection().unwrap();
    for command in [
        &["SET", "other:key", "x"][..],
        &["GET", "other:key"],
        &["UNLINK", "other:key"],
        &[
            "EVAL",
            "return redis.call('GET', KEYS[1])",
            "1",
            "other:key",
        ],
        &["EVAL", "return redis.call('KEYS', '*')", "0"],
        &["KEYS", "*"],
        &["FLUSHALL"],
        &["CONFIG", "GET", "*"],
        &["SCRIPT", "FLUSH"],
        &["CLIENT", "LIST"],
        &["PUBLISH", "channel", "x"],
    ] {
        let answer = redis::cmd(command[0])
            .arg(&command[1..])
            .exec(&mut connection);
        let refused = answer
            .expect_err("a user of one namespace may not")
            .to_string();
        let for_that = ["NOPERM", "ermission", "can't run"];
        assert!(
            for_that.iter().any(|text| refused.contains(text)),
            "{command:?}: {refused}"
        );
    }
}

async fn a_command_that_is_not_allowed_never_fails_a_function(mut world: World) {
    let server = world.redis();
    let rules = rules();
    let commands = rules.iter().filter(|rule| rule.starts_with('+'));
    for missing in commands {
        let left: Vec<_> = rules
            .iter()
            .filter(|rule| *rule != missing)
            .copied()
            .collect();
        create(server, &left);
        server.run::<()>(&["FLUSHALL"]);
        // What cannot be stored is waited for until its lease is over.
        let cache = builder(server).lease(Duration::from_millis(30)).build();
        let cache = cache.await.unwrap();
        let source = Source::new();
        for _ in 0..3 {
            assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1, "{missing}");
            let refreshed = cache.scope(read(&source, 1).refreshed());
            assert_eq!(in_time(refreshed).await, 1, "{missing}");
            in_time(cache.scope(fail())).await.unwrap_err();
        }
        assert_eq!(
            in_time(cache.scope(write(&source, 1))).await,
            2,
            "{missing}"
        );
    }
    // With nothing missing the last of those caches would have worked.
    create(server, &rules);
    let cache = builder(server).build().await.unwrap();
    let source = Source::new();
    let hit = async || cache.scope(read(&source, 1).with_info()).await.1.status() == Status::Hit;
    eventually("a hit", hit).await;
}

async fn the_user_of_a_service_with_events_may_do_all_that_they_need(mut world: World) {
    let server = world.redis();
    create(server, &[rules(), rules_of_events()].concat());
    let cache = builder(server).event_stream(10).build().await.unwrap();
    let mut events = cache.events().await;
    let claim_after = Duration::from_millis(20);
    let consumer = Consumer::new("billing", "one").claim_after(claim_after);
    let mut durable = cache.durable_events(consumer).await;
    let _listener = cache.listen_for_invalidations("cache_invalidation").await;
    cache
        .invalidation()
        .key("a")
        .publish()
        .send()
        .await
        .unwrap();
    assert!(matches!(
        in_time(events.next()).await,
        Some(Notice::Invalidated(_))
    ));
    // The second one is the same, claimed again.
    let mut last = None;
    for _ in 0..2 {
        let Some(Notice::Invalidated(event)) = in_time(durable.next()).await else {
            panic!("no gap, but an event");
        };
        assert_eq!(event.keys, ["a"]);
        last = Some(event);
    }
    durable.ack(&last.unwrap()).await.unwrap();
    server.run::<()>(&["PUBLISH", "cache_invalidation", "user:1"]);
    let ingested = async || cache.stats().total().ingested_messages == 1;
    eventually("the message", ingested).await;
    assert_eq!(denied(server), [""; 0]);
}

async fn the_user_of_a_consumer_of_invalidations_may_do_all_that_it_needs(mut world: World) {
    const STREAM: &str = "cache_invalidations";
    let server = world.redis();
    let rules = [rules(), rules_of_consumers(), vec!["~cache_invalidations"]];
    create(server, &rules.concat());
    let cache = builder(server).build().await.unwrap();
    // Of two that somebody was given and has abandoned, one is gone.
    server.run::<()>(&["XGROUP", "CREATE", STREAM, "it", "0", "MKSTREAM"]);
    let [gone, _] = ["user:1", "user:2"]
        .map(|message| server.run::<String>(&["XADD", STREAM, "*", "message", message]));
    let read = ["XREADGROUP", "GROUP", "it", "gone", "STREAMS", STREAM, ">"];
    server.run::<redis::Value>(&read);
    server.run::<u64>(&["XDEL", STREAM, &gone]);
    let one = Consumer::new("it", "one").claim_after(Duration::from_millis(20));
    let _consumer = cache.consume_invalidations(STREAM, one).await;
    let ingested = async || cache.stats().total().ingested_messages == 1;
    eventually("the other one", ingested).await;
    server.run::<String>(&["XADD", STREAM, "*", "message", "user:3"]);
    let all = async || cache.stats().total().ingested_messages == 2;
    eventually("a new one", all).await;
    let stats = cache.stats().total();
    assert!(stats.ingestion_gaps > 0, "{stats:?}");
    assert_eq!(denied(server), [""; 0]);
}
