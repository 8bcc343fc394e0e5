//! Durable events: what a service missed while it was down waits for it.

use std::time::Duration;

use cached_redis::events::{Consumer, DurableEvents, Invalidated, Notice};
use cached_redis::{Builder, Cache};

use crate::support::{
    Forwarder, RedisServer, World, eventually, in_time, on_both_stores, on_redis,
};

on_both_stores!(
    a_thousand_events_published_while_the_consumer_is_down_all_come_in_order,
    a_thousand_events_and_a_consumer_that_crashes_half_way_all_come,
    what_was_not_acknowledged_comes_again_to_the_consumer_of_the_same_name,
    what_a_crashed_consumer_had_is_given_to_another_one,
    consumers_of_a_group_share_and_groups_do_not,
    a_new_group_begins_with_the_next_event_or_with_the_oldest,
    what_the_stream_has_lost_is_told_as_a_gap,
    a_consumer_that_keeps_up_is_told_of_no_gap,
    without_a_stream_there_is_nothing_to_miss,
);

on_redis!(
    an_event_that_is_refused_again_and_again_comes_once,
    a_cleared_namespace_keeps_its_events,
    a_consumer_goes_on_after_its_connection_was_cut,
    a_stream_that_was_deleted_is_told_as_a_gap,
    what_is_no_event_is_a_gap_that_does_not_come_again,
    a_consumer_that_comes_before_the_server_waits_for_it,
);

const LONG: Duration = Duration::from_secs(600);

fn builder(world: &World) -> Builder {
    world.builder().event_stream(5000)
}

async fn cache(world: &World) -> Cache {
    builder(world).build().await.unwrap()
}

fn consumer(group: &str, name: &str) -> Consumer {
    Consumer::new(group, name).claim_after(LONG)
}

async fn billing(cache: &Cache) -> DurableEvents {
    cache.durable_events(consumer("billing", "one")).await
}

async fn publish(cache: &Cache, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let key = format!("key:{number}");
        cache
            .invalidation()
            .key(key)
            .publish()
            .send()
            .await
            .unwrap();
    }
}

async fn heard(events: &mut DurableEvents) -> Notice {
    in_time(events.next()).await.expect("there will be more")
}

async fn next(events: &mut DurableEvents) -> Invalidated {
    match heard(events).await {
        Notice::Invalidated(event) => event,
        other => panic!("{other:?}"),
    }
}

fn number(event: &Invalidated) -> usize {
    let number = event.keys[0].strip_prefix("key:");
    number.expect("a key of ours").parse().unwrap()
}

/// Exactly these come, in this order, and are acknowledged.
async fn expect(events: &mut DurableEvents, numbers: std::ops::Range<usize>) {
    for expected in numbers {
        let event = next(events).await;
        assert_eq!(number(&event), expected);
        events.ack(&event).await.unwrap();
    }
}

async fn a_thousand_events_published_while_the_consumer_is_down_all_come_in_order(world: World) {
    let cache = cache(&world).await;
    let mut events = billing(&cache).await;
    publish(&cache, 0..1).await;
    expect(&mut events, 0..1).await;
    drop(events);
    publish(&cache, 1..1001).await;
    let mut events = billing(&cache).await;
    expect(&mut events, 1..1001).await;
    publish(&cache, 1001..1002).await;
    expect(&mut events, 1001..1002).await;
}

async fn a_thousand_events_and_a_consumer_that_crashes_half_way_all_come(world: World) {
    let cache = cache(&world).await;
    drop(billing(&cache).await);
    publish(&cache, 0..1000).await;
    let mut events = billing(&cache).await;
    expect(&mut events, 0..500).await;
    drop(events);
    expect(&mut billing(&cache).await, 500..1000).await;
}

async fn what_was_not_acknowledged_comes_again_to_the_consumer_of_the_same_name(world: World) {
    let cache = cache(&world).await;
    let mut events = billing(&cache).await;
    publish(&cache, 0..3).await;
    let first = next(&mut events).await;
    let second = next(&mut events).await;
    assert_eq!(number(&first), 0);
    events.ack(&second).await.unwrap();
    drop(events);
    let mut events = billing(&cache).await;
    let again = next(&mut events).await;
    assert_eq!(again, first);
    events.ack(&again).await.unwrap();
    expect(&mut events, 2..3).await;
}

async fn what_a_crashed_consumer_had_is_given_to_another_one(world: World) {
    let cache = cache(&world).await;
    let mut crashing = billing(&cache).await;
    publish(&cache, 0..2).await;
    assert_eq!(number(&next(&mut crashing).await), 0);
    drop(crashing);
    let other = consumer("billing", "two").claim_after(Duration::from_millis(20));
    let mut events = cache.durable_events(other).await;
    let mut missing = vec![0, 1];
    while !missing.is_empty() {
        let event = next(&mut events).await;
        missing.retain(|missing| *missing != number(&event));
        events.ack(&event).await.unwrap();
    }
}

async fn consumers_of_a_group_share_and_groups_do_not(world: World) {
    let cache = cache(&world).await;
    let mut audit = cache.durable_events(consumer("audit", "one")).await;
    let mut one = billing(&cache).await;
    let mut two = cache.durable_events(consumer("billing", "two")).await;
    publish(&cache, 0..300).await;
    expect(&mut audit, 0..300).await;
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let notice = tokio::select! {
            notice = in_time(one.next()) => notice,
            notice = in_time(two.next()) => notice,
        };
        let Some(Notice::Invalidated(event)) = notice else {
            panic!("{notice:?}");
        };
        one.ack(&event).await.unwrap();
        seen.push(number(&event));
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..300), "each came once");
}

async fn a_new_group_begins_with_the_next_event_or_with_the_oldest(world: World) {
    let cache = cache(&world).await;
    publish(&cache, 0..3).await;
    let mut late = billing(&cache).await;
    let all = consumer("audit", "one").from_start();
    let mut all = cache.durable_events(all).await;
    publish(&cache, 3..5).await;
    expect(&mut late, 3..5).await;
    expect(&mut all, 0..5).await;
}

async fn what_the_stream_has_lost_is_told_as_a_gap(world: World) {
    let cache = world.builder().event_stream(100).build().await.unwrap();
    let mut events = billing(&cache).await;
    publish(&cache, 0..10).await;
    expect(&mut events, 0..10).await;
    drop(events);
    publish(&cache, 10..1000).await;
    let mut events = billing(&cache).await;
    assert_eq!(heard(&mut events).await, Notice::Gap);
    // One that was handed to the consumer at the very moment of its end is told by itself.
    let first = loop {
        if let Notice::Invalidated(event) = heard(&mut events).await {
            break event;
        }
    };
    assert!((100..=900).contains(&number(&first)), "{first:?}");
    expect(&mut events, number(&first) + 1..1000).await;
}

async fn a_consumer_that_keeps_up_is_told_of_no_gap(world: World) {
    let cache = world.builder().event_stream(100).build().await.unwrap();
    let mut events = billing(&cache).await;
    for round in 0..20 {
        let numbers = round * 50..(round + 1) * 50;
        publish(&cache, numbers.clone()).await;
        expect(&mut events, numbers).await;
    }
}

async fn a_cleared_namespace_keeps_its_events(world: World) {
    // Too many keys are deferred to be kept one by one: the replay removes the whole namespace.
    let server = world.server().unwrap();
    let cache = builder(&world).journal_keys(2).build().await.unwrap();
    drop(billing(&cache).await);
    publish(&cache, 0..1).await;
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
    cache
        .invalidation()
        .keys(["a", "b", "c"])
        .send()
        .await
        .unwrap();
    assert_eq!(cache.stats().total().deferred_invalidations, 3);
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
    in_time(cache.flush()).await.unwrap();
    expect(&mut billing(&cache).await, 0..1).await;
}

async fn without_a_stream_there_is_nothing_to_miss(world: World) {
    let quiet = world.cache().await;
    let mut events = billing(&quiet).await;
    quiet
        .invalidation()
        .key("key:7")
        .publish()
        .send()
        .await
        .unwrap();
    publish(&cache(&world).await, 8..9).await;
    expect(&mut events, 8..9).await;
}

async fn a_consumer_goes_on_after_its_connection_was_cut(mut world: World) {
    let cache = cache(&world).await;
    let forwarder = Forwarder::to(world.redis()).await;
    let there = builder(&world).url(forwarder.url()).build().await.unwrap();
    let mut events = billing(&there).await;
    let publishing = tokio::spawn({
        let cache = cache.clone();
        async move { publish(&cache, 0..1000).await }
    });
    for number in 0..1000 {
        if number % 200 == 100 {
            forwarder.cut();
        }
        assert_eq!(self::number(&next(&mut events).await), number);
    }
    publishing.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_events_survive_a_restart_of_a_server_that_writes_them_down() {
    let mut server = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let builder = Cache::builder().url(server.url()).namespace("it");
    let builder = builder.deadline(Duration::from_secs(20));
    let cache = builder.event_stream(5000).build().await.unwrap();
    let mut events = billing(&cache).await;
    publish(&cache, 0..1000).await;
    expect(&mut events, 0..400).await;
    server.kill();
    server.restart();
    let mut next_one = async || {
        let event = next(&mut events).await;
        // The shared connection may still be on its way back.
        while events.ack(&event).await.is_err() {
            tokio::task::yield_now().await;
        }
        number(&event)
    };
    for number in 400..1000 {
        assert_eq!(next_one().await, number);
    }
}

async fn a_stream_that_was_deleted_is_told_as_a_gap(mut world: World) {
    let cache = cache(&world).await;
    let mut events = billing(&cache).await;
    publish(&cache, 0..3).await;
    expect(&mut events, 0..3).await;
    world.redis().run::<()>(&["FLUSHALL"]);
    assert_eq!(heard(&mut events).await, Notice::Gap);
    publish(&cache, 3..5).await;
    expect(&mut events, 3..5).await;
}

async fn what_is_no_event_is_a_gap_that_does_not_come_again(mut world: World) {
    let cache = cache(&world).await;
    let mut events = billing(&cache).await;
    let server = world.redis();
    for field in ["event", "other"] {
        server.run::<()>(&["XADD", "it:#stream", "*", field, "from a later version"]);
        assert_eq!(heard(&mut events).await, Notice::Gap);
    }
    publish(&cache, 0..1).await;
    expect(&mut events, 0..1).await;
    drop(events);
    // Else the next event could still go to the read that it has left there.
    let clients = || server.run::<String>(&["INFO", "clients"]);
    eventually("the end of its read", async || {
        clients().contains("blocked_clients:0")
    })
    .await;
    let mut events = billing(&cache).await;
    publish(&cache, 1..2).await;
    expect(&mut events, 1..2).await;
}

async fn a_consumer_that_comes_before_the_server_waits_for_it(mut world: World) {
    world.redis().kill();
    let late = cache(&world).await;
    let mut events = billing(&late).await;
    world.redis().restart();
    assert_eq!(heard(&mut events).await, Notice::Gap);
    // Acknowledgements go by the cache's own connection.
    let connected = async || late.stats().store().connected;
    eventually("a connection", connected).await;
    publish(&cache(&world).await, 0..2).await;
    expect(&mut events, 0..2).await;
}

async fn an_event_that_is_refused_again_and_again_comes_once(world: World) {
    let flush_timeout = Duration::from_millis(50);
    let builder = builder(&world).flush_timeout(flush_timeout);
    let cache = builder.build().await.unwrap();
    let mut events = billing(&cache).await;
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-publish"]);
    publish(&cache, 0..1).await;
    for _ in 0..3 {
        cache.flush().await.unwrap_err();
    }
    server.run::<()>(&["ACL", "SETUSER", "default", "+publish"]);
    eventually("nothing waits", async || cache.flush().await.is_ok()).await;
    publish(&cache, 1..2).await;
    expect(&mut events, 0..2).await;
}
