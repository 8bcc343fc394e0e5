//! A value that is stored by its writer carries what the readers of its key look for: the tags that they
//! have, find or inherit, and their version.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Invalidation, Policy, Status};
use cached_redis::{current, invalidates, redis_cached, write_through};
use tokio::task::JoinHandle;
use tracing::Level;

use crate::support::{Log, Source, World, eventually, filled, in_time, on_both_stores};

on_both_stores!(
    what_is_written_through_under_found_tags_is_a_hit_and_goes_with_them,
    what_is_written_through_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them,
    what_is_written_through_under_inherited_tags_is_a_hit_and_goes_with_them,
    a_value_that_its_writer_made_of_a_tagged_one_goes_with_that_tag,
    a_tag_that_a_writer_finds_keeps_its_value_from_being_stored,
    a_tag_invalidated_during_a_write_through_keeps_its_value_from_being_served,
    a_tag_whose_invalidation_is_collected_keeps_its_value_from_being_stored,
    what_is_put_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them,
    what_is_put_through_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them,
    what_is_updated_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them,
    an_update_keeps_the_tags_that_stand_there_and_adds_its_own,
    what_is_put_of_the_version_of_its_reader_is_a_hit,
    what_is_written_by_hand_without_the_tags_of_its_reader_is_invalidated,
    what_is_written_by_hand_without_the_version_of_its_reader_is_invalidated,
    what_is_written_without_tags_is_invalidated_once_its_reader_has_found_some,
    a_value_written_by_hand_that_no_tagged_function_reads_needs_no_tags,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

/// Reads, and the writers that belong to them, of one article.
mod found {
    use super::*;

    #[redis_cached(ttl = 60, key = "written:found:<id>", skip(source))]
    pub(super) async fn read(source: &Source, id: u64) -> u64 {
        current().tag(format!("written:{id}"));
        source.load().await
    }

    #[write_through(ttl = 60, key = "written:found:<id>", tags = ["written:<id>"])]
    pub(super) async fn write(source: &Source, id: u64) -> u64 {
        source.write()
    }

    #[write_through(ttl = 60, key = "written:found:<id>", tags = [])]
    pub(super) async fn write_untagged(source: &Source, id: u64) -> u64 {
        source.write()
    }
}

mod given {
    use super::*;

    #[redis_cached(
        ttl = 60,
        key = "written:given:<id>",
        tags = ["written:<id>", "written"],
        skip(source)
    )]
    pub(super) async fn read(source: &Source, id: u64) -> u64 {
        source.load().await
    }

    #[write_through(ttl = 60, key = "written:given:<number>", tags = ["written", "written:<number>"])]
    pub(super) async fn write(source: &Source, number: u64) -> u64 {
        source.write()
    }
}

mod inherited {
    use super::*;

    #[redis_cached(ttl = 60, key = "written:inner:<id>", skip(source))]
    async fn inner(source: &Source, id: u64) -> u64 {
        current().tag(format!("written:{id}"));
        source.load().await
    }

    #[redis_cached(ttl = 60, key = "written:inherited:<id>", skip(source))]
    pub(super) async fn read(source: &Source, id: u64) -> u64 {
        inner(source, id).await
    }

    #[write_through(ttl = 60, key = "written:inherited:<id>", tags = "written:<id>")]
    pub(super) async fn write(source: &Source, id: u64) -> u64 {
        source.write()
    }
}

async fn processes(world: &World) -> [Cache; 2] {
    let process = async || world.patient().guarded(true).build().await.unwrap();
    [process().await, process().await]
}

/// What was written is a hit for everybody, and one write later, of which only the tag is told, no more.
async fn assert_hit_and_goes(
    processes: &[Cache; 2],
    source: &Source,
    write: impl AsyncFn(&Cache) -> u64,
    read: impl AsyncFn() -> u64,
) {
    let [cache, other] = processes;
    // With an entry of a reader in its place, and without.
    for _ in 0..2 {
        let version = write(cache).await;
        for process in processes {
            let (value, info) = process.scope(read().with_info()).await;
            assert_eq!((value, info.status()), (version, Status::Hit));
        }
        let version = source.write();
        other.invalidate_tag("written:1").await.unwrap();
        for process in processes {
            assert_eq!(process.scope(read()).await, version);
        }
    }
}

async fn what_is_written_through_under_found_tags_is_a_hit_and_goes_with_them(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let write = async |cache: &Cache| cache.scope(found::write(&source, 1)).await;
    let read = async || found::read(&source, 1).await;
    assert_hit_and_goes(&processes, &source, write, read).await;
}

async fn what_is_written_through_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them(
    world: World,
) {
    let (processes, source) = (processes(&world).await, Source::new());
    let write = async |cache: &Cache| cache.scope(given::write(&source, 1)).await;
    let read = async || given::read(&source, 1).await;
    assert_hit_and_goes(&processes, &source, write, read).await;
}

async fn what_is_written_through_under_inherited_tags_is_a_hit_and_goes_with_them(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    let write = async |cache: &Cache| cache.scope(inherited::write(&source, 1)).await;
    let read = async || inherited::read(&source, 1).await;
    assert_hit_and_goes(&processes, &source, write, read).await;
}

#[redis_cached(ttl = 60, key = "written:rate", tags = "written:rate", skip(source))]
async fn rate(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "written:price", skip(source))]
async fn price(source: &Source) -> u64 {
    rate(source).await
}

#[write_through(ttl = 60, key = "written:price", tags = [])]
async fn set_price(source: &Source) -> u64 {
    rate(source).await
}

async fn a_value_that_its_writer_made_of_a_tagged_one_goes_with_that_tag(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    for version in 1..=2 {
        assert_eq!(cache.scope(set_price(&source)).await, version);
        let (value, info) = other.scope(price(&source).with_info()).await;
        assert_eq!((value, info.status()), (version, Status::Hit));
        source.write();
        other.invalidate_tag("written:rate").await.unwrap();
        if version == 1 {
            // Its readers inherit the tag, which is known from here on.
            continue;
        }
        assert_eq!(cache.scope(price(&source)).await, version + 1);
    }
}

#[redis_cached(ttl = 60, key = "written:finds", skip(source))]
async fn read_finding(source: &Source) -> u64 {
    current().tag("written:1");
    source.load().await
}

#[write_through(ttl = 60, key = "written:finds", tags = [])]
async fn write_finding(source: &Source) -> u64 {
    current().tag("written:1");
    source.write()
}

async fn a_tag_that_a_writer_finds_keeps_its_value_from_being_stored(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    cache.scope(write_finding(&source)).await;
    assert_eq!(cache.get::<u64>("written:finds").await.unwrap(), None);
    source.write();
    other.invalidate_tag("written:1").await.unwrap();
    assert_eq!(cache.scope(read_finding(&source)).await, 3);
}

#[write_through(ttl = 60, key = "written:found:<id>", tags = ["written:<id>"], cache = cache)]
async fn write_slowly(cache: &Cache, source: &Source, gate: &Source, id: u64) -> u64 {
    let version = source.write();
    gate.load().await;
    version
}

fn writing(cache: &Cache, source: &Source, gate: &Source) -> JoinHandle<u64> {
    let (cache, source, gate) = (cache.clone(), source.clone(), gate.clone());
    tokio::spawn(async move { write_slowly(&cache, &source, &gate, 1).await })
}

async fn a_tag_invalidated_during_a_write_through_keeps_its_value_from_being_served(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let gate = Source::held();
    let write = writing(&cache, &source, &gate);
    gate.begun(1).await;
    let version = source.write();
    other.invalidate_tag("written:1").await.unwrap();
    gate.release();
    assert_eq!(in_time(write).await.unwrap(), version - 1);
    for process in [&cache, &other] {
        let read = process.scope(found::read(&source, 1)).await;
        assert_eq!(read, version);
    }
}

async fn a_tag_whose_invalidation_is_collected_keeps_its_value_from_being_stored(world: World) {
    let ([cache, _], source) = (processes(&world).await, Source::new());
    let after = cache.after_commit();
    let collect = async { cache.invalidate_tag("written:1").await.unwrap() };
    assert_eq!(after.scope(collect).await, Invalidation::Collected);
    let version = cache.scope(found::write(&source, 1)).await;
    assert_eq!(cache.get::<u64>("written:found:1").await.unwrap(), None);
    after.commit().await.unwrap();
    assert_eq!(cache.scope(found::read(&source, 1)).await, version);
}

async fn what_is_put_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for (key, given) in [("written:found:1", false), ("written:given:1", true)] {
        let write = async |cache: &Cache| {
            let (tags, version) = (["written:1", "written"], source.write());
            assert!(
                cache
                    .entry(key)
                    .policy(&POLICY)
                    .tags(tags)
                    .put(&version)
                    .await
                    .unwrap()
            );
            version
        };
        let read = async || match given {
            true => given::read(&source, 1).await,
            false => found::read(&source, 1).await,
        };
        assert_hit_and_goes(&processes, &source, write, read).await;
    }
}

async fn what_is_put_through_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them(
    world: World,
) {
    let (processes, source) = (processes(&world).await, Source::new());
    for (key, given) in [("written:found:1", false), ("written:given:1", true)] {
        let write = async |cache: &Cache| {
            let write = || async { Ok::<_, Infallible>(source.write()) };
            let Ok(version) = cache
                .entry(key)
                .policy(&POLICY)
                .tags(["written:1", "written"])
                .put_through(write)
                .await;
            version
        };
        let read = async || match given {
            true => given::read(&source, 1).await,
            false => found::read(&source, 1).await,
        };
        assert_hit_and_goes(&processes, &source, write, read).await;
    }
}

async fn what_is_updated_under_the_tags_of_its_reader_is_a_hit_and_goes_with_them(world: World) {
    let (processes, source) = (processes(&world).await, Source::new());
    for (key, given) in [("written:found:1", false), ("written:given:1", true)] {
        let write = async |cache: &Cache| {
            let change = |_: Option<u64>| Ok::<_, Error>(source.write());
            cache
                .entry(key)
                .policy(&POLICY)
                .tags(["written:1", "written"])
                .update(change)
                .await
                .unwrap()
        };
        let read = async || match given {
            true => given::read(&source, 1).await,
            false => found::read(&source, 1).await,
        };
        assert_hit_and_goes(&processes, &source, write, read).await;
    }
}

async fn an_update_keeps_the_tags_that_stand_there_and_adds_its_own(world: World) {
    let [cache, other] = processes(&world).await;
    let more = |old: Option<u64>| Ok::<_, Error>(old.unwrap_or(0) + 1);
    for (tags, expected) in [(&["a"][..], 1), (&["a"], 2), (&[], 3), (&["a", "b"], 1)] {
        let updated = cache
            .entry("written:count")
            .policy(&POLICY)
            .tags(tags)
            .update(more);
        // An entry that lacks a tag is none to who asks under it, as for `get_or_fill`.
        assert_eq!(updated.await.unwrap(), expected, "{tags:?}");
    }
    for tag in ["a", "b"] {
        cache
            .entry("written:count")
            .policy(&POLICY)
            .tags(["a", "b"])
            .update(more)
            .await
            .unwrap();
        other.invalidate_tag(tag).await.unwrap();
        assert_eq!(cache.get::<u64>("written:count").await.unwrap(), None);
    }
    let many = (0..65).map(|tag| tag.to_string());
    let refused = cache
        .entry("written:count")
        .policy(&POLICY)
        .tags(many)
        .update(more);
    assert!(matches!(refused.await, Err(Error::Setting { .. })));
}

async fn version(source: &Source) -> u64 {
    source.version()
}

#[redis_cached(ttl = 60, key = "written:versioned", version = version, skip(source))]
async fn read_versioned(source: &Source) -> u64 {
    source.load().await
}

async fn what_is_put_of_the_version_of_its_reader_is_a_hit(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    let entry = || cache.entry("written:versioned").policy(&POLICY);
    for form in 0..3 {
        let version = source.write();
        match form {
            0 => drop(entry().version(version).put(&version).await.unwrap()),
            1 => {
                let write = || async { Ok::<_, Infallible>(version) };
                let Ok(_) = entry().version(version).put_through(write).await;
            }
            _ => {
                // That of another version is none.
                let change = |old: Option<u64>| {
                    assert_eq!(old, None);
                    Ok::<_, Error>(version)
                };
                let updated = entry().version(version).update(change);
                updated.await.unwrap();
            }
        }
        let (value, info) = other.scope(read_versioned(&source).with_info()).await;
        assert_eq!((value, info.status()), (version, Status::Hit), "{form}");
    }
}

/// Nothing is stored, whatever stood there before.
async fn assert_refused(cache: &Cache, key: &str) {
    let standing = async || cache.get::<u64>(key).await.unwrap();
    let invalidations = cache.stats().total().invalidations;
    assert!(!cache.put(&POLICY, key, &7_u64).await.unwrap());
    assert_eq!(standing().await, None, "put");
    let write = || async { Ok::<_, Infallible>(7_u64) };
    let Ok(7) = cache.entry(key).policy(&POLICY).put_through(write).await else {
        panic!("it is what was written");
    };
    assert_eq!(standing().await, None, "put_through");
    let change = |_: Option<u64>| Ok::<_, Error>(7);
    let updated = cache.entry(key).policy(&POLICY).update(change).await;
    assert!(matches!(updated, Err(Error::Unstorable)));
    assert_eq!(standing().await, None, "update");
    let stats = cache.stats().total();
    assert_eq!(stats.invalidations - invalidations, 3);
    assert_eq!(stats.errors, 3, "each is told");
}

async fn what_is_written_by_hand_without_the_tags_of_its_reader_is_invalidated(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    cache.scope(given::read(&source, 1)).await;
    filled(&cache, 1).await;
    assert_refused(&cache, "written:given:1").await;
    let read = cache.scope(given::read(&source, 1).with_info());
    assert_eq!(read.await.1.status(), Status::Miss);
}

async fn what_is_written_by_hand_without_the_version_of_its_reader_is_invalidated(world: World) {
    let cache = world.patient_cache().await;
    assert_refused(&cache, "written:versioned").await;
}

async fn what_is_written_without_tags_is_invalidated_once_its_reader_has_found_some(world: World) {
    let ([cache, other], source) = (processes(&world).await, Source::new());
    eventually("the hit", async || {
        let read = cache.scope(found::read(&source, 1).with_info()).await;
        read.1.status() == Status::Hit
    })
    .await;
    cache.invalidate("written:found:1").await.unwrap();
    assert_refused(&cache, "written:found:1").await;
    let version = cache.scope(found::write_untagged(&source, 1)).await;
    assert_eq!(cache.get::<u64>("written:found:1").await.unwrap(), None);
    source.write();
    other.invalidate_tag("written:1").await.unwrap();
    let read = cache.scope(found::read(&source, 1)).await;
    assert_eq!(read, version + 1);
}

#[invalidates("written:plain")]
async fn write_plain() {}

#[redis_cached(ttl = 60, key = "written:plain", skip(source))]
async fn read_plain(source: &Source) -> u64 {
    source.load().await
}

async fn a_value_written_by_hand_that_no_tagged_function_reads_needs_no_tags(world: World) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    cache.scope(write_plain()).await;
    assert!(cache.put(&POLICY, "written:plain", &7_u64).await.unwrap());
    assert_eq!(cache.scope(read_plain(&source)).await, 7);
    assert_eq!(cache.stats().total().errors, 0);
}

#[redis_cached(ttl = 60, key = "written:told:<id>", tags = "written")]
async fn read_told(id: u64) -> u64 {
    id
}

#[tokio::test]
async fn of_all_values_without_the_tags_of_one_reader_the_first_is_told() {
    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    cache.scope(read_told(1)).await;
    for id in 0..3 {
        let key = format!("written:told:{id}");
        assert!(!cache.put(&POLICY, key, &id).await.unwrap());
    }
    assert_eq!(
        log.count(Level::WARN, "without the tags"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(log.count(Level::WARN, "read_told"), 1);
}
