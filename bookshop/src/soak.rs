//! What a long run holds on to, as a table: memory, tasks and what waits must not grow with time.

use std::fs;
use std::time::Duration;

use cached_redis::Cache;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep};

/// How many lines are printed, beside those of the start and the end.
const LINES: u32 = 10;

/// Prints a line now and then while the traffic runs, and one when all is quiet again.
pub(crate) fn watch(cache: Cache, time: Duration) -> JoinHandle<()> {
    tokio::spawn(async move {
        println!(
            "{:>8} {:>12} {:>7} {:>10} {:>10} {:>10} {:>8}",
            "seconds", "memory KiB", "tasks", "reads", "bypasses", "deferred", "waiting"
        );
        let started = Instant::now();
        let mut ticks = interval(time / LINES);
        while started.elapsed() < time {
            ticks.tick().await;
            print(&cache, started);
        }
        // What ends the traffic ends its tasks as well.
        sleep(Duration::from_secs(2)).await;
        print(&cache, started);
    })
}

fn print(cache: &Cache, started: Instant) {
    let stats = cache.stats();
    let total = stats.total();
    println!(
        "{:>8} {:>12} {:>7} {:>10} {:>10} {:>10} {:>8}",
        started.elapsed().as_secs(),
        resident().unwrap_or_else(|| "?".to_owned()),
        Handle::current().metrics().num_alive_tasks(),
        total.hits + total.joined + total.misses + total.bypasses,
        total.bypasses,
        total.deferred_invalidations,
        stats.pending_invalidations().keys,
    );
}

/// The resident memory of this process in KiB, where the system tells.
fn resident() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next().map(str::to_owned)
}
