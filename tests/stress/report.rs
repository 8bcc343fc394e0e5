//! What came out, added up, as a table, and what is wrong with it.

use std::fmt;
use std::iter::Sum;
use std::str::FromStr;

use crate::faults::Weather;

/// Numbers that are added up, and passed on as text, in one order.
macro_rules! counts {
    ($($count:ident),+ $(,)?) => {
        /// The counts of one process, or of all.
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub(crate) struct Counts {
            $(pub(crate) $count: u64),+
        }

        const FIELDS: usize = [$(stringify!($count)),+].len();

        impl Counts {
            fn to_array(self) -> [u64; FIELDS] {
                [$(self.$count),+]
            }

            fn from_array([$($count),+]: [u64; FIELDS]) -> Self {
                Self { $($count),+ }
            }
        }
    };
}

counts!(
    reads,
    writes,
    by_tag,
    stale,
    in_windows,
    stale_in_windows,
    loads,
    failed_loads,
    misses,
    fills,
    refused,
    joined,
    served_stale,
    renewals,
    written_through,
    errors,
    deferred,
    replayed,
    lost,
    dead_epochs,
    dead_tags,
);

/// One run.
pub(crate) struct Outcome {
    pub(crate) counts: Counts,
    pub(crate) at_rest: AtRest,
}

/// What is left in the cache when all is quiet.
#[derive(Default)]
pub(crate) struct AtRest {
    pub(crate) values: u64,
    /// Those that are older than the source.
    pub(crate) old: u64,
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
    row("invalidations by tag", None, o.by_tag);
    row("written through", None, o.written_through);
    row("loads", Some(n.loads), o.loads);
    row("failed loads", None, o.failed_loads);
    row("loads behind entries", None, o.renewals);
    row("served past the TTL", None, o.served_stale);
    row("refused fills", None, o.refused);
    row("joined loads", None, o.joined);
    row("failed operations", None, o.errors);
    row("deferred invalidations", None, o.deferred);
    row("replayed invalidations", None, o.replayed);
    row("lost invalidations", None, o.lost);
    row("entries of a dead epoch", None, o.dead_epochs);
    row("entries of a dead tag", None, o.dead_tags);
    row("reads in a window", Some(n.in_windows), o.in_windows);
    row(
        "stale ones of these",
        Some(n.stale_in_windows),
        o.stale_in_windows,
    );
    row("stale reads", Some(n.stale), o.stale);
    let (n, o) = (&naive.at_rest, &ours.at_rest);
    row("values at rest", Some(n.values), o.values);
    row("old ones among them", Some(n.old), o.old);
    table
}

/// Where the promise is broken.
pub(crate) fn broken(ours: &Outcome) -> Vec<&'static str> {
    those_that_fail([
        (ours.counts.stale == 0, "there were stale reads"),
        (
            ours.at_rest.old == 0,
            "values older than the source are left in the cache",
        ),
        (ours.counts.lost == 0, "invalidations were lost"),
    ])
}

/// What a run must have shown for its silence to say anything, and has not.
pub(crate) fn unseen(weather: Weather, naive: &Outcome, ours: &Outcome) -> Vec<&'static str> {
    let specific = match weather {
        Weather::Calm | Weather::Shared => calm(ours).to_vec(),
        Weather::Stormy => stormy(ours).to_vec(),
        Weather::Moving => moving(ours).to_vec(),
        Weather::Watched => watched(ours).to_vec(),
    };
    those_that_fail(always(naive, ours).into_iter().chain(specific))
}

fn those_that_fail(rules: impl IntoIterator<Item = Rule>) -> Vec<&'static str> {
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, text)| text).collect()
}

type Rule = (bool, &'static str);

fn always(naive: &Outcome, ours: &Outcome) -> [Rule; 4] {
    let o = ours.counts;
    [
        (
            naive.counts.stale > 0,
            "the cache written by hand showed no stale read: this run could not have seen any",
        ),
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

fn calm(ours: &Outcome) -> [Rule; 8] {
    let o = ours.counts;
    [
        (
            o.errors == 0,
            "operations failed, so that the run says little",
        ),
        (o.dead_tags > 0, "no entry was met whose tag is dead"),
        (o.served_stale > 0, "no value was served past its TTL"),
        (o.renewals > 0, "no load ran behind an entry"),
        (o.failed_loads > 0, "no load failed"),
        (o.by_tag > 0, "nothing was invalidated by a tag"),
        (o.written_through > 0, "nothing was written through"),
        // Not so in a storm: one that comes last may leave no entry of a living epoch.
        (ours.at_rest.values > 0, "no value is left in the cache"),
    ]
}

fn stormy(ours: &Outcome) -> [Rule; 3] {
    let o = ours.counts;
    [
        (o.deferred > 0, "no invalidation met a fault"),
        (o.replayed > 0, "no invalidation was replayed"),
        (
            o.dead_epochs > 0,
            "no entry was met that a server had brought back",
        ),
    ]
}

fn moving(ours: &Outcome) -> [Rule; 2] {
    let o = ours.counts;
    [
        (o.in_windows > 0, "no read met a takeover"),
        (
            o.dead_epochs > 0,
            "no entry was met that another server has left",
        ),
    ]
}

fn watched(ours: &Outcome) -> [Rule; 3] {
    let o = ours.counts;
    [
        (o.in_windows > 0, "no read met a failover"),
        (o.deferred > 0, "no invalidation met a failover"),
        (
            o.dead_epochs > 0,
            "no entry was met that another server has left",
        ),
    ]
}
