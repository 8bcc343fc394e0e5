//! One operation on the server: it takes the connection that is there, has its deadline, and is
//! judged.

use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value};
use tokio::task::yield_now;

use super::batch::{Batch, Batches, Join, Keys, Sent, Turn};
use super::connection::Connection;
use super::deadline::Deadline;
use super::reply;
use super::script::Script;
use crate::error::StoreError;
use crate::store::many::MOST;
use crate::util::home::Home;

pub(super) struct Link {
    pub(super) connection: Connection,
    pub(super) deadline: Deadline,
    pub(super) batches: Batches,
    pub(super) runtime: Arc<Home>,
}

impl Link {
    pub(super) async fn ask(&self, command: &Cmd) -> Result<Value, StoreError> {
        let mut connection = self.connection.current().await?;
        let sent = pin!(connection.send_packed_command(command));
        self.judged(self.deadline.limit(sent).await.and_then(reply::value))
    }

    /// Sends commands in one round trip; the answers, if none of them is an error.
    pub(super) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, StoreError> {
        let mut connection = self.connection.current().await?;
        let sent = pin!(connection.send_packed_commands(commands, 0, commands.len()));
        let answers = self.deadline.limit(sent).await.and_then(reply::values);
        self.judged(answers)
    }

    pub(super) async fn run(
        &self,
        script: &Script,
        key: &str,
        args: &[&[u8]],
    ) -> Result<bool, StoreError> {
        reply::flag(&self.evaluate(script, key, args).await?)
    }

    /// The same for a script that says more than yes or no.
    pub(super) async fn evaluate(
        &self,
        script: &Script,
        key: &str,
        args: &[&[u8]],
    ) -> Result<Value, StoreError> {
        self.evaluate_on(script, &[key], args).await
    }

    async fn evaluate_on(
        &self,
        script: &Script,
        keys: &[&str],
        args: &[&[u8]],
    ) -> Result<Value, StoreError> {
        let mut connection = self.connection.current().await?;
        let run = pin!(script.run(&mut connection, keys, args));
        self.judged(self.deadline.limit(run).await.unwrap_or_else(Err))
    }

    /// Runs a script on all of `keys` at once, or on so many of them as one command may name. Whether it
    /// said so of all.
    pub(super) async fn run_all(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Result<bool, StoreError> {
        let mut all = true;
        for chunk in keys.chunks(MOST) {
            let keys: Vec<_> = chunk.iter().map(String::as_str).collect();
            all &= reply::flag(&self.evaluate_on(script, &keys, args).await?)?;
        }
        Ok(all)
    }

    /// Runs a script on each key with arguments of its own; what it answered to each.
    pub(super) async fn answers(
        &self,
        script: &Script,
        calls: &[(&str, &[&[u8]])],
    ) -> Result<Vec<Value>, StoreError> {
        let mut all = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(MOST) {
            let mut connection = self.connection.current().await?;
            let run = pin!(script.run_each(&mut connection, chunk));
            let answers = self.deadline.limit(run).await.unwrap_or_else(Err);
            let answers =
                answers.and_then(|answers| answers.into_iter().collect::<Result<Vec<_>, _>>());
            all.extend(self.judged(answers)?);
        }
        Ok(all)
    }

    /// Reads `key`, together with others where there are any.
    pub(super) async fn read(self: &Arc<Self>, key: &str) -> Result<Option<Bytes>, StoreError> {
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
    pub(super) async fn read_all(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut entries = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(MOST) {
            entries.extend(self.read_chunk(chunk).await?);
        }
        Ok(entries)
    }

    async fn read_chunk(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, StoreError> {
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

    async fn read_each(&self, keys: &[&str]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let mut answers = Vec::with_capacity(keys.len());
        for key in keys {
            answers.push(self.read_unbatched(key).await?);
        }
        Ok(answers)
    }

    async fn read_unbatched(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
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
    pub(super) fn judged<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
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
