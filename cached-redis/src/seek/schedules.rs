//! The read flow as a whole, of two processes that share a store.

use std::convert::Infallible;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::task::{JoinSet, yield_now};

use super::*;
use crate::sync::explore::Sometimes;
use crate::sync::fake::Source;
use crate::sync::network::{Network, explore, moment};
use crate::{Cache, Invalidation, Policy};

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

struct Scene {
    processes: Vec<Cache>,
    source: Source,
    /// What a read in one process must not fall below; deferred invalidations count there alone.
    floors: Vec<AtomicU64>,
    loading: AtomicU64,
    loads: AtomicU64,
    overlapped: AtomicBool,
}

impl Scene {
    async fn new(lease: Duration) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let mut processes = Vec::new();
        for _ in 0..2 {
            let builder = Cache::builder().url(format!("memory://seek-schedule-{number}"));
            processes.push(builder.lease(lease).build().await.unwrap());
        }
        Arc::new(Self {
            processes,
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
        let load = || async {
            let _loading = Loading::new(&self);
            moment().await;
            let value = self.source.load();
            moment().await;
            Ok::<_, Infallible>(value)
        };
        let got = self.processes[process]
            .get_or_fill(&POLICY, "k", load)
            .await;
        let got = got.unwrap();
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
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
        match self.processes[process].invalidate("k").await.unwrap() {
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
static OVERLAP: Sometimes = Sometimes::new("two loads overlap");

#[test]
fn a_leader_that_goes_away_hands_its_lease_on_and_loads_run_one_at_a_time() {
    let network = Network {
        longest_ms: 3,
        losses: 0,
    };
    explore(network, &[&GIVEN_UP], || async {
        let (lease, began) = (Duration::from_secs(3), Instant::now());
        let scene = Scene::new(lease).await;
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
    let network = Network {
        longest_ms: 60,
        losses: 0,
    };
    explore(network, &[&REFUSED, &OVERLAP], reads_and_writes);
}

#[test]
fn a_read_after_an_invalidation_is_fresh_although_steps_get_lost() {
    let network = Network {
        longest_ms: 10,
        losses: 10,
    };
    explore(network, &[&DEFERRED, &GIVEN_UP], reads_and_writes);
}

/// With leases that run out while their holders are slow.
async fn reads_and_writes() {
    let scene = Scene::new(Duration::from_millis(30)).await;
    let mut tasks = JoinSet::new();
    for process in [0, 1, 0, 1] {
        tasks.spawn(Arc::clone(&scene).read(process));
    }
    tasks.spawn(Arc::clone(&scene).give_up(0));
    tasks.spawn(Arc::clone(&scene).write(0));
    tasks.spawn(Arc::clone(&scene).write(1));
    tasks.join_all().await;
    let stats = scene.processes.iter().map(Cache::stats);
    if stats
        .flat_map(|stats| stats.functions)
        .any(|function| function.refused_fills > 0)
    {
        REFUSED.seen();
    }
}
