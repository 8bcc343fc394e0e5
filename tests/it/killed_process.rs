//! A process that is killed while it loads leaves a lease that runs out by itself, and nothing
//! without a TTL.

use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

use cached_redis::redis_cached;

use crate::support::{Source, World, again, eventually, in_time, on_redis};

const LEASE: Duration = Duration::from_millis(1500);

/// Set in the environment of the process to be killed.
const ADDRESS: &str = "T6_REDIS";

on_redis!(
    the_key_of_a_killed_process_is_loaded_as_soon_as_its_lease_has_run_out,
    a_load_longer_than_its_lease_keeps_it,
    nothing_is_ever_without_a_ttl,
);

#[redis_cached(ttl = 60, key = "killed-process:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "killed-process:<id>")]
async fn read_for_ever(id: u64) -> u64 {
    println!("loading");
    pending().await
}

/// What the process to be killed does; without an address, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_to_be_killed() {
    let Ok(url) = std::env::var(ADDRESS) else {
        return;
    };
    let builder = cached_redis::Cache::builder().url(url).namespace("it");
    let cache = builder
        .lease(LEASE)
        .require_connection(true)
        .build()
        .await
        .unwrap();
    cache.scope(read_for_ever(1)).await;
}

/// A process in the middle of a load.
fn loading_process(url: &str) -> Child {
    let mut child = again("killed_process::process_to_be_killed")
        .env(ADDRESS, url)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started again");
    let output = child.stdout.take().expect("it was asked for");
    let loading = BufReader::new(output)
        .lines()
        .any(|line| line.is_ok_and(|line| line.contains("loading")));
    assert!(loading, "the process ended before it loaded");
    child
}

async fn the_key_of_a_killed_process_is_loaded_as_soon_as_its_lease_has_run_out(mut world: World) {
    let builder = world.builder().lease(LEASE);
    let cache = builder
        .wait_budget(Duration::from_secs(3600))
        .build()
        .await
        .unwrap();
    let server = world.redis();
    let mut process = loading_process(&server.url());
    process.kill().unwrap();
    process.wait().unwrap();

    let left = server.lives()["it:killed-process:1"];
    assert!((0..=LEASE.as_millis() as i64).contains(&left), "{left} ms");
    let source = Source::new();
    assert_eq!(in_time(cache.scope(read(&source, 1))).await, 1);
    let stats = cache.stats().total();
    assert_eq!(
        (stats.misses, stats.bypasses),
        (1, 0),
        "it waited for the lease: {stats:?}"
    );
}

async fn a_load_longer_than_its_lease_keeps_it(mut world: World) {
    let builder = || world.builder().lease(LEASE);
    let [cache, other] = [
        builder().build().await.unwrap(),
        builder().build().await.unwrap(),
    ];
    let server = world.redis();
    server.reset_commands();
    let source = Source::held();
    let long = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    // A lease is renewed each third of its life.
    let renewed = async || {
        server
            .commands()
            .get("evalsha")
            .is_some_and(|renewals| *renewals >= 5)
    };
    eventually("five renewals", renewed).await;
    let waiter = other.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    eventually("the other process to wait", async || {
        other.stats().total().waits == 1
    })
    .await;
    source.release();
    assert_eq!((long.await.unwrap(), waiter.await.unwrap()), (1, 1));
    assert_eq!(source.loads(), 1);
}

async fn nothing_is_ever_without_a_ttl(mut world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for id in 0..20 {
        cache.scope(read(&source, id)).await;
    }
    source.hold();
    let held: Vec<_> = (20..40)
        .map(|id| {
            let source = source.clone();
            cache.spawn(async move { read(&source, id).await })
        })
        .collect();
    source.begun(40).await;
    let lives = world.redis().lives();
    assert_eq!(lives.len(), 40);
    assert!(lives.values().all(|left| *left > 0), "{lives:?}");
    source.release();
    for reader in held {
        reader.await.unwrap();
    }
}
