//! Many entries read by hand, under tags and of versions: the same that [`Cache::entry`] reads one by one.

use std::convert::Infallible;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Jitter, Key, Policy, Status, current};

use crate::support::table::{Table, Values, all, status};
use crate::support::{World, eventually, expired, filled, on_both_stores};

on_both_stores!(
    entries_go_with_the_tags_that_each_was_given,
    entries_and_one_entry_are_the_same_under_the_same_tags,
    entries_of_another_version_are_loaded_anew,
    ids_of_one_key_give_their_entry_the_tags_of_each,
    entries_of_too_many_tags_are_not_stored_and_the_others_are,
    tags_that_were_given_and_those_that_a_load_says_are_counted_together,
    detached_loads_refresh_behind_their_caller,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(60));

fn key(id: u64) -> Key {
    Key::new("entries:").value(id)
}

fn tags(id: u64) -> [String; 2] {
    ["entries".to_owned(), format!("entries:{id}")]
}

/// In versions that say themselves which of them are current.
async fn read(cache: &Cache, table: &Table, ids: &[u64], versions: [u64; 2]) -> (Values, Status) {
    let entries = cache.entries(ids.iter().copied(), |id| key(*id));
    let entries = entries.policy(&POLICY).tags(|id| tags(*id));
    let entries = entries.version(|id| versions[*id as usize - 1]);
    let load = |ids: Vec<u64>| async move { Ok::<_, Infallible>(table.load(&ids).await.unwrap()) };
    status(cache, entries.get_or_fill(load)).await
}

async fn entries_go_with_the_tags_that_each_was_given(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let table = Table::new();
    let expect = async |versions: &[u64], expected, fills| {
        for (process, expected) in [(&cache, expected), (&other, Status::Hit)] {
            let found = read(process, &table, &[1, 2], [1, 1]).await;
            assert_eq!(found, (all(versions), expected));
            filled(&cache, fills).await;
        }
    };
    expect(&[1, 1], Status::Miss, 2).await;
    table.rows.write();
    other.invalidate_tag("entries:2").await.unwrap();
    expect(&[1, 2], Status::Miss, 3).await;
    table.rows.write();
    other.invalidate_tag("entries").await.unwrap();
    expect(&[3, 3], Status::Miss, 5).await;
}

async fn entries_and_one_entry_are_the_same_under_the_same_tags(world: World) {
    let [cache, other] = [world.patient_cache().await, world.patient_cache().await];
    let table = Table::new();
    let one = async |tags: &[String]| {
        let entry = other.entry(key(1)).policy(&POLICY).version(1).tags(tags);
        let load = || async { Ok::<_, Infallible>(table.rows.load().await) };
        let (value, info) = entry.get_or_fill(load).with_info().await;
        (value.unwrap(), info.status())
    };
    read(&cache, &table, &[1, 2], [1, 1]).await;
    filled(&cache, 2).await;
    table.rows.write();
    assert_eq!(one(&tags(1)).await, (1, Status::Hit));
    assert_eq!(one(&tags(2)).await, (2, Status::Miss), "it lacks a tag");
}

async fn entries_of_another_version_are_loaded_anew(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    read(&cache, &table, &[1, 2], [1, 1]).await;
    filled(&cache, 2).await;
    table.rows.write();
    let found = read(&cache, &table, &[1, 2], [1, 2]).await;
    assert_eq!(found, (all(&[1, 2]), Status::Miss));
    filled(&cache, 3).await;
    let found = read(&cache, &table, &[1, 2], [1, 2]).await;
    assert_eq!(found, (all(&[1, 2]), Status::Hit));
    assert_eq!(table.asked(), [vec![1, 2], vec![2]]);
}

/// Under these tags; the load says some more.
async fn under(
    cache: &Cache,
    table: &Table,
    tags: impl FnMut(&u64) -> Vec<String>,
    found: usize,
) -> (Values, Status) {
    let entries = cache.entries([1, 2], |id| key(*id).value(found as u64));
    let entries = entries.policy(&POLICY).tags(tags);
    let load = |ids: Vec<u64>| async move {
        (0..found).for_each(|tag| current().tag(format!("found:{tag}")));
        Ok::<_, Infallible>(table.load(&ids).await.unwrap())
    };
    status(cache, entries.get_or_fill(load)).await
}

fn many(tags: usize) -> Vec<String> {
    (0..tags).map(|tag| format!("entries:of:{tag}")).collect()
}

async fn ids_of_one_key_give_their_entry_the_tags_of_each(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    let read = async || {
        let entries = cache.entries([1, 2], |_| key(1)).policy(&POLICY);
        let entries = entries.tags(|id| tags(*id));
        let load = async |ids: Vec<u64>| Ok::<_, Infallible>(table.load(&ids).await.unwrap());
        status(&cache, entries.get_or_fill(load)).await
    };
    // Who reads it without tags goes by those that the entry names.
    let peek = async || cache.get::<u64>(key(1)).await.unwrap();
    for id in [1, 2] {
        assert_eq!(read().await.1, Status::Miss);
        filled(&cache, id).await;
        assert_eq!(read().await.1, Status::Hit);
        assert_eq!(peek().await, Some(1));
        cache.invalidate_tag(format!("entries:{id}")).await.unwrap();
        assert_eq!(peek().await, None);
    }
}

async fn entries_of_too_many_tags_are_not_stored_and_the_others_are(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    for status in [Status::Bypass, Status::Bypass] {
        let tags = |id: &u64| many(63 + *id as usize);
        let found = under(&cache, &table, tags, 0).await;
        assert_eq!(found, (all(&[1, table.rows.version()]), status));
        filled(&cache, 1).await;
        table.rows.write();
    }
    let stats = cache.stats().total();
    assert_eq!((stats.errors, stats.fills), (2, 1));
}

async fn tags_that_were_given_and_those_that_a_load_says_are_counted_together(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    for (found, fills) in [(4, 2), (5, 0)] {
        let before = cache.stats().total();
        // The first load only names what it finds.
        for _ in 0..3 {
            under(&cache, &table, |_| many(60), found).await;
            cache.flush().await.unwrap();
        }
        let stats = cache.stats().total();
        assert_eq!(stats.fills - before.fills, fills, "{found}");
        assert_eq!(stats.errors > before.errors, fills == 0, "once for a load");
    }
}

const WINDOW: Policy = Policy::new()
    .ttl(Duration::from_millis(50))
    .jitter(Jitter::NONE)
    .stale_while_revalidate(Duration::from_secs(600));

async fn detached_loads_refresh_behind_their_caller(world: World) {
    let (cache, table) = (world.patient_cache().await, Table::new());
    let read = async || {
        let table = table.clone();
        let load = move |ids: Vec<u64>| {
            let table = table.clone();
            async move { table.load(&ids).await.ok_or("failed".to_owned()) }
        };
        let entries = cache.entries([1, 2], |id| key(*id)).policy(&WINDOW);
        status(&cache, entries.detached().get_or_fill(load)).await
    };
    read().await;
    filled(&cache, 2).await;
    table.rows.write();
    table.rows.hold();
    for id in [1, 2] {
        expired(key(id).as_ref(), [&cache]).await;
    }
    let stale = async || read().await == (all(&[1, 1]), Status::Stale);
    assert!(stale().await);
    table.rows.begun(2).await;
    assert!(stale().await, "nobody waits for it");
    table.rows.release();
    eventually("the new values", async || read().await.0 == all(&[2, 2])).await;
    assert_eq!(table.asked()[..2], [[1, 2], [1, 2]]);
}
