//! What customers and clerks do, all at once, and the check of every single read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cached_redis::{CachedExt as _, Status};
use fastrand::Rng;
use indicatif::{ProgressBar, ProgressStyle};
use sqlx::Result;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::db::{AUTHORS, BOOKS_IN_THE_END, GENRES, book_ref};
use crate::model::{Subject, Versioned, Written};
use crate::shop::Shop;

const PEOPLE: u64 = 64;
const OPERATIONS_EACH: u64 = 150;
/// The longest that somebody thinks between two operations, in microseconds.
const PAUSE: u64 = 20_000;

/// Cheap to clone; all clones count together.
#[derive(Clone)]
pub(crate) struct Traffic {
    shop: Shop,
    floors: Arc<Floors>,
    tally: Arc<Mutex<HashMap<&'static str, Tally>>>,
    bar: ProgressBar,
}

/// How the reads of one function went.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) calls: u64,
    pub(crate) hits: u64,
    /// Answered by a load that somebody else had begun.
    pub(crate) joined: u64,
    pub(crate) hit_time: Duration,
    pub(crate) miss_time: Duration,
    pub(crate) stale: u64,
}

/// The newest version of everything whose write has returned, invalidation included. No read that
/// starts from then on may answer with an older one.
#[derive(Default)]
struct Floors(Mutex<HashMap<Subject, i64>>);

impl Floors {
    fn of(&self, subject: Subject) -> i64 {
        self.0.lock().unwrap().get(&subject).copied().unwrap_or(0)
    }

    fn raise(&self, written: &Written) {
        let mut floors = self.0.lock().unwrap();
        for (subject, version) in written {
            let floor = floors.entry(*subject).or_default();
            *floor = (*floor).max(*version);
        }
    }
}

impl Traffic {
    pub(crate) fn new(shop: Shop) -> Self {
        let style =
            ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} operations, {eta} left")
                .expect("a valid template");
        let bar = ProgressBar::new(PEOPLE * OPERATIONS_EACH).with_style(style);
        Self {
            shop,
            floors: Arc::default(),
            tally: Arc::default(),
            bar,
        }
    }

    /// Opens the shop, and returns how long it took until everybody had left: when they have done what they came
    /// for, or after this time.
    pub(crate) async fn run(&self, time: Option<Duration>) -> Result<Duration> {
        let started = Instant::now();
        let mut people = JoinSet::new();
        for person in 0..PEOPLE {
            let traffic = self.clone();
            let leaves = move |operations| match time {
                Some(time) => started.elapsed() >= time,
                None => operations >= OPERATIONS_EACH,
            };
            people.spawn(async move { traffic.visit(Rng::with_seed(person), leaves).await });
        }
        while let Some(left) = people.join_next().await {
            left.expect("nobody panics")?;
        }
        self.bar.finish_and_clear();
        Ok(started.elapsed())
    }

    /// The functions that were read, by name, and the total.
    pub(crate) fn tallies(&self) -> (Vec<(&'static str, Tally)>, Tally) {
        let mut rows: Vec<_> = self
            .tally
            .lock()
            .unwrap()
            .iter()
            .map(|(name, tally)| (*name, *tally))
            .collect();
        rows.sort_by_key(|(name, _)| *name);
        let total = rows.iter().fold(Tally::default(), |sum, (_, row)| Tally {
            calls: sum.calls + row.calls,
            hits: sum.hits + row.hits,
            joined: sum.joined + row.joined,
            hit_time: sum.hit_time + row.hit_time,
            miss_time: sum.miss_time + row.miss_time,
            stale: sum.stale + row.stale,
        });
        (rows, total)
    }

    async fn visit(&self, mut rng: Rng, leaves: impl Fn(u64) -> bool) -> Result<()> {
        let mut operations = 0;
        while !leaves(operations) {
            operations += 1;
            sleep(Duration::from_micros(rng.u64(0..PAUSE))).await;
            match rng.u32(0..100) {
                0..8 => self.write(&mut rng).await?,
                _ => self.read(&mut rng).await?,
            }
            self.bar.inc(1);
        }
        Ok(())
    }

    /// Customers look around.
    async fn read(&self, rng: &mut Rng) -> Result<()> {
        let (shop, id) = (&self.shop, some_book(rng));
        match rng.u32(0..100) {
            0..40 => self.check("book", Subject::Book(id), shop.book(id)).await,
            40..65 => {
                self.check("stock", Subject::Stock(id), shop.stock(id))
                    .await
            }
            65..80 => {
                self.check("rating", Subject::Rating(id), shop.rating(id))
                    .await
            }
            80..90 => {
                let author = rng.i64(1..=AUTHORS);
                self.check("books_by", Subject::Shelf(author), shop.books_by(author))
                    .await
            }
            _ => {
                let genre = rng.i64(1..=GENRES);
                self.check(
                    "bestsellers",
                    Subject::Chart(genre),
                    shop.bestsellers(genre),
                )
                .await
            }
        }
    }

    /// Customers buy, clerks clear up.
    async fn write(&self, rng: &mut Rng) -> Result<()> {
        let (shop, book) = (&self.shop, book_ref(some_book(rng)));
        let title = format!("Volume {}, edition {}", book.id, rng.u16(..));
        let written = match rng.u32(0..100) {
            0..40 => shop.sell(book).await?,
            40..55 => {
                let stock = shop.restock(book.id, rng.i64(1..10)).await?;
                vec![(Subject::Stock(book.id), stock.version)]
            }
            55..60 => shop.exchange(some_book(rng), book.id).await?,
            60..85 => shop.review(book.id, rng.i64(1..=5)).await?,
            85..95 => shop.rename(book, &title).await?,
            _ => shop.publish(book, &title).await?,
        };
        self.floors.raise(&written);
        Ok(())
    }

    /// One cached read: how the cache answered, how long it took, and whether the value is older
    /// than it may be.
    async fn check<T: Versioned>(
        &self,
        name: &'static str,
        subject: Subject,
        read: impl Future<Output = Result<T>>,
    ) -> Result<()> {
        let floor = self.floors.of(subject);
        let started = Instant::now();
        let (value, info) = read.with_info().await;
        let took = started.elapsed();
        let version = value?.version();

        let mut tally = self.tally.lock().unwrap();
        let row = tally.entry(name).or_default();
        row.calls += 1;
        row.stale += u64::from(version < floor);
        match info.status() {
            Status::Hit => {
                row.hits += 1;
                row.hit_time += took;
            }
            Status::Joined => row.joined += 1,
            _ => row.miss_time += took,
        }
        Ok(())
    }
}

/// Some books are asked for far more often than others, and some before they exist.
fn some_book(rng: &mut Rng) -> i64 {
    let popular = rng.f64().powi(3);
    1 + (popular * BOOKS_IN_THE_END as f64) as i64
}
