//! What `.with_info()` says of a batch: how far from the cache it had to go for any of its ids.

use crate::observe::status::Status;
use crate::read::info::CacheInfo;

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
