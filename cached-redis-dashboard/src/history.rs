//! The counters of the last minutes, from which the page draws its lines.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use cached_redis::stats::{FunctionStats, Stats};
use serde::Serialize;

use crate::events::unix_ms;

/// How often the counters are looked at.
pub(crate) const STEP: Duration = Duration::from_secs(2);

/// How many looks are kept: five minutes.
const MOST: usize = 150;

/// The counters at one moment, since the cache was built.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Point {
    seq: u64,
    at_ms: u64,
    /// Reads by how they were answered: from process memory, from the store, past the TTL, by another's load, by
    /// an own load, without the cache.
    reads: [u64; 6],
    /// Of each function, in the order of the statistics: reads that the cache answered, and all.
    functions: Vec<[u64; 2]>,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    last: u64,
    points: VecDeque<Point>,
}

impl History {
    pub(crate) fn add(&mut self, stats: &Stats) {
        if self.points.len() == MOST {
            self.points.pop_front();
        }
        self.last += 1;
        let total = stats.total();
        self.points.push_back(Point {
            seq: self.last,
            at_ms: unix_ms(SystemTime::now()),
            reads: reads(&total),
            functions: stats.functions().iter().map(answered).collect(),
        });
    }

    pub(crate) fn after(&self, seq: u64) -> Vec<Point> {
        let later = self.points.iter().filter(|point| point.seq > seq);
        later.cloned().collect()
    }
}

fn reads(row: &FunctionStats) -> [u64; 6] {
    [
        row.local_hits,
        row.hits + row.shadow_hits,
        row.stale,
        row.joined,
        row.misses,
        row.bypasses,
    ]
}

fn answered(row: &FunctionStats) -> [u64; 2] {
    let reads = reads(row);
    [reads[..4].iter().sum(), reads.iter().sum()]
}
