//! Restarts and failovers that lose confirmed invalidations: under `OnFailover::Epoch` there is no
//! stale read, where without it there is one.

use cached_redis::stats::StoreStats;
use cached_redis::{Cache, CachedExt as _, OnFailover, Policy, Status, invalidates, redis_cached};
use tracing::Level;

use crate::support::{
    Forwarder, Log, RedisServer, Source, eventually, filled, in_time, new_process,
};

#[redis_cached(ttl = 600, key = "epoch:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("epoch:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

async fn process(url: String, on_failover: OnFailover) -> Cache {
    let builder = Cache::builder()
        .url(url)
        .namespace("it")
        .process(new_process());
    let builder = builder.deadline(std::time::Duration::from_secs(20));
    let built = builder.on_failover(on_failover).build().await;
    built.expect("the settings are right")
}

/// Writes in a process that has ended then, so that nobody remembers to repeat its invalidation.
async fn write_elsewhere(url: String, source: &Source) {
    let writer = process(url, OnFailover::Ttl).await;
    assert_eq!(writer.scope(write(source, 1)).await, 2);
    assert_eq!(writer.stats().total().invalidations, 1, "confirmed");
}

async fn status(cache: &Cache, source: &Source) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, 1).with_info()).await;
    (value, info.status())
}

async fn reconnected(cache: &Cache, times: u64) {
    let is = async |stats: StoreStats| stats.connected && stats.reconnects >= times;
    eventually("a connection", async || is(cache.stats().store()).await).await;
}

/// A primary with a replica that has what stands under `key`, and then hears no more of it.
async fn cut_off_replica(primary: &RedisServer, key: &str) -> RedisServer {
    let replica = RedisServer::start();
    replica.demote(primary);
    let has_it = async || replica.bytes(key).is_some() && replica.bytes(key) == primary.bytes(key);
    eventually("the replica to have it", has_it).await;
    replica.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    replica
}

/// What a process, and one started later, read after the primary has confirmed an invalidation, died,
/// and been replaced by a replica that never heard of it.
async fn after_a_failover(on_failover: OnFailover) -> [(u64, Status); 2] {
    let mut primary = RedisServer::start();
    let address = Forwarder::to(&primary).await;
    let cache = process(address.url(), on_failover).await;
    let source = Source::new();
    assert_eq!(status(&cache, &source).await, (1, Status::Miss));
    filled(&cache, 1).await;
    let replica = cut_off_replica(&primary, "it:epoch:1").await;

    write_elsewhere(address.url(), &source).await;
    primary.kill();
    replica.promote();
    address.point_at(&replica);
    reconnected(&cache, 1).await;
    let later = process(address.url(), on_failover).await;
    // What is asked of a busy machine first may come too late.
    let answered = async {
        loop {
            let first = status(&cache, &source).await;
            if first.1 != Status::Bypass {
                break first;
            }
            assert_eq!(first.0, source.version(), "of the source");
        }
    };
    let first = in_time(answered).await;
    if first.1 == Status::Miss {
        filled(&cache, 2).await;
    }
    [first, status(&later, &source).await]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_that_loses_an_invalidation_shows_no_stale_value() {
    let read = after_a_failover(OnFailover::Epoch).await;
    assert_eq!(read, [(2, Status::Miss), (2, Status::Hit)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_epoch_that_failover_shows_the_old_value() {
    let read = after_a_failover(OnFailover::Ttl).await;
    assert_eq!(read, [(1, Status::Hit); 2], "or this test cannot see");
}

/// What is read after a restart that brought an old snapshot back.
async fn after_an_old_snapshot(on_failover: OnFailover) -> (u64, Status) {
    let mut server = RedisServer::start();
    let cache = process(server.url(), on_failover).await;
    let source = Source::new();
    status(&cache, &source).await;
    filled(&cache, 1).await;
    server.run::<()>(&["SAVE"]);
    write_elsewhere(server.url(), &source).await;
    server.kill();
    server.restart();
    reconnected(&cache, 1).await;
    status(&cache, &source).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_snapshot_shows_no_stale_value() {
    let read = after_an_old_snapshot(OnFailover::Epoch).await;
    assert_eq!(read, (2, Status::Miss));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_epoch_an_old_snapshot_shows_the_old_value() {
    let read = after_an_old_snapshot(OnFailover::Ttl).await;
    assert_eq!(read, (1, Status::Hit), "or this test cannot see");
}

/// Brings the server back with what it held before `between`, which it then has confirmed and lost.
async fn restart_without(server: &mut RedisServer, cache: &Cache, between: impl AsyncFnOnce()) {
    let connections = cache.stats().store().reconnects;
    server.run::<()>(&["SAVE"]);
    between().await;
    server.kill();
    server.restart();
    reconnected(cache, connections + 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_spans_a_failover_is_neither_shared_nor_kept() {
    let mut server = RedisServer::start();
    let cache = process(server.url(), OnFailover::Epoch).await;
    let url = server.url();
    let source = Source::held();
    let reader = || {
        let source = source.clone();
        cache.spawn(async move { read(&source, 1).await })
    };
    let leader = reader();
    source.begun(1).await;
    let joiner = reader();
    eventually("the joiner", async || cache.stats().total().waits == 1).await;
    // The lease is back after the restart, although it was invalidated.
    restart_without(&mut server, &cache, async || {
        write_elsewhere(url, &source).await;
    })
    .await;
    source.release();
    assert_eq!(
        in_time(leader).await.unwrap(),
        1,
        "its read began before the write"
    );
    assert_eq!(in_time(joiner).await.unwrap(), 2);
    eventually("the refusal", async || {
        cache.stats().total().refused_fills == 1
    })
    .await;
    filled(&cache, 1).await;
    assert_eq!(status(&cache, &source).await, (2, Status::Hit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_that_spans_a_failover_is_not_kept() {
    let mut server = RedisServer::start();
    let cache = process(server.url(), OnFailover::Epoch).await;
    let source = Source::new();
    status(&cache, &source).await;
    filled(&cache, 1).await;
    source.hold();
    let refresh = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).refreshed().await }
    });
    source.begun(2).await;
    let url = server.url();
    restart_without(&mut server, &cache, async || {
        write_elsewhere(url, &source).await;
    })
    .await;
    source.release();
    assert_eq!(in_time(refresh).await.unwrap(), 1);
    assert_eq!(cache.stats().total().refused_fills, 1);
    assert_eq!(status(&cache, &source).await, (2, Status::Miss));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_put_before_a_failover_is_not_found_after_it() {
    let mut server = RedisServer::start();
    let cache = process(server.url(), OnFailover::Epoch).await;
    let policy = Policy::new().ttl(std::time::Duration::from_secs(60));
    assert!(cache.put(&policy, "put", &1_u64).await.unwrap());
    assert_eq!(cache.get::<u64>("put").await.unwrap(), Some(1));
    let url = server.url();
    restart_without(&mut server, &cache, async || {
        let other = process(url, OnFailover::Ttl).await;
        other.invalidate("put").await.unwrap();
    })
    .await;
    assert_eq!(cache.get::<u64>("put").await.unwrap(), None);
    assert_eq!(cache.stats().store().outdated, 1);
    assert!(cache.put(&policy, "put", &2_u64).await.unwrap());
    assert_eq!(cache.get::<u64>("put").await.unwrap(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_missed_a_new_epoch_learn_it_from_an_entry() {
    let server = RedisServer::start();
    let before = process(server.url(), OnFailover::Epoch).await;
    let source = Source::new();
    status(&before, &source).await;
    filled(&before, 1).await;
    // As if others had met another server in the meantime.
    let stands = String::from_utf8(server.bytes("it:#epoch").unwrap()).unwrap();
    let epoch: u32 = stands.split(' ').next().unwrap().parse().unwrap();
    server.plant("it:#epoch", format!("{} elsewhere", epoch + 10).as_bytes());
    let after = process(server.url(), OnFailover::Epoch).await;
    assert_eq!(status(&after, &source).await.1, Status::Miss);
    filled(&after, 1).await;
    let hit = async || status(&before, &source).await.1 == Status::Hit;
    eventually("the first process to hit", hit).await;
    assert_eq!(before.stats().store().reconnects, 1);
    let hit = async || status(&after, &source).await.1 == Status::Hit;
    eventually("the other one to hit as well", hit).await;
}

#[tokio::test]
async fn a_login_that_may_not_agree_on_an_epoch_goes_uncached_and_is_told_why_once() {
    let (log, _guard) = Log::collect();
    let server = RedisServer::start();
    server.run::<()>(&["ACL", "SETUSER", "app", "on", ">pw", "~*", "+@all", "-info"]);
    let cache = process(server.url_of("app", "pw"), OnFailover::Epoch).await;
    let source = Source::new();
    for _ in 0..10 {
        assert_eq!(status(&cache, &source).await, (1, Status::Bypass));
    }
    assert_eq!(log.count(Level::WARN, "`on_failover`"), 1, "{}", log.text());
    server.run::<()>(&["ACL", "SETUSER", "app", "+info"]);
    let hit = async || status(&cache, &source).await.1 == Status::Hit;
    eventually("a hit", hit).await;
}
