//! Events: what one service invalidates, all others hear of, and never too early.

use std::time::Duration;

use cached_redis::events::{Events, Invalidated, Notice};
use cached_redis::{Cache, Invalidation, invalidates, redis_cached};

use crate::support::{
    Forwarder, Rows, Source, World, eventually, filled, in_time, on_both_stores, on_redis,
};

on_both_stores!(
    an_event_says_what_was_invalidated_and_by_whom,
    every_listener_of_the_namespace_hears_an_event,
    a_writer_without_publish_publishes_nothing,
    whoever_reads_on_an_event_never_sees_the_old_value,
    a_guarded_write_is_published_at_its_end,
    a_write_in_two_phases_by_hand_is_published_if_asked,
    an_event_of_a_dropped_caller_is_published,
    an_event_does_not_wait_for_the_open_transaction_of_somebody_else,
    a_listener_that_is_too_slow_is_told_of_a_gap,
);

on_redis!(
    what_is_no_event_is_a_gap,
    the_event_of_a_deferred_invalidation_comes_after_its_replay,
    an_event_that_is_not_confirmed_is_sent_again_and_flush_waits_for_it,
    events_that_there_is_no_room_for_are_counted_as_lost,
    a_listener_connects_again_and_is_told_of_the_gap,
    a_listener_that_comes_before_the_server_is_told_of_the_gap,
    a_listener_notices_a_server_that_has_vanished,
    an_event_is_one_more_round_trip,
);

#[redis_cached(ttl = 60, key = "events:<id>", skip(rows))]
async fn read(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

#[invalidates("events:<id>", publish)]
async fn write(rows: &Rows, id: usize) -> u64 {
    rows.write(id)
}

#[invalidates("events:<id>")]
async fn write_quietly(rows: &Rows, id: usize) -> u64 {
    rows.write(id)
}

#[invalidates("events:<id>", guard, publish, cache = cache)]
async fn write_guarded(cache: &Cache, rows: &Rows, id: usize) -> u64 {
    rows.write(id)
}

#[invalidates("events:held", publish)]
async fn write_held(source: &Source) -> u64 {
    source.load().await
}

async fn heard(events: &mut Events) -> Notice {
    in_time(events.next()).await.expect("there will be more")
}

async fn invalidated(events: &mut Events) -> Invalidated {
    match heard(events).await {
        Notice::Invalidated(event) => event,
        other => panic!("{other:?}"),
    }
}

/// What an event that ends a test says: there was none before it.
async fn nothing_before(events: &mut Events, cache: &Cache) {
    cache
        .invalidation()
        .key("last")
        .publish()
        .send()
        .await
        .unwrap();
    assert_eq!(invalidated(events).await.keys, ["last"]);
}

async fn an_event_says_what_was_invalidated_and_by_whom(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let mut events = there.events().await;
    let before = std::time::SystemTime::now() - Duration::from_secs(60);
    let done = here
        .invalidation()
        .keys(["a:1", "b:2"])
        .publish()
        .send()
        .await;
    assert_eq!(done.unwrap(), Invalidation::Done);
    let event = invalidated(&mut events).await;
    assert_eq!(event.keys, ["a:1", "b:2"]);
    assert!(event.tags.is_empty() && event.patterns.is_empty());
    assert_eq!(event.by, here.source());
    assert_ne!(event.by, there.source());
    assert!(event.at > before && event.at < before + Duration::from_secs(600));

    here.invalidation()
        .key("a:1")
        .publish()
        .send()
        .await
        .unwrap();
    let next = invalidated(&mut events).await;
    assert_ne!(next.id, event.id);
    assert_eq!(here.stats().total().published_events, 2);
}

async fn every_listener_of_the_namespace_hears_an_event(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let elsewhere = world.builder().namespace("other").build().await.unwrap();
    let mut all = [
        here.events().await,
        here.events().await,
        there.events().await,
    ];
    let mut others = elsewhere.events().await;
    here.scope(write(&Rows::new(1), 0)).await;
    for events in &mut all {
        assert_eq!(invalidated(events).await.keys, ["events:0"]);
    }
    nothing_before(&mut others, &elsewhere).await;
}

async fn a_writer_without_publish_publishes_nothing(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    cache.scope(write_quietly(&Rows::new(1), 0)).await;
    cache.invalidate("a").await.unwrap();
    cache
        .invalidation()
        .keys([""; 0])
        .publish()
        .send()
        .await
        .unwrap();
    nothing_before(&mut events, &cache).await;
    assert_eq!(
        cache
            .stats()
            .function("write_quietly")
            .unwrap()
            .published_events,
        0
    );
}

async fn whoever_reads_on_an_event_never_sees_the_old_value(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let rows = Rows::new(8);
    let readers = rows.readers(&there, 2, async |rows, id| read(&rows, id).await);
    let mut events = there.events().await;
    let writer = tokio::spawn({
        let rows = rows.clone();
        async move {
            for _ in 0..100 {
                let id = fastrand::usize(rows.ids());
                here.scope(write(&rows, id)).await;
            }
            here.invalidation()
                .key("last")
                .publish()
                .send()
                .await
                .unwrap();
        }
    });
    // One writer, so the events come in the order of the writes.
    let mut least = [1; 8];
    loop {
        let event = invalidated(&mut events).await;
        let Some(id) = event.keys[0].strip_prefix("events:") else {
            break;
        };
        let id: usize = id.parse().unwrap();
        least[id] += 1;
        assert!(there.scope(read(&rows, id)).await >= least[id]);
    }
    writer.await.unwrap();
    readers.stop().await;
}

async fn a_guarded_write_is_published_at_its_end(world: World) {
    let cache = world.builder().guarded(true).build().await.unwrap();
    let mut events = cache.events().await;
    let rows = Rows::new(1);
    write_guarded(&cache, &rows, 0).await;
    assert_eq!(invalidated(&mut events).await.keys, ["events:0"]);
    nothing_before(&mut events, &cache).await;
}

async fn a_write_in_two_phases_by_hand_is_published_if_asked(world: World) {
    let cache = world.builder().guarded(true).build().await.unwrap();
    let mut events = cache.events().await;
    let quiet = cache.begin_write(["a"]).await.unwrap();
    quiet.finish().await.unwrap();
    let loud = cache.begin_write(["b"]).await.unwrap().publish();
    loud.finish().await.unwrap();
    assert_eq!(invalidated(&mut events).await.keys, ["b"]);
    let dropped = cache.begin_write(["c"]).await.unwrap().publish();
    drop(dropped);
    assert_eq!(invalidated(&mut events).await.keys, ["c"]);
}

async fn an_event_of_a_dropped_caller_is_published(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    let source = Source::held();
    let caller = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move { cache.scope(write_held(&source)).await }
    });
    source.begun(1).await;
    caller.abort();
    assert_eq!(invalidated(&mut events).await.keys, ["events:held"]);
}

async fn an_event_does_not_wait_for_the_open_transaction_of_somebody_else(world: World) {
    let (cache, rows) = (world.cache().await, Rows::new(1));
    let mut events = cache.events().await;
    let open = cache.after_commit();
    open.scope(cache.scope(write_quietly(&rows, 0))).await;

    cache.scope(write(&rows, 0)).await;
    assert_eq!(cache.stats().total().deferred_events, 0);
    assert_eq!(invalidated(&mut events).await.keys, ["events:0"]);
    assert_eq!(open.commit().await.unwrap(), Invalidation::Done);
}

async fn a_listener_that_is_too_slow_is_told_of_a_gap(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    let many = 6000;
    for number in 0..many {
        let key = format!("slow:{number}");
        cache
            .invalidation()
            .key(key)
            .publish()
            .send()
            .await
            .unwrap();
    }
    let mut seen = 0;
    let mut gap = false;
    while !gap {
        match heard(&mut events).await {
            Notice::Gap => gap = true,
            _ => seen += 1,
        }
    }
    assert!(seen < many);
}

async fn what_is_no_event_is_a_gap(world: World) {
    let cache = world.cache().await;
    let mut events = cache.events().await;
    let server = world.server().unwrap();
    server.run::<()>(&["PUBLISH", "it:#events", "from a later version"]);
    assert_eq!(heard(&mut events).await, Notice::Gap);
    nothing_before(&mut events, &cache).await;
}

/// Lets the server do everything but these commands.
fn refuse(world: &World, command: &str) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", &format!("-{command}")]);
}

fn allow(world: &World, command: &str) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", &format!("+{command}")]);
}

async fn the_event_of_a_deferred_invalidation_comes_after_its_replay(world: World) {
    let (here, there) = (world.cache().await, world.cache().await);
    let rows = Rows::new(1);
    here.scope(read(&rows, 0)).await;
    filled(&here, 1).await;
    let mut events = there.events().await;
    refuse(&world, "unlink");
    here.scope(write(&rows, 0)).await;
    let pending = here.stats().pending_invalidations();
    assert_eq!((pending.keys, pending.events), (1, 1));
    let stats = here.stats().total();
    assert_eq!((stats.deferred_events, stats.published_events), (1, 0));

    allow(&world, "unlink");
    assert_eq!(invalidated(&mut events).await.keys, ["events:0"]);
    assert_eq!(there.scope(read(&rows, 0)).await, 2);
    in_time(here.flush()).await.unwrap();
    assert!(here.stats().pending_invalidations().is_empty());
    assert_eq!(
        here.stats()
            .function("events::write")
            .unwrap()
            .published_events,
        1
    );
}

async fn an_event_that_is_not_confirmed_is_sent_again_and_flush_waits_for_it(world: World) {
    let flush_timeout = Duration::from_millis(50);
    let builder = world.builder().flush_timeout(flush_timeout);
    let cache = builder.build().await.unwrap();
    let mut events = cache.events().await;
    refuse(&world, "publish");
    let done = cache
        .invalidation()
        .key("a")
        .publish()
        .send()
        .await
        .unwrap();
    assert_eq!(done, Invalidation::Done);
    assert_eq!(cache.stats().total().deferred_events, 1);
    let unflushed = cache.flush().await.unwrap_err().to_string();
    assert!(unflushed.contains("1 event"), "{unflushed}");

    allow(&world, "publish");
    assert_eq!(invalidated(&mut events).await.keys, ["a"]);
    eventually("nothing waits", async || cache.flush().await.is_ok()).await;
}

async fn events_that_there_is_no_room_for_are_counted_as_lost(world: World) {
    let cache = world.builder().journal_keys(1).build().await.unwrap();
    let mut events = cache.events().await;
    refuse(&world, "publish");
    for key in ["a", "b", "c"] {
        cache
            .invalidation()
            .key(key)
            .publish()
            .send()
            .await
            .unwrap();
    }
    let stats = cache.stats().total();
    assert_eq!((stats.deferred_events, stats.lost_events), (1, 2));
    allow(&world, "publish");
    assert_eq!(invalidated(&mut events).await.keys, ["a"]);
    in_time(cache.flush()).await.unwrap();
    nothing_before(&mut events, &cache).await;
}

async fn a_listener_connects_again_and_is_told_of_the_gap(mut world: World) {
    let cache = world.cache().await;
    let forwarder = Forwarder::to(world.redis()).await;
    let listening = world.builder().url(forwarder.url()).build().await.unwrap();
    let mut events = listening.events().await;
    cache
        .invalidation()
        .key("before")
        .publish()
        .send()
        .await
        .unwrap();
    assert_eq!(invalidated(&mut events).await.keys, ["before"]);
    forwarder.cut();
    assert_eq!(heard(&mut events).await, Notice::Gap);
    cache
        .invalidation()
        .key("after")
        .publish()
        .send()
        .await
        .unwrap();
    assert_eq!(invalidated(&mut events).await.keys, ["after"]);
}

async fn a_listener_that_comes_before_the_server_is_told_of_the_gap(mut world: World) {
    world.redis().kill();
    let cache = world.cache().await;
    let mut events = cache.events().await;
    world.redis().restart();
    assert_eq!(heard(&mut events).await, Notice::Gap);
    let connected = async || cache.stats().store().connected;
    eventually("a connection", connected).await;
    nothing_before(&mut events, &cache).await;
}

async fn a_listener_notices_a_server_that_has_vanished(mut world: World) {
    let forwarder = Forwarder::to(world.redis()).await;
    let cache = world.builder().url(forwarder.url()).build().await.unwrap();
    let mut events = cache.events().await;
    let before = forwarder.accepted();
    forwarder.black_hole(true);
    let again = async || forwarder.accepted() > before;
    eventually("another attempt", again).await;
    forwarder.black_hole(false);
    assert_eq!(heard(&mut events).await, Notice::Gap);
}

async fn an_event_is_one_more_round_trip(mut world: World) {
    let cache = world.builder().event_stream(100).build().await.unwrap();
    let server = world.redis();
    server.reset_commands();
    cache
        .invalidation()
        .keys(["a", "b"])
        .publish()
        .send()
        .await
        .unwrap();
    let commands: Vec<_> = server.commands().into_iter().collect();
    let one = |name: &str| (name.to_owned(), 1);
    let all = ["exec", "multi", "publish", "unlink", "xadd"];
    assert_eq!(commands, all.map(one));
}
