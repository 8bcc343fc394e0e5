//! Batches and single reads of two processes that share a store and some keys.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::task::{JoinSet, yield_now};
use tokio::time::Instant;

use crate::engine::context::current;
use crate::engine::handle::Cache;
use crate::policy::Policy;
use crate::read::control::CachedExt as _;
use crate::util::sync::explore::Sometimes;
use crate::util::sync::fake::Source;
use crate::util::sync::network::{Network, explore, moment};
use crate::write::invalidation::Invalidation;

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

const KEYS: usize = 3;

struct Scene {
    processes: Vec<Cache>,
    rows: [Row; KEYS],
    /// Whether some batches load whatever the cache has.
    refreshes: bool,
    /// Whether loads find a tag of each row, and writers invalidate those.
    tagged: bool,
}

/// What stands behind one key.
#[derive(Default)]
struct Row {
    source: Source,
    /// What a read in one process must not fall below; deferred invalidations count there alone.
    floors: [AtomicU64; 2],
    loading: AtomicU64,
    overlapped: AtomicBool,
}

impl Row {
    fn floor(&self, process: usize) -> u64 {
        self.source.floor().max(self.floors[process].load(Relaxed))
    }
}

impl Scene {
    async fn new(lease: Duration, refreshes: bool) -> Arc<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Relaxed);
        let mut processes = Vec::new();
        for process in 0..2 {
            let builder = Cache::builder().url(format!("memory://batch-schedule-{number}"));
            let builder = builder.process(process.to_string());
            processes.push(builder.lease(lease).build().await.unwrap());
        }
        Arc::new(Self {
            processes,
            rows: Default::default(),
            refreshes,
            tagged: false,
        })
    }

    /// The same with tags.
    async fn tagged(lease: Duration) -> Arc<Self> {
        let scene = Arc::into_inner(Self::new(lease, true).await);
        let scene = scene.expect("nobody else has it");
        Arc::new(Self {
            tagged: true,
            ..scene
        })
    }

    async fn read(self: Arc<Self>, process: usize, id: usize) {
        moment().await;
        let floor = self.rows[id].floor(process);
        let load = || async { Ok::<_, Infallible>(self.load(&[id]).await[&id]) };
        let cache = &self.processes[process];
        let got = cache.get_or_fill(&POLICY, id.to_string(), load).await;
        let Ok(got) = got;
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
    }

    async fn read_batch(self: Arc<Self>, process: usize) {
        moment().await;
        let mut ids: Vec<_> = (0..KEYS).collect();
        fastrand::shuffle(&mut ids);
        ids.truncate(fastrand::usize(1..=KEYS));
        let floors: Vec<_> = ids.iter().map(|id| self.rows[*id].floor(process)).collect();
        let cache = &self.processes[process];
        let load = |ids: Vec<usize>| {
            let scene = &self;
            async move { Ok::<_, Infallible>(scene.load(&ids).await) }
        };
        let wanted = ids.clone();
        let read = cache
            .entries(wanted, usize::to_string)
            .policy(&POLICY)
            .get_or_fill(load);
        let got = match fastrand::u8(..5) {
            0 if self.refreshes => read.refreshed().await,
            _ => read.await,
        };
        let Ok(got) = got;
        for (id, floor) in ids.iter().zip(floors) {
            let got = got[id];
            assert!(got >= floor, "got {got}, loaded before {floor} was written");
        }
    }

    async fn load(&self, ids: &[usize]) -> BTreeMap<usize, u64> {
        let _loading: Vec<_> = ids.iter().map(|id| Loading::new(&self.rows[*id])).collect();
        moment().await;
        for id in ids.iter().filter(|_| self.tagged) {
            current().tag(id.to_string());
        }
        let loaded = ids.iter().map(|id| (*id, self.rows[*id].source.load()));
        let loaded = loaded.collect();
        moment().await;
        loaded
    }

    /// A batch whose caller goes away after a while.
    async fn give_up(self: Arc<Self>, process: usize) {
        let rounds = fastrand::u8(1..60);
        let given_up = async {
            for _ in 0..rounds {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = given_up => GIVEN_UP.seen(),
            () = self.read_batch(process) => {}
        }
    }

    /// Writes two rows.
    async fn write(self: Arc<Self>, process: usize) {
        moment().await;
        let first = fastrand::usize(..KEYS);
        let written = [first, (first + 1) % KEYS];
        let versions = written.map(|id| (id, self.rows[id].source.commit()));
        let keys = written.map(|id| id.to_string());
        let done = match self.tagged {
            true => {
                self.processes[process]
                    .invalidation()
                    .tags(keys)
                    .send()
                    .await
            }
            false => {
                self.processes[process]
                    .invalidation()
                    .keys(keys)
                    .send()
                    .await
            }
        };
        let done = matches!(done, Ok(Invalidation::Done));
        for (id, version) in versions {
            match done {
                true => self.rows[id].source.returned(version),
                false => {
                    DEFERRED.seen();
                    self.rows[id].floors[process].fetch_max(version, Relaxed);
                }
            }
        }
        // Where the flights may still be in the air.
        Arc::clone(&self).read_batch(1 - process).await;
        Arc::clone(&self).read(1 - process, first).await;
        self.read_batch(process).await;
    }
}

/// A load of one row that runs.
struct Loading<'a>(&'a Row);

impl<'a> Loading<'a> {
    fn new(row: &'a Row) -> Self {
        if row.loading.fetch_add(1, Relaxed) > 0 {
            row.overlapped.store(true, Relaxed);
        }
        Self(row)
    }
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.0.loading.fetch_sub(1, Relaxed);
    }
}

static GIVEN_UP: Sometimes = Sometimes::new("a batch goes away");
static DEFERRED: Sometimes = Sometimes::new("an invalidation is deferred");
static REFUSED: Sometimes = Sometimes::new("a fill is refused");
static HIT_OF_TAGS: Sometimes = Sometimes::new("an entry with tags is served");
static OUTDATED: Sometimes = Sometimes::new("an entry is met whose tag was invalidated");

#[test]
fn batches_that_need_each_others_keys_load_each_once_and_wait_no_lease_out() {
    let network = Network {
        longest_ms: 3,
        losses: 0,
    };
    explore(network, &[&GIVEN_UP], || async {
        let (lease, began) = (Duration::from_secs(3), Instant::now());
        let scene = Scene::new(lease, false).await;
        let mut tasks = JoinSet::new();
        for n in 0..4 {
            tasks.spawn(Arc::clone(&scene).read_batch(n % 2));
            tasks.spawn(Arc::clone(&scene).give_up(n % 2));
            tasks.spawn(Arc::clone(&scene).read(n % 2, n % KEYS));
        }
        tasks.join_all().await;
        assert!(began.elapsed() < lease, "a lease had to run out");
        let overlapped = |row: &Row| row.overlapped.load(Relaxed);
        assert!(!scene.rows.iter().any(overlapped), "two loads at a time");
    });
}

#[test]
fn what_a_batch_reads_after_an_invalidation_is_fresh_however_late_the_steps_are() {
    let network = Network {
        longest_ms: 60,
        losses: 0,
    };
    explore(network, &[&REFUSED], || reads_and_writes(false));
}

#[test]
fn what_a_batch_reads_after_an_invalidation_is_fresh_although_steps_get_lost() {
    let network = Network {
        longest_ms: 10,
        losses: 10,
    };
    explore(network, &[&DEFERRED, &GIVEN_UP], || reads_and_writes(false));
}

#[test]
fn what_a_batch_reads_after_the_invalidation_of_its_tags_is_fresh_however_late_the_steps_are() {
    let network = Network {
        longest_ms: 10,
        losses: 0,
    };
    explore(network, &[&HIT_OF_TAGS, &OUTDATED], || {
        reads_and_writes(true)
    });
}

#[test]
fn what_a_batch_reads_after_the_invalidation_of_its_tags_is_fresh_although_steps_get_lost() {
    let network = Network {
        longest_ms: 10,
        losses: 10,
    };
    explore(network, &[&DEFERRED, &HIT_OF_TAGS], || {
        reads_and_writes(true)
    });
}

/// With leases that run out while their holders are slow.
async fn reads_and_writes(tagged: bool) {
    let lease = Duration::from_millis(30);
    let scene = match tagged {
        true => Scene::tagged(lease).await,
        false => Scene::new(lease, true).await,
    };
    let mut tasks = JoinSet::new();
    for process in [0, 1, 0, 1] {
        tasks.spawn(Arc::clone(&scene).read_batch(process));
        tasks.spawn(Arc::clone(&scene).read(process, process));
    }
    tasks.spawn(Arc::clone(&scene).give_up(0));
    tasks.spawn(Arc::clone(&scene).write(0));
    tasks.spawn(Arc::clone(&scene).write(1));
    tasks.join_all().await;
    let stats = scene.processes.iter().map(Cache::stats);
    for function in stats.flat_map(|stats| stats.functions) {
        let outcomes = [
            (&REFUSED, function.refused_fills > 0),
            (&HIT_OF_TAGS, tagged && function.hits > 0),
            (&OUTDATED, function.outdated > 0),
        ];
        let seen = outcomes.iter().filter(|(_, seen)| *seen);
        seen.for_each(|(outcome, _)| outcome.seen());
    }
}
