//! Invalidations under way, seen by those who wait for them.
//!
//! Each is sent from a task of its own, on the runtime of its caller. One that ends drops its tasks, and
//! they defer what they have not sent. But a runtime may also be **kept and never driven again**, as after
//! `block_on(timeout(…, invalidate))`, and then the task tells nobody anything. While the caller waits,
//! its runtime is driven. So a caller that is dropped before the answer leaves what it waited for to the
//! [`journal`](crate::protocol::journal), which repeats it wherever the cache has its home.
//!
//! It is kept under a number from before the task: the task, if it goes on, settles it. Until then reads
//! bypass the cache, as with all that is not confirmed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::protocol::journal::{Attempt, Hold};
use crate::protocol::outbox::Announcement;
use crate::util::work::Begun;
use crate::wire::key::Pattern;
use crate::write::publish;
use crate::write::removal::Invalidation;

/// See the module. It gives how the invalidation went.
pub(crate) struct Sent {
    task: JoinHandle<Invalidation>,
    /// `None` once it has ended.
    waiting: Option<Waiting>,
}

/// What is sent.
#[derive(Default)]
pub(crate) struct Parcel {
    pub(crate) keys: Arc<[String]>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) hold_off: Option<Duration>,
    /// What others are to hear then.
    pub(crate) events: Vec<Announcement>,
}

struct Waiting {
    inner: Arc<Inner>,
    parcel: Parcel,
    /// From before it was sent.
    attempt: Attempt,
    /// What bars the keys until then.
    _hold: Option<Hold>,
    /// Where it is left to the journal, whoever flushes waits for that.
    _begun: Begun,
}

impl Sent {
    /// By `sending`, which defers `parcel` if it is dropped before its end. To be called after the commit.
    pub(crate) fn by<F>(sending: F, inner: &Arc<Inner>, parcel: Parcel, hold: Option<Hold>) -> Self
    where
        F: Future<Output = Invalidation> + Send + 'static,
    {
        let waiting = Waiting {
            inner: Arc::clone(inner),
            parcel,
            attempt: inner.journal.begin(),
            _hold: hold,
            _begun: inner.runtime.work.begin(),
        };
        Self {
            task: inner.runtime.spawn(sending),
            waiting: Some(waiting),
        }
    }
}

impl Waiting {
    fn leave(self) {
        let Self { inner, parcel, .. } = &self;
        let (journal, attempt) = (&inner.journal, self.attempt);
        let mut is_folded = journal.keep(attempt, &parcel.keys, parcel.hold_off);
        for pattern in &parcel.patterns {
            is_folded |= journal.keep_pattern(attempt, pattern);
        }
        if is_folded {
            inner.emit(&DIRECT.site, &Event::JournalOverflow);
        }
        // After their keys: they wait until those are settled.
        for event in &parcel.events {
            publish::keep(inner, event.clone());
        }
        inner.runtime.tend();
    }
}

impl Future for Sent {
    type Output = Invalidation;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Invalidation> {
        // An error means that its runtime is shutting down, and it was deferred.
        let ended = ready!(Pin::new(&mut self.task).poll(context));
        self.waiting = None;
        Poll::Ready(ended.unwrap_or(Invalidation::Deferred))
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take().filter(|_| !self.task.is_finished()) {
            waiting.leave();
        }
    }
}
