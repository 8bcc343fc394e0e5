//! Many processes with a level in memory, one of them behind a network that fails: nothing that is older than
//! what had been invalidated `delta` before the read is served, nothing at all that the process itself had
//! invalidated, and of what is checked nothing that anybody had.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{Cache, Invalidation, redis_cached};
use tokio::task::JoinSet;

use crate::support::{Forwarder, World, eventually, on_redis, tier};

on_redis!(no_read_is_older_than_was_agreed_on);

const DELTA: Duration = Duration::from_millis(150);
const PROCESSES: usize = 3;
const KEYS: usize = 6;

/// An invalidation that has returned.
struct Returned {
    version: u64,
    at: Instant,
    process: usize,
}

/// Each key with its committed version.
#[derive(Default)]
struct Truth([Mutex<(u64, Vec<Returned>)>; KEYS]);

impl Truth {
    fn commit(&self, key: usize) -> u64 {
        let mut truth = self.0[key].lock().unwrap();
        truth.0 += 1;
        truth.0
    }

    fn version(&self, key: usize) -> u64 {
        self.0[key].lock().unwrap().0
    }

    fn returned(&self, key: usize, returned: Returned) {
        self.0[key].lock().unwrap().1.push(returned);
    }

    /// The newest version of those.
    fn floor(&self, key: usize, of: impl Fn(&Returned) -> bool) -> u64 {
        let truth = self.0[key].lock().unwrap();
        let versions = truth.1.iter().filter(|returned| of(returned));
        versions.map(|it| it.version).max().unwrap_or_default()
    }
}

async fn pause() {
    match fastrand::u64(..4) {
        0 => tokio::time::sleep(Duration::from_micros(fastrand::u64(..2000))).await,
        _ => tokio::task::yield_now().await,
    }
}

async fn load(truth: &Truth, key: usize) -> u64 {
    let version = truth.version(key);
    pause().await;
    version
}

#[redis_cached(
    ttl = 60,
    local = 30,
    key = "stressed:<key>",
    tags = "stressed:<key>",
    skip(truth)
)]
async fn local(truth: &Truth, key: usize) -> Arc<u64> {
    Arc::new(load(truth, key).await)
}

#[redis_cached(
    ttl = 60,
    checked,
    key = "stressed:<key>",
    tags = "stressed:<key>",
    skip(truth)
)]
async fn checked(truth: &Truth, key: usize) -> u64 {
    load(truth, key).await
}

async fn read(cache: Cache, truth: Arc<Truth>, process: usize) {
    let key = fastrand::usize(..KEYS);
    let begun = Instant::now();
    let is_older = |by: Duration| move |it: &Returned| it.at + by <= begun;
    let own = truth.floor(key, |it| it.process == process && it.at <= begun);
    let (version, floor) = match fastrand::bool() {
        true => {
            let floor = truth.floor(key, is_older(DELTA));
            (*cache.scope(local(&truth, key)).await, floor)
        }
        false => {
            let floor = truth.floor(key, is_older(Duration::ZERO));
            (cache.scope(checked(&truth, key)).await, floor)
        }
    };
    assert!(version >= floor, "{version} is older than {floor}");
    assert!(version >= own, "{version} is older than the own {own}");
}

async fn write(cache: Cache, truth: Arc<Truth>, process: usize) {
    let key = fastrand::usize(..KEYS);
    let version = truth.commit(key);
    let name = format!("stressed:{key}");
    let ended = match fastrand::bool() {
        true => cache.invalidate(name).await,
        false => cache.invalidate_tag(name).await,
    };
    if ended.unwrap() == Invalidation::Done {
        let at = Instant::now();
        truth.returned(
            key,
            Returned {
                version,
                at,
                process,
            },
        );
    }
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..100))).await;
}

async fn no_read_is_older_than_was_agreed_on(mut world: World) {
    let forwarder = Forwarder::to(world.redis()).await;
    let (truth, stop) = (Arc::<Truth>::default(), Arc::<AtomicBool>::default());
    let (mut tasks, mut caches) = (JoinSet::new(), Vec::new());
    for process in 0..PROCESSES {
        let builder = world.builder().local_staleness(DELTA);
        let builder = match process {
            0 => builder
                .url(forwarder.url())
                .deadline(Duration::from_millis(100)),
            _ => builder,
        };
        let cache = builder.build().await.unwrap();
        for task in 0..5 {
            let (cache, truth, stop) = (cache.clone(), truth.clone(), stop.clone());
            tasks.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    match task {
                        0 => write(cache.clone(), truth.clone(), process).await,
                        _ => read(cache.clone(), truth.clone(), process).await,
                    }
                }
            });
        }
        caches.push(cache);
    }
    let end = Instant::now() + Duration::from_secs(tier(2, 15));
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(200)).await;
        match fastrand::u8(..4) {
            0 => forwarder.cut(),
            1 => {
                forwarder.black_hole(true);
                tokio::time::sleep(DELTA * 2).await;
                forwarder.black_hole(false);
                forwarder.cut();
            }
            2 => drop(world.redis().run::<String>(&["FLUSHALL"])),
            _ => {}
        }
    }
    // Else nothing was shown.
    for cache in &caches {
        let hits = async || cache.stats().total().local_hits > 0;
        eventually("a hit in memory", hits).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}
