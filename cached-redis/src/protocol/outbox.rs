//! Events that could not be sent yet.
//!
//! An event has to wait while one of its keys is in the [`journal`](crate::protocol::journal): until the
//! replay, others may still be served the old value, and whoever reads on hearing of the event would
//! get it. Here wait as well those that the store did not confirm. They are sent until it does, so an
//! event may go out twice, but with one and the same id.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::observe::registry::Site;
use crate::protocol::journal::Journal;
use crate::store::Outlet;
use crate::util::lock::Mutex;
use crate::wire::targets::Targets;

/// See the module.
pub(crate) struct Outbox {
    pub(crate) outlet: Outlet,
    /// By which the events of this cache are told from those of others.
    pub(crate) source: String,
    numbers: AtomicU64,
    state: Mutex<State>,
    /// How many keys all that waits may have together.
    bound: usize,
    /// How many events wait, for those who wait for that.
    waiting: watch::Sender<usize>,
    /// Reasons to try again at once.
    wake: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Announcement>,
    keys: usize,
}

/// An event to be.
#[derive(Clone)]
pub(crate) struct Announcement {
    pub(crate) site: &'static Site,
    pub(crate) number: u64,
    pub(crate) targets: Arc<Targets>,
}

/// Whether one is kept: its caller and its task may both leave it.
pub(crate) enum Kept {
    Already,
    New,
    NoRoom,
}

/// What the task does next.
pub(crate) enum Next {
    Send(Announcement),
    /// All that waits does so for the journal.
    Wait,
    Nothing,
}

impl Announcement {
    pub(crate) fn new(outbox: &Outbox, site: &'static Site, targets: &Arc<Targets>) -> Self {
        Self {
            site,
            number: outbox.numbers.fetch_add(1, Ordering::Relaxed) + 1,
            targets: Arc::clone(targets),
        }
    }

    /// What other caches of this process keep is of other writes, which have events of their own.
    pub(crate) fn is_due(&self, journal: &Journal) -> bool {
        !journal.keeps(&self.targets)
    }
}

impl Outbox {
    /// An empty one with room for `bound` keys.
    pub(crate) fn new(outlet: Outlet, bound: usize) -> Arc<Self> {
        Arc::new(Self {
            outlet,
            source: format!("{:016x}", fastrand::u64(..)),
            numbers: AtomicU64::new(0),
            state: Mutex::default(),
            bound,
            waiting: watch::Sender::new(0),
            wake: Notify::new(),
        })
    }

    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn channel(&self) -> &str {
        &self.outlet.channel
    }

    /// How many events wait.
    pub(crate) fn waiting(&self) -> usize {
        *self.waiting.borrow()
    }

    /// Waits until none does, trying at once.
    pub(crate) async fn until_empty(&self) {
        self.wake.notify_one();
        // It cannot fail: the sender is here.
        let _ = self.waiting.subscribe().wait_for(|now| *now == 0).await;
    }

    pub(crate) async fn until_any(&self) {
        // As above.
        let _ = self.waiting.subscribe().wait_for(|now| *now > 0).await;
    }

    pub(crate) fn keep(&self, announcement: Announcement) -> Kept {
        let mut state = self.state.lock();
        let number = announcement.number;
        if state.waiting.iter().any(|other| other.number == number) {
            return Kept::Already;
        }
        let keys = state.keys + announcement.targets.len();
        if keys > self.bound {
            return Kept::NoRoom;
        }
        state.keys = keys;
        state.waiting.push_back(announcement);
        self.waiting.send_replace(state.waiting.len());
        Kept::New
    }

    pub(crate) fn next(&self, journal: &Journal) -> Next {
        let state = self.state.lock();
        if state.waiting.is_empty() {
            return Next::Nothing;
        }
        let mut waiting = state.waiting.iter();
        let due = waiting.find(|announcement| announcement.is_due(journal));
        due.map_or(Next::Wait, |announcement| Next::Send(announcement.clone()))
    }

    pub(crate) fn sent(&self, announcement: &Announcement) {
        let mut state = self.state.lock();
        let mut waiting = state.waiting.iter();
        if let Some(at) = waiting.position(|other| other.number == announcement.number) {
            state.waiting.remove(at);
            state.keys -= announcement.targets.len();
        }
        self.waiting.send_replace(state.waiting.len());
    }

    /// Waits for so long, or until there is a reason to try again.
    pub(crate) async fn pause(&self, journal: &Journal, barred: bool, most: Duration) {
        tokio::select! {
            () = sleep(most) => {}
            () = self.wake.notified() => {}
            () = journal.until(false), if barred => {}
        }
    }
}
