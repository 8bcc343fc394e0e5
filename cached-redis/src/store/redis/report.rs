//! What servers say of themselves when an operator asks: some round trips to each, and nothing that changes one.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::link::Link;
use super::links::Links;
use super::{RedisStore, handshake, reply};
use crate::store::Answer;
use crate::store::report::ServerReport;

/// How many round trips are measured.
const PINGS: usize = 100;

/// The settings that are asked for.
const SETTINGS: &[&str] = &[
    "maxmemory",
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "save",
    "timeout",
    "tcp-keepalive",
    "min-replicas-to-write",
    "proto-max-bulk-len",
    "client-output-buffer-limit",
    "tracking-table-max-keys",
    "cluster-require-full-coverage",
    "cluster-node-timeout",
];

impl RedisStore {
    /// A report of each server; may the login run `commands`?
    pub(in crate::store) async fn reports(
        &self,
        commands: &[Vec<String>],
    ) -> Answer<Vec<ServerReport>> {
        match &self.links {
            Links::Server(link, _) => Ok(vec![link.report(commands).await?]),
            Links::Cluster(cluster) => {
                let nodes = cluster.nodes();
                let reports = nodes.iter().map(|node| node.link.report(commands));
                join_all(reports).await.into_iter().collect()
            }
        }
    }
}

impl Link {
    async fn report(&self, commands: &[Vec<String>]) -> Answer<ServerReport> {
        let questions = [
            words(&["INFO"]),
            words(&[&["CONFIG", "GET"], SETTINGS].concat()),
            words(&["CLUSTER", "INFO"]),
            words(&["ACL", "WHOAMI"]),
        ];
        let mut answers = self.send(questions.into_iter()).await.into_iter();
        // A login that is asked for more than it may is told less.
        let mut text = || answers.next()?.ok().and_then(|it| reply::text(it).ok());
        let info = text();
        let config = answers.next().and_then(Answer::ok);
        let mut text = || answers.next()?.ok().and_then(|it| reply::text(it).ok());
        let (cluster, user) = (text(), text());
        Ok(ServerReport {
            server: self.route.address.to_string(),
            info: info.as_deref().map(lines).unwrap_or_default(),
            config: config.map(pairs).unwrap_or_default(),
            cluster: cluster.as_deref().map(lines).unwrap_or_default(),
            allowed: self.allows(user.as_deref(), commands).await,
            user,
            round_trips: self.ping().await?,
            clock_ahead_ms: self.clock_ahead().await,
        })
    }

    async fn allows(&self, user: Option<&str>, commands: &[Vec<String>]) -> Vec<Option<bool>> {
        let Some(user) = user else {
            return vec![None; commands.len()];
        };
        let try_it = |command: &Vec<String>| {
            let mut question = words(&["ACL", "DRYRUN", user]);
            question.arg(command);
            question
        };
        let answers = self.send(commands.iter().map(try_it)).await.into_iter();
        let is_allowed = |answer: Answer<Value>| match answer.ok()? {
            Value::Okay => Some(true),
            other => Some(reply::text(other).ok()? == "OK"),
        };
        answers.map(is_allowed).collect()
    }

    async fn ping(&self) -> Answer<Vec<Duration>> {
        let mut times = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let sent = Instant::now();
            self.ask(&words(&["PING"])).await?;
            times.push(sent.elapsed());
        }
        Ok(times)
    }

    async fn clock_ahead(&self) -> Option<i64> {
        let before = handshake::local_ms();
        let told = reply::time_ms(self.ask(&words(&["TIME"])).await.ok()?)?;
        let middle = before.midpoint(handshake::local_ms());
        Some(told as i64 - middle as i64)
    }
}

fn words(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(words);
    command
}

fn lines(text: &str) -> BTreeMap<String, String> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn pairs(answer: Value) -> BTreeMap<String, String> {
    redis::from_redis_value(answer).unwrap_or_default()
}
