//! Values behind an `Arc` or an `Rc`: what they point to is stored, whether or not serde has its
//! feature `rc` (in these tests it has not).

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use cached_redis::{Cache, CachedExt as _, Status, redis_cached, write_through};
use serde::{Deserialize, Serialize};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    a_value_may_be_shared_in_every_shape,
    a_shared_value_has_the_entry_of_the_value_itself,
    values_of_a_batch_may_be_shared,
    a_shared_value_is_written_through,
    a_shared_value_may_be_loaded_behind_its_caller,
);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    id: u64,
}

type ApiResult<T> = Result<T, String>;

#[redis_cached(ttl = 60, key = "shared:plain:<id>")]
async fn plain(id: u64) -> Arc<User> {
    Arc::new(User { id })
}

#[redis_cached(ttl = 60, key = "shared:optional:<id>")]
async fn optional(id: u64) -> Option<Arc<User>> {
    (id > 0).then(|| Arc::new(User { id }))
}

#[redis_cached(ttl = 60, key = "shared:fallible:<id>", unless = result.id > 100)]
async fn fallible(id: u64) -> ApiResult<Arc<User>> {
    Ok(Arc::new(User { id }))
}

#[redis_cached(ttl = 60, key = "shared:both:<id>")]
async fn both(id: u64) -> ApiResult<Option<Rc<User>>> {
    Ok((id > 0).then(|| Rc::new(User { id })))
}

#[redis_cached(ttl = 60, key = "shared:generic:<id>", skip(T))]
async fn generic<T: From<u64> + Serialize + for<'de> Deserialize<'de>>(
    id: u64,
) -> ApiResult<Arc<T>> {
    Ok(Arc::new(T::from(id)))
}

/// The status of the second call, whose value is that of the first.
macro_rules! again {
    ($call:expr) => {{
        let (first, (second, info)) = ($call.await, $call.with_info().await);
        assert_eq!(first, second);
        info.status()
    }};
}

async fn a_value_may_be_shared_in_every_shape(world: World) {
    let calls = async {
        assert_eq!(again!(plain(1)), Status::Hit);
        assert_eq!(again!(optional(1)), Status::Hit);
        assert_eq!(again!(optional(0)), Status::Hit, "an absence");
        assert_eq!(again!(fallible(1)), Status::Hit);
        assert_eq!(
            again!(fallible(101)),
            Status::Miss,
            "`unless` sees the value"
        );
        assert_eq!(again!(both(1)), Status::Hit);
        assert_eq!(again!(both(0)), Status::Hit);
        assert_eq!(again!(generic::<u64>(1)), Status::Hit);
    };
    world.cache().await.scope(calls).await;
}

#[redis_cached(ttl = 60, key = "shared:entry", skip(source))]
async fn itself(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "shared:entry", skip(source))]
async fn shared(source: &Source) -> Arc<u64> {
    Arc::new(source.load().await)
}

#[write_through(key = "shared:entry", ttl = 60, tags = [])]
async fn write(source: &Source) -> ApiResult<Arc<u64>> {
    Ok(Arc::new(source.write()))
}

async fn a_shared_value_has_the_entry_of_the_value_itself(world: World) {
    let source = &Source::new();
    let calls = async {
        assert_eq!(itself(source).await, 1);
        assert_eq!(*shared(source).await, 1);
        assert_eq!(source.loads(), 1);
    };
    world.cache().await.scope(calls).await;
}

async fn a_shared_value_is_written_through(world: World) {
    let source = &Source::new();
    let calls = async {
        assert_eq!(*write(source).await.unwrap(), 2);
        assert_eq!((itself(source).await, *shared(source).await), (2, 2));
        assert_eq!(source.loads(), 0);
    };
    world.cache().await.scope(calls).await;
}

#[redis_cached(batch(id in ids), ttl = 60, key = "shared:many:<id>", unless = result.id > 100)]
async fn many(ids: &[u64]) -> ApiResult<HashMap<u64, Arc<User>>> {
    Ok(ids.iter().map(|&id| (id, Arc::new(User { id }))).collect())
}

#[redis_cached(batch(id in ids), ttl = 60, key = "shared:many:<id>")]
async fn many_themselves(ids: Vec<u64>) -> BTreeMap<u64, User> {
    ids.iter().map(|&id| (id, User { id })).collect()
}

async fn values_of_a_batch_may_be_shared(world: World) {
    let cache: Cache = world.cache().await;
    let calls = async {
        let loaded = many(&[1, 2, 101]).await.unwrap();
        filled(&cache, 2).await;
        assert_eq!(many(&[1, 2, 101]).await.unwrap(), loaded);
        assert_eq!(cache.stats().total().hits, 2, "`unless` has seen the third");
        assert_eq!(many_themselves(vec![1]).await[&1], User { id: 1 });
        assert_eq!(cache.stats().total().hits, 3);
    };
    cache.scope(calls).await;
}

#[redis_cached(ttl = 60, refresh_ahead = 0.8, key = "shared:behind:<id>")]
async fn behind(id: u64) -> ApiResult<Arc<User>> {
    Ok(Arc::new(User { id }))
}

async fn a_shared_value_may_be_loaded_behind_its_caller(world: World) {
    let calls = async { assert_eq!(again!(behind(1)), Status::Hit) };
    world.cache().await.scope(calls).await;
}
