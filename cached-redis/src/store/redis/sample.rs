//! What servers say of how full they are: one round trip to each.

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::RedisStore;
use super::facts::Facts;
use super::link::Link;
use super::links::Links;
use super::reply;
use crate::error::StoreError;
use crate::store::Answer;
use crate::store::sample::ServerSample;

impl RedisStore {
    pub(in crate::store) async fn sample(&self) -> Answer<Vec<ServerSample>> {
        match &self.links {
            Links::Server(link, _) => Ok(vec![link.sample().await?]),
            Links::Cluster(cluster) => {
                let nodes = cluster.nodes();
                let sampled = join_all(nodes.iter().map(|node| node.link.sample())).await;
                sampled.into_iter().collect()
            }
        }
    }

    /// The servers that have said that their memory has no limit.
    pub(in crate::store) fn unbounded(&self) -> Vec<String> {
        let told = |link: &Link| {
            let is_bounded = link.connection.is_bounded();
            (!is_bounded).then(|| link.route.address.to_string())
        };
        match &self.links {
            Links::Server(link, _) => told(link).into_iter().collect(),
            Links::Cluster(cluster) => {
                let nodes = cluster.nodes();
                nodes.iter().filter_map(|node| told(&node.link)).collect()
            }
        }
    }

    /// How many bytes each of `keys` has as its value; 0 where there is no string.
    pub(in crate::store) async fn lengths(&self, keys: &[String]) -> Answer<Vec<u64>> {
        let length = |key: &String| redis::cmd("STRLEN").arg(key).clone();
        let answers = self.links.send(keys.iter().map(length)).await.into_iter();
        let length = |answer| match answer {
            Ok(Value::Int(length)) => Ok(length as u64),
            Ok(_) | Err(StoreError::WrongType) => Ok(0),
            Err(error) => Err(error),
        };
        answers.map(length).collect()
    }
}

fn questions() -> [Cmd; 4] {
    let info = |section| redis::cmd("INFO").arg(section).clone();
    [
        info("server"),
        info("memory"),
        info("stats"),
        redis::cmd("DBSIZE"),
    ]
}

impl Link {
    async fn sample(&self) -> Answer<ServerSample> {
        let answers = self.send(questions().into_iter()).await.into_iter();
        let answers: Vec<_> = answers.collect::<Answer<_>>()?;
        let answers: [Value; 4] = answers.try_into().map_err(|_| StoreError::Answer)?;
        let [server, memory, stats, keys] = answers;
        let mut facts = Facts::of(server);
        facts.learn(memory);
        facts.learn(stats);
        let number = |name| facts.tell(&[name])?.trim().parse().ok();
        let text = |names: &[&str]| facts.tell(names).unwrap_or_default().trim().to_owned();
        Ok(ServerSample {
            server: self.route.address.to_string(),
            version: text(&["valkey_version", "redis_version"]),
            keys: reply::number(keys).ok_or(StoreError::Answer)?,
            used_memory: number("used_memory").unwrap_or_default(),
            max_memory: number("maxmemory").filter(|most| *most > 0),
            eviction_policy: text(&["maxmemory_policy"]),
            evicted_keys: number("evicted_keys").unwrap_or_default(),
            expired_keys: number("expired_keys").unwrap_or_default(),
        })
    }
}
