//! What a writer leaves behind that is killed, as by `kill -9`, between its commit and its
//! invalidation: in one phase the old value, in two phases nothing.

use std::future::pending;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Status, invalidates, redis_cached};

use crate::support::{Source, World, again, eventually, filled, on_redis};

/// Set in the environment of the process to be killed.
const ADDRESS: &str = "GUARD_REDIS";
const PHASES: &str = "GUARD_PHASES";

on_redis!(
    a_writer_killed_after_its_commit_leaves_the_old_value_until_its_ttl_in_one_phase,
    a_writer_killed_after_its_commit_leaves_no_old_value_in_two_phases,
);

#[redis_cached(ttl = 60, key = "killed:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn commit() {
    println!("committed");
    pending().await
}

#[invalidates("killed:<id>", cache = cache)]
async fn write(cache: &Cache, id: u64) {
    let _ = id;
    commit().await;
}

#[invalidates("killed:<id>", guard, cache = cache)]
async fn write_guarded(cache: &Cache, id: u64) {
    let _ = id;
    commit().await;
}

fn guarded(builder: cached_redis::Builder) -> cached_redis::Builder {
    builder.guarded(true).hold(Duration::from_secs(2))
}

/// What the process to be killed does; without an address, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_to_be_killed() {
    let Ok(url) = std::env::var(ADDRESS) else {
        return;
    };
    let builder = guarded(Cache::builder().url(url).namespace("it"));
    let cache = builder.require_connection(true).build().await.unwrap();
    match std::env::var(PHASES).as_deref() {
        Ok("one") => write(&cache, 1).await,
        _ => write_guarded(&cache, 1).await,
    }
}

/// Runs a process until it says that it has committed, commits for it, and kills it.
fn commits_and_is_killed(url: &str, phases: &str, source: &Source) {
    let mut child = again("guard_killed_process::process_to_be_killed")
        .env(ADDRESS, url)
        .env(PHASES, phases)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("this program can be started again");
    let output = child.stdout.take().expect("it was asked for");
    let committed = BufReader::new(output)
        .lines()
        .any(|line| line.is_ok_and(|line| line.contains("committed")));
    assert!(committed, "the process ended before it committed");
    source.write();
    child.kill().unwrap();
    child.wait().unwrap();
}

async fn cached(world: &World, source: &Source) -> Cache {
    let cache = guarded(world.builder()).build().await.unwrap();
    assert_eq!(cache.scope(read(source, 1)).await, 1);
    filled(&cache, 1).await;
    cache
}

async fn a_writer_killed_after_its_commit_leaves_the_old_value_until_its_ttl_in_one_phase(
    mut world: World,
) {
    let source = Source::new();
    let cache = cached(&world, &source).await;
    commits_and_is_killed(&world.redis().url(), "one", &source);
    assert_eq!(source.version(), 2);
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    let left = world.redis().lives()["it:killed:1"];
    assert!(
        (1..=63_000).contains(&left),
        "a minute and the jitter: {left} ms"
    );
    // As if that time had passed.
    world.redis().run::<()>(&["PEXPIRE", "it:killed:1", "1"]);
    let new = async || cache.scope(read(&source, 1)).await == 2;
    eventually("the end of its TTL", new).await;
}

async fn a_writer_killed_after_its_commit_leaves_no_old_value_in_two_phases(mut world: World) {
    let source = Source::new();
    let cache = cached(&world, &source).await;
    commits_and_is_killed(&world.redis().url(), "two", &source);
    eventually("the hold of the dead writer to be over", async || {
        let (version, info) = cache.scope(read(&source, 1).with_info()).await;
        assert_eq!(version, 2);
        info.status() == Status::Hit
    })
    .await;
}
