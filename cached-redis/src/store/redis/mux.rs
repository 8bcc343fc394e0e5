//! A way to the server that the client's commands share with the reads of many tasks.
//!
//! A GET or an MGET that goes through the client costs more than all else that a hit does: its own queue,
//! a parser for every reply that there is, a copy of each string. So reads go past it, and what has one string
//! or number as its answer, on the **same connection**, whose server, login and life they thereby have. The client's driver owns this stream and
//! polls it; what is to be read is written where one of the client's messages has ended, and replies are
//! told apart by their order, which is that of the commands. The client never sees ours.
//!
//! What the client hands over to be written are whole messages, so that nothing comes between a MULTI and
//! its EXEC.

use std::collections::VecDeque;
use std::io;
use std::mem::take;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::task::yield_now;

use super::batch::{Batches, Closed, Next, Outcome};
use super::reply;
use crate::error::StoreError;
use crate::wire::resp::{Answers, Ends, Malformed, Reply};

/// For how many bytes there is room at least when it is read.
const ROOM: usize = 4 * 1024;

/// And how much of it is kept for what is written.
const MOST_ROOM: usize = 64 * 1024;

/// What a message begins with that nobody has asked for.
const PUSH: u8 = b'>';

pub(super) struct Mux<S> {
    stream: S,
    batches: Arc<Batches>,
    /// Of those who collect for these batches.
    number: u64,
    gathered: bool,
    /// Our commands, and how much of them is written.
    unwritten: Vec<u8>,
    written: usize,
    /// The ends of the client's commands.
    commands: Ends,
    /// Whether some of a message of the client is written, and some is not.
    is_within: bool,
    /// Whose the next replies are.
    owed: VecDeque<Owed>,
    received: BytesMut,
    /// It goes on with what is no reply.
    is_malformed: bool,
    /// The ends of the replies to the client.
    replies: Ends,
    /// Those that the first batch has by now.
    answers: Answers,
    /// How it gets on.
    outcome: Outcome,
}

enum Owed {
    /// So many to the client.
    Client(u64),
    Batch(Closed),
}

impl<S> Mux<S> {
    pub(super) fn new(stream: S, batches: Arc<Batches>) -> Self {
        Self {
            stream,
            number: batches.number(),
            batches,
            gathered: false,
            unwritten: Vec::new(),
            written: 0,
            commands: Ends::default(),
            is_within: false,
            owed: VecDeque::new(),
            received: BytesMut::new(),
            is_malformed: false,
            replies: Ends::default(),
            answers: Answers::default(),
            outcome: Outcome::Answered,
        }
    }

    /// Under which reads are collected for it, from when it is [started](Batches::start).
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Takes what is to be sent by now.
    fn collect(&mut self, context: &mut Context<'_>) {
        loop {
            let gathered = take(&mut self.gathered);
            match self.batches.next(self.number, gathered, context.waker()) {
                Next::Send(closed) => {
                    closed.keys.write(&mut self.unwritten);
                    self.owed.push_back(Owed::Batch(closed));
                }
                Next::Gather => {
                    self.gathered = true;
                    // It has the driver woken, whatever becomes of the future.
                    let _ = pin!(yield_now()).poll(context);
                    return;
                }
                Next::Wait => return,
            }
        }
    }

    /// Commands of the client are about to be answered.
    fn sent(&mut self, mut bytes: &[u8]) -> Result<(), Malformed> {
        while !bytes.is_empty() {
            let (end, ended) = self.commands.find(bytes)?;
            bytes = &bytes[end..];
            if ended.is_some() {
                match self.owed.back_mut() {
                    Some(Owed::Client(count)) => *count += 1,
                    _ => self.owed.push_back(Owed::Client(1)),
                }
            }
        }
        Ok(())
    }

    /// Deals out what was received, as far as there is room for the client's part of it. What the server
    /// announces the client has to hear before anything is dealt out that came later.
    fn deal(&mut self, client: &mut ReadBuf<'_>) -> Result<(), Malformed> {
        let mut is_announced = false;
        while !self.received.is_empty() && client.remaining() > 0 {
            let is_ours = matches!(self.owed.front(), Some(Owed::Batch(_)));
            if !is_ours || !self.replies.is_between() || self.received[0] == PUSH {
                is_announced |= self.hand_on(client)? == Some(PUSH);
            } else if is_announced || !self.take_reply()? {
                break;
            }
        }
        Ok(())
    }

    /// To the client. What is no reply at all it has a word for, and may have all of it unless it could find
    /// an answer to us in there. What has ended with it, if that is whole.
    fn hand_on(&mut self, client: &mut ReadBuf<'_>) -> Result<Option<u8>, Malformed> {
        let most = self.received.len().min(client.remaining());
        let found = self.replies.find(&self.received[..most]);
        let is_ours = |owed: &Owed| matches!(owed, Owed::Batch(_));
        if found.is_err() && self.owed.iter().any(is_ours) {
            return Err(Malformed);
        }
        let end = found.map_or(most, |(end, _)| end);
        client.put_slice(&self.received[..end]);
        self.received.advance(end);
        let ended = found?.1;
        if ended.is_some_and(|kind| kind != PUSH) {
            self.client_is_answered();
        }
        Ok(ended)
    }

    /// A server that lets nobody in says so unasked.
    fn client_is_answered(&mut self) {
        if let Some(Owed::Client(count)) = self.owed.front_mut() {
            *count -= 1;
            if *count == 0 {
                self.owed.pop_front();
            }
        }
    }

    /// Whether there was enough of the next reply to a batch. What ends where it should is odd for that command
    /// alone; by anything else the connection ends.
    fn take_reply(&mut self) -> Result<bool, Malformed> {
        let Some(Owed::Batch(Closed { keys, .. })) = self.owed.front() else {
            return Err(Malformed);
        };
        let (begun, all) = (self.answers.begun(), keys.count());
        let (count, is_array) = keys.command_at(begun);
        let reply = match keys.are_a_command() {
            true => self.answers.take_any(&mut self.received)?,
            false => {
                let array = is_array.then_some(count);
                self.answers.take(&mut self.received, array)?
            }
        };
        let Some(reply) = reply else {
            return Ok(false);
        };
        let end = begun + count;
        let mut fails = |error| self.outcome.fails(begun..end, count == all, error);
        match reply {
            Reply::Answers => {}
            Reply::Odd => fails(StoreError::Answer),
            Reply::Error(code) if code == "NOPERM" && is_array => self.outcome = Outcome::Refused,
            Reply::Error(code) => fails(reply::refusal(&code)),
        }
        self.answers.end(count);
        if end == all {
            let outcome = take(&mut self.outcome);
            self.land(outcome);
        }
        Ok(true)
    }

    /// So many answers were owed before some were dealt out, or none.
    fn paced(&self, before: usize) {
        let left = self.owed.len();
        if before > 1 && left < before {
            self.batches.paced(left > 0);
        }
    }

    fn land(&mut self, outcome: Outcome) {
        if !matches!(outcome, Outcome::Answered | Outcome::Partly(_)) {
            self.answers.clear();
        }
        if let Some(Owed::Batch(closed)) = self.owed.pop_front() {
            let answers = &mut self.answers.strings;
            self.batches.land(closed, outcome, answers);
        }
        self.answers.clear();
    }
}

impl<S: AsyncWrite + Unpin> Mux<S> {
    fn poll_write_ours(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.unwritten.len() {
            let stream = Pin::new(&mut self.stream);
            match ready!(stream.poll_write(context, &self.unwritten[self.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.written += count,
            }
        }
        self.unwritten.clear();
        self.unwritten.shrink_to(MOST_ROOM);
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Mux<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        client: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = client.filled().len();
        loop {
            let owed = this.owed.len();
            // What goes before that is good.
            this.is_malformed = this.is_malformed || this.deal(client).is_err();
            this.paced(owed);
            if client.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            if this.is_malformed {
                return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
            }
            if this.received.capacity() - this.received.len() < ROOM {
                this.received.reserve(4 * ROOM);
            }
            let read = pin!(this.stream.read_buf(&mut this.received));
            if ready!(read.poll(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

/// The client's driver flushes at the end of each of its turns.
impl<S: AsyncWrite + Unpin> AsyncWrite for Mux<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_write_ours(context))?;
        let count = ready!(Pin::new(&mut this.stream).poll_write(context, bytes))?;
        this.is_within = count < bytes.len();
        this.sent(&bytes[..count])
            .map_err(|_| io::ErrorKind::InvalidInput)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.is_within {
            // While that waits, others can still join what comes next, or give it up.
            ready!(this.poll_write_ours(context))?;
            this.collect(context);
            ready!(this.poll_write_ours(context))?;
        }
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S> Drop for Mux<S> {
    fn drop(&mut self) {
        self.batches.end(self.number);
        while !self.owed.is_empty() {
            self.land(Outcome::Failed(StoreError::Lost));
        }
    }
}

#[cfg(test)]
mod tests;
