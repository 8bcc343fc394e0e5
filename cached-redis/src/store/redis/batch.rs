//! Collects the reads of many tasks into one MGET.
//!
//! One MGET costs client and server far less than as many GETs, and a key that several tasks ask for
//! is read once. A read may share an answer only if it came **before the command was written**: what
//! it gets was then read after it came, as with a command of its own. So a batch is closed first and
//! sent then.
//!
//! A read that is alone is sent at once, as a GET. Where reads overlap, the first of them starts a
//! task that goes once to the end of the runtime's queue before it sends, and finds the keys of all
//! who were ready; nothing ever waits for an answer to somebody else, nor for a timer.
//!
//! Readers who get their answers together would go on together: the server idle while they work, and
//! all of them idle while it does. So a batch does not wait for all of those who are about, but is
//! sent when somewhat less than half of them have joined, and the server has it while the others come.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use redis::{Arg, Cmd};
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::StoreError;
use crate::store::Answer;
use crate::util::sync::{AtomicBool, Mutex, OnceLock};

/// How many keys one command reads at most, so that a large answer does not hold up all readers.
const MOST: usize = 64;

/// How many readers are worth a batch at least, and by how many less than half of those about is
/// enough. Both were measured.
const FEW: usize = 4;

/// The answers to the keys of a batch, in their order.
type Answers = Answer<Vec<Option<Bytes>>>;

/// The reads of one store.
#[derive(Default)]
pub(super) struct Batches {
    state: Mutex<State>,
    /// The server does not let us read several keys at once.
    refused: AtomicBool,
}

#[derive(Default)]
struct State {
    /// What the next reader joins.
    open: Option<Open>,
    /// How many readers have no answer yet.
    waiting: usize,
    crowd: Crowd,
}

/// How a read is to be made.
pub(super) enum Turn<'a> {
    /// By a GET of its own.
    Unbatched(Sent<'a>),
    /// Together with whoever comes until the batch is sent, which is this reader's to see to.
    Open(Join),
    /// Together with others.
    Join(Join),
    /// The same, as the last of them: the batch is to be sent at once.
    Full(Join, Keys),
}

impl Batches {
    pub(super) fn turn(&self, key: &str) -> Turn<'_> {
        let mut state = self.state.lock();
        state.waiting += 1;
        let alone = state.waiting == 1 && state.crowd.is_one();
        if alone || self.refused.load(Ordering::Relaxed) {
            return Turn::Unbatched(self.sent(1));
        }
        let hash = xxh3_64(key.as_bytes());
        let Some(open) = &mut state.open else {
            let open = Open {
                batch: Arc::default(),
                keys: Keys::of(key, hash),
            };
            let batch = Arc::clone(&open.batch);
            state.open = Some(open);
            return Turn::Open(Join { batch, place: 0 });
        };
        let place = open.keys.place(key, hash);
        let batch = Arc::clone(&open.batch);
        let join = Join { batch, place };
        match state.full() {
            Some(keys) => Turn::Full(join, keys),
            None => Turn::Join(join),
        }
    }

    /// Leave for a command that reads several keys by itself; `None` if the server refuses those.
    pub(super) fn several(&self) -> Option<Sent<'_>> {
        if self.refused.load(Ordering::Relaxed) {
            return None;
        }
        self.state.lock().waiting += 1;
        Some(self.sent(1))
    }

    /// From now on every read is made alone.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Lets nobody join `batch` any more; gives what is to be sent, `None` if it was full before.
    pub(super) fn close(&self, batch: &Arc<Batch>) -> Option<Keys> {
        let mut state = self.state.lock();
        let open = state.open.as_ref()?;
        if !Arc::ptr_eq(&open.batch, batch) {
            return None;
        }
        state.close()
    }

    fn sent(&self, readers: usize) -> Sent<'_> {
        Sent {
            batches: self,
            readers,
        }
    }

    /// To be held while the command of `keys` is under way.
    pub(super) fn under_way(&self, keys: &Keys) -> Sent<'_> {
        self.sent(keys.readers)
    }
}

impl State {
    /// What is to be sent, if nobody else is to be waited for.
    fn full(&mut self) -> Option<Keys> {
        let enough = (self.crowd.size() / 2).saturating_sub(FEW).max(FEW);
        let keys = &self.open.as_ref()?.keys;
        let is_full = keys.hashes.len() == MOST || keys.readers >= enough;
        is_full.then(|| self.close())?
    }

    fn close(&mut self) -> Option<Keys> {
        self.crowd.seen(self.waiting);
        self.open.take().map(|open| open.keys)
    }
}

/// How many readers wait at once, in sixteenths: the most that were seen, less a sixteenth for every
/// batch since.
#[derive(Default)]
struct Crowd(usize);

impl Crowd {
    fn seen(&mut self, waiting: usize) {
        self.0 = (16 * waiting).max(self.0 - self.0.div_ceil(16));
    }

    fn size(&self) -> usize {
        self.0 / 16
    }

    /// Whether the next read can be expected to be the only one.
    fn is_one(&self) -> bool {
        self.0 <= 16
    }
}

/// Readers whose command is under way.
pub(super) struct Sent<'a> {
    batches: &'a Batches,
    readers: usize,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.batches.state.lock().waiting -= self.readers;
    }
}

/// A batch that can be joined.
struct Open {
    batch: Arc<Batch>,
    keys: Keys,
}

/// What a batch reads.
pub(super) struct Keys {
    pub(super) command: Cmd,
    hashes: Vec<u64>,
    readers: usize,
}

impl Keys {
    fn of(key: &str, hash: u64) -> Self {
        let mut command = Cmd::with_capacity(9, 9 * key.len());
        command.arg("MGET").arg(key);
        let mut hashes = Vec::with_capacity(8);
        hashes.push(hash);
        Self {
            command,
            hashes,
            readers: 1,
        }
    }

    /// The place of the answer to `key`.
    fn place(&mut self, key: &str, hash: u64) -> usize {
        self.readers += 1;
        let mut places = 0..self.hashes.len();
        let known = places.find(|place| self.is_at(*place, key, hash));
        known.unwrap_or_else(|| {
            self.command.arg(key);
            self.hashes.push(hash);
            self.hashes.len() - 1
        })
    }

    /// Hashes alone could be forged.
    fn is_at(&self, place: usize, key: &str, hash: u64) -> bool {
        self.hashes[place] == hash
            && matches!(
                self.command.args_iter().nth(1 + place),
                Some(Arg::Simple(other)) if other == key.as_bytes()
            )
    }
}

/// Reads that are made together.
#[derive(Default)]
pub(super) struct Batch {
    /// `None` inside: it was given up.
    answers: OnceLock<Option<Answers>>,
    landed: Notify,
}

impl Batch {
    pub(super) fn is_landed(&self) -> bool {
        self.answers.get().is_some()
    }

    /// Hands the answers out; `None` lets all start over.
    pub(super) fn land(&self, answers: Option<Answers>) {
        // A batch is sent only once.
        let _ = self.answers.set(answers);
        self.landed.notify_waiters();
    }
}

/// A place in a batch.
pub(super) struct Join {
    pub(super) batch: Arc<Batch>,
    place: usize,
}

impl Join {
    /// `None`: the batch was given up, start over.
    pub(super) async fn answer(self) -> Option<Answer<Option<Bytes>>> {
        // It exists before the look, so a landing in between is not missed.
        let landed = self.batch.landed.notified();
        if self.batch.answers.get().is_none() {
            landed.await;
        }
        let answers = self.batch.answers.get()?.as_ref()?;
        Some(pick(answers, self.place))
    }
}

fn pick(answers: &Answers, place: usize) -> Answer<Option<Bytes>> {
    match answers {
        Ok(answers) => answers.get(place).cloned().ok_or(StoreError::Answer),
        Err(error) => Err(error.clone()),
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
