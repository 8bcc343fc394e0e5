//! The promise under stress: once an invalidation has returned, no read that starts afterwards, in
//! any process, returns a value loaded before it.
//!
//! Three processes with 90 readers and 8 writers together work on 40 keys of one Redis. The source
//! of truth is a second Redis: for each key its version, and its *floor*, which is the newest
//! version whose invalidation had returned. A reader takes the floor, reads through the cache, and
//! whatever it gets must not be below that floor. Pauses are injected where the races are: between
//! a load and its return, and between a commit and its invalidation.
//!
//! Each process has two caches, and whatever is read or written goes through one of them.
//!
//! An eighth of the keys is plain, another one moves between tags, a quarter is also written through, one is read under tags,
//! with all that serves a value past its TTL or loads it anew behind its readers, and the last quarter finds
//! its tags, some of it in batches inside of other functions; their writers invalidate by key, by tag, or
//! both, or write through under the tags. Whichever way it was, the floor binds all reads.
//!
//! Then the same again while one fault follows the other: connections are cut, the server stops
//! answering, is killed and comes back with an old snapshot, is replaced by a replica that lags. Not
//! every invalidation is confirmed then. One that is deferred binds its own process at once, and the
//! others as soon as its process has nothing left to replay.
//!
//! And both once more on a cluster of three servers: while nothing happens, and while slots move with their keys,
//! and replicas that lack the newest invalidations take over. What begins or ends before the old primary
//! has learnt of that is counted apart.
//!
//! And on a primary with a replica that Sentinels watch, while the primary hands over or is killed; what begins or ends
//! before all have left an old primary is counted apart, too.
//!
//! Each is first done with a hand-written GET, SET and DEL. That must be caught with stale values, or
//! the test could not see them. Under faults only those of its invalidations count that the server has
//! confirmed.
//!
//! Of some keys all is written down that they go through, and the model replays it: each step of a read,
//! each answer of the store, where that lives all the time, and the floors once more, by one clock.
//!
//! `STRESS_LOG` is a folder for these logs to stay in. `STRESS_SECONDS` is how long a run with the cache takes: 3 to 6 by
//! default, 12 to 20 with `TESTS=all`. `STRESS_WEATHER` names the only one that is wanted: `Calm`, `Stormy`, `Shared`,
//! `Moving` or `Watched`; by default the first three, which are the quickest, and with `TESTS=all` the others as well.

mod annotated;
mod by_hand;
mod child;
mod faults;
mod log;
mod report;
mod shards;
mod subject;
#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "../support/mod.rs"]
mod support;
mod truth;
mod watched;

use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use faults::{Servers, Weather};
use log::Logs;
use report::{AtRest, Counts, Outcome};
use shards::Shards;
use subject::{Subject, Way};
use support::{RedisServer, eventually, tier};
use truth::Truth;
use watched::{Trio, clients};

const PROCESSES: usize = 3;
/// Of each process.
const CACHES: usize = 2;
const READERS: usize = 90;
const WRITERS: usize = 8;
const KEYS: u64 = 40;
/// So often a run is done, at most, until all has happened in it that it is about.
const ATTEMPTS: usize = 3;

/// Tells a process that it is one of the three, and which.
const CHILD: &str = "STRESS_CHILD";
/// Tells it in which folder to write down what it goes through.
const LOGS: &str = "STRESS_CHILD_LOGS";

fn main() -> ExitCode {
    if let Some(child) = child::Task::from_env() {
        child.run();
        return ExitCode::SUCCESS;
    }
    if !is_wanted() {
        return ExitCode::SUCCESS;
    }
    // How long the cache written by hand and ours are under stress.
    let failures = [
        (Weather::Calm, tier([1, 2], [5, 15])),
        (Weather::Stormy, tier([2, 3], [4, 12])),
        (Weather::Shared, tier([1, 2], [5, 15])),
        (Weather::Moving, [6, 20]),
        (Weather::Watched, [6, 15]),
    ]
    .into_iter()
    .filter(|(weather, _)| is_asked_for(*weather))
    .flat_map(|(weather, seconds)| compare(weather, seconds))
    .collect::<Vec<_>>();
    // At the end, where whoever sees the last lines alone finds them.
    for failure in &failures {
        println!("stress test failed: {failure}");
    }
    match failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Why the test fails. A run in which too little happened is none yet: it is done again.
fn compare(weather: Weather, seconds: [u64; 2]) -> Vec<String> {
    let mut failures = Vec::new();
    for _ in 0..ATTEMPTS {
        let (broken, unseen) = attempt(weather, seconds);
        if broken.is_empty() && unseen.is_empty() {
            return Vec::new();
        }
        let is_broken = !broken.is_empty();
        let all = broken.into_iter().chain(unseen);
        failures = all.map(|text| format!("{weather}: {text}")).collect();
        if is_broken {
            break;
        }
    }
    failures
}

/// Where the promise is broken, and what was not to be seen.
fn attempt(weather: Weather, [by_hand, ours]: [u64; 2]) -> (Vec<&'static str>, Vec<&'static str>) {
    // The model's replay knows one server at a time.
    let is_one = matches!(weather, Weather::Calm | Weather::Stormy);
    let logs = is_one.then(|| Logs::new(weather));
    let naive = run(Way::Naive, weather, by_hand, None);
    let ours = run(Way::Ours, weather, seconds().unwrap_or(ours), logs.as_ref());
    println!("{}", report::table(&naive, &ours));
    let mut broken = report::broken(&ours);
    if logs.is_some_and(|logs| logs.are_refused(weather)) {
        broken.push("the model refuses what was written down");
    }
    (broken, report::unseen(weather, &naive, &ours))
}

/// As other tests, this one is left out when a filter names another.
fn is_wanted() -> bool {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut filters = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    let listed = arguments.iter().any(|argument| argument == "--list");
    let ignored = arguments.iter().any(|argument| argument == "--ignored");
    let named =
        filters.peek().is_none() || filters.any(|filter| "stress".contains(filter.as_str()));
    named && !listed && !ignored
}

/// All of them, unless `STRESS_WEATHER` names one; for a change without those in which servers take over, which are
/// the slowest.
fn is_asked_for(weather: Weather) -> bool {
    match std::env::var("STRESS_WEATHER") {
        Ok(name) => name == weather.to_string(),
        Err(_) => tier(!weather.has_windows(), true),
    }
}

fn seconds() -> Option<u64> {
    let seconds = std::env::var("STRESS_SECONDS").ok()?;
    let seconds = seconds.parse();
    Some(seconds.expect("STRESS_SECONDS is a number of seconds"))
}

/// Puts one cache under stress, and looks at what is left when all is quiet.
fn run(way: Way, weather: Weather, seconds: u64, logs: Option<&Logs>) -> Outcome {
    println!(
        "{way:?}, {weather:?}: {PROCESSES} processes, {READERS} readers, {WRITERS} writers, {KEYS} keys, {seconds} s"
    );
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut servers = match weather {
        Weather::Shared | Weather::Moving => Site::Cluster(Shards::start(weather.is_rough())),
        Weather::Calm | Weather::Stormy => Site::Pair(runtime.block_on(Servers::start())),
        Weather::Watched => Site::Watched(runtime.block_on(Trio::start())),
    };
    let source = RedisServer::start();
    let children: Vec<_> = (0..PROCESSES)
        .map(|index| {
            let task = child::Task {
                way,
                weather,
                index,
                cache: servers.url(way, weather),
                source: source.url(),
                seconds,
            };
            spawn(&task, logs)
        })
        .collect();
    if weather.is_rough() {
        runtime.block_on(servers.storm(way, Duration::from_secs(seconds), &source));
    }
    let counts = children.into_iter().map(counts_of).sum();
    let at_rest = runtime.block_on(at_rest(way, weather, &servers, &source));
    Outcome { counts, at_rest }
}

/// Where the cache is.
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
enum Site {
    Pair(Servers),
    Cluster(Shards),
    Watched(Trio),
}

impl Site {
    fn url(&self, way: Way, weather: Weather) -> String {
        match self {
            Self::Pair(pair) => pair.url(weather),
            Self::Cluster(cluster) => cluster.url(),
            Self::Watched(trio) => trio.url(way),
        }
    }

    /// Without anything in between.
    fn direct_url(&self, way: Way) -> String {
        match self {
            Self::Pair(pair) => pair.primary().url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Watched(trio) => trio.url(way),
        }
    }

    async fn storm(&mut self, way: Way, time: Duration, source: &RedisServer) {
        match self {
            Self::Watched(trio) => trio.storm(way, time, source).await,
            Self::Pair(pair) => pair.storm(time).await,
            Self::Cluster(cluster) => cluster.storm(time, source).await,
        }
    }

    fn servers(&self) -> Vec<&RedisServer> {
        match self {
            Self::Pair(pair) => vec![pair.primary()],
            Self::Cluster(cluster) => cluster.servers(),
            Self::Watched(trio) => vec![trio.primary()],
        }
    }
}

fn spawn(task: &child::Task, logs: Option<&Logs>) -> Child {
    Command::new(std::env::current_exe().expect("this program has a path"))
        .env(CHILD, task.to_string())
        .envs(logs.map(|logs| (LOGS, logs.folder())))
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program can be started again")
}

fn counts_of(child: Child) -> Counts {
    let output = child.wait_with_output().expect("the process ends");
    assert!(
        output.status.success(),
        "a process of the stress test failed: {}",
        output.status
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.parse().expect("a process prints its counts")
}

/// What the cache holds now that nobody writes or loads.
async fn at_rest(way: Way, weather: Weather, site: &Site, source: &RedisServer) -> AtRest {
    // What the processes had sent has run when the servers have closed their connections.
    let is_left = |server: &RedisServer| clients(server) == 0;
    let quiet = async || site.servers().into_iter().all(is_left);
    eventually("the connections of the processes to be gone", quiet).await;
    let truth = Truth::connect(&source.url()).await;
    let subject = Subject::new(way, weather, &site.direct_url(way), None).await;
    let mut found = AtRest::default();
    for key in 0..KEYS {
        if let Some(kept) = subject.kept(&truth, key).await {
            found.values += 1;
            found.old += u64::from(kept < truth.version(key).await);
        }
    }
    found
}
