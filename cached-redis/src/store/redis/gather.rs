//! Gathers the commands of many tasks into one write.
//!
//! An answer from the network wakes many tasks, and the first of them to send a command wakes the
//! driver of the connection, which would write that one command out at once, then the next: a system
//! call each, here and on the server. So where commands overlap, the driver is sent once to the end of
//! the runtime's queue before it writes, and finds the commands of all who were ready. A command that
//! is alone is written at once; nothing ever waits for a timer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// For how many writes after commands overlapped the next ones are expected to.
const MEMORY: u8 = 16;

pub(super) struct Gather<S> {
    stream: S,
    /// Whether the driver was sent to the end of the queue for what it is writing.
    stood_aside: bool,
    /// Whether nothing came in since the last write.
    unanswered: bool,
    overlaps: u8,
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            stood_aside: false,
            unanswered: false,
            overlaps: 0,
        }
    }

    /// A write while an earlier one is unanswered shows that there is more than one sender.
    fn is_busy(&mut self) -> bool {
        self.overlaps = match self.unanswered {
            true => MEMORY,
            false => self.overlaps.saturating_sub(1),
        };
        self.overlaps > 0
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.stood_aside {
            self.stood_aside = true;
            if self.is_busy() {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.unanswered = true;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// Comes when all was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stood_aside = false;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.unanswered = false;
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes and gives all that is asked.
    struct Eager;

    impl AsyncWrite for Eager {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncRead for Eager {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            buffer.put_slice(b"+");
            Poll::Ready(Ok(()))
        }
    }

    /// Whether a write went through at the first attempt; it always does at the second.
    fn writes_at_once(stream: &mut Gather<Eager>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        let mut attempt = || Pin::new(&mut *stream).poll_write(&mut context, b"x");
        let at_once = attempt().is_ready();
        assert!(at_once || attempt().is_ready());
        assert!(Pin::new(stream).poll_flush(&mut context).is_ready());
        at_once
    }

    fn read(stream: &mut Gather<Eager>) {
        let mut context = Context::from_waker(Waker::noop());
        let mut bytes = [0];
        let mut buffer = ReadBuf::new(&mut bytes);
        assert!(
            Pin::new(stream)
                .poll_read(&mut context, &mut buffer)
                .is_ready()
        );
    }

    #[test]
    fn commands_one_after_the_other_are_written_at_once() {
        let mut stream = Gather::new(Eager);
        for _ in 0..10 {
            assert!(writes_at_once(&mut stream));
            read(&mut stream);
        }
    }

    #[test]
    fn where_commands_overlap_others_come_first_until_they_no_longer_do() {
        let mut stream = Gather::new(Eager);
        assert!(writes_at_once(&mut stream));
        assert!(!writes_at_once(&mut stream));
        let mut held = 0;
        read(&mut stream);
        while !writes_at_once(&mut stream) {
            held += 1;
            read(&mut stream);
        }
        assert_eq!(held, MEMORY - 1);
    }
}
