//! The level in process memory ("L1"): entries with their decoded values, and the generations of tags, as they
//! were read over the tracked connection.
//!
//! [`protocol::local`](crate::protocol::local) says what is kept, and for how long that is served. The race
//! that is left is here: an answer may wake its reader long after a change of its key was announced, which
//! then had nothing to drop. So to compare a ticket and to insert are one step under the lock of a shard, and
//! so are to void its tickets and to drop. Hits take none of these locks.
//!
//! In memory the store itself is asked each time. What is kept there is the decoded value alone, which is of
//! use as long as the token of its entry stands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use xxhash_rust::xxh3::xxh3_64;

use crate::observe::local::{Drops, LocalStats};
use crate::protocol::local::{AllRules, Life, Link, Notice, Origin, Shard, Ticket, Voids};
use crate::store::tracked::{Keeper, Lane, Seen};
use crate::util::lock::Mutex;
use crate::util::moment::{Moment, ns};
use crate::wire::entry::Live;
use crate::wire::tag::Generation;
use crate::wire::targets::Targets;

mod front;
mod items;
mod table;

pub(crate) use front::Held;
use items::Item;
pub(crate) use items::Kept;
use table::Table;

/// How many parts have tickets of their own.
const SHARDS: usize = 64;

/// See the module.
pub(crate) struct Level {
    /// Those that things are read over: one to each server.
    lanes: Mutex<Vec<Weak<Lane>>>,
    /// In ns.
    delta: u64,
    /// Whether anybody has ever asked for a ticket.
    is_used: AtomicBool,
    shards: [Mutex<Shard>; SHARDS],
    /// Made for the first one that is kept.
    table: OnceLock<Table>,
    /// How many it has room for.
    bytes: u64,
    drops: Drops,
}

impl Level {
    /// An empty one with room for so many `bytes`, which serves nothing for longer than `delta` after its
    /// horizon.
    pub(crate) fn new(bytes: u64, delta: Duration) -> Arc<Self> {
        Arc::new(Self {
            lanes: Mutex::default(),
            delta: ns(delta),
            is_used: AtomicBool::new(false),
            shards: [const { Mutex::new(Shard { drops: 0 }) }; SHARDS],
            table: OnceLock::new(),
            bytes,
            drops: Drops::default(),
        })
    }

    /// The entry under `key`, if it was read less than `local` ago and may be served `now`.
    #[inline]
    pub(crate) fn entry(&self, key: &str, local: Duration, now: Moment) -> Option<Held> {
        let held = self.table.get()?.entry(key, now)?;
        self.lasts(held.item(), local, now).then_some(held)
    }

    /// The same of a generation.
    pub(crate) fn generation(&self, tag: &str, local: Duration, now: Moment) -> Option<Generation> {
        let item = self.table.get()?.get(tag)?;
        match item.kept {
            Kept::Generation(generation) if self.lasts(&item, local, now) => Some(generation),
            _ => None,
        }
    }

    #[inline]
    fn lasts(&self, item: &Item, local: Duration, now: Moment) -> bool {
        item.life.as_ref().is_some_and(|(lane, life)| {
            now.ns_since(life.sent) < ns(local)
                && life.lasts(&AllRules, &link_of(lane), now, self.delta)
        })
    }

    /// What a read notes before it asks the store, which notes the era before it sends the command.
    pub(crate) fn ticket(&self, key: &str) -> Shard {
        // Before: whoever sees nothing of it was answered before the command is sent.
        self.is_used.store(true, Ordering::SeqCst);
        *self.shard(key).lock()
    }

    /// Keeps what was read, has `rest` to live in the store, and is served for `local` at most; unless its ticket
    /// is void.
    pub(crate) fn keep(
        &self,
        key: &str,
        then: Shard,
        (seen, local): (&Seen, Duration),
        kept: Kept,
        rest: Duration,
    ) {
        let ticket = Ticket {
            era: seen.era,
            drops: then.drops,
        };
        let shard = self.shard(key).lock();
        let link = link_of(&seen.lane);
        let gone = shard
            .keeps(&AllRules, &link, ticket, Origin::Read)
            .then(|| {
                let life = Life::new(&AllRules, &link, seen.sent, ns(local), ns(rest));
                let life = Some((Arc::clone(&seen.lane), life));
                self.insert(Item::new(key, kept, life))
            });
        drop(shard);
        // Values are of users, who may do anything when they are dropped.
        drop(gone);
    }

    /// The entry that is kept under `key`, whether or not it may be served.
    pub(crate) fn known(&self, key: &str) -> Option<Arc<Live>> {
        self.table.get()?.get(key)?.live().cloned()
    }

    /// Lets `live` share the decoded value of the same entry, if that is kept; it may lie there for longer than
    /// it is served.
    pub(crate) fn share(&self, key: &str, live: &mut Live) -> bool {
        let same = |kept: &Arc<Live>| kept.header.token == live.header.token;
        let kept = self.known(key).filter(same);
        kept.map(|kept| live.decoded.clone_from(&kept.decoded))
            .is_some()
    }

    /// Lets `live`, which the store has just shown, share its decoded value with those who find it later.
    /// Whoever does has been shown the same token, so this needs no ticket.
    pub(crate) fn share_on(&self, key: &str, live: &mut Live) {
        if !self.share(key, live) {
            let kept = Kept::entry(live);
            self.is_used.store(true, Ordering::SeqCst);
            let shard = self.shard(key).lock();
            let gone = self.insert(Item::new(key, kept, None));
            drop(shard);
            drop(gone);
        }
    }

    /// Gives what had to go; under the lock of the shard.
    fn insert(&self, item: Item) -> [Vec<Arc<Item>>; 2] {
        let table = self.table.get_or_init(|| Table::new(self.bytes));
        let item = Arc::new(item);
        let gone = table.insert(&item);
        let refused = gone[0].iter().filter(|gone| gone.key == item.key).count() as u64;
        self.drops.refused(refused);
        self.drops.evicted(gone[0].len() as u64 - refused);
        gone
    }

    fn shard(&self, key: &str) -> &Mutex<Shard> {
        &self.shards[xxh3_64(key.as_bytes()) as usize % SHARDS]
    }

    /// Drops what `notice` of a key voids; how many.
    fn hear(&self, notice: Notice<&str>) -> u64 {
        match notice.voids(&AllRules) {
            Voids::Item(key) => self.drop_item(key),
            Voids::All | Voids::Nothing => 0,
        }
    }

    /// The same of one of a connection.
    fn hear_of(&self, lane: &Lane, notice: Notice<&str>) -> u64 {
        if notice.voids(&AllRules) != Voids::All {
            return 0;
        }
        change(lane, Link::void);
        self.drop_those(|item| item.is_of(lane))
    }

    fn drop_item(&self, key: &str) -> u64 {
        if !self.is_used.load(Ordering::SeqCst) {
            return 0;
        }
        let dropped = {
            let mut shard = self.shard(key).lock();
            shard.void();
            self.table.get().and_then(|table| table.remove(key))
        };
        discard(dropped.into_iter().collect())
    }

    /// What was asked for meanwhile may be among them, too.
    fn drop_all_if(&self, is_gone: impl Fn(&str) -> bool) -> u64 {
        self.shards.iter().for_each(|shard| shard.lock().void());
        self.drop_those(|item| is_gone(&item.key))
    }

    fn drop_those(&self, is_gone: impl Fn(&Item) -> bool) -> u64 {
        let table = self.table.get();
        discard(table.map_or_else(Vec::new, |table| table.take(is_gone)))
    }

    /// The oldest one.
    fn horizon(&self) -> Option<Moment> {
        let lanes = self.lanes.lock();
        lanes
            .iter()
            .filter_map(|lane| lane.upgrade()?.seen().1)
            .min()
    }

    pub(crate) fn stats(&self) -> LocalStats {
        let (entries, bytes) = self.table.get().map(Table::size).unwrap_or_default();
        LocalStats {
            entries,
            bytes,
            horizon: self.horizon().map(Moment::elapsed),
            ..self.drops.snapshot()
        }
    }
}

/// A connection, as hits see it.
#[inline]
fn link_of(lane: &Lane) -> Link<Moment> {
    let (era, horizon) = lane.seen();
    Link { era, horizon }
}

fn change(lane: &Lane, change: impl FnOnce(&mut Link<Moment>)) {
    lane.change(|(era, horizon)| {
        let mut link = Link { era, horizon };
        change(&mut link);
        (link.era, link.horizon)
    });
}

/// Drops values of users where a panic of theirs would end what serves all others, such as the task that keeps
/// the connection; how many.
fn discard<T>(values: Vec<T>) -> u64 {
    let count = values.len() as u64;
    // It has been reported by the hook.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(values)));
    count
}

impl Keeper for Level {
    fn opened(&self, lane: &Arc<Lane>) {
        let mut lanes = self.lanes.lock();
        lanes.retain(|lane| lane.strong_count() > 0);
        lanes.push(Arc::downgrade(lane));
    }

    fn changed(&self, key: &[u8]) {
        // Ours are text.
        if let Ok(key) = str::from_utf8(key) {
            self.drops.changed(self.hear(Notice::Changed(key)));
        }
    }

    fn flushed(&self, lane: &Lane) {
        self.drops.flushed(self.hear_of(lane, Notice::Flushed));
    }

    fn lost(&self, lane: &Lane) {
        self.drops.lost(self.hear_of(lane, Notice::Lost));
    }

    fn moved(&self, lane: &Lane) {
        self.drops.moved(self.hear_of(lane, Notice::Moved));
    }

    fn answered(&self, lane: &Lane, sent: Moment) {
        change(lane, |link| link.answered(&AllRules, sent, Moment::now()));
    }

    fn replaced(&self, key: &str) {
        self.drops.replaced(self.hear(Notice::Confirmed(key)));
    }

    fn cleared(&self) {
        self.drops.replaced(self.drop_all_if(|_| true));
    }

    fn confirmed(&self, targets: &Targets) {
        let keys = targets.keys.iter();
        let dropped: u64 = keys.map(|key| self.hear(Notice::Confirmed(key))).sum();
        let matches = |key: &str| targets.patterns.iter().any(|pattern| pattern.matches(key));
        let matching = match targets.patterns.is_empty() {
            true => 0,
            false => self.drop_all_if(matches),
        };
        self.drops.replaced(dropped + matching);
    }
}

#[cfg(test)]
mod tests;
