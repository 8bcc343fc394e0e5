//! What came out, added up, as a table, and what is wrong with it.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use crate::faults::Weather;

/// The counts of one process, or of all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
    pub(crate) stale: u64,
    pub(crate) loads: u64,
    pub(crate) misses: u64,
    pub(crate) fills: u64,
    pub(crate) refused: u64,
    pub(crate) joined: u64,
    pub(crate) errors: u64,
    pub(crate) deferred: u64,
    pub(crate) replayed: u64,
    pub(crate) lost: u64,
    pub(crate) outdated: u64,
}

/// One run.
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) old_at_rest: u64,
}

const FIELDS: usize = 13;

impl Counts {
    fn to_array(self) -> [u64; FIELDS] {
        let Self {
            reads,
            writes,
            stale,
            loads,
            misses,
            fills,
            refused,
            joined,
            errors,
            deferred,
            replayed,
            lost,
            outdated,
        } = self;
        [
            reads, writes, stale, loads, misses, fills, refused, joined, errors, deferred,
            replayed, lost, outdated,
        ]
    }

    fn from_array(counts: [u64; FIELDS]) -> Self {
        let [
            reads,
            writes,
            stale,
            loads,
            misses,
            fills,
            refused,
            joined,
            errors,
            deferred,
            replayed,
            lost,
            outdated,
        ] = counts;
        Self {
            reads,
            writes,
            stale,
            loads,
            misses,
            fills,
            refused,
            joined,
            errors,
            deferred,
            replayed,
            lost,
            outdated,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.to_array().map(|number| number.to_string());
        f.write_str(&numbers.join(" "))
    }
}

impl FromStr for Counts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u64>, _> = text.split_whitespace().map(str::parse).collect();
        let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        numbers
            .map(Self::from_array)
            .ok_or_else(|| format!("no counts: {text}"))
    }
}

impl Sum for Counts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let add = |a: [u64; FIELDS], b: [u64; FIELDS]| std::array::from_fn(|i| a[i] + b[i]);
        Self::from_array(all.map(Self::to_array).fold([0; FIELDS], add))
    }
}

/// Both runs side by side.
pub(crate) fn table(naive: &Outcome, ours: &Outcome) -> String {
    let mut table = format!("{:24} {:>14} {:>14}\n", "", "by hand", "cached-redis");
    let mut row = |name: &str, naive: Option<u64>, ours: u64| {
        let naive = naive.map_or("-".to_owned(), |number| number.to_string());
        table += &format!("{name:24} {naive:>14} {ours:>14}\n");
    };
    let (n, o) = (naive.counts, ours.counts);
    row("reads", Some(n.reads), o.reads);
    row("writes", Some(n.writes), o.writes);
    row("loads", Some(n.loads), o.loads);
    row("refused fills", None, o.refused);
    row("joined loads", None, o.joined);
    row("failed operations", None, o.errors);
    row("deferred invalidations", None, o.deferred);
    row("replayed invalidations", None, o.replayed);
    row("lost invalidations", None, o.lost);
    row("entries of a dead epoch", None, o.outdated);
    row("stale reads", Some(n.stale), o.stale);
    row(
        "old values at rest",
        Some(naive.old_at_rest),
        ours.old_at_rest,
    );
    table
}

/// Why the test fails; nothing if it does not.
pub(crate) fn failures(weather: Weather, naive: &Outcome, ours: &Outcome) -> Vec<&'static str> {
    let specific = match weather {
        Weather::Calm => calm(ours).to_vec(),
        Weather::Stormy => stormy(ours).to_vec(),
    };
    let rules = always(naive, ours).into_iter().chain(specific);
    let broken = rules.filter(|(holds, _)| !holds);
    broken.map(|(_, text)| text).collect()
}

type Rule = (bool, &'static str);

fn always(naive: &Outcome, ours: &Outcome) -> [Rule; 7] {
    let o = ours.counts;
    [
        (
            naive.counts.stale > 0,
            "the cache written by hand showed no stale read: this run could not have seen any",
        ),
        (o.stale == 0, "there were stale reads"),
        (
            ours.old_at_rest == 0,
            "values older than the source are left in the cache",
        ),
        (o.lost == 0, "invalidations were lost"),
        (
            o.refused > 0,
            "no fill was refused: no load was overtaken by an invalidation",
        ),
        (o.joined > 0, "no read joined another one's load"),
        (
            o.reads > o.loads,
            "nothing was ever answered from the cache",
        ),
    ]
}

fn calm(ours: &Outcome) -> [Rule; 1] {
    let failed = "operations failed, so that the run says little";
    [(ours.counts.errors == 0, failed)]
}

fn stormy(ours: &Outcome) -> [Rule; 3] {
    let o = ours.counts;
    [
        (o.deferred > 0, "no invalidation met a fault"),
        (o.replayed > 0, "no invalidation was replayed"),
        (
            o.outdated > 0,
            "no entry was met that a server had brought back",
        ),
    ]
}
