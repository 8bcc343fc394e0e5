//! Processes whose clocks are a minute apart serve nothing too long and revive nothing.
//!
//! Ages are told by the server's clock, as each process estimates it when it connects. Here a
//! server's answer is changed on its way: first alike for all, as if every process had a clock of
//! its own and the right estimate; then for one process alone, whose estimate is wrong.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cached_redis::{Cache, CachedExt as _, Status, redis_cached};

use crate::support::{
    Forwarder, Source, World, eventually, filled, in_time, on_a_cluster, on_redis, until_stale,
};

on_redis!(
    ages_are_told_by_the_clock_of_the_server,
    a_wrong_clock_keeps_nothing_beyond_its_windows,
    a_wrong_clock_revives_nothing,
    a_wrong_clock_lengthens_no_throttle,
);
on_a_cluster!(what_is_told_of_a_batch_is_by_the_clock_of_each_server);

const MINUTE: i64 = 60;

#[redis_cached(
    ttl = 30,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "clocks-apart:<id>",
    skip(source)
)]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 0.05,
    key = "clocks-apart:short:<id>",
    skip(source)
)]
async fn short(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "clocks-apart:long:<id>",
    skip(source)
)]
async fn long(source: &Source, id: u64) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

/// A process, and the network through which the server's clock seems to be so many seconds ahead.
async fn process(world: &mut World, ahead: i64) -> (Cache, Forwarder) {
    let forwarder = Forwarder::to(world.redis()).await;
    forwarder.shift_clock(ahead);
    let builder = world.patient().url(forwarder.url());
    let cache = builder.throttle(Duration::from_millis(50)).build().await;
    (cache.unwrap(), forwarder)
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_millis() as u64
}

async fn ages_are_told_by_the_clock_of_the_server(mut world: World) {
    for ahead in [-MINUTE, MINUTE] {
        let (cache, _network) = process(&mut world, ahead).await;
        let (other, _network) = process(&mut world, ahead).await;
        let source = Source::new();
        cache.scope(read(&source, 1)).await;
        filled(&cache, 1).await;
        let entry = world.redis().bytes("it:clocks-apart:1").unwrap();
        let filled_at = u64::from_le_bytes(entry[32..40].try_into().unwrap());
        let by_server = now_ms().saturating_add_signed(ahead * 1000);
        assert!(filled_at.abs_diff(by_server) < 30_000, "{ahead} s");
        // As fresh to one process as to the other.
        for process in [&cache, &other] {
            let (_, info) = process.scope(read(&source, 1).with_info()).await;
            assert!(info.age().unwrap() < Duration::from_secs(30), "{info:?}");
        }
        cache.invalidate("clocks-apart:1").await.unwrap();
    }
}

/// The life of an entry is the server's own count, and no clock is asked for that.
async fn a_wrong_clock_keeps_nothing_beyond_its_windows(mut world: World) {
    for ahead in [-MINUTE, MINUTE] {
        let right = world.cache().await;
        let (wrong, _network) = process(&mut world, ahead).await;
        let source = Source::new();
        for (filler, reader) in [(&right, &wrong), (&wrong, &right)] {
            right.invalidate("clocks-apart:short:1").await.unwrap();
            let version = source.write();
            let fills = filler.stats().total().fills + 1;
            assert_eq!(filler.scope(short(&source, 1)).await, Ok(version));
            filled(filler, fills).await;
            source.write();
            source.fail(usize::MAX);
            let over = async || reader.scope(short(&source, 1)).await.is_err();
            eventually("the end of the old value", over).await;
            for process in [&right, &wrong] {
                assert!(process.scope(short(&source, 1)).await.is_err());
            }
            source.fail(0);
        }
    }
}

async fn a_wrong_clock_revives_nothing(mut world: World) {
    for ahead in [-MINUTE, MINUTE] {
        let right = world.patient().build().await.unwrap();
        let (wrong, _network) = process(&mut world, ahead).await;
        let source = Source::new();
        right.invalidate("clocks-apart:1").await.unwrap();
        assert_eq!(right.scope(read(&source, 1)).await, 1);
        filled(&right, 1).await;
        if ahead > 0 {
            // Old to this process, which loads behind its caller and is overtaken.
            source.hold();
            let read = async || wrong.scope(read(&source, 1).with_info()).await;
            assert_eq!(until_stale(read).await.0, 1);
            source.begun(2).await;
        }
        source.write();
        right.invalidate("clocks-apart:1").await.unwrap();
        source.release();
        if ahead > 0 {
            let refused = async || wrong.stats().total().refused_fills == 1;
            eventually("the refusal", refused).await;
        }
        for process in [&wrong, &right] {
            let (value, info) = in_time(process.scope(read(&source, 1).with_info())).await;
            assert_eq!(value, 2);
            assert_ne!(info.status(), Status::Bypass);
        }
    }
}

async fn a_wrong_clock_lengthens_no_throttle(mut world: World) {
    for ahead in [-MINUTE, MINUTE] {
        let right = world.patient().throttle(Duration::from_millis(50));
        let right = right.build().await.unwrap();
        let (wrong, _network) = process(&mut world, ahead).await;
        let source = Source::new();
        right.invalidate("clocks-apart:long:1").await.unwrap();
        // The one whose entry is old to the other.
        let filler = if ahead > 0 { &right } else { &wrong };
        let fills = filler.stats().total().fills + 1;
        assert_eq!(filler.scope(long(&source, 1)).await, Ok(1));
        filled(filler, fills).await;
        source.write();
        source.fail(1);
        let failed = async || {
            assert_eq!(wrong.scope(long(&source, 1)).await, Ok(1));
            source.loads() == 2
        };
        eventually("the failure", failed).await;
        let new = async || right.scope(long(&source, 1)).await == Ok(2);
        eventually("the end of the throttle", new).await;
    }
}

#[redis_cached(batch(id in ids), ttl = 600, key = "clocks-apart:many:<id>")]
async fn read_many(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

async fn what_is_told_of_a_batch_is_by_the_clock_of_each_server(mut world: World) {
    let builder = world.patient();
    let cluster = world.cluster();
    // The clock of the first server, which has the first slots, is ahead.
    let network = Forwarder::to(&cluster.nodes()[0]).await;
    network.shift_clock(MINUTE);
    let url = network.url();
    let (_, ahead) = url.rsplit_once(':').expect("an address with a port");
    let (first, ahead) = (cluster.nodes()[0].port(), ahead.parse().unwrap());
    let map = move |host: &str, port| (port == first).then(|| (host.to_owned(), ahead));
    let cache = builder.address_map(map).build().await.unwrap();
    let ids: Vec<_> = (0..30).collect();
    let owners = ids
        .iter()
        .map(|id| cluster.owner(&format!("it:clocks-apart:many:{id}")));
    assert_eq!(owners.collect::<std::collections::BTreeSet<_>>().len(), 3);
    cache.scope(read_many(&ids)).await;
    filled(&cache, 30).await;
    for id in ids {
        let (_, info) = cache.scope(read_many(&[id]).with_info()).await;
        assert_eq!(info.status(), Status::Hit);
        assert!(
            info.age().unwrap() < Duration::from_secs(30),
            "{id}: {info:?}"
        );
    }
}
