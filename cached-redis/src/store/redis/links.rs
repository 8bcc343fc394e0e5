//! The way of each command: to the one server, or to that of a cluster which has its key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::cluster::Cluster;
use super::connection::Connection;
use super::dial::Route;
use super::link::Link;
use super::script::{self, Script};
use super::{command, handshake, reply};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Answer;
use crate::store::health::State;
use crate::store::many::MOST;
use crate::store::slot::{SLOTS, number_in, slot, slot_of_all};
use crate::store::stats::StoreStats;
use crate::util::tasks::Tasks;

/// See the module.
pub(super) enum Links {
    Server(Link),
    Cluster(Cluster),
}

impl Links {
    /// Reads `key`, together with others where there are any.
    pub(super) async fn read(&self, key: &str) -> Answer<Option<Bytes>> {
        match self {
            Self::Server(link) => link.read(key).await,
            Self::Cluster(cluster) => apart(cluster.read(key)).await,
        }
    }

    /// The same for several keys, in one round trip.
    pub(super) async fn read_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        match self {
            Self::Server(link) => link.read_all(keys).await,
            Self::Cluster(cluster) => apart(cluster.read_all(keys)).await,
        }
    }

    /// Asks what has a string, a number or nothing as its answer.
    pub(super) async fn call(&self, command: &Cmd) -> Answer<Option<Bytes>> {
        match self {
            Self::Server(link) => link.call(command).await,
            Self::Cluster(cluster) => cluster.call(command).await,
        }
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Answer<Value> {
        match self {
            Self::Server(link) => link.ask(command).await,
            Self::Cluster(cluster) => apart(cluster.ask(command)).await,
        }
    }

    /// The answer to each of `commands`, which are sent at once. All keys of one are in the same slot.
    pub(super) async fn send(&self, commands: impl Iterator<Item = Cmd>) -> Vec<Answer<Value>> {
        match self {
            Self::Server(link) => link.send(commands).await,
            Self::Cluster(cluster) => apart(cluster.send(commands.collect())).await,
        }
    }

    /// The same for commands that stay together, where `key` is.
    pub(super) async fn send_to(&self, key: &str, commands: Vec<Cmd>) -> Vec<Answer<Value>> {
        match self {
            Self::Server(link) => link.send(commands.into_iter()).await,
            Self::Cluster(cluster) => apart(cluster.send_to(key, commands)).await,
        }
    }

    /// Whatever a script answers.
    pub(super) async fn perform(&self, command: &Cmd) -> Answer<Value> {
        match self.ask(command).await {
            Err(StoreError::Server { code }) if code == script::UNKNOWN => {
                self.ask(&script::in_full(command)).await
            }
            answer => answer,
        }
    }

    /// The number that a script answers.
    pub(super) async fn evaluate(&self, command: Cmd) -> Answer<i64> {
        let answer = match self.call(&command).await {
            Err(StoreError::Server { code }) if code == script::UNKNOWN => {
                self.call(&script::in_full(&command)).await
            }
            answer => answer,
        };
        reply::integer(answer?.as_deref())
    }

    /// The same for one that says yes or no.
    pub(super) async fn run(&self, command: Cmd) -> Answer<bool> {
        Ok(self.evaluate(command).await? == 1)
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
        if let Self::Cluster(_) = self {
            let commands = by_slot(keys).map(|keys| script.on(&keys, args));
            let mut answers = self.run_each(commands).await.into_iter();
            return answers.try_fold(true, |all, answer| Ok(all & answer?));
        }
        let mut all = true;
        for chunk in keys.chunks(MOST) {
            let keys: Vec<_> = chunk.iter().map(String::as_str).collect();
            all &= self.run(script.on(&keys, args)).await?;
        }
        Ok(all)
    }

    /// Removes all of `keys`, by one command where that is possible.
    pub(super) async fn unlink(&self, keys: &[String]) -> Answer<()> {
        if let Self::Cluster(_) = self {
            let commands = by_slot(keys).map(|keys| command::unlink(&keys));
            let mut answers = self.send(commands).await.into_iter();
            return answers.try_for_each(|answer| answer.map(drop));
        }
        self.call(&command::unlink(keys)).await.map(drop)
    }

    /// Where the bars of `key` stand: in its slot, under the name that those of one server have under `base`.
    pub(super) fn bars<'a>(&self, base: &'a str, key: &str) -> Cow<'a, str> {
        match self {
            Self::Server(_) => base.into(),
            Self::Cluster(_) => bars_of(base, slot(key)).into(),
        }
    }

    /// Where those stand of all keys that begin with one of `prefixes`.
    pub(super) fn all_bars(&self, base: &str, prefixes: &[String]) -> Vec<String> {
        if let Self::Server(_) = self {
            return vec![base.to_owned()];
        }
        let slots: Option<BTreeSet<_>> = prefixes.iter().map(|it| slot_of_all(it)).collect();
        let slots = slots.unwrap_or_else(|| (0..SLOTS as u16).collect());
        slots.into_iter().map(|slot| bars_of(base, slot)).collect()
    }

    /// One step of a scan; `command` makes it of the cursor of a server.
    pub(super) async fn scan(
        &self,
        cursor: u128,
        command: impl Fn(u64) -> Cmd + Send + Sync,
    ) -> Answer<(Vec<String>, u128)> {
        match self {
            Self::Server(link) => {
                let (keys, next) = reply::scanned(link.ask(&command(cursor as u64)).await?)?;
                Ok((keys, next.into()))
            }
            Self::Cluster(cluster) => apart(cluster.scan(cursor, command)).await,
        }
    }
}

/// What is known of the servers.
impl Links {
    /// Waits for the first attempt to connect; why it failed, if it did.
    pub(super) async fn first_attempt(&self) -> Option<ConnectProblem> {
        match self {
            Self::Server(link) => link.connection.first_attempt().await,
            Self::Cluster(cluster) => cluster.first_attempt().await,
        }
    }

    pub(super) fn tasks(&self) -> &Arc<Tasks> {
        match self {
            Self::Server(link) => link.connection.tasks(),
            Self::Cluster(cluster) => cluster.tasks(),
        }
    }

    pub(super) fn condition(&self) -> State {
        match self {
            Self::Server(link) => link.connection.condition(),
            Self::Cluster(cluster) => cluster.condition(),
        }
    }

    pub(super) fn stats(&self) -> StoreStats {
        match self {
            Self::Server(link) => link.connection.stats(),
            Self::Cluster(cluster) => cluster.stats(),
        }
    }

    /// By the clock of the server of `key`.
    pub(super) fn now_ms(&self, key: &str) -> u64 {
        match self {
            Self::Server(link) => link.connection.now_ms(),
            Self::Cluster(cluster) => {
                let now = cluster.at(key, Connection::now_ms);
                now.unwrap_or_else(handshake::local_ms)
            }
        }
    }

    /// That of the server of `key`.
    pub(super) fn epoch(&self, key: &str) -> u32 {
        match self {
            Self::Server(link) => link.connection.epoch(),
            Self::Cluster(cluster) => cluster.epoch(key),
        }
    }

    /// To where `key` is at that moment.
    pub(super) fn way(&self, key: &str) -> Way {
        match self {
            Self::Server(link) => {
                let route = Arc::clone(&link.route);
                Box::new(move || Ok(Arc::clone(&route)))
            }
            Self::Cluster(cluster) => cluster.way(slot(key)),
        }
    }
}

fn bars_of(base: &str, slot: u16) -> String {
    format!("{base}:{{{}}}", number_in(slot))
}

/// Where a connection is to lead beside those of the steps, asked whenever one is made.
pub(super) type Way = Box<dyn Fn() -> Result<Arc<Route>, ConnectProblem> + Send + Sync>;

/// Those that one command may name in a cluster.
fn by_slot(keys: &[String]) -> impl Iterator<Item = Vec<&str>> {
    let mut slots = BTreeMap::<u16, Vec<&str>>::new();
    for key in keys {
        slots.entry(slot(key)).or_default().push(key);
    }
    let parts = |keys: Vec<_>| keys.chunks(MOST).map(<[_]>::to_vec).collect::<Vec<_>>();
    slots.into_values().flat_map(parts)
}

/// Of a type that says nothing of all that it is made of: whether a future can be sent to another thread, the
/// compiler would else have to find out through more levels than it is allowed to.
pub(super) fn apart<'a, T>(
    future: impl Future<Output = T> + Send + 'a,
) -> Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(link) => link.route.address.fmt(f),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}
