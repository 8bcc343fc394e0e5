//! What an operation costs the server, by the names of the commands that were run.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached, write_through};

use crate::support::{
    RedisServer, Source, World, eventually, expired, filled, on_redis, until_stale,
};

on_redis!(
    a_hit_is_one_get,
    a_miss_with_its_fill_is_one_get_one_set_and_one_script,
    of_many_misses_in_a_row_the_later_ones_are_not_looked_for_first,
    a_refresh_is_one_get_and_one_script,
    an_invalidation_is_one_unlink,
    a_guarded_write_and_a_write_through_are_two_scripts_each,
    a_failed_load_releases_its_lease_by_one_script,
    an_uncached_call_is_nothing,
    a_refresh_behind_a_caller_is_one_get_one_set_and_two_scripts,
    a_hit_of_a_function_that_refreshes_is_one_get,
    a_stale_answer_while_a_load_runs_behind_is_one_get,
    a_waiter_of_a_load_of_50_ms_sends_at_most_12_commands,
    a_stale_hit_while_the_source_is_left_alone_is_one_get,
    a_refresh_under_a_tag_is_one_get_and_three_scripts,
    a_writer_that_publishes_sends_one_command_more,
);

#[redis_cached(ttl = 60, key = "commands:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "commands:failing:<id>")]
async fn fail(id: u64) -> Result<u64, String> {
    Err(format!("no {id}"))
}

#[redis_cached(ttl = 60, key = "commands:slow:<id>", skip(source))]
async fn read_slowly(source: &Source, id: u64) -> Duration {
    source.load().await;
    let started = Instant::now();
    tokio::time::sleep(Duration::from_millis(50)).await;
    started.elapsed()
}

#[redis_cached(
    ttl = 0.05,
    stale_while_revalidate = 600,
    key = "commands:failing:stale:<id>",
    skip(source)
)]
async fn try_read(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(String::new)
}

#[redis_cached(
    ttl = 60,
    key = "commands:tagged:<id>",
    tags = "commands",
    skip(source)
)]
async fn read_tagged(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("commands:<id>", "commands:slow:<id>", tag = "commands", publish)]
async fn write_and_publish(id: u64) -> u64 {
    id
}

/// What a script runs inside is not sent by anybody. Of the fill script that is one `SET`.
#[derive(Debug, Default, PartialEq)]
struct Sent {
    get: u64,
    set: u64,
    evalsha: u64,
    unlink: u64,
}

/// The commands since the last reset, without those that `fills` ran inside their scripts.
fn sent(server: &RedisServer, fills: u64) -> Sent {
    let mut commands = server.commands();
    let mut take = |name: &str| commands.remove(name).unwrap_or(0);
    let sent = Sent {
        get: take("get"),
        set: take("set") - fills,
        evalsha: take("evalsha"),
        unlink: take("unlink"),
    };
    let inner = ["getrange", "pexpire", "del"];
    let others: BTreeMap<_, _> = commands
        .iter()
        .filter(|(name, _)| !inner.contains(&name.as_str()))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    sent
}

async fn a_hit_is_one_get(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.redis();
    server.reset_commands();
    for _ in 0..10 {
        cache.scope(read(&source, 1)).await;
    }
    assert_eq!(source.loads(), 1);
    assert_eq!(
        server.commands().into_iter().collect::<Vec<_>>(),
        [("get".to_owned(), 10)]
    );
}

/// What is sent for reads of these, none of which was read before, and their fills.
async fn missed(
    world: &mut World,
    source: &Source,
    cache: &Cache,
    ids: RangeInclusive<u64>,
) -> Sent {
    let server = world.redis();
    server.reset_commands();
    for id in ids.clone() {
        cache.scope(read(source, id)).await;
    }
    filled(cache, *ids.end()).await;
    sent(server, ids.count() as u64)
}

async fn a_miss_with_its_fill_is_one_get_one_set_and_one_script(mut world: World) {
    let cache = world.cache().await;
    let expected = Sent {
        get: 5,
        set: 5,
        evalsha: 5,
        unlink: 0,
    };
    let source = Source::new();
    assert_eq!(missed(&mut world, &source, &cache, 1..=5).await, expected);
}

async fn of_many_misses_in_a_row_the_later_ones_are_not_looked_for_first(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    missed(&mut world, &source, &cache, 1..=8).await;
    let expected = Sent {
        get: 0,
        set: 12,
        evalsha: 12,
        unlink: 0,
    };
    assert_eq!(missed(&mut world, &source, &cache, 9..=20).await, expected);
    let server = world.redis();
    server.reset_commands();
    // What stands there is shown in the place of the lease, and the next one is looked for.
    for id in [1, 2, 3] {
        cache.scope(read(&source, id)).await;
    }
    assert_eq!(source.loads(), 20);
    let expected = Sent {
        get: 2,
        set: 1,
        ..Sent::default()
    };
    assert_eq!(sent(server, 0), expected);
}

async fn a_refresh_is_one_get_and_one_script(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(read(&source, 1).refreshed()).await;
    let expected = Sent {
        get: 1,
        evalsha: 1,
        ..Sent::default()
    };
    assert_eq!(sent(server, 1), expected);
}

async fn an_invalidation_is_one_unlink(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache.invalidate("commands:1").await.unwrap();
    let expected = Sent {
        unlink: 1,
        ..Sent::default()
    };
    assert_eq!(sent(server, 0), expected);
}

#[write_through(ttl = 60, key = "commands:through:<id>", tags = [])]
async fn write_through(id: u64) -> u64 {
    id
}

/// Many keys are barred, and opened again, by one script each.
async fn a_guarded_write_and_a_write_through_are_two_scripts_each(mut world: World) {
    let cache = world.builder().guarded(true).build().await.unwrap();
    let server = world.redis();
    server.reset_commands();
    let guard = cache
        .begin_write(["commands:1", "commands:2", "commands:3"])
        .await;
    guard.unwrap().finish().await.unwrap();
    assert_eq!(server.commands()["evalsha"], 2);
    server.reset_commands();
    cache.scope(write_through(1)).await;
    assert_eq!(server.commands()["evalsha"], 2);
    assert_eq!(cache.stats().total().fills, 1);
}

async fn a_failed_load_releases_its_lease_by_one_script(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(fail(1)).await.unwrap_err();
    eventually("the release", async || server.lives().is_empty()).await;
    server.reset_commands();
    cache.scope(fail(1)).await.unwrap_err();
    let released = async || server.commands().contains_key("del");
    eventually("the release", released).await;
    let expected = Sent {
        get: 1,
        set: 1,
        evalsha: 1,
        unlink: 0,
    };
    assert_eq!(sent(server, 0), expected);
}

async fn an_uncached_call_is_nothing(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(read(&Source::new(), 1).uncached()).await;
    assert_eq!(sent(server, 0), Sent::default());
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "commands:stale:<id>",
    skip(source)
)]
async fn read_stale(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// The claim stands beside the entry, which goes on being served: it is one `SET` to take, and one
/// script to give back, after the one of the fill.
async fn a_refresh_behind_a_caller_is_one_get_one_set_and_two_scripts(mut world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    cache.scope(read_stale(&source, 1)).await;
    filled(&cache, 1).await;
    expired("commands:stale:1", [&cache]).await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(read_stale(&source, 1)).await;
    let released = async || server.commands().contains_key("del");
    eventually("the release of the claim", released).await;
    let expected = Sent {
        get: 1,
        set: 1,
        evalsha: 2,
        unlink: 0,
    };
    assert_eq!(sent(server, 1), expected);
    assert_eq!(source.loads(), 2);
}

#[redis_cached(
    ttl = 600,
    refresh_ahead = 0.8,
    early_expiry = 1.0,
    stale_if_error = 600,
    soft_timeout = 1,
    key = "commands:ahead:<id>",
    skip(source)
)]
async fn read_ahead(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn a_hit_of_a_function_that_refreshes_is_one_get(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read_ahead(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.redis();
    server.reset_commands();
    for _ in 0..10 {
        cache.scope(read_ahead(&source, 1)).await;
    }
    let expected = Sent {
        get: 10,
        ..Sent::default()
    };
    assert_eq!(sent(server, 0), expected);
}

async fn a_stale_answer_while_a_load_runs_behind_is_one_get(mut world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    cache.scope(read_stale(&source, 1)).await;
    filled(&cache, 1).await;
    source.hold();
    let read = async || cache.scope(read_stale(&source, 1).with_info()).await;
    let _ = until_stale(read).await;
    source.begun(2).await;
    let server = world.redis();
    server.reset_commands();
    for _ in 0..10 {
        cache.scope(read_stale(&source, 1)).await;
    }
    let expected = Sent {
        get: 10,
        ..Sent::default()
    };
    assert_eq!(sent(server, 0), expected);
}

async fn a_waiter_of_a_load_of_50_ms_sends_at_most_12_commands(mut world: World) {
    let [leader, waiter] = [world.cache().await, world.cache().await];
    let server = world.redis();
    let mut rounds = 0;
    for id in 0.. {
        assert!(id < 1000, "no load takes 50 ms on this machine");
        server.reset_commands();
        let source = Source::held();
        let load = leader.spawn({
            let source = source.clone();
            async move { read_slowly(&source, id).await }
        });
        source.begun(1).await;
        let before = sent(server, 0);
        assert_eq!(
            before,
            Sent {
                get: 1,
                set: 1,
                ..Sent::default()
            }
        );
        source.release();
        let took = waiter.scope(read_slowly(&source, id)).await;
        assert_eq!(
            load.await.unwrap(),
            took,
            "the waiter has it from the leader"
        );
        filled(&leader, id + 1).await;
        let after = sent(server, 1);
        assert_eq!((after.set, after.evalsha), (1, 1), "a waiter only looks");
        // On a busy machine a load may take longer, and its waiters look more often.
        if took < Duration::from_millis(60) {
            assert!(after.get - 1 <= 12, "{} looks", after.get - 1);
            rounds += 1;
        }
        if rounds == 5 {
            return;
        }
    }
}

async fn a_stale_hit_while_the_source_is_left_alone_is_one_get(mut world: World) {
    let throttle = Duration::from_secs(600);
    let cache = world.builder().throttle(throttle).build().await.unwrap();
    let source = Source::new();
    cache.scope(try_read(&source, 1)).await.unwrap();
    filled(&cache, 1).await;
    source.fail(usize::MAX);
    let read = async || cache.scope(try_read(&source, 1).with_info()).await;
    let server = world.redis();
    server.reset_commands();
    let _ = until_stale(read).await;
    // The claim becomes word of the failure.
    let told = async || server.commands().contains_key("evalsha");
    eventually("word of the failure", told).await;
    server.reset_commands();
    for _ in 0..10 {
        cache.scope(try_read(&source, 1)).await.unwrap();
    }
    let expected = Sent {
        get: 10,
        ..Sent::default()
    };
    assert_eq!(sent(server, 0), expected);
}

async fn a_refresh_under_a_tag_is_one_get_and_three_scripts(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read_tagged(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(read_tagged(&source, 1).refreshed()).await;
    let commands = server.commands();
    // The tag's generation and the function's are looked up inside of scripts, and stand.
    assert_eq!((commands["get"], commands["evalsha"]), (1 + 2, 2 + 1));
    assert_eq!(commands["set"], 1, "the fill");
    assert!(!commands.contains_key("mget"));
}

async fn a_writer_that_publishes_sends_one_command_more(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    cache.scope(write_and_publish(1)).await;
    let commands: Vec<_> = server.commands().into_iter().collect();
    let one = |name: &str| (name.to_owned(), 1);
    assert_eq!(commands, ["publish", "unlink"].map(one));
}
