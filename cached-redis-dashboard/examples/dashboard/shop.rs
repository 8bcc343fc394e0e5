//! What a shop reads and writes, with a source that takes its time.

use std::sync::Arc;
use std::time::Duration;

use cached_redis::{invalidates, redis_cached};
use tokio::time::sleep;

/// Stands for a query: about so many milliseconds, and sometimes far more.
async fn query(millis: u64) {
    let slow = if fastrand::u8(..) == 0 { 6 } else { 1 };
    let millis = millis * slow * fastrand::u64(60..170) / 100;
    sleep(Duration::from_millis(millis)).await;
}

#[redis_cached(key = "article:<id>", ttl = "20s", local = "5s", tags = ["catalogue"])]
async fn article(id: u64) -> Arc<String> {
    query(12).await;
    Arc::new(format!(
        "article {id}, {}",
        "described at length. ".repeat(20)
    ))
}

#[redis_cached(key = "price:<article>", ttl = "30s", audit = 0.02)]
async fn price(article: u64) -> u64 {
    query(4).await;
    article * 100 + 99
}

#[redis_cached(
    key = "search:<words>:<page>",
    ttl = "8s",
    stale_while_revalidate = "10s"
)]
async fn search(words: String, page: u64) -> Vec<u64> {
    query(140).await;
    (page * 20..page * 20 + words.len() as u64).collect()
}

#[redis_cached(key = "recommended:<customer>", ttl = "6s", stale_if_error = "1m")]
async fn recommended(customer: u64) -> Result<Vec<u64>, String> {
    query(320).await;
    match fastrand::u8(..20) {
        0 => Err("the model did not answer".to_owned()),
        _ => Ok((customer..customer + 12).collect()),
    }
}

#[redis_cached(key = "basket:<customer>", ttl = "1m")]
async fn basket(customer: u64) -> Vec<u64> {
    query(9).await;
    vec![customer, customer + 1]
}

#[redis_cached(key = "permissions:<customer>", ttl = "5m")]
async fn permissions(customer: u64) -> Vec<String> {
    query(6).await;
    vec![format!("see orders of {customer}")]
}

#[redis_cached(key = "exchange-rate:<currency>", ttl = "2s")]
async fn exchange_rate(currency: String) -> f64 {
    query(60).await;
    currency.len() as f64 / 2.0
}

#[redis_cached(key = "yearly-report:<year>", ttl = "1d")]
async fn yearly_report(year: u16) -> Vec<u64> {
    query(900).await;
    (0..u64::from(year)).collect()
}

#[invalidates("basket:<customer>", publish)]
async fn put_into_basket(customer: u64) {
    query(5).await;
    let _ = customer;
}

#[invalidates("price:<article>", publish)]
async fn reprice(article: u64) {
    query(7).await;
    let _ = article;
}

#[invalidates("permissions:<customer>", guard)]
async fn grant(customer: u64) {
    query(5).await;
    let _ = customer;
}

#[invalidates(tag = "catalogue", publish)]
async fn import_catalogue() {
    query(200).await;
}

/// A customer who never leaves.
pub(crate) async fn visit(customer: u64) {
    const WORDS: [&str; 4] = ["teapot", "kettle", "cup and saucer", "tray"];
    loop {
        let article_id = (fastrand::u64(..60) * fastrand::u64(..60)) / 60;
        permissions(customer).await;
        article(article_id).await;
        price(article_id).await;
        basket(customer).await;
        match fastrand::u8(..100) {
            0..25 => drop(search(WORDS[fastrand::usize(..4)].to_owned(), fastrand::u64(..3)).await),
            25..45 => drop(recommended(customer).await),
            45..60 => drop(exchange_rate("EUR".to_owned()).await),
            60..70 => put_into_basket(customer).await,
            70..74 => reprice(article_id).await,
            74 => grant(customer).await,
            75 if fastrand::u8(..12) == 0 => import_catalogue().await,
            _ => {}
        }
        sleep(Duration::from_millis(fastrand::u64(20..120))).await;
    }
}

/// Once a year.
#[allow(dead_code, reason = "a function that is idle is shown as well")]
pub(crate) async fn close_the_year() {
    yearly_report(2025).await;
}
