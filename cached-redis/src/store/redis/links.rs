//! The way of each command: to the one server, or to that of a cluster which has its key.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::cluster::Cluster;
use super::connection::Connection;
use super::dial::Way;
use super::link::Link;
use super::packed::{self, Packed};
use super::script::{self, Script};
use super::send::apart;
use super::settings::RedisSettings;
use super::tracked::{Read, Tracked};
use super::{command, handshake, reply};
use crate::error::{ConnectProblem, StoreError};
use crate::store::Answer;
use crate::store::health::State;
use crate::store::many::MOST;
use crate::store::slot::{SLOTS, number_in, slot, slot_of_all};
use crate::store::stats::StoreStats;
use crate::store::tracked::{Keeper, Shown};
use crate::util::tasks::Tasks;

/// See the module.
pub(super) enum Links {
    Server(Link, Tracked),
    Cluster(Cluster),
}

impl Links {
    /// Reads `key`, together with others where there are any.
    pub(super) async fn read(&self, key: &str) -> Answer<Option<Bytes>> {
        match self {
            Self::Server(link, _) => link.read(key).await,
            Self::Cluster(cluster) => apart(cluster.read(key)).await,
        }
    }

    /// The same for several keys, in one round trip.
    pub(super) async fn read_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        match self {
            Self::Server(link, _) => link.read_all(keys).await,
            Self::Cluster(cluster) => apart(cluster.read_all(keys)).await,
        }
    }

    /// The same over the connections whose changes are announced, as far as they are of use.
    pub(super) async fn read_tracked(
        &self,
        keys: &[&str],
        settings: &RedisSettings,
    ) -> Answer<Shown> {
        match self {
            Self::Server(link, tracked) => match tracked.read(link, settings, keys).await? {
                Read::Here(entries, seen) => Ok(Shown::all(entries, Some(seen))),
                Read::Elsewhere(seen) => Ok(Shown::all(link.read_all(keys).await?, seen)),
            },
            Self::Cluster(cluster) => apart(cluster.read_tracked(keys)).await,
        }
    }

    /// Asks what has a string, a number or nothing as its answer.
    pub(super) async fn call(&self, command: &Packed) -> Answer<Option<Bytes>> {
        match self {
            Self::Server(link, _) => link.call(command).await,
            Self::Cluster(cluster) => cluster.call(command).await,
        }
    }

    pub(super) async fn ask(&self, command: &Cmd) -> Answer<Value> {
        match self {
            Self::Server(link, _) => link.ask(command).await,
            Self::Cluster(cluster) => apart(cluster.ask(command)).await,
        }
    }

    /// The answer to each of `commands`, which are sent at once. All keys of one are in the same slot.
    pub(super) async fn send(&self, commands: impl Iterator<Item = Cmd>) -> Vec<Answer<Value>> {
        match self {
            Self::Server(link, _) => link.send(commands).await,
            Self::Cluster(cluster) => apart(cluster.send(commands.collect())).await,
        }
    }

    /// The same for commands that stay together, where `key` is.
    pub(super) async fn send_to(&self, key: &str, commands: Vec<Cmd>) -> Vec<Answer<Value>> {
        match self {
            Self::Server(link, _) => link.send(commands.into_iter()).await,
            Self::Cluster(cluster) => apart(cluster.send_to(key, commands)).await,
        }
    }

    /// Whatever a script answers.
    pub(super) async fn perform(&self, command: &Cmd) -> Answer<Value> {
        match self.ask(command).await {
            Err(StoreError::Server { code }) if code == script::UNKNOWN => {
                self.ask(&script::in_full(packed::parts(command))).await
            }
            answer => answer,
        }
    }

    /// The number that a script answers.
    pub(super) async fn evaluate(&self, command: Packed) -> Answer<i64> {
        reply::integer(self.call(&command).await?.as_deref())
    }

    /// The same for one that says yes or no.
    pub(super) async fn run(&self, command: Packed) -> Answer<bool> {
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
            return all(self.run_each(commands).await);
        }
        let mut all = true;
        for chunk in keys.chunks(MOST) {
            let keys: Vec<_> = chunk.iter().map(String::as_str).collect();
            all &= self.run(script.on(&keys, args)).await?;
        }
        Ok(all)
    }

    /// The same of one that may as well run on each by itself: so it does where they are on their way.
    pub(super) async fn run_on(
        &self,
        script: &Script,
        keys: &[String],
        args: &[&[u8]],
    ) -> Answer<bool> {
        let Self::Cluster(_) = self else {
            return self.run_all(script, keys, args).await;
        };
        let groups: Vec<_> = by_slot(keys).collect();
        let commands = groups.iter().map(|keys| script.on(keys, args));
        let mut answers = self.run_each(commands).await;
        for (keys, answer) in groups.iter().zip(&mut answers) {
            if answer.as_ref().is_err_and(StoreError::is_apart) {
                let commands = keys.iter().map(|key| script.on(&[key], args));
                *answer = all(self.run_each(commands).await);
            }
        }
        all(answers)
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
            Self::Server(..) => base.into(),
            Self::Cluster(_) => bars_of(base, slot(key)).into(),
        }
    }

    /// Where those stand of all keys that begin with one of `prefixes`.
    pub(super) fn all_bars(&self, base: &str, prefixes: &[String]) -> Vec<String> {
        if let Self::Server(..) = self {
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
            Self::Server(link, _) => {
                let (keys, next) = reply::scanned(link.ask(&command(cursor as u64)).await?)?;
                Ok((keys, next.into()))
            }
            Self::Cluster(cluster) => apart(cluster.scan(cursor, command)).await,
        }
    }

    /// Another one for each move of keys between servers: a scan counts only if it is the same before and after it.
    pub(super) async fn layout(&self) -> Answer<u64> {
        match self {
            Self::Server(..) => Ok(0),
            Self::Cluster(cluster) => apart(cluster.layout()).await,
        }
    }

    /// Whether the servers of all of `keys` are there.
    pub(super) fn reaches(&self, keys: &[String]) -> bool {
        match self {
            Self::Server(..) => true,
            Self::Cluster(cluster) => keys
                .iter()
                .all(|key| cluster.at(key, Connection::is_up) == Some(true)),
        }
    }
}

/// What is known of the servers.
impl Links {
    /// Who keeps what those show.
    pub(super) fn track(&self, keeper: Arc<dyn Keeper>) {
        match self {
            Self::Server(_, tracked) => tracked.tracking.set_keeper(keeper),
            Self::Cluster(cluster) => cluster.track(keeper),
        }
    }

    /// Waits for the first attempt to connect; why it failed, if it did.
    pub(super) async fn first_attempt(&self) -> Option<ConnectProblem> {
        match self {
            Self::Server(link, _) => link.connection.first_attempt().await,
            Self::Cluster(cluster) => cluster.first_attempt().await,
        }
    }

    pub(super) fn tasks(&self) -> &Arc<Tasks> {
        match self {
            Self::Server(link, _) => link.connection.tasks(),
            Self::Cluster(cluster) => cluster.tasks(),
        }
    }

    pub(super) fn condition(&self) -> State {
        match self {
            Self::Server(link, _) => link.connection.condition(),
            Self::Cluster(cluster) => cluster.condition(),
        }
    }

    pub(super) fn stats(&self) -> StoreStats {
        match self {
            Self::Server(link, tracked) => tracked.beside(link.connection.stats()),
            Self::Cluster(cluster) => cluster.stats(),
        }
    }

    /// By the clock of the server of `key`.
    pub(super) fn now_ms(&self, key: &str) -> u64 {
        match self {
            Self::Server(link, _) => link.connection.now_ms(),
            Self::Cluster(cluster) => {
                let now = cluster.at(key, Connection::now_ms);
                now.unwrap_or_else(handshake::local_ms)
            }
        }
    }

    /// That of the server of `key`.
    #[inline]
    pub(super) fn epoch(&self, key: &str) -> u32 {
        match self {
            Self::Server(link, _) => link.connection.epoch(),
            Self::Cluster(cluster) => cluster.epoch(key),
        }
    }

    /// To where `key` is at that moment.
    pub(super) fn way(&self, key: &str) -> Way {
        match self {
            Self::Server(link, _) => {
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

/// Those that one command may name in a cluster.
fn by_slot(keys: &[String]) -> impl Iterator<Item = Vec<&str>> {
    let mut slots = BTreeMap::<u16, Vec<&str>>::new();
    for key in keys {
        slots.entry(slot(key)).or_default().push(key);
    }
    let parts = |keys: Vec<_>| keys.chunks(MOST).map(<[_]>::to_vec).collect::<Vec<_>>();
    slots.into_values().flat_map(parts)
}

/// Whether all say so.
fn all(answers: Vec<Answer<bool>>) -> Answer<bool> {
    answers
        .into_iter()
        .try_fold(true, |all, answer| Ok(all & answer?))
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(link, _) => link.route.address.fmt(f),
            Self::Cluster(cluster) => cluster.fmt(f),
        }
    }
}
