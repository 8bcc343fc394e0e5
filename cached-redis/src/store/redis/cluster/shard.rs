//! What the connections of all servers are to one who knows of one store.
//!
//! He stops the clock of what was confirmed of late while any of them is away: its server may come back, or
//! another one in its place, and lack just that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::Instant;

use crate::store::Watch;
use crate::store::redis::facts::Identity;
use crate::util::lock::Mutex;

/// See the module.
pub(super) struct Shards {
    watch: Arc<dyn Watch>,
    /// How many are away.
    away: Mutex<usize>,
}

/// One of them.
pub(super) struct Shard {
    shards: Arc<Shards>,
    /// Whether the first connection leads to one that may have taken the place of another.
    replaces: AtomicBool,
    is_away: AtomicBool,
    /// Where the next connection leads to.
    server: Mutex<(Identity, u32)>,
}

impl Shards {
    pub(super) fn new(watch: Arc<dyn Watch>) -> Self {
        let away = Mutex::default();
        Self { watch, away }
    }
}

impl Shard {
    pub(super) fn new(shards: Arc<Shards>, replaces: bool) -> Self {
        Self {
            shards,
            replaces: AtomicBool::new(replaces),
            is_away: AtomicBool::new(false),
            server: Mutex::default(),
        }
    }

    /// It is away no longer: connected, maybe to another server than before, or given up.
    fn returns(&self, changed: Option<bool>) {
        let mut away = self.shards.away.lock();
        let was_away = self.is_away.swap(false, Ordering::Relaxed);
        *away -= usize::from(was_away);
        if let Some(changed) = changed {
            // Told together, so that no other server comes between.
            let (server, database) = &*self.server.lock();
            self.shards.watch.recognised(server, *database);
            self.shards.watch.connected(changed);
        } else if was_away && *away == 0 {
            self.shards.watch.connected(false);
        }
        if *away > 0 {
            self.shards.watch.lost(Instant::now());
        }
    }
}

impl Watch for Shard {
    fn recognised(&self, server: &Identity, database: u32) {
        *self.server.lock() = (server.clone(), database);
    }

    fn connected(&self, changed: bool) {
        let replaces = self.replaces.swap(false, Ordering::Relaxed);
        self.returns(Some(changed || replaces));
    }

    fn lost(&self, seen: Instant) {
        let mut away = self.shards.away.lock();
        *away += usize::from(!self.is_away.swap(true, Ordering::Relaxed));
        self.shards.watch.lost(seen);
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.returns(None);
    }
}
