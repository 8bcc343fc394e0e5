//! `cache.health()`: whether there is a connection, since when, and if not, why.

use std::time::{Duration, SystemTime};

use cached_redis::Cache;
use cached_redis::error::ConnectProblem;
use cached_redis::stats::{BreakerState, Health};

use crate::support::{RedisServer, World, eventually, on_both_stores};

on_both_stores!(a_cache_that_reaches_its_store_is_well);

async fn a_cache_that_reaches_its_store_is_well(world: World) {
    let before = SystemTime::now();
    let cache = world.cache().await;
    let Health {
        connected,
        since,
        last_error,
        breaker,
        pending,
        ..
    } = cache.health();
    assert!(connected && since >= before && since <= SystemTime::now());
    assert_eq!((last_error, breaker), (None, BreakerState::Closed));
    assert!(pending.is_empty());
    assert!(cache.health().to_string().starts_with("connected for "));
}

#[cfg(feature = "testing")]
#[tokio::test]
async fn faults_before_a_store_leave_its_own_health_as_it_is() {
    let faults = cached_redis::testing::Faults::seeded(1);
    let builder = World::in_memory().builder().faults(faults.clone());
    let cache = builder.build().await.unwrap();
    faults.outage(true);
    cache.invalidate("health:1").await.unwrap();
    let health = cache.health();
    assert!(health.connected, "{health}");
    assert_eq!(health.pending.keys, 1, "{health}");
    assert!(
        health.to_string().contains("not confirmed: 1 key"),
        "{health}"
    );
}

async fn of(server: &RedisServer) -> Cache {
    let builder = Cache::builder().url(server.url()).namespace("it");
    builder
        .deadline(Duration::from_secs(20))
        .build()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_connection_that_is_lost_is_told_with_its_cause_and_its_address() {
    let mut server = RedisServer::start();
    let cache = of(&server).await;
    let well = cache.health();
    assert!(well.connected && well.last_error.is_none(), "{well}");

    server.kill();
    let refused = async || {
        let error = cache.health().last_error;
        error.is_some_and(|error| error.problem == ConnectProblem::Refused)
    };
    eventually("the refusal", refused).await;
    let ill = cache.health();
    assert!(!ill.connected && ill.since > well.since, "{ill}");
    assert_eq!(ill.breaker, BreakerState::Open);
    let address = ill.last_error.as_ref().unwrap().address.clone();
    let port = server.port().to_string();
    assert!(address.contains(&port), "{address}");

    cache.invalidate("health:1").await.unwrap();
    assert_eq!(cache.health().pending.keys, 1);

    server.restart();
    let again = async || cache.health().connected;
    eventually("a connection", again).await;
    cache.flush().await.unwrap();
    let well = cache.health();
    assert!(well.since > ill.since && well.pending.is_empty(), "{well}");
    let last = well.last_error.expect("it stays");
    assert_eq!(
        (last.problem, last.address),
        (ConnectProblem::Refused, address)
    );
}

#[tokio::test]
async fn a_wrong_password_is_the_cause_and_is_not_shown() {
    let server = RedisServer::start();
    let url = server.url_of("ada", "swordfish");
    let builder = Cache::builder().url(url).namespace("it");
    let cache = builder.build().await.unwrap();
    let health = cache.health();
    assert!(!health.connected);
    let error = health.last_error.as_ref().unwrap();
    assert_eq!(error.problem, ConnectProblem::LoginRefused);
    for text in [health.to_string(), format!("{health:?}")] {
        assert!(
            !text.contains("swordfish") && !text.contains("ada"),
            "{text}"
        );
    }
}
