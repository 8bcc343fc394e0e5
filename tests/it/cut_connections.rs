//! Connections that a network closes, or that carry nothing any more without anybody being told.
//! Functions answer all the while, and no read is stale.

use std::time::Duration;

use cached_redis::{Builder, Cache, Invalidation, redis_cached};

use crate::support::{Forwarder, RedisServer, Rows, eventually, in_time, new_process, tier};

#[redis_cached(ttl = 60, key = "cut:<id>", skip(rows))]
async fn read(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

/// Two processes behind one line to one server.
struct Net {
    // Its fields are dropped in this order.
    address: Forwarder,
    _server: RedisServer,
}

impl Net {
    async fn new() -> Self {
        let _server = RedisServer::start();
        let address = Forwarder::to(&_server).await;
        Self { address, _server }
    }

    fn builder(&self) -> Builder {
        let builder = Cache::builder()
            .url(self.address.url())
            .namespace("it")
            .process(new_process());
        builder.flush_timeout(Duration::from_secs(60))
    }
}

/// Whether each row that this process sees is the newest.
async fn all_new(cache: &Cache, rows: &Rows) -> bool {
    for id in rows.ids() {
        if in_time(cache.scope(read(rows, id))).await != rows.version(id) {
            return false;
        }
    }
    true
}

/// Changes a row, and notes it for the readers of all processes if the invalidation was confirmed.
async fn change(cache: &Cache, rows: &Rows) {
    let id = fastrand::usize(rows.ids());
    let version = rows.write(id);
    let ended = in_time(cache.invalidate(format!("cut:{id}")))
        .await
        .unwrap();
    if ended == Invalidation::Done {
        rows.acknowledge(id, version);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_is_stale_while_connections_are_cut_under_load() {
    let net = Net::new().await;
    let here = net.builder().build().await.unwrap();
    let there = net.builder().build().await.unwrap();
    let rows = Rows::new(20);
    let readers = [&here, &there]
        .map(|cache| rows.readers(cache, 4, |rows, id| async move { read(&rows, id).await }));
    // The pauses before a new connection grow, so these are few.
    for cuts in 1..=5 {
        net.address.cut();
        let back = async || {
            let mut back = true;
            for cache in [&here, &there] {
                change(cache, &rows).await;
                back &= cache.stats().store().reconnects >= cuts;
            }
            back
        };
        eventually("new connections", back).await;
    }
    for readers in readers {
        readers.stop().await;
    }
    for cache in [&here, &there] {
        cache.flush().await.unwrap();
    }
    assert!(all_new(&here, &rows).await && all_new(&there, &rows).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_carry_nothing_any_more_are_given_up_and_no_read_here_is_stale() {
    let net = Net::new().await;
    // Three times that without an answer, and a connection is given up.
    let builder = || net.builder().connect_timeout(Duration::from_millis(100));
    let here = builder().build().await.unwrap();
    let there = builder().build().await.unwrap();
    let rows = Rows::new(20);
    assert!(all_new(&here, &rows).await && all_new(&there, &rows).await);
    let readers = rows.readers(&here, 4, |rows, id| async move { read(&rows, id).await });
    for _ in 0..tier(1, 3) {
        let before = net.address.accepted();
        net.address.black_hole(true);
        for id in rows.ids() {
            let version = rows.write(id);
            in_time(here.invalidate(format!("cut:{id}"))).await.unwrap();
            // Confirmed or not: it binds this process.
            rows.acknowledge(id, version);
        }
        assert!(!here.stats().pending_invalidations().is_empty());
        // Both give the connection up that they have.
        let again = async || net.address.accepted() >= before + 2;
        eventually("an attempt to connect", again).await;
        net.address.black_hole(false);
        here.flush().await.unwrap();
        eventually("the replay there", async || all_new(&there, &rows).await).await;
    }
    readers.stop().await;
    assert!(here.stats().store().reconnects > 0);
    assert!(all_new(&here, &rows).await);
}
