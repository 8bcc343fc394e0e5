//! Many processes with a level in memory, one of them behind a network that fails: nothing that is older than
//! what had been invalidated `delta` before the read is served, nothing at all that the process itself had
//! invalidated, and of what is checked nothing that anybody had. Once a settled invalidation has returned, nothing older
//! is served anywhere.
//!
//! The same on a cluster, whose slots move and whose replicas take over. Until an old primary has learnt that it is
//! none any more, it goes on answering: `delta` counts from then. How late reads were is measured and printed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{Builder, Cache, Invalidation, OnFailover, redis_cached};
use tokio::task::{JoinSet, block_in_place};

use crate::support::cluster::Cluster;
use crate::support::{Forwarder, World, eventually, on_redis, tier};

on_redis!(no_read_is_older_than_was_agreed_on);

const DELTA: Duration = Duration::from_millis(150);
/// Six servers share a machine that may be busy, and nothing but their answers to one question keeps what was read.
const DELTA_OF_A_CLUSTER: Duration = Duration::from_millis(500);
const PROCESSES: usize = 3;
const KEYS: usize = 6;

/// An invalidation that has returned.
struct Returned {
    version: u64,
    at: Instant,
    process: usize,
    settled: bool,
}

/// Each key with its committed version.
#[derive(Default)]
struct Truth {
    delta: Duration,
    keys: [Mutex<(u64, Vec<Returned>)>; KEYS],
    windows: Mutex<Vec<Window>>,
    late: Mutex<Late>,
}

/// In which somebody may answer who is primary no more: from when to when.
#[derive(Clone, Copy)]
struct Window(Instant, Option<Instant>);

/// For how long after an invalidation something older was read, at most.
#[derive(Clone, Copy, Debug, Default)]
struct Late {
    outside: Duration,
    in_windows: Duration,
}

impl Truth {
    fn commit(&self, key: usize) -> u64 {
        let mut truth = self.keys[key].lock().unwrap();
        truth.0 += 1;
        truth.0
    }

    fn version(&self, key: usize) -> u64 {
        self.keys[key].lock().unwrap().0
    }

    fn returned(&self, key: usize, returned: Returned) {
        self.keys[key].lock().unwrap().1.push(returned);
    }

    /// When the first invalidation of those had returned that a read of `version` has not seen.
    fn missed(&self, key: usize, version: u64, of: impl Fn(&Returned) -> bool) -> Option<Instant> {
        let truth = self.keys[key].lock().unwrap();
        let missed = truth.1.iter().filter(|it| it.version > version && of(it));
        missed.map(|it| it.at).min()
    }

    fn opened(&self) {
        let window = Window(Instant::now(), None);
        self.windows.lock().unwrap().push(window);
    }

    fn closed(&self) {
        let mut windows = self.windows.lock().unwrap();
        windows.last_mut().expect("it was opened").1 = Some(Instant::now());
    }

    /// Whether one was open after `since`, and `delta` before `now`.
    fn is_in_a_window(&self, since: Instant, now: Instant, delta: Duration) -> bool {
        let windows = self.windows.lock().unwrap();
        let meets = |Window(opened, closed): &Window| {
            *opened <= now && closed.is_none_or(|closed| closed >= since && now <= closed + delta)
        };
        windows.iter().any(meets)
    }

    /// Judges a read that began then.
    fn judge(&self, key: usize, version: u64, began: Instant, delta: Duration, process: usize) {
        let is_older = |it: &Returned| it.at <= began;
        let Some(missed) = self.missed(key, version, is_older) else {
            return;
        };
        let by = began - missed;
        let is_in_a_window = self.is_in_a_window(missed, began, delta);
        let mut late = self.late.lock().unwrap();
        match is_in_a_window {
            true => late.in_windows = late.in_windows.max(by),
            false => late.outside = late.outside.max(by),
        }
        drop(late);
        if !is_in_a_window {
            assert!(by < delta, "{version} of {key} is late by {by:?}");
            let own = self.missed(key, version, |it| is_older(it) && it.process == process);
            assert!(own.is_none(), "{version} of {key} is older than the own");
            let settled = self.missed(key, version, |it| is_older(it) && it.settled);
            assert!(settled.is_none(), "{version} of {key} had settled");
        }
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
    let (key, began) = (fastrand::usize(..KEYS), Instant::now());
    let (version, delta) = match fastrand::bool() {
        true => (*cache.scope(local(&truth, key)).await, truth.delta),
        false => (cache.scope(checked(&truth, key)).await, Duration::ZERO),
    };
    truth.judge(key, version, began, delta, process);
}

async fn write(cache: Cache, truth: Arc<Truth>, process: usize) {
    let key = fastrand::usize(..KEYS);
    let (version, began) = (truth.commit(key), Instant::now());
    let name = format!("stressed:{key}");
    let settled = fastrand::bool();
    let request = match fastrand::bool() {
        true => cache.invalidation().key(name),
        false => cache.invalidation().tag(name),
    };
    let ended = match settled {
        true => request.settled().send().await,
        false => request.send().await,
    };
    let at = Instant::now();
    // In a window it may be confirmed by who is primary no more, and is repeated when that is known.
    let counts = !truth.is_in_a_window(began, at, Duration::ZERO);
    if ended.unwrap() == Invalidation::Done && counts {
        truth.returned(
            key,
            Returned {
                version,
                at,
                process,
                settled,
            },
        );
    }
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..100))).await;
}

/// Processes that read and write.
struct Stress {
    truth: Arc<Truth>,
    stop: Arc<AtomicBool>,
    tasks: JoinSet<()>,
    caches: Vec<Cache>,
}

impl Stress {
    /// Begun by those that `builder` makes.
    async fn begin(delta: Duration, builder: impl Fn(usize) -> Builder) -> Self {
        let truth = Truth {
            delta,
            ..Truth::default()
        };
        let (truth, stop) = (Arc::new(truth), Arc::<AtomicBool>::default());
        let (mut tasks, mut caches) = (JoinSet::new(), Vec::new());
        for process in 0..PROCESSES {
            let builder = builder(process).local_staleness(delta);
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
        Self {
            truth,
            stop,
            tasks,
            caches,
        }
    }

    async fn end(mut self) -> Late {
        // Else nothing was shown.
        for cache in &self.caches {
            let hits = cache.stats().total().local_hits;
            let more = async || cache.stats().total().local_hits > hits;
            eventually("a hit in memory", more).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        let keys = self.truth.keys.iter();
        let returned = keys.map(|key| key.lock().unwrap().1.iter().filter(|it| it.settled).count());
        let settled: usize = returned.sum();
        assert!(settled > 0, "no settled invalidation has returned");
        let hits = self.caches.iter().map(|it| it.stats().total().local_hits);
        let hits: Vec<_> = hits.collect();
        println!("{settled} invalidations had settled; answered in memory: {hits:?}");
        *self.truth.late.lock().unwrap()
    }
}

async fn no_read_is_older_than_was_agreed_on(mut world: World) {
    let forwarder = Forwarder::to(world.redis()).await;
    let stress = Stress::begin(DELTA, |process| match process {
        0 => world
            .builder()
            .url(forwarder.url())
            .deadline(Duration::from_millis(100)),
        _ => world.builder(),
    })
    .await;
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
    println!("late by {:?}", stress.end().await);
}

/// The slot of one of the keys, or of the tags.
fn some_slot(cluster: &Cluster) -> (u16, usize) {
    let kind = ["", "#tag:"][fastrand::usize(..2)];
    let key = format!("it:{kind}stressed:{}", fastrand::usize(..KEYS));
    (cluster.slot(&key), cluster.owner(&key))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cluster_none_is_older_than_that_since_the_old_owner_has_learnt_of_it() {
    let cluster = Cluster::start(3).with_replicas();
    let world = World::on_this(&cluster);
    let process = |_| world.builder().on_failover(OnFailover::Epoch);
    let stress = Stress::begin(DELTA_OF_A_CLUSTER, process).await;
    let mut shards = [[0, 3], [1, 4], [2, 5]];
    let (mut windows, mut moves) = (Vec::new(), Vec::new());
    let whole = cluster.moves_whole_slots();
    let end = Instant::now() + Duration::from_secs(tier(4, 30));
    for round in 0.. {
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(fastrand::u64(..300))).await;
            let (slot, from) = some_slot(&cluster);
            let to = shards.map(|[primary, _]| primary);
            let to = to[fastrand::usize(..3)];
            if to == from {
                continue;
            }
            let begun = Instant::now();
            match whole && fastrand::bool() {
                // Until its old owner knows of it, that answers.
                true => {
                    stress.truth.opened();
                    block_in_place(|| cluster.move_whole_slot(slot, from, to));
                    stress.truth.closed();
                }
                false => block_in_place(|| cluster.move_slot(slot, from, to)),
            }
            moves.push(begun.elapsed());
        }
        if Instant::now() >= end {
            break;
        }
        let [primary, replica] = shards[round % 3];
        block_in_place(|| {
            cluster.follows(replica);
            cluster.cut_off(replica, primary);
        });
        tokio::time::sleep(DELTA_OF_A_CLUSTER).await;
        stress.truth.opened();
        let opened = Instant::now();
        block_in_place(|| cluster.take_over(replica));
        stress.truth.closed();
        windows.push(opened.elapsed());
        block_in_place(|| cluster.follows(primary));
        shards[round % 3] = [replica, primary];
    }
    let moved: Vec<_> = stress.caches.iter().map(|it| it.stats().local()).collect();
    let late = stress.end().await;
    println!(
        "{} slots moved, in {:?} at most until the old owner knew; {} takeovers, the longest window {:?}; \
         late by {late:?}, dropped {moved:?}",
        moves.len(),
        moves.iter().max().unwrap(),
        windows.len(),
        windows.iter().max().unwrap()
    );
    assert!(moved.iter().all(|local| local.moved > 0), "{moved:?}");
}
