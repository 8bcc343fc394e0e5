//! A program with a cache, and the command line beside it.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use cached_redis::{Builder, Cache, redis_cached};
use serde::{Deserialize, Serialize};

use crate::support::{RedisServer, eventually};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
}

#[redis_cached(ttl = 600, jitter = 0, key = "user:<id>", codec = json)]
pub(crate) async fn get_user(id: u64) -> User {
    User {
        name: format!("user {id}"),
    }
}

#[redis_cached(
    ttl = 600,
    jitter = 0,
    key = "team:<team>:members",
    tags = "team:<team>"
)]
pub(crate) async fn members(team: u32) -> Vec<u64> {
    vec![u64::from(team)]
}

#[redis_cached(ttl = 600, jitter = 0, key = "find:<name>")]
pub(crate) async fn find(name: &str) -> Option<u64> {
    name.parse().ok()
}

/// The program, and where the command line is to look.
pub(crate) struct Shop {
    pub(crate) cache: Cache,
    url: String,
    catalog: PathBuf,
}

/// What a command did.
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Shop {
    pub(crate) async fn at(url: &str) -> Self {
        Self::of(url, |builder| builder).await
    }

    pub(crate) async fn of(url: &str, more: impl FnOnce(Builder) -> Builder) -> Self {
        let builder = Cache::builder().url(url).namespace("shop");
        let builder = builder
            .deadline(Duration::from_secs(20))
            .require_connection(true);
        let cache = more(builder).build().await.expect("the settings are right");
        let name = format!("cached-redis-catalog-{}.json", fastrand::u64(..));
        let catalog = std::env::temp_dir().join(name);
        let json = serde_json::to_string(&cache.catalog()).expect("it is data");
        fs::write(&catalog, json).expect("a file for the catalogue");
        Self {
            cache,
            url: url.to_owned(),
            catalog,
        }
    }

    /// A user, a team and a known absence, as entries.
    pub(crate) async fn fill(&self) {
        let read = async {
            get_user(42).await;
            members(7).await;
            find("nobody").await;
        };
        self.cache.scope(read).await;
        let filled = async || self.cache.stats().total().fills >= 3;
        eventually("the fills", filled).await;
    }

    /// Types this, beside the address, the namespace and the catalogue.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = bare();
        command
            .args(words.split_whitespace())
            .env("CACHED_REDIS_URL", &self.url)
            .env("CACHED_REDIS_NAMESPACE", "shop")
            .env("CACHED_REDIS_CATALOG", &self.catalog);
        command
    }

    pub(crate) fn run(&self, words: &str) -> Done {
        run(&mut self.command(words))
    }

    /// What it prints if all is well.
    pub(crate) fn prints(&self, words: &str) -> String {
        let done = self.run(words);
        assert_eq!(done.code, Some(0), "{words}: {}{}", done.out, done.err);
        done.out
    }

    pub(crate) fn json(&self, words: &str) -> serde_json::Value {
        let printed = self.run(&format!("--json {words}")).out;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{words}: {error}: {printed}"))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.catalog);
    }
}

/// Without anything from this environment.
pub(crate) fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cached-redis"));
    for name in [
        "REDIS_URL",
        "CACHED_REDIS_URL",
        "CACHED_REDIS_NAMESPACE",
        "CACHED_REDIS_CATALOG",
    ] {
        command.env_remove(name);
    }
    command.env_remove("COLUMNS").stdin(Stdio::null());
    command
}

pub(crate) fn run(command: &mut Command) -> Done {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the command line starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Done {
        code: status.code(),
        out: text(stdout),
        err: text(stderr),
    }
}

/// With `T` for each time, so that it is the same whenever it is printed.
pub(crate) fn masked(text: &str) -> String {
    let is_time = |word: &str| {
        let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let unit = &word[digits.len()..];
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && ["ms", "s", "m", "h", "day", "days"].contains(&unit)
    };
    let line = |line: &str| {
        let mut words: Vec<_> = line.split(' ').collect();
        for word in &mut words {
            if is_time(word.trim_end_matches(',')) {
                *word = "T";
            }
        }
        words.dedup_by(|a, b| *a == "T" && *b == "T");
        // A table is as wide as the times in it.
        let words = words.into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A server, and a shop with three entries on it.
pub(crate) async fn open() -> (RedisServer, Shop) {
    let server = RedisServer::start();
    let shop = Shop::at(&server.url()).await;
    shop.fill().await;
    (server, shop)
}
