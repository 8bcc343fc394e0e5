//! A log on a Redis Stream, read as a consumer of a group, on a connection of its own: its reads
//! block, and would hold up everything else on a shared one.
//!
//! A stream is cut at its old end whoever has still to read it. Before each read the server is asked,
//! in the same round trip, how far the group has come and what the stream still begins with; where
//! that leaves a hole, entries may be gone unread. It says "may": of an entry that was cut off
//! nobody knows whether it was the last one read or the first one missed.
//!
//! The group moves over a hole with the read that finds it. But what was handed out stays pending until the hole was
//! settled, so after a crash a hole is in front of that. `XAUTOCLAIM` forgets what is gone: where a gap has to be known
//! for certain, a script claims instead.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tokio::time::timeout;

use super::dial::Way;
use super::handshake;
use super::{RedisStore, reply, send};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Answer;
use crate::store::log::{BATCH, Batch, Log, Reader};
use crate::util::background::Background;

mod entries;
mod extent;

use entries::{entries_of, head, of_one_log};
use extent::{Extent, Id, before, delivered, id, parsed};

/// The longest time that a read waits for entries: the server's silence is noticed after it.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// One consumer's connection.
pub(in crate::store) struct RedisLog {
    way: Way,
    /// How long an attempt to connect, or an answer, may take.
    patience: Duration,
    reader: Arc<Reader>,
    live: Option<(MultiplexedConnection, Background)>,
    /// Where the next look for abandoned entries begins.
    claimed: String,
    /// The newest entry there was when a hole was told: all that was gone by then is known.
    covered: Id,
}

const START: &str = "0-0";

const CLAIM: &str = include_str!("lua/claim.lua");

/// Before all entries.
const NONE: Id = (0, 0);

impl RedisStore {
    pub(in crate::store) fn log(&self, reader: Arc<Reader>) -> RedisLog {
        RedisLog {
            way: self.links.way(&reader.log),
            patience: self.settings.connect_timeout,
            reader,
            live: None,
            claimed: START.to_owned(),
            covered: NONE,
        }
    }

    pub(in crate::store) async fn acknowledge(
        &self,
        reader: &Reader,
        ids: &[String],
    ) -> Answer<()> {
        self.links.ask(&acknowledge(reader, ids)).await.map(drop)
    }
}

impl Log for RedisLog {
    async fn connect(&mut self) -> Answer<()> {
        self.live = None;
        let route = (self.way)()?;
        let attempt = timeout(self.patience, handshake::open_bare(&route)).await;
        self.live = Some(attempt.unwrap_or(Err(ConnectProblem::Timeout))?);
        Ok(())
    }

    async fn lacks(&mut self) -> Answer<bool> {
        let [stream, groups] = self.inquiries();
        let commands = [stream, groups, oldest(&self.reader)];
        let [stream, groups, oldest] = self.send(commands, Duration::ZERO).await?;
        // There is no stream: the one answer that has no code of its own.
        let groups = unless("ERR", groups)?;
        let left = unless("NOGROUP", oldest)?
            .and_then(head)
            .and_then(head)
            .and_then(id);
        let extent = unless("ERR", stream)?;
        let extent = extent
            .map(|stream| Extent::of(stream).ok_or(StoreError::Answer))
            .transpose()?;
        let newest = extent.as_ref().map_or(NONE, |extent| extent.last_ever);
        let lacks = match groups.and_then(|groups| delivered(groups, &self.reader.group)) {
            None => true,
            Some(delivered) => {
                let from = left.map_or(delivered, before).max(self.covered);
                extent.is_some_and(|extent| extent.leaves_hole_after(from))
            }
        };
        if lacks {
            self.covered = newest;
        }
        Ok(lacks)
    }

    async fn create(&mut self, from_start: bool) -> Answer<bool> {
        let Reader { log, group, .. } = &*self.reader;
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(log).arg(group);
        create
            .arg(if from_start { "0" } else { "$" })
            .arg("MKSTREAM");
        match self.ask(create).await {
            Ok(_) => Ok(true),
            Err(StoreError::Server { code }) if code == "BUSYGROUP" => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn pending(&mut self, after: &str) -> Answer<Batch> {
        let entries = self.ask(read(&self.reader, None, after)).await?;
        Ok(Batch {
            entries: of_one_log(entries, self.reader.field)?,
            ..Batch::default()
        })
    }

    async fn fresh(&mut self, wait: Duration) -> Answer<Batch> {
        let wait = wait.clamp(Duration::from_millis(1), LONGEST_WAIT);
        // Before the read, how far the group had come; behind it, what the stream has by then: it may have waited.
        let [stream, groups] = self.inquiries();
        let commands = [groups, read(&self.reader, Some(wait), ">"), stream];
        let [groups, entries, stream] = self.send(commands, wait).await?;
        let entries = of_one_log(entries?, self.reader.field)?;
        let hole = match self.hole(groups, stream) {
            // A user who may not ask is told of no holes.
            Err(_) if !self.reader.certain => false,
            hole => hole?,
        };
        Ok(Batch {
            gap: hole && !entries.is_empty(),
            entries,
            more: false,
        })
    }

    async fn claim(&mut self) -> Answer<Batch> {
        match self.reader.certain {
            true => self.claim_what_is_there().await,
            false => self.claim_at_once().await,
        }
    }

    async fn acknowledge(&mut self, ids: Vec<String>) -> Answer<()> {
        let command = acknowledge(&self.reader, &ids);
        self.ask(command).await.map(drop)
    }
}

impl RedisLog {
    /// What is gone comes without a message.
    async fn claim_what_is_there(&mut self) -> Answer<Batch> {
        let mut script = redis::cmd("EVAL");
        script.arg(CLAIM).arg(1).arg(&self.reader.log);
        script.arg(&self.reader.group).arg(&self.reader.consumer);
        let idle = self.reader.claim_after.as_millis() as u64;
        let script = script.arg(idle).arg(BATCH).clone();
        let [entries, gone] = reply::some(self.ask(script).await?)?;
        let mut entries = entries_of(entries, self.reader.field)?;
        let gone: Answer<Vec<_>> = reply::list(gone)?.into_iter().map(reply::text).collect();
        let gone = gone?;
        let more = entries.len() + gone.len() == BATCH;
        let is_told = |text: &String| parsed(text).is_some_and(|id| id <= self.covered);
        let (told, untold): (Vec<_>, Vec<_>) = gone.into_iter().partition(is_told);
        if !told.is_empty() {
            self.acknowledge(told).await?;
        }
        entries.extend(untold.into_iter().map(|id| (id, None)));
        Ok(Batch {
            gap: false,
            entries,
            more,
        })
    }

    /// Whether there is one behind what the group was given.
    fn hole(&self, groups: Answer<Value>, stream: Answer<Value>) -> Answer<bool> {
        let (groups, extent) = (groups?, Extent::of(stream?).ok_or(StoreError::Answer)?);
        let delivered = delivered(groups, &self.reader.group);
        Ok(delivered.is_some_and(|id| extent.leaves_hole_after(id.max(self.covered))))
    }

    async fn claim_at_once(&mut self) -> Answer<Batch> {
        let Reader {
            log,
            group,
            consumer,
            claim_after,
            field,
            ..
        } = &*self.reader;
        let mut command = redis::cmd("XAUTOCLAIM");
        command.arg(log).arg(group).arg(consumer);
        command.arg(claim_after.as_millis() as u64);
        command.arg(&self.claimed).arg("COUNT").arg(BATCH);
        let [next, entries, gone] = reply::some(self.ask(command).await?)?;
        self.claimed = reply::text(next)?;
        Ok(Batch {
            gap: !reply::list(gone)?.is_empty(),
            entries: entries_of(entries, field)?,
            more: self.claimed != START,
        })
    }

    /// What stream and groups are like.
    fn inquiries(&self) -> [Cmd; 2] {
        ["STREAM", "GROUPS"].map(|what| {
            let mut info = redis::cmd("XINFO");
            info.arg(what).arg(&self.reader.log);
            info
        })
    }

    async fn ask(&self, command: Cmd) -> Answer<Value> {
        let [answer] = self.send([command], Duration::ZERO).await?;
        answer
    }

    /// The answers to commands that may take `wait`.
    async fn send<const N: usize>(
        &self,
        commands: [Cmd; N],
        wait: Duration,
    ) -> Answer<[Answer<Value>; N]> {
        let (connection, _) = self.live.as_ref().ok_or(StoreError::Unavailable)?;
        let mut connection = connection.clone();
        let sent = send::all(&mut connection, commands.into_iter());
        let answers = timeout(wait + self.patience, sent).await;
        let answers = answers.map_err(|_| StoreError::Timeout)??;
        answers.try_into().map_err(|_| StoreError::Answer)
    }
}

/// Reads new entries, for which it may wait, or those after an id that are pending.
fn read(reader: &Reader, wait: Option<Duration>, after: &str) -> Cmd {
    let mut command = redis::cmd("XREADGROUP");
    command
        .arg("GROUP")
        .arg(&reader.group)
        .arg(&reader.consumer);
    command.arg("COUNT").arg(BATCH);
    if let Some(wait) = wait {
        command.arg("BLOCK").arg(wait.as_millis() as u64);
    }
    command.arg("STREAMS").arg(&reader.log).arg(after);
    command
}

/// The oldest entry that was handed to anybody and not acknowledged.
fn oldest(reader: &Reader) -> Cmd {
    let mut command = redis::cmd("XPENDING");
    command.arg(&reader.log).arg(&reader.group);
    command.arg("-").arg("+").arg(1);
    command
}

fn acknowledge(reader: &Reader, ids: &[String]) -> Cmd {
    let mut command = redis::cmd("XACK");
    command.arg(&reader.log).arg(&reader.group).arg(ids);
    command
}

/// The answer, or nothing where the server refuses with this code.
fn unless(code: &str, answer: Answer<Value>) -> Answer<Option<Value>> {
    match answer {
        Err(StoreError::Server { code: refused }) if refused == code => Ok(None),
        answer => answer.map(Some),
    }
}
