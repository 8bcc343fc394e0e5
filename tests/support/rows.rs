//! A table whose readers check what they are served.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cached_redis::Cache;
use tokio::task::JoinHandle;

/// Rows that count their versions. Of each is also known the newest version whose invalidation has
/// returned: what a read may no longer fall behind.
#[derive(Clone)]
pub(crate) struct Rows(Arc<[Row]>);

struct Row {
    version: AtomicU64,
    acknowledged: AtomicU64,
}

impl Rows {
    /// So many rows in their version 1.
    pub(crate) fn new(count: usize) -> Self {
        let row = |_| Row {
            version: AtomicU64::new(1),
            acknowledged: AtomicU64::new(1),
        };
        Self((0..count).map(row).collect())
    }

    pub(crate) fn ids(&self) -> std::ops::Range<usize> {
        0..self.0.len()
    }

    /// Commits a new version of a row.
    pub(crate) fn write(&self, id: usize) -> u64 {
        self.0[id].version.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Notes that the invalidation after this write has returned.
    pub(crate) fn acknowledge(&self, id: usize, version: u64) {
        self.0[id].acknowledged.fetch_max(version, Ordering::SeqCst);
    }

    /// The committed version.
    pub(crate) fn version(&self, id: usize) -> u64 {
        self.0[id].version.load(Ordering::SeqCst)
    }

    /// Reads the version and takes a moment to bring it.
    pub(crate) async fn load(&self, id: usize) -> u64 {
        let version = self.version(id);
        tokio::task::yield_now().await;
        version
    }

    /// Starts tasks that read random rows through `cache` and check that none is stale.
    pub(crate) fn readers<R>(
        &self,
        cache: &Cache,
        count: usize,
        read: impl Fn(Self, usize) -> R + Clone + Send + 'static,
    ) -> Readers
    where
        R: Future<Output = u64> + Send,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let reader = |_| {
            let (rows, stop, read) = (self.clone(), Arc::clone(&stop), read.clone());
            cache.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let id = fastrand::usize(rows.ids());
                    let least = rows.0[id].acknowledged.load(Ordering::SeqCst);
                    let version = read(rows.clone(), id).await;
                    assert!(version >= least, "row {id}: {version} after {least}");
                    tokio::task::yield_now().await;
                }
            })
        };
        Readers {
            tasks: (0..count).map(reader).collect(),
            stop,
        }
    }
}

/// Readers at work.
pub(crate) struct Readers {
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Readers {
    /// Ends them; fails if one of them saw a stale row.
    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("no reader saw a stale row");
        }
    }
}
