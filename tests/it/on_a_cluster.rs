//! On a Redis Cluster: what is of several slots is removed as one thing, a server that fails costs its own
//! keys alone, and what it has lost is not served.

use cached_redis::testing::Faults;
use cached_redis::{Cache, CachedExt as _, Invalidation, OnFailover, Policy, Status, redis_cached};

use crate::removed_as_one::{PAIRS, Scene, guarded, inner_keys, outer_keys, plain};
use crate::support::cluster::Cluster;
use crate::support::{Source, World, eventually, filled, on_a_cluster};

on_a_cluster!(
    keys_of_several_slots_are_removed_as_one_thing,
    patterns_and_many_keys_are_swept_from_every_server,
    a_pattern_with_a_hash_tag_bars_fills_in_its_slot_alone,
    what_a_server_that_is_away_does_not_confirm_holds_up_nothing_else,
    an_entry_that_has_moved_with_its_slot_is_of_another_epoch,
);

const POLICY: Policy = Policy::new().ttl(std::time::Duration::from_secs(600));

async fn keys_of_several_slots_are_removed_as_one_thing(world: World) {
    for set in [plain, guarded] {
        let scene = Scene::new(&world, set).await;
        scene
            .leaves_nothing_old(async |cache| {
                let keys = outer_keys(PAIRS).into_iter().chain(inner_keys(PAIRS));
                let removed = cache.invalidation().keys(keys).send().await;
                assert_eq!(removed.unwrap(), Invalidation::Done);
            })
            .await;
    }
}

async fn patterns_and_many_keys_are_swept_from_every_server(world: World) {
    let scene = Scene::new(&world, plain).await;
    scene
        .leaves_nothing_old(async |cache| {
            let removed = cache.invalidation().matching("one:*").send().await;
            assert_eq!(removed.unwrap(), Invalidation::Done);
        })
        .await;
    scene
        .leaves_nothing_old(async |cache| {
            let keys = outer_keys(600).into_iter().chain(inner_keys(600));
            let removed = cache.invalidation().keys(keys).send().await;
            assert_eq!(removed.unwrap(), Invalidation::Done);
        })
        .await;
}

async fn a_pattern_with_a_hash_tag_bars_fills_in_its_slot_alone(mut world: World) {
    let cache = world.cache().await;
    for key in ["{7}:a", "{8}:a"] {
        cache.put(&POLICY, key, &1_u64).await.unwrap();
    }
    let cluster = world.cluster();
    cluster
        .nodes()
        .iter()
        .for_each(|node| node.reset_commands());
    cache.invalidation().matching("{7}:*").send().await.unwrap();
    let scripts = |node: usize| cluster.nodes()[node].commands().contains_key("evalsha");
    let owner = cluster.owner("it:{7}:a");
    for node in 0..3 {
        assert_eq!(scripts(node), node == owner, "of node {node}");
    }
    assert_eq!(cache.get::<u64>("{7}:a").await.unwrap(), None);
    assert_eq!(cache.get::<u64>("{8}:a").await.unwrap(), Some(1));
}

/// A name that belongs to another server than `of`.
fn elsewhere(cluster: &Cluster, of: &str) -> String {
    let other = |name: &String| cluster.owner(&format!("it:{name}")) != cluster.owner(of);
    let mut names = (0..).map(|number| format!("k{number}"));
    names.find(other).expect("there are three servers")
}

async fn what_a_server_that_is_away_does_not_confirm_holds_up_nothing_else(mut world: World) {
    let faults = Faults::seeded(1);
    let cache = world
        .builder()
        .faults(faults.clone())
        .build()
        .await
        .unwrap();
    let cluster = world.cluster();
    let lost = cluster.owner("it:lost");
    let (kept, beside) = (
        elsewhere(cluster, "it:lost"),
        elsewhere(cluster, "it:lost") + "{}",
    );
    cache.put(&POLICY, &kept, &1_u64).await.unwrap();

    faults.outage(true);
    for key in ["lost", &kept] {
        assert_eq!(cache.invalidate(key).await.unwrap(), Invalidation::Deferred);
    }
    cluster.kill(lost);
    faults.outage(false);
    let one = async || cache.stats().pending_invalidations().keys == 1;
    eventually("the replay of what is elsewhere", one).await;
    assert_eq!(cache.get::<u64>(&kept).await.unwrap(), None);
    cache.put(&POLICY, &kept, &2_u64).await.unwrap();
    assert_eq!(cache.get::<u64>(&kept).await.unwrap(), Some(2));

    // Together with one that is lost it waits for that.
    let both = cache
        .invalidation()
        .keys([&kept, "lost", &beside])
        .send()
        .await;
    assert_eq!(both.unwrap(), Invalidation::Deferred);
    assert!(cache.get::<u64>(&kept).await.unwrap().is_none());
    cluster.restart(lost);
    cache.flush().await.unwrap();
    assert!(cache.stats().pending_invalidations().is_empty());
}

#[redis_cached(ttl = 600, key = "slot:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

async fn status(cache: &Cache, source: &Source) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, 1).with_info()).await;
    (value, info.status())
}

async fn an_entry_that_has_moved_with_its_slot_is_of_another_epoch(mut world: World) {
    let source = Source::new();
    for (on_failover, after) in [
        (OnFailover::Replay, Status::Hit),
        (OnFailover::Epoch, Status::Miss),
    ] {
        let builder = world.builder().on_failover(on_failover);
        let cache = builder.build().await.unwrap();
        cache.invalidate("slot:1").await.unwrap();
        assert_eq!(status(&cache, &source).await, (1, Status::Miss));
        filled(&cache, 1).await;
        let cluster = world.cluster();
        let from = cluster.owner("it:slot:1");
        cluster.move_slot(cluster.slot("it:slot:1"), from, (from + 1) % 3);
        assert_eq!(status(&cache, &source).await, (1, after), "{on_failover:?}");
    }
}

#[redis_cached(ttl = 600, key = "tagged:<id>", tags = ["kind"], skip(source))]
async fn tagged(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// What is read after the server of the tag has confirmed its invalidation, died, and been replaced by a
/// replica that never heard of it.
async fn after_a_failover_of_the_tag(on_failover: OnFailover) -> u64 {
    let mut cluster = Cluster::start(3).with_replicas();
    let world = World::on_this(&cluster);
    let process = async || {
        let builder = world.builder().on_failover(on_failover);
        builder.build().await.unwrap()
    };
    let (cache, source) = (process().await, Source::new());
    let tag = cluster.owner("it:#tag:kind");
    // An entry of another server.
    let id = (0..)
        .find(|id| cluster.owner(&format!("it:tagged:{id}")) != tag)
        .unwrap();
    assert_eq!(cache.scope(tagged(&source, id)).await, 1);
    filled(&cache, 1).await;
    let keys = |node: usize| cluster.nodes()[node].run::<u64>(&["DBSIZE"]);
    eventually("the replica to have the tag", async || {
        keys(tag + 3) == keys(tag)
    })
    .await;
    cluster.cut_off(tag + 3, tag);

    source.write();
    let writer = process().await;
    assert_eq!(
        writer.invalidate_tag("kind").await.unwrap(),
        Invalidation::Done
    );
    drop(writer);
    cluster.kill(tag);
    cluster.take_over(tag + 3);
    let reader = process().await;
    reader.scope(tagged(&source, id)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_whose_server_lost_its_invalidation_shows_no_stale_value() {
    assert_eq!(after_a_failover_of_the_tag(OnFailover::Epoch).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_an_epoch_that_tag_shows_the_old_value() {
    assert_eq!(
        after_a_failover_of_the_tag(OnFailover::Ttl).await,
        1,
        "or this test cannot see"
    );
}
