//! Spans of time that are constants or expressions: a `Duration`, or a number of seconds.

use std::time::Duration;

use cached_redis::error::Timeout;
use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};

const MINUTE: u64 = 60;
const SHORT: u16 = 5;
const SIGNED: i32 = 7;
const HALF: f64 = 0.5;
const DAY: Duration = Duration::from_secs(86_400);

struct Settings;

impl Settings {
    const TTL: usize = 9;
}

/// How long an entry lives that was stored for this TTL.
macro_rules! time_left {
    ($cache:expr, $ttl:expr) => {{
        #[redis_cached(ttl = $ttl, jitter = 0, key = "times")]
        async fn timed() -> u8 {
            1
        }
        let (_, info) = $cache.scope(timed().refreshed().with_info()).await;
        info.time_left().unwrap().as_secs_f64()
    }};
}

#[redis_cached(ttl = 1, negative_ttl = 2 * 3, stale_if_error = MINUTE, timeout = SHORT, key = "times:windows")]
async fn windows() -> Result<Option<u8>, Timeout> {
    Ok(None)
}

#[invalidates("times", replica_lag = 2 * MINUTE, cache = cache)]
async fn lag(cache: &Cache) {
    let _ = cache;
}

#[tokio::test]
async fn numbers_are_seconds() {
    let cache = Cache::builder().url("memory://").build().await.unwrap();
    for (time_left, expected) in [
        (time_left!(cache, 60 * 5), 300.0),
        (time_left!(cache, MINUTE), 60.0),
        (time_left!(cache, 5 * MINUTE), 300.0),
        (time_left!(cache, SHORT), 5.0),
        (time_left!(cache, SIGNED), 7.0),
        (time_left!(cache, HALF), 0.5),
        (time_left!(cache, 2.5 * 3.0), 7.5),
        (time_left!(cache, Settings::TTL), 9.0),
        (time_left!(cache, if cfg!(test) { 4 } else { 2 }), 4.0),
        (time_left!(cache, DAY), 86_400.0),
    ] {
        assert!(
            time_left > 0.8 * expected && time_left <= expected,
            "{time_left} of {expected}"
        );
    }
    assert_eq!(cache.scope(windows()).await, Ok(None));
    lag(&cache).await;
}
