//! What people do in the shop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::client::{Answer, Client};
use super::floors::Verdict;
use super::{Failed, World};
use crate::pages::amount;

pub(crate) struct Person {
    client: Client,
    world: Arc<World>,
}

/// Which prices a page reads.
#[derive(Clone, Copy)]
enum Read {
    /// Those that are paid, and all others by which the promise is to the letter.
    Exactly,
    /// Those that may come from process memory.
    Nearby,
}

impl Person {
    /// Signs in.
    pub(crate) async fn enter(
        world: &Arc<World>,
        name: &str,
        password: &str,
    ) -> Result<Self, Failed> {
        let mut person = Self {
            client: Client::new(),
            world: Arc::clone(world),
        };
        let form = [("name", name), ("password", password)];
        person.send(&world.doors[0], "/sign-in", &form, 303).await?;
        Ok(person)
    }

    /// Every product, each with the price below which it will not be.
    pub(crate) async fn learn_prices(&mut self) -> Result<Vec<i64>, Failed> {
        let mut products = Vec::new();
        for number in 1..=crate::goods::GOODS.len() as i64 {
            let (_, page) = self.look(&format!("/products/{number}")).await?;
            for (product, cents) in prices(&page.body) {
                self.world.floors.raise(product, cents);
                products.push(product);
            }
        }
        Ok(products)
    }

    /// A clerk: raises a price, and looks whether the shop shows it.
    pub(crate) async fn work(&mut self, products: &[i64], end: Instant) -> Result<(), Failed> {
        while Instant::now() < end {
            let product = pick(products);
            let cents = self.world.floors.at(product, Instant::now()) + fastrand::i64(1..10);
            let form = [("price", &*amount(cents)), ("delivered", "1")];
            let (door, path) = (self.door(), format!("/admin/products/{product}"));
            self.send(&door, &path, &form, 303).await?;
            self.world.floors.raise(product, cents);
            count(&self.world.tally.changes);
            self.read(&format!("/products/{product}"), Read::Nearby)
                .await?;
            think(30).await;
        }
        Ok(())
    }

    /// A customer: looks around, and buys at times.
    pub(crate) async fn stroll(&mut self, products: &[i64], end: Instant) -> Result<(), Failed> {
        while Instant::now() < end {
            let product = pick(products);
            match fastrand::u8(0..100) {
                0..50 => {
                    self.read(&format!("/products/{product}"), Read::Nearby)
                        .await?;
                }
                50..75 => self.read(pick(&SHELVES), Read::Exactly).await?,
                75..85 => self.read("/", Read::Exactly).await?,
                85..92 => self.read("/cart", Read::Exactly).await?,
                92..97 => self.put(product).await?,
                _ => self.order().await?,
            }
            think(10).await;
        }
        Ok(())
    }

    async fn put(&mut self, product: i64) -> Result<(), Failed> {
        let (door, product) = (self.door(), product.to_string());
        self.send(&door, "/cart", &[("product", &product)], 303)
            .await
    }

    /// That something is sold out, or nothing in the cart, happens.
    async fn order(&mut self) -> Result<(), Failed> {
        let door = self.door();
        match self.client.post(&door, "/orders", &[]).await?.status {
            303 => count(&self.world.tally.orders),
            409 => {}
            status => return Err(format!("an order is answered {status}").into()),
        }
        count(&self.world.tally.requests);
        Ok(())
    }

    async fn send(
        &mut self,
        door: &str,
        path: &str,
        form: &[(&str, &str)],
        status: u16,
    ) -> Result<(), Failed> {
        let answer = self.client.post(door, path, form).await?;
        count(&self.world.tally.requests);
        match answer.status == status {
            true => Ok(()),
            false => Err(format!("{path} is answered {}", answer.status).into()),
        }
    }

    /// Looks at a page and judges each price on it.
    async fn read(&mut self, path: &str, read: Read) -> Result<(), Failed> {
        let asked = Instant::now();
        let (url, page) = self.look(path).await?;
        let (floors, tally) = (&self.world.floors, &self.world.tally);
        let staleness = self
            .world
            .staleness
            .filter(|_| matches!(read, Read::Nearby));
        for price in prices(&page.body) {
            count(&tally.prices);
            match floors.judge(price, asked, staleness) {
                Verdict::Right => {}
                Verdict::Late => count(&tally.late),
                Verdict::Stale => {
                    count(&tally.stale);
                    tracing::error!(%url, status = page.status, product = price.0, cents = price.1, "a stale price");
                }
            }
        }
        Ok(())
    }

    async fn look(&mut self, path: &str) -> Result<(String, Answer), Failed> {
        let url = format!("{}{path}", self.door());
        let answer = self.client.get(&url).await?;
        count(&self.world.tally.requests);
        match answer.status {
            200 => {}
            304 => count(&self.world.tally.unchanged),
            status => return Err(format!("{path} is answered {status}").into()),
        }
        Ok((url, answer))
    }

    fn door(&self) -> String {
        pick(&self.world.doors)
    }
}

const SHELVES: [&str; 5] = [
    "/shelves/tea",
    "/shelves/tea?page=1",
    "/shelves/pots",
    "/shelves/cups",
    "/shelves/tools",
];

fn pick<T: Clone>(from: &[T]) -> T {
    from[fastrand::usize(0..from.len())].clone()
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Up to so many milliseconds.
async fn think(most: u64) {
    sleep(Duration::from_micros(fastrand::u64(0..most * 1000))).await;
}

/// The prices on a page, each with its product.
pub(crate) fn prices(page: &str) -> Vec<(i64, i64)> {
    let price = |rest: &str| {
        let (product, rest) = rest.split_once('"')?;
        let cents = rest.split_once("value=\"")?.1.split_once('"')?.0;
        Some((product.parse().ok()?, cents.parse().ok()?))
    };
    page.split("data-product=\"")
        .skip(1)
        .filter_map(price)
        .collect()
}
