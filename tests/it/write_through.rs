//! Write-through: what was written is stored for the readers, unless anybody else has written
//! meanwhile; in no case does an older value stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Policy, Status};
use cached_redis::{invalidates, redis_cached, write_through};
use tokio::task::{JoinHandle, yield_now};

use crate::support::{Source, World, eventually, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    what_was_written_through_is_a_hit_for_all_readers,
    readers_during_a_write_through_load_for_themselves_and_store_nothing,
    an_invalidation_during_a_write_through_keeps_its_value_out,
    a_writer_that_commits_later_during_a_write_through_keeps_its_value_out,
    of_two_write_throughs_that_overlap_neither_value_stays,
    no_read_is_stale_while_many_write_through_the_same_key,
    a_write_through_that_fails_panics_or_is_dropped_invalidates,
    a_write_through_whose_caller_is_dropped_at_any_point_leaves_nothing_old,
    a_write_through_whose_process_dies_bars_its_key_until_the_hold_is_over,
    a_value_that_is_not_to_be_stored_is_an_invalidation,
    an_absence_written_through_is_known_to_the_readers,
    a_write_through_beside_invalidates_of_other_keys_does_both,
    by_hand_it_is_put_through,
    a_codec_of_its_own_is_read_by_the_same_codec,
    without_a_ttl_a_write_through_is_an_invalidation,
);
on_redis!(
    a_write_through_is_one_script_at_its_beginning_and_one_at_its_end,
    a_write_through_whose_tombstone_was_gone_for_a_while_stores_nothing,
    without_redis_a_write_through_returns_its_result_and_its_key_is_replayed,
    a_server_that_forgets_its_scripts_is_told_them_again,
    a_full_server_stores_nothing_and_opens_the_key,
);

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: Policy = Policy::new().ttl(HOUR);

#[redis_cached(ttl = 60, key = "through:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Commits, waits for `gate`, and then ends as it is told to.
#[write_through(ttl = 60, key = "through:<id>", tags = [], cache = cache)]
async fn write(
    cache: &Cache,
    source: &Source,
    gate: &Source,
    id: u64,
    end: &str,
) -> Result<u64, String> {
    let version = source.write();
    gate.load().await;
    match end {
        "panic" => panic!("this writer was asked to panic"),
        "err" => Err("as it was told".to_owned()),
        _ => Ok(version),
    }
}

#[invalidates("through:<id>", cache = cache)]
async fn write_in_one_phase(cache: &Cache, source: &Source, id: u64) -> u64 {
    let _ = id;
    source.write()
}

#[invalidates("through:<id>", guard, cache = cache)]
async fn write_guarded(cache: &Cache, source: &Source, id: u64) -> u64 {
    let _ = id;
    source.write()
}

async fn process(world: &World, guarded: bool) -> Cache {
    let builder = world.builder().guarded(guarded).hold(HOUR);
    builder.build().await.unwrap()
}

/// A namespace that is guarded and one that is not, each of two processes, and a key for each.
async fn namespaces(world: &World) -> [([Cache; 2], u64); 2] {
    let processes = async |guarded| [process(world, guarded).await, process(world, guarded).await];
    [(processes(false).await, 1), (processes(true).await, 2)]
}

/// A write-through that has committed, and waits for `gate`.
async fn writing(
    cache: &Cache,
    source: &Source,
    gate: &Source,
    id: u64,
    end: &'static str,
) -> JoinHandle<Result<u64, String>> {
    let waiting = gate.loads() + 1;
    let task = tokio::spawn({
        let (cache, source, gate) = (cache.clone(), source.clone(), gate.clone());
        async move { write(&cache, &source, &gate, id, end).await }
    });
    gate.begun(waiting).await;
    task
}

async fn status(cache: &Cache, source: &Source, id: u64) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, id).with_info()).await;
    (value, info.status())
}

/// Nothing is stored under the key, and the next reads find the newest value.
async fn assert_invalidated(cache: &Cache, source: &Source, id: u64) {
    let key = format!("through:{id}");
    assert_eq!(cache.get::<u64>(&key).await.unwrap(), None);
    eventually("the key to be cached again", async || {
        let (value, status) = status(cache, source, id).await;
        assert_eq!(value, source.version());
        status == Status::Hit
    })
    .await;
}

async fn what_was_written_through_is_a_hit_for_all_readers(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, open) = (Source::new(), Source::new());
        cache.scope(read(&source, id)).await;
        filled(&cache, 1).await;
        for version in 2..5 {
            let written = write(&cache, &source, &open, id, "ok").await;
            assert_eq!(written, Ok(version));
            for process in [&cache, &other] {
                let found = status(process, &source, id).await;
                assert_eq!(found, (version, Status::Hit));
            }
        }
        assert_eq!(source.loads(), 1, "the first read alone");
        let stats = cache.stats();
        let writer = stats.function("write_through::write").unwrap();
        assert_eq!((writer.fills, writer.unguarded_writes), (3, 0));
        assert_eq!(stats.total().refused_fills, 0);
    }
}

async fn readers_during_a_write_through_load_for_themselves_and_store_nothing(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, gate) = (Source::new(), Source::held());
        let task = writing(&cache, &source, &gate, id, "ok").await;
        for process in [&cache, &other, &cache, &other] {
            let found = status(process, &source, id).await;
            assert_eq!(found, (2, Status::Bypass));
        }
        gate.release();
        assert_eq!(in_time(task).await.unwrap(), Ok(2));
        assert_eq!(status(&other, &source, id).await, (2, Status::Hit));
    }
}

async fn an_invalidation_during_a_write_through_keeps_its_value_out(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        for interfering in [&cache, &other] {
            let (source, gate) = (Source::new(), Source::held());
            let task = writing(&cache, &source, &gate, id, "ok").await;
            let newer = source.write();
            interfering
                .invalidate(format!("through:{id}"))
                .await
                .unwrap();
            assert_eq!(other.scope(read(&source, id)).await, newer);
            gate.release();
            assert_eq!(in_time(task).await.unwrap(), Ok(2), "its own result");
            assert_invalidated(&other, &source, id).await;
        }
        assert_eq!(cache.stats().total().refused_fills, 2);
    }
}

async fn a_writer_that_commits_later_during_a_write_through_keeps_its_value_out(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        for kind in 0..3 {
            let (source, gate) = (Source::new(), Source::held());
            let open = Source::new();
            let task = writing(&cache, &source, &gate, id, "ok").await;
            match kind {
                0 => drop(write_in_one_phase(&other, &source, id).await),
                1 => drop(write_guarded(&other, &source, id).await),
                _ => drop(write(&other, &source, &open, id, "ok").await),
            }
            assert_eq!(other.scope(read(&source, id)).await, 3);
            gate.release();
            assert_eq!(in_time(task).await.unwrap(), Ok(2));
            assert_eq!(other.scope(read(&source, id)).await, 3);
            assert_eq!(cache.scope(read(&source, id)).await, 3);
        }
    }
}

async fn of_two_write_throughs_that_overlap_neither_value_stays(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        for (first, second) in [(0, 1), (1, 0)] {
            let (source, gates) = (Source::new(), [Source::held(), Source::held()]);
            let mut tasks = [
                writing(&cache, &source, &gates[0], id, "ok").await,
                writing(&other, &source, &gates[1], id, "ok").await,
            ];
            gates[first].release();
            in_time(&mut tasks[first]).await.unwrap().unwrap();
            let found = status(&cache, &source, id).await;
            assert_eq!(found, (3, Status::Bypass), "nobody reads the older one");
            gates[second].release();
            in_time(&mut tasks[second]).await.unwrap().unwrap();
            assert_invalidated(&cache, &source, id).await;
        }
        assert_eq!(cache.stats().total().refused_fills, 2);
    }
}

async fn no_read_is_stale_while_many_write_through_the_same_key(world: World) {
    for (processes, id) in namespaces(&world).await {
        let (source, open) = (Source::new(), Source::new());
        let floor = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (source, open, floor) = (source.clone(), open.clone(), Arc::clone(&floor));
                let cache = processes[number % 2].clone();
                tokio::spawn(async move {
                    for round in 0..60 {
                        let least = floor.load(Ordering::SeqCst);
                        if (number + round) % 4 == 0 {
                            let written = write(&cache, &source, &open, id, "ok").await;
                            floor.fetch_max(written.unwrap(), Ordering::SeqCst);
                        } else {
                            let got = cache.scope(read(&source, id)).await;
                            assert!(got >= least, "got {got} after {least} had been written");
                        }
                        yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            in_time(task).await.unwrap();
        }
        for process in &processes {
            let got = process.scope(read(&source, id)).await;
            assert_eq!(got, source.version());
        }
    }
}

async fn a_write_through_that_fails_panics_or_is_dropped_invalidates(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        for end in ["err", "panic", "dropped"] {
            let (source, open, gate) = (Source::new(), Source::new(), Source::held());
            write(&cache, &source, &open, id, "ok").await.unwrap();
            assert_eq!(status(&other, &source, id).await, (2, Status::Hit));
            let task = writing(&cache, &source, &gate, id, end).await;
            match end {
                "dropped" => task.abort(),
                _ => gate.release(),
            }
            let ended = in_time(task).await;
            assert_eq!(ended.is_ok(), end == "err");
            assert_invalidated(&other, &source, id).await;
        }
    }
}

async fn a_write_through_whose_caller_is_dropped_at_any_point_leaves_nothing_old(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, open) = (Source::new(), Source::new());
        for polls in 1..8 {
            let caller = write(&cache, &source, &open, id, "ok");
            crate::support::after_polls(polls, caller).await;
            eventually("the key to be cached again", async || {
                let (value, status) = status(&other, &source, id).await;
                status == Status::Hit && value == source.version()
            })
            .await;
        }
    }
}

async fn a_write_through_whose_process_dies_bars_its_key_until_the_hold_is_over(world: World) {
    let (source, gate, open) = (Source::new(), Source::held(), Source::new());
    let cache = process(&world, true).await;
    write(&cache, &source, &open, 1, "ok").await.unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let builder = world.builder().guarded(true).hold(Duration::from_secs(2));
    let committed = gate.clone();
    runtime.spawn({
        let source = source.clone();
        async move {
            let cache = builder.build().await.unwrap();
            write(&cache, &source, &gate, 1, "ok").await
        }
    });
    committed.begun(1).await;
    // All its tasks end with its runtime.
    runtime.shutdown_background();
    assert_eq!(cache.scope(read(&source, 1)).await, 3);
    assert_invalidated(&cache, &source, 1).await;
}

#[redis_cached(ttl = 60, key = "through:name:<id>", skip(name))]
async fn name(id: u64, name: Option<&str>) -> Option<String> {
    let _ = id;
    name.map(str::to_owned)
}

#[write_through(ttl = 60, key = "through:name:<id>", tags = [], cache = cache)]
async fn rename(cache: &Cache, id: u64, name: Option<&str>) -> std::io::Result<Option<String>> {
    let _ = id;
    Ok(name.map(str::to_owned))
}

#[write_through(ttl = 60, key = "through:name:<id>", tags = [], unless = result.is_empty(), cache = cache)]
#[invalidates("through:<id>", cache = cache)]
async fn rename_surely(cache: &Cache, id: u64, name: String) -> String {
    let _ = id;
    name
}

async fn a_value_that_is_not_to_be_stored_is_an_invalidation(world: World) {
    for ([cache, _], id) in namespaces(&world).await {
        rename_surely(&cache, id, "Ada".to_owned()).await;
        let known = cache.scope(name(id, None)).await;
        assert_eq!(known.as_deref(), Some("Ada"));
        rename_surely(&cache, id, String::new()).await;
        let loaded = cache.scope(name(id, Some("loaded"))).await;
        assert_eq!(loaded.as_deref(), Some("loaded"));
    }
}

async fn an_absence_written_through_is_known_to_the_readers(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        for written in [Some("Ada"), None, Some("Grace")] {
            rename(&cache, id, written).await.unwrap();
            let known = other.scope(name(id, Some("a load"))).await;
            assert_eq!(known.as_deref(), written);
        }
        assert_eq!(other.stats().total().loads, 0);
    }
}

async fn a_write_through_beside_invalidates_of_other_keys_does_both(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, open) = (Source::new(), Source::new());
        write(&cache, &source, &open, id, "ok").await.unwrap();
        source.write();
        rename_surely(&cache, id, "Ada".to_owned()).await;
        assert_invalidated(&other, &source, id).await;
        let known = other.scope(name(id, None)).await;
        assert_eq!(known.as_deref(), Some("Ada"));
    }
}

async fn by_hand_it_is_put_through(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, key) = (Source::new(), format!("through:{id}"));
        let writing = async || Ok::<_, String>(source.write());
        assert_eq!(
            cache.entry(&key).policy(&POLICY).put_through(writing).await,
            Ok(2)
        );
        assert_eq!(other.get(&key).await.unwrap(), Some(2_u64));
        assert_eq!(status(&other, &source, id).await, (2, Status::Hit));
        // In a key of its own, an invalidation comes in between.
        let overtaken = async || {
            let version = source.write();
            source.write();
            other.invalidate(&key).await.unwrap();
            Ok::<_, String>(version)
        };
        assert_eq!(
            cache
                .entry(&key)
                .policy(&POLICY)
                .put_through(overtaken)
                .await,
            Ok(3)
        );
        assert_invalidated(&other, &source, id).await;
        let failing = async || {
            source.write();
            Err::<u64, _>("no".to_owned())
        };
        let failed = cache.entry(&key).policy(&POLICY).put_through(failing).await;
        assert_eq!(failed, Err("no".to_owned()));
        assert_invalidated(&other, &source, id).await;
    }
}

mod of_json {
    use super::*;

    #[redis_cached(ttl = 60, key = "through:json:<id>", codec = json)]
    pub(super) async fn read(id: u64) -> Vec<(u64, String)> {
        vec![(id, "a load".to_owned())]
    }

    #[write_through(ttl = "1m", jitter = 0.0, key = "through:json:<id>", tags = [], codec = json, cache = cache)]
    pub(super) async fn write<T: Into<u64> + Send>(
        cache: &Cache,
        id: u64,
        (number, text): (T, &str),
    ) -> Result<Vec<(u64, String)>, Box<dyn std::error::Error + Send + Sync>> {
        let number = "7".parse::<u64>()?.min(number.into());
        Ok(vec![(number, text.to_owned())])
    }
}

async fn a_codec_of_its_own_is_read_by_the_same_codec(world: World) {
    let cache = world.cache().await;
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let written = is_send(of_json::write(&cache, 1, (3_u32, "written")));
    assert_eq!(written.await.unwrap(), [(3, "written".to_owned())]);
    let known = cache.scope(of_json::read(1)).await;
    assert_eq!(known, [(3, "written".to_owned())]);
}

#[write_through(key = "through:<id>", tags = [], policy = "unknown to all", cache = cache)]
async fn write_for_how_long(cache: &Cache, source: &Source, id: u64) -> u64 {
    let _ = id;
    source.write()
}

async fn without_a_ttl_a_write_through_is_an_invalidation(world: World) {
    for ([cache, other], id) in namespaces(&world).await {
        let (source, open) = (Source::new(), Source::new());
        write(&cache, &source, &open, id, "ok").await.unwrap();
        write_for_how_long(&cache, &source, id).await;
        assert_eq!(cache.stats().total().errors, 1);
        assert_invalidated(&other, &source, id).await;
    }
}

async fn a_write_through_is_one_script_at_its_beginning_and_one_at_its_end(mut world: World) {
    let cache = world.cache().await;
    let (source, open) = (Source::new(), Source::new());
    let server = world.redis();
    server.reset_commands();
    write(&cache, &source, &open, 1, "ok").await.unwrap();
    assert_eq!(server.commands()["evalsha"], 2);
    assert!((1..=63_000).contains(&server.lives()["it:through:1"]));
    server.reset_commands();
    cache.scope(read(&source, 1)).await;
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("get".to_owned(), 1)]);
}

async fn a_write_through_whose_tombstone_was_gone_for_a_while_stores_nothing(mut world: World) {
    for (guarded, id) in [(false, 1), (true, 2)] {
        let hold = Duration::from_millis(900);
        let builder = world.builder().guarded(guarded).hold(hold);
        let cache = builder.build().await.unwrap();
        let (source, gate) = (Source::new(), Source::held());
        let task = writing(&cache, &source, &gate, id, "ok").await;
        // Another one writes, and invalidates where nothing spares a tombstone.
        source.write();
        let key = format!("it:through:{id}");
        let server = world.redis();
        assert_eq!(server.run::<u64>(&["UNLINK", &key]), 1);
        eventually("the tombstone to be put back", async || {
            server.lives().contains_key(&key)
        })
        .await;
        gate.release();
        assert_eq!(in_time(task).await.unwrap(), Ok(2));
        assert_invalidated(&cache, &source, id).await;
        let told = cache.stats().total().unguarded_writes;
        assert_eq!(told, u64::from(guarded), "elsewhere it is nothing unusual");
    }
}

async fn without_redis_a_write_through_returns_its_result_and_its_key_is_replayed(
    mut world: World,
) {
    let cache = world.cache().await;
    let (source, open) = (Source::new(), Source::new());
    write(&cache, &source, &open, 1, "ok").await.unwrap();
    world.redis().kill();
    let written = write(&cache, &source, &open, 1, "ok").await;
    assert_eq!(written, Ok(3));
    assert_eq!(cache.stats().pending_invalidations().keys, 1);
    assert_eq!(status(&cache, &source, 1).await, (3, Status::Bypass));
    let stats = cache.stats().total();
    assert_eq!(
        (stats.deferred_invalidations, stats.unguarded_writes),
        (1, 1)
    );
    world.redis().restart();
    eventually("the replay", async || {
        cache.stats().pending_invalidations().is_empty()
    })
    .await;
    assert_invalidated(&cache, &source, 1).await;
}

async fn a_server_that_forgets_its_scripts_is_told_them_again(mut world: World) {
    let cache = world.cache().await;
    let (source, gate) = (Source::new(), Source::held());
    let forget = |world: &mut World| world.redis().run::<()>(&["SCRIPT", "FLUSH"]);
    forget(&mut world);
    let task = writing(&cache, &source, &gate, 1, "ok").await;
    forget(&mut world);
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(2));
    assert_eq!(status(&cache, &source, 1).await, (2, Status::Hit));
}

async fn a_full_server_stores_nothing_and_opens_the_key(mut world: World) {
    let cache = process(&world, true).await;
    let (source, gate) = (Source::new(), Source::held());
    let task = writing(&cache, &source, &gate, 1, "ok").await;
    world
        .redis()
        .run::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(2));
    assert!(world.redis().lives().is_empty());
    world
        .redis()
        .run::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_invalidated(&cache, &source, 1).await;
}
