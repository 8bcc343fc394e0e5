//! Stale windows from a policy, where nothing can be copied: the caller whose turn it is to load waits
//! for its load, and the others are served the old value.

use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Policy, Status, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    where_the_window_comes_from_a_policy_one_caller_waits_and_the_others_are_served,
    a_caller_that_loads_in_place_and_is_dropped_hands_the_load_on,
    a_direct_call_with_a_window_is_served_past_the_ttl,
);

fn stale() -> Policy {
    let policy = Policy::new()
        .ttl(Duration::from_millis(50))
        .jitter(Jitter::NONE);
    policy.stale_while_revalidate(Duration::from_secs(600))
}

#[redis_cached(policy = "stale", key = "in-place:<id>", cache = cache, skip(cache, source))]
async fn by_policy(cache: &Cache, source: &mut Source, id: u64) -> u64 {
    source.load().await
}

async fn where_the_window_comes_from_a_policy_one_caller_waits_and_the_others_are_served(
    world: World,
) {
    let build = world.patient().policy("stale", stale());
    let (cache, source) = (build.build().await.unwrap(), Source::new());
    let read = async || by_policy(&cache, &mut source.clone(), 1).with_info().await;
    let _ = read().await;
    filled(&cache, 1).await;
    source.write();
    source.hold();
    let waiting = tokio::spawn({
        let (cache, source) = (cache.clone(), source.clone());
        async move {
            while source.loads() < 2 {
                by_policy(&cache, &mut source.clone(), 1).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            by_policy(&cache, &mut source.clone(), 1).await
        }
    });
    source.begun(2).await;
    for _ in 0..20 {
        let (old, info) = in_time(read()).await;
        assert_eq!((old, info.status()), (1, Status::Stale));
    }
    assert_eq!(source.loads(), 2);
    source.release();
    assert_eq!(in_time(waiting).await.unwrap(), 2);
}

async fn a_caller_that_loads_in_place_and_is_dropped_hands_the_load_on(world: World) {
    let build = || world.patient().policy("stale", stale()).build();
    let [cache, other] = [build().await.unwrap(), build().await.unwrap()];
    let source = Source::new();
    by_policy(&cache, &mut source.clone(), 1).await;
    filled(&cache, 1).await;
    source.write();
    source.hold();
    for loads in 2..5 {
        let leader = tokio::spawn({
            let (cache, source) = (cache.clone(), source.clone());
            async move {
                loop {
                    by_policy(&cache, &mut source.clone(), 1).await;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        source.begun(loads).await;
        leader.abort();
        assert!(leader.await.is_err_and(|error| error.is_cancelled()));
    }
    source.release();
    let new = async || by_policy(&other, &mut source.clone(), 1).await == 2;
    eventually("the other process to load", new).await;
}

async fn a_direct_call_with_a_window_is_served_past_the_ttl(world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    let policy = stale();
    let load = || async { Ok::<_, String>(source.load().await) };
    let read = async || {
        cache
            .get_or_fill(&policy, "in-place:direct", load)
            .with_info()
            .await
    };
    assert_eq!(read().await.0, Ok(1));
    filled(&cache, 1).await;
    source.write();
    source.hold();
    let (first, second) = tokio::join!(
        async {
            while source.loads() < 2 {
                read().await.0.unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            source.loads()
        },
        async {
            source.begun(2).await;
            let (old, info) = read().await;
            source.release();
            (old, info.status())
        }
    );
    assert_eq!((first, second), (2, (Ok(1), Status::Stale)));
}
