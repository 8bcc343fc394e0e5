//! Following a log of messages as one consumer of a group.
//!
//! The log keeps what was published, and the group how far it has come, so a consumer that was down
//! finds all of it. An entry that was handed out stays *pending* until it is acknowledged: after a
//! crash the consumer of the same name finds it first, and one that does not come back loses it to
//! the others after a while. So every entry arrives at least once, in the order of the log as long as
//! nothing fails.
//!
//! What the log no longer holds is told as a gap. Where that has to be *certain*, it also is to whoever comes after a
//! crash: nothing is acknowledged before a gap that was found with it is settled, a hole in front of what is pending
//! is one, and so is a group that is missing, since nobody knows what was lost together with it.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep};

use crate::error::StoreError;
use crate::store::Answer;
use crate::util::backoff::Backoff;

/// How many entries are asked for at once.
pub(crate) const BATCH: usize = 64;

/// Who reads a log.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// Where the log stands.
    pub(crate) log: String,
    /// The name of the field that holds the message.
    pub(crate) field: &'static str,
    pub(crate) group: String,
    pub(crate) consumer: String,
    /// Whether a group that is new begins with the oldest entry there is, or with the next one.
    pub(crate) from_start: bool,
    /// After how long without an acknowledgement an entry goes to whoever asks for it.
    pub(crate) claim_after: Duration,
    /// Whether it is a message that the taker understands; else it is a gap, and acknowledged.
    pub(crate) readable: fn(&[u8]) -> bool,
    /// Whether a gap must be known after a crash too.
    pub(crate) certain: bool,
}

/// What a consumer hears.
#[derive(Debug)]
pub(crate) enum Entry {
    /// The id of an entry, and the message in it.
    Message(String, Bytes),
    /// Some entries were gone before they were read. Nothing comes behind it before it is settled.
    Gap(Settled),
}

/// Says that a gap was dealt with. Dropped, that nobody will.
pub(crate) type Settled = oneshot::Sender<()>;

/// Some entries of a log.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Whether some before them are gone.
    pub(crate) gap: bool,
    /// Without a message: the entry is no longer there, or is none of ours.
    pub(crate) entries: Vec<(String, Option<Bytes>)>,
    /// Whether to ask for more at once.
    pub(crate) more: bool,
}

/// One consumer's way to the log.
pub(crate) trait Log: Send + Sync + 'static {
    fn connect(&mut self) -> impl Future<Output = Answer<()>> + Send;

    /// Whether the group is missing, or there is a hole in front of what it has not acknowledged; each is told once.
    fn lacks(&mut self) -> impl Future<Output = Answer<bool>> + Send;

    /// Makes the group if there is none: `true`.
    fn create(&mut self, from_start: bool) -> impl Future<Output = Answer<bool>> + Send;

    /// The oldest that were handed to this consumer after the entry `after`, and not acknowledged.
    fn pending(&mut self, after: &str) -> impl Future<Output = Answer<Batch>> + Send;

    /// The next that nobody was handed; waits a while for some.
    fn fresh(&mut self, wait: Duration) -> impl Future<Output = Answer<Batch>> + Send;

    /// What was handed to somebody long ago and not acknowledged: it is handed to this consumer.
    fn claim(&mut self) -> impl Future<Output = Answer<Batch>> + Send;

    /// Takes entries off what is pending.
    fn acknowledge(&mut self, ids: Vec<String>) -> impl Future<Output = Answer<()>> + Send;
}

/// Hands on all that comes, until nobody takes it any more. `tried` is dropped when the first attempt
/// to join the group is over.
pub(crate) async fn follow(
    log: impl Log,
    reader: Arc<Reader>,
    taker: mpsc::Sender<Entry>,
    tried: oneshot::Sender<()>,
) {
    let mut follower = Follower {
        log,
        reader,
        taker,
        tried: Some(tried),
        joined: false,
        failed: false,
        after: "0".to_owned(),
    };
    let mut backoff = Backoff::long();
    loop {
        let began = Instant::now();
        let Err(End::Failed(error)) = follower.session().await else {
            return;
        };
        follower.tell(&error);
        if began.elapsed() >= backoff.cap() {
            backoff = Backoff::long();
        }
        sleep(backoff.next()).await;
    }
}

struct Follower<L> {
    log: L,
    reader: Arc<Reader>,
    taker: mpsc::Sender<Entry>,
    tried: Option<oneshot::Sender<()>>,
    /// Whether there was a group that we belong to.
    joined: bool,
    /// Whether the last attempt failed, so that it need not be told again.
    failed: bool,
    /// The last entry that was handed on: those of an answer that got lost are behind it.
    after: String,
}

enum End {
    /// Nobody takes what we hand on.
    Closed,
    Failed(StoreError),
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl<L: Log> Follower<L> {
    async fn session(&mut self) -> Result<Infallible, End> {
        self.join().await?;
        self.catch_up().await?;
        self.keep_up().await
    }

    async fn join(&mut self) -> Result<(), End> {
        // A group that is gone was told how far it had come by nobody: all that is there is new to it.
        let from_start = self.reader.from_start || self.joined;
        self.log.connect().await?;
        self.look().await?;
        let created = self.log.create(from_start).await?;
        let missed = created && (self.joined || self.failed && !from_start);
        (self.joined, self.failed) = (true, false);
        self.tried = None;
        if missed && !self.reader.certain {
            self.hand_on_gap().await?;
        }
        Ok(())
    }

    /// Before a step that lets the log forget what is missing.
    async fn look(&mut self) -> Result<(), End> {
        if self.reader.certain && self.log.lacks().await? {
            self.hand_on_gap().await?;
        }
        Ok(())
    }

    /// What this consumer was handed before it crashed, or by an answer that got lost.
    async fn catch_up(&mut self) -> Result<(), End> {
        loop {
            let batch = self.log.pending(&self.after).await?;
            if batch.entries.is_empty() {
                return Ok(());
            }
            self.advance(batch).await?;
        }
    }

    async fn keep_up(&mut self) -> Result<Infallible, End> {
        let every = self.reader.claim_after / 2;
        let mut due = Instant::now();
        loop {
            if Instant::now() >= due {
                self.look().await?;
                let abandoned = self.log.claim().await?;
                if !abandoned.entries.is_empty() {
                    // Some may have been handed out and abandoned since.
                    self.look().await?;
                }
                let more = abandoned.more;
                self.take(abandoned).await?;
                due = Instant::now() + if more { Duration::ZERO } else { every };
            }
            let wait = due.saturating_duration_since(Instant::now());
            let batch = self.log.fresh(wait).await?;
            self.advance(batch).await?;
        }
    }

    async fn advance(&mut self, batch: Batch) -> Result<(), End> {
        let last = batch.entries.last().map(|(id, _)| id.clone());
        self.take(batch).await?;
        self.after = last.unwrap_or_else(|| std::mem::take(&mut self.after));
        Ok(())
    }

    async fn take(&mut self, batch: Batch) -> Result<(), End> {
        let readable = self.reader.readable;
        let is_message = |(_, message): &(String, Option<Bytes>)| {
            message.as_ref().is_some_and(|message| readable(message))
        };
        let (messages, unreadable): (Vec<_>, Vec<_>) =
            batch.entries.into_iter().partition(is_message);
        // One for all of them: to whoever deals with it, it is all one.
        if batch.gap || !unreadable.is_empty() {
            self.hand_on_gap().await?;
        }
        for (id, message) in messages {
            self.hand_on(Entry::Message(id, message.unwrap_or_default()))
                .await?;
        }
        if !unreadable.is_empty() {
            let ids = unreadable.into_iter().map(|(id, _)| id).collect();
            self.log.acknowledge(ids).await?;
        }
        Ok(())
    }

    /// Returns when it is settled.
    async fn hand_on_gap(&mut self) -> Result<(), End> {
        // Whoever waits for the first attempt takes nothing before it is over.
        self.tried = None;
        let (settled, is_settled) = oneshot::channel();
        self.hand_on(Entry::Gap(settled)).await?;
        is_settled.await.map_err(|_| End::Closed)
    }

    async fn hand_on(&self, entry: Entry) -> Result<(), End> {
        self.taker.send(entry).await.map_err(|_| End::Closed)
    }

    /// Once per outage aloud.
    fn tell(&mut self, error: &StoreError) {
        self.tried = None;
        if std::mem::replace(&mut self.failed, true) {
            tracing::debug!(%error, "the stream of events still cannot be read");
        } else {
            crate::util::warning::warn!(%error, "the stream of events cannot be read, going on trying");
        }
    }
}

#[cfg(test)]
mod tests;
