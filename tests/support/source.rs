//! Where the functions under test load from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::error::Timeout;
use tokio::sync::watch;

/// A load that failed, or was not waited for.
#[derive(Clone, Debug)]
pub(crate) struct Failed;

impl From<Timeout> for Failed {
    fn from(_: Timeout) -> Self {
        Self
    }
}

/// A table of one row that counts its versions. Loads can be held while they run, and are counted.
#[derive(Clone)]
pub(crate) struct Source(Arc<Table>);

struct Table {
    version: AtomicU64,
    /// How many loads have begun.
    begun: watch::Sender<usize>,
    /// Whether loads may end.
    open: watch::Sender<bool>,
    running: AtomicUsize,
    most_at_once: AtomicUsize,
    /// How many of the next loads fail.
    failures: AtomicUsize,
    /// How long a load takes at least.
    takes: Duration,
}

impl Source {
    /// A row in its version 1.
    pub(crate) fn new() -> Self {
        Self::slow(Duration::ZERO)
    }

    /// A source whose loads take their time, so that others meet them under way.
    pub(crate) fn slow(takes: Duration) -> Self {
        Self(Arc::new(Table {
            version: AtomicU64::new(1),
            begun: watch::Sender::new(0),
            open: watch::Sender::new(true),
            running: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            takes,
        }))
    }

    /// A source whose loads are held from the start.
    pub(crate) fn held() -> Self {
        let source = Self::new();
        source.hold();
        source
    }

    /// Commits a new version.
    pub(crate) fn write(&self) -> u64 {
        self.0.version.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The committed version.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Ordering::SeqCst)
    }

    /// Lets no load end.
    pub(crate) fn hold(&self) {
        self.0.open.send_replace(false);
    }

    /// Lets all loads end.
    pub(crate) fn release(&self) {
        self.0.open.send_replace(true);
    }

    /// Lets the next `loads` fail.
    pub(crate) fn fail(&self, loads: usize) {
        self.0.failures.store(loads, Ordering::SeqCst);
    }

    /// Waits until `loads` have begun since the source was made.
    pub(crate) async fn begun(&self, loads: usize) {
        let mut begun = self.0.begun.subscribe();
        let seen = super::in_time(begun.wait_for(|begun| *begun >= loads)).await;
        seen.expect("the table keeps the sender");
    }

    /// How many loads have begun.
    pub(crate) fn loads(&self) -> usize {
        *self.0.begun.borrow()
    }

    /// The most loads that ever ran at the same time.
    pub(crate) fn most_at_once(&self) -> usize {
        self.0.most_at_once.load(Ordering::SeqCst)
    }

    /// Loads the version. It is read when the load begins: one that is held has an old one in hand.
    pub(crate) async fn load(&self) -> u64 {
        let _running = Running::new(&self.0);
        let version = self.version();
        self.0.begun.send_modify(|begun| *begun += 1);
        self.wait_open().await;
        if !self.0.takes.is_zero() {
            tokio::time::sleep(self.0.takes).await;
        }
        version
    }

    /// As [`load`](Self::load), with the failures that were asked for.
    pub(crate) async fn try_load(&self) -> Option<u64> {
        let one_less = |failures: usize| failures.checked_sub(1);
        let failures = &self.0.failures;
        let fails = failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less);
        let version = self.load().await;
        fails.is_err().then_some(version)
    }

    /// Waits while loads are held.
    pub(crate) async fn wait_open(&self) {
        let mut open = self.0.open.subscribe();
        open.wait_for(|open| *open)
            .await
            .expect("the table keeps the sender");
    }
}

/// One running load.
struct Running<'a>(&'a Table);

impl<'a> Running<'a> {
    fn new(table: &'a Table) -> Self {
        let running = table.running.fetch_add(1, Ordering::SeqCst) + 1;
        table.most_at_once.fetch_max(running, Ordering::SeqCst);
        Self(table)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
