//! Workers that are killed or suspended at any moment: the source gets each write once and in its order, as it
//! remembers the number of the last one of each partition together with it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use cached_redis::behind::WriteId;
use cached_redis::error::Busy;
use cached_redis::{Builder, Cache, redis_cached, write_behind};
use rustix::fs::{FlockOperation, flock};

use crate::shop::flush;
use crate::support::{World, again, on_a_cluster, on_redis, signal, tier};

pub(crate) const ADDRESS: &str = "WRITE_BEHIND_REDIS";
pub(crate) const SOURCE: &str = "WRITE_BEHIND_SOURCE";
const KEYS: u64 = 6;
/// A killed worker is followed after so long.
const LEASE: Duration = Duration::from_millis(200);

on_redis!(
    each_write_is_applied_once_and_in_its_order_whenever_workers_are_killed,
    a_suspended_worker_that_goes_on_applies_nothing_after_its_successor,
);
on_a_cluster!(each_write_is_applied_once_and_in_its_order_on_a_cluster);

/// A source that other processes have too: a file of lines, each with the number that it was written under.
#[derive(Clone)]
pub(crate) struct Rows(pub(crate) PathBuf);

impl Rows {
    /// As a transaction: the row and the number, or neither.
    pub(crate) fn write(&self, id: u64, pieces: u64, number: &WriteId) {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .open(&self.0)
            .unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        let last = lines(&mut file)
            .into_iter()
            .filter(|line| line[2] == u64::from(number.partition));
        if last
            .map(|line| line[3])
            .max()
            .is_some_and(|last| last >= number.number)
        {
            return;
        }
        let line = format!("{id} {pieces} {} {}\n", number.partition, number.number);
        file.write_all(line.as_bytes()).unwrap();
    }

    pub(crate) fn pieces(&self, id: u64) -> Vec<u64> {
        let lines = lines(&mut File::open(&self.0).unwrap()).into_iter();
        lines
            .filter(|line| line[0] == id)
            .map(|line| line[1])
            .collect()
    }
}

/// The file goes with this.
pub(crate) struct Kept(Rows);

impl Kept {
    pub(crate) fn new(name: &str) -> Self {
        let file = format!("write-behind-{name}-{}", std::process::id());
        let rows = Rows(std::env::temp_dir().join(file));
        File::create(&rows.0).unwrap();
        Self(rows)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0.0);
        let _ = std::fs::remove_file(self.0.0.with_extension("record"));
    }
}

impl std::ops::Deref for Kept {
    type Target = Rows;

    fn deref(&self) -> &Rows {
        &self.0
    }
}

fn lines(file: &mut File) -> Vec<[u64; 4]> {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    let words =
        |line: &str| -> Vec<u64> { line.split(' ').map(|word| word.parse().unwrap()).collect() };
    text.lines()
        .map(|line| words(line).try_into().unwrap())
        .collect()
}

/// A few awaits, long enough to be killed at each.
async fn pauses() {
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..1000))).await;
    }
}

#[redis_cached(ttl = 300, key = "{killed}:<id>", skip(rows))]
async fn row(rows: &Rows, id: u64) -> u64 {
    rows.pieces(id).last().copied().unwrap_or(0)
}

#[write_behind(queue = "killed", key = "{killed}:<id>", value = pieces)]
async fn set(rows: &Rows, id: u64, pieces: u64) -> Result<(), Busy> {
    pauses().await;
    let number = WriteId::current().expect("it is a worker that applies it");
    rows.write(id, pieces, &number);
    pauses().await;
    Ok(())
}

pub(crate) fn connection(url: String) -> Builder {
    let builder = Cache::builder().url(url).namespace("it").write_behind(true);
    let builder = builder.deadline(Duration::from_secs(20)).lease(LEASE);
    builder.require_connection(true)
}

async fn connected(url: String) -> Cache {
    connection(url).build().await.unwrap()
}

/// What a worker does; without an address, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn worker_to_be_killed() {
    let (Ok(url), Ok(rows)) = (std::env::var(ADDRESS), std::env::var(SOURCE)) else {
        return;
    };
    let setup = connected(url).await.write_behind_worker().queue("killed");
    let _worker = setup
        .provide(Rows(PathBuf::from(rows)))
        .start()
        .await
        .unwrap();
    std::future::pending().await
}

struct Worker(Child);

impl Worker {
    /// Not inside of a transaction: nobody else would have the lock until it goes on.
    fn suspend(&self, rows: &Rows) {
        let file = File::open(&rows.0).unwrap();
        flock(&file, FlockOperation::LockExclusive).unwrap();
        signal(&self.0, "STOP");
        while !self.is_suspended() {
            std::thread::yield_now();
        }
    }

    /// All of its threads.
    fn is_suspended(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        let mut stats =
            tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("stat")));
        stats.all(|stat| stat.is_ok_and(|stat| stat.contains(") T ")))
    }

    fn start(url: &str, rows: &Rows) -> Self {
        let started = again("killed::worker_to_be_killed")
            .env(ADDRESS, url)
            .env(SOURCE, &rows.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(started.expect("this program can be started again"))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn write_all(cache: &Cache, rows: &Rows, from: u64, to: u64) {
    for pieces in from..to {
        for id in 0..KEYS {
            // Where workers are killed before they do anything, the queue fills up.
            while let Err(busy) = cache.scope(set(rows, id, pieces)).await {
                assert_eq!(busy, Busy::Full);
                tokio::time::sleep(LEASE).await;
            }
            assert!(cache.scope(row(rows, id)).await >= pieces);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn assert_applied(rows: &Rows, to: u64) {
    for id in 0..KEYS {
        assert_eq!(rows.pieces(id), (1..to).collect::<Vec<_>>(), "of {id}");
    }
}

async fn killed_again_and_again(world: &World, name: &str, kills: u64) {
    let (rows, cache) = (Kept::new(name), connected(world.url().to_owned()).await);
    let start = || Worker::start(world.url(), &rows);
    let mut workers = [start(), start()];
    let writes = 10;
    for kill in 0..kills {
        write_all(&cache, &rows, 1 + kill * writes, 1 + (kill + 1) * writes).await;
        let killed = fastrand::usize(..workers.len());
        drop(std::mem::replace(&mut workers[killed], start()));
    }
    flush(&cache, "killed").await;
    assert_applied(&rows, 1 + kills * writes);
}

async fn each_write_is_applied_once_and_in_its_order_whenever_workers_are_killed(world: World) {
    killed_again_and_again(&world, "redis", tier(20, 150)).await;
}

async fn each_write_is_applied_once_and_in_its_order_on_a_cluster(world: World) {
    killed_again_and_again(&world, "cluster", tier(5, 50)).await;
}

async fn a_suspended_worker_that_goes_on_applies_nothing_after_its_successor(world: World) {
    let (rows, cache) = (
        Kept::new("suspended"),
        connected(world.url().to_owned()).await,
    );
    let (mut old, mut to) = (Worker::start(world.url(), &rows), 1);
    for _ in 0..tier(5, 40) {
        write_all(&cache, &rows, to, to + 10).await;
        old.suspend(&rows);
        let new = Worker::start(world.url(), &rows);
        write_all(&cache, &rows, to + 10, to + 20).await;
        flush(&cache, "killed").await;
        signal(&old.0, "CONT");
        to += 20;
        write_all(&cache, &rows, to, to + 5).await;
        to += 5;
        drop(std::mem::replace(&mut old, new));
    }
    flush(&cache, "killed").await;
    assert_applied(&rows, to);
}
