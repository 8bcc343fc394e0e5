//! What has happened lately, as far as there is room.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cached_redis::events::Invalidated;
use serde::Serialize;

/// How many of each kind are kept.
const MOST: usize = 200;

/// How many names of one invalidation are kept.
const NAMES: usize = 20;

/// How much somebody should care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Severity {
    Good,
    Info,
    Warning,
    Bad,
}

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Event {
    seq: u64,
    at_ms: u64,
    severity: Severity,
    kind: &'static str,
    text: String,
    /// What was invalidated; the page gets it only where keys may be shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

/// The latest, of both kinds apart: published invalidations may be so many that nothing else would be left.
#[derive(Debug, Default)]
pub(crate) struct Events {
    last: u64,
    published: VecDeque<Event>,
    changes: VecDeque<Event>,
}

impl Events {
    pub(crate) fn tell(&mut self, severity: Severity, kind: &'static str, text: String) {
        let event = self.next(SystemTime::now(), severity, kind, text);
        push(&mut self.changes, event);
    }

    pub(crate) fn published(&mut self, what: Invalidated) {
        let text = counted(&what);
        let event = self.next(what.at, Severity::Info, "invalidation", text);
        let mut names = what.keys;
        names.extend(what.tags.into_iter().map(|tag| format!("tag {tag}")));
        let patterns = what.patterns.into_iter();
        names.extend(patterns.map(|pattern| format!("pattern {pattern}")));
        names.truncate(NAMES);
        push(&mut self.published, Event { names, ..event });
    }

    pub(crate) fn gap(&mut self) {
        let text = "Some published invalidations may not be listed here".to_owned();
        self.tell(Severity::Info, "gap", text);
    }

    /// What came after this number, the oldest first.
    pub(crate) fn after(&self, seq: u64, with_names: bool) -> Vec<Event> {
        let all = self.published.iter().chain(&self.changes);
        let mut later: Vec<_> = all.filter(|event| event.seq > seq).cloned().collect();
        later.sort_by_key(|event| event.seq);
        if !with_names {
            later.iter_mut().for_each(|event| event.names.clear());
        }
        later
    }

    fn next(
        &mut self,
        at: SystemTime,
        severity: Severity,
        kind: &'static str,
        text: String,
    ) -> Event {
        self.last += 1;
        Event {
            seq: self.last,
            at_ms: unix_ms(at),
            severity,
            kind,
            text,
            names: Vec::new(),
        }
    }
}

fn push(ring: &mut VecDeque<Event>, event: Event) {
    if ring.len() == MOST {
        ring.pop_front();
    }
    ring.push_back(event);
}

/// "2 keys and 1 tag were invalidated".
fn counted(what: &Invalidated) -> String {
    let counts = [
        (what.keys.len(), "key"),
        (what.tags.len(), "tag"),
        (what.patterns.len(), "pattern"),
    ];
    let all = counts.iter().map(|(count, _)| count).sum::<usize>();
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<_> = counts
        .map(|(count, name)| plural(*count as u64, name))
        .collect();
    let verb = if all == 1 { "was" } else { "were" };
    format!("{} {verb} invalidated", counts.join(" and "))
}

/// "1 key", "2 keys".
pub(crate) fn plural(count: u64, name: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {name}{plural}")
}

pub(crate) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_millis() as u64
}
