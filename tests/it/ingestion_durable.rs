//! Durable ingestion: what other programs ask for is done at least once, whoever crashes.

use std::time::Duration;

use cached_redis::events::{Consumer, InvalidationConsumer};
use cached_redis::testing::{Recorded, Recorder};
use cached_redis::{Cache, Invalidation, redis_cached, testing};

use crate::support::{
    RedisServer, Rows, Source, World, eventually, filled, in_time, on_both_stores, on_redis, tier,
};

on_both_stores!(
    what_was_asked_for_while_nobody_consumed_is_done,
    a_group_that_is_new_removes_the_whole_namespace,
    messages_that_cannot_be_understood_do_not_come_again_and_the_rest_is_served,
    no_read_after_a_consumed_invalidation_is_stale,
    what_a_crashed_consumer_was_given_is_done_by_another,
    a_cleared_namespace_loads_everything_anew,
);

on_redis!(
    an_entry_is_acknowledged_only_when_its_invalidation_is_confirmed,
    a_group_that_was_made_by_hand_removes_nothing,
    a_group_that_is_gone_is_not_made_before_the_namespace_is_removed,
    a_stream_that_is_gone_while_it_is_consumed_removes_the_whole_namespace,
    entries_that_were_cut_off_unread_remove_the_whole_namespace,
    what_was_cut_off_in_front_of_an_unacknowledged_entry_is_missed_by_the_next_of_its_name,
    what_was_cut_off_in_front_of_an_abandoned_entry_is_missed_by_who_takes_it_over,
    an_abandoned_entry_that_was_cut_off_is_missed_until_the_namespace_is_removed,
    a_deleted_entry_is_missed_until_the_namespace_is_removed,
    a_deleted_entry_among_others_is_missed_until_the_namespace_is_removed,
    what_is_cut_off_while_a_consumer_waits_removes_the_whole_namespace,
    of_many_entries_that_are_gone_the_namespace_is_removed_no_more_often,
    an_entry_without_a_message_is_refused_and_removes_nothing,
    a_namespace_that_cannot_be_cleared_is_bypassed_until_it_is,
);

const STREAM: &str = "cache_invalidations";
const SHORT: Duration = Duration::from_millis(10);
const AWHILE: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(600);

#[redis_cached(ttl = 60, key = "user:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "row:<id>", skip(rows))]
async fn read_row(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

async fn consume(cache: &Cache, name: &str) -> InvalidationConsumer {
    consume_after(cache, name, LONG).await
}

async fn consume_after(cache: &Cache, name: &str, idle: Duration) -> InvalidationConsumer {
    let consumer = Consumer::new("it", name).claim_after(idle);
    cache.consume_invalidations(STREAM, consumer).await
}

/// A consumer whose group is there, and has removed the namespace once.
async fn begin(world: &World, cache: &Cache) -> InvalidationConsumer {
    let consumer = consume(cache, "one").await;
    append(world, cache, "other:0").await;
    ingested(cache, 1).await;
    acknowledged(world).await;
    consumer
}

/// The same, which has ended.
async fn begin_and_end(world: &World, cache: &Cache) {
    let consumer = begin(world, cache).await;
    end(world, consumer).await;
}

/// Ends it, as the server knows too: else it would hand the next entry to it.
async fn end(world: &World, consumer: InvalidationConsumer) {
    drop(consumer);
    let nobody_waits = async || !world.servers().any(waits);
    eventually("the end of the consumer", nobody_waits).await;
}

/// Whether a consumer waits for something new.
fn waits(server: &RedisServer) -> bool {
    let clients: String = server.run(&["INFO", "clients"]);
    !clients.contains("blocked_clients:0")
}

/// Appends a message as any program does: past the cache.
async fn append(world: &World, cache: &Cache, message: &str) {
    match world.server() {
        Some(server) => server.run(&["XADD", STREAM, "*", "message", message]),
        None => testing::append(cache, STREAM, message).await.unwrap(),
    }
}

async fn ingested(cache: &Cache, messages: u64) {
    let all = async || cache.stats().total().ingested_messages >= messages;
    eventually("the messages", all).await;
}

async fn what_was_asked_for_while_nobody_consumed_is_done(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(&cache, 1).await;
    source.write();
    append(&world, &cache, "user:1").await;
    append(
        &world,
        &cache,
        r#"{"keys": ["user:2"], "tags": ["team:7"], "patterns": ["user:3*"]}"#,
    )
    .await;
    let _consumer = consume(&cache, "one").await;
    ingested(&cache, 3).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    assert_eq!(cache.stats().total().ingestion_gaps, 1);
}

/// Nobody knows what a stream has said that was lost together with its group.
async fn a_group_that_is_new_removes_the_whole_namespace(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    source.write();
    append(&world, &cache, "other:1").await;
    let _consumer = consume(&cache, "one").await;
    ingested(&cache, 1).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    assert_eq!(cache.stats().total().ingestion_gaps, 1);
}

async fn messages_that_cannot_be_understood_do_not_come_again_and_the_rest_is_served(world: World) {
    let cache = world.cache().await;
    let consumer = begin(&world, &cache).await;
    for odd in [
        "{",
        "{}",
        r##"{"keys": ["#tag:x"]}"##,
        r#"{"patterns": ["*"]}"#,
    ] {
        append(&world, &cache, odd).await;
    }
    append(&world, &cache, "user:1").await;
    ingested(&cache, 2).await;
    assert_eq!(cache.stats().total().malformed_messages, 4);
    acknowledged(&world).await;
    end(&world, consumer).await;
    let _again = consume(&cache, "one").await;
    append(&world, &cache, "user:2").await;
    ingested(&cache, 3).await;
    assert_eq!(cache.stats().total().malformed_messages, 4);
}

async fn no_read_after_a_consumed_invalidation_is_stale(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let _consumer = begin(&world, &here).await;
    let rows = Rows::new(4);
    let readers = rows.readers(&there, 3, async |rows, id| read_row(&rows, id).await);
    for message in 1..=tier(30, 100) {
        let id = fastrand::usize(rows.ids());
        let version = rows.write(id);
        append(&world, &here, &format!("row:{id}")).await;
        ingested(&here, message + 1).await;
        rows.acknowledge(id, version);
    }
    readers.stop().await;
}

async fn what_a_crashed_consumer_was_given_is_done_by_another(world: World) {
    let (crashing, other) = (world.cache().await, world.cache().await);
    begin_and_end(&world, &crashing).await;
    for number in 0..200 {
        append(&world, &crashing, &format!("key:{number}")).await;
    }
    let consumer = consume(&crashing, "one").await;
    ingested(&crashing, 2).await;
    drop(consumer);
    let _consumer = consume_after(&other, "two", SHORT).await;
    // The first one may have ended what it was about when it was dropped.
    let caches = [&crashing, &other];
    let ingested = || caches.map(|cache| cache.stats().total().ingested_messages);
    let all = async || ingested().iter().sum::<u64>() > 200;
    eventually("all that is left", all).await;
    acknowledged(&world).await;
    assert_eq!(other.stats().total().ingestion_gaps, 0);
}

async fn a_cleared_namespace_loads_everything_anew(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 0..20 {
        cache.scope(read(&source, id)).await;
    }
    filled(&cache, 20).await;
    source.write();
    assert_eq!(cache.clear_namespace().await.unwrap(), Invalidation::Done);
    for id in 0..20 {
        assert_eq!(cache.scope(read(&source, id)).await, 2);
    }
}

async fn an_entry_is_acknowledged_only_when_its_invalidation_is_confirmed(world: World) {
    let cache = world.cache().await;
    let _consumer = begin(&world, &cache).await;
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
    append(&world, &cache, "user:1").await;
    let deferred = async || cache.stats().total().deferred_invalidations >= 2;
    eventually("a second attempt", deferred).await;
    assert_eq!(pending(&world), 1);
    assert_eq!(cache.stats().total().ingested_messages, 1);
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
    ingested(&cache, 2).await;
    acknowledged(&world).await;
}

async fn a_group_that_was_made_by_hand_removes_nothing(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.server().unwrap();
    server.run::<()>(&["XGROUP", "CREATE", STREAM, "it", "0", "MKSTREAM"]);
    source.write();
    let _consumer = consume(&cache, "one").await;
    append(&world, &cache, "other:1").await;
    ingested(&cache, 1).await;
    assert_eq!(cache.stats().total().ingestion_gaps, 0);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
}

async fn a_group_that_is_gone_is_not_made_before_the_namespace_is_removed(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    let server = world.server().unwrap();
    server.run::<u64>(&["DEL", STREAM]);
    crash_before_it_is_removed(&world, "one", LONG, async |_| {}).await;
    assert_eq!(server.run::<u64>(&["EXISTS", STREAM]), 0);
    assert_removed(&world, &cache, "one", &source).await;
}

async fn a_stream_that_is_gone_while_it_is_consumed_removes_the_whole_namespace(world: World) {
    let recorder = Recorder::new();
    let cache = world.builder().recorder(recorder.clone()).build();
    let cache = cache.await.unwrap();
    let _consumer = begin(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    world.server().unwrap().run::<u64>(&["DEL", STREAM]);
    in_time(recorder.wait_for(Recorded::ConsumptionGap, 2)).await;
    append(&world, &cache, "other:1").await;
    ingested(&cache, 2).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

async fn entries_that_were_cut_off_unread_remove_the_whole_namespace(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    append(&world, &cache, "user:1").await;
    append(&world, &cache, "other:1").await;
    cut(&world);
    crash_before_it_is_removed(&world, "one", LONG, async |_| {}).await;
    assert_removed(&world, &cache, "one", &source).await;
    assert_eq!(cache.stats().total().ingestion_gaps, 2);
}

/// As it is when a consumer has read over the hole, and crashes.
async fn with_a_hole_before_what_is_pending(world: &World, cache: &Cache) -> Source {
    begin_and_end(world, cache).await;
    let source = outdated(world, cache).await;
    append(world, cache, "user:1").await;
    append(world, cache, "other:1").await;
    cut(world);
    hand_out(world);
    source
}

async fn what_was_cut_off_in_front_of_an_unacknowledged_entry_is_missed_by_the_next_of_its_name(
    world: World,
) {
    let cache = world.cache().await;
    let source = with_a_hole_before_what_is_pending(&world, &cache).await;
    assert_removed(&world, &cache, "one", &source).await;
}

async fn what_was_cut_off_in_front_of_an_abandoned_entry_is_missed_by_who_takes_it_over(
    world: World,
) {
    let cache = world.cache().await;
    let source = with_a_hole_before_what_is_pending(&world, &cache).await;
    let _consumer = consume_after(&cache, "two", SHORT).await;
    ingested(&cache, 2).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

/// Whoever takes it over finds that it is gone. All at one moment, so that it is
/// handed to the one who does not see it.
async fn an_abandoned_entry_that_was_cut_off_is_missed_until_the_namespace_is_removed(
    world: World,
) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    let abandon = "redis.call('XADD', KEYS[1], '*', 'message', 'user:1')
        local last = redis.call('XADD', KEYS[1], '*', 'message', 'other:1')
        redis.call('XREADGROUP', 'GROUP', 'it', 'one', 'STREAMS', KEYS[1], '>')
        redis.call('XACK', KEYS[1], 'it', last)
        return redis.call('XTRIM', KEYS[1], 'MAXLEN', 1)";
    crash_before_it_is_removed(&world, "two", AWHILE, async |server| {
        // It waits for something new, and has looked at what is abandoned just before.
        eventually("it waits", async || waits(server)).await;
        server.run::<u64>(&["EVAL", abandon, "1", STREAM]);
    })
    .await;
    assert_removed(&world, &cache, "two", &source).await;
}

async fn a_deleted_entry_is_missed_until_the_namespace_is_removed(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    let server = world.server().unwrap();
    let id: String = server.run(&["XADD", STREAM, "*", "message", "user:1"]);
    hand_out(&world);
    server.run::<u64>(&["XDEL", STREAM, &id]);
    crash_before_it_is_removed(&world, "one", LONG, async |_| {}).await;
    assert_eq!(pending(&world), 1);
    assert_removed(&world, &cache, "one", &source).await;
}

async fn a_deleted_entry_among_others_is_missed_until_the_namespace_is_removed(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    let server = world.server().unwrap();
    let [first, deleted, last] = ["other:1", "user:1", "other:2"]
        .map(|message| server.run::<String>(&["XADD", STREAM, "*", "message", message]));
    hand_out(&world);
    server.run::<u64>(&["XACK", STREAM, "it", &first, &last]);
    server.run::<u64>(&["XDEL", STREAM, &deleted]);
    crash_before_it_is_removed(&world, "two", SHORT, async |_| {}).await;
    assert_eq!(pending(&world), 1);
    assert_removed(&world, &cache, "one", &source).await;
}

async fn what_is_cut_off_while_a_consumer_waits_removes_the_whole_namespace(world: World) {
    let cache = world.cache().await;
    let _consumer = begin(&world, &cache).await;
    let source = outdated(&world, &cache).await;
    let server = world.server().unwrap();
    eventually("it waits", async || waits(server)).await;
    let cut = "redis.call('XADD', KEYS[1], '*', 'message', 'user:1')
        redis.call('XADD', KEYS[1], '*', 'message', 'other:1')
        return redis.call('XTRIM', KEYS[1], 'MAXLEN', 1)";
    server.run::<u64>(&["EVAL", cut, "1", STREAM]);
    ingested(&cache, 2).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    assert_eq!(cache.stats().total().ingestion_gaps, 2);
}

async fn of_many_entries_that_are_gone_the_namespace_is_removed_no_more_often(world: World) {
    let cache = world.cache().await;
    begin_and_end(&world, &cache).await;
    for number in 0..10 {
        append(&world, &cache, &format!("other:{number}")).await;
    }
    hand_out(&world);
    let server = world.server().unwrap();
    server.run::<u64>(&["XTRIM", STREAM, "MAXLEN", "0"]);
    let _consumer = consume(&cache, "one").await;
    acknowledged(&world).await;
    // At first, at the second start, as there is a hole, and of what it was given.
    assert_eq!(cache.stats().total().ingestion_gaps, 3);
}

/// What `user:1` is loaded from has changed since it was stored.
async fn outdated(world: &World, cache: &Cache) -> Source {
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    let server = world.server().unwrap();
    let stored = async || server.run::<u64>(&["EXISTS", "it:user:1"]) == 1;
    eventually("the entry", stored).await;
    source.write();
    source
}

/// Leaves the newest entry alone.
fn cut(world: &World) {
    let server = world.server().unwrap();
    server.run::<u64>(&["XTRIM", STREAM, "MAXLEN", "1"]);
}

/// Hands all that is left to the consumer `one`, who never sees it.
fn hand_out(world: &World) {
    let server = world.server().unwrap();
    let read = ["XREADGROUP", "GROUP", "it", "one", "STREAMS", STREAM, ">"];
    server.run::<redis::Value>(&read);
}

/// A consumer that finds the gap, cannot remove anything, and ends.
async fn crash_before_it_is_removed(
    world: &World,
    name: &str,
    idle: Duration,
    meanwhile: impl AsyncFnOnce(&RedisServer),
) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-scan"]);
    let cache = world.cache().await;
    let consumer = consume_after(&cache, name, idle).await;
    meanwhile(server).await;
    let tried = async || cache.stats().total().deferred_invalidations > 0;
    eventually("an attempt", tried).await;
    drop((consumer, cache));
    server.run::<()>(&["ACL", "SETUSER", "default", "+scan"]);
}

async fn assert_removed(world: &World, cache: &Cache, name: &str, source: &Source) {
    let before = cache.stats().total().ingested_messages;
    let _consumer = consume(cache, name).await;
    append(world, cache, "last:1").await;
    ingested(cache, before + 1).await;
    // Whoever could not remove it may have left a bar behind, that hides it for a while.
    let server = world.server().unwrap();
    assert_eq!(server.run::<u64>(&["EXISTS", "it:user:1"]), 0);
    assert_eq!(cache.scope(read(source, 1)).await, 2);
}

async fn an_entry_without_a_message_is_refused_and_removes_nothing(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let _consumer = begin(&world, &cache).await;
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.server().unwrap();
    server.run::<String>(&["XADD", STREAM, "*", "key", "user:1"]);
    append(&world, &cache, "user:2").await;
    ingested(&cache, 2).await;
    let total = cache.stats().total();
    assert_eq!((total.malformed_messages, total.ingestion_gaps), (1, 1));
    source.write();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
}

async fn a_namespace_that_cannot_be_cleared_is_bypassed_until_it_is(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    source.write();
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-scan"]);
    assert_eq!(
        cache.clear_namespace().await.unwrap(),
        Invalidation::Deferred
    );
    assert!(cache.stats().pending_invalidations().namespace);
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    server.run::<()>(&["ACL", "SETUSER", "default", "+scan"]);
    in_time(cache.flush()).await.unwrap();
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

/// How many entries are still to be acknowledged.
fn pending(world: &World) -> u64 {
    type Summary = (
        u64,
        Option<String>,
        Option<String>,
        Option<Vec<(String, u64)>>,
    );
    let mut ask = redis::cmd("XPENDING");
    ask.arg(STREAM).arg("it");
    // Of a cluster, one has the stream.
    let answers = world
        .servers()
        .map(|server| ask.query(&mut server.connect()));
    let pending = answers.filter_map(|answer: redis::RedisResult<Summary>| answer.ok());
    pending.map(|(pending, ..)| pending).sum()
}

async fn acknowledged(world: &World) {
    eventually("all are acknowledged", async || pending(world) == 0).await;
}
