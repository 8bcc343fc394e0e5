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
    let tally = &world.tally;
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let share = |part: u64, all: u64| format!("{:.1} %", 100.0 * part as f64 / all.max(1) as f64);
    let requests = of(&tally.requests);
    let hits = counted.hits + counted.local_hits;
    let rows = [
        (
            "processes",
            world.doors.len() as u64,
            format!("{:.1} s", took.as_secs_f64()),
        ),
        (
            "requests",
            requests,
            format!("{:.0} per second", requests as f64 / took.as_secs_f64()),
        ),
        (
            "answered 304",
            of(&tally.unchanged),
            share(of(&tally.unchanged), requests),
        ),
        ("reads of the cache", counted.reads, String::new()),
        ("hits", hits, share(hits, counted.reads)),
        (
            "of them in process memory",
            counted.local_hits,
            share(counted.local_hits, counted.reads),
        ),
        ("loads", counted.loads, String::new()),
        (
            "loads saved",
            counted.reads.saturating_sub(counted.loads),
            String::new(),
        ),
        ("prices changed", of(&tally.changes), String::new()),
        ("orders", of(&tally.orders), String::new()),
        (
            "keys and tags invalidated",
            counted.invalidated,
            format!("{} deferred", counted.deferred),
        ),
        ("prices checked", of(&tally.prices), String::new()),
        (
            "late, within what is allowed",
            of(&tally.late),
            allowed(world.staleness),
        ),
        ("stale reads", of(&tally.stale), String::new()),
    ];
    for (name, number, more) in rows {
        println!("{name:<30} {number:>9}   {more}");
    }
    verdict(of(&tally.stale), of(&tally.prices), counted.deferred)
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
