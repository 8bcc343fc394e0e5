//! One load per key in this process.
//!
//! Two rules keep a shared result as fresh as an own load (o2, o3 and n7 of the model):
//!
//! * A [`Flight`] hands its result only to readers that joined **before its fill was sent**, and
//!   only if that **fill won**: the lease stood from before the load until the fill, so no
//!   invalidation ran in between.
//! * A reader that comes later waits for the fill to end and then looks for itself.
//!
//! Nobody waits for a load that is older than the wait budget: whoever leads it may be kept and never
//! polled again, and would then cost each later caller a budget of its own.
//!
//! Loads without a lease follow another rule: see [`bypass`](crate::protocol::bypass).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::protocol::progress::{Joined, Landing, Led};
use crate::util::keyed::Keyed;
use crate::util::sync::{AtomicUsize, Mutex, MutexGuard};

/// A reader's place in somebody else's flight.
pub(crate) struct Seat {
    pub(crate) joined: Joined,
    /// Whether the load was still running when this reader joined.
    pub(crate) loads: bool,
    /// Whether its result may be this reader's.
    pub(crate) shares: bool,
}

impl Seat {
    pub(crate) async fn landing_within(self, budget: Duration) -> Option<Landing> {
        let mut begins = self.joined.begins();
        loop {
            if let Ok(landing) = timeout_at(begins + budget, self.landing()).await {
                return Some(landing);
            }
            // It may have begun since, of which those who joined are not told.
            let later = self.joined.begins();
            if later <= begins {
                return None;
            }
            begins = later;
        }
    }

    /// Waits for the flight to end.
    pub(crate) async fn landing(&self) -> Landing {
        let landing = self.joined.landed().await;
        landing.unwrap_or(Landing::Again).shared_if(self.shares)
    }
}

/// The result of asking for the lead of a key.
pub(crate) enum Place<L> {
    /// Nobody else here is after this key.
    Lead(L),
    /// Somebody is; this is the seat beside them.
    Seat(Seat),
}

/// The flights of one cache, by key.
pub(crate) struct Flights {
    shards: Box<[Mutex<Shard>]>,
    hasher: Keyed,
    /// Flights in the air: lets a hit pass without taking a lock.
    count: AtomicUsize,
}

type Shard = HashMap<Arc<str>, Open, Keyed>;

struct Open {
    joined: Joined,
    joinable: bool,
    /// The tags for which the result is checked before it is shared.
    cover: u64,
    /// Whether an entry stands meanwhile that a reader may have to fall back on: it looks first.
    beside: bool,
}

impl Flights {
    pub(crate) fn new() -> Arc<Self> {
        let hasher = Keyed::default();
        let shard = || Mutex::new(HashMap::with_hasher(hasher));
        Arc::new(Self {
            shards: (0..64).map(|_| shard()).collect(),
            hasher,
            count: AtomicUsize::new(0),
        })
    }

    /// A seat in the flight of `key`, if there is one that needs no look first, for a reader whose tags
    /// are told apart by `cover`.
    pub(crate) fn join(&self, key: &str, cover: impl FnOnce() -> u64) -> Option<Seat> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let shard = self.shard(key);
        let open = shard.get(key).filter(|open| !open.beside);
        open.map(|open| open.seat(cover()))
    }

    /// The lead of `key`, or a seat beside whoever has it. To be called only after the reader's own
    /// look-up missed: a hit that was seen before a reader came must not be shared with it.
    pub(crate) fn enter(self: &Arc<Self>, key: &str, cover: u64) -> Place<Flight> {
        self.take(key, cover, false)
    }

    /// The same for a reader that holds a value past its TTL. Those who come later look for that
    /// value too before they wait, since waiting may be in vain.
    pub(crate) fn enter_beside(self: &Arc<Self>, key: &str, cover: u64) -> Place<Flight> {
        self.take(key, cover, true)
    }

    fn take(self: &Arc<Self>, key: &str, cover: u64, beside: bool) -> Place<Flight> {
        let key: Arc<str> = key.into();
        match self.shard(&key).entry(Arc::clone(&key)) {
            Entry::Occupied(open) => Place::Seat(open.get().seat(cover)),
            Entry::Vacant(vacant) => {
                let led = Led::new(Instant::now());
                vacant.insert(Open {
                    joined: led.joined(),
                    joinable: true,
                    cover,
                    beside,
                });
                self.count.fetch_add(1, Ordering::Release);
                Place::Lead(Flight {
                    flights: Arc::clone(self),
                    key,
                    led,
                })
            }
        }
    }

    /// Lets nobody else join the flight of `key`: its load is older than an invalidation that was
    /// made here. Its fill would be refused anyway; this spares newcomers the wait.
    pub(crate) fn abandon(&self, key: &str) {
        if self.count.load(Ordering::Acquire) > 0 && self.shard(key).remove(key).is_some() {
            self.count.fetch_sub(1, Ordering::Release);
        }
    }

    /// The same for each of `keys`.
    pub(crate) fn abandon_all(&self, keys: &[String]) {
        keys.iter().for_each(|key| self.abandon(key));
    }

    /// The same for each key of which `outdated` says so.
    pub(crate) fn abandon_if(&self, outdated: impl Fn(&str) -> bool) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for shard in &self.shards {
            let mut shard = shard.lock();
            let before = shard.len();
            shard.retain(|key, _| !outdated(key));
            self.count
                .fetch_sub(before - shard.len(), Ordering::Release);
        }
    }

    fn shard(&self, key: &str) -> MutexGuard<'_, Shard> {
        // The table in it goes by the other end of the hash.
        let shard = (self.hasher.hash_one(key) >> 32) as usize % self.shards.len();
        // A map of plain data is whole after every statement, so a panic elsewhere is no reason to stop.
        self.shards[shard].lock()
    }
}

impl Open {
    fn seat(&self, cover: u64) -> Seat {
        Seat {
            joined: self.joined.clone(),
            loads: self.joinable,
            shares: self.joinable && self.cover == cover,
        }
    }
}

/// The lead of one key in this process. Dropping it lets everyone who joined start over.
pub(crate) struct Flight {
    flights: Arc<Flights>,
    key: Arc<str>,
    led: Led,
}

impl Flight {
    /// Its load begins now: it has waited for other processes until then.
    pub(crate) fn begin(&self) {
        self.led.begin();
    }

    /// Closes the flight for joiners; must come before the fill is sent.
    pub(crate) fn close(&self) {
        // They wait for the fill now, whose time is its own.
        self.begin();
        if let Some(open) = self.own(&mut self.flights.shard(&self.key)) {
            open.joinable = false;
        }
    }

    /// Whether anybody sits in it. Nobody gets a seat while this is looked at.
    pub(crate) fn is_joined(&self) -> bool {
        let mut shard = self.flights.shard(&self.key);
        let on_board = usize::from(self.own(&mut shard).is_some());
        self.led.joins() > on_board
    }

    /// Ends the flight.
    pub(crate) fn land(self, landing: Landing) {
        self.leave();
        self.led.land(landing);
    }

    /// This flight's place on the board, unless it was abandoned and another one stands there.
    fn own<'a>(&self, shard: &'a mut Shard) -> Option<&'a mut Open> {
        shard
            .get_mut(&self.key)
            .filter(|open| self.led.is(&open.joined))
    }

    fn leave(&self) {
        let mut shard = self.flights.shard(&self.key);
        if self.own(&mut shard).is_some() {
            shard.remove(&self.key);
            self.flights.count.fetch_sub(1, Ordering::Release);
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod schedules;
