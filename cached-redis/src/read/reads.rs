//! All that is read while something runs.
//!
//! A call takes its place in the list when it begins, and says there how it went. So one that says nothing is in
//! the list too, as a bypass: it ran without the cache, was given up, or failed.

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::slice;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::engine::context;
use crate::read::control;
use crate::read::info::CacheInfo;

/// The place of a call in the list, counted from 1. It is small, as every call has room for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place(NonZeroU16);

/// That of all calls for which there is no other: it stays a bypass.
const LAST: Place = Place(NonZeroU16::MAX);

impl Place {
    fn of<'a>(&self, calls: &'a mut Calls) -> Option<&'a mut BTreeMap<String, CacheInfo>> {
        // A place of another list: its call was begun elsewhere.
        let call = calls.get_mut(usize::from(self.0.get()) - 1);
        call.filter(|_| *self != LAST)
    }
}

/// What each call has read, by key; a bypass under none, before it has said anything.
type Calls = Vec<BTreeMap<String, CacheInfo>>;

/// A list that grows.
#[derive(Clone, Default)]
pub(crate) struct Reading {
    calls: Arc<Mutex<Calls>>,
    /// The load around it: what calls inside of other loads read is in the results of these.
    load: Option<context::LoadId>,
}

impl Reading {
    /// The same, for what runs here.
    pub(crate) fn here(self) -> Self {
        let load = context::innermost();
        Self { load, ..self }
    }

    /// Whether a call that begins here is one of the list, and not of a load.
    pub(crate) fn is_here(&self) -> bool {
        self.load == context::innermost()
    }

    /// A place for a call that begins.
    pub(crate) fn begin(&self) -> Option<Place> {
        self.is_here().then(|| {
            self.with(|calls| {
                if calls.len() < usize::from(LAST.0.get()) {
                    calls.push(BTreeMap::from([Default::default()]));
                }
                let place = u16::try_from(calls.len()).ok().and_then(NonZeroU16::new);
                place.map_or(LAST, Place)
            })
        })
    }

    /// What was said last of a key counts.
    pub(crate) fn tell(&self, place: Place, key: &str, info: CacheInfo) {
        self.with(|calls| {
            if let Some(call) = place.of(calls) {
                call.remove("");
                call.insert(key.to_owned(), info);
            }
        });
    }

    /// A list within this one has ended, which had its place.
    pub(crate) fn include(&self, place: Place, reads: &Reads) {
        let infos = reads.iter().cloned().enumerate();
        let infos = infos.map(|(number, info)| (number.to_string(), info));
        self.with(|calls| {
            if let Some(call) = place.of(calls) {
                *call = infos.collect();
            }
        });
    }

    /// The list as it is.
    pub(crate) fn read(&self) -> Reads {
        let infos = |calls: &mut Calls| calls.iter().flat_map(BTreeMap::values).cloned().collect();
        Reads(self.with(infos))
    }

    fn with<T>(&self, what: impl FnOnce(&mut Calls) -> T) -> T {
        what(&mut self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The cached reads of a future, in the order in which they began; collected by
/// [`with_reads`](crate::CachedExt::with_reads).
///
/// One read is a call of a function under `#[redis_cached]`, of [`get`](crate::request::EntryRequest::get), or of
/// `get_or_fill`. A batch is one for each of its entries. What a load reads is a part of its result and no read of
/// its own. A read that the cache has no part in, that fails, or that is given up counts as a
/// [bypass](crate::Status::Bypass) or has no [`content`](CacheInfo::content); so has a `get` that finds nothing.
///
/// Reads in a task that the future spawns are not among them, unless what is spawned is
/// [`collected`](crate::CachedExt::collected).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Reads(Vec<CacheInfo>);

impl Reads {
    /// Those that were collected until now, where this is called inside of
    /// [`with_reads`](crate::CachedExt::with_reads); else `None`.
    #[must_use]
    pub fn so_far() -> Option<Self> {
        control::read_so_far()
    }

    /// Each of them.
    pub fn iter(&self) -> slice::Iter<'_, CacheInfo> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long all of them stay fresh: the shortest [`time_left`](CacheInfo::time_left). `None` where none tells.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        self.iter().filter_map(CacheInfo::time_left).min()
    }
}

impl<'a> IntoIterator for &'a Reads {
    type Item = &'a CacheInfo;
    type IntoIter = slice::Iter<'a, CacheInfo>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::status::Status;

    fn hit() -> CacheInfo {
        CacheInfo {
            status: Status::Hit,
            ..CacheInfo::default()
        }
    }

    #[test]
    fn who_says_nothing_is_a_bypass_and_so_is_who_comes_when_the_list_is_full() {
        let reading = Reading::default();
        let [told, _] = [(); 2].map(|()| reading.begin().unwrap());
        reading.tell(told, "a", hit());
        assert_eq!(reading.read().0, [hit(), CacheInfo::default()]);
        for _ in 0..70_000 {
            let place = reading.begin().unwrap();
            reading.tell(place, "a", hit());
        }
        let reads = reading.read().0;
        assert_eq!(reads.len(), usize::from(u16::MAX));
        assert_eq!(reads.last(), Some(&CacheInfo::default()));
    }

    #[test]
    fn the_room_of_every_call_for_its_wish_is_as_small_as_before_all_calls_had_a_place() {
        assert_eq!(size_of::<control::Wish>(), 4);
    }
}
