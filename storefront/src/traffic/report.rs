//! What came of it, as a table.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::client::Client;
use super::{Failed, World};

/// What the processes say at `/metrics`, all of them together.
#[derive(Default)]
pub(crate) struct Counted {
    reads: u64,
    hits: u64,
    local_hits: u64,
    loads: u64,
    invalidated: u64,
    deferred: u64,
}

impl Counted {
    pub(crate) async fn of(doors: &[String]) -> Result<Self, Failed> {
        let mut counted = Self::default();
        for door in doors {
            let page = Client::new().get(&format!("{door}/metrics")).await?;
            page.body.lines().for_each(|line| counted.add(line));
        }
        Ok(counted)
    }

    /// A line such as `cached_redis_reads_total{…,result="hit"} 7`.
    fn add(&mut self, line: &str) {
        let Some((name, number)) = line
            .strip_prefix("cached_redis_")
            .and_then(|line| line.rsplit_once(' '))
        else {
            return;
        };
        let number = number.parse().unwrap_or(0);
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        match name {
            "reads_total" => {
                self.reads += number;
                if labels.contains("result=\"hit\"") {
                    self.hits += number;
                }
                if labels.contains("result=\"local_hit\"") {
                    self.local_hits += number;
                }
            }
            "loads_total" => self.loads += number,
            "invalidated_keys_total" => self.invalidated += number,
            "deferred_invalidations_total" => self.deferred += number,
            _ => {}
        }
    }
}

/// Prints the table; `false` if it is a bad one.
pub(crate) fn print(world: &World, counted: &Counted, took: Duration) -> bool {
    let rows = [
        requests(world, took),
        reads(counted),
        changes(world, counted),
    ];
    rows.concat().iter().for_each(|row| println!("{row}"));
    let tally = &world.tally;
    verdict(of(&tally.stale), of(&tally.prices), counted.deferred)
}

fn row(name: &str, number: u64, more: &str) -> String {
    format!("{name:<30} {number:>9}   {more}")
}

fn of(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn share(part: u64, all: u64) -> String {
    format!("{:.1} %", 100.0 * part as f64 / all.max(1) as f64)
}

fn requests(world: &World, took: Duration) -> Vec<String> {
    let (all, unchanged) = (of(&world.tally.requests), of(&world.tally.unchanged));
    let seconds = took.as_secs_f64();
    let rate = format!("{:.0} per second", all as f64 / seconds);
    vec![
        row(
            "processes",
            world.doors.len() as u64,
            &format!("{seconds:.1} s"),
        ),
        row("requests", all, &rate),
        row("answered 304", unchanged, &share(unchanged, all)),
    ]
}

fn reads(counted: &Counted) -> Vec<String> {
    let all = counted.reads;
    let (hits, local_hits) = (counted.hits + counted.local_hits, counted.local_hits);
    vec![
        row("reads of the cache", all, ""),
        row("hits", hits, &share(hits, all)),
        row(
            "of them in process memory",
            local_hits,
            &share(local_hits, all),
        ),
        row("loads", counted.loads, ""),
        row("loads saved", all.saturating_sub(counted.loads), ""),
    ]
}

fn changes(world: &World, counted: &Counted) -> Vec<String> {
    let tally = &world.tally;
    let deferred = format!("{} deferred", counted.deferred);
    vec![
        row("prices changed", of(&tally.changes), ""),
        row("orders", of(&tally.orders), ""),
        row("keys and tags invalidated", counted.invalidated, &deferred),
        row("prices checked", of(&tally.prices), ""),
        row(
            "late, within what is allowed",
            of(&tally.late),
            &allowed(world.staleness),
        ),
        row("stale reads", of(&tally.stale), ""),
    ]
}

fn allowed(staleness: Option<Duration>) -> String {
    staleness.map_or("nothing is".to_owned(), |most| {
        format!("{} ms, on product pages", most.as_millis())
    })
}

fn verdict(stale: u64, prices: u64, deferred: u64) -> bool {
    if deferred > 0 {
        // Until an invalidation has reached the store, other processes know nothing of it.
        println!(
            "{deferred} invalidations did not reach the store at once, so this run proves nothing."
        );
    }
    deferred == 0 && stale == 0 && prices > 0
}
