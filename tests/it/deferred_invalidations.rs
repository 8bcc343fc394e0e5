//! An invalidation that Redis does not confirm is kept and replayed. Until then its key is not
//! served here, so that no read after it is stale in this process; others follow at the replay.

use std::pin::pin;
use std::time::Duration;

use cached_redis::{
    Builder, Cache, CachedExt as _, Error, Invalidation, Policy, Status, invalidates, redis_cached,
};
use tracing::Level;

use crate::support::{
    Log, RedisServer, Rows, World, eventually, filled, in_time, on_redis, poll_once,
};

on_redis!(
    a_key_is_bypassed_here_until_its_invalidation_is_replayed,
    a_replay_needs_no_new_connection,
    of_a_thousand_keys_invalidated_in_an_outage_none_is_served_old_here,
    of_ten_times_the_keys_that_can_be_kept_none_is_served_old_here,
    more_keys_than_can_be_kept_are_the_whole_namespace,
    invalidations_and_replays_side_by_side_leave_no_read_stale,
    an_invalidation_by_hand_says_that_it_was_deferred,
    one_that_succeeds_by_hand_settles_the_one_that_was_deferred,
    flush_waits_for_the_replay,
    flush_gives_up_in_time_and_says_how_many_are_left,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "deferred-invalidations:<id>", skip(rows))]
async fn read(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

#[invalidates("deferred-invalidations:<id>")]
async fn write(rows: &Rows, id: usize) -> u64 {
    rows.write(id)
}

async fn process(world: &World) -> Cache {
    world.patient().build().await.unwrap()
}

/// Lets the server do everything but remove keys at our wish.
fn refuse(world: &World) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
}

fn allow(world: &World) {
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
}

/// Writes a row, and notes when the invalidation has returned.
async fn change(cache: &Cache, rows: &Rows, id: usize) {
    let version = cache.scope(write(rows, id)).await;
    rows.acknowledge(id, version);
}

/// Puts every row into the store.
async fn fill(cache: &Cache, rows: &Rows) {
    for id in rows.ids() {
        cache.scope(read(rows, id)).await;
    }
    filled(cache, rows.ids().len() as u64).await;
}

async fn replayed(cache: &Cache) {
    let empty = async || cache.stats().pending_invalidations().is_empty();
    eventually("the replay", empty).await;
}

async fn status(cache: &Cache, rows: &Rows, id: usize) -> (u64, Status) {
    let (value, info) = cache.scope(read(rows, id).with_info()).await;
    (value, info.status())
}

/// Whether each row of this process is the newest.
async fn all_new(cache: &Cache, rows: &Rows) -> bool {
    for id in rows.ids() {
        if cache.scope(read(rows, id)).await != rows.version(id) {
            return false;
        }
    }
    true
}

async fn a_key_is_bypassed_here_until_its_invalidation_is_replayed(world: World) {
    let (here, there) = (process(&world).await, process(&world).await);
    let rows = Rows::new(2);
    fill(&here, &rows).await;
    refuse(&world);
    assert_eq!(here.scope(write(&rows, 0)).await, 2);
    let pending = here.stats().pending_invalidations();
    assert_eq!((pending.keys, pending.namespace), (1, false));
    let server = world.server().unwrap();
    let before = server.bytes("it:deferred-invalidations:0");
    for _ in 0..3 {
        assert_eq!(status(&here, &rows, 0).await, (2, Status::Bypass));
        assert_eq!(here.scope(read(&rows, 0).refreshed()).await, 2);
        assert_eq!(
            here.get::<u64>("deferred-invalidations:0").await.unwrap(),
            None
        );
        assert!(
            !here
                .put(&POLICY, "deferred-invalidations:0", &7_u64)
                .await
                .unwrap()
        );
    }
    assert_eq!(
        server.bytes("it:deferred-invalidations:0"),
        before,
        "nothing was stored"
    );
    assert_eq!(
        status(&here, &rows, 1).await,
        (1, Status::Hit),
        "others are served"
    );
    assert_eq!(there.scope(read(&rows, 0)).await, 1, "elsewhere it is old");

    allow(&world);
    replayed(&here).await;
    assert_eq!(there.scope(read(&rows, 0)).await, 2);
    let hit = async || status(&here, &rows, 0).await == (2, Status::Hit);
    eventually("a hit", hit).await;
    let total = here.stats().total();
    let counted = (total.deferred_invalidations, total.replayed_invalidations);
    assert_eq!((counted, total.lost_invalidations), ((1, 1), 0));
}

async fn a_replay_needs_no_new_connection(world: World) {
    let cache = process(&world).await;
    let rows = Rows::new(1);
    fill(&cache, &rows).await;
    refuse(&world);
    change(&cache, &rows, 0).await;
    allow(&world);
    replayed(&cache).await;
    assert_eq!(
        world.server().unwrap().bytes("it:deferred-invalidations:0"),
        None
    );
}

async fn of_a_thousand_keys_invalidated_in_an_outage_none_is_served_old_here(world: World) {
    let here = process(&world).await;
    a_thousand_in_an_outage(world, &here).await;
    assert_eq!(here.stats().total().replayed_invalidations, 1000);
}

async fn of_ten_times_the_keys_that_can_be_kept_none_is_served_old_here(world: World) {
    let here = world.patient().journal_keys(100).build().await.unwrap();
    a_thousand_in_an_outage(world, &here).await;
    assert_eq!(here.stats().total().replayed_invalidations, 1000);
}

async fn a_thousand_in_an_outage(mut world: World, here: &Cache) {
    let there = process(&world).await;
    let rows = Rows::new(1000);
    fill(here, &rows).await;
    // It comes back with all that it holds now.
    world.redis().run::<()>(&["SAVE"]);
    let readers = rows.readers(here, 4, |rows, id| async move { read(&rows, id).await });
    world.redis().kill();
    for id in rows.ids() {
        in_time(change(here, &rows, id)).await;
    }
    assert_eq!(here.stats().total().deferred_invalidations, 1000);
    world.redis().restart();
    replayed(here).await;
    // What this one had from the old server says nothing about the new one.
    let connected = async || there.get::<u64>("deferred-invalidations:0").await.is_ok();
    eventually("a connection there", connected).await;
    assert!(all_new(&there, &rows).await);
    readers.stop().await;
}

async fn more_keys_than_can_be_kept_are_the_whole_namespace(world: World) {
    let here = world.patient().journal_keys(10).build().await.unwrap();
    let there = process(&world).await;
    let neighbour = world.patient().namespace("it2").build().await.unwrap();
    let rows = Rows::new(2000);
    fill(&here, &rows).await;
    fill(&neighbour, &Rows::new(1)).await;
    let server = world.server().unwrap();
    server.plant("it:#epoch", b"1");
    refuse(&world);
    for id in 0..100 {
        change(&here, &rows, id).await;
    }
    let pending = here.stats().pending_invalidations();
    assert_eq!((pending.keys, pending.namespace), (100, true));
    assert_eq!(status(&here, &rows, 99).await, (2, Status::Bypass));
    assert_eq!(status(&here, &rows, 1999).await, (1, Status::Bypass));

    allow(&world);
    replayed(&here).await;
    assert_eq!(
        server.bytes("it:deferred-invalidations:1999"),
        None,
        "swept"
    );
    assert!(all_new(&there, &rows).await);
    assert!(
        server.bytes("it:#epoch").is_some()
            && server.bytes("it2:deferred-invalidations:0").is_some()
    );
    let hit = async || status(&here, &rows, 1999).await.1 == Status::Hit;
    eventually("a hit", hit).await;
}

async fn invalidations_and_replays_side_by_side_leave_no_read_stale(world: World) {
    let here = world.patient().journal_keys(12).build().await.unwrap();
    let there = process(&world).await;
    let rows = Rows::new(20);
    fill(&here, &rows).await;
    let readers = rows.readers(&here, 4, |rows, id| async move { read(&rows, id).await });
    for round in 0..40 {
        refuse(&world);
        // Every other time more than can be kept.
        for id in 0..5 + 10 * (round % 2) {
            change(&here, &rows, id).await;
        }
        allow(&world);
        let flush = async { here.flush().await.unwrap() };
        let writes = async {
            for id in (0..5).cycle().take(50) {
                change(&here, &rows, id).await;
            }
        };
        tokio::join!(flush, writes);
    }
    replayed(&here).await;
    readers.stop().await;
    assert!(all_new(&there, &rows).await);
}

async fn an_invalidation_by_hand_says_that_it_was_deferred(mut world: World) {
    let cache = process(&world).await;
    assert_eq!(
        cache.invalidate("deferred-invalidations:0").await.unwrap(),
        Invalidation::Done
    );
    world.redis().kill();
    let deferred = cache
        .invalidation()
        .keys(["deferred-invalidations:0", "deferred-invalidations:1"])
        .send()
        .await;
    assert_eq!(deferred.unwrap(), Invalidation::Deferred);
    assert_eq!(cache.stats().pending_invalidations().keys, 2);
    world.redis().restart();
    replayed(&cache).await;
    assert_eq!(
        cache.invalidate("deferred-invalidations:0").await.unwrap(),
        Invalidation::Done
    );
}

async fn one_that_succeeds_by_hand_settles_the_one_that_was_deferred(world: World) {
    let cache = process(&world).await;
    refuse(&world);
    for _ in 0..10 {
        // The pauses between the replays grow meanwhile.
        assert_eq!(
            cache.invalidate("deferred-invalidations:0").await.unwrap(),
            Invalidation::Deferred
        );
    }
    allow(&world);
    assert_eq!(
        cache.invalidate("deferred-invalidations:0").await.unwrap(),
        Invalidation::Done
    );
    assert!(cache.stats().pending_invalidations().is_empty());
    let total = cache.stats().total();
    assert_eq!(total.invalidations, 1, "{total:?}");
}

async fn flush_waits_for_the_replay(world: World) {
    let cache = world
        .builder()
        .flush_timeout(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    cache.flush().await.unwrap();
    refuse(&world);
    cache.invalidate("deferred-invalidations:0").await.unwrap();
    // Dropped, it leaves everything as it was.
    assert!(poll_once(pin!(cache.flush()).as_mut()).is_pending());
    let mut flush = pin!(cache.flush());
    assert!(poll_once(flush.as_mut()).is_pending());
    allow(&world);
    in_time(flush).await.unwrap();
    assert!(cache.stats().pending_invalidations().is_empty());
}

async fn flush_gives_up_in_time_and_says_how_many_are_left(world: World) {
    let cache = world
        .builder()
        .flush_timeout(Duration::from_millis(30))
        .build()
        .await
        .unwrap();
    refuse(&world);
    cache
        .invalidation()
        .keys([
            "deferred-invalidations:0",
            "deferred-invalidations:1",
            "deferred-invalidations:2",
        ])
        .send()
        .await
        .unwrap();
    let error = in_time(cache.flush()).await.unwrap_err();
    assert!(error.to_string().contains("3 keys"), "{error}");
    assert!(matches!(error, Error::Unflushed { pending } if pending.keys == 3));
    allow(&world);
    replayed(&cache).await;
}

fn gone(server: &mut RedisServer) -> Builder {
    let builder = Cache::builder().url(server.url()).namespace("it");
    server.kill();
    builder
}

#[tokio::test]
async fn a_cache_that_ends_with_something_left_says_so() {
    let (log, _guard) = Log::collect();
    let cache = gone(&mut RedisServer::start()).build().await.unwrap();
    let rows = Rows::new(1);
    change(&cache, &rows, 0).await;
    assert_eq!(log.count(Level::WARN, "was not confirmed"), 1);
    cache.invalidate("deferred-invalidations:1").await.unwrap();
    drop(cache.clone());
    assert_eq!(log.count(Level::WARN, "was dropped"), 0, "a clone remains");
    drop(cache);
    let told = async || log.count(Level::WARN, "was dropped") == 1;
    eventually("the warning", told).await;
    assert!(log.text().contains("2 keys"), "{}", log.text());
}

#[tokio::test]
async fn an_overflow_is_told_once() {
    let (log, _guard) = Log::collect();
    let cache = gone(&mut RedisServer::start())
        .journal_keys(2)
        .build()
        .await
        .unwrap();
    for id in 0..10 {
        cache
            .invalidate(format!("deferred-invalidations:{id}"))
            .await
            .unwrap();
    }
    assert_eq!(
        log.count(Level::WARN, "the whole namespace"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(log.count(Level::WARN, "was not confirmed"), 1);
}
