//! All that is kept, by keys, and in front of it what is read most.
//!
//! **Nothing stands in front that is not in the table**: it is put there before it goes into the table, and taken
//! away after it has left that. What is done to one key is done under the lock of its shard, but for evictions.
//!
//! The table lets go of what is not in use as far as it knows: so it is asked now and then for what stands in front.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::front::{Front, Held};
use super::items::{self, Item, Items};
use crate::util::moment::Moment;

/// How often it is asked for what is in use, in ns.
const OFTEN: u64 = 1_000_000_000;

/// See the module.
pub(super) struct Table {
    front: Front,
    items: Items,
}

impl Table {
    /// With room for so many `bytes`.
    pub(super) fn new(bytes: u64) -> Self {
        Self {
            front: Front::new(),
            items: items::new(bytes),
        }
    }

    /// The entry under `key`.
    #[inline]
    pub(super) fn entry(&self, key: &str, now: Moment) -> Option<Held> {
        let used = |held: &Held| Moment(held.item().used.load(Ordering::Relaxed));
        match self.front.get(key) {
            Some(held) if now.ns_since(used(&held)) < OFTEN => Some(held),
            _ => self.use_entry(key, now),
        }
    }

    #[cold]
    fn use_entry(&self, key: &str, now: Moment) -> Option<Held> {
        let item = self.get(key)?;
        item.used.store(now.0, Ordering::Relaxed);
        Held::of(item)
    }

    pub(super) fn get(&self, key: &str) -> Option<Arc<Item>> {
        self.items.get(key)
    }

    /// Gives what had to make room, maybe itself, and what else is to be dropped where no lock is held.
    pub(super) fn insert(&self, item: &Arc<Item>) -> [Vec<Arc<Item>>; 2] {
        let before = match item.is_served() {
            true => self.front.put(item),
            false => self.front.remove(&item.key),
        };
        let replaced = self.items.remove(&*item.key).map(|(_, item)| item);
        let evicted = self
            .items
            .insert_with_lifecycle(item.key.clone(), Arc::clone(item));
        let evicted: Vec<_> = evicted.into_iter().map(|(_, item)| item).collect();
        evicted.iter().for_each(|item| self.front.clear(item));
        [evicted, before.into_iter().chain(replaced).collect()]
    }

    pub(super) fn remove(&self, key: &str) -> Option<Arc<Item>> {
        let removed = self.items.remove(key);
        let front = self.front.remove(key);
        removed.map(|(_, item)| item).or(front)
    }

    /// Gives what `is_gone`, to be dropped where no lock is held.
    pub(super) fn take(&self, is_gone: impl Fn(&Item) -> bool) -> Vec<Arc<Item>> {
        let gone = RefCell::new(Vec::new());
        self.items.retain(|_, item| {
            let is_gone = is_gone(item);
            if is_gone {
                self.front.clear(item);
                gone.borrow_mut().push(Arc::clone(item));
            }
            !is_gone
        });
        gone.into_inner()
    }

    /// How many there are, and how many bytes they take.
    pub(super) fn size(&self) -> (u64, u64) {
        (self.items.len() as u64, self.items.weight())
    }
}
