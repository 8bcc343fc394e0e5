use std::sync::atomic::Ordering::SeqCst;

use shuttle::future::{block_on, spawn};
use shuttle::thread;

use super::*;
use crate::util::sync::explore::{Sometimes, explore};
use crate::util::sync::fake::{Slot, Source, Store, decoded, encoded};

const KEY: &str = "k";

/// One process, in small.
struct Scene {
    flights: Arc<Flights>,
    store: Store,
    source: Source,
}

impl Scene {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            flights: Flights::new(),
            store: Store::default(),
            source: Source::default(),
        })
    }

    /// Nobody hangs, since the exploration ends, and what readers get is fresh.
    async fn read(self: Arc<Self>) {
        let floor = self.source.floor();
        let got = self.find().await;
        assert!(got >= floor, "got {got}, loaded before {floor} was written");
    }

    async fn find(&self) -> u64 {
        loop {
            let seat = match self.flights.join(KEY, || 0) {
                Some(seat) => seat,
                None => {
                    if let Slot::Value(value) = self.store.get() {
                        return value;
                    }
                    match self.flights.enter(KEY, 0) {
                        Place::Seat(seat) => seat,
                        Place::Lead(flight) => match self.lead(flight) {
                            Some(value) => return value,
                            None => continue,
                        },
                    }
                }
            };
            if let Landing::Shared(entry) = seat.landing().await {
                SHARED.seen();
                return decoded(&entry);
            }
        }
    }

    fn lead(&self, flight: Flight) -> Option<u64> {
        let Ok(token) = self.store.acquire() else {
            // The flight before this one was abandoned, and its lease still stands.
            drop(flight);
            thread::yield_now();
            return None;
        };
        let value = self.source.load();
        flight.close();
        let won = self.store.fill(token, value);
        flight.land(match won {
            true => Landing::Shared(encoded(value)),
            false => {
                REFUSED.seen();
                Landing::Again
            }
        });
        Some(value)
    }

    /// A leader whose caller goes away.
    fn give_up(&self) {
        if let Place::Lead(_flight) = self.flights.enter(KEY, 0)
            && let Ok(token) = self.store.acquire()
        {
            self.source.load();
            self.store.release(token);
        }
    }

    fn write_here(&self) {
        let version = self.source.commit();
        self.store.put(Slot::Nothing);
        self.flights.abandon(KEY);
        self.source.returned(version);
    }

    /// Of which the flights here learn nothing.
    fn write_elsewhere(&self) {
        let version = self.source.commit();
        self.store.put(Slot::Nothing);
        self.source.returned(version);
    }

    fn is_empty(&self) -> bool {
        self.flights.shard(KEY).is_empty() && self.flights.count.load(SeqCst) == 0
    }
}

static SHARED: Sometimes = Sometimes::new("a result is shared");
static REFUSED: Sometimes = Sometimes::new("a fill is refused");

#[test]
fn nobody_shares_a_result_that_is_older_than_an_invalidation_before_it_came() {
    explore(&[&SHARED, &REFUSED], || {
        let scene = Scene::new();
        let readers: Vec<_> = (0..3).map(|_| spawn(Arc::clone(&scene).read())).collect();
        let writing = Arc::clone(&scene);
        let writer = thread::spawn(move || {
            writing.write_elsewhere();
            block_on(Arc::clone(&writing).read());
        });
        readers
            .into_iter()
            .for_each(|reader| block_on(reader).unwrap());
        writer.join().unwrap();
        assert!(scene.is_empty());
    });
}

#[test]
fn those_who_joined_a_dropped_leader_go_on() {
    explore(&[], || {
        let scene = Scene::new();
        let readers: Vec<_> = (0..2).map(|_| spawn(Arc::clone(&scene).read())).collect();
        let others: Vec<_> = [Scene::give_up, Scene::write_here]
            .into_iter()
            .map(|act| {
                let scene = Arc::clone(&scene);
                thread::spawn(move || act(&scene))
            })
            .collect();
        readers
            .into_iter()
            .for_each(|reader| block_on(reader).unwrap());
        others.into_iter().for_each(|other| other.join().unwrap());
        assert!(scene.is_empty());
    });
}

#[test]
fn an_abandoned_flight_that_ends_leaves_its_successor_alone() {
    static LATER: Sometimes = Sometimes::new("the successor is there when it ends");
    explore(&[&LATER], || {
        let flights = Flights::new();
        let Place::Lead(first) = flights.enter(KEY, 0) else {
            unreachable!("nobody else is here");
        };
        flights.abandon(KEY);
        let ended = Arc::new(AtomicUsize::new(0));
        let ending = thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                first.land(Landing::Again);
                ended.fetch_add(1, SeqCst);
            }
        });
        let second = flights.enter(KEY, 0);
        assert!(matches!(second, Place::Lead(_)));
        if ended.load(SeqCst) == 0 {
            LATER.seen();
        }
        ending.join().unwrap();
        assert!(flights.join(KEY, || 0).is_some_and(|seat| seat.shares));
        assert!(matches!(flights.enter(KEY, 0), Place::Seat(_)));
        drop(second);
        assert_eq!(flights.count.load(SeqCst), 0);
    });
}
