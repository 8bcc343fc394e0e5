//! Slots: one reader, who is replaced; and what is done when one is lost.

use cached_redis_postgres::sql::Kit;
use cached_redis_postgres::{Feed, FeedState};

use crate::support::{Shop, UPDATE, eventually, in_time, streams};

#[tokio::test]
async fn one_feed_reads_the_slot_and_another_takes_over() {
    let shop = Shop::open().await;
    let (one, two) = (shop.cache().await, shop.cache().await);
    let first = shop.feed(&one).await;
    let second = Feed::builder(shop.postgres.url())
        .start(&two)
        .await
        .unwrap();
    eventually("the second waits", async || {
        second.stats().state == FeedState::Waiting
    })
    .await;
    assert_eq!(shop.fill(&one, 1).await, 0);
    shop.postgres.run(UPDATE).await;
    // Also who only waits knows how far the other one is.
    shop.settle(&second).await;
    assert_eq!((shop.read(&two, 1).await, second.stats().messages), (1, 0));
    assert_eq!(shop.fill(&two, 1).await, 1);
    drop(first);
    shop.postgres
        .run("UPDATE items SET n = 2 WHERE id = 1")
        .await;
    streams(&second).await;
    shop.settle(&second).await;
    assert_eq!(shop.read(&two, 1).await, 2);
    assert_eq!(second.stats().lost_slots, 0);
}

#[tokio::test]
async fn what_is_committed_while_nobody_reads_waits() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    drop(shop.feed(&cache).await);
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.postgres.run(UPDATE).await;
    let feed = shop.feed(&cache).await;
    shop.settle(&feed).await;
    assert_eq!(
        (shop.read(&cache, 1).await, feed.stats().lost_slots),
        (1, 0)
    );
}

#[tokio::test]
async fn a_slot_that_was_dropped_is_made_anew_and_everything_goes() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    drop(shop.feed(&cache).await);
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.drop_slot().await;
    shop.postgres.run(UPDATE).await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (feed.stats().lost_slots, shop.read(&cache, 1).await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_slot_whose_log_is_gone_is_made_anew_and_everything_goes() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.settle(&feed).await;
    drop(feed);
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.postgres.run(UPDATE).await;
    shop.postgres.set("max_slot_wal_keep_size = '1MB'").await;
    let lost = "SELECT coalesce(wal_status, '') = 'lost' FROM pg_replication_slots WHERE slot_name = 'cached_redis'";
    eventually("the slot is lost", async || {
        shop.postgres.run("SELECT pg_switch_wal(); CREATE TABLE IF NOT EXISTS t (i int); INSERT INTO t VALUES (1)").await;
        shop.postgres.run("CHECKPOINT").await;
        shop.reader.query_one(lost, &[]).await.unwrap().get(0)
    })
    .await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (feed.stats().lost_slots, shop.read(&cache, 1).await),
        (1, 1)
    );
    shop.postgres
        .run("UPDATE items SET n = 2 WHERE id = 1")
        .await;
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 2);
}

#[tokio::test]
async fn what_was_running_when_a_slot_was_made_is_waited_for_and_everything_goes_again() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    drop(shop.feed(&cache).await);
    shop.drop_slot().await;
    // It waits for this one, and runs on when it sees that there is another: none of them is known to the slot.
    let (first, second) = (shop.postgres.connect().await, shop.postgres.connect().await);
    first
        .batch_execute("BEGIN; UPDATE items SET n = 1 WHERE id = 1")
        .await
        .unwrap();
    let feed = Feed::builder(shop.postgres.url())
        .start(&cache)
        .await
        .unwrap();
    eventually("the slot is being made", async || {
        feed.stats().state == FeedState::Preparing
    })
    .await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%pg_create_logical%'";
    eventually("it waits", async || {
        shop.reader
            .query_one(waits, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            > 0
    })
    .await;
    second
        .batch_execute("BEGIN; UPDATE items SET n = 2 WHERE id = 2")
        .await
        .unwrap();
    first.batch_execute("COMMIT").await.unwrap();
    let new = "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'cached_redis_new'";
    let is_new = async || {
        shop.reader
            .query_one(new, &[])
            .await
            .unwrap()
            .get::<_, i64>(0)
            == 1
    };
    eventually("the second slot", is_new).await;
    second.batch_execute("COMMIT").await.unwrap();
    eventually("it has its name", async || !is_new().await).await;
    streams(&feed).await;
    assert_eq!(shop.fill(&cache, 2).await, 2);
    shop.postgres
        .run("UPDATE items SET n = 3 WHERE id = 2")
        .await;
    in_time(shop.settle(&feed)).await;
    assert_eq!(shop.read(&cache, 2).await, 3);
}

#[tokio::test]
async fn of_many_feeds_one_makes_the_slot_and_none_is_left_over() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    let url = shop.postgres.url();
    let starts = (0..5).map(|_| Feed::builder(url.clone()).start(&cache));
    let mut feeds = Vec::new();
    for start in starts {
        feeds.push(start.await.unwrap());
    }
    let state = |state| move |feed: &&Feed| feed.stats().state == state;
    let one = async || {
        feeds.iter().filter(state(FeedState::Streaming)).count() == 1
            && feeds.iter().filter(state(FeedState::Waiting)).count() == 4
    };
    eventually("one that reads", one).await;
    assert_eq!(
        feeds
            .iter()
            .map(|feed| feed.stats().lost_slots)
            .sum::<u64>(),
        1
    );
    // One that somebody has left behind is dropped by whoever takes over.
    let left = "SELECT pg_create_logical_replication_slot('cached_redis_new', 'pgoutput')";
    shop.postgres.run(left).await;
    feeds.retain(|feed| feed.stats().state == FeedState::Waiting);
    eventually("another one reads", async || {
        feeds
            .iter()
            .any(|feed| feed.stats().state == FeedState::Streaming)
    })
    .await;
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
async fn after_a_failover_everything_goes_and_places_in_the_other_log_are_not_waited_for() {
    let mut shop = Shop::open().await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    shop.settle(&feed).await;
    shop.postgres.crash();
    let standby = shop.postgres.copy();
    shop.postgres.restart();
    shop.reader = shop.postgres.connect().await;
    // What the standby does not have, and readers have seen.
    shop.postgres.run(UPDATE).await;
    for _ in 0..2 {
        shop.postgres
            .run("SELECT cached_redis_invalidate(ARRAY['x']); SELECT pg_switch_wal()")
            .await;
    }
    shop.settle(&feed).await;
    assert_eq!(shop.fill(&cache, 1).await, 1);
    shop.postgres.crash();
    let before = feed.stats();
    shop.postgres.promote(&standby).await;
    shop.reader = shop.postgres.connect().await;
    eventually("it is read again", async || {
        let stats = feed.stats();
        stats.connections > before.connections && stats.state == FeedState::Streaming
    })
    .await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let commit = shop.commit_unseen().await;
    eventually("it has come", async || {
        feed.stats().gate_waits > before.gate_waits
    })
    .await;
    let lsn = shop.lsn().await;
    assert!(Some(lsn) < before.applied, "the other log was longer");
    tokio::select! {
        biased;
        () = feed.wait_for(lsn) => panic!("it is not invalidated yet"),
        () = async {} => {}
    }
    shop.show(commit).await;
    in_time(feed.wait_for(lsn)).await;
    assert_eq!(shop.read(&cache, 1).await, 1);
}

#[tokio::test]
async fn after_a_failover_who_only_waits_for_the_slot_removes_everything_too() {
    let mut shop = Shop::open().await;
    shop.postgres
        .run("CREATE ROLE waiter LOGIN REPLICATION")
        .await;
    let other = shop.builder().namespace("other").build();
    let (one, two) = (shop.cache().await, other.await.unwrap());
    let first = shop.feed(&one).await;
    let waiter = shop.postgres.url_of("waiter");
    let second = Feed::builder(waiter).start(&two).await;
    let second = second.unwrap();
    eventually("the second waits", async || {
        second.stats().state == FeedState::Waiting
    })
    .await;
    let keys = ["it:item:1", "other:item:1"];
    for (cache, key) in [&one, &two].into_iter().zip(keys) {
        shop.read(cache, 1).await;
        eventually("the entry", async || shop.redis.bytes(key).is_some()).await;
    }
    // It comes back when the slot is taken.
    shop.postgres.run("ALTER ROLE waiter NOLOGIN").await;
    let before = first.stats().connections;
    shop.postgres.crash();
    let standby = shop.postgres.copy();
    shop.postgres.promote(&standby).await;
    eventually("the first one reads", async || {
        let stats = first.stats();
        stats.connections > before && stats.state == FeedState::Streaming
    })
    .await;
    shop.postgres.run("ALTER ROLE waiter LOGIN").await;
    eventually("both are gone", async || {
        !keys.iter().any(|key| shop.redis.bytes(key).is_some())
    })
    .await;
    eventually("the second waits again", async || {
        second.stats().state == FeedState::Waiting
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_was_made_by_hand_after_one_was_lost_begins_with_everything() {
    let shop = Shop::open().await;
    let cache = shop.cache().await;
    drop(shop.feed(&cache).await);
    assert_eq!(shop.fill(&cache, 1).await, 0);
    shop.drop_slot().await;
    shop.postgres.run(UPDATE).await;
    assert!(make_slot(&shop).contains("(1 row)"), "it says so");
    let feed = shop.feed(&cache).await;
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 1);
    assert_eq!(shop.read(&cache, 1).await, 1);
    assert!(make_slot(&shop).contains("(0 rows)"), "it was there");
}

/// Runs the last statement of the kit.
fn make_slot(shop: &Shop) -> String {
    let mut psql = shop.postgres.psql();
    let sql = Kit::new().sql();
    let at = sql.find("WITH made").expect("the slot is made last");
    let made = psql.arg("-c").arg(&sql[at..]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8_lossy(&made.stdout).into_owned()
}
