//! Options that do harm together: one warning each, with what to do, and the same list from the catalogue.

use std::time::Duration;

use cached_redis::{Cache, Policy, invalidates, redis_cached};
use tracing::Level;

use crate::support::{Log, Source};

#[redis_cached(
    ttl = 60,
    stale_if_error = 2,
    negative_ttl = 90,
    key = "advice:odd:<id>"
)]
async fn odd(id: u64) -> Option<u64> {
    Some(id)
}

#[redis_cached(
    ttl = 60,
    stale_if_error = 20,
    stale_while_revalidate = 0,
    negative_ttl = 10,
    key = "advice:even:<id>"
)]
async fn even(id: u64) -> Option<u64> {
    Some(id)
}

/// Of another cache, whose lease is not known here.
#[redis_cached(ttl = 60, stale_if_error = 2, key = "advice:elsewhere:<id>", skip(cache), cache = cache)]
async fn elsewhere(cache: &Cache, id: u64) -> u64 {
    id
}

#[redis_cached(ttl = "20ms", key = "advice:slow:<id>", skip(source))]
async fn slow(source: &Source, id: u64) -> u64 {
    source.load().await + id
}

#[invalidates("advice:guarded:<id>", guard, cache = cache)]
async fn guarded(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("advice:guarded:<id>", cache = cache)]
async fn bare(cache: &Cache, id: u64) {
    let _ = id;
}

/// The kinds of advice that a cache has about a function of this module.
fn about(cache: &Cache, function: &str) -> Vec<&'static str> {
    let catalog = cache.catalog();
    let advice = catalog.advice().iter();
    let name = format!("{}::{function}", module_path!());
    let own = advice.filter(|advice| advice.function == Some(name.as_str()));
    own.map(|advice| advice.kind).collect()
}

#[tokio::test]
async fn windows_and_negative_ttls_are_compared_with_what_they_depend_on() {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    assert_eq!(
        about(&cache, "odd"),
        ["window-below-lease", "negative-ttl-above-ttl"]
    );
    assert_eq!(about(&cache, "even"), [""; 0]);
    let shorter = Cache::builder()
        .url("memory://")
        .lease(Duration::from_secs(1));
    let shorter = shorter.build().await.unwrap();
    assert_eq!(about(&shorter, "odd"), ["negative-ttl-above-ttl"]);
    let longer = Cache::builder()
        .url("memory://")
        .lease(Duration::from_secs(30));
    let longer = longer.build().await.unwrap();
    assert_eq!(about(&longer, "even"), ["window-below-lease"]);
}

#[tokio::test]
async fn a_named_policy_without_a_ttl_is_told_unless_a_default_gives_one() {
    let early = Policy::new().refresh_ahead(0.8);
    let builder = || Cache::builder().url("memory://").policy("early", early);
    let told = |cache: &Cache| {
        let catalog = cache.catalog();
        catalog
            .advice()
            .iter()
            .any(|it| it.kind == "early-refresh-without-ttl")
    };
    assert!(told(&builder().build().await.unwrap()));
    let given = builder()
        .ttl(Duration::from_secs(60))
        .build()
        .await
        .unwrap();
    assert!(!told(&given));
}

#[tokio::test]
async fn a_ttl_below_the_time_of_the_loads_is_told_when_they_have_shown_it() {
    let (log, _guard) = Log::collect();
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    assert_eq!(about(&cache, "slow"), [""; 0]);
    let source = Source::slow(Duration::from_millis(40));
    for id in 0..3 {
        cache.scope(slow(&source, id)).await;
    }
    assert_eq!(about(&cache, "slow"), ["ttl-below-load-time"]);
    let told = log.count(Level::WARN, "took longer to load than it is kept");
    assert_eq!(told, 1, "{}", log.text());
}

#[tokio::test]
async fn functions_of_another_cache_are_no_business_of_this_one() {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    assert_eq!(about(&cache, "bare"), [""; 0]);
    assert_eq!(about(&cache, "elsewhere"), [""; 0]);
    // They are there to be looked at.
    let _ = (guarded, bare, elsewhere, odd, even);
}

/// In a process of its own the first cache tells it; here another test's may have.
#[tokio::test]
async fn advice_is_one_line_and_data() {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    let catalog = cache.catalog();
    let mut advice = catalog.advice().iter();
    let odd = advice
        .find(|it| it.function == Some(concat!(module_path!(), "::odd")))
        .unwrap();
    let line = odd.to_string();
    assert!(line.contains("::odd` has `stale_if_error` of 2s"), "{line}");
    assert!(
        line.contains("lease of 3s") && !line.contains('\n'),
        "{line}"
    );
    let data = serde_json::to_value(&catalog).unwrap();
    let kinds = data["advice"].as_array().unwrap().iter();
    assert!(
        kinds
            .map(|it| &it["kind"])
            .any(|kind| kind == "negative-ttl-above-ttl")
    );
    assert_eq!(serde_json::to_value(odd).unwrap()["remedy"], odd.remedy);
}
