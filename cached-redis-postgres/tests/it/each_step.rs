//! The feed and the server crash at each step that a feed takes, one after the other.

use std::sync::Arc;

use cached_redis::Cache;
use cached_redis_postgres::{Feed, Halt};

use crate::support::{Shop, in_time, streams};

/// Of a feed whose slot is missing.
const MAKING: [&str; 7] = [
    "connected",
    "locked",
    "created",
    "cleared",
    "copied",
    "taken",
    "opened",
];
/// Of one that reads it.
const READING: [&str; 7] = [
    "connected",
    "taken",
    "opened",
    "received",
    "looked",
    "invalidated",
    "confirmed",
];

struct Steps {
    shop: Shop,
    cache: Cache,
    written: i32,
}

impl Steps {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let cache = shop.cache().await;
        drop(shop.feed(&cache).await);
        Self {
            shop,
            cache,
            written: 0,
        }
    }

    /// A change that nobody is told of as long as no feed runs.
    async fn write(&mut self) {
        self.shop.fill(&self.cache, 1).await;
        self.written += 1;
        let update = format!("UPDATE items SET n = {} WHERE id = 1", self.written);
        self.shop.postgres.run(&update).await;
    }

    /// A feed that is at this step.
    async fn at(&mut self, step: &'static str, slot_is_missing: bool) -> (Feed, Arc<Halt>) {
        if slot_is_missing {
            self.shop.drop_slot().await;
        }
        self.write().await;
        let (builder, halt) = Feed::builder(self.shop.postgres.url()).halt_at(step);
        let feed = builder.start(&self.cache).await.unwrap();
        in_time(halt.reached.notified()).await;
        (feed, halt)
    }

    async fn assert_current(&self, feed: &Feed, step: &str) {
        streams(feed).await;
        self.shop.settle(feed).await;
        assert_eq!(self.shop.read(&self.cache, 1).await, self.written, "{step}");
        let slots = "SELECT string_agg(slot_name, ' ') FROM pg_replication_slots";
        let slots = self.shop.reader.query_one(slots, &[]).await.unwrap();
        assert_eq!(slots.get::<_, String>(0), "cached_redis", "{step}");
    }

    async fn feed_crashes(&mut self, step: &'static str, slot_is_missing: bool) {
        drop(self.at(step, slot_is_missing).await);
        // Also what is committed before the next one begins is not missed.
        self.write().await;
        let next = self.shop.feed(&self.cache).await;
        self.assert_current(&next, step).await;
    }

    async fn server_crashes(&mut self, step: &'static str, slot_is_missing: bool) {
        let (feed, halt) = self.at(step, slot_is_missing).await;
        self.shop.postgres.crash();
        self.shop.postgres.restart();
        self.shop.reader = self.shop.postgres.connect().await;
        self.write().await;
        halt.go.notify_one();
        self.assert_current(&feed, step).await;
    }
}

#[tokio::test]
async fn a_feed_that_crashes_at_any_step_of_making_its_slot_leaves_nothing_old() {
    let mut steps = Steps::open().await;
    for step in MAKING {
        steps.feed_crashes(step, true).await;
    }
}

#[tokio::test]
async fn a_feed_that_crashes_at_any_step_of_reading_leaves_nothing_old() {
    let mut steps = Steps::open().await;
    for step in READING {
        steps.feed_crashes(step, false).await;
    }
}

#[tokio::test]
async fn a_server_that_crashes_at_any_step_of_making_the_slot_leaves_nothing_old() {
    let mut steps = Steps::open().await;
    for step in MAKING {
        steps.server_crashes(step, true).await;
    }
}

#[tokio::test]
async fn a_server_that_crashes_at_any_step_of_reading_leaves_nothing_old() {
    let mut steps = Steps::open().await;
    for step in READING {
        steps.server_crashes(step, false).await;
    }
}
