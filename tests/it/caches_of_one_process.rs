//! Several caches of one process on one namespace: what one of them has deferred, or is about to change,
//! none of them serves.

use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Builder, Cache, CachedExt as _, Invalidation, Policy, Status};
use cached_redis::{invalidates, redis_cached};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    what_one_has_deferred_the_others_bypass_until_it_is_replayed,
    a_pattern_or_a_tag_that_one_has_deferred_is_bypassed_by_the_others,
    what_one_changes_in_an_open_transaction_the_others_bypass,
    a_guarded_write_of_one_is_spared_by_an_invalidation_of_another,
    what_a_cache_leaves_behind_is_replayed_by_another,
    other_namespaces_and_other_processes_have_no_part_in_it,
);
on_redis!(
    two_spellings_of_one_server_are_one_once_both_have_met_it,
    another_database_is_another_place,
    what_a_dropped_cache_had_invalidated_is_repeated_by_another_on_a_new_server,
    who_finds_a_new_server_first_serves_nothing_that_another_one_had_invalidated,
);

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: Policy = Policy::new().ttl(HOUR);

#[redis_cached(ttl = 600, key = "siblings:<id>", tags = "siblings", skip(source))]
async fn read_tagged(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 600, key = "sibling:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("sibling:<id>", cache = cache)]
async fn change(cache: &Cache, id: u64) {
    let _ = id;
}

/// Two caches of one process, and the network of the first.
async fn siblings(builder: impl Fn() -> Builder) -> ([Cache; 2], Faults) {
    let faults = Faults::seeded(1);
    let [first, second] = [builder().faults(faults.clone()), builder()];
    let caches = [first.build().await.unwrap(), second.build().await.unwrap()];
    (caches, faults)
}

async fn status(cache: &Cache, source: &Source) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, 1).with_info()).await;
    (value, info.status())
}

async fn kept(cache: &Cache) -> Source {
    let source = Source::new();
    assert_eq!(cache.scope(read(&source, 1)).await, 1);
    filled(cache, 1).await;
    source
}

async fn served_again(cache: &Cache, source: &Source) {
    let hit = async || status(cache, source).await == (source.version(), Status::Hit);
    eventually("the key to be served again", hit).await;
}

async fn what_one_has_deferred_the_others_bypass_until_it_is_replayed(world: World) {
    let ([first, second], faults) = siblings(|| world.builder_in("one")).await;
    let source = kept(&second).await;
    faults.outage(true);
    source.write();
    change(&first, 1).await;
    for _ in 0..2 {
        assert_eq!(status(&second, &source).await, (2, Status::Bypass));
    }
    assert_eq!(second.get::<u64>("sibling:1").await.unwrap(), None);
    assert!(!second.put(&POLICY, "sibling:1", &7_u64).await.unwrap());
    let late = world.builder_in("one").build().await.unwrap();
    assert_eq!(status(&late, &source).await, (2, Status::Bypass));
    faults.outage(false);
    in_time(first.flush()).await.unwrap();
    served_again(&second, &source).await;
    served_again(&late, &source).await;
}

async fn a_pattern_or_a_tag_that_one_has_deferred_is_bypassed_by_the_others(world: World) {
    let ([first, second], faults) = siblings(|| world.builder_in("one")).await;
    let (source, tagged) = (kept(&second).await, Source::new());
    assert_eq!(second.scope(read_tagged(&tagged, 1)).await, 1);
    filled(&second, 2).await;
    faults.outage(true);
    source.write();
    tagged.write();
    let pattern = first
        .invalidation()
        .matching("sibling:*")
        .send()
        .await
        .unwrap();
    let tag = first.invalidate_tag("siblings").await.unwrap();
    assert_eq!([pattern, tag], [Invalidation::Deferred; 2]);
    assert_eq!(status(&second, &source).await, (2, Status::Bypass));
    assert_eq!(second.scope(read_tagged(&tagged, 1)).await, 2);
    faults.outage(false);
    in_time(first.flush()).await.unwrap();
    served_again(&second, &source).await;
}

async fn what_one_changes_in_an_open_transaction_the_others_bypass(world: World) {
    let ([first, second], _) = siblings(|| world.builder_in("one")).await;
    let source = kept(&second).await;
    for committed in [true, false] {
        let after = first.after_commit();
        after.scope(change(&first, 1)).await;
        source.write();
        for cache in [&first, &second] {
            let version = source.version();
            assert_eq!(status(cache, &source).await, (version, Status::Bypass));
        }
        match committed {
            true => drop(after.commit().await.unwrap()),
            false => drop(after),
        }
        let hit = async || status(&second, &source).await.1 == Status::Hit;
        eventually("the key to be served again", hit).await;
    }
    assert_eq!(status(&second, &source).await.0, 2, "rolled back");
}

async fn a_guarded_write_of_one_is_spared_by_an_invalidation_of_another(world: World) {
    let guarded = world.builder_in("one").guarded(true).hold(HOUR);
    let guarded = guarded.build().await.unwrap();
    let other = world.builder_in("one").build().await.unwrap();
    let source = kept(&other).await;
    let write = guarded.begin_write(["sibling:1"]).await.unwrap();
    assert_eq!(status(&other, &source).await, (1, Status::Bypass));
    change(&other, 1).await;
    // Still barred: who loads now may miss what is about to be committed.
    assert_eq!(status(&other, &source).await, (1, Status::Bypass));
    source.write();
    write.finish().await.unwrap();
    served_again(&other, &source).await;
}

async fn what_a_cache_leaves_behind_is_replayed_by_another(world: World) {
    let ([first, second], faults) = siblings(|| world.builder_in("one")).await;
    let source = kept(&second).await;
    faults.outage(true);
    source.write();
    change(&first, 1).await;
    drop(first);
    served_again(&second, &source).await;
    assert!(second.stats().pending_invalidations().is_empty());
    assert_eq!(second.stats().total().replayed_invalidations, 1);
}

async fn other_namespaces_and_other_processes_have_no_part_in_it(world: World) {
    let first = world.builder_in("one").build().await.unwrap();
    let elsewhere = world.builder_in("one").namespace("elsewhere");
    let elsewhere = elsewhere.build().await.unwrap();
    let other = world.cache().await;
    let after = first.after_commit();
    after.invalidate("sibling:1");
    for cache in [elsewhere, other] {
        let source = kept(&cache).await;
        assert_eq!(status(&cache, &source).await, (1, Status::Hit));
    }
}

async fn two_spellings_of_one_server_are_one_once_both_have_met_it(world: World) {
    let spelled = |host: &str| {
        let url = world.url().replace("127.0.0.1", host);
        world.builder_in("one").url(url).require_connection(true)
    };
    let first = spelled("127.0.0.1").build().await.unwrap();
    let second = spelled("localhost").build().await.unwrap();
    let source = kept(&second).await;
    let after = first.after_commit();
    after.invalidate("sibling:1");
    assert_eq!(status(&second, &source).await, (1, Status::Bypass));
    drop(after);
    assert_eq!(status(&second, &source).await, (1, Status::Hit));
}

async fn another_database_is_another_place(world: World) {
    let first = world.builder_in("one").build().await.unwrap();
    let url = format!("{}/1", world.url());
    let second = world.builder_in("one").url(url).build().await.unwrap();
    let source = kept(&second).await;
    let after = first.after_commit();
    after.invalidate("sibling:1");
    assert_eq!(status(&second, &source).await, (1, Status::Hit));
}

async fn what_a_dropped_cache_had_invalidated_is_repeated_by_another_on_a_new_server(
    mut world: World,
) {
    let connected = || world.builder_in("one").require_connection(true);
    let ([first, second], _) = siblings(connected).await;
    let source = kept(&second).await;
    world.server().unwrap().run::<()>(&["SAVE"]);
    source.write();
    let removed = first.invalidate("sibling:1").await.unwrap();
    assert_eq!(removed, Invalidation::Done);
    drop(first);
    world.redis().kill();
    world.redis().restart();
    served_again(&second, &source).await;
    assert_eq!(second.stats().total().repeated_invalidations, 1);
}

async fn who_finds_a_new_server_first_serves_nothing_that_another_one_had_invalidated(
    mut world: World,
) {
    let ([first, second], faults) = siblings(|| world.builder_in("one")).await;
    let source = kept(&second).await;
    world.redis().run::<()>(&["SAVE"]);
    source.write();
    assert_eq!(
        first.invalidate("sibling:1").await.unwrap(),
        Invalidation::Done
    );
    // It can repeat nothing for now, wherever it is connected to.
    faults.outage(true);
    world.redis().kill();
    world.redis().restart();
    let connected = async || second.stats().store().reconnects == 1;
    eventually("the new server", connected).await;
    for _ in 0..2 {
        assert_eq!(status(&second, &source).await, (2, Status::Bypass));
    }
    faults.outage(false);
    in_time(first.flush()).await.unwrap();
    served_again(&second, &source).await;
    let total = first.stats().total();
    let counted = (total.replayed_invalidations, total.repeated_invalidations);
    assert_eq!(counted, (0, 1), "the first server had confirmed it");
}
