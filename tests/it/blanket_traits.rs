//! Traits of the user's that every type implements, with methods of any name: expansions do not find
//! them. By value, by reference and by exclusive reference, since each is looked for before another.
#![allow(dead_code, clippy::all, reason = "only their names count")]

use std::collections::HashMap;

use cached_redis::{Cache, invalidates, redis_cached, write_through};

macro_rules! blanket {
    ($($trait:ident($($receiver:tt)+);)+) => {$(
        trait $trait {
            blanket!(@methods [$($receiver)+]
                part shape errors ok write key tag pattern text display debug hash name none
                asks version timer run only_if batch map get before begin require fragment finish
                new on and await_ to_vec clone_ many form);
        }
        impl<T: ?Sized> $trait for T {}
    )+};
    (@methods $receiver:tt $($name:ident)+) => {$( blanket!(@method $receiver $name); )+};
    (@method [$($receiver:tt)+] $name:ident) => {
        fn $name($($receiver)+) where Self: Sized { unreachable!("a method of the user's") }
    };
}

blanket! {
    ByValue(self);
    ByReference(&self);
    ByExclusiveReference(&mut self);
}

async fn asked(id: u64, _: &str) -> u64 {
    id
}

#[redis_cached(ttl = 60)]
async fn with_default_key(id: u64, name: Option<&str>) -> Result<Option<u64>, String> {
    Ok(name.is_none().then_some(id))
}

#[redis_cached(
    ttl = 60,
    key = "blanket:<id>:<name:?>",
    tags = ["blanket:<id>", "all"],
    version = asked,
    timeout = 5,
    condition = id > 0,
    unless = *result > 100
)]
async fn with_options(id: u64, name: &str) -> Result<u64, cached_redis::error::Timeout> {
    Ok(id)
}

#[redis_cached(ttl = 60, stale_if_error = 60, key = "blanket:behind:<name:hash>")]
async fn behind(name: &str) -> u64 {
    name.len() as u64
}

#[redis_cached(batch(id in ids), ttl = 60, timeout = 5, key = "blanket:many:<id>")]
async fn many(ids: &[u64]) -> Result<HashMap<u64, u64>, cached_redis::error::Timeout> {
    Ok(HashMap::from([(ids[0], 2)]))
}

#[invalidates("blanket:<id>", "blanket:<id>:<result>:*", tag = "all", when = "ok")]
async fn write(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[invalidates("blanket:<id>", when = "before")]
async fn write_before(id: u64) -> u64 {
    id
}

#[invalidates("blanket:<id>", guard = "require", cache = cache)]
async fn write_guarded(cache: &Cache, id: u64) -> Result<u64, cached_redis::error::Unguarded> {
    Ok(id)
}

#[write_through(key = "blanket:<id>", ttl = 60, tags = [])]
async fn write_through_it(id: u64) -> Result<u64, String> {
    Ok(id)
}

#[tokio::test]
async fn expansions_find_no_method_of_a_blanket_trait() {
    let builder = Cache::builder().url("memory://").guarded(true);
    let cache = builder.build().await.unwrap();
    let calls = async {
        for _ in 0..2 {
            assert_eq!(with_default_key(1, None).await, Ok(Some(1)));
            assert_eq!(with_options(1, "a").await, Ok(1));
            assert_eq!(behind("ab").await, 2);
            assert_eq!(many(&[1]).await.unwrap()[&1], 2);
            cache.flush().await.unwrap();
        }
        assert_eq!(cache.stats().total().hits, 4);
        assert_eq!(write(1).await, Ok(1));
        assert_eq!(write_before(1).await, 1);
        assert_eq!(write_guarded(&cache, 1).await, Ok(1));
        assert_eq!(write_through_it(1).await, Ok(1));
    };
    cache.scope(calls).await;
}
