//! How a load gets on: whoever leads it says so, and those who joined it wait for its end.
//!
//! Most loads are joined by nobody, so this is one allocation and one list of waiters; a channel of tokio has eight.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::protocol::read;
use crate::util::lock::Mutex;

/// A load error that waiters may share.
#[derive(Clone)]
pub(crate) struct SharedError(pub(crate) Arc<dyn Any + Send + Sync>);

/// How a flight ended for those who joined it: with the whole entry that was stored, or loaded without a
/// lease.
pub(crate) type Landing = read::Landing<Bytes, SharedError>;

/// A load, to whoever leads it. Dropped before it lands, it lets those who joined start over.
pub(crate) struct Led(Arc<Load>);

/// The same to those who join it.
#[derive(Clone)]
pub(crate) struct Joined(Arc<Load>);

struct Load {
    progress: Mutex<Progress>,
    ended: Notify,
}

enum Progress {
    /// When it has begun; while it has not, when it begins at the latest.
    Begins(Instant),
    Landed(Landing),
    /// Its leader was dropped.
    Over,
}

impl Led {
    pub(crate) fn new(begins: Instant) -> Self {
        Self(Arc::new(Load {
            progress: Mutex::new(Progress::Begins(begins)),
            ended: Notify::new(),
        }))
    }

    /// What joins it.
    pub(crate) fn joined(&self) -> Joined {
        Joined(Arc::clone(&self.0))
    }

    pub(crate) fn is(&self, joined: &Joined) -> bool {
        Arc::ptr_eq(&self.0, &joined.0)
    }

    /// How many there are of those.
    pub(crate) fn joins(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }

    /// Notes that it begins now. Those who joined it look when their time is over, so none is woken.
    pub(crate) fn begin(&self) {
        let mut progress = self.0.progress.lock();
        if let Progress::Begins(at) = &mut *progress {
            *at = Instant::now();
        }
    }

    pub(crate) fn land(&self, landing: Landing) {
        self.end(Progress::Landed(landing));
    }

    fn end(&self, end: Progress) {
        let mut progress = self.0.progress.lock();
        if !matches!(*progress, Progress::Begins(_)) {
            return;
        }
        *progress = end;
        drop(progress);
        self.0.ended.notify_waiters();
    }
}

impl Drop for Led {
    fn drop(&mut self) {
        self.end(Progress::Over);
    }
}

impl Joined {
    /// When it began, or begins at the latest; one that has landed is not waited for.
    pub(crate) fn begins(&self) -> Instant {
        match *self.0.progress.lock() {
            Progress::Begins(at) => at,
            Progress::Landed(_) | Progress::Over => Instant::now(),
        }
    }

    /// Waits for it to land; `None`: its leader was dropped.
    pub(crate) async fn landed(&self) -> Option<Landing> {
        loop {
            // Before the look: from here on it hears of the end.
            let ended = self.0.ended.notified();
            match &*self.0.progress.lock() {
                Progress::Begins(_) => {}
                Progress::Landed(landing) => return Some(landing.clone()),
                Progress::Over => return None,
            }
            ended.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn who_waits_hears_of_the_end_and_who_comes_later_sees_it() {
        let led = Led::new(Instant::now());
        let (first, second) = (led.joined(), led.joined());
        let mut waits = pin!(first.landed());
        let mut context = Context::from_waker(Waker::noop());
        assert!(waits.as_mut().poll(&mut context).is_pending());
        led.begin();
        assert!(waits.as_mut().poll(&mut context).is_pending(), "not ended");
        led.land(Landing::Again);
        assert!(matches!(
            waits.poll(&mut context),
            Poll::Ready(Some(Landing::Again))
        ));
        drop(led);
        assert!(
            second.landed().await.is_some(),
            "it has landed all the same"
        );
    }

    #[tokio::test]
    async fn a_leader_who_is_dropped_lets_all_go_and_is_not_counted() {
        let led = Led::new(Instant::now());
        let (joined, other) = (led.joined(), Led::new(Instant::now()).joined());
        assert!(led.is(&joined) && !led.is(&other));
        assert_eq!(led.joins(), 1);
        let waits = tokio::spawn(async move { joined.landed().await.is_none() });
        tokio::task::yield_now().await;
        drop(led);
        assert!(waits.await.unwrap());
        assert!(other.landed().await.is_none(), "its leader is gone already");
    }
}
