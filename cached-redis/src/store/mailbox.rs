//! Messages on their way to one listener.
//!
//! A mailbox is bounded, because a listener may be slower than all those who publish. What does not
//! fit is dropped, and so is what was published while a connection was down; either is told, since a
//! listener that knows of a gap can look for itself, and one that does not serves old data for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many messages may wait for a listener.
const ROOM: usize = 4096;

/// What a listener hears.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    Message(Bytes),
    /// Some messages may have been missed.
    Gap,
}

/// The end that messages are put in.
#[derive(Debug)]
pub(crate) struct Slot {
    sender: Sender<Heard>,
    overflowed: Arc<AtomicBool>,
}

/// The end that a listener has.
#[derive(Debug)]
pub(crate) struct Mailbox {
    receiver: Receiver<Heard>,
    overflowed: Arc<AtomicBool>,
}

/// An empty mailbox.
pub(crate) fn mailbox() -> (Slot, Mailbox) {
    let (sender, receiver) = channel(ROOM);
    let overflowed = Arc::<AtomicBool>::default();
    let slot = Slot {
        sender,
        overflowed: Arc::clone(&overflowed),
    };
    (
        slot,
        Mailbox {
            receiver,
            overflowed,
        },
    )
}

impl Slot {
    /// `false`: nobody listens any more.
    pub(crate) fn put(&self, heard: Heard) -> bool {
        match self.sender.try_send(heard) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                self.overflowed.store(true, Ordering::Release);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        }
    }
}

impl Mailbox {
    /// `None`: there will be no more.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Heard>> {
        // Before what was heard earlier: whoever looks for himself now sees what he missed as well.
        // The mailbox was full when the mark was left, so nobody sleeps over it.
        if self.overflowed.swap(false, Ordering::Acquire) {
            return Poll::Ready(Some(Heard::Gap));
        }
        self.receiver.poll_recv(context)
    }

    /// What has come already.
    pub(crate) fn try_next(&mut self) -> Option<Heard> {
        if self.overflowed.swap(false, Ordering::Acquire) {
            return Some(Heard::Gap);
        }
        self.receiver.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn message(number: usize) -> Heard {
        Heard::Message(number.to_string().into())
    }

    #[tokio::test]
    async fn what_does_not_fit_is_told_as_a_gap_and_the_rest_comes_in_order() {
        let (slot, mut mailbox) = mailbox();
        for number in 0..ROOM + 10 {
            assert!(slot.put(message(number)));
        }
        let mut next = async || poll_fn(|context| mailbox.poll(context)).await;
        assert_eq!(next().await, Some(Heard::Gap));
        for number in 0..ROOM {
            assert_eq!(next().await, Some(message(number)));
        }
        slot.put(message(7));
        assert_eq!(next().await, Some(message(7)), "the gap is told once");
        drop(slot);
        assert_eq!(next().await, None);
    }

    #[test]
    fn putting_says_when_nobody_listens() {
        let (slot, mailbox) = mailbox();
        drop(mailbox);
        assert!(!slot.put(Heard::Gap));
    }
}
