//! Sends events once their invalidations are confirmed, and those that wait when that is so.
//!
//! The task that sends what waits sleeps while nothing does.

use std::sync::{Arc, Weak};

use crate::engine::handle::Inner;
use crate::error::StoreError;
use crate::observe::event::Event;
use crate::protocol::outbox::{Announcement, Kept, Next, Outbox};
use crate::store::{Answer, Store as _};
use crate::util::backoff::Backoff;
use crate::wire::message::{Names, Wire};

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

async fn send(inner: &Inner, announcement: &Announcement) -> Answer<()> {
    let outbox = &inner.outbox;
    let wire = Wire {
        id: format!("{}-{}", outbox.source, announcement.number),
        by: outbox.source.clone(),
        at: inner.store.now_ms(&outbox.outlet.channel),
        names: Names::of(&announcement.targets, &inner.namespace),
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
