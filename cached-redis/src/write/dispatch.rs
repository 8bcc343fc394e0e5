//! Invalidations under way, seen by those who wait for them.
//!
//! One of a single [step](crate::write::step) is the store's from then on. Any other
//! is sent from a task of its own, on the runtime of its caller. One that ends drops its tasks, and
//! they defer what they have not sent. But a runtime may also be kept and never driven again. While the
//! caller waits, its runtime is driven. What a caller leaves who is dropped before the answer is
//! [looked after](crate::util::liveness): where nothing drives the task, the
//! [journal](crate::protocol::journal) repeats what it should have removed, wherever the cache has its home.
//! Until the end reads of its keys bypass the cache.
//!
//! It is kept under a number from before the task: the task, if it goes on after all, settles it.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::engine::handle::Inner;
use crate::observe::event::Event;
use crate::observe::registry::DIRECT;
use crate::protocol::journal::{Attempt, Hold};
use crate::util::background::Background;
use crate::util::boxed;
use crate::util::liveness::Unfinished;
use crate::util::lock::Mutex;
use crate::util::moment::Moment;
use crate::util::work::Begun;
use crate::wire::targets::Targets;
use crate::write::invalidation::Invalidation;
use crate::write::parcel::Parcel;
use crate::write::publish;
use crate::write::settle::settle;
use crate::write::step::SentStep;

/// See the module. It gives how the invalidation went.
pub(crate) struct Sent {
    way: Way,
    /// Where it has to settle, once it is confirmed.
    settles: Option<Arc<Inner>>,
    settling: Option<Background>,
}

/// Who sends it.
enum Way {
    Step(SentStep),
    Task(Task),
}

struct Task {
    /// How it went, and when that was known.
    ended: JoinHandle<(Invalidation, Moment)>,
    runtime: Handle,
    under_way: Arc<UnderWay>,
}

/// Until the end of the task, or until the journal has taken over.
struct UnderWay {
    inner: Weak<Inner>,
    left: Mutex<Option<Left>>,
}

struct Left {
    parcel: Parcel,
    /// From before it was sent.
    attempt: Attempt,
    /// What bars the keys.
    hold: Hold,
    /// Whoever flushes waits for it.
    _begun: Begun,
}

impl Sent {
    /// By `sending`, which defers `parcel` if it is dropped before its end. To be called after the commit.
    pub(crate) fn by<F>(sending: F, inner: &Arc<Inner>, parcel: Parcel, hold: Option<Hold>) -> Self
    where
        F: Future<Output = Invalidation> + Send + 'static,
    {
        Self::within(inner.runtime.here_or_home(), sending, inner, parcel, hold)
    }

    /// The same in the runtime of a caller that is somewhere else.
    pub(crate) fn within<F>(
        runtime: Handle,
        sending: F,
        inner: &Arc<Inner>,
        parcel: Parcel,
        hold: Option<Hold>,
    ) -> Self
    where
        F: Future<Output = Invalidation> + Send + 'static,
    {
        let left = Left {
            parcel,
            attempt: inner.journal.begin(),
            hold: hold.unwrap_or_else(|| Hold::new(&inner.journal)),
            _begun: inner.runtime.work.begin(),
        };
        let under_way = Arc::new(UnderWay {
            inner: Arc::downgrade(inner),
            left: Mutex::new(Some(left)),
        });
        let end = End(Arc::clone(&under_way));
        let ended = boxed::spawn(&runtime, async move {
            let ended = (sending.await, Moment::now());
            drop(end);
            ended
        });
        Self::on(Way::Task(Task {
            ended,
            runtime,
            under_way,
        }))
    }

    /// How it went, and when that was known.
    pub(crate) fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<(Invalidation, Moment)> {
        self.way.poll(context)
    }

    fn on(way: Way) -> Self {
        Self {
            way,
            settles: None,
            settling: None,
        }
    }

    /// The same, which is awaited until it has settled there.
    pub(crate) fn settled(mut self, settles: Option<Arc<Inner>>) -> Self {
        self.settles = settles;
        self
    }
}

/// However the task ends.
struct End(Arc<UnderWay>);

impl Drop for End {
    fn drop(&mut self) {
        let left = self.0.left.lock().take();
        drop(left);
    }
}

impl UnderWay {
    /// Nobody waits for the end: bars what only those who wait know of.
    fn leave(self: &Arc<Self>, runtime: &Handle) {
        let Some(inner) = self.inner.upgrade() else {
            return;
        };
        if let Some(Left { parcel, hold, .. }) = &mut *self.left.lock() {
            for targets in &parcel.targets {
                hold.add(Targets::clone(targets));
            }
        } else {
            return;
        }
        inner.runtime.unattended.add(runtime, Arc::clone(self) as _);
        inner.runtime.tend();
    }
}

impl Unfinished for UnderWay {
    fn has_ended(&self) -> bool {
        self.left.lock().is_none()
    }

    fn take_over(&self) {
        let left = self.left.lock().take();
        let Some((inner, left)) = self.inner.upgrade().zip(left) else {
            return;
        };
        let Left {
            parcel, attempt, ..
        } = &left;
        let mut all = Targets::default();
        let each = parcel.targets.iter().map(|targets| Targets::clone(targets));
        each.for_each(|targets| all.extend(targets));
        if inner.journal.keep(*attempt, &all, parcel.hold_off) {
            inner.emit(&DIRECT.site, &Event::JournalOverflow);
        }
        // After their keys: they wait until those are settled.
        for event in &parcel.events {
            publish::keep(&inner, event.clone());
        }
        inner.runtime.tend();
    }
}

impl Future for Sent {
    type Output = Invalidation;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Invalidation> {
        if let Some(Background(task)) = &mut self.settling {
            let settled = ready!(Pin::new(task).poll(context));
            return Poll::Ready(settled.map_or(Invalidation::Deferred, |()| Invalidation::Done));
        }
        let (ended, known) = ready!(self.way.poll(context));
        match self.settles.take() {
            Some(inner) if ended == Invalidation::Done => {
                let here = inner.runtime.here_or_home();
                let settling = boxed::spawn(&here, settle(inner, known));
                self.settling = Some(Background(settling));
                self.poll(context)
            }
            _ => Poll::Ready(ended),
        }
    }
}

impl Way {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<(Invalidation, Moment)> {
        match self {
            Self::Step(step) => step.poll(context),
            // An error means that its runtime is shutting down, and it was deferred.
            Self::Task(task) => Pin::new(&mut task.ended)
                .poll(context)
                .map(|ended| ended.unwrap_or_else(|_| (Invalidation::Deferred, Moment::now()))),
        }
    }
}

impl From<SentStep> for Sent {
    fn from(step: SentStep) -> Self {
        Self::on(Way::Step(step))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.under_way.leave(&self.runtime);
    }
}
