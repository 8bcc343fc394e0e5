//! Replays what a real run has written down, and says whether the model allows it.
//!
//! A line of such a log is `<ns of the machine's monotonic clock> <process> <event>`, the last of which
//! is JSON: what the library's `Trace` writes, and the reads, the writes and the replays of a test
//! around it. Of all that it asks:
//!
//! * Whether each step of a read is the one that the read machine takes after what it has heard, and
//!   whether the store had said so since the step before (`machine`).
//! * Whether the answers of the store are those of one that takes each step at one moment between its
//!   call and its answer (`history`; the steps are those of `server`).
//! * Whether a read returned an older version than one whose invalidation had returned when it began
//!   (`promise`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

use crate::read::{self, Landing};

mod history;
mod machine;
mod ops;
mod promise;

/// What is known of the server behind a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// It lives all the time: its answers are replayed as well.
    Lives,
    /// It dies and comes back with an older state, which nobody has written down.
    Fails,
}

/// What was replayed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Those that wrote it.
    pub processes: usize,
    /// Keys of the store.
    pub keys: usize,
    /// Steps of the store, one for each key that it names.
    pub store_steps: usize,
    /// Steps of searches and fills.
    pub read_steps: usize,
    /// Calls of cached functions.
    pub reads: usize,
    /// Calls of functions that invalidate.
    pub writes: usize,
}

impl Replayed {
    /// Whether so many processes wrote it, and something of each kind.
    #[must_use]
    pub fn is_of(&self, processes: usize) -> bool {
        let counts = [
            self.keys,
            self.store_steps,
            self.read_steps,
            self.reads,
            self.writes,
        ];
        self.processes == processes && counts.iter().all(|count| *count > 0)
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            processes,
            keys,
            store_steps,
            read_steps,
            reads,
            writes,
        } = self;
        write!(
            f,
            "{reads} reads and {writes} writes of {processes} processes, {read_steps} steps of reads, {store_steps} of \
             the store on {keys} keys"
        )
    }
}

/// Why a log is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its line, counted from 1.
    pub line: usize,
    /// What is wrong with that.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Replays a log, whose lines may be in any order.
///
/// # Errors
///
/// At the first line, by time, that the model does not allow, or that is none.
pub fn replay(log: &str, server: Server) -> Result<Replayed, Refused> {
    let lines = log.lines().enumerate();
    let mut lines = lines
        .map(|(at, text)| Line::parse(at + 1, text))
        .collect::<Result<Vec<_>, _>>()?;
    lines.sort_by_key(|line| line.at);
    let ops = ops::of(&lines)?;
    let (reads, writes) = promise::check(&lines)?;
    let read_steps = machine::check(&lines, &ops, server)?;
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for op in &ops {
        keys.entry(op.key).or_default().push(op);
    }
    if server == Server::Lives {
        keys.values().try_for_each(|ops| history::check(ops))?;
    }
    let processes = lines.iter().map(|line| line.process);
    Ok(Replayed {
        processes: processes.collect::<BTreeSet<_>>().len(),
        keys: keys.len(),
        store_steps: ops.len(),
        read_steps,
        reads,
        writes,
    })
}

/// A moment, in ns.
type Time = u64;

type Search = read::Search<String, String, ()>;
type Answer = read::Answer<String, String, ()>;

struct Line {
    number: usize,
    at: Time,
    process: u64,
    event: Event,
}

impl Line {
    fn parse(number: usize, text: &str) -> Result<Self, Refused> {
        let parsed = || {
            let mut words = text.splitn(3, ' ');
            Some(Self {
                number,
                at: words.next()?.parse().ok()?,
                process: words.next()?.parse().ok()?,
                event: serde_json::from_str(words.next()?).ok()?,
            })
        };
        parsed().ok_or_else(|| refused(number, "it is no line of a log"))
    }
}

fn refused(line: usize, why: impl Into<String>) -> Refused {
    let why = why.into();
    Refused { line, why }
}

#[derive(Deserialize)]
enum Event {
    /// A step of the store begins,
    Call {
        call: u64,
        step: String,
        given: Vec<Value>,
    },
    /// and is answered.
    Answer { call: u64, answer: Value },
    /// A search goes on.
    Heard {
        run: u64,
        key: String,
        heard: Heard,
        to: Search,
        told: Option<Landing<String, ()>>,
    },
    /// A fill was answered.
    Sent {
        key: String,
        sent: read::Sent,
        fill: read::Fill,
    },
    /// A read has returned this version, or failed.
    Read {
        subject: u64,
        began: Time,
        version: Option<u64>,
    },
    /// A write has returned; whether its invalidation was confirmed.
    Write {
        subject: u64,
        version: u64,
        confirmed: bool,
    },
    /// One that was not is confirmed now.
    Replayed { subject: u64, version: u64 },
}

#[derive(Deserialize)]
struct Heard {
    from: Search,
    answer: Answer,
}
