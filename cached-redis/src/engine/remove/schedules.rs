//! What is removed key by key, of functions that call one another, while others load it.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::*;
use crate::engine::handle::Cache;
use crate::policy::Policy;
use crate::util::sync::explore::Sometimes;
use crate::util::sync::fake::Source;
use crate::util::sync::network::{Network, explore, moment};

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
/// The key of the outer entry, and that of its tag.
const OUTER: [&str; 2] = ["app:outer", "app:#tag:t"];

struct Scene {
    processes: Vec<Cache>,
    source: Source,
    /// What of the outer entry is removed.
    outer: &'static str,
}

impl Scene {
    async fn new(outer: &'static str) -> Arc<Self> {
        static NUMBER: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let mut processes = Vec::new();
        for process in 0..2 {
            let builder = Cache::builder().url(format!("memory://remove-schedule-{number}"));
            let built = builder.process(process.to_string()).build().await;
            processes.push(built.unwrap());
        }
        Arc::new(Self {
            processes,
            source: Source::default(),
            outer,
        })
    }

    async fn read(&self, process: usize) {
        moment().await;
        let (floor, cache) = (self.source.floor(), &self.processes[process]);
        let load = || async {
            moment().await;
            Ok::<_, ()>(self.source.load())
        };
        let inner = || async {
            moment().await;
            let inner = cache.entry("inner").policy(&POLICY);
            inner.get_or_fill(load).await
        };
        let outer = cache.entry("outer").policy(&POLICY).tags(["t"]);
        let got = outer.get_or_fill(inner).await.unwrap();
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
    }

    async fn write(&self, process: usize) {
        let version = self.source.commit();
        let inner = &self.processes[process].inner;
        let keys = [self.outer, "app:inner"].map(str::to_owned);
        // Another process may remove what bars a part of them.
        while let Err(error) = one_by_one(inner, &keys, None).await {
            assert_eq!(error, StoreError::Lost);
        }
        inner.flights.abandon_all(&keys);
        self.source.returned(version);
    }
}

static BYPASSED: Sometimes = Sometimes::new("a reader meets a tombstone");

/// One writer removes both, and another one the inner entry alone, with all that stands there.
async fn reads_and_writes(outer: &'static str) {
    let scene = Scene::new(outer).await;
    let mut tasks = JoinSet::new();
    for process in [0, 1, 0, 1] {
        let scene = Arc::clone(&scene);
        tasks.spawn(async move {
            for _ in 0..6 {
                scene.read(process).await;
            }
        });
    }
    let both = Arc::clone(&scene);
    tasks.spawn(async move {
        for _ in 0..2 {
            both.write(0).await;
            both.read(1).await;
        }
    });
    let store = Arc::clone(&scene);
    tasks.spawn(async move {
        for _ in 0..6 {
            moment().await;
            let inner = &store.processes[1].inner;
            let keys = ["app:inner".to_owned()];
            inner.store.invalidate(&keys).await.unwrap();
        }
    });
    tasks.join_all().await;
    scene.read(0).await;
    if scene
        .processes
        .iter()
        .any(|cache| cache.stats().total().bypasses > 0)
    {
        BYPASSED.seen();
    }
}

const LATE: Network = Network {
    longest_ms: 60,
    losses: 0,
};

#[test]
fn no_outer_entry_is_made_of_an_inner_one_that_goes_later() {
    explore(LATE, &[&BYPASSED], || reads_and_writes(OUTER[0]));
}

#[test]
fn nor_is_one_that_goes_by_its_tag() {
    explore(LATE, &[&BYPASSED], || reads_and_writes(OUTER[1]));
}
