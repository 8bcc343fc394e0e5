//! Writes that are accepted once replicas, or disks, have them: `WAIT` and `WAITAOF`.
//!
//! Both hold up their connection, and speak of what was written over it. So such writes have a connection of their own,
//! and those that come together are one **group** with one wait behind it. That nobody else waits for them is one
//! reason; the other is that the same connection is the same server: what one has taken, no other can vouch for.

use std::collections::HashMap;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::dial::Way;
use super::links::Links;
use super::packed::Packed;
use super::settings::{PendingSettings, RedisSettings};
use super::{handshake, reply, script, send};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Answer;
use crate::store::many::MOST;
use crate::store::queue::Durability;
use crate::util::background::Background;
use crate::util::lock::Mutex;

impl Durability {
    /// What waits for it, if anything does.
    fn command(self, within: Duration) -> Option<Cmd> {
        let mut command = match self {
            Self::Server => return None,
            Self::Replicated { replicas } => redis::cmd("WAIT").arg(replicas).clone(),
            Self::Synced { replicas } => redis::cmd("WAITAOF").arg(1).arg(replicas).clone(),
        };
        Some(command.arg(within.as_millis() as u64).clone())
    }

    /// Whether that has answered so.
    fn is_reached(self, answer: Answer<Value>) -> Answer<bool> {
        let count = |value: Value| reply::number(value).ok_or(StoreError::Answer);
        Ok(match self {
            Self::Server => true,
            Self::Replicated { replicas } => count(answer?)? >= u64::from(replicas),
            Self::Synced { replicas } => {
                let [here, there] = reply::some(answer?)?;
                count(here)? >= 1 && count(there)? >= u64::from(replicas)
            }
        })
    }
}

/// The connections, one for each queue, which on a cluster is on one server.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<String, Group>>);

struct Group {
    to: mpsc::UnboundedSender<Write>,
    task: Background,
}

struct Write {
    command: Cmd,
    told: oneshot::Sender<Answer<i64>>,
}

impl Groups {
    /// The number that a script answers that writes to `queue`, once that is as durable as it is to be.
    pub(super) async fn write(
        &self,
        links: &Links,
        settings: &RedisSettings,
        queue: &str,
        command: &Packed,
    ) -> Answer<i64> {
        let (told, answer) = oneshot::channel();
        // What a server has forgotten would be sent again behind the wait.
        let command = script::in_full(command.parts());
        self.to(links, settings, queue)
            .send(Write { command, told })
            .map_err(|_| StoreError::Unavailable)?;
        answer.await.unwrap_or(Err(StoreError::Lost))
    }

    fn to(
        &self,
        links: &Links,
        settings: &RedisSettings,
        queue: &str,
    ) -> mpsc::UnboundedSender<Write> {
        let mut groups = self.0.lock();
        // One whose runtime has ended has a successor.
        groups.retain(|_, group| !group.task.has_ended());
        if let Some(group) = groups.get(queue) {
            return group.to.clone();
        }
        let (to, writes) = mpsc::unbounded_channel();
        let writer = Writer {
            way: links.way(queue),
            patience: settings.connect_timeout,
            pending: settings.pending.clone(),
            writes,
            live: None,
        };
        let task = Background(links.tasks().spawn(writer.run()));
        groups.insert(
            queue.to_owned(),
            Group {
                to: to.clone(),
                task,
            },
        );
        to
    }
}

/// The task of one connection.
struct Writer {
    way: Way,
    patience: Duration,
    pending: PendingSettings,
    writes: mpsc::UnboundedReceiver<Write>,
    live: Option<(MultiplexedConnection, Background)>,
}

impl Writer {
    async fn run(mut self) {
        let mut group = Vec::new();
        while self.writes.recv_many(&mut group, MOST).await > 0 {
            let commands: Vec<_> = group.iter().map(|write| write.command.clone()).collect();
            let answers = self.written(commands).await;
            if !answers
                .as_ref()
                .is_ok_and(|all| all.iter().all(Result::is_ok))
            {
                // A server may have lost its role, or its slot, as well.
                self.live = None;
            }
            let mut answers = answers.map(Vec::into_iter);
            for write in group.drain(..) {
                let answer = match &mut answers {
                    Ok(answers) => answers.next().unwrap_or(Err(StoreError::Answer)),
                    Err(error) => Err(error.clone()),
                };
                // Nobody waits where the caller was dropped.
                let _ = write.told.send(answer);
            }
        }
    }

    /// One write of all of them, with the wait behind them.
    async fn written(&mut self, commands: Vec<Cmd>) -> Answer<Vec<Answer<i64>>> {
        let PendingSettings {
            durability, within, ..
        } = self.pending;
        let wait = durability.command(within);
        let patience = self.patience + within;
        let sent = send::all(self.connection().await?, commands.into_iter().chain(wait));
        let answers = timeout(patience, sent).await;
        let mut answers = answers.map_err(|_| StoreError::Timeout)??;
        let waited = answers.pop().ok_or(StoreError::Answer)?;
        let is_reached = durability.is_reached(waited);
        let number = |answer: Answer<Value>| match answer? {
            // It was accepted, and nobody knows whether it will be there.
            Value::Int(1) => is_reached.clone()?.then_some(1).ok_or(StoreError::Timeout),
            Value::Int(refused) => Ok(refused),
            _ => Err(StoreError::Answer),
        };
        Ok(answers.into_iter().map(number).collect())
    }

    async fn connection(&mut self) -> Answer<&mut MultiplexedConnection> {
        if self
            .live
            .as_ref()
            .is_none_or(|(_, driver)| driver.has_ended())
        {
            let route = (self.way)()?;
            let attempt = timeout(self.patience, handshake::open_bare(&route)).await;
            self.live = Some(attempt.unwrap_or(Err(ConnectProblem::Timeout))?);
        }
        let (connection, _) = self.live.as_mut().ok_or(StoreError::Unavailable)?;
        Ok(connection)
    }
}
