//! Reads whose changes the server announces from then on, for a level in process memory
//! (see [`local`](crate::protocol::local)).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;

use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::wire::targets::Targets;

/// Who keeps what was read over tracked connections. All of it is called from the tasks that drive those, so
/// nothing here may wait.
pub(crate) trait Keeper: Send + Sync + 'static {
    /// From now on it is read over this one as well.
    fn opened(&self, _lane: &Arc<Lane>) {}

    /// The server announces a change of what stands under `key`. Answers that it sends later are handed out
    /// later.
    fn changed(&self, key: &[u8]);

    /// Of everything.
    fn flushed(&self, lane: &Lane);

    /// The connection is gone. It comes before a new one can be used.
    fn lost(&self, lane: &Lane);

    /// On any connection to there another server, or another life of it, was met; or it has lost keys to others.
    fn moved(&self, lane: &Lane);

    /// A command that was sent over this connection at `sent` is answered.
    fn answered(&self, lane: &Lane, sent: Moment);

    /// The store has confirmed that this process has removed or replaced what stood there.
    fn replaced(&self, _key: &str) {}

    /// The same of all of these.
    fn confirmed(&self, _targets: &Targets) {}

    /// And of all there is.
    fn cleared(&self) {}
}

/// One tracked connection after the other, to the same server of the store: what its keeper knows of it. Hits
/// read that without a lock.
#[derive(Default)]
pub(crate) struct Lane {
    changing: Mutex<()>,
    /// Counts what has voided all that was read over it.
    era: AtomicU32,
    /// When the newest command was sent that is known to be answered; 0: none.
    horizon: AtomicU64,
}

impl Lane {
    /// Its era and its horizon.
    #[inline]
    pub(crate) fn seen(&self) -> (u32, Option<Moment>) {
        // First: no item is ever taken to be of the connection after its own.
        let horizon = self.horizon.load(Ordering::Acquire);
        let era = self.era.load(Ordering::Acquire);
        (era, (horizon > 0).then_some(Moment(horizon)))
    }

    pub(crate) fn change(&self, to: impl FnOnce((u32, Option<Moment>)) -> (u32, Option<Moment>)) {
        let _changing = self.changing.lock();
        let (era, horizon) = to(self.seen());
        self.era.store(era, Ordering::Release);
        let horizon = horizon.map_or(0, |horizon| horizon.0.max(1));
        self.horizon.store(horizon, Ordering::Release);
    }
}

/// What is noted before a command is sent.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) lane: Arc<Lane>,
    pub(crate) era: u32,
    pub(crate) sent: Moment,
}

impl Seen {
    pub(crate) fn now(lane: &Arc<Lane>) -> Self {
        Self {
            era: lane.seen().0,
            lane: Arc::clone(lane),
            sent: Moment::now(),
        }
    }
}

/// What stands in the store.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) entries: Vec<Option<Bytes>>,
    /// What was noted of each; `None`: it must not be kept. Those who keep it took their tickets before they
    /// asked.
    pub(crate) seen: Vec<Option<Seen>>,
}

impl Shown {
    /// All of it as one.
    pub(crate) fn all(entries: Vec<Option<Bytes>>, seen: Option<Seen>) -> Self {
        Self {
            seen: vec![seen; entries.len()],
            entries,
        }
    }
}
