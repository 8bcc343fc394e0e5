//! What is measured beside what is counted, how full the store is, and all of it as data.

use std::time::Duration;

use cached_redis::stats::Histogram;
use cached_redis::{Cache, Policy, redis_cached};
use serde_json::Value;

use crate::support::{
    Failed, RedisServer, Source, World, eventually, filled, on_a_cluster, on_both_stores, on_redis,
};

on_both_stores!(
    loads_are_measured_and_so_are_the_entries_that_are_stored,
    a_load_that_fails_is_counted_and_measured,
    the_store_says_how_full_it_is_and_the_statistics_keep_it,
    entries_are_counted_by_function_and_not_past_the_bound,
    statistics_are_data,
);

on_redis!(
    operations_are_measured_by_kind,
    a_login_that_may_not_ask_is_told_so,
    a_server_without_a_limit_is_advised_about,
    deferred_invalidations_have_an_age,
);

on_a_cluster!(each_server_of_a_cluster_is_sampled,);

#[redis_cached(ttl = 60, key = "numbers:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await + id
}

#[redis_cached(ttl = 60, key = "numbers:text:<length>")]
async fn read_text(length: usize) -> String {
    "x".repeat(length)
}

#[redis_cached(ttl = 60, key = "numbers:in-vain:<id>")]
async fn in_vain(id: u64) -> Result<u64, Failed> {
    match id {
        0 => Err(Failed),
        id => Ok(id),
    }
}

/// How many of them are in the bucket of this bound.
fn within(sizes: &Histogram, bound: f64) -> u64 {
    let mut buckets = sizes.buckets();
    let bucket = buckets.find(|(le, _)| (*le - bound).abs() < 1e-9);
    bucket.expect("a bound of the scale").1
}

async fn loads_are_measured_and_so_are_the_entries_that_are_stored(world: World) {
    let cache = world.cache().await;
    let source = Source::slow(Duration::from_millis(20));
    cache.scope(read(&source, 1)).await;
    cache.scope(read(&source, 1)).await;
    for length in [1, 5_000] {
        cache.scope(read_text(length)).await;
    }
    filled(&cache, 3).await;
    let stats = cache.stats();
    let read = stats.function("numbers::read").unwrap();
    assert_eq!(read.load_times.count(), 1, "a hit is none");
    assert!(read.load_times.sum() >= 0.02, "{read:?}");
    assert_eq!(within(&read.load_times, 0.01), 0);
    assert!(read.load_times.quantile(0.5) > Some(0.01), "{read:?}");
    let texts = stats.function("numbers::read_text").unwrap().value_bytes;
    assert_eq!((texts.count(), within(&texts, 64.0)), (2, 1));
    assert_eq!((within(&texts, 4096.0), within(&texts, 16_384.0)), (1, 2));
    assert!((5_050.0..5_250.0).contains(&texts.sum()), "{texts:?}");
    // As much again as was loaded once.
    let saved = cache
        .stats()
        .function("numbers::read")
        .unwrap()
        .time_saved();
    assert!(saved >= Duration::from_millis(20), "{saved:?}");
}

async fn a_load_that_fails_is_counted_and_measured(world: World) {
    let cache = world.cache().await;
    cache.scope(in_vain(0)).await.unwrap_err();
    cache.scope(in_vain(1)).await.unwrap();
    let stats = cache.stats();
    let in_vain = stats.function("numbers::in_vain").unwrap();
    assert_eq!((in_vain.loads, in_vain.load_errors), (2, 1));
    assert_eq!(in_vain.load_times.count(), 2);
}

async fn the_store_says_how_full_it_is_and_the_statistics_keep_it(world: World) {
    let cache = world.cache().await;
    assert_eq!(cache.stats().sample(), None);
    let before = cache.store_sample().await.unwrap();
    for length in 0..20 {
        cache.scope(read_text(1_000 + length)).await;
    }
    filled(&cache, 20).await;
    let after = cache.store_sample().await.unwrap();
    assert_eq!(after.keys() - before.keys(), 20);
    assert!(
        after.used_memory() >= before.used_memory() + 20_000,
        "{after:?}"
    );
    assert_eq!(cache.stats().sample(), Some(&after));
    let server = &after.servers[0];
    assert!(
        !server.version.is_empty() && !server.eviction_policy.is_empty(),
        "{server:?}"
    );
    assert!(!format!("{after:?}").contains('@'), "{after:?}");
}

async fn entries_are_counted_by_function_and_not_past_the_bound(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 0..30 {
        cache.scope(read(&source, id)).await;
    }
    for length in 0..10 {
        cache.scope(read_text(length)).await;
    }
    let policy = Policy::new().ttl(Duration::from_secs(60));
    cache.put(&policy, "by:hand", &1_u64).await.unwrap();
    filled(&cache, 41).await;
    let counts = cache.entries_by_function(1_000_000).await.unwrap();
    let of = |name: &str| {
        let mut functions = counts.functions.iter();
        functions.find(|row| row.function.ends_with(name)).unwrap()
    };
    assert!(counts.complete, "{counts:?}");
    assert_eq!(
        (
            of("numbers::read").entries,
            of("numbers::read_text").entries
        ),
        (30, 10)
    );
    assert!(of("numbers::read").bytes >= 30 * 48, "{counts:?}");
    assert_eq!(of("numbers::in_vain").entries, 0);
    assert!(counts.others >= 1, "{counts:?}");
    let none = cache.entries_by_function(0).await.unwrap();
    assert_eq!((none.scanned, none.complete), (0, false));
}

async fn statistics_are_data(world: World) {
    let cache = world.cache().await;
    cache.scope(read(&Source::new(), 1)).await;
    filled(&cache, 1).await;
    let _ = cache.store_sample().await.unwrap();
    let stats = serde_json::to_value(cache.stats()).unwrap();
    assert_eq!(stats["namespace"], "it");
    let mut functions = stats["functions"].as_array().unwrap().iter();
    let is_it = |row: &&Value| row["function"].as_str().unwrap().ends_with("numbers::read");
    let row = functions.find(is_it).unwrap();
    assert_eq!(
        (&row["misses"], &row["load_times"]["count"]),
        (&1.into(), &1.into())
    );
    assert!(row["load_time_seconds"].is_number() && row["value_bytes"]["p99"].is_number());
    assert_eq!(row["load_times"]["buckets"][15]["le"], Value::Null);
    assert_eq!(stats["store"]["breaker"], "closed");
    assert_eq!(stats["pending"]["oldest_seconds"], Value::Null);
    assert!(stats["sample"]["servers"][0]["keys"].is_number(), "{stats}");
    let health = serde_json::to_value(cache.health()).unwrap();
    assert_eq!(
        (&health["connected"], &health["last_error"]),
        (&true.into(), &Value::Null)
    );
}

async fn operations_are_measured_by_kind(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    // One read in sixteen is measured: that none of so many is has a chance of 1 to 10^28.
    for _ in 0..1_000 {
        cache.scope(read(&source, 1)).await;
    }
    cache.invalidate("numbers:1").await.unwrap();
    let measured = cache.stats().store().round_trips;
    let gets = measured.get.count();
    assert!((1..600).contains(&gets), "{gets}");
    assert_eq!(measured.script.count(), 1, "the fill");
    assert!(measured.command.count() >= 2, "a lease and an invalidation");
    assert!(measured.get.quantile(0.5) > Some(0.0), "{measured:?}");
    let all = [
        measured.get,
        measured.mget,
        measured.script,
        measured.command,
    ];
    let all: u64 = all.map(|kind| kind.count()).iter().sum();
    assert_eq!(measured.total().count(), all);
}

async fn a_login_that_may_not_ask_is_told_so(world: World) {
    let server = world.server().unwrap();
    server.run::<()>(&[
        "ACL",
        "SETUSER",
        "app",
        "on",
        ">hush-hush",
        "~*",
        "+@all",
        "-dbsize",
    ]);
    let builder = Cache::builder().url(server.url_of("app", "hush-hush"));
    let cache = builder.namespace("it").build().await.unwrap();
    let refused = cache.store_sample().await.unwrap_err();
    let told = format!("{refused} {refused:?}");
    assert!(told.contains("NOPERM") && !told.contains("hush"), "{told}");
    assert_eq!(cache.stats().sample(), None);
}

async fn each_server_of_a_cluster_is_sampled(world: World) {
    let cache = world.cache().await;
    for length in 0..30 {
        cache.scope(read_text(length)).await;
    }
    filled(&cache, 30).await;
    let sample = cache.store_sample().await.unwrap();
    assert_eq!(sample.servers.len(), 3, "{sample:?}");
    assert!(
        sample.servers.iter().all(|server| server.keys > 0),
        "{sample:?}"
    );
    assert!(sample.keys() >= 30, "{sample:?}");
    let counts = cache.entries_by_function(10_000).await.unwrap();
    let mut functions = counts.functions.iter();
    let texts = functions.find(|row| row.function.ends_with("read_text"));
    assert_eq!(texts.map(|row| row.entries), Some(30), "{counts:?}");
    assert!(cache.stats().store().round_trips.script.count() >= 30);
}

async fn a_server_without_a_limit_is_advised_about(world: World) {
    let kinds = |cache: &Cache| {
        let catalog = cache.catalog();
        let mut advice = catalog.advice().iter();
        advice.any(|advice| advice.kind == "no-maxmemory")
    };
    assert!(kinds(&world.cache().await));
    let server = RedisServer::start_with(&["--maxmemory", "100mb"]);
    let bounded = Cache::builder()
        .url(server.url())
        .namespace("it")
        .build()
        .await
        .unwrap();
    assert!(!kinds(&bounded));
    let sample = bounded.store_sample().await.unwrap();
    assert_eq!(sample.max_memory(), Some(100 << 20));
    assert_eq!(sample.servers[0].eviction_policy, "noeviction");
}

async fn deferred_invalidations_have_an_age(mut world: World) {
    let cache = world.cache().await;
    assert_eq!(cache.stats().pending_invalidations().oldest, None);
    world.redis().kill();
    cache.invalidate("numbers:1").await.unwrap();
    let age = || cache.stats().pending_invalidations().oldest;
    let first = age().expect("it waits");
    eventually("time to pass", async || age() > Some(first)).await;
    cache.invalidate("numbers:2").await.unwrap();
    assert!(age() > Some(first), "another one makes it no younger");
    world.redis().restart();
    eventually("the replay", async || age().is_none()).await;
}
