//! Events as they come.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use crate::store::mailbox::{Heard, Mailbox};
use crate::util::background::Background;
use crate::wire::message::Invalidated;

/// What a listener is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Something was invalidated.
    Invalidated(Invalidated),
    /// Some events may have been missed, or could not be read. What was derived from earlier events
    /// is no longer known to be complete.
    Gap,
}

/// The invalidations of a namespace by writers that publish, of this process and all others, as they
/// happen; made by [`Cache::events`](crate::Cache::events).
///
/// Each event comes **at most once**: while nobody listens, or the connection is down, it is lost.
/// After each time that this may have happened, and when the listener falls more than some thousand
/// events behind, there is a [`Notice::Gap`]. [`DurableEvents`](crate::events::DurableEvents) miss nothing.
///
/// It is a [`Stream`] as well. It ends only with its runtime, or with its store in memory.
#[derive(Debug)]
#[must_use = "it only listens while it is kept"]
pub struct Events {
    mailbox: Mailbox,
    /// What puts the messages in, where that takes a connection.
    _subscriber: Option<Background>,
}

impl Events {
    pub(crate) fn new(mailbox: Mailbox, subscriber: Option<Background>) -> Self {
        Self {
            mailbox,
            _subscriber: subscriber,
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
}

impl Stream for Events {
    type Item = Notice;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Notice>> {
        let heard = ready!(self.get_mut().mailbox.poll(context));
        Poll::Ready(heard.map(|heard| match heard {
            Heard::Message(message) => {
                Invalidated::decode(&message, None).map_or(Notice::Gap, Notice::Invalidated)
            }
            Heard::Gap => Notice::Gap,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::events::DurableEvents;

    #[test]
    fn both_kinds_of_events_are_streams_that_can_go_anywhere() {
        fn stream<S: Stream<Item = Notice> + Send + Sync + Unpin + 'static>() {}
        stream::<Events>();
        stream::<DurableEvents>();
    }
}
