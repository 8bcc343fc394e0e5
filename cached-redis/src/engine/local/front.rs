//! What is read most, before the table of all that is kept: places of single keys, read without a lock and
//! without a count that all threads write to.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};
use xxhash_rust::xxh3::xxh3_64;

use super::items::Item;
use crate::wire::entry::Live;

/// How many keys have a place, those that share one in turn.
const PLACES: usize = 1 << 12;

/// See the module.
pub(super) struct Front(Box<[ArcSwapOption<Item>]>);

/// An entry that is kept, for as long as it is looked at.
pub(crate) struct Held(Guard<Option<Arc<Item>>>);

impl Held {
    /// That of an item that was found elsewhere.
    pub(super) fn of(item: Arc<Item>) -> Option<Self> {
        item.live()?;
        Some(Self(Guard::from_inner(Some(item))))
    }

    #[inline]
    pub(super) fn item(&self) -> &Arc<Item> {
        self.0.as_ref().expect("there is one")
    }
}

impl Deref for Held {
    type Target = Arc<Live>;

    #[inline]
    fn deref(&self) -> &Arc<Live> {
        self.item().live().expect("it is an entry")
    }
}

impl Front {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| ArcSwapOption::empty()).collect())
    }

    #[inline]
    fn place(&self, key: &str) -> &ArcSwapOption<Item> {
        &self.0[xxh3_64(key.as_bytes()) as usize % PLACES]
    }

    #[inline]
    pub(super) fn get(&self, key: &str) -> Option<Held> {
        let item = self.place(key).load();
        let is_it = item.as_ref().is_some_and(|item| *item.key == *key);
        is_it.then_some(Held(item))
    }

    /// Gives what stood there.
    pub(super) fn put(&self, item: &Arc<Item>) -> Option<Arc<Item>> {
        self.place(&item.key).swap(Some(Arc::clone(item)))
    }

    /// Takes away this very item.
    pub(super) fn clear(&self, item: &Arc<Item>) {
        self.place(&item.key).compare_and_swap(item, None);
    }

    /// Takes away what stands there under `key`.
    pub(super) fn remove(&self, key: &str) -> Option<Arc<Item>> {
        let item = self.place(key).load_full()?;
        (*item.key == *key).then(|| {
            self.clear(&item);
            item
        })
    }
}
