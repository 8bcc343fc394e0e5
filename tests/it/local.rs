//! The level in process memory: what it answers, what it shares, and what empties it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{
    Builder, Cache, CachedExt as _, Error, Invalidation, Mode, Policy, Status, invalidates,
    redis_cached,
};
use serde::{Deserialize, Deserializer, Serialize};

use crate::support::{
    Failed, RedisServer, Source, World, eventually, filled, new_process, on_both_stores, on_redis,
};

on_both_stores!(
    the_third_read_is_answered_in_memory,
    a_value_is_decoded_once_and_cloned_out,
    what_can_be_neither_shared_nor_cloned_is_decoded_each_time,
    functions_of_other_types_share_the_entry,
    an_absence_is_kept,
    every_invalidation_of_the_process_drops,
    an_invalidation_through_another_cache_of_the_process_drops,
    a_deferred_invalidation_is_not_answered_in_memory,
    what_a_transaction_has_changed_is_not_answered_in_memory,
    what_this_process_stores_is_seen_at_once,
    a_batch_asks_for_what_is_not_kept,
    a_hit_tells_its_tags_to_the_load_around_it,
    an_entry_of_another_version_is_not_served,
    what_is_loaded_anew_takes_the_place_of_what_was_kept,
    the_wish_of_a_call_and_the_mode_of_its_function_come_first,
    an_entry_past_its_ttl_is_asked_for,
    a_policy_by_name_keeps,
    a_guarded_write_sees_what_it_changes,
    what_a_sibling_stores_is_seen_at_once,
);
on_redis!(
    nothing_late_is_stored_with_the_result_of_an_outer_load,
    what_redis_answers_after_all_is_a_hit,
    what_this_process_takes_away_is_not_served,
    what_another_process_changes_is_announced,
);

/// A process to which nothing is announced.
async fn cache(world: &World) -> Cache {
    silent(world).build().await.unwrap()
}

/// The same with announcements, which may take as long as they like.
async fn announced(world: &World) -> Cache {
    let builder = world.builder().local_staleness(Duration::from_secs(60));
    builder.build().await.unwrap()
}

/// The value and the status of a call.
macro_rules! status {
    ($call:expr) => {{
        let (value, info) = $call.with_info().await;
        (value, info.status())
    }};
}

/// Calls until the level has answered.
macro_rules! kept {
    ($call:expr) => {
        eventually("an answer in memory", async || {
            status!($call).1 == Status::Local
        })
    };
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    version: u64,
}

#[redis_cached(ttl = 60, local = "60s", key = "local:user:<id>", tags = ["local:users", "local:<id>"], skip(source))]
async fn user(source: &Source, id: u64) -> Result<Arc<User>, Failed> {
    let version = source.try_load().await.ok_or(Failed)?;
    Ok(Arc::new(User { version }))
}

async fn the_third_read_is_answered_in_memory(world: World) {
    let (cache, source) = (announced(&world).await, Source::new());
    let calls = async {
        let (loaded, status) = status!(user(&source, 7));
        assert_eq!(status, Status::Miss);
        filled(&cache, 1).await;
        let (read, status) = status!(user(&source, 7));
        assert_eq!(status, Status::Hit, "loads are not kept, reads are");
        let commands = || world.servers().map(RedisServer::commands);
        let asked: Vec<_> = commands().collect();
        let (kept, status) = status!(user(&source, 7));
        assert_eq!(status, Status::Local);
        assert!(Arc::ptr_eq(&read.unwrap(), kept.as_ref().ok().unwrap()));
        assert_eq!(kept.unwrap(), loaded.unwrap());
        assert_eq!(commands().collect::<Vec<_>>(), asked);
    };
    cache.scope(calls).await;
    let (stats, local) = (cache.stats().total(), cache.stats().local());
    assert_eq!((stats.hits, stats.local_hits, stats.loads), (1, 1, 1));
    assert!(local.entries >= 1 && local.bytes > 100, "{local:?}");
}

#[derive(Clone, Debug, PartialEq)]
struct Counted(u64);

static DECODED: AtomicUsize = AtomicUsize::new(0);

impl Serialize for Counted {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = u64::deserialize(from)?;
        // The worlds of the two stores run at the same time.
        DECODED.fetch_add(usize::from(number >= 100), Ordering::Relaxed);
        Ok(Self(number))
    }
}

#[redis_cached(ttl = 60, local = 10, key = "local:counted:<id>")]
async fn counted(id: u64) -> Option<Counted> {
    Some(Counted(id))
}

async fn a_value_is_decoded_once_and_cloned_out(world: World) {
    static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _alone = ALONE.lock().await;
    let cache = cache(&world).await;
    let calls = async {
        counted(100).await;
        filled(&cache, 1).await;
        counted(100).await;
        let before = DECODED.load(Ordering::Relaxed);
        for _ in 0..3 {
            let answer = status!(counted(100));
            assert_eq!(answer, (Some(Counted(100)), Status::Local));
        }
        assert_eq!(DECODED.load(Ordering::Relaxed), before);
    };
    cache.scope(calls).await;
}

#[redis_cached(ttl = 60, local = 10, key = "local:opaque:<version>")]
async fn opaque(version: u64) -> User {
    User { version }
}

async fn what_can_be_neither_shared_nor_cloned_is_decoded_each_time(world: World) {
    let cache = cache(&world).await;
    let calls = async {
        let loaded = opaque(1).await;
        filled(&cache, 1).await;
        for read in 0..3 {
            let (value, status) = status!(opaque(1));
            assert_eq!(value, loaded);
            // In memory there is nothing but the decoded value to save.
            let asks = read == 0 || world.is_in_memory();
            assert_eq!(status == Status::Hit, asks);
        }
    };
    cache.scope(calls).await;
}

#[redis_cached(ttl = 60, local = 10, key = "local:text:<id>")]
async fn shared_text(id: u64) -> Arc<String> {
    Arc::new(id.to_string())
}

#[redis_cached(ttl = 60, local = 10, key = "local:text:<id>")]
async fn own_text(id: u64) -> String {
    id.to_string()
}

#[redis_cached(ttl = 60, local = 10, key = "local:text:<id>")]
async fn number(id: u64) -> u64 {
    id
}

async fn functions_of_other_types_share_the_entry(world: World) {
    let cache = cache(&world).await;
    let calls = async {
        kept!(shared_text(7)).await;
        assert_eq!(status!(own_text(7)), ("7".to_owned(), Status::Local));
        let (value, status) = status!(number(7));
        assert_eq!((value, status), (7, Status::Miss), "no text is a number");
        kept!(number(7)).await;
        assert_eq!(status!(own_text(7)).1, Status::Miss, "nor the other way");
    };
    cache.scope(calls).await;
}

#[redis_cached(ttl = 60, local = 10, key = "local:absent:<id>")]
async fn absent(id: u64) -> Result<Option<Arc<User>>, Failed> {
    let _ = id;
    Ok(None)
}

async fn an_absence_is_kept(world: World) {
    let cache = cache(&world).await;
    let calls = async {
        assert!(absent(1).await.unwrap().is_none());
        filled(&cache, 1).await;
        assert!(absent(1).await.unwrap().is_none());
        // There is nothing to decode.
        let expected = match world.is_in_memory() {
            true => Status::Hit,
            false => Status::Local,
        };
        let kept = async || {
            let (value, status) = status!(absent(1));
            assert!(value.unwrap().is_none());
            status == expected
        };
        eventually("an answer in memory", kept).await;
    };
    cache.scope(calls).await;
}

#[invalidates("local:user:<id>")]
async fn rename(id: u64) {
    let _ = id;
}

/// Each way to make a user old.
async fn invalidate(cache: &Cache, way: &str) {
    match way {
        "attribute" => rename(7).await,
        "key" => drop(cache.invalidate("local:user:7").await.unwrap()),
        "tag" => drop(cache.invalidate_tag("local:7").await.unwrap()),
        "pattern" => drop(
            cache
                .invalidation()
                .matching("local:us*")
                .send()
                .await
                .unwrap(),
        ),
        "commit" => {
            let commit = cache.after_commit();
            commit.scope(rename(7)).await;
            commit.commit().await.unwrap();
        }
        "put" => drop(
            cache
                .invalidation()
                .key("local:user:7")
                .key("other")
                .send()
                .await
                .unwrap(),
        ),
        _ => drop(cache.clear("local::user").await.unwrap()),
    }
}

const WAYS: [&str; 7] = [
    "attribute",
    "key",
    "tag",
    "pattern",
    "commit",
    "put",
    "clear",
];

async fn every_invalidation_of_the_process_drops(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        for way in WAYS {
            kept!(user(&source, 7)).await;
            let version = source.write();
            invalidate(&cache, way).await;
            let (new, status) = status!(user(&source, 7));
            assert_eq!(
                (new.unwrap().version, status),
                (version, Status::Miss),
                "{way}"
            );
        }
    };
    cache.scope(calls).await;
}

async fn an_invalidation_through_another_cache_of_the_process_drops(world: World) {
    let process = new_process();
    let builder = || silent_in(&world, &process);
    let [one, other] = [builder(), builder()];
    let (one, other) = (one.build().await.unwrap(), other.build().await.unwrap());
    let source = Source::new();
    for way in WAYS {
        one.scope(kept!(user(&source, 7))).await;
        let version = source.write();
        other.scope(invalidate(&other, way)).await;
        let new = one.scope(user(&source, 7)).await.unwrap();
        assert_eq!(new.version, version, "{way}");
    }
}

async fn a_deferred_invalidation_is_not_answered_in_memory(world: World) {
    let (faults, source) = (Faults::seeded(1), Source::new());
    let cache = silent(&world).faults(faults.clone()).build().await.unwrap();
    let calls = async {
        kept!(user(&source, 7)).await;
        let version = source.write();
        faults.outage(true);
        let ended = cache.invalidate("local:user:7").await.unwrap();
        assert_eq!(ended, Invalidation::Deferred);
        let (new, status) = status!(user(&source, 7));
        assert_eq!((new.unwrap().version, status), (version, Status::Bypass));
        faults.outage(false);
        cache.flush().await.unwrap();
        let (new, status) = status!(user(&source, 7));
        assert_eq!((new.unwrap().version, status), (version, Status::Miss));
    };
    cache.scope(calls).await;
}

async fn what_a_transaction_has_changed_is_not_answered_in_memory(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        for id in [7, 8] {
            kept!(user(&source, id)).await;
        }
        let (old, after) = (source.version(), cache.after_commit());
        after.invalidate("local:user:7");
        let version = source.write();
        let transaction = async {
            let (changed, status) = status!(user(&source, 7));
            assert_eq!(
                (changed.unwrap().version, status),
                (version, Status::Bypass)
            );
            let (other, status) = status!(user(&source, 8));
            assert_eq!((other.unwrap().version, status), (old, Status::Local));
        };
        after.scope(transaction).await;
        assert_eq!(
            status!(user(&source, 7)).1,
            Status::Bypass,
            "it is not committed yet"
        );
        after.commit().await.unwrap();
        assert_eq!(status!(user(&source, 7)).1, Status::Miss);
    };
    cache.scope(calls).await;
}

const POLICY: Policy = Policy::new()
    .ttl(Duration::from_secs(60))
    .local(Duration::from_secs(60));

async fn what_this_process_stores_is_seen_at_once(world: World) {
    let cache = cache(&world).await;
    let read = || {
        cache
            .entry("local:n")
            .policy(&POLICY)
            .get_or_fill(async || Ok::<_, Failed>(1))
    };
    assert_eq!(read().await.unwrap(), 1);
    eventually("an answer in memory", async || {
        status!(read()).1 == Status::Local || world.is_in_memory()
    })
    .await;
    let entry = || cache.entry("local:n").policy(&POLICY);
    assert!(entry().put(&2).await.unwrap());
    assert_eq!(read().await.unwrap(), 2, "put");
    let next = |n: Option<i32>| Ok::<_, Error>(n.unwrap_or_default() + 1);
    assert_eq!(entry().update(next).await.unwrap(), 3);
    assert_eq!(read().await.unwrap(), 3, "updated");
    entry()
        .put_through(async || Ok::<_, Failed>(4))
        .await
        .unwrap();
    assert_eq!(read().await.unwrap(), 4, "written through");
}

#[redis_cached(batch(id in ids), ttl = 60, local = 60, key = "local:one:<id>", skip(source))]
async fn many(source: &Source, ids: &[u64]) -> HashMap<u64, Arc<u64>> {
    let version = source.load().await;
    ids.iter().map(|id| (*id, Arc::new(version))).collect()
}

#[redis_cached(ttl = 60, local = 60, key = "local:one:<id>", skip(source))]
async fn one(source: &Source, id: u64) -> u64 {
    let _ = id;
    source.load().await
}

async fn a_batch_asks_for_what_is_not_kept(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        kept!(many(&source, &[1, 2])).await;
        assert_eq!(
            status!(one(&source, 2)).1,
            Status::Local,
            "the entry is the same"
        );
        let before = cache.stats().total();
        let (values, status) = status!(many(&source, &[1, 2, 3]));
        assert_eq!((values.len(), status), (3, Status::Miss));
        let after = cache.stats().total();
        assert_eq!(after.local_hits - before.local_hits, 2);
        assert_eq!(after.misses - before.misses, 1);
        let again = many(&source, &[1]).await;
        assert!(Arc::ptr_eq(&again[&1], &values[&1]));
    };
    cache.scope(calls).await;
}

#[redis_cached(ttl = 60, key = "local:outer:<id>", skip(source))]
async fn outer(source: &Source, id: u64) -> u64 {
    user(source, id).await.unwrap().version
}

async fn a_hit_tells_its_tags_to_the_load_around_it(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        kept!(user(&source, 7)).await;
        assert_eq!(outer(&source, 7).await, 1);
        filled(&cache, 2).await;
        let version = source.write();
        cache.invalidate_tag("local:users").await.unwrap();
        assert_eq!(outer(&source, 7).await, version);
    };
    cache.scope(calls).await;
}

async fn version_of(source: &Source) -> u64 {
    source.version()
}

#[redis_cached(ttl = 60, local = 60, version = version_of, key = "local:versioned", skip(source))]
async fn versioned(source: &Source) -> u64 {
    source.load().await
}

async fn an_entry_of_another_version_is_not_served(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        kept!(versioned(&source)).await;
        let version = source.write();
        assert_eq!(status!(versioned(&source)), (version, Status::Miss));
    };
    cache.scope(calls).await;
}

async fn what_is_loaded_anew_takes_the_place_of_what_was_kept(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        kept!(one(&source, 1)).await;
        let version = source.write();
        assert_eq!(one(&source, 1).refreshed().await, version);
        filled(&cache, 2).await;
        assert_eq!(one(&source, 1).await, version);
    };
    cache.scope(calls).await;
}

async fn the_wish_of_a_call_and_the_mode_of_its_function_come_first(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        kept!(one(&source, 2)).await;
        let (kept, version) = (source.version(), source.write());
        assert_eq!(status!(one(&source, 2)), (kept, Status::Local));
        let uncached = status!(one(&source, 2).uncached());
        assert_eq!(uncached, (version, Status::Bypass));
        for mode in [Mode::Off, Mode::Shadow] {
            cache.set_mode("local::one", mode).unwrap();
            assert_eq!(one(&source, 2).await, version, "{mode:?}");
        }
        cache.set_mode("local::one", Mode::On).unwrap();
        assert_eq!(one(&source, 2).refreshed().await, version);
        assert_eq!(cache.stats().total().local_hits, 2);
    };
    cache.scope(calls).await;
}

#[redis_cached(
    ttl = 0.2,
    jitter = 0.0,
    local = 0.2,
    stale_if_error = 600,
    key = "local:short",
    skip(source)
)]
async fn short(source: &Source) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

async fn an_entry_past_its_ttl_is_asked_for(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let calls = async {
        assert_eq!(short(&source).await.unwrap(), 1);
        let version = source.write();
        eventually("the end of the TTL", async || {
            short(&source).await.unwrap() == version
        })
        .await;
        let stats = cache.stats().total();
        assert_eq!(stats.stale, 0);
    };
    cache.scope(calls).await;
}

#[redis_cached(policy = "kept", key = "local:named:<id>", cache = cache, skip(cache))]
async fn named(cache: &Cache, id: u64) -> String {
    id.to_string()
}

async fn a_policy_by_name_keeps(world: World) {
    let cache = silent(&world).policy("kept", POLICY).build().await.unwrap();
    kept!(named(&cache, 7)).await;
    assert!(cache.stats().function("local::named").unwrap().local_hits > 0);
}

#[invalidates("local:one:<id>", guard, cache = cache)]
async fn guarded(cache: &Cache, source: &Source, id: u64) -> (u64, u64) {
    let version = source.write();
    (version, cache.scope(one(source, id)).await)
}

async fn a_guarded_write_sees_what_it_changes(world: World) {
    let cache = silent(&world).guarded(true).build().await.unwrap();
    let source = Source::new();
    cache.scope(kept!(one(&source, 1))).await;
    let (version, seen) = guarded(&cache, &source, 1).await;
    assert_eq!(seen, version);
}

async fn what_a_sibling_stores_is_seen_at_once(world: World) {
    let process = new_process();
    let builder = || silent_in(&world, &process);
    let (one, other) = (
        builder().build().await.unwrap(),
        builder().build().await.unwrap(),
    );
    let read = async |cache: &Cache| {
        let entry = cache.entry("local:n").policy(&POLICY);
        entry
            .get_or_fill(async || Ok::<_, Failed>(1))
            .await
            .unwrap()
    };
    for _ in 0..3 {
        assert_eq!(read(&one).await, 1);
        filled(&one, 1).await;
    }
    assert!(other.put(&POLICY, "local:n", &2).await.unwrap());
    assert_eq!(read(&one).await, 2);
    read(&one).await;
    let next = |n: Option<i32>| Ok::<_, Error>(n.unwrap_or_default() + 1);
    let entry = other.entry("local:n").policy(&POLICY);
    assert_eq!(entry.update(next).await.unwrap(), 3);
    assert_eq!(read(&one).await, 3);
}

/// A cache to which nothing is announced, so that it serves for a minute what others have changed.
fn silent(world: &World) -> Builder {
    silent_in(world, &new_process())
}

fn silent_in(world: &World, process: &str) -> Builder {
    let builder = world
        .builder_in(process)
        .local_staleness(Duration::from_secs(60));
    if world.is_in_memory() {
        return builder;
    }
    let rules = ["on", ">pw", "~*", "&*", "+@all", "-client|tracking"];
    let user = [&["ACL", "SETUSER", "silent"], &rules[..]].concat();
    world.servers().for_each(|server| server.run(&user));
    builder.url(world.url_of("silent", "pw"))
}

#[redis_cached(ttl = 60, local = 60, key = "local:inner", skip(source))]
async fn inner(source: &Source) -> u64 {
    source.load().await
}

#[redis_cached(ttl = 60, key = "local:around", nested = false, skip(source))]
async fn around(source: &Source) -> u64 {
    inner(source).await
}

#[redis_cached(batch(id in ids), ttl = 60, key = "local:around:<id>", skip(source))]
async fn around_all(source: &Source, ids: &[u64]) -> HashMap<u64, u64> {
    let version = inner(source).await;
    ids.iter().map(|id| (*id, version)).collect()
}

async fn nothing_late_is_stored_with_the_result_of_an_outer_load(world: World) {
    let (here, there) = (silent(&world).build().await.unwrap(), world.cache().await);
    let source = Source::new();
    here.scope(kept!(inner(&source))).await;
    let version = source.write();
    there.invalidate("local:inner").await.unwrap();
    let late = here.scope(inner(&source)).await;
    assert!(late < version, "this is what may be late");
    assert_eq!(here.scope(around(&source)).await, version);
    assert_eq!(here.scope(around_all(&source, &[1])).await[&1], version);
    let written = here.entry("local:written").policy(&POLICY);
    let written = written.put_through(async || Ok::<_, Failed>(inner(&source).await));
    assert_eq!(here.scope(written).await.unwrap(), version);
}

async fn what_redis_answers_after_all_is_a_hit(world: World) {
    let (here, there) = (silent(&world).build().await.unwrap(), world.cache().await);
    let source = Source::new();
    here.scope(kept!(versioned(&source))).await;
    let version = source.write();
    assert_eq!(there.scope(versioned(&source)).await, version);
    filled(&there, 1).await;
    let before = here.stats().total();
    let answer = here.scope(async { status!(versioned(&source)) }).await;
    assert_eq!(answer, (version, Status::Hit));
    let after = here.stats().total();
    assert_eq!(
        (after.hits - before.hits, after.local_hits),
        (1, before.local_hits)
    );
}

async fn what_another_process_changes_is_announced(world: World) {
    let (here, there) = (announced(&world).await, announced(&world).await);
    let source = Source::new();
    for way in WAYS {
        here.scope(kept!(user(&source, 7))).await;
        let version = source.write();
        there.scope(invalidate(&there, way)).await;
        eventually("the announcement", async || {
            here.scope(user(&source, 7)).await.unwrap().version == version
        })
        .await;
    }
    let local = here.stats().local();
    // An own fill may be confirmed after its entry was read and kept: that one is counted as `replaced`.
    assert!(local.changed >= WAYS.len() as u64, "{local:?}");
}

#[redis_cached(ttl = 60, local = 60, key = "local:large", skip(source))]
async fn large(source: &Source) -> String {
    let version = source.load().await;
    "x".repeat(version as usize * 700)
}

async fn what_this_process_takes_away_is_not_served(world: World) {
    let cache = silent(&world).max_value_bytes(1024).build().await.unwrap();
    let source = Source::new();
    let calls = async {
        kept!(large(&source)).await;
        source.write();
        assert_eq!(large(&source).refreshed().await.len(), 1400);
        eventually("the end of the old entry", async || {
            cache.stats().total().too_large > 0 && cache.stats().local().replaced > 0
        })
        .await;
        assert_eq!(large(&source).await.len(), 1400);
    };
    cache.scope(calls).await;
}

/// Its type need not live for ever.
#[redis_cached(policy = "kept", key = "local:generic:<id>", cache = cache, skip(cache, T))]
async fn generic<T>(cache: &Cache, id: u64) -> Result<T, Failed>
where
    T: Clone + From<u64> + Send + Sync + Serialize + for<'de> Deserialize<'de>,
{
    Ok(T::from(id))
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let refused = async |builder: fn(Builder) -> Builder, setting: &str| {
        let built = builder(Cache::builder().url("memory://")).build().await;
        let error = built.unwrap_err().to_string();
        assert!(error.contains(setting), "{error}");
    };
    refused(|it| it.local_bytes(0), "local_bytes").await;
    refused(
        |it| it.local_staleness(Duration::from_millis(9)),
        "local_staleness",
    )
    .await;
    refused(
        |it| it.local_staleness(Duration::from_secs(61)),
        "local_staleness",
    )
    .await;
    const SECOND: Duration = Duration::from_secs(1);
    let odd = "no longer than the TTL";
    refused(|it| it.policy("odd", POLICY.ttl(SECOND)), odd).await;
    refused(|it| it.policy("odd", POLICY.audit(1.0)), "audit = 1").await;
    refused(
        |it| it.policy("odd", POLICY.local(Duration::ZERO)),
        "more than zero",
    )
    .await;
    let builder = Cache::builder().url("memory://").policy("kept", POLICY);
    let cache = builder.build().await.unwrap();
    assert_eq!(generic::<u64>(&cache, 7).await.unwrap(), 7);
    let odd = cache.put(&POLICY.ttl(SECOND), "k", &1).await.unwrap_err();
    assert!(odd.to_string().contains("no longer than the TTL"), "{odd}");
}
