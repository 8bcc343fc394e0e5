//! What a feed invalidates, and what it tells.

use cached_redis::Invalidation;
use cached_redis_postgres::sql::Kit;
use cached_redis_postgres::{Error, Feed};

use crate::support::{Postgres, Shop, eventually, item_of, items};

#[tokio::test]
async fn a_commit_invalidates_and_a_rollback_does_not() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (shop.fill(&cache, 1).await, shop.fill(&cache, 2).await),
        (0, 0)
    );
    shop.postgres
        .run("BEGIN; UPDATE items SET n = 1 WHERE id = 1; ROLLBACK")
        .await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 0);
    shop.postgres.run("BEGIN; UPDATE items SET n = 2 WHERE id = 1; UPDATE items SET n = 2 WHERE id = 2; COMMIT").await;
    shop.settle(&feed).await;
    let stats = feed.stats();
    assert_eq!((stats.transactions, stats.messages), (1, 2));
    assert!(
        stats.lag_seconds.is_some() && stats.waiting_seconds.is_none(),
        "{stats:?}"
    );
    assert_eq!(
        (shop.read(&cache, 1).await, shop.read(&cache, 2).await),
        (2, 2)
    );
}

#[tokio::test]
async fn a_row_that_moves_makes_both_groups_outdated() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    for per_row in [false, true] {
        let table = if per_row { items().per_row() } else { items() };
        shop.postgres.run(&table.sql(&Kit::new()).unwrap()).await;
        shop.postgres.run("UPDATE items SET shelf = 'a'").await;
        shop.settle(&feed).await;
        let count = async |shelf| cache.scope(item_of(&shop.reader, shelf)).await;
        assert_eq!((count("a").await, count("b").await), (20, 0));
        shop.postgres
            .run("UPDATE items SET shelf = 'b' WHERE id < 6")
            .await;
        shop.settle(&feed).await;
        assert_eq!((count("a").await, count("b").await), (15, 5));
    }
}

#[tokio::test]
async fn ten_thousand_rows_in_one_statement_are_one_message() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.postgres
        .run("INSERT INTO items SELECT i, 0, 'a' FROM generate_series(21, 10000) AS i")
        .await;
    shop.settle(&feed).await;
    for id in [1, 5000, 10_000] {
        assert_eq!(shop.fill(&cache, id).await, 0);
    }
    let before = feed.stats().messages;
    shop.postgres.run("UPDATE items SET n = 1").await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages - before, 1);
    for id in [1, 5000, 10_000] {
        assert_eq!(shop.read(&cache, id).await, 1);
    }
    assert!(cache.stats().total().invalidations >= 10_000);
}

#[tokio::test]
async fn upserts_deletes_and_truncations_are_told_too() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (shop.fill(&cache, 1).await, shop.fill(&cache, 99).await),
        (0, -1)
    );
    shop.postgres.run("INSERT INTO items VALUES (1, 0, 'a'), (99, 3, 'a') ON CONFLICT (id) DO UPDATE SET n = 3").await;
    shop.settle(&feed).await;
    assert_eq!(
        (shop.fill(&cache, 1).await, shop.fill(&cache, 99).await),
        (3, 3)
    );
    shop.postgres.run("DELETE FROM items WHERE id = 99").await;
    shop.settle(&feed).await;
    assert_eq!(shop.fill(&cache, 99).await, -1);
    // The tag depends on the rows: everything goes.
    shop.postgres.run("TRUNCATE items").await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, -1);
}

#[tokio::test]
async fn a_prepared_transaction_counts_from_its_commit() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.postgres
        .run("BEGIN; UPDATE items SET n = 1 WHERE id = 1; PREPARE TRANSACTION 'one'")
        .await;
    shop.settle(&feed).await;
    assert_eq!((feed.stats().messages, shop.read(&cache, 1).await), (0, 0));
    shop.postgres.run("COMMIT PREPARED 'one'").await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
}

#[tokio::test]
async fn odd_messages_are_counted_and_the_rest_is_served() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (
            shop.fill(&cache, 1).await,
            shop.fill(&cache, 2).await,
            shop.fill(&cache, 3).await
        ),
        (0, 0, 0)
    );
    let odd = "UPDATE items SET n = 1 WHERE id = 9;
         SELECT pg_logical_emit_message(true, 'cached_redis', 'nonsense');
         SELECT pg_logical_emit_message(true, 'cached_redis', '{\"keys\": [\"#epoch\"], \"patterns\": [\"*\"]}');
         SELECT pg_logical_emit_message(true, 'others', 'nonsense');
         SELECT pg_logical_emit_message(true, 'cached_redis', '{\"namespace\": \"other\", \"keys\": [\"item:1\"]}');
         SELECT cached_redis_invalidate(NULL, NULL);
         SELECT cached_redis_invalidate(ARRAY['item:2', NULL]);
         SELECT cached_redis_invalidate_matching(ARRAY['item:3*']);";
    shop.postgres
        .run(&format!(
            "ALTER TABLE items DISABLE TRIGGER ALL; BEGIN; {odd} COMMIT"
        ))
        .await;
    shop.settle(&feed).await;
    let stats = feed.stats();
    assert_eq!(
        (stats.malformed_messages, stats.messages),
        (2, 2),
        "{stats:?}"
    );
    shop.postgres.run("UPDATE items SET n = 1").await;
    let now = (
        shop.read(&cache, 1).await,
        shop.read(&cache, 2).await,
        shop.read(&cache, 3).await,
    );
    assert_eq!(now, (0, 1, 1), "nobody told of the first");
}

#[tokio::test]
async fn a_message_outside_of_a_transaction_holds_at_once() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.postgres
        .run("SELECT pg_logical_emit_message(false, 'cached_redis', '{\"keys\": [\"item:1\"]}')")
        .await;
    // Nothing writes it to the disk by itself.
    shop.postgres
        .run("UPDATE items SET n = 1 WHERE id = 2")
        .await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 2);
}

#[tokio::test]
async fn the_whole_namespace_goes_on_request() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let restored = "ALTER TABLE items DISABLE TRIGGER ALL; UPDATE items SET n = 5; SELECT cached_redis_invalidate_everything()";
    shop.postgres.run(restored).await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 5);
    assert_eq!(
        cache.invalidate("item:1").await.unwrap(),
        Invalidation::Done
    );
}

#[tokio::test]
async fn its_numbers_are_data() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    // One is asked for, the other comes with the first message of the server.
    let known = async || {
        let stats = feed.stats();
        stats.retained_wal_bytes.is_some() && stats.applied.is_some()
    };
    eventually("the size of the log and its place", known).await;
    let stats = feed.stats();
    assert_eq!(stats.retained_wal_limit_bytes, Some(64 << 20));
    let json = serde_json::to_value(&stats).unwrap();
    assert_eq!(json["state"], "streaming");
    assert!(
        json["retained_wal_bytes"].is_u64() && json["applied"].is_string(),
        "{json}"
    );
}

#[tokio::test]
async fn what_no_waiting_helps_against_is_an_error_at_the_start() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let told =
        async |builder: cached_redis_postgres::Builder| builder.start(&cache).await.unwrap_err();
    let missing = told(Feed::builder(shop.postgres.url()).publication("nobody")).await;
    assert!(matches!(missing, Error::NoPublication(_)), "{missing}");
    shop.postgres
        .run("SELECT pg_create_logical_replication_slot('taken', 'test_decoding')")
        .await;
    let foreign = told(Feed::builder(shop.postgres.url()).slot("taken")).await;
    assert!(matches!(foreign, Error::ForeignSlot(_)), "{foreign}");
    let plain = Postgres::start_with("wal_level = replica");
    let level = told(Feed::builder(plain.url())).await;
    assert!(matches!(level, Error::WalLevel(_)), "{level}");
}
