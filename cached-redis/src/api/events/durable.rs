//! Events that wait for their consumer.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;

use super::live::Notice;
use super::{FIELD, stream_key};
use crate::engine::handle::{Cache, Inner};
use crate::error::Error;
use crate::store::log::{Entry, Reader};
use crate::util::background::Background;
use crate::wire::message::Invalidated;

const CLAIM_AFTER: Duration = Duration::from_secs(60);
/// Consumers look for abandoned events twice in this time, at most so often.
const SHORTEST_CLAIM: Duration = Duration::from_millis(10);

/// Who reads the durable events of a namespace; for
/// [`Cache::durable_events`](crate::Cache::durable_events).
///
/// Each **group** gets every event: give it the name of the service. The consumers of one group share
/// them: give each process a name that no other one has and that is the same after a restart, such as
/// its host's.
///
/// ```
/// use cached_redis::events::Consumer;
///
/// let consumer = Consumer::new("billing", "billing-1").from_start();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Consumer {
    group: String,
    name: String,
    from_start: bool,
    claim_after: Duration,
}

impl Consumer {
    /// The consumer `name` of `group`.
    pub fn new(group: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            group: group.into(),
            name: name.into(),
            from_start: false,
            claim_after: CLAIM_AFTER,
        }
    }

    /// A group that is new begins with the oldest event that is kept. By default it begins with the
    /// next one. A group that is known goes on where it was.
    pub fn from_start(mut self) -> Self {
        self.from_start = true;
        self
    }

    /// After how long an event that was not acknowledged is given to whichever consumer of the group
    /// asks next, since the one that had it may have crashed. 60 s by default, 10 ms at least. It should
    /// be longer than some hundred events take.
    pub fn claim_after(mut self, idle: Duration) -> Self {
        self.claim_after = idle;
        self
    }

    pub(super) fn reader(
        self,
        log: String,
        field: &'static str,
        readable: fn(&[u8]) -> bool,
    ) -> Reader {
        Reader {
            log,
            field,
            readable,
            certain: false,
            group: self.group,
            consumer: self.name,
            from_start: self.from_start,
            claim_after: self.claim_after.max(SHORTEST_CLAIM),
        }
    }
}

/// The invalidations of a namespace by writers that publish, each of which waits until somebody has
/// acknowledged it; made by [`Cache::durable_events`](crate::Cache::durable_events).
///
/// Each event comes **at least once**, and in order as long as nothing fails. One that is not
/// [acknowledged](Self::ack) comes again: to the consumer of the same name when it starts anew, and to
/// any other of the group after [`claim_after`](Consumer::claim_after). What the stream no longer
/// holds because it was [cut](crate::Builder::event_stream) is told by a [`Notice::Gap`], which needs
/// no acknowledgement.
///
/// It is a [`Stream`] as well. It ends only with its runtime. While it is kept, so is its cache.
#[must_use = "it only reads while it is kept"]
pub struct DurableEvents {
    inner: Arc<Inner>,
    reader: Arc<Reader>,
    entries: mpsc::Receiver<Entry>,
    _follower: Background,
}

impl DurableEvents {
    pub(crate) async fn open(cache: &Cache, consumer: Consumer) -> Self {
        let inner = Arc::clone(&cache.inner);
        let is_event = |message: &[u8]| Invalidated::decode(message, None).is_some();
        let reader = consumer.reader(stream_key(&inner.namespace), FIELD, is_event);
        let reader = Arc::new(reader);
        let (entries, follower) = inner.store.follow(&reader, &inner.runtime).await;
        Self {
            inner,
            reader,
            entries,
            _follower: follower,
        }
    }

    /// The next event; `None` when there will be no more.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: no event is lost.
    pub async fn next(&mut self) -> Option<Notice> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Says that an event of this stream was dealt with, so that it does not come again. Events may be
    /// acknowledged in any order, and more than once; those of other streams are ignored.
    ///
    /// # Errors
    ///
    /// When the store did not confirm; the event may come again.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the event may come again.
    pub async fn ack(&self, event: &Invalidated) -> Result<(), Error> {
        let Some(id) = &event.entry else {
            return Ok(());
        };
        let ids = std::slice::from_ref(id);
        Ok(self.inner.store.acknowledge(&self.reader, ids).await?)
    }
}

impl fmt::Debug for DurableEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableEvents")
            .field("group", &self.reader.group)
            .field("consumer", &self.reader.consumer)
            .finish_non_exhaustive()
    }
}

impl Stream for DurableEvents {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        let entry = ready!(self.get_mut().entries.poll_recv(context));
        Poll::Ready(entry.map(|entry| match entry {
            Entry::Message(id, message) => {
                Invalidated::decode(&message, Some(id)).map_or(Notice::Gap, Notice::Invalidated)
            }
            Entry::Gap(settled) => {
                // It is theirs now.
                let _ = settled.send(());
                Notice::Gap
            }
        }))
    }
}
