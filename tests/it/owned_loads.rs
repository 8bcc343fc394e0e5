//! Functions whose loads go on without their callers: what they can be, and that they are still
//! what they were.

use std::borrow::Cow;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cached_redis::{Cache, redis_cached};

use crate::support::{Source, World, eventually, filled};

/// The copies that were made of it.
static COPIES: AtomicUsize = AtomicUsize::new(0);

#[derive(Debug)]
struct Counted(u64);

impl Clone for Counted {
    fn clone(&self) -> Self {
        COPIES.fetch_add(1, Ordering::SeqCst);
        Self(self.0)
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "owned:copies:<id>",
    skip(counted)
)]
async fn copied(counted: &Counted, id: u64) -> u64 {
    counted.0 + id
}

const FACTOR: u64 = 10;

#[derive(Clone)]
struct Shop {
    prices: Vec<u64>,
    source: Source,
}

impl Shop {
    const DISCOUNT: u64 = 1;

    #[redis_cached(
        ttl = 0.05,
        jitter = 0.0,
        stale_while_revalidate = 600,
        key = "owned:shop:<name>"
    )]
    async fn price(&self, name: &str) -> Result<u64, String> {
        const LOCAL: u64 = 1;
        let version = self.source.load().await;
        let index: usize = name.parse().map_err(|_| format!("{name} is no number"))?;
        let Some(price) = self.prices.get(index) else {
            return Err(format!("{} prices", self.prices.len()));
        };
        let sum = async { [*price, version].iter().sum::<u64>() }.await;
        Ok(self::FACTOR * sum - Self::DISCOUNT + LOCAL)
    }

    #[redis_cached(ttl = 0.05, jitter = 0.0, refresh_ahead = 0.5, key = "owned:arc:<id>")]
    async fn by_arc(self: Arc<Self>, id: usize) -> u64 {
        self.prices[id]
    }

    #[redis_cached(
        ttl = 0.05,
        jitter = 0.0,
        refresh_ahead = 0.5,
        key = "owned:ref-arc:<id>"
    )]
    async fn by_borrowed_arc(self: &Arc<Self>, id: usize) -> u64 {
        Arc::clone(self).by_arc(id).await
    }

    #[redis_cached(ttl = 0.05, jitter = 0.0, early_expiry = 1.0, key = "owned:value:<id>")]
    async fn by_value(self, id: usize) -> u64 {
        self.prices[id]
    }

    #[redis_cached(ttl = 60, refresh_ahead = 0.5, key = "owned:associated:<id>")]
    async fn associated(mut id: u64) -> u64 {
        id += Self::DISCOUNT;
        id
    }
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    soft_timeout = 10,
    key = "owned:mixed:<a>:<b>:<text>:<part>",
    skip(T, shown, list, cow)
)]
async fn mixed<T: Display + Clone + Send + Sync + 'static>(
    (a, b): (u64, u64),
    text: String,
    part: &T,
    shown: impl Display + Send + 'static,
    list: &[u64],
    cow: Cow<'static, str>,
) -> Result<String, String> {
    let _: (&T, &[u64]) = (part, list);
    Ok(format!(
        "{a} {b} {text} {part} {shown} {} {cow}",
        list.len()
    ))
}

#[redis_cached(ttl = 60, refresh_ahead = 0.5, key = "owned:inner:<id>", unless = *result == 7)]
async fn with_items(id: &u64) -> u64 {
    fn double(id: &u64) -> u64 {
        id * 2
    }
    (0..1).map(|_| double(id)).sum()
}

fn shop(source: &Source) -> Shop {
    Shop {
        prices: vec![3, 5],
        source: source.clone(),
    }
}

async fn cache() -> Cache {
    World::in_memory().cache().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_keeps_its_self_its_early_returns_and_its_constants() {
    let (cache, source) = (cache().await, Source::new());
    let shop = shop(&source);
    let price = async |name: &str| cache.scope(shop.price(name)).await;
    assert_eq!(price("1").await, Ok(60));
    assert_eq!(price("7").await, Err("2 prices".to_owned()));
    assert_eq!(price("x").await, Err("x is no number".to_owned()));
    filled(&cache, 1).await;
    source.write();
    let new = async || price("1").await == Ok(70);
    eventually("the price that was loaded behind", new).await;
}

#[tokio::test]
async fn every_receiver_and_argument_can_be_owned() {
    let cache = cache().await;
    let shop = Arc::new(shop(&Source::new()));
    cache
        .scope(async {
            assert_eq!(Arc::clone(&shop).by_arc(0).await, 3);
            assert_eq!(shop.by_borrowed_arc(1).await, 5);
            assert_eq!((*shop).clone().by_value(1).await, 5);
            assert_eq!(Shop::associated(1).await, 2);
            assert_eq!(with_items(&4).await, 8);
            let text = || "text".to_owned();
            let mixed = mixed((1, 2), text(), &'c', 1.5, &[1, 2], Cow::Borrowed("cow"));
            assert_eq!(mixed.await.unwrap(), "1 2 text c 1.5 2 cow");
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_borrowed_is_copied_for_a_load_only() {
    let cache = cache().await;
    let counted = Counted(1);
    let copies = || COPIES.load(Ordering::SeqCst);
    assert_eq!(cache.scope(copied(&counted, 1)).await, 2);
    filled(&cache, 1).await;
    assert_eq!(copies(), 1, "a miss loads from a copy");
    let renewed = async || {
        cache.scope(copied(&counted, 1)).await;
        cache.stats().total().renewals >= 1
    };
    eventually("a load behind", renewed).await;
    let stats = cache.stats().total();
    assert!(
        copies() as u64 <= stats.misses + stats.renewals + 1,
        "{stats:?}"
    );
}

#[test]
fn futures_of_such_functions_are_send_and_their_callers_need_not_be() {
    fn send<T: Send>(_: &T) {}
    let source = Source::new();
    let shop = shop(&source);
    send(&shop.price("1"));
    send(&copied(&Counted(1), 1));
    send(&with_items(&1));
    let local = Rc::new(());
    drop((local, shop.price("1")));
}
