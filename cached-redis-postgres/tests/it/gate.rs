//! The gate: a commit that others do not see yet is not invalidated yet.

use cached_redis_postgres::Feed;

use crate::support::{Shop, eventually, streams};

#[tokio::test]
async fn a_commit_that_waits_for_a_standby_is_invalidated_only_when_it_is_visible() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (shop.fill(&cache, 1).await, shop.fill(&cache, 2).await),
        (0, 0)
    );
    shop.settle(&feed).await;
    let before = feed.stats();
    let commit = shop.commit_unseen().await;
    eventually("the gate", async || {
        feed.stats().gate_waits > before.gate_waits
    })
    .await;
    // Others go on: their commits wait for nobody.
    shop.postgres
        .run("SET synchronous_commit = local; UPDATE items SET n = 5 WHERE id = 2")
        .await;
    eventually("the other one", async || {
        feed.stats().transactions > before.transactions
    })
    .await;
    assert_eq!(
        (shop.read(&cache, 1).await, shop.read(&cache, 2).await),
        (0, 5)
    );
    assert!(!commit.is_finished());
    let stats = feed.stats();
    assert!(
        stats.waiting_seconds.is_some() && stats.applied == before.applied,
        "{stats:?}"
    );
    assert!(
        shop.redis.bytes("it:item:1").is_some(),
        "not invalidated yet"
    );
    shop.show(commit).await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
}

#[tokio::test]
async fn without_the_gate_the_old_value_stays() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = Feed::builder(shop.postgres.url())
        .ungated()
        .start(&cache)
        .await
        .unwrap();
    streams(&feed).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let commit = shop.commit_unseen().await;
    eventually("too early an invalidation", async || {
        feed.stats().transactions == 1
    })
    .await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.show(commit).await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 0, "stale, until its TTL");
}
