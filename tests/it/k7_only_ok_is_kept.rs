//! K7: only an `Ok` is kept, whatever name the result type goes by.

use std::io;

use cached_redis::{CachedExt as _, Status, redis_cached};

use crate::support::{Source, World, on_both_stores};

on_both_stores!(
    k7_behind_an_alias,
    k7_behind_an_alias_of_an_alias,
    k7_of_io,
    k7_with_a_boxed_error,
    k7_with_an_option_inside,
    k7_in_a_generic_function,
);

type ApiResult<T> = Result<T, ApiError>;
type Reply = ApiResult<u64>;
type Boxed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, PartialEq)]
struct ApiError;

#[redis_cached(ttl = 60, key = "k7:alias:<id>", skip(source))]
async fn alias(source: &Source, id: u64) -> ApiResult<u64> {
    let version = source.try_load().await.ok_or(ApiError)?;
    Ok(version)
}

#[redis_cached(ttl = 60, key = "k7:reply:<id>", skip(source))]
async fn reply(source: &Source, id: u64) -> Reply {
    source.try_load().await.ok_or(ApiError)
}

#[redis_cached(ttl = 60, key = "k7:io:<id>", skip(source))]
async fn of_io(source: &Source, id: u64) -> io::Result<u64> {
    let Some(version) = source.try_load().await else {
        return Err(io::Error::other("gone"));
    };
    Ok(version)
}

#[redis_cached(ttl = 60, key = "k7:boxed:<id>", skip(source))]
async fn boxed(source: &Source, id: u64) -> Boxed<u64> {
    Ok(source.try_load().await.ok_or("gone")?)
}

#[redis_cached(ttl = 60, key = "k7:optional:<id>", skip(source))]
async fn optional(source: &Source, id: u64) -> ApiResult<Option<u64>> {
    let version = source.try_load().await.ok_or(ApiError)?;
    Ok((version > 1).then_some(version))
}

#[redis_cached(ttl = 60, key = "k7:generic:<id>", skip(source, E))]
async fn generic<E: From<ApiError>>(source: &Source, id: u64) -> Result<u64, E> {
    source.try_load().await.ok_or(ApiError.into())
}

/// Calls a function whose first two loads fail.
macro_rules! assert_only_ok_is_kept {
    ($world:expr, $source:ident => $call:expr, $ok:expr) => {{
        let cache = $world.cache().await;
        let $source = &Source::new();
        $source.fail(2);
        let mut seen = Vec::new();
        for _ in 0..4 {
            let (result, info) = cache.scope($call.with_info()).await;
            seen.push((result.ok(), info.status()));
        }
        let failed = |status| (None, status);
        assert_eq!(
            seen[..2].iter().map(|(ok, _)| *ok).collect::<Vec<_>>(),
            [None, None]
        );
        assert_eq!(
            seen[2..],
            [(Some($ok), Status::Miss), (Some($ok), Status::Hit)]
        );
        assert!(!seen.contains(&failed(Status::Hit)));
        assert_eq!($source.loads(), 3);
    }};
}

async fn k7_behind_an_alias(world: World) {
    assert_only_ok_is_kept!(world, source => alias(source, 1), 1);
}

async fn k7_behind_an_alias_of_an_alias(world: World) {
    assert_only_ok_is_kept!(world, source => reply(source, 1), 1);
}

async fn k7_of_io(world: World) {
    assert_only_ok_is_kept!(world, source => of_io(source, 1), 1);
}

async fn k7_with_a_boxed_error(world: World) {
    assert_only_ok_is_kept!(world, source => boxed(source, 1), 1);
}

async fn k7_with_an_option_inside(world: World) {
    assert_only_ok_is_kept!(world, source => optional(source, 1), None);
}

async fn k7_in_a_generic_function(world: World) {
    assert_only_ok_is_kept!(world, source => generic::<ApiError>(source, 1), 1);
}
