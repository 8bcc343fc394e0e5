//! The read flow as a whole, of two processes that share a store.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;

use super::*;
use crate::engine::handle::Cache;
use crate::policy::Policy;
use crate::util::sync::explore::Sometimes;
use crate::util::sync::fake::Source;
use crate::util::sync::network::{Network, explore, moment};
use crate::write::invalidation::Invalidation;

/// What is read.
struct Entries {
    tags: &'static [&'static str],
    policy: Policy,
    /// Percent of the loads that fail.
    failures: u8,
}

const MINUTE: Policy = Policy::new().ttl(Duration::from_secs(60));

const PLAIN: Entries = Entries {
    tags: &[],
    policy: MINUTE,
    failures: 0,
};

/// One writer invalidates the first of the tags, and another the key.
const TAGGED: Entries = Entries {
    tags: &["a", "b"],
    ..PLAIN
};

/// Served past the TTL, and before its end already loaded anew.
const STALE: Entries = Entries {
    policy: Policy::new()
        .ttl(Duration::from_millis(20))
        .refresh_ahead(0.5)
        .stale_while_revalidate(Duration::from_millis(20))
        .stale_if_error(Duration::from_secs(60)),
    failures: 10,
    ..TAGGED
};

#[derive(Debug)]
struct Failed;

struct Scene {
    processes: Vec<Cache>,
    entries: &'static Entries,
    source: Source,
    /// What a read in one process must not fall below; deferred invalidations count there alone.
    floors: Vec<AtomicU64>,
    loading: AtomicU64,
    loads: AtomicU64,
    overlapped: AtomicBool,
}

impl Scene {
    async fn new(lease: Duration, entries: &'static Entries) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let mut processes = Vec::new();
        for process in 0..2 {
            let builder = Cache::builder().url(format!("memory://lookup-schedule-{number}"));
            let builder = builder.process(process.to_string());
            let builder = builder.lease(lease).throttle(Duration::from_millis(5));
            processes.push(builder.build().await.unwrap());
        }
        Arc::new(Self {
            processes,
            entries,
            source: Source::default(),
            floors: (0..2).map(|_| AtomicU64::new(0)).collect(),
            loading: AtomicU64::new(0),
            loads: AtomicU64::new(0),
            overlapped: AtomicBool::new(false),
        })
    }

    async fn read(self: Arc<Self>, process: usize) {
        moment().await;
        let floor = self.source.floor().max(self.floors[process].load(Relaxed));
        let Entries {
            tags,
            policy,
            failures,
        } = self.entries;
        let load = || async {
            let _loading = Loading::new(&self);
            moment().await;
            let value = self.source.load();
            moment().await;
            match fastrand::u8(..100) < *failures {
                true => Err(Failed),
                false => Ok(value),
            }
        };
        let entry = self.processes[process].entry("k").policy(policy);
        if let Ok(got) = entry.tags(*tags).get_or_fill(load).await {
            assert!(got >= floor, "got {got}, loaded before {floor} was written");
        }
    }

    async fn read_again(self: Arc<Self>, process: usize) {
        for _ in 0..6 {
            Arc::clone(&self).read(process).await;
        }
    }

    async fn write_again(self: Arc<Self>, process: usize) {
        for _ in 0..2 {
            Arc::clone(&self).write(process).await;
        }
    }

    /// A read whose caller goes away after a while.
    async fn give_up(self: Arc<Self>, process: usize) {
        let rounds = fastrand::u8(1..40);
        let given_up = async {
            for _ in 0..rounds {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = given_up => GIVEN_UP.seen(),
            () = self.read(process) => {}
        }
    }

    async fn write(self: Arc<Self>, process: usize) {
        moment().await;
        let version = self.source.commit();
        let cache = &self.processes[process];
        let invalidated = match (self.entries.tags, process) {
            ([tag, ..], 0) => cache.invalidate_tag(tag).await,
            _ => cache.invalidate("k").await,
        };
        match invalidated.unwrap() {
            Invalidation::Done => {
                self.source.returned(version);
                // Where the flight may still be in the air.
                Arc::clone(&self).read(1 - process).await;
            }
            Invalidation::Collected => unreachable!("no transaction is open"),
            Invalidation::Deferred => {
                DEFERRED.seen();
                self.floors[process].fetch_max(version, Relaxed);
            }
        }
        self.read(process).await;
    }
}

/// A load that runs.
struct Loading<'a>(&'a Scene);

impl<'a> Loading<'a> {
    fn new(scene: &'a Scene) -> Self {
        scene.loads.fetch_add(1, Relaxed);
        if scene.loading.fetch_add(1, Relaxed) > 0 {
            scene.overlapped.store(true, Relaxed);
            OVERLAP.seen();
        }
        Self(scene)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loading.fetch_sub(1, Relaxed);
    }
}

static GIVEN_UP: Sometimes = Sometimes::new("a reader goes away");
static DEFERRED: Sometimes = Sometimes::new("an invalidation is deferred");
static REFUSED: Sometimes = Sometimes::new("a fill is refused");
static DEAD: Sometimes = Sometimes::new("an entry is met whose tag was invalidated");
static SERVED_STALE: Sometimes = Sometimes::new("a value is served past its TTL");
static RENEWED: Sometimes = Sometimes::new("a load runs behind an entry");
static OVERLAP: Sometimes = Sometimes::new("two loads overlap");

#[test]
fn a_leader_that_goes_away_hands_its_lease_on_and_loads_run_one_at_a_time() {
    let network = Network {
        longest_ms: 3,
        losses: 0,
    };
    explore(network, &[&GIVEN_UP], || async {
        let (lease, began) = (Duration::from_secs(3), Instant::now());
        let scene = Scene::new(lease, &PLAIN).await;
        let mut tasks = JoinSet::new();
        for n in 0..4 {
            tasks.spawn(Arc::clone(&scene).read(n % 2));
            tasks.spawn(Arc::clone(&scene).give_up(n % 2));
        }
        tasks.join_all().await;
        assert!(began.elapsed() < lease, "a lease had to run out");
        assert!(!scene.overlapped.load(Relaxed), "two loads at a time");
        let loads = scene.loads.load(Relaxed);
        Arc::clone(&scene).read(0).await;
        Arc::clone(&scene).read(1).await;
        assert_eq!(scene.loads.load(Relaxed), loads, "the last load was kept");
    });
}

#[test]
fn a_read_after_an_invalidation_is_fresh_however_late_the_steps_are() {
    explore(LATE, &[&REFUSED, &OVERLAP], || reads_and_writes(&PLAIN));
}

#[test]
fn a_read_after_an_invalidation_is_fresh_although_steps_get_lost() {
    explore(LOSSY, &[&DEFERRED, &GIVEN_UP], || reads_and_writes(&PLAIN));
}

#[test]
fn a_read_after_the_invalidation_of_a_tag_is_fresh_however_late_the_steps_are() {
    explore(LATE, &[&DEAD, &OVERLAP], || reads_and_writes(&TAGGED));
}

#[test]
fn a_read_after_the_invalidation_of_a_tag_is_fresh_although_steps_get_lost() {
    explore(LOSSY, &[&DEFERRED, &DEAD], || reads_and_writes(&TAGGED));
}

#[test]
fn a_read_in_a_stale_window_is_fresh_after_an_invalidation_however_late_the_steps_are() {
    explore(LATE, &[&SERVED_STALE, &RENEWED, &DEAD], || {
        reads_and_writes(&STALE)
    });
}

#[test]
fn a_read_in_a_stale_window_is_fresh_after_an_invalidation_although_steps_get_lost() {
    explore(LOSSY, &[&SERVED_STALE, &RENEWED, &DEFERRED], || {
        reads_and_writes(&STALE)
    });
}

const LATE: Network = Network {
    longest_ms: 60,
    losses: 0,
};
const LOSSY: Network = Network {
    longest_ms: 10,
    losses: 10,
};

/// With leases that run out while their holders are slow.
async fn reads_and_writes(entries: &'static Entries) {
    let scene = Scene::new(Duration::from_millis(30), entries).await;
    let mut tasks = JoinSet::new();
    for process in [0, 1, 0, 1, 0, 1] {
        tasks.spawn(Arc::clone(&scene).read_again(process));
    }
    tasks.spawn(Arc::clone(&scene).give_up(0));
    for process in [0, 1] {
        tasks.spawn(Arc::clone(&scene).write_again(process));
    }
    tasks.join_all().await;
    for stats in scene.processes.iter().map(Cache::stats) {
        let total = stats.total();
        let counts = [
            (total.refused_fills, &REFUSED),
            (total.outdated, &DEAD),
            (total.stale, &SERVED_STALE),
            (total.renewals, &RENEWED),
        ];
        for (_, outcome) in counts.iter().filter(|(count, _)| *count > 0) {
            outcome.seen();
        }
    }
}
