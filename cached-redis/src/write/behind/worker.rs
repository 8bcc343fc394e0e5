//! What applies the writes of queues.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};

use super::partition::Work;
use super::partitions;
use crate::engine::handle::Inner;
use crate::observe::behind::Provided;
use crate::store::mailbox::{Heard, Mailbox};
use crate::util::background::Background;

/// When and how often a write is tried again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retries {
    pub(crate) attempts: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Retries {
    /// How long to wait after so many tries.
    pub(super) fn pause(&self, tries: u64) -> Duration {
        let doubled = u32::try_from(tries.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2u32.saturating_pow(doubled.min(31));
        self.first.saturating_mul(factor).min(self.longest)
    }
}

/// What the tasks of one worker share.
pub(crate) struct Shared {
    pub(crate) inner: Arc<Inner>,
    pub(crate) provided: Arc<Provided>,
    pub(crate) retries: Retries,
    pub(crate) stop: watch::Sender<bool>,
}

impl Shared {
    pub(super) fn is_stopping(&self) -> bool {
        *self.stop.borrow()
    }

    /// Until it is to stop.
    pub(super) async fn stopped(&self) {
        // It cannot fail: the sender is here.
        let _ = self.stop.subscribe().wait_for(|stop| *stop).await;
    }
}

/// The tasks of one worker.
#[derive(Debug)]
pub(crate) struct Tasks {
    partitions: Vec<Background>,
    _listeners: Vec<Background>,
}

impl Tasks {
    /// One for each partition of `queues`, and one for each queue, which wakes them.
    pub(crate) async fn start(shared: &Arc<Shared>, queues: &[&'static str]) -> Self {
        let (mut all, mut listeners) = (Vec::new(), Vec::new());
        for queue in queues {
            let partitions = partitions(&shared.inner, queue);
            let wakes: Vec<_> = partitions.iter().map(|_| Arc::new(Notify::new())).collect();
            let channel = &partitions[0].channel;
            let (mailbox, subscriber) = shared.inner.store.listen(channel).await;
            listeners.extend(subscriber);
            let listener = wake(mailbox, wakes.clone());
            listeners.push(Background(shared.inner.runtime.spawn(listener)));
            for (at, wake) in partitions.into_iter().zip(wakes) {
                let work = Work::new(shared, queue, at, wake);
                all.push(Background(shared.inner.runtime.spawn(work.run())));
            }
        }
        Self {
            partitions: all,
            _listeners: listeners,
        }
    }

    /// Waits until they have ended.
    pub(crate) async fn ended(mut self) {
        join_all(self.partitions.iter_mut().map(|task| &mut task.0)).await;
    }
}

/// Wakes the partition that a message names; all of them, where messages may have been missed.
async fn wake(mut mailbox: Mailbox, wakes: Vec<Arc<Notify>>) {
    while let Some(heard) = std::future::poll_fn(|context| mailbox.poll(context)).await {
        let number = match &heard {
            Heard::Message(message) => str::from_utf8(message).ok(),
            Heard::Gap => None,
        };
        match number.and_then(|number| wakes.get(number.parse::<usize>().ok()?)) {
            Some(wake) => wake.notify_one(),
            None => wakes.iter().for_each(|wake| wake.notify_one()),
        }
    }
}
