//! Invalidations that others ask for: messages on a channel, from any language.
//!
//! The way of the message is the weak part: a channel delivers at most once, and what may have been missed
//! is told. [`consume`](super::consume) is the way on which nothing is missed.

use std::future::poll_fn;
use std::sync::{Arc, Weak};

use super::gather::Gathered;
use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::store::mailbox::{Heard, Mailbox};
use crate::util::background::Background;

/// Invalidates what the messages on a channel name; made by
/// [`Cache::listen_for_invalidations`](crate::Cache::listen_for_invalidations).
///
/// Dropped, it stops listening. It does not keep its cache alive.
#[derive(Debug)]
#[must_use = "it only listens while it is kept"]
pub struct InvalidationListener {
    _task: Background,
    _subscriber: Option<Background>,
}

impl InvalidationListener {
    pub(crate) async fn open(inner: &Arc<Inner>, channel: &str) -> Self {
        let (mailbox, subscriber) = inner.store.listen(channel).await;
        let ingestion = Ingestion {
            cache: Arc::downgrade(inner),
            mailbox,
            gathered: Gathered::default(),
        };
        Self {
            _task: Background(inner.runtime.spawn(ingestion.run())),
            _subscriber: subscriber,
        }
    }
}

/// The task.
struct Ingestion {
    cache: Weak<Inner>,
    mailbox: Mailbox,
    gathered: Gathered,
}

impl Ingestion {
    async fn run(mut self) {
        while let Some(heard) = poll_fn(|context| self.mailbox.poll(context)).await {
            let Some(inner) = self.cache.upgrade() else {
                return;
            };
            self.hear(&inner, heard);
            while self.gathered.has_room()
                && let Some(heard) = self.mailbox.try_next()
            {
                self.hear(&inner, heard);
            }
            self.gathered.send(&inner).await;
            self.gathered.served(&inner);
        }
    }

    fn hear(&mut self, inner: &Inner, heard: Heard) {
        match heard {
            Heard::Gap => inner.emit(&DIRECT.site, &Event::IngestionGap),
            Heard::Message(message) => self.gathered.add(inner, &message),
        }
    }
}
