//! What is told aloud, and once.

use cached_redis_postgres::{Feed, FeedState};
use tracing::Level;

use crate::support::{Log, Shop, eventually};

#[tokio::test]
async fn an_outage_is_told_aloud_once() {
    let (log, _guard) = Log::collect();
    let mut shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.postgres.crash();
    let again = async || log.count(Level::DEBUG, "still cannot be followed") >= 2;
    eventually("two further attempts", again).await;
    assert_eq!(feed.stats().state, FeedState::Connecting);
    let told = log.count(Level::WARN, "the database cannot be followed");
    assert_eq!(told, 1, "{}", log.text());
}

#[tokio::test]
async fn the_first_message_that_is_refused_is_told_aloud_and_the_others_are_counted() {
    let (log, _guard) = Log::collect();
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    for _ in 0..3 {
        let odd = "SELECT pg_logical_emit_message(true, 'cached_redis', 'nonsense')";
        shop.postgres.run(odd).await;
        shop.settle(&feed).await;
    }
    assert_eq!(feed.stats().malformed_messages, 3);
    let told = log.count(Level::WARN, "a message of the database was refused");
    assert_eq!(told, 1, "{}", log.text());
}

#[tokio::test]
async fn a_log_that_may_fill_the_disk_is_told_aloud() {
    let (log, _guard) = Log::collect();
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    for (limit, times) in [("64MB", 0), ("-1", 1)] {
        let set = format!("max_slot_wal_keep_size = '{limit}'");
        shop.postgres.set(&set).await;
        let feed = Feed::builder(shop.postgres.url()).start(&cache).await;
        let feed = feed.unwrap();
        let known = async || feed.stats().retained_wal_bytes.is_some();
        eventually("the size of the log", known).await;
        let told = log.count(Level::WARN, "max_slot_wal_keep_size is not set");
        assert_eq!(told, times, "{}", log.text());
    }
}
