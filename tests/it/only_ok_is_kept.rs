//! Only an `Ok` is kept, whatever name the result type goes by.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Debug;
use std::io;
use std::time::Duration;

use cached_redis::{CachedExt as _, Policy, Status, redis_cached, write_through};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    behind_an_alias,
    behind_an_alias_of_an_alias,
    with_an_alias_of_std,
    with_a_boxed_error,
    with_an_option_inside,
    in_a_generic_function,
    an_error_of_a_type_that_only_the_caller_knows_is_not_kept,
    errors_inside_of_what_an_alias_hides_are_not_kept,
    an_error_in_a_type_of_the_users_own_is_data,
    errors_of_single_ids_of_a_batch_are_not_kept,
    an_error_that_was_written_is_not_kept,
    an_error_inside_of_what_was_filled_by_hand_is_not_kept,
);

type ApiResult<T> = Result<T, ApiError>;
type Reply = ApiResult<u64>;
type Boxed<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Debug, PartialEq)]
struct ApiError;

#[redis_cached(ttl = 60, key = "only-ok-is-kept:alias:<id>", skip(source))]
async fn alias(source: &Source, id: u64) -> ApiResult<u64> {
    let version = source.try_load().await.ok_or(ApiError)?;
    Ok(version)
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:reply:<id>", skip(source))]
async fn reply(source: &Source, id: u64) -> Reply {
    source.try_load().await.ok_or(ApiError)
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:io:<id>", skip(source))]
async fn of_io(source: &Source, id: u64) -> io::Result<u64> {
    let Some(version) = source.try_load().await else {
        return Err(io::Error::other("gone"));
    };
    Ok(version)
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:boxed:<id>", skip(source))]
async fn boxed(source: &Source, id: u64) -> Boxed<u64> {
    Ok(source.try_load().await.ok_or("gone")?)
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:optional:<id>", skip(source))]
async fn optional(source: &Source, id: u64) -> ApiResult<Option<u64>> {
    let version = source.try_load().await.ok_or(ApiError)?;
    Ok((version > 1).then_some(version))
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:generic:<id>", skip(source, E))]
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

async fn behind_an_alias(world: World) {
    assert_only_ok_is_kept!(world, source => alias(source, 1), 1);
}

async fn behind_an_alias_of_an_alias(world: World) {
    assert_only_ok_is_kept!(world, source => reply(source, 1), 1);
}

async fn with_an_alias_of_std(world: World) {
    assert_only_ok_is_kept!(world, source => of_io(source, 1), 1);
}

async fn with_a_boxed_error(world: World) {
    assert_only_ok_is_kept!(world, source => boxed(source, 1), 1);
}

async fn with_an_option_inside(world: World) {
    assert_only_ok_is_kept!(world, source => optional(source, 1), None);
}

async fn in_a_generic_function(world: World) {
    assert_only_ok_is_kept!(world, source => generic::<ApiError>(source, 1), 1);
}

type Answer = Result<u64, String>;
type Maybe = Option<Answer>;
type Twice = Result<Answer, String>;
type Pair = (u64, Answer);
type Held = Box<Answer>;
type List = Vec<Answer>;

/// A return type that tells an error by itself.
trait Tells: Serialize + DeserializeOwned + Debug + PartialEq {
    fn of(answer: Answer) -> Self;
}

macro_rules! replies {
    ($($function:ident: $reply:ty = $of:expr;)+) => {$(
        impl Tells for $reply {
            fn of(answer: Answer) -> Self {
                let of: fn(Answer) -> Self = $of;
                of(answer)
            }
        }

        #[redis_cached(ttl = 60, key = "only-ok-is-kept:nested", skip(source))]
        async fn $function(source: &Source) -> $reply {
            Tells::of(source.try_load().await.ok_or("gone".to_owned()))
        }
    )+};
}

replies! {
    maybe: Maybe = Some;
    twice: Twice = Ok;
    pair: Pair = |answer| (7, answer);
    held: Held = Box::new;
    list: List = |answer| vec![Ok(1), answer];
}

impl Tells for Answer {
    fn of(answer: Answer) -> Self {
        answer
    }
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:whole", skip(source, R))]
async fn whole<R: Tells>(source: &Source) -> R {
    R::of(source.try_load().await.ok_or("gone".to_owned()))
}

/// Calls a function whose first load fails, which shows in its value alone.
macro_rules! assert_only_success_is_kept {
    ($world:expr, $reply:ty, $source:ident => $call:expr) => {{
        let cache = $world.cache().await;
        let $source = &Source::new();
        $source.fail(1);
        let (failed, loaded, kept) = cache
            .scope(async { ($call.await, $call.await, $call.with_info().await) })
            .await;
        assert_eq!(failed, <$reply>::of(Err("gone".to_owned())));
        assert_eq!(loaded, <$reply>::of(Ok(1)));
        assert_eq!((kept.0, kept.1.status()), (loaded, Status::Hit));
        assert_eq!($source.loads(), 2);
        assert_eq!(
            cache.stats().total().unstorable,
            0,
            "an error is no fault of the codec"
        );
        cache.invalidate("only-ok-is-kept:nested").await.unwrap();
    }};
}

async fn an_error_of_a_type_that_only_the_caller_knows_is_not_kept(world: World) {
    assert_only_success_is_kept!(world, Answer, source => whole::<Answer>(source));
}

async fn errors_inside_of_what_an_alias_hides_are_not_kept(world: World) {
    assert_only_success_is_kept!(world, Maybe, source => maybe(source));
    assert_only_success_is_kept!(world, Twice, source => twice(source));
    assert_only_success_is_kept!(world, Pair, source => pair(source));
    assert_only_success_is_kept!(world, Held, source => held(source));
    assert_only_success_is_kept!(world, List, source => list(source));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Job {
    outcome: Answer,
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:job", skip(source))]
async fn job(source: &Source) -> Option<Job> {
    let outcome = source.try_load().await.ok_or("gone".to_owned());
    Some(Job { outcome })
}

async fn an_error_in_a_type_of_the_users_own_is_data(world: World) {
    let source = &Source::new();
    source.fail(1);
    let calls = async { (job(source).await, job(source).with_info().await) };
    let (loaded, (kept, info)) = world.cache().await.scope(calls).await;
    assert_eq!((&kept, info.status()), (&loaded, Status::Hit));
    assert!(kept.unwrap().outcome.is_err());
}

#[redis_cached(batch(id in ids), ttl = 60, key = "only-ok-is-kept:many:<id>", skip(source))]
async fn many(source: &Source, ids: &[u64]) -> HashMap<u64, Result<u64, String>> {
    let version = source.load().await;
    let answer = |id: &u64| {
        if *id == version {
            Err("no".to_owned())
        } else {
            Ok(*id)
        }
    };
    ids.iter().map(|id| (*id, answer(id))).collect()
}

async fn errors_of_single_ids_of_a_batch_are_not_kept(world: World) {
    let cache = world.cache().await;
    let source = &Source::new();
    let ask = || cache.scope(many(source, &[1, 2]));
    assert_eq!(
        ask().await,
        HashMap::from([(1, Err("no".to_owned())), (2, Ok(2))])
    );
    filled(&cache, 1).await;
    assert_eq!(source.write(), 2);
    assert_eq!(
        ask().await,
        HashMap::from([(1, Ok(1)), (2, Ok(2))]),
        "2 is a hit"
    );
    assert_eq!(cache.stats().total().hits, 1);
}

#[redis_cached(ttl = 60, key = "only-ok-is-kept:written", skip(source))]
async fn read_pair(source: &Source) -> Pair {
    (0, Ok(source.load().await))
}

#[write_through(key = "only-ok-is-kept:written", ttl = 60, tags = [])]
async fn write_pair(answer: Answer) -> Pair {
    (0, answer)
}

async fn an_error_that_was_written_is_not_kept(world: World) {
    let source = &Source::new();
    let calls = async {
        assert!(write_pair(Err("refused".to_owned())).await.1.is_err());
        let (read, info) = read_pair(source).with_info().await;
        assert_eq!((read, info.status()), ((0, Ok(1)), Status::Miss));
        assert_eq!(write_pair(Ok(5)).await, (0, Ok(5)));
        let (read, info) = read_pair(source).with_info().await;
        assert_eq!((read, info.status()), ((0, Ok(5)), Status::Hit));
    };
    world.cache().await.scope(calls).await;
}

async fn an_error_inside_of_what_was_filled_by_hand_is_not_kept(world: World) {
    const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));
    let cache = world.cache().await;
    let fill = async |answer: Answer| {
        let load = || async { Ok::<_, Infallible>(Some(answer)) };
        cache
            .get_or_fill(&POLICY, "only-ok-is-kept:by-hand", load)
            .await
            .unwrap()
    };
    assert_eq!(
        fill(Err("gone".to_owned())).await,
        Some(Err("gone".to_owned()))
    );
    assert_eq!(fill(Ok(1)).await, Some(Ok(1)));
    assert_eq!(fill(Ok(2)).await, Some(Ok(1)), "a hit");
    let put = cache
        .put(
            &POLICY,
            "only-ok-is-kept:by-hand",
            &Some(Answer::Err("gone".to_owned())),
        )
        .await;
    assert!(put.is_err(), "what can never be kept is no success");
}
