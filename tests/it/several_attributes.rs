//! Writers that bear several attributes: whichever is above, all keys are settled when the function has
//! returned, and in each cache as one thing. (A cached function bears no other: the attributes refuse it.)

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use async_trait::async_trait;
use cached_redis::{
    Cache, CachedExt as _, Invalidation, Status, invalidates, redis_cached, write_through,
};

use crate::removed_as_one::{PAIRS, Scene, guarded, plain};
use crate::support::{World, on_both_stores, poll_once};

on_both_stores!(
    a_write_through_and_an_invalidation_settle_their_keys_in_either_order,
    one_write_goes_through_to_two_keys,
    keys_of_two_attributes,
    keys_of_three_attributes,
    a_pattern_beside_a_key_and_their_conditions,
    attributes_on_a_boxed_method_with_others_in_between,
    guarded_outer_keys_beside_inner_ones,
    guarded_inner_keys_beside_outer_ones,
    guarded_keys_of_both_attributes,
    a_write_through_that_stores_nothing_beside_inner_keys,
    keys_removed_before_the_function_runs,
    keys_of_a_writer_that_is_dropped,
    keys_of_a_writer_that_panics,
    each_cache_loses_its_own_keys,
    a_commit_removes_the_keys_of_all_attributes,
    what_the_function_calls_is_removed_when_that_returns,
);

#[derive(Default)]
struct Rows(AtomicU64);

impl Rows {
    fn now(&self) -> u64 {
        self.0.load(SeqCst)
    }
}

#[redis_cached(ttl = 60, key = "row", skip(rows))]
async fn row(rows: &Rows) -> u64 {
    rows.now()
}

#[redis_cached(ttl = 60, key = "row:copy", skip(rows))]
async fn copy(rows: &Rows) -> u64 {
    rows.now()
}

#[redis_cached(ttl = 60, key = "list", skip(rows))]
async fn list(rows: &Rows) -> Vec<u64> {
    vec![rows.now()]
}

#[write_through(key = "row", ttl = 60, tags = [])]
#[invalidates("list")]
async fn through_above(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

#[invalidates("list")]
#[write_through(key = "row", ttl = 60, tags = [])]
async fn through_below(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

#[write_through(key = "row", ttl = 60, tags = [])]
#[write_through(key = "row:copy", ttl = 60, tags = [])]
async fn through_to_both(rows: &Rows) -> u64 {
    rows.0.fetch_add(1, SeqCst) + 1
}

async fn a_write_through_and_an_invalidation_settle_their_keys_in_either_order(world: World) {
    let rows = &Rows::default();
    let steps = async {
        assert_eq!((row(rows).await, list(rows).await), (0, vec![0]));
        assert_eq!(through_above(rows).await, 1);
        assert_eq!(row(rows).with_info().await.1.status(), Status::Hit);
        assert_eq!((row(rows).await, list(rows).await), (1, vec![1]));
        assert_eq!(through_below(rows).await, 2);
        assert_eq!(row(rows).with_info().await.1.status(), Status::Hit);
        assert_eq!((row(rows).await, list(rows).await), (2, vec![2]));
    };
    world.cache().await.scope(steps).await;
}

async fn one_write_goes_through_to_two_keys(world: World) {
    let rows = &Rows::default();
    let steps = async {
        assert_eq!((row(rows).await, copy(rows).await), (0, 0));
        assert_eq!(through_to_both(rows).await, 1);
        let (row, copy) = (row(rows).with_info().await, copy(rows).with_info().await);
        assert_eq!((row.0, row.1.status()), (1, Status::Hit));
        assert_eq!((copy.0, copy.1.status()), (1, Status::Hit));
    };
    world.cache().await.scope(steps).await;
}

/// The attribute above ends first: without the other one, its outer entry would be loaded anew from an
/// inner one that is about to go.
#[invalidates("one:outer:<id>")]
#[invalidates("one:inner:<id>")]
async fn two(id: u64) {}

#[invalidates("one:outer:<id>")]
#[invalidates("one:other:<id>")]
#[invalidates("one:inner:<id>")]
async fn three(id: u64) {}

#[invalidates("one:outer:<id>", when = "ok")]
#[invalidates("one:inner:<result>*", when = "ok")]
async fn conditional(id: u64) -> Result<u64, Infallible> {
    Ok(id)
}

#[async_trait]
trait Shop {
    async fn sell(&self, id: u64) -> u64;
}

struct Books;

#[async_trait]
impl Shop for Books {
    #[invalidates("one:outer:<id>")]
    #[tracing::instrument(skip(self))]
    #[invalidates("one:inner:<id>")]
    async fn sell(&self, id: u64) -> u64 {
        id
    }
}

#[invalidates("one:outer:<id>", guard, cache = cache)]
#[invalidates("one:inner:<id>")]
async fn guarded_outer(cache: &Cache, id: u64) {}

#[invalidates("one:outer:<id>")]
#[invalidates("one:inner:<id>", guard, cache = cache)]
async fn guarded_inner(cache: &Cache, id: u64) {}

#[invalidates("one:outer:<id>", guard, cache = cache)]
#[invalidates("one:inner:<id>", guard, cache = cache)]
async fn guarded_both(cache: &Cache, id: u64) {}

#[write_through(key = "one:outer:<id>", ttl = 600, tags = [])]
#[invalidates("one:inner:<id>")]
async fn through_in_vain(id: u64) -> Result<u64, &'static str> {
    let _: u64 = id;
    Err("maybe committed")
}

/// Here the one below goes first.
#[invalidates("one:inner:<id>", when = "before")]
#[invalidates("one:outer:<id>", when = "before")]
async fn before(id: u64) {}

#[invalidates("one:outer:<id>")]
#[invalidates("one:inner:<id>")]
async fn dropped(id: u64) {
    let _: u64 = id;
    std::future::pending().await
}

#[invalidates("one:outer:<id>")]
#[invalidates("one:inner:<id>")]
async fn panicking(id: u64) {
    panic!("of {id}");
}

async fn all_of(world: &World, write: impl AsyncFn(&Cache, u64)) {
    let scene = Scene::new(world, guarded).await;
    let write_all = async |cache: &Cache| {
        for id in 0..PAIRS {
            cache.scope(write(cache, id)).await;
        }
        assert_eq!(cache.stats().total().lost_invalidations, 0);
        cache.flush().await.unwrap();
    };
    scene.leaves_nothing_old(write_all).await;
}

async fn keys_of_two_attributes(world: World) {
    all_of(&world, async |_, id| two(id).await).await;
}

async fn keys_of_three_attributes(world: World) {
    all_of(&world, async |_, id| three(id).await).await;
}

async fn a_pattern_beside_a_key_and_their_conditions(world: World) {
    all_of(&world, async |_, id| {
        assert_eq!(conditional(id).await, Ok(id))
    })
    .await;
}

async fn attributes_on_a_boxed_method_with_others_in_between(world: World) {
    all_of(&world, async |_, id| assert_eq!(Books.sell(id).await, id)).await;
}

async fn guarded_outer_keys_beside_inner_ones(world: World) {
    all_of(&world, async |cache, id| guarded_outer(cache, id).await).await;
}

async fn guarded_inner_keys_beside_outer_ones(world: World) {
    all_of(&world, async |cache, id| guarded_inner(cache, id).await).await;
}

async fn guarded_keys_of_both_attributes(world: World) {
    all_of(&world, async |cache, id| guarded_both(cache, id).await).await;
}

async fn a_write_through_that_stores_nothing_beside_inner_keys(world: World) {
    all_of(&world, async |_, id| {
        assert!(through_in_vain(id).await.is_err())
    })
    .await;
}

async fn keys_removed_before_the_function_runs(world: World) {
    all_of(&world, async |_, id| before(id).await).await;
}

async fn keys_of_a_writer_that_is_dropped(world: World) {
    all_of(&world, async |_, id| {
        assert!(poll_once(pin!(dropped(id))).is_pending());
    })
    .await;
}

async fn keys_of_a_writer_that_panics(world: World) {
    let scene = Scene::new(&world, plain).await;
    let write_all = async |cache: &Cache| {
        for id in 0..PAIRS {
            assert!(cache.spawn(panicking(id)).await.unwrap_err().is_panic());
        }
        cache.flush().await.unwrap();
    };
    scene.leaves_nothing_old(write_all).await;
}

#[invalidates("x", cache = first)]
#[invalidates("y")]
#[invalidates("z", cache = first)]
async fn in_two_caches(first: &Cache) {}

async fn each_cache_loses_its_own_keys(world: World) {
    let (first, second) = (
        world.builder().namespace("first").build().await.unwrap(),
        world.builder().namespace("second").build().await.unwrap(),
    );
    for cache in [&first, &second] {
        for key in ["x", "y", "z"] {
            let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(60));
            cache.put(&policy, key, &1_u8).await.unwrap();
        }
    }
    second.scope(in_two_caches(&first)).await;
    let left = async |cache: &Cache| {
        let mut left = Vec::new();
        for key in ["x", "y", "z"] {
            left.extend(cache.get::<u8>(key).await.unwrap().map(|_| key));
        }
        left
    };
    assert_eq!(left(&first).await, ["y"]);
    assert_eq!(left(&second).await, ["x", "z"]);
}

async fn a_commit_removes_the_keys_of_all_attributes(world: World) {
    let scene = Scene::new(&world, plain).await;
    let commit = async |cache: &Cache| {
        let after = cache.after_commit();
        for id in 0..PAIRS {
            after.scope(cache.scope(two(id))).await;
        }
        assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    };
    scene.leaves_nothing_old(commit).await;
}

#[redis_cached(ttl = 60, key = "own", skip(rows))]
async fn own(rows: &Rows) -> u64 {
    rows.now()
}

#[invalidates("own")]
#[invalidates("list")]
async fn calls_itself(rows: &Rows, depth: u64) {
    rows.0.fetch_add(1, SeqCst);
    if depth > 0 {
        Box::pin(calls_itself(rows, depth - 1)).await;
        assert_eq!(
            (own(rows).await, list(rows).await),
            (rows.now(), vec![rows.now()])
        );
        through_below(rows).await;
        assert_eq!(list(rows).await, [rows.now()]);
    }
}

async fn what_the_function_calls_is_removed_when_that_returns(world: World) {
    let rows = &Rows::default();
    let steps = async {
        assert_eq!((own(rows).await, list(rows).await), (0, vec![0]));
        calls_itself(rows, 2).await;
    };
    world.cache().await.scope(steps).await;
}
