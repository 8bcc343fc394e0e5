//! What is told of answers: to whoever counts and collects them, and to `.with_info()` how far from the cache the batch
//! had to go for any of its ids.

use super::answer::Answers;
use super::call::Request;
use super::callee::Made;
use crate::observe::event::Event;
use crate::observe::status::Status;
use crate::read::info::CacheInfo;
use crate::read::{control, reader};
use crate::store::Store as _;

impl Answers<'_> {
    /// Counts an answer, as single reads do, and describes it to whoever asked.
    pub(super) fn answered(&mut self, status: Status, made: Option<&Made>) {
        self.emit(&Event::of(status));
        self.describe(status, made);
    }

    /// Describes an answer that has been counted.
    pub(super) fn describe(&mut self, status: Status, made: Option<&Made>) {
        if let Some(Made {
            request: Some(request),
            entry,
        }) = made
        {
            let Request { key, tags, .. } = request;
            let info = || reader::info(self.inner, key, tags, status, Some(entry));
            control::collect(self.wish.place, key, info);
        }
        if self.wish.info {
            let entry = made.map(|made| &*made.entry);
            // Its age is by the clock of its own server.
            let request = made.and_then(|made| made.request.as_ref());
            let key = request.map_or("", |request| &request.key);
            let info = CacheInfo::of(status, key, entry, self.inner.store.now_ms(key));
            control::report(self.summary.add(&info));
        }
    }
}

#[derive(Default)]
pub(super) struct Summary(Option<CacheInfo>);

impl Summary {
    /// One more id was answered, or its load begins.
    pub(super) fn add(&mut self, one: &CacheInfo) -> CacheInfo {
        self.merge(CacheInfo {
            key: None,
            version: None,
            content: None,
            tags: Vec::new(),
            ..one.clone()
        });
        self.0.clone().unwrap_or_default()
    }

    fn merge(&mut self, one: CacheInfo) {
        let Some(all) = &mut self.0 else {
            self.0 = Some(one);
            return;
        };
        if distance(one.status) > distance(all.status) {
            all.status = one.status;
        }
        all.age = all.age.max(one.age);
        all.time_left = match (all.time_left, one.time_left) {
            (Some(all), Some(one)) => Some(all.min(one)),
            (all, one) => all.or(one),
        };
    }
}

fn distance(status: Status) -> u8 {
    match status {
        Status::Local => 0,
        Status::Hit => 1,
        Status::Stale => 2,
        Status::Joined => 3,
        Status::Miss => 4,
        Status::Bypass => 5,
    }
}
