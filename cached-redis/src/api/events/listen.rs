//! Where a cache is asked for events.

use super::{Consumer, DurableEvents, Events, InvalidationConsumer, InvalidationListener};
use crate::engine::handle::Cache;

impl Cache {
    /// The invalidations that are published in this namespace from now on, by any process and this
    /// cache as well; each at most once. See [events](crate::docs::events).
    ///
    /// On Redis it has a connection of its own, which is made again whenever it is lost. That it
    /// cannot be made yet is no error: the first notice then is a [`Notice::Gap`](crate::events::Notice::Gap).
    ///
    /// ```
    /// # use cached_redis::events::Notice;
    /// # use cached_redis::Cache;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), cached_redis::Error> {
    /// # let cache = Cache::builder().url("memory://").build().await?;
    /// let mut events = cache.events().await;
    /// cache.invalidation().key("price:42").publish().send().await?;
    ///
    /// let Some(Notice::Invalidated(event)) = events.next().await else { panic!() };
    /// assert_eq!(event.keys, ["price:42"]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn events(&self) -> Events {
        let channel = self.inner.outbox.channel();
        let (mailbox, subscriber) = self.inner.store.listen(channel).await;
        Events::new(mailbox, subscriber)
    }

    /// The published invalidations of this namespace as one consumer of a group; each waits until it was
    /// acknowledged, so a service that was down misses nothing. The processes that publish must have
    /// [`event_stream`](crate::Builder::event_stream) on. See [events](crate::docs::events).
    ///
    /// On Redis it has a connection of its own, which is made again whenever it is lost. Where the group
    /// is to begin with the next event and could not be made yet, the first notice is a
    /// [`Notice::Gap`](crate::events::Notice::Gap).
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the group may have been made.
    pub async fn durable_events(&self, consumer: Consumer) -> DurableEvents {
        DurableEvents::open(self, consumer).await
    }

    /// Invalidates what the messages on a channel name, until the listener is dropped: the way for
    /// programs in any language. See [events](crate::docs::messages#invalidating-from-elsewhere).
    ///
    /// A message is the text of one key, without the namespace, or JSON:
    /// `{"keys": ["user:42"], "tags": ["team:7"], "patterns": ["user:42:*"]}`. On Redis the listener has
    /// a connection of its own, which is made again whenever it is lost; what is sent meanwhile is
    /// missed, told by a warning and counted as `ingestion_gaps`.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn listen_for_invalidations(&self, channel: &str) -> InvalidationListener {
        InvalidationListener::open(&self.inner, channel).await
    }

    /// Invalidates what the entries of a stream name, until it is dropped: the way for programs in any
    /// language that must not be missed. See [events](crate::docs::messages#invalidating-for-certain).
    ///
    /// An entry's field `message` is what a message of
    /// [`listen_for_invalidations`](Self::listen_for_invalidations) is. Each entry is acknowledged once its
    /// invalidation is [`Done`](crate::Invalidation::Done), and comes again until then: to whoever has the same
    /// name when it starts anew, and else to another consumer of the group. Give the group the name of the
    /// namespace, and each process a name of its own; a group that is new begins with the oldest entry.
    /// Where entries were gone before they were read, and where there is no group yet, the
    /// [whole namespace](Self::clear_namespace) is removed, told by an error and counted as `ingestion_gaps`.
    ///
    /// On Redis it has a connection of its own, which is made again whenever it is lost.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, the group may have been made.
    pub async fn consume_invalidations(
        &self,
        stream: &str,
        consumer: Consumer,
    ) -> InvalidationConsumer {
        InvalidationConsumer::open(&self.inner, stream, consumer).await
    }

    /// What the events of this cache have in their field `by`: a random text, new for each cache.
    #[must_use]
    pub fn source(&self) -> &str {
        self.inner.outbox.source()
    }
}
