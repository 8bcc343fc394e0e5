//! A worker that is killed at each of its awaits, by name, before and after what it waits for: nothing is lost, nothing is
//! applied twice, and nothing out of its order.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use cached_redis::behind::WriteId;
use cached_redis::error::Busy;
use cached_redis::testing::Faults;
use cached_redis::{Cache, redis_cached, write_behind};

use crate::killed::{ADDRESS, Kept, Rows, SOURCE, connection};
use crate::shop::flush;
use crate::support::{World, again, eventually, in_time, on_redis};

on_redis!(
    the_awaits_of_a_worker_are_these,
    a_worker_that_is_killed_at_any_await_loses_nothing_and_repeats_nothing,
);

/// Where to die, or `record`.
const AT: &str = "WRITE_BEHIND_AT";

/// What a worker asks of the store, and its function, which has the source.
const AWAITS: [&str; 9] = [
    "bury",
    "extend_lock",
    "finish",
    "function",
    "get", // whether a later write of the key waits
    "lock",
    "read_parts", // which functions an operator has switched off
    "take",
    "unlock",
];

/// Of which all writes fail.
const POISON: u64 = 99;

/// Whose writes replace each other.
const WHOLE: u64 = 50;

#[redis_cached(ttl = 300, key = "{dying}:<id>", skip(rows))]
async fn row(rows: &Rows, id: u64) -> u64 {
    rows.pieces(id).last().copied().unwrap_or(0)
}

#[write_behind(queue = "dying", key = "{dying}:<id>", value = pieces)]
async fn set(rows: &Rows, id: u64, pieces: u64) -> Result<(), Busy> {
    reach("function", false);
    if id == POISON {
        return Err(Busy::Full);
    }
    let number = WriteId::current().expect("it is a worker that applies it");
    rows.write(id, pieces, &number);
    reach("function", true);
    Ok(())
}

#[write_behind(queue = "dying", key = "{dying}:whole:<id>", value = pieces, coalesce)]
async fn set_whole(rows: &Rows, id: u64, pieces: u64) -> Result<(), Busy> {
    let number = WriteId::current().expect("it is a worker that applies it");
    rows.write(id, pieces, &number);
    Ok(())
}

fn reach(step: &'static str, has_run: bool) {
    static PLACE: OnceLock<Option<String>> = OnceLock::new();
    let Some(place) = PLACE.get_or_init(|| std::env::var(AT).ok()) else {
        return;
    };
    if place == "record" {
        let record = record(&Rows(std::env::var(SOURCE).unwrap().into()));
        let mut file = OpenOptions::new().append(true).create(true).open(record);
        let line = format!("{step}\n");
        file.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    } else if *place == format!("{step} {has_run}") {
        let me = std::process::id().to_string();
        Command::new("kill").args(["-9", &me]).status().unwrap();
    }
}

/// Where a worker writes down what it has awaited.
fn record(rows: &Rows) -> std::path::PathBuf {
    rows.0.with_extension("record")
}

/// What such a worker does, until nobody has the other end of its input; without an address, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn worker_to_die() {
    let (Ok(url), Ok(rows)) = (std::env::var(ADDRESS), std::env::var(SOURCE)) else {
        return;
    };
    let faults = Faults::seeded(0).at_each_step(reach);
    let cache = connection(url).faults(faults).build().await.unwrap();
    let setup = cache.write_behind_worker().queue("dying").attempts(1);
    let worker = setup.provide(Rows(rows.into())).start().await.unwrap();
    let end = || std::io::stdin().read_line(&mut String::new());
    tokio::task::spawn_blocking(end).await.unwrap().unwrap();
    worker.stop().await;
}

struct Worker(Child);

impl Worker {
    fn start(url: &str, rows: &Rows, at: Option<&str>) -> Self {
        let mut command = again("each_await::worker_to_die");
        command.env(ADDRESS, url).env(SOURCE, &rows.0);
        if let Some(at) = at {
            command.env(AT, at);
        }
        command.stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("this program can be started again"))
    }

    fn stop(&mut self) {
        drop(self.0.stdin.take());
    }

    /// Whether it was killed in the end.
    async fn ended(&mut self, what: &str) -> bool {
        let mut status = None;
        let ended = async || {
            status = self.0.try_wait().unwrap();
            status.is_some()
        };
        eventually(what, ended).await;
        status.unwrap().signal() == Some(9)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        self.0.wait().unwrap();
    }
}

async fn write(cache: &Cache, rows: &Rows, pieces: std::ops::Range<u64>) {
    for pieces in pieces {
        for id in 0..3 {
            cache.scope(set(rows, id, pieces)).await.unwrap();
        }
        cache.scope(set_whole(rows, WHOLE, pieces)).await.unwrap();
    }
}

/// Everything that a worker does is to be done.
async fn begin(world: &World, name: &str) -> (Kept, Cache) {
    let rows = Kept::new(name);
    let cache = connection(world.url().to_owned()).build().await.unwrap();
    write(&cache, &rows, 1..4).await;
    cache.scope(set(&rows, POISON, 1)).await.unwrap();
    (rows, cache)
}

async fn the_awaits_of_a_worker_are_these(world: World) {
    let (rows, cache) = begin(&world, "awaits").await;
    let mut worker = Worker::start(world.url(), &rows, Some("record"));
    let recorded = || std::fs::read_to_string(record(&rows)).unwrap_or_default();
    in_time(flush(&cache, "dying")).await;
    eventually("a heartbeat", async || recorded().contains("extend_lock")).await;
    worker.stop();
    assert!(!worker.ended("it ends").await, "nobody killed it");
    let all = recorded();
    std::fs::remove_file(record(&rows)).unwrap();
    let all: BTreeSet<&str> = all.lines().collect();
    assert_eq!(all, BTreeSet::from(AWAITS));
}

async fn a_worker_that_is_killed_at_any_await_loses_nothing_and_repeats_nothing(world: World) {
    for step in AWAITS {
        for has_run in [false, true] {
            let at = format!("{step} {has_run}");
            world.server().unwrap().run::<()>(&["FLUSHALL"]);
            let (rows, cache) = begin(&world, "await").await;
            let mut killed = Worker::start(world.url(), &rows, Some(&at));
            if step == "unlock" {
                in_time(flush(&cache, "dying")).await;
                killed.stop();
            }
            assert!(killed.ended(&at).await, "{at} was not reached");
            let _next = Worker::start(world.url(), &rows, None);
            write(&cache, &rows, 4..6).await;
            in_time(flush(&cache, "dying")).await;
            for id in 0..3 {
                assert_eq!(rows.pieces(id), [1, 2, 3, 4, 5], "of {id}, {at}");
            }
            let whole = rows.pieces(WHOLE);
            assert!(whole.is_sorted_by(|a, b| a < b), "{whole:?}, {at}");
            assert_eq!(whole.last(), Some(&5), "{at}");
            let queue = cache.write_behind_queue("dying").unwrap();
            let dead = queue.dead_letters().await.unwrap();
            assert_eq!(dead.len(), 1, "{at}");
            assert_eq!(cache.scope(row(&rows, POISON)).await, 1, "{at}");
        }
    }
}
