//! Invalidations that others ask for, on a way on which none is missed: entries of a stream, each of which
//! stays until the invalidation that it asks for is confirmed.
//!
//! Nothing is acknowledged that the store has not confirmed, not even what is in the journal: that ends with
//! its process. Where entries are gone that nobody has read, nobody knows what they named, so everything goes; and
//! where there is no group, since one that was lost leaves nothing behind that could be told from a first start.

use std::sync::{Arc, Weak};

use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::durable::Consumer;
use super::gather::Gathered;
use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::store::log::{Entry, Reader, Settled};
use crate::util::background::Background;
use crate::util::backoff::Backoff;
use crate::write::clear;
use crate::write::invalidation::Invalidation;

/// The field of an entry that holds its message.
pub(crate) const FIELD: &str = "message";

/// Invalidates what the entries of a stream name, each at least once; made by
/// [`Cache::consume_invalidations`](crate::Cache::consume_invalidations).
///
/// Dropped, it stops, and what it had not acknowledged comes again. It does not keep its cache alive.
#[derive(Debug)]
#[must_use = "it only consumes while it is kept"]
pub struct InvalidationConsumer {
    _task: Background,
    _follower: Background,
}

impl InvalidationConsumer {
    pub(crate) async fn open(inner: &Arc<Inner>, stream: &str, consumer: Consumer) -> Self {
        // What was asked for before there was a group is asked for all the same.
        let consumer = consumer.from_start();
        let reader = Arc::new(Reader {
            certain: true,
            ..consumer.reader(stream.to_owned(), FIELD, |_| true)
        });
        let (entries, follower) = inner.store.follow(&reader, &inner.runtime).await;
        let consumption = Consumption {
            cache: Arc::downgrade(inner),
            reader,
            entries,
            gathered: Gathered::default(),
            ids: Vec::new(),
            gaps: Vec::new(),
        };
        Self {
            _task: Background(inner.runtime.spawn(consumption.run())),
            _follower: follower,
        }
    }
}

/// The task.
struct Consumption {
    cache: Weak<Inner>,
    reader: Arc<Reader>,
    entries: mpsc::Receiver<Entry>,
    gathered: Gathered,
    /// The entries that were gathered.
    ids: Vec<String>,
    /// Where some were gone.
    gaps: Vec<Settled>,
}

impl Consumption {
    async fn run(mut self) {
        while let Some(entry) = self.entries.recv().await {
            let Some(inner) = self.cache.upgrade() else {
                return;
            };
            self.take(&inner, entry);
            self.gather(&inner).await;
            self.serve(&inner).await;
            self.acknowledge(&inner).await;
        }
    }

    /// What has come already.
    async fn gather(&mut self, inner: &Inner) {
        while self.gathered.has_room() {
            // The follower has little room: it puts the next one there now.
            yield_now().await;
            match self.entries.try_recv() {
                Ok(entry) => self.take(inner, entry),
                Err(_) => return,
            }
        }
    }

    fn take(&mut self, inner: &Inner, entry: Entry) {
        match entry {
            Entry::Message(id, message) => {
                self.gathered.add(inner, &message);
                self.ids.push(id);
            }
            Entry::Gap(settled) => {
                inner.emit(&DIRECT.site, &Event::ConsumptionGap);
                self.gaps.push(settled);
            }
        }
    }

    /// Until it is confirmed.
    async fn serve(&mut self, inner: &Arc<Inner>) {
        let mut backoff = Backoff::long();
        while self.attempt(inner).await != Invalidation::Done {
            sleep(backoff.next()).await;
        }
        self.gathered.served(inner);
        for settled in self.gaps.drain(..) {
            // Who has ended does not ask.
            let _ = settled.send(());
        }
    }

    async fn attempt(&self, inner: &Arc<Inner>) -> Invalidation {
        match self.gaps.is_empty() {
            true => self.gathered.send(inner).await,
            false => clear::namespace(inner).await,
        }
    }

    /// One that is not acknowledged comes again, and does no harm.
    async fn acknowledge(&mut self, inner: &Inner) {
        let ids = std::mem::take(&mut self.ids);
        if let Err(error) = inner.store.acknowledge(&self.reader, &ids).await {
            tracing::debug!(%error, "entries of the stream of invalidations come again");
        }
    }
}
