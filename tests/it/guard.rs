//! Two-phase writers: from the beginning of a guarded write to its end nobody stores anything under
//! its keys, whoever else writes, and whatever becomes of the writer.

use std::time::Duration;

use cached_redis::error::{StoreError, Unguarded};
use cached_redis::{Cache, CachedExt as _, Error, Policy};
use cached_redis::{invalidates, redis_cached};
use tokio::task::JoinHandle;
use tracing::Level;

use crate::support::{Log, RedisServer, Source, World};
use crate::support::{eventually, filled, in_time, on_both_stores, on_redis};

on_both_stores!(
    readers_during_a_guarded_write_load_for_themselves_and_store_nothing,
    after_a_guarded_write_everybody_reads_what_it_committed_and_stores_it_again,
    a_load_under_way_when_a_guarded_write_begins_is_not_kept,
    a_refresh_and_a_put_during_a_guarded_write_are_not_kept,
    two_guarded_writers_that_overlap_bar_their_key_until_both_have_ended,
    an_invalidation_during_a_guarded_write_does_not_open_its_key,
    a_guarded_write_ends_however_its_function_does,
    a_guarded_write_whose_caller_is_dropped_at_any_point_ends,
    a_writer_that_dies_after_its_commit_leaves_the_old_value_in_one_phase,
    a_writer_that_dies_after_its_commit_leaves_no_old_value_in_two_phases,
    a_writer_by_hand_bars_its_keys_until_it_is_finished_or_dropped,
    in_a_cache_that_is_not_guarded_a_guarded_write_goes_on_and_is_told_each_time,
    in_a_cache_that_is_not_guarded_a_write_that_must_be_guarded_is_refused,
);
on_redis!(
    a_guarded_write_is_one_script_at_its_beginning_and_one_at_its_end,
    a_guarded_write_longer_than_its_hold_stays_guarded,
    a_tombstone_that_was_removed_by_hand_is_put_back_and_told,
    without_redis_a_guarded_write_goes_on_in_one_phase_and_is_told,
    without_redis_a_write_that_must_be_guarded_is_refused,
    a_write_one_of_whose_keys_cannot_be_barred_leaves_none_barred,
    a_server_that_forgets_its_scripts_at_any_point_is_told_them_again,
    a_guarded_write_whose_end_is_not_answered_returns_its_own_result_and_opens_its_key_later,
);

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: Policy = Policy::new().ttl(HOUR);

#[derive(Debug, PartialEq)]
enum WriteError {
    Refused(Unguarded),
    Failed,
}

impl From<Unguarded> for WriteError {
    fn from(unguarded: Unguarded) -> Self {
        Self::Refused(unguarded)
    }
}

type Written<T> = Result<T, WriteError>;

#[redis_cached(ttl = 60, key = "guard:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// Commits as soon as `gate` lets it, and then ends as it is told to.
#[invalidates("guard:<id>", guard, cache = cache)]
async fn write(cache: &Cache, source: &Source, gate: &Source, id: u64, end: &str) -> Written<u64> {
    gate.load().await;
    let version = source.write();
    match end {
        "panic" => panic!("this writer was asked to panic"),
        "err" => Err(WriteError::Failed),
        _ => Ok(version),
    }
}

#[invalidates("guard:<id>", guard, when = "ok", cache = cache)]
async fn write_if_ok(cache: &Cache, id: u64) -> Written<u64> {
    Err::<u64, _>(WriteError::Failed).map(|_| id)
}

#[invalidates("guard:<id>", "guard:other:<id>", guard = "require", cache = cache)]
async fn write_guarded(cache: &Cache, source: &Source, id: u64) -> Written<u64> {
    let _ = id;
    Ok(source.write())
}

async fn guarded(world: &World) -> Cache {
    let builder = world.builder().guarded(true).hold(HOUR);
    builder.build().await.unwrap()
}

async fn with_hold(world: &World, hold: Duration) -> Cache {
    let builder = world.builder().guarded(true).hold(hold);
    builder.build().await.unwrap()
}

/// A writer in the middle of its body, where it waits for `gate`.
async fn writing(
    cache: &Cache,
    source: &Source,
    gate: &Source,
    end: &'static str,
) -> JoinHandle<Written<u64>> {
    let waiting = gate.loads() + 1;
    let task = tokio::spawn({
        let (cache, source, gate) = (cache.clone(), source.clone(), gate.clone());
        async move { write(&cache, &source, &gate, 1, end).await }
    });
    gate.begun(waiting).await;
    task
}

/// Reads several times; every time the source is asked.
async fn assert_barred(cache: &Cache, source: &Source) {
    for _ in 0..3 {
        let loads = source.loads();
        let (value, info) = cache.scope(read(source, 1).with_info()).await;
        assert_eq!((value, source.loads()), (source.version(), loads + 1));
        assert_eq!(info.status(), cached_redis::Status::Bypass);
        assert_eq!(cache.get::<u64>("guard:1").await.unwrap(), None);
    }
}

/// Reads until the store answers; every value on the way is the newest.
async fn assert_open(cache: &Cache, source: &Source) {
    eventually("the key to be cached again", async || {
        let (value, info) = cache.scope(read(source, 1).with_info()).await;
        assert_eq!(value, source.version());
        info.status() == cached_redis::Status::Hit
    })
    .await;
}

async fn readers_during_a_guarded_write_load_for_themselves_and_store_nothing(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let (source, gate) = (Source::new(), Source::held());
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;

    let task = writing(&cache, &source, &gate, "ok").await;
    // Before the commit the old value is still the right one, and comes from the source.
    for process in [&cache, &other] {
        assert_barred(process, &source).await;
    }
    // A commit that is not yet followed by the end of the write is seen at once.
    source.write();
    for process in [&cache, &other] {
        assert_barred(process, &source).await;
    }
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(3));
    for process in [&cache, &other] {
        assert_open(process, &source).await;
    }
}

async fn after_a_guarded_write_everybody_reads_what_it_committed_and_stores_it_again(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let (source, gate) = (Source::new(), Source::new());
    for version in 2..5 {
        let written = write(&cache, &source, &gate, 1, "ok").await;
        assert_eq!(written, Ok(version));
        assert_eq!(other.scope(read(&source, 1)).await, version);
        filled(&other, version - 1).await;
        assert_eq!(cache.scope(read(&source, 1)).await, version);
    }
    assert_eq!(source.loads(), 3, "one for each version");
    let stats = cache.stats().total();
    assert_eq!((stats.invalidations, stats.unguarded_writes), (3, 0));
}

async fn a_load_under_way_when_a_guarded_write_begins_is_not_kept(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let (source, gate) = (Source::held(), Source::held());
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).await }
    });
    source.begun(1).await;
    let task = writing(&other, &source, &gate, "ok").await;
    source.release();
    assert_eq!(in_time(overtaken).await.unwrap(), 1);
    eventually("the refusal", async || {
        cache.stats().total().refused_fills == 1
    })
    .await;
    assert_barred(&cache, &source).await;
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(2));
    assert_open(&cache, &source).await;
}

async fn a_refresh_and_a_put_during_a_guarded_write_are_not_kept(world: World) {
    let cache = guarded(&world).await;
    let (source, gate) = (Source::held(), Source::held());
    source.release();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    // This one began before the write, over an entry that stood then.
    source.hold();
    let overtaken = cache.spawn({
        let source = source.clone();
        async move { read(&source, 1).refreshed().await }
    });
    source.begun(2).await;
    let task = writing(&cache, &source, &gate, "ok").await;
    source.release();
    assert_eq!(in_time(overtaken).await.unwrap(), 1);

    assert_eq!(cache.scope(read(&source, 1).refreshed()).await, 1);
    assert!(!cache.put(&POLICY, "guard:1", &7_u64).await.unwrap());
    assert_eq!(cache.stats().total().fills, 1);
    assert_barred(&cache, &source).await;
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(2));
    assert!(cache.put(&POLICY, "guard:1", &2_u64).await.unwrap());
    assert_open(&cache, &source).await;
}

async fn two_guarded_writers_that_overlap_bar_their_key_until_both_have_ended(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let source = Source::new();
    for (first, second) in [(0, 1), (1, 0)] {
        let gates = [Source::held(), Source::held()];
        let mut tasks = [
            writing(&cache, &source, &gates[0], "ok").await,
            writing(&other, &source, &gates[1], "ok").await,
        ];
        gates[first].release();
        in_time(&mut tasks[first]).await.unwrap().unwrap();
        for process in [&cache, &other] {
            assert_barred(process, &source).await;
        }
        gates[second].release();
        in_time(&mut tasks[second]).await.unwrap().unwrap();
        assert_open(&cache, &source).await;
    }
}

async fn an_invalidation_during_a_guarded_write_does_not_open_its_key(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let (source, gate) = (Source::new(), Source::held());
    let task = writing(&cache, &source, &gate, "ok").await;
    for process in [&cache, &other] {
        process.invalidate("guard:1").await.unwrap();
        process
            .invalidation()
            .keys(["guard:1", "guard:2"])
            .send()
            .await
            .unwrap();
        assert_barred(process, &source).await;
    }
    gate.release();
    in_time(task).await.unwrap().unwrap();
    assert_open(&other, &source).await;
}

async fn a_guarded_write_ends_however_its_function_does(world: World) {
    let cache = guarded(&world).await;
    let source = Source::new();
    for end in ["ok", "err", "panic"] {
        let gate = Source::held();
        let task = writing(&cache, &source, &gate, end).await;
        assert_barred(&cache, &source).await;
        gate.release();
        let ended = in_time(task).await;
        assert_eq!(ended.is_err(), end == "panic");
        assert_open(&cache, &source).await;
    }
    // One that failed has nothing to invalidate, but its tombstone must not stay.
    let failed = write_if_ok(&cache, 1).await;
    assert_eq!(failed, Err(WriteError::Failed));
    assert_open(&cache, &source).await;
    assert_eq!(cache.stats().total().unguarded_writes, 0);
}

async fn a_guarded_write_whose_caller_is_dropped_at_any_point_ends(world: World) {
    let cache = guarded(&world).await;
    let source = Source::new();
    for polls in 1..6 {
        let gate = Source::new();
        let caller = write(&cache, &source, &gate, 1, "ok");
        crate::support::after_polls(polls, caller).await;
        assert_open(&cache, &source).await;
    }
    let gate = Source::held();
    let task = writing(&cache, &source, &gate, "ok").await;
    task.abort();
    assert_open(&cache, &source).await;
}

/// A process that commits and dies before it could do anything else: all its tasks end with its
/// runtime.
fn commits_and_dies(world: &World, source: &Source, hold: Duration, two_phases: bool) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let (builder, source) = (world.builder(), source.clone());
    let (committed, commit) = std::sync::mpsc::channel();
    runtime.spawn(async move {
        let builder = builder.guarded(true).hold(hold);
        let cache = builder.build().await.unwrap();
        let guard = match two_phases {
            true => Some(cache.begin_write(["guard:1"]).await.unwrap()),
            false => None,
        };
        source.write();
        committed.send(()).unwrap();
        std::future::pending::<()>().await;
        drop(guard);
        cache.invalidate("guard:1").await.unwrap();
    });
    commit.recv().unwrap();
    runtime.shutdown_background();
}

async fn a_writer_that_dies_after_its_commit_leaves_the_old_value_in_one_phase(world: World) {
    let cache = guarded(&world).await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    tokio::task::block_in_place(|| commits_and_dies(&world, &source, HOUR, false));
    assert_eq!(source.version(), 2);
    assert_eq!(cache.scope(read(&source, 1)).await, 1, "until its TTL");
}

async fn a_writer_that_dies_after_its_commit_leaves_no_old_value_in_two_phases(world: World) {
    let cache = guarded(&world).await;
    let source = Source::new();
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let hold = Duration::from_secs(2);
    tokio::task::block_in_place(|| commits_and_dies(&world, &source, hold, true));
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    // Cached again when the hold of the dead writer is over.
    assert_open(&cache, &source).await;
}

async fn a_writer_by_hand_bars_its_keys_until_it_is_finished_or_dropped(world: World) {
    let [cache, other] = [guarded(&world).await, guarded(&world).await];
    let source = Source::new();
    let write = cache.begin_write(["guard:1", "guard:2"]).await.unwrap();
    assert_barred(&other, &source).await;
    source.write();
    assert_barred(&other, &source).await;
    write.finish().await.unwrap();
    assert_open(&other, &source).await;

    let write = cache.begin_write(["guard:1"]).await.unwrap();
    assert_barred(&other, &source).await;
    source.write();
    drop(write);
    assert_open(&other, &source).await;

    let twice = cache.begin_write(["guard:1", "guard:1"]).await.unwrap();
    twice.finish().await.unwrap();
    let nothing: [&str; 0] = [];
    let write = cache.begin_write(nothing).await.unwrap();
    write.finish().await.unwrap();
    assert_eq!(cache.stats().total().unguarded_writes, 0);
}

async fn in_a_cache_that_is_not_guarded_a_guarded_write_goes_on_and_is_told_each_time(
    world: World,
) {
    let cache = world.cache().await;
    let (source, gate) = (Source::new(), Source::new());
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    for writes in 1..4 {
        let written = write(&cache, &source, &gate, 1, "ok").await;
        assert_eq!(written, Ok(writes + 1));
        let stats = cache.stats().total();
        assert_eq!(
            (stats.unguarded_writes, stats.invalidations),
            (writes, writes)
        );
        assert_eq!(cache.scope(read(&source, 1)).await, writes + 1);
    }
    let refused = cache.begin_write(["guard:1"]).await;
    assert!(matches!(refused, Err(Error::Setting { setting, .. }) if setting == "guarded"));
}

async fn in_a_cache_that_is_not_guarded_a_write_that_must_be_guarded_is_refused(world: World) {
    let cache = world.cache().await;
    let source = Source::new();
    let refused = write_guarded(&cache, &source, 1).await;
    assert_eq!(refused, Err(WriteError::Refused(Unguarded::NotEnabled)));
    assert_eq!(source.version(), 1);
}

async fn a_guarded_write_is_one_script_at_its_beginning_and_one_at_its_end(mut world: World) {
    let cache = guarded(&world).await;
    let server = world.redis();
    server.reset_commands();
    write_guarded(&cache, &Source::new(), 1).await.unwrap();
    assert_eq!(server.commands()["evalsha"], 2);
    assert_eq!(server.lives().len(), 0);
    server.reset_commands();
    cache.invalidate("guard:1").await.unwrap();
    let commands = server.commands();
    assert_eq!((commands["evalsha"], commands["unlink"]), (1, 1));
    assert!(!commands.contains_key("time"), "{commands:?}");
}

async fn a_guarded_write_longer_than_its_hold_stays_guarded(mut world: World) {
    let hold = Duration::from_millis(1500);
    let cache = with_hold(&world, hold).await;
    let (source, gate) = (Source::new(), Source::held());
    let task = writing(&cache, &source, &gate, "ok").await;
    world.redis().reset_commands();
    // Each third of the hold.
    let held = async || {
        let commands = world.server().unwrap().commands();
        commands.get("evalsha").is_some_and(|beats| *beats >= 5)
    };
    eventually("five signs of life", held).await;
    assert_barred(&cache, &source).await;
    let left = world.redis().lives()["it:guard:1"];
    assert!((1..=1500).contains(&left), "{left} ms");
    gate.release();
    in_time(task).await.unwrap().unwrap();
    assert_eq!(cache.stats().total().unguarded_writes, 0);
    assert_open(&cache, &source).await;
}

async fn a_tombstone_that_was_removed_by_hand_is_put_back_and_told(mut world: World) {
    let cache = with_hold(&world, Duration::from_millis(1500)).await;
    let (source, gate) = (Source::new(), Source::held());
    let task = writing(&cache, &source, &gate, "ok").await;
    world.redis().run::<()>(&["DEL", "it:guard:1"]);
    // Nothing but the tombstone bars the key.
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    eventually("the lapse to be told", async || {
        cache.stats().total().unguarded_writes == 1
    })
    .await;
    eventually("the key to be barred again", async || {
        cache.get::<u64>("guard:1").await.unwrap().is_none()
    })
    .await;
    source.write();
    assert_barred(&cache, &source).await;
    gate.release();
    in_time(task).await.unwrap().unwrap();
    assert_open(&cache, &source).await;
    assert_eq!(cache.stats().total().unguarded_writes, 1, "once per write");
}

/// A cache that has noticed that its server is gone.
async fn cut_off(world: &mut World) -> Cache {
    let cache = guarded(world).await;
    world.redis().kill();
    eventually("the loss of the connection", async || {
        let answer = cache.get::<u64>("guard:1").await;
        matches!(answer, Err(Error::Store(StoreError::Unavailable)))
    })
    .await;
    cache
}

async fn without_redis_a_guarded_write_goes_on_in_one_phase_and_is_told(mut world: World) {
    let cache = cut_off(&mut world).await;
    let (source, gate) = (Source::new(), Source::new());
    let written = write(&cache, &source, &gate, 1, "ok").await;
    assert_eq!(written, Ok(2));
    let stats = cache.stats().total();
    assert_eq!(stats.unguarded_writes, 1, "{stats:?}");
    assert_eq!(stats.invalidations, 0, "{stats:?}");
}

async fn without_redis_a_write_that_must_be_guarded_is_refused(mut world: World) {
    let cache = cut_off(&mut world).await;
    let source = Source::new();
    let refused = write_guarded(&cache, &source, 1).await;
    let reason = Unguarded::Store(StoreError::Unavailable);
    assert_eq!(refused, Err(WriteError::Refused(reason)));
    assert_eq!(source.version(), 1, "the body did not run");
    let stats = cache.stats().total();
    assert_eq!((stats.invalidations, stats.lost_invalidations), (0, 0));
    assert!(cache.begin_write(["guard:1"]).await.is_err());
}

async fn a_write_one_of_whose_keys_cannot_be_barred_leaves_none_barred(mut world: World) {
    let cache = guarded(&world).await;
    let source = Source::new();
    let server: &RedisServer = world.redis();
    server.run::<()>(&["RPUSH", "it:guard:other:1", "of somebody else"]);
    let refused = write_guarded(&cache, &source, 1).await;
    let reason = Unguarded::Store(StoreError::WrongType);
    assert_eq!(refused, Err(WriteError::Refused(reason)));
    assert_eq!(source.version(), 1, "the body did not run");
    assert_open(&cache, &source).await;
    assert_eq!(server.run::<u64>(&["LLEN", "it:guard:other:1"]), 1);
}

async fn a_server_that_forgets_its_scripts_at_any_point_is_told_them_again(mut world: World) {
    let cache = guarded(&world).await;
    let (source, gate) = (Source::new(), Source::held());
    let forget = |server: &RedisServer| server.run::<()>(&["SCRIPT", "FLUSH"]);
    for version in 2..4 {
        gate.hold();
        forget(world.redis());
        let task = writing(&cache, &source, &gate, "ok").await;
        forget(world.redis());
        cache
            .invalidation()
            .keys(["guard:1", "guard:2"])
            .send()
            .await
            .unwrap();
        assert_barred(&cache, &source).await;
        forget(world.redis());
        gate.release();
        assert_eq!(in_time(task).await.unwrap(), Ok(version));
        assert_open(&cache, &source).await;
    }
    assert_eq!(cache.stats().total().unguarded_writes, 0);
}

async fn a_guarded_write_whose_end_is_not_answered_returns_its_own_result_and_opens_its_key_later(
    mut world: World,
) {
    let builder = world.builder().deadline(Duration::from_millis(500));
    let builder = builder.guarded(true).hold(Duration::from_secs(3));
    let cache = builder.build().await.unwrap();
    let (source, gate) = (Source::new(), Source::held());
    let task = writing(&cache, &source, &gate, "ok").await;
    world.redis().freeze();
    gate.release();
    assert_eq!(in_time(task).await.unwrap(), Ok(2), "its own result");
    assert_eq!(cache.stats().total().invalidations, 0);
    world.redis().thaw();
    assert_open(&cache, &source).await;
}

#[tokio::test]
async fn what_is_not_guarded_is_told_at_the_level_that_needs_somebody_to_look() {
    let (log, _guard) = Log::collect();
    let (source, gate) = (Source::new(), Source::new());
    let cache = World::in_memory().cache().await;
    for _ in 0..2 {
        write(&cache, &source, &gate, 1, "ok").await.unwrap();
    }
    let told = log.count(Level::ERROR, "need `guarded(true)`");
    assert_eq!(told, 1, "{}", log.text());
    write_guarded(&cache, &source, 1).await.unwrap_err();
    let told = log.count(Level::WARN, "is refused");
    assert_eq!(told, 1, "{}", log.text());
}

/// The return types that a refusal finds its way into.
mod shapes {
    use async_trait::async_trait;

    use super::*;

    #[async_trait]
    trait Writes {
        async fn write(&self, id: u64) -> Written<u64>;
    }

    struct Repository(Cache);

    #[async_trait]
    impl Writes for Repository {
        #[invalidates("guard:<id>", guard = "require", cache = self.0)]
        async fn write(&self, id: u64) -> Written<u64> {
            if id == 0 {
                return Err(WriteError::Failed);
            }
            Ok(id)
        }
    }

    impl Repository {
        #[invalidates("guard:<id>", guard = "prefer", cache = self.0)]
        async fn opaque(&self, id: u64) -> impl Iterator<Item = u64> {
            0..id
        }

        #[invalidates("guard:<id>", guard = "require", cache = self.0)]
        async fn borrowing<'a>(
            &self,
            id: u64,
            name: &'a str,
        ) -> Result<&'a str, Box<dyn std::error::Error + Send + Sync>> {
            let _ = id;
            Ok(name)
        }
    }

    fn is_send<T: Send>(value: T) -> T {
        value
    }

    #[tokio::test]
    async fn a_refusal_takes_the_functions_own_type_whatever_its_form() {
        let world = World::in_memory();
        let repository = Repository(guarded(&world).await);
        assert_eq!(is_send(repository.write(1)).await, Ok(1));
        assert_eq!(repository.write(0).await, Err(WriteError::Failed));
        assert_eq!(is_send(repository.opaque(3)).await.count(), 3);
        assert_eq!(repository.borrowing(1, "Ada").await.unwrap(), "Ada");

        let repository = Repository(world.cache().await);
        let refused = Err(WriteError::Refused(Unguarded::NotEnabled));
        assert_eq!(repository.write(1).await, refused);
        let refused = repository.borrowing(1, "Ada").await.unwrap_err();
        assert!(refused.downcast_ref::<Unguarded>().is_some());
        assert_eq!(repository.opaque(3).await.count(), 3);
    }
}
