//! What the page asks for every other second.

use std::time::SystemTime;

use cached_redis::Cache;
use cached_redis::stats::{Health, Stats};
use http::Uri;
use serde::Serialize;

use crate::action;
use crate::dashboard::Inner;
use crate::events::{Event, unix_ms};
use crate::history::Point;

/// How the cache gets on, and what came after what the page has.
#[derive(Serialize)]
pub(crate) struct Snapshot<'a> {
    now_ms: u64,
    /// Another one stands for another process, which has counters and numbers of its own.
    process: &'a str,
    version: &'static str,
    actions: bool,
    keys_shown: bool,
    stats: Stats,
    health: Health,
    /// In the order of the functions; `None` for those that have none, such as writers.
    modes: Vec<Option<&'static str>>,
    sample_problem: Option<String>,
    events: Vec<Event>,
    points: Vec<Point>,
}

/// What the page has already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    event: u64,
    point: u64,
}

impl Cursor {
    /// Nothing, if it is of another process or cannot be read.
    pub(crate) fn of(uri: &Uri, process: &str) -> Self {
        let query = uri.query().unwrap_or_default();
        let pairs = || query.split('&').filter_map(|pair| pair.split_once('='));
        let value = |name| {
            pairs()
                .find(|(own, _)| *own == name)
                .map(|(_, value)| value)
        };
        if value("process") != Some(process) {
            return Self::default();
        }
        let number = |name| {
            value(name)
                .and_then(|seq| seq.parse().ok())
                .unwrap_or_default()
        };
        Self {
            event: number("event"),
            point: number("point"),
        }
    }
}

impl<'a> Snapshot<'a> {
    pub(crate) fn take(inner: &'a Inner, cursor: Cursor) -> Self {
        let Inner {
            cache,
            settings,
            watch,
        } = inner;
        let stats = cache.stats();
        Self {
            now_ms: unix_ms(SystemTime::now()),
            process: cache.source(),
            version: env!("CARGO_PKG_VERSION"),
            actions: settings.authority.is_some(),
            keys_shown: settings.show_keys,
            modes: modes(cache, &stats),
            health: cache.health(),
            stats,
            sample_problem: watch.sample_problem(),
            events: watch.events_after(cursor.event, settings.show_keys),
            points: watch.points_after(cursor.point),
        }
    }
}

fn modes(cache: &Cache, stats: &Stats) -> Vec<Option<&'static str>> {
    let rows = stats.functions().iter();
    let mode = |function| cache.mode(function).ok().map(action::name);
    rows.map(|row| mode(row.function)).collect()
}
