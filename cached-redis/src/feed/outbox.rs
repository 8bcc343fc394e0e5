//! Sends events, and keeps those that could not be sent yet.
//!
//! An event has to wait while one of its keys is in the [`journal`](crate::journal): until the
//! replay, others may still be served the old value, and whoever reads on hearing of the event would
//! get it. Here wait as well those that the store did not confirm. They are sent until it does, so an
//! event may go out twice, but with one and the same id.
//!
//! The task that sends what waits sleeps while nothing does.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::wire::{Targets, Wire};
use crate::backoff::Backoff;
use crate::error::StoreError;
use crate::event::Event;
use crate::handle::Inner;
use crate::journal::Journal;
use crate::key::Pattern;
use crate::registry::Site;
use crate::store::{Outlet, Store as _};
use crate::tag::TAG;

/// See the module.
pub(crate) struct Outbox {
    outlet: Outlet,
    /// By which the events of this cache are told from those of others.
    source: String,
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
    site: &'static Site,
    number: u64,
    /// With their namespace.
    keys: Arc<[String]>,
    pattern: Option<Pattern>,
}

/// Whether one is kept: its caller and its task may both leave it.
enum Kept {
    Already,
    New,
    NoRoom,
}

/// What the task does next.
enum Next {
    Send(Announcement),
    /// All that waits does so for the journal.
    Wait,
    Nothing,
}

impl Announcement {
    pub(crate) fn new(inner: &Inner, site: &'static Site, keys: &Arc<[String]>) -> Self {
        Self {
            site,
            number: inner.outbox.numbers.fetch_add(1, Ordering::Relaxed) + 1,
            keys: Arc::clone(keys),
            pattern: None,
        }
    }

    /// Of all keys that match.
    pub(crate) fn of_pattern(inner: &Inner, site: &'static Site, pattern: &Pattern) -> Self {
        Self {
            pattern: Some(pattern.clone()),
            ..Self::new(inner, site, &Arc::default())
        }
    }

    fn is_due(&self, journal: &Journal) -> bool {
        let waits = |pattern| journal.keeps_pattern(pattern);
        // What other caches of this process keep is of other writes, which have events of their own.
        !self.pattern.as_ref().is_some_and(waits) && !self.keys.iter().any(|key| journal.keeps(key))
    }

    /// How much room it takes.
    fn size(&self) -> usize {
        self.keys.len() + usize::from(self.pattern.is_some())
    }
}

/// Sends it if its keys are confirmed; keeps it for later if they are not, or the store does not
/// confirm.
pub(crate) async fn publish(inner: &Arc<Inner>, announcement: Announcement) {
    let is_due = announcement.is_due(&inner.journal);
    let mut unsent = Unsent::new(inner, announcement);
    if is_due {
        unsent.send().await;
    }
}

/// Keeps it for later.
pub(crate) fn keep(inner: &Inner, announcement: Announcement) {
    drop(Unsent::new(inner, announcement));
}

/// One that is kept unless it is sent, also if its task ends with its runtime.
struct Unsent<'a> {
    inner: &'a Inner,
    announcement: Option<Announcement>,
    failure: Option<StoreError>,
}

impl<'a> Unsent<'a> {
    fn new(inner: &'a Inner, announcement: Announcement) -> Self {
        Self {
            inner,
            announcement: Some(announcement),
            failure: None,
        }
    }

    async fn send(&mut self) {
        let Some(announcement) = &self.announcement else {
            return;
        };
        match send(self.inner, announcement).await {
            Ok(()) => {
                self.inner.outbox.sent(announcement);
                self.announcement = None;
            }
            Err(error) => self.failure = Some(error),
        }
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        let Some(announcement) = self.announcement.take() else {
            return;
        };
        let site = announcement.site;
        let event = match self.inner.outbox.keep(announcement) {
            Kept::Already => return,
            Kept::New => Event::PublishDeferred(self.failure.as_ref()),
            Kept::NoRoom => Event::PublishLost,
        };
        self.inner.emit(site, &event);
    }
}

async fn send(inner: &Inner, announcement: &Announcement) -> Result<(), StoreError> {
    let outbox = &inner.outbox;
    let (tags, keys): (Vec<_>, Vec<_>) = announcement
        .keys
        .iter()
        .map(|key| &key[inner.namespace.len() + 1..])
        .partition(|key| key.starts_with(TAG));
    let tags = tags.iter().map(|tag| tag[TAG.len()..].to_owned());
    let wire = Wire {
        id: format!("{}-{}", outbox.source, announcement.number),
        by: outbox.source.clone(),
        at: inner.store.now_ms(),
        targets: Targets {
            keys: keys.into_iter().map(str::to_owned).collect(),
            tags: tags.collect(),
            patterns: announcement.pattern.iter().map(Pattern::text).collect(),
        },
    };
    let message = wire.encode().into();
    inner.store.publish(&outbox.outlet, message).await?;
    inner.emit(announcement.site, &Event::Published);
    Ok(())
}

/// Starts the task.
pub(crate) fn house(inner: &Arc<Inner>) {
    let (outbox, cache) = (Arc::clone(&inner.outbox), Arc::downgrade(inner));
    let begin = move || run(Arc::clone(&outbox), Weak::clone(&cache));
    inner.runtime.house(begin);
}

/// The task. It does not keep the cache alive while it waits.
async fn run(outbox: Arc<Outbox>, cache: Weak<Inner>) {
    let mut backoff = Backoff::long();
    loop {
        outbox.until_any().await;
        let Some(inner) = cache.upgrade() else { return };
        let barred = match inner.outbox.next(&inner.journal) {
            Next::Nothing => continue,
            Next::Wait => true,
            Next::Send(announcement) => match send(&inner, &announcement).await {
                Ok(()) => {
                    inner.outbox.sent(&announcement);
                    backoff = Backoff::long();
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, "events still wait for the store");
                    false
                }
            },
        };
        let journal = Arc::clone(&inner.journal);
        drop(inner);
        outbox.pause(&journal, barred, backoff.next()).await;
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

    async fn until_any(&self) {
        // As above.
        let _ = self.waiting.subscribe().wait_for(|now| *now > 0).await;
    }

    fn keep(&self, announcement: Announcement) -> Kept {
        let mut state = self.lock();
        let number = announcement.number;
        if state.waiting.iter().any(|other| other.number == number) {
            return Kept::Already;
        }
        let keys = state.keys + announcement.size();
        if keys > self.bound {
            return Kept::NoRoom;
        }
        state.keys = keys;
        state.waiting.push_back(announcement);
        self.waiting.send_replace(state.waiting.len());
        Kept::New
    }

    fn next(&self, journal: &Journal) -> Next {
        let state = self.lock();
        if state.waiting.is_empty() {
            return Next::Nothing;
        }
        let mut waiting = state.waiting.iter();
        let due = waiting.find(|announcement| announcement.is_due(journal));
        due.map_or(Next::Wait, |announcement| Next::Send(announcement.clone()))
    }

    fn sent(&self, announcement: &Announcement) {
        let mut state = self.lock();
        let mut waiting = state.waiting.iter();
        if let Some(at) = waiting.position(|other| other.number == announcement.number) {
            state.waiting.remove(at);
            state.keys -= announcement.size();
        }
        self.waiting.send_replace(state.waiting.len());
    }

    /// Waits for so long, or until there is a reason to try again.
    async fn pause(&self, journal: &Journal, barred: bool, most: Duration) {
        tokio::select! {
            () = sleep(most) => {}
            () = self.wake.notified() => {}
            () = journal.until(false), if barred => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
