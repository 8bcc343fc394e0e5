//! A shop: a database, a cache before it, and a feed between them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_redis::{Builder, Cache, redis_cached};
use cached_redis_postgres::sql::{Kit, Table};
use cached_redis_postgres::{Feed, FeedState, Lsn};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use tokio_postgres::types::PgLsn;

use super::{Postgres, RedisServer, Session, eventually, in_time};

pub(crate) struct Shop {
    pub(crate) postgres: Postgres,
    pub(crate) redis: RedisServer,
    pub(crate) reader: Session,
}

/// Gives the first item a 1.
pub(crate) const UPDATE: &str = "UPDATE items SET n = 1 WHERE id = 1";

pub(crate) type Commit = JoinHandle<Result<(), tokio_postgres::Error>>;

/// How often an item was loaded.
static LOADS: AtomicU64 = AtomicU64::new(0);

#[redis_cached(ttl = 600, key = "item:<id>", skip(client))]
pub(crate) async fn item(client: &Client, id: i32) -> i32 {
    LOADS.fetch_add(1, Ordering::Relaxed);
    let select = "SELECT n FROM items WHERE id = $1";
    client
        .query_opt(select, &[&id])
        .await
        .unwrap()
        .map_or(-1, |row| row.get(0))
}

#[redis_cached(ttl = 600, key = "items-of:<shelf>", tags = ["shelf:<shelf>"], skip(client))]
pub(crate) async fn item_of(client: &Client, shelf: &str) -> i64 {
    let select = "SELECT count(*) FROM items WHERE shelf = $1";
    client.query_one(select, &[&shelf]).await.unwrap().get(0)
}

impl Shop {
    pub(crate) async fn open() -> Self {
        Self::open_on(Postgres::start()).await
    }

    /// Twenty items on the shelf `a`.
    pub(crate) async fn open_on(postgres: Postgres) -> Self {
        let reader = postgres.connect().await;
        let schema = "CREATE TABLE items (id int PRIMARY KEY, n int NOT NULL, shelf text);
             INSERT INTO items SELECT i, 0, 'a' FROM generate_series(1, 20) AS i";
        reader.batch_execute(schema).await.unwrap();
        reader.batch_execute(&Kit::new().objects()).await.unwrap();
        let triggers = items().sql(&Kit::new()).unwrap();
        reader.batch_execute(&triggers).await.unwrap();
        Self {
            postgres,
            redis: RedisServer::start(),
            reader,
        }
    }

    pub(crate) fn builder(&self) -> Builder {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let process = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
        let builder = Cache::builder().url(self.redis.url()).namespace("it");
        builder.process(&process).deadline(Duration::from_secs(20))
    }

    /// A cache that is a process of its own.
    pub(crate) async fn cache(&self) -> Cache {
        self.builder().build().await.unwrap()
    }

    /// A feed that reads the slot.
    pub(crate) async fn feed(&self, cache: &Cache) -> Feed {
        let feed = Feed::builder(self.postgres.url())
            .start(cache)
            .await
            .unwrap();
        streams(&feed).await;
        feed
    }

    pub(crate) async fn read(&self, cache: &Cache, id: i32) -> i32 {
        cache.scope(item(&self.reader, id)).await
    }

    /// Reads until the answer is one of the cache.
    pub(crate) async fn fill(&self, cache: &Cache, id: i32) -> i32 {
        let mut value = self.read(cache, id).await;
        let entry = format!("it:item:{id}");
        eventually("the entry", async || {
            self.redis
                .bytes(&entry)
                .is_some_and(|it| it.get(1) == Some(&b'V'))
        })
        .await;
        let before = cache.stats().total().hits;
        while cache.stats().total().hits == before {
            value = self.read(cache, id).await;
        }
        value
    }

    /// Gives the first item a 1, by a commit that has happened and that nobody sees: it waits for a standby that is
    /// none. Ends when it is seen.
    pub(crate) async fn commit_unseen(&self) -> Commit {
        self.postgres
            .set("synchronous_standby_names = 'nobody'")
            .await;
        let writer = self.postgres.connect().await;
        tokio::spawn(async move { writer.batch_execute(UPDATE).await })
    }

    /// Lets everybody see it.
    pub(crate) async fn show(&self, commit: Commit) {
        self.postgres.alter("RESET synchronous_standby_names").await;
        in_time(commit).await.unwrap().unwrap();
    }

    /// Waits until all is invalidated that was committed until now.
    pub(crate) async fn settle(&self, feed: &Feed) {
        in_time(feed.wait_for(self.lsn().await)).await;
    }

    /// Drops the slot, as soon as nobody reads it.
    pub(crate) async fn drop_slot(&self) {
        let drop_it = "SELECT pg_drop_replication_slot('cached_redis')";
        eventually("a free slot", async || {
            self.reader.batch_execute(drop_it).await.is_ok()
        })
        .await;
    }

    pub(crate) async fn lsn(&self) -> Lsn {
        let row = self
            .reader
            .query_one("SELECT pg_current_wal_lsn()", &[])
            .await;
        row.unwrap().get::<_, PgLsn>(0).into()
    }
}

pub(crate) fn items() -> Table {
    Table::new("items").key("item:<id>").tag("shelf:<shelf>")
}

pub(crate) async fn streams(feed: &Feed) {
    eventually("the feed streams", async || {
        feed.stats().state == FeedState::Streaming
    })
    .await;
}
