//! A process that is stopped in the middle of a load for longer than its lease lives, as a machine
//! that is suspended: when it goes on, it knows nothing of what has happened since, and what it has in
//! hand is not kept.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Duration;

use cached_redis::{Cache, redis_cached};

use crate::support::{Source, World, again, eventually, filled, on_redis, signal};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(600);

/// Set in the environment of the process to be stopped.
const ADDRESS: &str = "ZOMBIE_REDIS";
const LEASE: &str = "ZOMBIE_LEASE_MS";

on_redis!(
    what_a_process_loaded_before_it_was_stopped_does_not_replace_what_came_since,
    what_a_process_loaded_before_it_was_stopped_is_not_kept_where_nothing_has_come_since,
    a_process_that_was_stopped_for_less_than_its_lease_fills_as_ever,
);

#[redis_cached(ttl = 60, key = "zombie:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Has version 1 in hand, and brings it when a line comes in.
#[redis_cached(ttl = 60, key = "zombie:<id>")]
async fn read_first_version(id: u64) -> u64 {
    println!("loading");
    let line = || std::io::stdin().read_line(&mut String::new());
    tokio::task::spawn_blocking(line).await.unwrap().unwrap();
    1
}

/// What the process to be stopped does; without an address, nothing.
#[tokio::test]
#[ignore = "started by the tests of this module"]
async fn process_to_be_stopped() {
    let Ok(url) = std::env::var(ADDRESS) else {
        return;
    };
    let lease = std::env::var(LEASE).unwrap().parse().unwrap();
    let builder = Cache::builder().url(url).namespace("it");
    let builder = builder
        .lease(Duration::from_millis(lease))
        .deadline(Duration::from_secs(20));
    let cache = builder.require_connection(true).build().await.unwrap();
    assert_eq!(cache.scope(read_first_version(1)).await, 1);
    let ended = async || {
        let total = cache.stats().total();
        total.fills + total.refused_fills + total.lapsed_fills + total.errors > 0
    };
    eventually("the fill", ended).await;
    let total = cache.stats().total();
    println!(
        "fills {} lapsed {} refused {}",
        total.fills, total.lapsed_fills, total.refused_fills
    );
}

/// A process in the middle of a load.
struct Loading {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Loading {
    fn start(world: &World, lease: Duration) -> Self {
        let mut child = again("zombie_fill::process_to_be_stopped")
            .env(ADDRESS, world.server().unwrap().url())
            .env(LEASE, lease.as_millis().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program can be started again");
        let input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        let mut loading = Self {
            child,
            input,
            output: BufReader::new(output).lines(),
        };
        loading.line("loading");
        loading
    }

    /// Its next line that contains `text`.
    fn line(&mut self, text: &str) -> String {
        let mut lines = self.output.by_ref().map_while(Result::ok);
        let line = lines.find(|line| line.contains(text));
        line.unwrap_or_else(|| panic!("the process ended without `{text}`"))
    }

    fn stop(&self) {
        signal(&self.child, "STOP");
    }

    /// Lets it go on and end its load; what became of the fill.
    fn go_on(mut self) -> String {
        self.input.write_all(b"\n").expect("it listens");
        signal(&self.child, "CONT");
        let fill = self.line("refused");
        self.child.wait().expect("it ends");
        fill
    }
}

/// A process that was stopped until its lease had run out, and the key was changed and invalidated.
async fn stopped_for_too_long(world: &World, cache: &Cache, source: &Source) -> Loading {
    let loading = Loading::start(world, SHORT);
    loading.stop();
    let server = world.server().unwrap();
    let run_out = async || server.lives().is_empty();
    eventually("the end of the lease", run_out).await;
    source.write();
    cache.invalidate("zombie:1").await.unwrap();
    loading
}

async fn what_a_process_loaded_before_it_was_stopped_does_not_replace_what_came_since(
    world: World,
) {
    let (cache, source) = (world.cache().await, Source::new());
    let loading = stopped_for_too_long(&world, &cache, &source).await;
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    filled(&cache, 1).await;
    assert!(loading.go_on().ends_with("fills 0 lapsed 1 refused 0"));
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    assert_eq!(source.loads(), 1, "the second read was a hit");
}

async fn what_a_process_loaded_before_it_was_stopped_is_not_kept_where_nothing_has_come_since(
    world: World,
) {
    let (cache, source) = (world.cache().await, Source::new());
    let loading = stopped_for_too_long(&world, &cache, &source).await;
    assert!(loading.go_on().ends_with("fills 0 lapsed 1 refused 0"));
    assert!(world.server().unwrap().lives().is_empty());
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
}

/// Or the tests above would not show that it is the time that counts.
async fn a_process_that_was_stopped_for_less_than_its_lease_fills_as_ever(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let loading = Loading::start(&world, LONG);
    loading.stop();
    assert!(loading.go_on().ends_with("fills 1 lapsed 0 refused 0"));
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    assert_eq!(source.loads(), 0);
}
