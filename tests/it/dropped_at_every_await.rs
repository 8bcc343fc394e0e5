//! At every point: whatever is asked of a cache is dropped after each number of polls, while
//! the store is slow or faulty. Nobody hangs afterwards, nobody sees what was there before a commit,
//! and no key stays taken for longer than a lease or a hold.

use std::time::Duration;

use cached_redis::testing::{Faults, HeldClock};
use cached_redis::{Cache, CachedExt as _, Error, Invalidation, Policy, Status};
use cached_redis::{invalidates, redis_cached};
use tokio::time::Instant;

use crate::support::{Forwarder, RedisServer, Source, World};
use crate::support::{after_polls, eventually, in_time, poll_once, tier};

const LIFE: Duration = Duration::from_millis(600);
const DEADLINE: Duration = Duration::from_millis(50);
const KEY: &str = "dropped:1";
const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "dropped:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("dropped:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

#[invalidates("dropped:<id>", guard, cache = cache)]
async fn guarded_write(cache: &Cache, source: &Source, id: u64) -> u64 {
    source.write()
}

fn seeds() -> u64 {
    tier(3, 24)
}

/// What is dropped.
#[derive(Clone, Copy, Debug)]
enum What {
    Read,
    Refresh,
    Put,
    Update,
    Invalidation,
    Write,
    GuardedWrite,
    WriteByHand,
}

const ALL: [What; 8] = [
    What::Read,
    What::Refresh,
    What::Put,
    What::Update,
    What::Invalidation,
    What::Write,
    What::GuardedWrite,
    What::WriteByHand,
];

impl What {
    async fn run(self, cache: &Cache, source: &Source) {
        match self {
            Self::Read => drop(read(source, 1).await),
            Self::Refresh => drop(read(source, 1).refreshed().await),
            Self::Put => drop(cache.put(&POLICY, KEY, &source.version()).await),
            Self::Update => {
                let current = |_: Option<u64>| Ok::<_, Error>(source.version());
                drop(cache.entry(KEY).policy(&POLICY).update(current).await);
            }
            Self::Invalidation => {
                source.write();
                drop(cache.invalidate(KEY).await);
            }
            Self::Write => drop(write(source, 1).await),
            Self::GuardedWrite => drop(guarded_write(cache, source, 1).await),
            Self::WriteByHand => {
                if let Ok(guard) = cache.begin_write([KEY]).await {
                    source.write();
                    drop(guard.finish().await);
                }
            }
        }
    }
}

/// A process behind a bad network, and one that has a good one to the same store.
struct Scene {
    cache: Cache,
    other: Cache,
    faults: Faults,
    source: Source,
}

impl Scene {
    async fn new(url: &str, other: &str, faults: Faults) -> Self {
        let builder = |url| {
            let builder = Cache::builder().url(url).namespace("it").guarded(true);
            builder.lease(LIFE).hold(LIFE).deadline(DEADLINE)
        };
        Self {
            cache: builder(url).faults(faults.clone()).build().await.unwrap(),
            other: builder(other).build().await.unwrap(),
            faults,
            // So that loads can be dropped as well.
            source: Source::slow(Duration::from_millis(2)),
        }
    }

    /// Drops `what` after so many polls; whether it had ended before.
    async fn drop_after(&self, polls: usize, what: What, standing: bool) -> bool {
        if standing {
            self.hit(&self.other).await;
        }
        let run = self.cache.scope(what.run(&self.cache, &self.source));
        in_time(after_polls(polls, run)).await.is_some()
    }

    /// What must hold afterwards.
    async fn recover(&self) {
        for process in [&self.cache, &self.other] {
            in_time(process.scope(read(&self.source, 1))).await;
        }
        self.faults.heal();
        // What was committed comes to be seen, though nobody has waited for its invalidation.
        let committed = async || self.other.scope(read(&self.source, 1)).await == self.version();
        eventually("the invalidation to arrive", committed).await;
        self.hit(&self.other).await;

        // And nothing that is still on its way brings the old value back.
        let version = self.source.write();
        let sent = in_time(self.other.invalidate(KEY)).await;
        assert_eq!(sent.unwrap(), Invalidation::Done);
        in_time(self.cache.flush()).await.unwrap();
        for process in [&self.other, &self.cache] {
            let seen = in_time(process.scope(read(&self.source, 1))).await;
            assert_eq!(seen, version);
            self.hit(process).await;
        }
        assert_eq!(self.cache.stats().total().lost_invalidations, 0);
    }

    fn version(&self) -> u64 {
        self.source.version()
    }

    /// Until somebody has stored the current version: as long as a lease or a tombstone is renewed,
    /// nobody can.
    async fn hit(&self, process: &Cache) {
        let hit = async || {
            let (seen, info) = in_time(process.scope(read(&self.source, 1).with_info())).await;
            info.status() == Status::Hit && seen == self.version()
        };
        eventually("a hit", hit).await;
    }
}

fn plan(seed: u64) -> Faults {
    let faults = Faults::seeded(seed);
    match seed % 3 {
        // Every step is a wait.
        0 => faults.delay(1.0, DEADLINE / 2),
        1 => faults.delay(0.5, DEADLINE * 2).reorder(0.3),
        _ => faults
            .delay(0.4, DEADLINE)
            .fail(0.1)
            .lose_answer(0.2)
            .drop(0.1)
            .reorder(0.2),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_remains_of_what_is_dropped_at_any_point_on_a_faulty_store() {
    let mut dropped = 0;
    for (what, seed) in ALL
        .into_iter()
        .flat_map(|what| (0..seeds()).map(move |seed| (what, seed)))
    {
        for polls in 0.. {
            println!("{what:?} after {polls} polls, seed {seed}");
            let url = World::in_memory().url().to_owned();
            let scene = Scene::new(&url, &url, plan(seed)).await;
            let ended = scene.drop_after(polls, what, seed % 2 == 0).await;
            let begun = Instant::now();
            scene.recover().await;
            // The lease of the dropped one, those of the readers since, and steps that came late.
            assert!(begun.elapsed() < 6 * LIFE, "{:?}", begun.elapsed());
            if ended {
                break;
            }
            dropped += 1;
        }
    }
    assert!(
        dropped > 2 * ALL.len() as u64 * seeds(),
        "{dropped} at an await"
    );
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_gives_its_key_back_at_once() {
    let url = World::in_memory().url().to_owned();
    let scene = Scene::new(&url, &url, Faults::seeded(7)).await;
    scene.source.hold();
    assert!(!scene.drop_after(1, What::Read, false).await);
    scene.source.release();
    HeldClock::new().settle().await;
    let begun = Instant::now();
    in_time(scene.other.scope(read(&scene.source, 1))).await;
    assert!(begun.elapsed() < LIFE / 4, "nobody had to wait");
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_dropped_during_an_outage_keeps_its_key_for_one_lease() {
    let url = World::in_memory().url().to_owned();
    let scene = Scene::new(&url, &url, Faults::seeded(7)).await;
    scene.source.hold();
    let mut load = Box::pin(scene.cache.scope(read(&scene.source, 1)));
    assert!(poll_once(load.as_mut()).is_pending());
    scene.faults.outage(true);
    drop(load);
    HeldClock::new().settle().await;
    assert!(scene.faults.injected().failed > 0, "the release failed");
    scene.faults.heal();
    scene.source.release();
    let begun = Instant::now();
    in_time(scene.other.scope(read(&scene.source, 1))).await;
    // And the pause until the reader looks again.
    let waited = begun.elapsed();
    assert!(waited > LIFE / 2 && waited < LIFE * 5 / 4, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_remains_of_what_is_dropped_at_any_point_on_a_slow_network() {
    let server = RedisServer::start();
    let network = Forwarder::to(&server).await;
    network.delay(Duration::from_millis(2));
    for what in ALL {
        for polls in 0.. {
            println!("{what:?} after {polls} polls");
            server.run::<()>(&["FLUSHALL"]);
            let scene = Scene::new(&network.url(), &server.url(), Faults::seeded(7)).await;
            let ended = scene.drop_after(polls, what, polls % 2 == 0).await;
            scene.recover().await;
            if ended {
                break;
            }
        }
    }
}
