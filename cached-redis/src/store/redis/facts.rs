//! What a server says of itself: whether it can be used, and by what to know it again.

use std::collections::HashMap;
use std::sync::Once;

use redis::Value;
use xxhash_rust::xxh3::xxh3_64;

use crate::error::ConnectProblem;

/// The oldest version that has all commands of the steps, as they are used.
const OLDEST: u32 = 7;

/// The answers to `HELLO` and `INFO`, as far as the login may ask.
#[derive(Debug, Default)]
pub(super) struct Facts(HashMap<String, String>);

impl Facts {
    /// What one answer tells.
    pub(super) fn of(answer: Value) -> Self {
        let mut facts = Self::default();
        facts.learn(answer);
        facts
    }

    /// Adds an answer of either form; an error tells nothing.
    pub(super) fn learn(&mut self, answer: Value) {
        match answer {
            Value::ServerError(_) => {}
            Value::Map(_) | Value::Array(_) => self.learn_pairs(answer),
            info => self.learn_lines(info),
        }
    }

    fn learn_pairs(&mut self, hello: Value) {
        let pairs: HashMap<String, Value> = redis::from_redis_value(hello).unwrap_or_default();
        let text = |value| redis::from_redis_value::<String>(value).ok();
        let pairs = pairs.into_iter();
        self.0
            .extend(pairs.filter_map(|(name, value)| Some((name, text(value)?))));
    }

    fn learn_lines(&mut self, info: Value) {
        let info: String = redis::from_redis_value(info).unwrap_or_default();
        let lines = info.lines().filter_map(|line| line.split_once(':'));
        self.0
            .extend(lines.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    /// The first of `names` that the server tells: other servers have other names for the same.
    pub(super) fn tell(&self, names: &[&str]) -> Option<&str> {
        names
            .iter()
            .find_map(|name| self.0.get(*name))
            .map(String::as_str)
    }

    /// Why this server cannot be used, by itself or as one of a cluster. One that says nothing of itself is taken
    /// as it is.
    pub(super) fn problem(&self, is_shard: bool) -> Option<ConnectProblem> {
        match self.tell(&["redis_mode", "server_mode", "mode"]) {
            Some("sentinel") => return Some(ConnectProblem::Sentinel),
            Some("cluster") if !is_shard => return Some(ConnectProblem::Cluster),
            Some("standalone") if is_shard => return Some(ConnectProblem::NotCluster),
            _ => {}
        }
        // Valkey tells the version of Redis that it is compatible with under the first name.
        let version = self.tell(&["redis_version", "version"]).unwrap_or_default();
        if numbers(version).is_some_and(|(major, _)| major < OLDEST) {
            let found = version.to_owned();
            return Some(ConnectProblem::Version { found });
        }
        let replica = matches!(self.tell(&["role"]), Some("slave" | "replica"));
        replica.then_some(ConnectProblem::Replica)
    }

    /// Refuses a server that may evict what has no time to live.
    pub(super) fn evicts(&self) -> Result<(), ConnectProblem> {
        static TOLD: Once = Once::new();
        match self.tell(&["maxmemory_policy"]) {
            Some(policy) if policy.starts_with("allkeys-") => {
                let policy = policy.to_owned();
                return Err(ConnectProblem::Evicts { policy });
            }
            Some(_) => {}
            None => TOLD.call_once(|| {
                crate::util::warning::error!(
                    "the server does not tell its `maxmemory-policy`: with one of `allkeys-*` it may evict \
                     writes that wait in queues, and they are lost"
                );
            }),
        }
        Ok(())
    }

    /// Refuses a server that cannot say when a write is on its disk. One that says nothing of itself is taken as it is.
    pub(super) fn syncs(&self) -> Result<(), ConnectProblem> {
        let version = self.tell(&["redis_version"]).unwrap_or_default();
        if numbers(version).is_some_and(|numbers| numbers < (7, 2)) {
            let found = version.to_owned();
            return Err(ConnectProblem::NoWaitAof { found });
        }
        match self.tell(&["aof_enabled"]) {
            Some("0") => Err(ConnectProblem::NoAof),
            _ => Ok(()),
        }
    }

    /// Whether its memory has a limit; one that does not say so has one.
    pub(super) fn is_bounded(&self) -> bool {
        self.tell(&["maxmemory"]) != Some("0")
    }

    pub(super) fn identity(&self) -> Identity {
        let told = |name| self.tell(&[name]).map(str::to_owned);
        Identity {
            process: told("run_id"),
            history: told("master_replid"),
        }
    }
}

/// The first numbers of a version, which has nothing but numbers.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let (major, minor) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    let plain = numbers.all(|number| number.is_ok());
    plain.then_some((major, minor))
}

/// Which life of which server a connection leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Another one after a restart.
    process: Option<String>,
    /// Another one after a promotion: what was confirmed before it may be lost, although the server is
    /// the same process, and its connections may have survived.
    pub(super) history: Option<String>,
}

impl Identity {
    /// Whether it certainly is the same.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.process.is_some() && self == other
    }

    /// The epoch of a server of a cluster: another one in each of its lives, and on each other server. `None`: it
    /// does not say who it is.
    pub(crate) fn epoch(&self) -> Option<u32> {
        let process = self.process.as_deref()?;
        let history = self.history.as_deref()?;
        let hash = xxh3_64(format!("{process} {history}").as_bytes());
        Some((hash as u32).max(1))
    }

    /// What the server calls itself since it was started.
    pub(crate) fn process(&self) -> Option<&str> {
        self.process.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(info: &str) -> Facts {
        Facts::of(Value::BulkString(info.into()))
    }

    fn version(found: &str) -> Option<ConnectProblem> {
        let found = found.to_owned();
        Some(ConnectProblem::Version { found })
    }

    #[test]
    fn a_server_that_cannot_be_used_is_known_by_its_mode_its_version_or_its_role() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\nrole:master\r\n";
        assert_eq!(facts(info).problem(false), None);
        for (from, to, problem) in [
            ("standalone", "cluster", Some(ConnectProblem::Cluster)),
            ("standalone", "sentinel", Some(ConnectProblem::Sentinel)),
            (
                "redis_mode:standalone",
                "server_mode:cluster",
                Some(ConnectProblem::Cluster),
            ),
            ("7.0.15", "6.2.14", version("6.2.14")),
            ("7.0.15", "255.255.255", None),
            ("7.0.15", "unstable", None),
            ("master", "slave", Some(ConnectProblem::Replica)),
        ] {
            assert_eq!(
                facts(&info.replace(from, to)).problem(false),
                problem,
                "{to}"
            );
        }
        assert_eq!(Facts::default().problem(false), None);
        let not_one = Some(ConnectProblem::NotCluster);
        assert_eq!(facts(info).problem(true), not_one);
        let cluster = info.replace("standalone", "cluster");
        assert_eq!(facts(&cluster).problem(true), None);
    }

    #[test]
    fn valkey_is_taken_for_the_redis_it_is_compatible_with() {
        let info = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.0.1\r\n\
                    server_mode:standalone\r\nrole:master\r\n";
        assert_eq!(facts(info).problem(false), None);
    }

    #[test]
    fn a_login_that_may_not_ask_for_more_is_told_mode_and_version_by_hello() {
        let hello = |mode: &str, version: &str| {
            let pairs = [("server", "redis"), ("version", version), ("mode", mode)];
            let text = |text: &str| Value::BulkString(text.into());
            let pairs = pairs.iter().map(|(name, value)| (text(name), text(value)));
            let modules = (text("modules"), Value::Array(Vec::new()));
            Facts::of(Value::Map(pairs.chain([modules]).collect())).problem(false)
        };
        assert_eq!(hello("standalone", "7.0.15"), None);
        assert_eq!(hello("cluster", "7.0.15"), Some(ConnectProblem::Cluster));
        assert_eq!(hello("standalone", "6.0.16"), version("6.0.16"));
    }

    #[test]
    fn a_server_is_the_same_only_if_it_says_so_and_was_not_promoted_since() {
        let known = facts("run_id:a\r\nmaster_replid:1").identity();
        assert!(known.is(&known.clone()));
        assert!(!known.is(&facts("run_id:a\r\nmaster_replid:2").identity()));
        assert!(!known.is(&facts("run_id:b\r\nmaster_replid:1").identity()));
        let unknown = Facts::default().identity();
        assert!(!unknown.is(&unknown.clone()));
    }
}
