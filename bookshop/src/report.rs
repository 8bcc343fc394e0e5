//! What came of it, as a table and one line.

use std::time::Duration;

use cached_redis::stats::Stats;

use crate::traffic::{Tally, Traffic};

/// Prints the report; `false` if it is a bad one.
pub(crate) fn print(traffic: &Traffic, stats: &Stats, took: Duration) -> bool {
    let (rows, total) = traffic.tallies();
    println!(
        "{:<12} {:>7} {:>9} {:>12} {:>14} {:>14}",
        "function", "calls", "hit rate", "loads saved", "mean hit", "mean miss"
    );
    for (name, row) in &rows {
        print_row(
            name,
            row,
            stats.function(name).map_or(0, |function| function.loads),
        );
    }
    print_row("total", &total, stats.total().loads);
    print_details(stats, took);
    print_verdict(stats, &total)
}

/// A read that joined another one's load counts as a hit, but took about as long as a miss: it is
/// in neither mean.
fn print_row(name: &str, row: &Tally, loads: u64) {
    println!(
        "{name:<12} {:>7} {:>7.1} % {:>12} {:>11.3} ms {:>11.3} ms",
        row.calls,
        100.0 * (row.hits + row.joined) as f64 / row.calls.max(1) as f64,
        row.calls.saturating_sub(loads),
        mean(row.hit_time, row.hits),
        mean(row.miss_time, row.calls - row.hits - row.joined),
    );
}

/// In milliseconds.
fn mean(sum: Duration, count: u64) -> f64 {
    sum.as_secs_f64() * 1000.0 / count.max(1) as f64
}

fn print_details(stats: &Stats, took: Duration) {
    let total = stats.total();
    println!(
        "\nIn {:.1} s: {} keys invalidated, {} reads shared a load that another one had begun, \
         {} loads were overtaken by an invalidation and not kept, {} errors.",
        took.as_secs_f64(),
        total.invalidations,
        total.joined,
        total.refused_fills,
        total.errors,
    );
}

fn print_verdict(stats: &Stats, total: &Tally) -> bool {
    let lost = stats.total().lost_invalidations;
    if lost > 0 {
        // Until an invalidation has reached the store, nothing is promised about its key.
        println!("{lost} invalidations did not reach the store, so this run proves nothing.");
    } else if total.stale > 0 {
        println!("{} of {} reads were stale.", total.stale, total.calls);
    } else {
        println!(
            "{} reads were checked against the writes that had returned before them: none was stale.",
            total.calls
        );
    }
    lost == 0 && total.stale == 0
}
