//! Which cache a function asks: the one its attribute names, the one in scope, or none.

use std::sync::OnceLock;

use cached_redis::{Cache, invalidates, redis_cached};

use crate::support::{Source, World, filled, on_both_stores};

on_both_stores!(
    a_method_uses_the_cache_that_its_attribute_names,
    a_writer_uses_the_cache_that_its_attribute_names,
    a_static_can_be_named,
    without_a_cache_functions_simply_run,
    the_innermost_scope_counts,
    a_scope_reaches_spawned_tasks_through_spawn_only,
    scopes_run_side_by_side,
    clones_are_the_same_cache,
);

#[redis_cached(ttl = 60, key = "instances:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

struct Shop {
    cache: Cache,
    source: Source,
}

impl Shop {
    #[redis_cached(ttl = 60, key = "instances:shop:<id>", cache = self.cache)]
    async fn price(&self, id: u64) -> u64 {
        self.source.load().await
    }

    #[invalidates("instances:shop:<id>", cache = self.cache)]
    async fn set_price(&self, id: u64) -> u64 {
        self.source.write()
    }
}

fn shared() -> &'static OnceLock<Cache> {
    static SHARED: OnceLock<Cache> = OnceLock::new();
    &SHARED
}

#[redis_cached(ttl = 60, key = "instances:static:<id>", cache = shared().get().unwrap())]
async fn of_static(id: u64) -> u64 {
    id
}

async fn shops(world: &World) -> [Shop; 2] {
    let build = async |namespace: &str| {
        let cache = world.builder().namespace(namespace).build().await.unwrap();
        Shop {
            cache,
            source: Source::new(),
        }
    };
    [build("north").await, build("south").await]
}

async fn a_method_uses_the_cache_that_its_attribute_names(world: World) {
    let [north, south] = shops(&world).await;
    south.source.write();
    for _ in 0..3 {
        // What is in scope does not matter.
        assert_eq!(south.cache.scope(north.price(1)).await, 1);
        assert_eq!(south.price(1).await, 2);
    }
    assert_eq!((north.source.loads(), south.source.loads()), (1, 1));
}

async fn a_writer_uses_the_cache_that_its_attribute_names(world: World) {
    let [north, south] = shops(&world).await;
    assert_eq!((north.price(1).await, south.price(1).await), (1, 1));
    filled(&south.cache, 1).await;
    assert_eq!(south.cache.scope(north.set_price(1)).await, 2);
    assert_eq!(north.price(1).await, 2);
    assert_eq!((south.price(1).await, south.source.loads()), (1, 1));
}

async fn a_static_can_be_named(world: World) {
    let cache = world.cache().await;
    let cache = shared().get_or_init(|| cache);
    let before = cache.stats().total().loads;
    let id = u64::from(world.server().is_some());
    for _ in 0..3 {
        assert_eq!(of_static(id).await, id);
    }
    assert_eq!(cache.stats().function("of_static").unwrap().errors, 0);
    assert!(cache.stats().total().loads > before);
}

async fn without_a_cache_functions_simply_run(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    for loads in 1..=3 {
        assert_eq!(read(&source, 1).await, 1);
        assert_eq!(source.loads(), loads);
    }
    assert_eq!(cache.get::<u64>("instances:1").await.unwrap(), None);
}

async fn the_innermost_scope_counts(world: World) {
    let [north, south] = shops(&world).await;
    let source = Source::new();
    north.cache.scope(south.cache.scope(read(&source, 1))).await;
    assert_eq!(south.cache.stats().total().misses, 1);
    assert_eq!(north.cache.stats().total().misses, 0);
}

async fn a_scope_reaches_spawned_tasks_through_spawn_only(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let inner = cache.clone();
    let task = source.clone();
    cache
        .scope(async move {
            let outside = task.clone();
            tokio::spawn(async move { read(&outside, 1).await })
                .await
                .unwrap();
            assert_eq!(inner.stats().total().misses, 0);
            let inside = task.clone();
            inner
                .spawn(async move { read(&inside, 1).await })
                .await
                .unwrap();
            assert_eq!(inner.stats().total().misses, 1);
        })
        .await;
    assert_eq!(source.loads(), 2);
}

async fn scopes_run_side_by_side(world: World) {
    let [north, south] = shops(&world).await;
    let sources = [Source::new(), Source::new()];
    sources[1].write();
    let (a, b) = tokio::join!(
        north.cache.scope(async {
            for _ in 0..100 {
                assert_eq!(read(&sources[0], 1).await, 1);
                tokio::task::yield_now().await;
            }
            sources[0].loads()
        }),
        south.cache.scope(async {
            for _ in 0..100 {
                assert_eq!(read(&sources[1], 1).await, 2);
                tokio::task::yield_now().await;
            }
            sources[1].loads()
        }),
    );
    assert_eq!((a, b), (1, 1));
}

async fn clones_are_the_same_cache(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    cache.clone().scope(read(&source, 1)).await;
    cache.clone().scope(read(&source, 1)).await;
    assert_eq!((source.loads(), cache.stats().total().misses), (1, 1));
}
