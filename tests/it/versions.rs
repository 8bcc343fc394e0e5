//! Versions of the source: an entry of another version is a miss, one of the same is a hit.

use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status, redis_cached};
use tokio::task::JoinHandle;

use crate::support::{
    Rows, Source, World, eventually, filled, hit_again, in_time, on_both_stores, waiting,
};

on_both_stores!(
    an_entry_of_the_sources_version_is_a_hit_and_one_of_another_is_replaced,
    all_who_find_an_entry_of_another_version_share_one_load,
    a_version_that_grows_during_a_load_makes_its_entry_a_miss,
    a_reader_of_a_newer_version_shares_no_load_of_an_older_one,
    no_read_is_older_than_the_version_that_it_has_asked_for,
    a_source_that_does_not_tell_its_version_is_asked_for_the_value,
    the_version_is_asked_for_with_the_arguments_of_the_call,
    a_method_of_the_type_is_asked_with_the_receiver,
    in_a_stale_window_nothing_of_another_version_is_served,
    an_absence_has_a_version_too,
    what_was_stored_without_a_version_is_of_none,
    closures_have_versions_too,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

#[redis_cached(ttl = 60, key = "versions:<id>", version = version_of, skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    let _: u64 = id;
    source.load().await
}

async fn version_of(source: &Source, _: u64) -> u64 {
    source.version()
}

async fn status(cache: &Cache, source: &Source) -> (u64, Status) {
    let (value, info) = in_time(cache.scope(read(source, 1).with_info())).await;
    (value, info.status())
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1).await })
}

async fn an_entry_of_the_sources_version_is_a_hit_and_one_of_another_is_replaced(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::new();
    for version in 1..=3 {
        assert_eq!(status(&cache, &source).await, (version, Status::Miss));
        filled(&cache, version).await;
        for process in [&cache, &other] {
            assert_eq!(status(process, &source).await, (version, Status::Hit));
        }
        source.write();
    }
    assert_eq!(source.loads(), 3);
}

async fn all_who_find_an_entry_of_another_version_share_one_load(world: World) {
    let [cache, other] = [world.patient().build().await, world.patient().build().await];
    let [cache, other] = [cache.unwrap(), other.unwrap()];
    let source = Source::new();
    reader(&cache, &source).await.unwrap();
    filled(&cache, 1).await;
    source.write();
    source.hold();
    let readers: Vec<_> = (0..10)
        .flat_map(|_| [reader(&cache, &source), reader(&other, &source)])
        .collect();
    let waits = async || cache.stats().total().waits + other.stats().total().waits >= 19;
    eventually("all but one to wait", waits).await;
    source.release();
    for reader in readers {
        assert_eq!(in_time(reader).await.unwrap(), 2);
    }
    assert_eq!(source.loads(), 2);
}

async fn a_version_that_grows_during_a_load_makes_its_entry_a_miss(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;
    source.write();
    source.release();
    assert_eq!(overtaken.await.unwrap(), 1);
    filled(&cache, 1).await;
    for (process, expected) in [(&other, Status::Miss), (&cache, Status::Hit)] {
        assert_eq!(status(process, &source).await, (2, expected));
        filled(&other, 1).await;
    }
}

async fn a_reader_of_a_newer_version_shares_no_load_of_an_older_one(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;
    source.write();
    let late = reader(&cache, &source);
    waiting(&cache, 1).await;
    source.release();
    assert_eq!(overtaken.await.unwrap(), 1);
    assert_eq!(in_time(late).await.unwrap(), 2);
}

#[redis_cached(ttl = 60, key = "versions:row:<id>", version = version_of_row, skip(rows))]
async fn read_row(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

async fn version_of_row(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

/// Nobody invalidates: the version alone keeps the reads fresh.
async fn no_read_is_older_than_the_version_that_it_has_asked_for(world: World) {
    let [cache, other] = [world.cache().await, world.cache().await];
    let rows = Rows::new(2);
    let read = |rows: Rows, id: usize| async move { read_row(&rows, id).await };
    let readers = [&cache, &other].map(|process| rows.readers(process, 4, read));
    for round in 0..200 {
        let version = rows.write(round % 2);
        rows.acknowledge(round % 2, version);
        for process in [&cache, &other] {
            let value = process.scope(read_row(&rows, round % 2)).await;
            assert_eq!(value, version);
        }
        if round % 20 == 0 {
            hit_again(&cache).await;
        }
    }
    for reader in readers {
        reader.stop().await;
    }
    let stats = cache.stats().total();
    assert!(stats.misses > 0, "{stats:?}");
}

#[redis_cached(ttl = 60, key = "versions:untold", version = untold, skip(source, tells))]
async fn sometimes(source: &Source, tells: bool) -> u64 {
    source.load().await
}

async fn untold(source: &Source, tells: bool) -> Result<u64, String> {
    match tells {
        true => Ok(source.version()),
        false => Err("not now".to_owned()),
    }
}

async fn a_source_that_does_not_tell_its_version_is_asked_for_the_value(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let read = |tells| cache.scope(sometimes(&source, tells));
    read(true).await;
    filled(&cache, 1).await;
    for loads in 2..=4 {
        read(false).await;
        assert_eq!(source.loads(), loads);
    }
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.fills), (3, 1), "{stats:?}");
    read(true).await;
    assert_eq!(source.loads(), 4, "the entry is still there");
}

/// What a version looks like to people.
struct Etag(String);

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

type Answer<T> = Result<T, Infallible>;

#[redis_cached(
    ttl = 60,
    key = "versions:arguments:<text>:<owned>:<number>",
    version = etag,
    skip(source, ignored)
)]
async fn many(
    source: &Source,
    text: &str,
    mut owned: String,
    number: u64,
    ignored: &[u8],
) -> Answer<String> {
    owned.push_str(text);
    let _: (u64, &[u8]) = (number, ignored);
    source.load().await;
    Ok(owned)
}

async fn etag(
    source: &Source,
    text: &str,
    owned: String,
    number: u64,
    ignored: &[u8],
) -> Answer<Etag> {
    assert_eq!((text, &*owned, number, ignored), ("b", "a", 7, &[1][..]));
    Ok(Etag(source.version().to_string()))
}

async fn the_version_is_asked_for_with_the_arguments_of_the_call(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for loads in [1, 1, 2] {
        if loads == 2 {
            source.write();
        }
        let value = many(&source, "b", "a".to_owned(), 7, &[1]);
        assert_eq!(cache.scope(value).await, Ok("ab".to_owned()));
        filled(&cache, loads).await;
        assert_eq!(source.loads() as u64, loads);
    }
}

struct Shop(Source);

impl Shop {
    #[redis_cached(ttl = 60, key = "versions:price:<article>", version = Self::version, skip(self))]
    async fn price(&self, article: &str) -> String {
        format!("{article} {}", self.0.load().await)
    }

    async fn version(&self, article: &str) -> u64 {
        assert_eq!(article, "tea");
        self.0.version()
    }

    #[redis_cached(ttl = 60, key = "versions:size:<article>", version = anywhere, skip(self))]
    async fn size(&self, article: &str) -> String {
        format!("{article} {}", self.0.load().await)
    }
}

/// Of no type, so without a receiver.
async fn anywhere(_: &str) -> &'static str {
    "1"
}

async fn a_method_of_the_type_is_asked_with_the_receiver(world: World) {
    let (cache, shop) = (world.cache().await, Shop(Source::new()));
    for expected in ["tea 1", "tea 2"] {
        for _ in 0..2 {
            assert_eq!(cache.scope(shop.price("tea")).await, expected);
        }
        shop.0.write();
    }
    assert_eq!(cache.scope(shop.size("tea")).await, "tea 3");
    shop.0.write();
    assert_eq!(cache.scope(shop.size("tea")).await, "tea 3");
    assert_eq!(shop.0.loads(), 3);
}

#[redis_cached(
    ttl = 0.001,
    jitter = 0.0,
    stale_while_revalidate = 300,
    stale_if_error = 600,
    key = "versions:stale",
    version = version_of_table,
    skip(source)
)]
async fn with_windows(source: &Source) -> Result<u64, String> {
    source.try_load().await.ok_or_else(|| "failed".to_owned())
}

async fn version_of_table(source: &Source) -> u64 {
    source.version()
}

async fn in_a_stale_window_nothing_of_another_version_is_served(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    cache.scope(with_windows(&source)).await.unwrap();
    filled(&cache, 1).await;
    source.write();
    source.fail(1);
    cache.scope(with_windows(&source)).await.unwrap_err();
    assert_eq!(cache.scope(with_windows(&source)).await, Ok(2));
}

#[redis_cached(ttl = 60, key = "versions:absent", version = version_of_table, skip(source))]
async fn absent_at_first(source: &Source) -> Option<u64> {
    Some(source.load().await).filter(|version| *version > 1)
}

async fn an_absence_has_a_version_too(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    for expected in [None, Some(2)] {
        for _ in 0..2 {
            assert_eq!(cache.scope(absent_at_first(&source)).await, expected);
        }
        source.write();
    }
    assert_eq!(source.loads(), 2);
}

async fn what_was_stored_without_a_version_is_of_none(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let load = || async { Ok::<_, Infallible>(99_u64) };
    let Ok(99) = cache.get_or_fill(&POLICY, "versions:1", load).await else {
        panic!("it is what was loaded");
    };
    filled(&cache, 1).await;
    assert_eq!(status(&cache, &source).await, (1, Status::Miss));
    filled(&cache, 2).await;
    let found = cache.get::<u64>("versions:1").await.unwrap();
    assert_eq!(found, Some(1), "who does not ask for a version gets any");
}

async fn closures_have_versions_too(world: World) {
    let (cache, source) = (world.cache().await, Source::new());
    let read = async |version: &str| {
        let load = || async { Ok::<_, Infallible>(source.load().await) };
        let Ok(value) = cache
            .entry("versions:hand")
            .policy(&POLICY)
            .tags(["shop"])
            .version(version)
            .get_or_fill(load)
            .await;
        value
    };
    for (version, loads) in [("a", 1), ("a", 1), ("b", 2), ("b", 2), ("a", 3)] {
        read(version).await;
        assert_eq!(source.loads(), loads, "{version}");
    }
    cache.invalidate_tag("shop").await.unwrap();
    read("a").await;
    assert_eq!(source.loads(), 4);
}
