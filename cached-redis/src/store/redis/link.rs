//! One operation on the server: it takes the connection that is there, has its deadline, and is
//! judged.

use std::iter;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Value};
use tokio::task::yield_now;

use super::batch::{Batch, Batches, Join, Keys, Sent, Turn};
use super::connection::Connection;
use super::deadline::Deadline;
use super::script::Script;
use super::{reply, send};
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::many::MOST;
use crate::util::tasks::Tasks;

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) deadline: Deadline,
    pub(super) batches: Batches,
    pub(super) runtime: Arc<Tasks>,
}

impl Link {
    pub(super) async fn ask(&self, command: &Cmd) -> Answer<Value> {
        let mut connection = self.connection.current().await?;
        let sent = pin!(connection.send_packed_command(command));
        self.judged(self.deadline.limit(sent).await.and_then(reply::value))
    }

    /// Sends commands, at most [`MOST`] in one write; the answer to each. Those to scripts go this way alone.
    pub(super) async fn send(&self, mut commands: impl Iterator<Item = Cmd>) -> Vec<Answer<Value>> {
        let mut answers = Vec::new();
        loop {
            let some: Vec<_> = commands.by_ref().take(MOST).collect();
            if some.is_empty() {
                return answers;
            }
            let count = some.len();
            let sent = self.write(some).await;
            answers.extend(sent.unwrap_or_else(|error| vec![Err(error); count]));
        }
    }

    async fn write(&self, commands: Vec<Cmd>) -> Answer<Vec<Answer<Value>>> {
        let mut connection = self.connection.current().await?;
        let sent = pin!(send::all(&mut connection, commands.into_iter()));
        let answers = self.deadline.limit(sent).await.unwrap_or_else(Err);
        // The first refusal speaks for the server; the answers themselves go on to their commands.
        let refusal = match &answers {
            Ok(answers) => answers.iter().find_map(|answer| answer.as_ref().err()),
            Err(error) => Some(error),
        };
        let _ = self.judged(refusal.map_or(Ok(()), |error| Err(error.clone())));
        answers
    }

    /// What a script answers.
    pub(super) async fn evaluate(&self, command: Cmd) -> Answer<Value> {
        let answer = self.send(iter::once(command)).await.pop();
        answer.unwrap_or(Err(StoreError::Answer))
    }

    /// The same for one that says yes or no.
    pub(super) async fn run(&self, command: Cmd) -> Answer<bool> {
        reply::flag(&self.evaluate(command).await?)
    }

    pub(super) async fn run_each(&self, commands: impl Iterator<Item = Cmd>) -> Vec<Answer<bool>> {
        let answers = self.send(commands).await.into_iter();
        answers.map(|answer| reply::flag(&answer?)).collect()
    }

    /// Runs a script on all of `keys` at once, or on so many of them as one command may name. Whether it
    /// said so of all.
    pub(super) async fn run_all(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Answer<bool> {
        let mut all = true;
        for chunk in keys.chunks(MOST) {
            let keys: Vec<_> = chunk.iter().map(String::as_str).collect();
            all &= self.run(script.on(&keys, args)).await?;
        }
        Ok(all)
    }

    /// Reads `key`, together with others where there are any.
    pub(super) async fn read(self: &Arc<Self>, key: &str) -> Answer<Option<Bytes>> {
        loop {
            let join = match self.batches.turn(key) {
                Turn::Unbatched(_sent) => return self.read_unbatched(key).await,
                Turn::Open(join) => {
                    self.runtime.spawn(self.carrier(&join).collect());
                    join
                }
                Turn::Full(join, keys) => {
                    self.runtime.spawn(self.carrier(&join).read(keys));
                    join
                }
                Turn::Join(join) => join,
            };
            let batch = Arc::clone(&join.batch);
            let answered = self.deadline.limit(pin!(join.answer())).await;
            if answered.is_err() {
                self.give_up(&batch);
            }
            if let Some(answer) = answered? {
                return answer;
            }
        }
    }

    /// Nobody drives the task that is to send it, if it still can be joined: all start over.
    fn give_up(&self, batch: &Arc<Batch>) {
        if let Some(keys) = self.batches.close(batch) {
            drop(self.batches.under_way(&keys));
            batch.land(None);
        }
    }

    /// Reads `keys` in commands of their own: to those who are under way it is one more that overlaps.
    pub(super) async fn read_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MOST) {
            entries.extend(self.read_chunk(chunk).await?);
        }
        Ok(entries)
    }

    async fn read_chunk(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let Some(_sent) = self.batches.several() else {
            return self.read_each(keys).await;
        };
        let size: usize = keys.iter().map(|key| key.len()).sum();
        let mut command = Cmd::with_capacity(1 + keys.len(), 4 + size);
        command.arg("MGET").arg(keys);
        match self.ask(&command).await.and_then(reply::all_bytes) {
            Err(StoreError::Server { code }) if code == "NOPERM" => {
                self.batches.refuse();
                self.read_each(keys).await
            }
            Ok(answers) if answers.len() != keys.len() => Err(StoreError::Answer),
            answers => answers,
        }
    }

    async fn read_each(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.read_unbatched(key).await?);
        }
        Ok(answers)
    }

    async fn read_unbatched(&self, key: &str) -> Answer<Option<Bytes>> {
        let mut command = Cmd::with_capacity(2, 3 + key.len());
        command.arg("GET").arg(key);
        reply::bytes(self.ask(&command).await?)
    }

    fn carrier(self: &Arc<Self>, join: &Join) -> Carrier {
        Carrier {
            link: Arc::clone(self),
            batch: Arc::clone(&join.batch),
        }
    }

    /// Every operation that was attempted comes through here. A server that became a replica refuses
    /// all writes, and where it may not serve what it has, reads; the name may by now lead to the new
    /// primary.
    pub(super) fn judged<T>(&self, answer: Answer<T>) -> Answer<T> {
        self.connection.ended(&answer);
        if let Err(StoreError::Server { code }) = &answer
            && matches!(code.as_str(), "READONLY" | "MASTERDOWN")
        {
            self.connection.abandon();
        }
        answer
    }
}

/// Sends a batch, in a task of its own: a reader can be dropped, or not be polled, while others wait.
struct Carrier {
    link: Arc<Link>,
    batch: Arc<Batch>,
}

impl Carrier {
    /// When all who are ready have joined.
    async fn collect(self) {
        yield_now().await;
        if let Some(keys) = self.link.batches.close(&self.batch) {
            self.read(keys).await;
        }
    }

    async fn read(self, keys: Keys) {
        let Link { batches, .. } = &*self.link;
        let sent = Carried {
            batch: &self.batch,
            _sent: batches.under_way(&keys),
        };
        let answers = self.link.ask(&keys.command).await;
        match answers.and_then(reply::all_bytes) {
            Err(StoreError::Server { code }) if code == "NOPERM" => batches.refuse(),
            answers => sent.batch.land(Some(answers)),
        }
    }
}

impl Drop for Carrier {
    /// A runtime may end with the task in it before the batch is sent, while readers of others wait.
    fn drop(&mut self) {
        if let Some(keys) = self.link.batches.close(&self.batch) {
            drop(Carried {
                batch: &self.batch,
                _sent: self.link.batches.under_way(&keys),
            });
        }
    }
}

/// A batch that nobody joins any more. Dropped without an answer, it lets all start over.
struct Carried<'a> {
    batch: &'a Batch,
    _sent: Sent<'a>,
}

impl Drop for Carried<'_> {
    fn drop(&mut self) {
        if !self.batch.is_landed() {
            self.batch.land(None);
        }
    }
}
