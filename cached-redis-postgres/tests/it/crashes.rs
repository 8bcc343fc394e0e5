//! Whatever crashes, whenever: nothing that was committed stays old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cached_redis_postgres::{Feed, FeedState};

use crate::support::{Shop, UPDATE, eventually, in_time, streams, tier};

#[tokio::test]
async fn a_feed_that_dies_while_the_gate_holds_leaves_the_rest_to_the_next() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let commit = shop.commit_unseen().await;
    eventually("the gate", async || feed.stats().gate_waits > 0).await;
    drop(feed);
    let feed = shop.feed(&cache).await;
    eventually("the gate of the next", async || feed.stats().gate_waits > 0).await;
    assert_eq!(shop.read(&cache, 1).await, 0);
    shop.show(commit).await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
}

#[tokio::test]
async fn what_the_store_does_not_confirm_is_not_confirmed_to_the_slot() {
    let shop = Shop::open().await;
    let builder = shop.builder().deadline(Duration::from_millis(300));
    let cache = builder.build().await.unwrap();
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.settle(&feed).await;
    shop.redis.freeze();
    shop.postgres.run(UPDATE).await;
    let lsn = shop.lsn().await;
    eventually("two attempts", async || {
        feed.stats().deferred_invalidations > 1
    })
    .await;
    assert!(feed.stats().applied < Some(lsn));
    // The process dies, and with it its journal.
    drop((feed, cache));
    shop.redis.thaw();
    let other = shop.cache().await;
    let feed = shop.feed(&other).await;
    in_time(feed.wait_for(lsn)).await;
    assert_eq!(
        (shop.read(&other, 1).await, feed.stats().transactions),
        (1, 1)
    );
}

#[tokio::test]
async fn a_store_that_comes_back_is_told_what_it_missed() {
    let shop = Shop::open().await;
    let builder = shop.builder().deadline(Duration::from_millis(300));
    let cache = builder.build().await.unwrap();
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.redis.freeze();
    shop.postgres.run(UPDATE).await;
    eventually("an attempt", async || {
        feed.stats().deferred_invalidations > 0
    })
    .await;
    shop.redis.thaw();
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
}

#[tokio::test]
async fn a_feed_that_dies_before_everything_was_removed_begins_anew() {
    let mut shop = Shop::open().await;
    let builder = shop.builder().deadline(Duration::from_millis(300));
    let cache = builder.build().await.unwrap();
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.redis.run::<()>(&["SAVE"]);
    shop.redis.kill();
    let feed = Feed::builder(shop.postgres.url())
        .start(&cache)
        .await
        .unwrap();
    eventually("it tries to clear", async || {
        feed.stats().deferred_invalidations > 0
    })
    .await;
    assert_eq!(feed.stats().state, FeedState::Preparing);
    drop((feed, cache));
    shop.postgres
        .run("ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET n = 1")
        .await;
    shop.redis.restart();
    let cache = shop.cache().await;
    assert!(
        shop.redis.bytes("it:item:1").is_some(),
        "the old value is back"
    );
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (feed.stats().lost_slots, shop.read(&cache, 1).await),
        (1, 1)
    );
    let slots = "SELECT count(*) FROM pg_replication_slots";
    assert_eq!(
        shop.reader
            .query_one(slots, &[])
            .await
            .unwrap()
            .get::<_, i64>(0),
        1
    );
}

#[tokio::test]
async fn a_server_that_crashes_keeps_what_was_committed() {
    let mut shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    // Unseen by the feed when the server dies: its commit waits.
    let commit = shop.commit_unseen().await;
    eventually("the gate", async || feed.stats().gate_waits > 0).await;
    shop.postgres.crash();
    assert!(
        in_time(commit).await.unwrap().is_err(),
        "it does not know whether it was committed"
    );
    eventually("the loss", async || {
        feed.stats().state == FeedState::Connecting
    })
    .await;
    assert!(feed.stats().last_error.is_some());
    shop.postgres.restart();
    shop.reader = shop.postgres.connect().await;
    streams(&feed).await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
    assert_eq!(
        feed.stats().lost_slots,
        1,
        "the one that was not there at first"
    );
}

#[tokio::test]
async fn a_feed_begins_before_its_database() {
    let mut shop = Shop::open().await;
    let cache = shop.cache().await;
    shop.postgres.crash();
    let feed = Feed::builder(shop.postgres.url())
        .start(&cache)
        .await
        .unwrap();
    eventually("a failure", async || feed.stats().last_error.is_some()).await;
    shop.postgres.restart();
    streams(&feed).await;
}

/// Feeds die at any moment of what they do, while writers write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_number_of_crashes_nothing_is_old() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    drop(shop.feed(&cache).await);
    let over = Arc::new(AtomicBool::new(false));
    let writer = shop.postgres.connect().await;
    let (done, written) = (Arc::clone(&over), 1..);
    let writing = tokio::spawn(async move {
        for n in written {
            if done.load(Ordering::Relaxed) {
                return;
            }
            let update = "UPDATE items SET n = $1 WHERE id = $2";
            writer
                .execute(update, &[&n, &fastrand::i32(1..=20)])
                .await
                .unwrap();
        }
    });
    for _ in 0..tier(15, 60) {
        let feed = Feed::builder(shop.postgres.url())
            .start(&cache)
            .await
            .unwrap();
        let (after, before) = (fastrand::u64(0..40), feed.stats().transactions);
        let enough = async || {
            shop.read(&cache, fastrand::i32(1..=20)).await;
            feed.stats().transactions >= before + after
        };
        eventually("some transactions", enough).await;
        drop(feed);
    }
    over.store(true, Ordering::Relaxed);
    in_time(writing).await.unwrap();
    let feed = shop.feed(&cache).await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().lost_slots, 0);
    for id in 1..=20 {
        let select = "SELECT n FROM items WHERE id = $1";
        let n: i32 = shop.reader.query_one(select, &[&id]).await.unwrap().get(0);
        assert_eq!(shop.read(&cache, id).await, n, "item {id}");
    }
}
