//! On a Redis Cluster: what is of several slots is removed as one thing, a server that fails costs its own
//! keys alone, and what it has lost is not served.

use cached_redis::testing::Faults;
use std::collections::{BTreeMap, HashMap};

use cached_redis::stats::FunctionStats;
use cached_redis::{
    Cache, CachedExt as _, Invalidation, OnFailover, Policy, Status, invalidates, redis_cached,
    write_through,
};
use tracing::Level;

use crate::removed_as_one::{PAIRS, Scene, guarded, inner_keys, outer_keys, plain};
use crate::support::cluster::Cluster;
use crate::support::{Log, RedisServer, Source, World, eventually, filled, on_a_cluster};

on_a_cluster!(
    keys_of_several_slots_are_removed_as_one_thing,
    patterns_and_many_keys_are_swept_from_every_server,
    a_pattern_with_a_hash_tag_bars_fills_in_its_slot_alone,
    what_a_server_that_is_away_does_not_confirm_holds_up_nothing_else,
    an_entry_that_has_moved_with_its_slot_is_of_another_epoch,
    a_server_that_is_killed_takes_no_hit_from_the_others,
    a_slot_on_its_way_does_not_store_what_was_written_through_and_opens_its_key,
    a_sweep_that_a_slot_begins_to_move_under_is_repeated,
    operations_cost_each_server_what_is_its_own,
    what_was_read_is_kept_in_memory_of_each_server,
);

const POLICY: Policy = Policy::new().ttl(std::time::Duration::from_secs(600));

/// For what is repeated with pauses, on a machine that may be busy.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

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
    let builder = world.builder().faults(faults.clone());
    let cache = builder.flush_timeout(PATIENCE).build().await.unwrap();
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

#[redis_cached(batch(id in ids), ttl = 600, key = "many:<id>")]
async fn read_many(ids: &[u64]) -> HashMap<u64, u64> {
    ids.iter().map(|id| (*id, *id)).collect()
}

/// Ids of which each server has some, by the server.
fn ids_by_server(cluster: &Cluster, most: u64) -> [Vec<u64>; 3] {
    let mut ids = [const { Vec::new() }; 3];
    for id in 0..most {
        ids[cluster.owner(&format!("it:many:{id}"))].push(id);
    }
    assert!(ids.iter().all(|ids| !ids.is_empty()));
    ids
}

fn since(cache: &Cache, before: &FunctionStats) -> (u64, u64) {
    let now = cache.stats().total();
    (now.hits - before.hits, now.loads - before.loads)
}

async fn a_server_that_is_killed_takes_no_hit_from_the_others(mut world: World) {
    let cache = world.cache().await;
    let cluster = world.cluster();
    let ids = ids_by_server(cluster, 60);
    let all: Vec<_> = ids.iter().flatten().copied().collect();
    cache.scope(read_many(&all)).await;
    filled(&cache, 60).await;
    let lost = 1;
    cluster.kill(lost);
    let (dead, alive) = (ids[lost].len() as u64, 60 - ids[lost].len() as u64);
    let away = async || !cache.stats().store().connected;
    eventually("its end to be noticed", away).await;
    for _ in 0..3 {
        let before = cache.stats().total();
        assert_eq!(cache.scope(read_many(&all)).await.len(), 60);
        assert_eq!(since(&cache, &before), (alive, 1), "one load of {dead} ids");
        let before = cache.stats().total();
        for id in &all {
            cache.scope(read_many(&[*id])).await;
        }
        assert_eq!(since(&cache, &before), (alive, dead), "one by one");
    }
    // Nor does one that is to be loaded anew keep others from being stored.
    let before = cache.stats().total().fills;
    cache.scope(read_many(&all).refreshed()).await;
    filled(&cache, before + alive).await;
}

#[write_through(ttl = 600, key = "slot:<id>", tags = [])]
async fn written(id: u64) -> u64 {
    id
}

async fn a_slot_on_its_way_does_not_store_what_was_written_through_and_opens_its_key(
    mut world: World,
) {
    let cache = world.cache().await;
    let cluster = world.cluster();
    let (slot, from) = (cluster.slot("it:slot:1"), cluster.owner("it:slot:1"));
    cluster.begin_move(slot, from, (from + 1) % 3);
    assert_eq!(cache.scope(written(1)).await, 1);
    let stats = cache.stats().total();
    let counts = (
        stats.refused_fills,
        stats.unguarded_writes,
        stats.deferred_invalidations,
    );
    assert_eq!(counts, (1, 0, 0));
    // No tombstone is left.
    assert_eq!(cache.get::<u64>("slot:1").await.unwrap(), None);
    cluster.end_move(slot, from, (from + 1) % 3);
    cache.scope(written(1)).await;
    assert_eq!(cache.get::<u64>("slot:1").await.unwrap(), Some(1));
}

async fn a_sweep_that_a_slot_begins_to_move_under_is_repeated(mut world: World) {
    let builder = world.builder().flush_timeout(PATIENCE);
    let cache = builder.build().await.unwrap();
    cache.put(&POLICY, "slot:1", &1_u64).await.unwrap();
    let cluster = world.cluster();
    let (slot, from) = (cluster.slot("it:slot:1"), cluster.owner("it:slot:1"));
    cluster.begin_move(slot, from, (from + 1) % 3);
    cluster.nodes().iter().for_each(RedisServer::reset_commands);
    let swept = cache.invalidation().matching("slot:*").send().await;
    assert_eq!(swept.unwrap(), Invalidation::Deferred);
    let bars = cluster.nodes().iter().map(|node| node.commands());
    assert!(
        bars.clone().all(|it| !it.contains_key("evalsha")),
        "no bar is raised in vain"
    );
    assert!(cache.get::<u64>("slot:1").await.unwrap().is_none());
    cluster.end_move(slot, from, (from + 1) % 3);
    cache.flush().await.unwrap();
    let left: u64 = cluster.run(&["EXISTS", "it:slot:1"]);
    assert_eq!(left, 0);
}

#[invalidates("many:<a>", "many:<b>", "many:<c>")]
async fn change(a: u64, b: u64, c: u64) {
    let _ = (a, b, c);
}

/// What was run on each server since, by those commands that are of reads and writes.
fn commands(cluster: &Cluster) -> [BTreeMap<String, u64>; 3] {
    let nodes = cluster.nodes().iter();
    let commands = nodes.map(|node| {
        let mut commands = node.commands();
        let is_of_steps =
            |name: &str| matches!(name, "get" | "mget" | "set" | "evalsha" | "unlink");
        commands.retain(|name, _| is_of_steps(name));
        node.reset_commands();
        commands
    });
    commands.collect::<Vec<_>>().try_into().unwrap()
}

fn costs<const N: usize>(costs: [(&str, u64); N]) -> BTreeMap<String, u64> {
    costs.map(|(name, calls)| (name.to_owned(), calls)).into()
}

/// The look, the lease, and the script of the fill, which sets as well.
fn miss() -> BTreeMap<String, u64> {
    costs([("get", 1), ("set", 2), ("evalsha", 1)])
}

async fn operations_cost_each_server_what_is_its_own(mut world: World) {
    let cache = world.patient_cache().await;
    let cluster = world.cluster();
    let ids = ids_by_server(cluster, 60).map(|ids| ids[0]);
    commands(cluster);
    for (server, id) in ids.into_iter().enumerate() {
        let of_one = |own| {
            let mut all = [const { BTreeMap::new() }; 3];
            all[server] = own;
            all
        };
        cache.scope(read_many(&[id])).await;
        filled(&cache, server as u64 + 1).await;
        assert_eq!(commands(cluster), of_one(miss()), "a miss");
        cache.scope(read_many(&[id])).await;
        assert_eq!(commands(cluster), of_one(costs([("get", 1)])), "a hit");
    }
    cache.scope(read_many(&ids)).await;
    assert_eq!(
        commands(cluster),
        [(); 3].map(|()| costs([("get", 1)])),
        "hits of a batch"
    );
    let [a, b, c] = ids;
    cache.scope(change(a, b, c)).await;
    let scripts = commands(cluster).map(|commands| commands["evalsha"]);
    assert_eq!(scripts, [2; 3], "an invalidation: a tombstone, and its end");
    cache.scope(read_many(&ids)).await;
    filled(&cache, 6).await;
    assert_eq!(
        commands(cluster),
        [(); 3].map(|()| miss()),
        "misses of a batch"
    );
}

#[redis_cached(
    ttl = 600,
    local = "60s",
    key = "kept:<id>",
    tags = "kept",
    skip(source)
)]
async fn kept(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Waits until all ids are answered in memory.
async fn until_kept(cache: &Cache, source: &Source, ids: std::ops::Range<u64>) {
    eventually("answers in memory", async || {
        let mut all = true;
        for id in ids.clone() {
            let (_, info) = cache.scope(kept(source, id).with_info()).await;
            all &= info.status() == Status::Local;
        }
        all
    })
    .await;
}

async fn what_was_read_is_kept_in_memory_of_each_server(mut world: World) {
    let process = async || {
        let builder = world.builder();
        let builder = builder.local_staleness(std::time::Duration::from_secs(60));
        builder.build().await.unwrap()
    };
    let (cache, writer, source) = (process().await, process().await, Source::new());
    until_kept(&cache, &source, 0..20).await;
    source.write();
    // Announced, each by its server; by a tag all at once.
    for id in 0..10 {
        writer.invalidate(format!("kept:{id}")).await.unwrap();
    }
    for id in 0..10 {
        eventually("the announcement", async || {
            cache.scope(kept(&source, id)).await == 2
        })
        .await;
    }
    assert_eq!(cache.scope(kept(&source, 19)).await, 1, "it stands");
    writer.invalidate_tag("kept").await.unwrap();
    for id in 0..20 {
        eventually("the announcement", async || {
            cache.scope(kept(&source, id)).await == 2
        })
        .await;
    }
    // Here at once.
    until_kept(&cache, &source, 0..20).await;
    source.write();
    cache.invalidate_tag("kept").await.unwrap();
    assert_eq!(cache.scope(kept(&source, 5)).await, 3);
    // A move costs what was read from the server that has lost a slot.
    until_kept(&cache, &source, 0..20).await;
    let moved = cache.stats().local().moved;
    let cluster = world.cluster();
    let from = cluster.owner("it:kept:0");
    cluster.move_slot(cluster.slot("it:kept:0"), from, (from + 1) % 3);
    eventually("the move", async || cache.stats().local().moved > moved).await;
    until_kept(&cache, &source, 0..20).await;
    assert_eq!(cache.scope(kept(&source, 0)).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_is_killed_is_followed_by_the_replica_that_is_elected() {
    let mut cluster = Cluster::start(3).with_replicas();
    let world = World::on_this(&cluster);
    let cache = world
        .builder()
        .on_failover(OnFailover::Epoch)
        .build()
        .await
        .unwrap();
    let killed = cluster.owner("it:slot:1");
    cache.put(&POLICY, "slot:1", &1_u64).await.unwrap();
    cluster.may_be_elected(killed + 3);
    cluster.kill(killed);
    eventually("the election", async || {
        cache.put(&POLICY, "slot:1", &2_u64).await.is_ok()
            && cache.get::<u64>("slot:1").await.unwrap() == Some(2)
    })
    .await;
    assert_eq!(cluster.owner("it:slot:1"), killed + 3);
    cache.invalidate("slot:1").await.unwrap();
    assert_eq!(cache.get::<u64>("slot:1").await.unwrap(), None);
    let connected = async || cache.stats().store().connected;
    eventually("a connection to each server", connected).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_primary_has_confirmed_is_repeated_on_a_replica_that_takes_its_place_without_it() {
    let mut cluster = Cluster::start(3).with_replicas();
    let world = World::on_this(&cluster);
    let cache = world.cache().await;
    cache.put(&POLICY, "slot:1", &1_u64).await.unwrap();
    let primary = cluster.owner("it:slot:1");
    let replica = primary + 3;
    let has_it = async || keys_of(&cluster, replica) == 1;
    eventually("the replica to have it", has_it).await;
    cluster.cut_off(replica, primary);
    let removed = cache.invalidate("slot:1").await.unwrap();
    assert_eq!(removed, Invalidation::Done);
    cluster.kill(primary);
    cluster.take_over(replica);
    let repeated = async || {
        let read = cache.get::<u64>("slot:1").await;
        assert!(!matches!(read, Ok(Some(_))), "before it is repeated");
        cache.stats().total().repeated_invalidations > 0
    };
    eventually("the repetition", repeated).await;
    assert_eq!(keys_of(&cluster, replica), 0);
}

fn keys_of(cluster: &Cluster, node: usize) -> u64 {
    cluster.nodes()[node].run(&["DBSIZE"])
}

#[tokio::test]
async fn what_goes_together_is_not_sent_in_part_again_and_again_while_a_server_is_away() {
    let (log, _guard) = Log::collect();
    let mut world = World::on_cluster();
    let cache = world.cache().await;
    let cluster = world.cluster();
    let (lost, beside) = (cluster.owner("it:lost"), elsewhere(cluster, "it:lost"));
    cluster.kill(lost);
    let both = cache.invalidation().keys(["lost", &beside]).send().await;
    assert_eq!(both.unwrap(), Invalidation::Deferred);
    let tried = async |more| {
        let count = || log.count(Level::DEBUG, "deferred invalidations still wait");
        let enough = count() + more;
        eventually("attempts", async || count() >= enough).await;
    };
    let away = async || !cache.stats().store().connected;
    eventually("its end to be noticed", away).await;
    // One may have begun before.
    tried(2).await;
    let alive = &cluster.nodes()[cluster.owner(&format!("it:{beside}"))];
    alive.reset_commands();
    tried(3).await;
    let commands = alive.commands();
    assert!(!commands.contains_key("evalsha"), "{commands:?}");
}
