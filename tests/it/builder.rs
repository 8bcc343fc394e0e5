//! Settings that cannot be meant are refused by `build`, each with an error that names it.

use std::time::Duration;

use cached_redis::error::AddressProblem;
use cached_redis::{Builder, Cache, Error, Format, Jitter, Policy, Schema};

use crate::support::World;

fn memory() -> Builder {
    Cache::builder().url("memory://")
}

async fn refused_setting(builder: Builder) -> String {
    match builder.build().await {
        Err(Error::Setting { setting, .. }) => setting.to_string(),
        other => panic!("not refused for a setting: {other:?}"),
    }
}

async fn refused_address(url: &str) -> AddressProblem {
    match Cache::builder().url(url).namespace("it").build().await {
        Err(Error::Address { problem, .. }) => problem,
        other => panic!("`{url}` is not refused for its address: {other:?}"),
    }
}

#[tokio::test]
async fn a_missing_url_is_refused() {
    assert_eq!(refused_setting(Cache::builder()).await, "url");
}

#[tokio::test]
async fn a_malformed_url_is_refused() {
    for url in [
        "redis://localhost:port",
        "redis://localhost:99999",
        "redis://[::1",
    ] {
        assert_eq!(
            refused_address(url).await,
            AddressProblem::Malformed,
            "{url}"
        );
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_what_to_write() {
    for (url, problem) in [
        ("127.0.0.1:6379", AddressProblem::MissingScheme),
        ("localhost:6379", AddressProblem::MissingScheme),
        ("redis", AddressProblem::MissingScheme),
        ("", AddressProblem::Empty),
        ("\"redis://localhost\"", AddressProblem::Quoted),
        (" redis://localhost", AddressProblem::Blank),
        ("redis://localhost\n", AddressProblem::Blank),
        ("redis://local host", AddressProblem::Blank),
    ] {
        let built = Cache::builder().url(url).namespace("it").build().await;
        let shown = built.unwrap_err().to_string();
        assert!(shown.contains("redis://host:port"), "{shown}");
        assert_eq!(refused_address(url).await, problem, "{url}");
    }
}

#[tokio::test]
async fn an_address_with_a_wrong_part_is_refused_for_that_part() {
    assert_eq!(
        refused_address("redis:///0").await,
        AddressProblem::MissingHost
    );
    assert_eq!(
        refused_address("redis://localhost/first").await,
        AddressProblem::Database
    );
    assert_eq!(
        refused_address("redis://localhost/?tls=1").await,
        AddressProblem::Query
    );
    assert_eq!(
        refused_address("redis+unix://").await,
        AddressProblem::MissingPath
    );
}

#[tokio::test]
async fn an_unknown_scheme_is_refused() {
    for url in ["http://localhost", "mysql://localhost", "://localhost"] {
        assert_eq!(
            refused_address(url).await,
            AddressProblem::UnknownScheme,
            "{url}"
        );
    }
}

#[tokio::test]
async fn a_namespace_that_is_empty_or_could_be_taken_for_something_else_is_refused() {
    for namespace in [
        "", "a:b", "a*", "{a}", "a b", "a?", "[a]", "ä", "a\n", "<a>",
    ] {
        assert_eq!(
            refused_setting(memory().namespace(namespace)).await,
            "namespace",
            "{namespace:?}"
        );
    }
    for namespace in ["shop", "shop/eu-1.test_2", "0"] {
        assert!(
            memory().namespace(namespace).build().await.is_ok(),
            "{namespace:?}"
        );
    }
}

#[tokio::test]
async fn a_namespace_is_required_on_redis_and_optional_in_memory() {
    let redis = Cache::builder().url("redis://localhost:1");
    assert_eq!(refused_setting(redis).await, "namespace");
    assert!(memory().build().await.is_ok());
}

#[tokio::test]
async fn zero_durations_are_refused() {
    let zero = Duration::ZERO;
    let redis = || Cache::builder().url("redis://127.0.0.1:1").namespace("it");
    assert_eq!(refused_setting(redis().deadline(zero)).await, "deadline");
    assert_eq!(refused_setting(memory().deadline(zero)).await, "deadline");
    let without_time = redis().connect_timeout(zero);
    assert_eq!(refused_setting(without_time).await, "connect_timeout");
    assert_eq!(
        refused_setting(memory().wait_budget(zero)).await,
        "wait_budget"
    );
    assert_eq!(refused_setting(memory().lease(zero)).await, "lease");
    assert_eq!(refused_setting(memory().hold(zero)).await, "hold");
    assert_eq!(
        refused_setting(memory().update_attempts(0)).await,
        "update_attempts"
    );
    assert!(memory().ttl(zero).build().await.is_err());
    assert!(
        memory()
            .policy("zero", Policy::new().ttl(zero))
            .build()
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_jitter_outside_its_range_is_refused() {
    for jitter in [-0.01, 1.0, 1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for jitter in [Jitter::around(jitter), Jitter::below(jitter)] {
            assert!(memory().jitter(jitter).build().await.is_err(), "{jitter:?}");
            let policy = Policy::new().ttl(Duration::from_secs(1)).jitter(jitter);
            assert!(
                memory().policy("odd", policy).build().await.is_err(),
                "{jitter:?}"
            );
        }
    }
    for jitter in [0.0, 0.999] {
        assert!(memory().jitter(jitter).build().await.is_ok(), "{jitter}");
        let below = Jitter::below(jitter);
        assert!(memory().jitter(below).build().await.is_ok(), "{jitter}");
    }
}

#[tokio::test]
async fn additive_changes_are_refused_of_a_codec_that_cannot_tell_them() {
    let refused = memory().schema(Schema::Additive).build().await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "setting `schema` asks for `Schema::Additive`, which needs a codec that describes itself, such as \
         `msgpack` or `json`"
    );
    let json = memory().codec(Format::Json);
    assert!(json.schema(Schema::Additive).build().await.is_ok());
    assert!(memory().schema(Schema::Exact).build().await.is_ok());
}

#[tokio::test]
async fn bounds_of_zero_are_refused() {
    assert!(memory().memory_entries(0).build().await.is_err());
    assert!(memory().memory_bytes(0).build().await.is_err());
}

#[test]
fn building_outside_of_a_runtime_is_refused_and_does_not_panic() {
    let built = std::pin::pin!(memory().build());
    match crate::support::poll_once(built) {
        std::task::Poll::Ready(Err(Error::Setting { .. })) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_memory_store_is_private_or_shared_by_name() {
    let policy = Policy::new().ttl(Duration::from_secs(60));
    let [a, b] = [
        memory().build().await.unwrap(),
        memory().build().await.unwrap(),
    ];
    a.put(&policy, "k", &1_u8).await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), None);
    let world = World::in_memory();
    let [a, b] = [world.cache().await, world.cache().await];
    a.put(&policy, "k", &1_u8).await.unwrap();
    assert_eq!(b.get::<u8>("k").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_memory_store_is_bounded() {
    let policy = Policy::new().ttl(Duration::from_secs(60));
    let cache = memory().memory_entries(100).build().await.unwrap();
    for id in 0..2_000 {
        cache.put(&policy, format!("k{id}"), &id).await.unwrap();
    }
    let mut kept = 0;
    for id in 0..2_000 {
        kept += usize::from(cache.get::<i32>(format!("k{id}")).await.unwrap().is_some());
    }
    assert!((1..=100).contains(&kept), "{kept}");
}

#[tokio::test]
async fn a_limit_of_values_that_lets_none_or_all_through_is_refused() {
    for bytes in [0, 1023, (512 << 20) + 1, u64::MAX] {
        let builder = memory().max_value_bytes(bytes);
        assert_eq!(refused_setting(builder).await, "max_value_bytes", "{bytes}");
    }
    for bytes in [1024, 512 << 20] {
        assert!(memory().max_value_bytes(bytes).build().await.is_ok());
    }
}

#[tokio::test]
async fn a_breaker_that_is_never_closed_is_refused() {
    let builder = memory().breaker_failures(0);
    assert_eq!(refused_setting(builder).await, "breaker_failures");
}
