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

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use redis::{Arg, Cmd};
use tokio::sync::Notify;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::StoreError;
use crate::sync::{AtomicBool, Mutex, MutexGuard, OnceLock};

/// How many keys one command reads at most, so that a large answer does not hold up all readers.
const MOST: usize = 64;

/// For how many single reads after a batch the next ones are expected to overlap.
const MEMORY: u8 = 16;

/// The answer to one key.
type Answer = Result<Option<Bytes>, StoreError>;

/// The answers to the keys of a batch, in their order.
type Answers = Result<Vec<Option<Bytes>>, StoreError>;

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
    in_flight: usize,
    overlaps: u8,
}

/// How a read is to be made.
pub(super) enum Turn<'a> {
    /// By a GET of its own.
    Alone(Sent<'a>),
    /// Together with whoever comes until the batch is sent, which is this reader's to see to.
    Open(Join),
    /// Together with others.
    Join(Join),
}

impl Batches {
    pub(super) fn turn(&self, key: &str) -> Turn<'_> {
        let mut state = self.state();
        let alone = state.in_flight == 0 && state.overlaps == 0;
        if alone || self.refused.load(Ordering::Relaxed) {
            state.in_flight += 1;
            return Turn::Alone(Sent(self));
        }
        let hash = xxh3_64(key.as_bytes());
        if let Some(open) = &mut state.open
            && let Some(place) = open.keys.place(key, hash)
        {
            let batch = Arc::clone(&open.batch);
            return Turn::Join(Join { batch, place });
        }
        let batch = Arc::<Batch>::default();
        let open = Open {
            batch: Arc::clone(&batch),
            keys: Keys::of(key, hash),
        };
        if let Some(full) = state.open.replace(open) {
            full.batch.keep(full.keys);
        }
        Turn::Open(Join { batch, place: 0 })
    }

    /// Leave for a command that reads several keys by itself; `None` if the server refuses those.
    pub(super) fn several(&self) -> Option<Sent<'_>> {
        if self.refused.load(Ordering::Relaxed) {
            return None;
        }
        self.state().in_flight += 1;
        Some(Sent(self))
    }

    /// From now on every read is made alone.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }

    /// Lets nobody join `batch` any more; gives what is to be sent.
    pub(super) fn close(&self, batch: &Arc<Batch>) -> Option<(Cmd, Sent<'_>)> {
        let mut state = self.state();
        let is_open = state
            .open
            .as_ref()
            .is_some_and(|open| Arc::ptr_eq(&open.batch, batch));
        let keys = match is_open {
            true => state.open.take().map(|open| open.keys),
            false => batch.full().take(),
        }?;
        state.in_flight += 1;
        state.overlaps = match keys.readers {
            1 => state.overlaps.saturating_sub(1),
            _ => MEMORY,
        };
        Some((keys.command, Sent(self)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command that is under way.
pub(super) struct Sent<'a>(&'a Batches);

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        self.0.state().in_flight -= 1;
    }
}

/// A batch that can be joined.
struct Open {
    batch: Arc<Batch>,
    keys: Keys,
}

/// What a batch reads.
struct Keys {
    command: Cmd,
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

    /// The place of the answer to `key`; `None` if there is no room for it.
    fn place(&mut self, key: &str, hash: u64) -> Option<usize> {
        let known = (0..self.hashes.len()).find(|place| self.is_at(*place, key, hash));
        let place = match known {
            Some(place) => place,
            None if self.hashes.len() == MOST => return None,
            None => {
                self.command.arg(key);
                self.hashes.push(hash);
                self.hashes.len() - 1
            }
        };
        self.readers += 1;
        Some(place)
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
    /// Its keys, while it is full and not yet sent.
    full: Mutex<Option<Keys>>,
    /// `None` inside: it was given up.
    answers: OnceLock<Option<Answers>>,
    landed: Notify,
}

impl Batch {
    fn keep(&self, keys: Keys) {
        *self.full() = Some(keys);
    }

    fn full(&self) -> MutexGuard<'_, Option<Keys>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
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
    pub(super) async fn answer(self) -> Option<Answer> {
        // It exists before the look, so a landing in between is not missed.
        let landed = self.batch.landed.notified();
        if self.batch.answers.get().is_none() {
            landed.await;
        }
        let answers = self.batch.answers.get()?.as_ref()?;
        Some(pick(answers, self.place))
    }
}

fn pick(answers: &Answers, place: usize) -> Answer {
    match answers {
        Ok(answers) => answers.get(place).cloned().ok_or(StoreError::Answer),
        Err(error) => Err(error.clone()),
    }
}

#[cfg(test)]
mod schedules;
#[cfg(test)]
mod tests;
