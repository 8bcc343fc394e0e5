//! Explores the rows of the table, two at a time, and tells in a line each how it went.

use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::checker::{Outcome, explore};
use crate::config::Config;
use crate::event::{Event, Flaw, What};
use crate::table::{Row, Subject, Verdict};

/// Rows explored at a time.
const THREADS: usize = 2;

/// How much is explored of the configurations that should hold. The broken ones are always
/// explored as they are, up to their first flaw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bounds {
    /// All of it.
    Full,
    /// A part: without the reader in the other process; and where there are two writers, also with
    /// all readers and one writer.
    Small,
}

/// What a run has come to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Rows explored.
    pub rows: usize,
    /// Those that hold.
    pub hold: usize,
    /// Those that did not go as expected.
    pub surprises: usize,
    /// States of all rows.
    pub states: usize,
    /// Steps of all rows.
    pub steps: usize,
    /// From the first to the last.
    pub took: Duration,
}

/// Explores `rows` and hands the head of the table and a text for each row to `tell`, in their
/// order. A row that did not go as expected is told with its trace, with `traces` every broken one.
pub fn run(rows: &[Row], bounds: Bounds, traces: bool, tell: impl Fn(&str) + Send) -> Summary {
    tell(&head());
    let began = Instant::now();
    let next = AtomicUsize::new(0);
    let teller = Mutex::new(Teller {
        summary: Summary::default(),
        ready: rows.iter().map(|_| None).collect(),
        printed: 0,
        tell,
    });
    let work = || {
        while let Some((at, row)) = take(rows, &next) {
            let finding = Finding::of(row, bounds);
            let mut teller = teller.lock().unwrap_or_else(PoisonError::into_inner);
            teller.add(at, finding.text(row, traces), &finding);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(work);
        }
    });
    let teller = teller.into_inner().unwrap_or_else(PoisonError::into_inner);
    Summary {
        took: began.elapsed(),
        ..teller.summary
    }
}

fn take<'a>(rows: &'a [Row], next: &AtomicUsize) -> Option<(usize, &'a Row)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    rows.get(at).map(|row| (at, row))
}

fn head() -> String {
    format!(
        "{:<4} {:<10} {:<10} {:>9} {:>9} {:>5} {:>6}  what it is",
        "", "expected", "found", "states", "steps", "trace", "s"
    )
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} configurations, {} hold, {} are broken, {} went otherwise than expected; {} states, {} steps, {:.1} s",
            self.rows,
            self.hold,
            self.rows - self.hold,
            self.surprises,
            self.states,
            self.steps,
            self.took.as_secs_f32()
        )
    }
}

/// Holds texts back until those before them were told.
struct Teller<T> {
    summary: Summary,
    ready: Vec<Option<String>>,
    printed: usize,
    tell: T,
}

impl<T: Fn(&str)> Teller<T> {
    fn add(&mut self, at: usize, text: String, finding: &Finding) {
        self.summary.rows += 1;
        self.summary.hold += usize::from(finding.outcome.flaw.is_none());
        self.summary.surprises += usize::from(finding.surprise.is_some());
        self.summary.states += finding.outcome.states;
        self.summary.steps += finding.outcome.steps;
        self.ready[at] = Some(text);
        while let Some(text) = self.ready.get_mut(self.printed).and_then(Option::take) {
            (self.tell)(&text);
            self.printed += 1;
        }
    }
}

/// How one row went.
struct Finding {
    outcome: Outcome<Event, Flaw>,
    took: Duration,
    surprise: Option<String>,
}

impl Finding {
    fn of(row: &Row, bounds: Bounds) -> Self {
        let began = Instant::now();
        let outcome = match row.subject {
            Subject::Key(config) => parts(config, row.verdict, bounds)
                .iter()
                .map(explore)
                .fold(Outcome::default(), Outcome::and),
            Subject::Updates(updates) => explore(&updates),
            Subject::Sweeps(sweeps) => explore(&sweeps),
            Subject::Moves(moves) => explore(&moves),
            Subject::Behind(behind) => explore(&behind),
            Subject::Checks(checks) => match row.verdict {
                Verdict::Holds(_) => (checks.parts(bounds == Bounds::Full).iter())
                    .map(explore)
                    .fold(Outcome::default(), Outcome::and),
                _ => explore(&checks),
            },
            Subject::Level(level) => match row.verdict {
                Verdict::Holds(_) => (level.parts(bounds == Bounds::Full).iter())
                    .map(explore)
                    .fold(Outcome::default(), Outcome::and),
                _ => explore(&level),
            },
        };
        Self {
            surprise: surprise(row.verdict, &outcome),
            outcome,
            took: began.elapsed(),
        }
    }

    fn text(&self, row: &Row, traces: bool) -> String {
        let Outcome {
            flaw,
            states,
            steps,
            ..
        } = &self.outcome;
        let (found, length) = match flaw {
            None => ("holds", String::new()),
            Some((trace, flaw)) => (flaw.name(), trace.len().to_string()),
        };
        let mut text = format!(
            "{:<4} {:<10} {found:<10} {states:>9} {steps:>9} {length:>5} {:>6.1}  {}",
            row.name,
            row.verdict.name(),
            self.took.as_secs_f32(),
            row.about,
        );
        // Writing to a string cannot fail.
        if let Some(surprise) = &self.surprise {
            let _ = write!(text, "\n     UNEXPECTED: {surprise}");
        }
        if let Some((trace, flaw)) = flaw
            && (traces || self.surprise.is_some())
        {
            for (at, event) in trace.iter().enumerate() {
                let _ = write!(text, "\n     {:>3}. {event}", at + 1);
            }
            let _ = write!(text, "\n          {flaw}");
        }
        text
    }
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Holds(_) => "holds",
            Self::StaleRead => "stale read",
            Self::Stranded => "stranded",
            Self::Miscounted => "miscounted",
            Self::Lost => "lost",
            Self::Backwards => "backwards",
        }
    }
}

fn parts(config: Config, verdict: Verdict, bounds: Bounds) -> Vec<Config> {
    match (bounds, verdict) {
        (Bounds::Small, Verdict::Holds(_)) if config.has_one_writer() => {
            vec![config.two_readers()]
        }
        (Bounds::Small, Verdict::Holds(_)) => {
            vec![config.one_writer(), config.two_readers()]
        }
        _ => vec![config],
    }
}

fn surprise(expected: Verdict, outcome: &Outcome<Event, Flaw>) -> Option<String> {
    let found = (outcome.flaw.as_ref()).map_or("holds", |(_, flaw)| flaw.name());
    if found != expected.name() {
        return Some(format!("{} was expected", expected.name()));
    }
    let Verdict::Holds(wanted) = expected else {
        return None;
    };
    let unseen = |what: &&What| !outcome.kinds[**what as usize];
    let unseen: Vec<_> = wanted.iter().filter(unseen).collect();
    (!unseen.is_empty()).then(|| format!("never seen: {unseen:?}"))
}
