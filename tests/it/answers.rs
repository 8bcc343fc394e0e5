//! `Status` and the counters tell the same of a call: the table of the page, row by row.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cached_redis::testing::Faults;
use cached_redis::{Cache, CacheInfo, CachedExt as _, Mode, current, redis_cached};

use crate::support::{
    Failed, Source, World, eventually, expired, filled, in_time, on_both_stores, waiting,
};

on_both_stores!(the_status_of_a_call_and_its_counters_are_those_of_the_table);

const PAGE: &str = include_str!("../../cached-redis/src/docs/operations.md");
const HEADING: &str = "## How a call was answered";

/// The function whose counters are looked at, unless a row is about an option.
#[redis_cached(ttl = 600, key = "answers:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(ttl = 600, local = 600, key = "answers:<id>", skip(source))]
async fn read_locally(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

/// Somebody else, who is counted apart.
#[redis_cached(ttl = 600, key = "answers:<id>", skip(source))]
async fn read_before(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(ttl = 600, timeout = 1, key = "answers:<id>", skip(source))]
async fn read_in_time(source: &Source, id: u64) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(ttl = 600, key = "answers:unkept", skip(source))]
async fn read_unkept(source: &Source) -> u64 {
    current().do_not_store();
    source.load().await
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_while_revalidate = 600,
    key = "answers:behind",
    skip(source)
)]
async fn read_behind(source: &Source) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

#[redis_cached(
    ttl = 0.05,
    jitter = 0.0,
    stale_if_error = 600,
    key = "answers:if-error",
    skip(source)
)]
async fn read_if_error(source: &Source) -> Result<u64, Failed> {
    source.try_load().await.ok_or(Failed)
}

/// It has no text.
struct Unwritable;

impl fmt::Display for Unwritable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Err(fmt::Error)
    }
}

#[redis_cached(ttl = 600, key = "answers:<id>", skip(source))]
async fn read_unnamed(source: &Source, id: Unwritable) -> u64 {
    let _ = id;
    source.load().await
}

/// A call that has been made, and what was counted before it.
struct Asked {
    cache: Cache,
    function: &'static str,
    before: BTreeMap<String, u64>,
    info: CacheInfo,
}

/// Makes the call of `function` that a row is about.
async fn ask(cache: &Cache, function: &'static str, call: impl Future) -> Asked {
    let before = counters(cache, function);
    let (_, info) = in_time(cache.scope(call.with_info())).await;
    Asked {
        cache: cache.clone(),
        function,
        before,
        info,
    }
}

impl Asked {
    /// What it was counted as, without the times.
    fn counted(&self) -> Vec<String> {
        let now = counters(&self.cache, self.function).into_iter();
        let more = now.filter(|(name, count)| *count > self.before[name]);
        more.map(|(name, _)| name).collect()
    }
}

fn counters(cache: &Cache, function: &str) -> BTreeMap<String, u64> {
    let stats = cache.stats();
    let row = stats.function(&format!("answers::{function}"));
    let row = format!("{:?}", row.expect("it is annotated"));
    let fields = row
        .split([',', '{', '}'])
        .filter_map(|field| field.split_once(": "));
    let counts =
        fields.filter_map(|(name, count)| Some((name.trim().to_owned(), count.parse().ok()?)));
    counts.collect()
}

/// The rows of the table, each with a call of which it speaks; none where the store cannot do that.
macro_rules! rows {
    ($world:ident: $($row:literal => $asked:expr,)+) => {
        const ROWS: &[&str] = &[$($row),+];

        async fn ask_as(row: &str, $world: &World) -> Option<Asked> {
            match row {
                $($row => Some($asked),)+
                row => panic!("the test knows no call that {row}"),
            }
        }
    };
}

rows! { world:
    "finds an entry" => {
        let (cache, source) = an_entry(world).await;
        ask(&cache, "read", read(&source, 1)).await
    },
    "finds an entry in the [level in process memory](crate::docs::two_levels)" => {
        let (cache, source) = an_entry(world).await;
        let kept = async || cache.scope(read_locally(&source, 1)).await;
        let kept = async || kept().await.is_ok() && cache.stats().total().local_hits > 0;
        eventually("an answer in memory", kept).await;
        ask(&cache, "read_locally", read_locally(&source, 1)).await
    },
    "finds one past its TTL, which is refreshed in the background" => {
        let (cache, source) = (world.patient_cache().await, Source::new());
        cache.scope(read_behind(&source)).await.unwrap();
        filled(&cache, 1).await;
        expired("answers:behind", [&cache]).await;
        ask(&cache, "read_behind", read_behind(&source)).await
    },
    "finds one past its TTL, and its own load of it fails" => {
        let (cache, source) = past_its_ttl(world).await;
        source.fail(1);
        ask(&cache, "read_if_error", read_if_error(&source)).await
    },
    "finds one past its TTL, and waits for its own load of it" => {
        let (cache, source) = past_its_ttl(world).await;
        ask(&cache, "read_if_error", read_if_error(&source)).await
    },
    "waits for another caller's load, and shares its value" => {
        let cache = world.patient_cache().await;
        let held = a_load(&cache).await;
        ask_beside(&cache, &held).await
    },
    "waits for another caller's load, and shares its error" => {
        let cache = world.patient_cache().await;
        let held = Source::held();
        held.fail(1);
        load(&cache, &held).await;
        ask_beside(&cache, &held).await
    },
    "waits for another caller's load longer than its `timeout`" => {
        let cache = world.patient_cache().await;
        let held = a_load(&cache).await;
        let asked = ask(&cache, "read_in_time", read_in_time(&held, 1)).await;
        held.release();
        asked
    },
    "waits for another caller's load longer than the wait budget, and loads alone" => {
        let builder = world.patient().wait_budget(Duration::from_millis(20));
        let cache = builder.build().await.unwrap();
        let held = a_load(&cache).await;
        let asked = ask(&cache, "read", read(&Source::new(), 1)).await;
        held.release();
        asked
    },
    "loads, and the result is stored" => {
        let cache = world.patient_cache().await;
        ask(&cache, "read", read(&Source::new(), 1)).await
    },
    "loads, and the result is not to be stored" => {
        let cache = world.patient_cache().await;
        ask(&cache, "read_unkept", read_unkept(&Source::new())).await
    },
    "loads, and the function returns an `Err`" => {
        let (cache, source) = (world.patient_cache().await, Source::new());
        source.fail(1);
        ask(&cache, "read", read(&source, 1)).await
    },
    "loads, and an invalidation overtakes it" => {
        let (cache, source) = (world.patient_cache().await, Source::held());
        let overtake = async {
            source.begun(1).await;
            cache.invalidate("answers:1").await.unwrap();
            source.release();
        };
        tokio::join!(ask(&cache, "read", read(&source, 1)), overtake).0
    },
    "loads for longer than its `timeout`" => {
        let (cache, source) = (world.patient_cache().await, Source::held());
        ask(&cache, "read_in_time", read_in_time(&source, 1)).await
    },
    "is `.refreshed()`" => {
        let (cache, source) = an_entry(world).await;
        ask(&cache, "read", read(&source, 1).refreshed()).await
    },
    "finds the store away" => {
        let faults = Faults::seeded(1);
        let cache = world.patient().faults(faults.clone()).build().await.unwrap();
        faults.outage(true);
        ask(&cache, "read", read(&Source::new(), 1)).await
    },
    "is refused by the server" => {
        let cache = world.patient_cache().await;
        world.server()?.run::<()>(&["RPUSH", "it:answers:1", "of somebody else"]);
        ask(&cache, "read", read(&Source::new(), 1)).await
    },
    "is made inside an open `after_commit`" => {
        let cache = world.patient_cache().await;
        let after = cache.after_commit();
        after.scope(ask(&cache, "read", read(&Source::new(), 1))).await
    },
    "has an entry, in `Mode::Shadow`" => {
        let (cache, source) = an_entry(world).await;
        cache.set_mode("answers::read", Mode::Shadow).unwrap();
        ask(&cache, "read", read(&source, 1)).await
    },
    "is not to ask the cache: `.uncached()`, `Mode::Off`, a `condition`" => {
        let (cache, source) = an_entry(world).await;
        ask(&cache, "read", read(&source, 1).uncached()).await
    },
    "has no key, no TTL or no version" => {
        let cache = world.patient_cache().await;
        ask(&cache, "read_unnamed", read_unnamed(&Source::new(), Unwritable)).await
    },
}

async fn an_entry(world: &World) -> (Cache, Source) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    cache.scope(read_before(&source, 1)).await.unwrap();
    filled(&cache, 1).await;
    (cache, source)
}

async fn past_its_ttl(world: &World) -> (Cache, Source) {
    let (cache, source) = (world.patient_cache().await, Source::new());
    cache.scope(read_if_error(&source)).await.unwrap();
    filled(&cache, 1).await;
    expired("answers:if-error", [&cache]).await;
    (cache, source)
}

/// Somebody who loads, and is held at it.
async fn a_load(cache: &Cache) -> Source {
    let held = Source::held();
    load(cache, &held).await;
    held
}

async fn load(cache: &Cache, source: &Source) {
    let loading = source.clone();
    cache.spawn(async move { read_before(&loading, 1).await });
    source.begun(1).await;
}

/// A call that waits for the load that is held.
async fn ask_beside(cache: &Cache, held: &Source) -> Asked {
    let release = async {
        waiting(cache, 1).await;
        held.release();
    };
    tokio::join!(ask(cache, "read", read(held, 1)), release).0
}

/// The cells of each row: the call, its status, whether there is a key, and its counters.
fn table() -> Vec<[String; 4]> {
    let section = PAGE.split(HEADING).nth(1).expect("the page has it");
    let section = section.split("\n#").next().expect("there is a first part");
    let rows = section.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = |row: &str| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        <[&str; 4]>::try_from(cells)
            .expect("four cells")
            .map(str::to_owned)
    };
    rows.map(cells).collect()
}

async fn the_status_of_a_call_and_its_counters_are_those_of_the_table(world: World) {
    let table = table();
    let described: Vec<_> = table.iter().map(|[call, ..]| call.as_str()).collect();
    assert_eq!(described, ROWS);
    for [call, status, key, counters] in &table {
        // A store of its own for each.
        let world = match world.server() {
            Some(_) => World::on_redis(),
            None => World::in_memory(),
        };
        let Some(asked) = ask_as(call, &world).await else {
            continue;
        };
        let mut expected: Vec<_> = counters
            .split(", ")
            .map(|name| name.trim_matches('`'))
            .collect();
        expected.retain(|name| *name != "none");
        expected.sort_unstable();
        let all = async || {
            expected
                .iter()
                .all(|name| asked.counted().iter().any(|it| it == name))
        };
        eventually(call, all).await;
        assert_eq!(asked.counted(), expected, "a call that {call}");
        let (info, key) = (&asked.info, key == "yes");
        assert_eq!(
            format!("`{:?}`", info.status()),
            *status,
            "a call that {call}"
        );
        assert_eq!(info.key().is_some(), key, "a call that {call}: {info:?}");
    }
}
