//! Customers and clerks, all at once, through every door of the shop: in memory it has one, on Redis two processes.
//!
//! Each price that a page shows, new, kept by the browser, or unchanged by a 304, is compared with the newest change
//! that had returned when the request began. One that is older is stale.

mod client;
mod door;
mod floors;
mod people;
mod report;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::settings::Settings;
use crate::{Failed, db};

use door::Door;
use floors::Floors;
use people::Person;

const CLERKS: usize = 2;

/// What all of them count together.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: AtomicU64,
    pub(crate) unchanged: AtomicU64,
    pub(crate) prices: AtomicU64,
    pub(crate) changes: AtomicU64,
    pub(crate) orders: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) stale: AtomicU64,
}

pub(crate) struct World {
    pub(crate) doors: Vec<String>,
    pub(crate) floors: Floors,
    pub(crate) tally: Tally,
    /// By how much a product page may be late.
    pub(crate) staleness: Option<Duration>,
}

/// Opens the shop, sends people into it, and tells what came of it; `false` if that is bad.
pub(crate) async fn run(settings: &Settings, time: Duration) -> Result<bool, Failed> {
    let mut doors = vec![Door::here(settings).await?];
    if settings.redis != "memory://" {
        doors.push(Door::beside(settings).await?);
    }
    let world = Arc::new(World {
        doors: doors.iter().map(|door| door.url.clone()).collect(),
        floors: Floors::default(),
        tally: Tally::default(),
        staleness: settings.is_local.then_some(crate::settings::STALENESS),
    });
    let mut first = Person::enter(&world, "ada", "lovelace").await?;
    let products = first.learn_prices().await?;
    let clerks = enter(&world, (0..CLERKS).map(|_| ("ada".to_owned(), "lovelace"))).await?;
    let names = (1..=db::CUSTOMERS).map(|number| (format!("customer-{number}"), "kite"));
    let customers = enter(&world, names).await?;

    let began = Instant::now();
    let bar = tokio::spawn(progress(time));
    crowd(clerks, customers, &products, began + time).await?;
    bar.abort();
    let counted = report::Counted::of(&world.doors).await?;
    Ok(report::print(&world, &counted, began.elapsed()))
}

async fn enter(
    world: &Arc<World>,
    people: impl Iterator<Item = (String, &'static str)>,
) -> Result<Vec<Person>, Failed> {
    let mut entered = Vec::new();
    for (name, password) in people {
        entered.push(Person::enter(world, &name, password).await?);
    }
    Ok(entered)
}

/// All of them until the end; the first who fails ends it for all.
async fn crowd(
    clerks: Vec<Person>,
    customers: Vec<Person>,
    products: &[i64],
    end: Instant,
) -> Result<(), Failed> {
    let mut people = JoinSet::new();
    for (number, mut clerk) in clerks.into_iter().enumerate() {
        // Each product is changed by one clerk, so its prices come in an order.
        let own: Vec<_> = products
            .iter()
            .copied()
            .skip(number)
            .step_by(CLERKS)
            .collect();
        people.spawn(async move { clerk.work(&own, end).await });
    }
    for mut customer in customers {
        let products = products.to_vec();
        people.spawn(async move { customer.stroll(&products, end).await });
    }
    while let Some(done) = people.join_next().await {
        done??;
    }
    Ok(())
}

/// Shown on a terminal alone.
async fn progress(time: Duration) {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} s");
    let bar = ProgressBar::new(time.as_secs());
    let bar = bar.with_style(style.expect("a valid template"));
    loop {
        sleep(Duration::from_secs(1)).await;
        bar.inc(1);
    }
}
