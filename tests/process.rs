//! What there is once per process: the installed cache, and the catalogue of a sound program.

use std::time::Duration;

use cached_redis::{
    Builder, Cache, CachedExt as _, Error, Policy, Schema, Status, after_commit, invalidates,
    redis_cached, write_through,
};
use tracing::Level;

#[allow(unused, reason = "shared by several programs, each uses its part")]
#[path = "support/mod.rs"]
mod support;

use support::{Log, Source};

#[redis_cached(ttl = 60, key = "process:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("process:<id>")]
async fn write(source: &Source, id: u64) -> u64 {
    source.write()
}

#[invalidates("process:hot:<id>", guard = "require", replica_lag = "2s")]
async fn write_guarded(id: u64) -> Result<u64, cached_redis::error::Unguarded> {
    Ok(id)
}

#[redis_cached(policy = "hot", key = "process:hot:<id>")]
async fn by_policy(id: u64) -> u64 {
    id
}

#[invalidates("process:elsewhere:<id>")]
async fn write_elsewhere(id: u64) {}

#[invalidates("process:both:<id>", guard)]
async fn write_both_guarded(id: u64) {}

#[invalidates("process:both:<id>")]
async fn write_both_bare(id: u64) {}

/// It bars its key by itself.
#[write_through(ttl = 60, key = "process:both:<id>", tags = [])]
async fn write_both_through(id: u64) -> u64 {
    id
}

/// Of another cache, of which nothing is known here.
#[invalidates("process:both:<id>", cache = cache)]
async fn write_both_elsewhere(cache: &Cache, id: u64) {}

fn invalidated(cache: &Cache) -> u64 {
    cache.stats().total().invalidations
}

fn builder() -> Builder {
    let hot = Policy::new().ttl(Duration::from_secs(1));
    let builder = Cache::builder().url("memory://").guarded(true);
    builder.policy("hot", hot)
}

#[tokio::test]
async fn before_a_cache_is_installed_functions_run_and_afterwards_they_are_cached() {
    let (log, _guard) = Log::collect();
    let source = Source::new();
    for loads in 1..=5 {
        let (value, info) = read(&source, 1).with_info().await;
        assert_eq!(
            (value, info.status(), source.loads()),
            (1, Status::Bypass, loads)
        );
    }
    assert_eq!(write(&source, 1).await, 2);
    assert_eq!(write_guarded(7).await, Ok(7));
    write_elsewhere(7).await;
    let warnings = log.count(Level::WARN, "no cache is installed");
    assert_eq!(warnings, 1, "{}", log.text());

    assert!(Cache::installed().is_none() && Cache::current().is_none());
    let cache = builder().build().await.unwrap();
    cache.clone().install().unwrap();
    for _ in 0..5 {
        assert_eq!(read(&source, 1).await, 2);
    }
    assert_eq!(source.loads(), 6);
    // It is there in every task, and a writer finds it too.
    let spawned = source.clone();
    let task = tokio::spawn(async move { (write(&spawned, 1).await, read(&spawned, 1).await) });
    assert_eq!(task.await.unwrap(), (3, 3));
    assert_eq!(cache.stats().total().invalidations, 1);
    assert_eq!(by_policy(7).await, 7);

    // A scope has precedence over it.
    let scoped = builder().build().await.unwrap();
    source.write();
    assert_eq!(scoped.scope(read(&source, 1)).await, 4);
    assert_eq!(read(&source, 1).await, 3);
    let asked = async || Cache::current().unwrap().invalidate("k").await.unwrap();
    scoped.scope(asked()).await;
    assert_eq!(invalidated(&scoped), 1);
    asked().await;
    Cache::installed().unwrap().invalidate("k").await.unwrap();
    let after = after_commit();
    after.invalidate("k");
    assert_eq!(invalidated(&cache), 3);
    after.commit().await.unwrap();
    assert_eq!((invalidated(&cache), invalidated(&scoped)), (4, 1));

    let second = builder().namespace("second").build().await.unwrap();
    assert!(matches!(second.install(), Err(Error::AlreadyInstalled)));
    assert_eq!(read(&source, 1).await, 3, "the first one stays");
}

#[test]
fn the_catalogue_of_this_program_is_sound() {
    cached_redis::assert_catalog!(elsewhere = ["process:elsewhere:<id>", "process:both:<id>"]);
}

#[tokio::test]
async fn the_catalogue_shows_every_function_of_this_program() {
    let catalog = builder().build().await.unwrap().catalog();
    let catalog = catalog.elsewhere(["process:elsewhere:<id>", "process:both:<id>"]);
    assert_eq!(catalog.problems(), []);
    let printed = catalog.to_string();
    let lines = printed.lines().map(|line| match line.rsplit_once(".rs:") {
        Some((row, _)) => row,
        None => line,
    });
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [
            "functions of process, in tests",
            "",
            "key               ttl         value  function   where",
            "process:<id>      60s         u64    read       process",
            "  invalidated by write",
            "process:hot:<id>  policy hot  u64    by_policy  process",
            "  invalidated by write_guarded (guard required, replica lag 2s)",
        ]
    );
}

#[tokio::test]
async fn advice_is_given_about_writers_that_differ_and_only_about_what_is_of_this_cache() {
    let catalog = builder().build().await.unwrap().catalog();
    let advice: Vec<_> = catalog.advice().iter().map(ToString::to_string).collect();
    let [bare] = &advice[..] else {
        panic!("{advice:?}");
    };
    let begin = "`process::write_both_bare` invalidates without `guard` what `process::write_both_guarded` writes";
    assert!(bare.starts_with(begin), "{bare}");
    // They are there to be looked at.
    let _ = (write_both_guarded, write_both_bare);
    let _ = (write_both_through, write_both_elsewhere);
}

#[tokio::test]
async fn a_function_that_names_an_unknown_policy_refuses_the_build() {
    let without = Cache::builder().url("memory://").build().await;
    match without {
        Err(Error::UnknownPolicy { name, function }) => {
            assert_eq!((name, function), ("hot", "process::by_policy"));
        }
        other => panic!("{other:?}"),
    }
    let without_ttl = Cache::builder()
        .url("memory://")
        .policy("hot", Policy::new());
    match without_ttl.build().await {
        Err(Error::Setting { setting, .. }) => assert_eq!(setting, "process::by_policy"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_policy_of_additive_changes_refuses_the_build_if_a_function_under_it_uses_bincode() {
    let hot = Policy::new().ttl(Duration::from_secs(1));
    let additive = builder().policy("hot", hot.schema(Schema::Additive));
    match additive.clone().build().await {
        Err(Error::Setting { setting, problem }) => {
            assert_eq!(setting, "process::by_policy");
            assert!(problem.contains("msgpack"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
    let described = additive.codec(cached_redis::Format::Json);
    assert!(described.build().await.is_ok());
}

#[tokio::test]
async fn a_writer_that_needs_a_guarded_cache_refuses_the_build_of_another() {
    match builder().guarded(false).build().await {
        Err(Error::Setting { setting, problem }) => {
            assert_eq!(setting, "process::write_guarded");
            assert!(problem.contains("guarded(true)"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}
