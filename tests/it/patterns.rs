//! Patterns: `user:42:*` is every key that begins so, and what an exact invalidation promises holds for
//! each of them.

use std::pin::pin;
use std::time::Duration;

use cached_redis::{
    Cache, CachedExt as _, Error, Invalidation, Key, Policy, Status, invalidates, redis_cached,
};
use tokio::task::JoinHandle;
use tracing::Level;

use crate::support::{
    Log, RedisServer, Rows, Source, World, eventually, filled, hit_again, in_time, on_both_stores,
    on_redis, poll_once,
};

on_both_stores!(
    readers_and_patterns_side_by_side_leave_no_read_stale,
    a_pattern_whose_caller_was_dropped_after_one_poll_is_removed,
    what_a_pattern_has_from_a_value_matches_only_itself,
    only_a_star_is_a_wildcard,
    a_pattern_that_matches_everything_is_refused,
    a_pattern_without_a_star_is_a_key,
    a_pattern_speaks_of_the_end_of_keys_that_were_cut,
    a_writer_invalidates_keys_and_patterns,
    a_pattern_of_the_result_is_invalidated_on_ok,
    a_pattern_does_not_open_the_key_of_a_guarded_write,
    the_keys_that_a_pattern_removed_are_counted,
    clear_removes_the_entries_of_one_function_and_no_others,
    clear_takes_a_name_that_is_known_and_means_one_function,
);
on_redis!(
    ten_thousand_keys_are_removed_in_bounded_batches_while_others_are_served,
    keys_that_are_far_apart_are_removed_by_few_commands,
    exact_targets_beside_a_pattern_are_one_unlink_in_each_pass,
    keys_of_the_cache_itself_match_no_pattern,
    a_load_that_lost_its_lease_is_not_joined_after_a_pattern,
    a_pattern_is_kept_as_such_until_it_is_replayed,
    a_pattern_that_was_removed_half_way_is_deferred,
    more_patterns_than_can_be_kept_are_the_whole_namespace,
    by_default_a_pattern_is_repeated_on_a_server_that_came_back_with_what_it_had_removed,
);

const POLICY: Policy = Policy::new().ttl(Duration::from_secs(600));

#[redis_cached(ttl = 60, key = "pattern:<user>:<part>", skip(source))]
async fn read(source: &Source, user: u64, part: &str) -> u64 {
    source.load().await
}

#[invalidates("pattern:<user>:*")]
async fn write(source: &Source, user: u64) {
    source.write();
}

/// Commits, and then has something else to do.
#[invalidates("pattern:<user>:*")]
async fn write_and_wait(source: &Source, user: u64) {
    source.write();
    source.wait_open().await;
}

// In one slot of a cluster: so a sweep has one to bar, of which there are many here.
#[redis_cached(ttl = 60, key = "{all}:<id>:row", skip(rows))]
async fn row(rows: &Rows, id: usize) -> u64 {
    rows.load(id).await
}

/// What `clear` finds in the registry.
mod cleared {
    use cached_redis::redis_cached;

    #[redis_cached(ttl = 60, key = "cleared:<id>")]
    pub(super) async fn one_user(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60, key = "cleared:<id>:items")]
    pub(super) async fn items(id: u64) -> u64 {
        id
    }

    #[redis_cached(ttl = 60)]
    pub(super) async fn named_by_default(name: &str, at: Option<u64>) -> u64 {
        name.len() as u64 + at.unwrap_or(0)
    }

    #[redis_cached(ttl = 60, key = "cleared")]
    pub(super) async fn only_one() -> u64 {
        1
    }

    #[redis_cached(ttl = 60, key = "cleared:generic:<T>:<N>:*", skip(of))]
    pub(super) async fn generic<T: cached_redis::KeyName, const N: u64>(of: T) -> u64 {
        drop(of);
        N
    }

    pub(super) mod other {
        use cached_redis::redis_cached;

        #[redis_cached(ttl = 60, key = "cleared:other:<id>")]
        pub(in super::super) async fn items(id: u64) -> u64 {
            id
        }
    }
}

fn reader(cache: &Cache, source: &Source) -> JoinHandle<u64> {
    let source = source.clone();
    cache.spawn(async move { read(&source, 1, "a").await })
}

async fn put(cache: &Cache, keys: &[&str]) {
    for key in keys {
        assert!(cache.put(&POLICY, key, &1_u64).await.unwrap(), "{key}");
    }
}

/// Which of `keys` stand.
async fn left<'a>(cache: &Cache, keys: &[&'a str]) -> Vec<&'a str> {
    let mut left = Vec::new();
    for key in keys {
        if cache.get::<u64>(key).await.unwrap().is_some() {
            left.push(*key);
        }
    }
    left
}

async fn matching(cache: &Cache, pattern: impl AsRef<str>) {
    let done = cache.invalidation().matching(pattern).send().await.unwrap();
    assert_eq!(done, Invalidation::Done);
}

async fn readers_and_patterns_side_by_side_leave_no_read_stale(world: World) {
    let [here, there] = [world.cache().await, world.cache().await];
    let rows = Rows::new(20);
    let read = |rows, id| async move { row(&rows, id).await };
    let readers = [&here, &there].map(|cache| rows.readers(cache, 3, read));
    for round in 0..100 {
        let versions: Vec<_> = rows.ids().map(|id| rows.write(id)).collect();
        let cache = if round % 2 == 0 { &here } else { &there };
        matching(cache, ["{all}:*", "{all}:*:row"][round % 2]).await;
        for (id, version) in rows.ids().zip(versions) {
            rows.acknowledge(id, version);
        }
        if round % 20 == 0 {
            hit_again(&here).await;
        }
    }
    for readers in readers {
        readers.stop().await;
    }
}

async fn a_pattern_whose_caller_was_dropped_after_one_poll_is_removed(world: World) {
    let cache = world.cache().await;
    let source = Source::held();
    for by_hand in [true, false] {
        put(&cache, &["pattern:1:a", "pattern:1:b"]).await;
        if by_hand {
            let _ = poll_once(pin!(cache.invalidation().matching("pattern:1:*").send()).as_mut());
        } else {
            let mut writer = pin!(cache.scope(write_and_wait(&source, 1)));
            assert!(poll_once(writer.as_mut()).is_pending());
        }
        cache.flush().await.unwrap();
        let left = left(&cache, &["pattern:1:a", "pattern:1:b"]).await;
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(cache.stats().total().lost_invalidations, 0);
}

async fn what_a_pattern_has_from_a_value_matches_only_itself(world: World) {
    let cache = world.cache().await;
    let values = [
        "", "*", "**", "?", "a", "aa", "[a]", "[^b]", "[a-z]", "\\", "\\*", "\\a", "{a}", "<a>",
        "a*", "%", "%2A", "#", "^", "a:b", " ", "\n", "ü",
    ];
    let key = |value: &str| Key::new("{patterns}:").value(value).text(":x");
    for (index, value) in values.iter().enumerate() {
        for value in values {
            cache.put(&POLICY, key(value), &1_u64).await.unwrap();
        }
        matching(&cache, Key::new("{patterns}:").value(value).text(":*")).await;
        for (other, value) in values.iter().enumerate() {
            let stands = cache.get::<u64>(key(value)).await.unwrap().is_some();
            assert_eq!(stands, other != index, "{value:?} by {:?}", values[index]);
        }
    }
}

async fn only_a_star_is_a_wildcard(world: World) {
    let cache = world.cache().await;
    let keys = [
        "g:a", "g:b", "g:?", "g:[ab]", "g:\\a", "g:a:b", "g:", "g", "xg:a", "g:{a}",
    ];
    for (pattern, others) in [
        ("g:?*", &["g:?"][..]),
        ("g:[ab]*", &["g:[ab]"]),
        ("g:\\a*", &["g:\\a"]),
        ("g:{*}", &["g:{a}"]),
        ("*:b", &["g:b", "g:a:b"]),
        ("g:*:*", &["g:a:b"]),
        ("*g:a", &["g:a", "xg:a"]),
        ("*x*:*", &["xg:a"]),
        ("G:*", &[]),
    ] {
        put(&cache, &keys).await;
        matching(&cache, pattern).await;
        let stay: Vec<_> = keys.iter().filter(|key| !others.contains(key)).collect();
        let left = left(&cache, &keys).await;
        assert_eq!(left.iter().collect::<Vec<_>>(), stay, "{pattern}");
    }
}

async fn a_pattern_that_matches_everything_is_refused(world: World) {
    let cache = world.cache().await;
    put(&cache, &["a"]).await;
    for pattern in ["*", "**"] {
        let error = cache
            .invalidation()
            .matching(pattern)
            .send()
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Setting { .. }), "{error}");
    }
    assert_eq!(left(&cache, &["a"]).await, ["a"]);
}

async fn a_pattern_without_a_star_is_a_key(world: World) {
    let cache = world.cache().await;
    put(&cache, &["exact", "exact:1", "#exact"]).await;
    matching(&cache, "exact").await;
    assert_eq!(left(&cache, &["exact", "exact:1"]).await, ["exact:1"]);
    // Also one that begins like the cache's own keys, and is none.
    assert_eq!(left(&cache, &["#exact"]).await, ["#exact"]);
    matching(&cache, "#exact").await;
    assert!(left(&cache, &["#exact"]).await.is_empty());
}

async fn a_pattern_speaks_of_the_end_of_keys_that_were_cut(world: World) {
    let cache = world.cache().await;
    let long = format!("cut:{}", "x".repeat(600));
    let items = format!("{long}:items");
    put(&cache, &[&long, &items, "cut:short", "cut:short:items"]).await;
    matching(&cache, "cut:*:items").await;
    assert!(left(&cache, &[&items]).await.is_empty());
    assert_eq!(left(&cache, &["cut:short:items"]).await, [""; 0]);
    assert_eq!(left(&cache, &["cut:short"]).await, ["cut:short"]);
}

async fn a_writer_invalidates_keys_and_patterns(world: World) {
    #[invalidates("w:<id>", "w:<id>:*", "all", "*:of:<name>")]
    async fn change(id: u64, name: &str) {
        let _ = (id, name);
    }
    let cache = world.cache().await;
    let gone = ["w:1", "w:1:a", "w:1:a:b", "all", "x:of:%2A"];
    let stay = ["w:2", "w:12:a", "all:1", "x:of:y"];
    put(&cache, &gone).await;
    put(&cache, &stay).await;
    cache.scope(change(1, "*")).await;
    assert!(left(&cache, &gone).await.is_empty());
    assert_eq!(left(&cache, &stay).await, stay);
}

async fn a_pattern_of_the_result_is_invalidated_on_ok(world: World) {
    #[invalidates("r:<result>:*", "r:<team>:<result>:*", when = "ok")]
    async fn create(team: String, ok: bool) -> Result<String, ()> {
        drop(team);
        ok.then(|| "*".to_owned()).ok_or(())
    }
    let cache = world.cache().await;
    let keys = ["r:%2A:a", "r:t:%2A:a", "r:a:a"];
    put(&cache, &keys).await;
    cache
        .scope(create("t".to_owned(), false))
        .await
        .unwrap_err();
    assert_eq!(left(&cache, &keys).await, keys);
    cache.scope(create("t".to_owned(), true)).await.unwrap();
    assert_eq!(left(&cache, &keys).await, ["r:a:a"]);
}

async fn a_pattern_does_not_open_the_key_of_a_guarded_write(world: World) {
    let cache = world.builder().guarded(true).build().await.unwrap();
    let source = Source::new();
    let writing = cache.begin_write(["pattern:1:a"]).await.unwrap();
    put(&cache, &["pattern:1:b"]).await;
    cache.scope(write(&source, 1)).await;
    assert!(left(&cache, &["pattern:1:b"]).await.is_empty());
    for _ in 0..2 {
        let (_, info) = cache.scope(read(&source, 1, "a").with_info()).await;
        assert_eq!(info.status(), Status::Bypass);
    }
    writing.finish().await.unwrap();
    let (_, info) = cache.scope(read(&source, 1, "a").with_info()).await;
    assert_eq!(info.status(), Status::Miss);
}

async fn the_keys_that_a_pattern_removed_are_counted(world: World) {
    let cache = world.cache().await;
    put(&cache, &["pattern:1:a", "pattern:1:b", "pattern:2:a"]).await;
    cache.scope(write(&Source::new(), 1)).await;
    let stats = cache.stats();
    let writer = stats.function("patterns::write").unwrap();
    assert_eq!(writer.invalidations, 2);
    assert!(stats.pending_invalidations().is_empty());
}

async fn clear_removes_the_entries_of_one_function_and_no_others(world: World) {
    let cache = world.cache().await;
    let standing = async || {
        let calls = async {
            [
                cleared::one_user(1).with_info().await.1.status(),
                cleared::one_user(2).with_info().await.1.status(),
                cleared::items(1).with_info().await.1.status(),
                cleared::other::items(1).with_info().await.1.status(),
                cleared::named_by_default("a:*", None)
                    .with_info()
                    .await
                    .1
                    .status(),
                cleared::named_by_default("", Some(1))
                    .with_info()
                    .await
                    .1
                    .status(),
                cleared::only_one().with_info().await.1.status(),
                cleared::generic::<u64, 7>(7).with_info().await.1.status(),
            ]
        };
        let fills = cache.stats().total().fills;
        let hits = cache.scope(calls).await.map(|status| status == Status::Hit);
        let misses = hits.iter().filter(|hit| !**hit).count();
        filled(&cache, fills + misses as u64).await;
        hits
    };
    standing().await;
    assert_eq!(standing().await, [true; 8]);
    for (name, cleared) in [
        ("one_user", &[0, 1][..]),
        ("patterns::cleared::items", &[2]),
        ("it::patterns::cleared::other::items", &[3]),
        ("named_by_default", &[4, 5]),
        ("only_one", &[6]),
        ("cleared::generic", &[7]),
    ] {
        assert_eq!(cache.clear(name).await.unwrap(), Invalidation::Done);
        let standing = standing().await;
        for (call, stands) in standing.iter().enumerate() {
            assert_eq!(*stands, !cleared.contains(&call), "{call} after {name}");
        }
    }
}

async fn clear_takes_a_name_that_is_known_and_means_one_function(world: World) {
    let cache = world.cache().await;
    for unknown in ["nobody", "ne_user", "leared::items", ""] {
        let error = cache.clear(unknown).await.unwrap_err();
        assert!(matches!(error, Error::UnknownFunction { .. }), "{error}");
    }
    match cache.clear("items").await.unwrap_err() {
        Error::AmbiguousFunction { candidates, .. } => assert_eq!(
            candidates,
            [
                "it::patterns::cleared::items",
                "it::patterns::cleared::other::items"
            ]
        ),
        error => panic!("{error}"),
    }
}

/// Plants so many keys that begin with `it:` and `prefix`.
fn plant(server: &RedisServer, prefix: &str, count: usize) {
    let plant = "for i = 1, ARGV[1] do redis.call('SET', KEYS[1] .. i, 'x') end";
    let key = format!("it:{prefix}");
    server.run::<()>(&["EVAL", plant, "1", &key, &count.to_string()]);
}

/// How many arguments each `UNLINK` had of those that the server remembers.
fn unlinked(server: &RedisServer) -> Vec<usize> {
    let log: Vec<(u64, u64, u64, Vec<String>, String, String)> =
        server.run(&["SLOWLOG", "GET", "-1"]);
    let unlinks = log.into_iter().filter(|entry| entry.3[0] == "UNLINK");
    // A long command ends in "... (470 more arguments)".
    let keys = |words: Vec<String>| {
        let more = words.last()?.strip_prefix("... (")?.split(' ').next()?;
        Some(words.len() - 2 + more.parse::<usize>().ok()?)
    };
    unlinks
        .map(|entry| {
            let shown = entry.3.len() - 1;
            keys(entry.3).unwrap_or(shown)
        })
        .collect()
}

async fn ten_thousand_keys_are_removed_in_bounded_batches_while_others_are_served(world: World) {
    let cache = world.cache().await;
    let server = world.server().unwrap();
    plant(server, "user:42:", 10_000);
    plant(server, "user:421:", 1000);
    server.run::<()>(&["CONFIG", "SET", "slowlog-max-len", "100000"]);
    server.run::<()>(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    server.reset_commands();
    let sweep = tokio::spawn({
        let cache = cache.clone();
        async move {
            cache
                .invalidation()
                .matching("user:42:*")
                .send()
                .await
                .unwrap()
        }
    });
    let mut other = server.connect();
    while !sweep.is_finished() {
        let answer: String = redis::cmd("PING").query(&mut other).unwrap();
        assert_eq!(answer, "PONG");
    }
    assert_eq!(sweep.await.unwrap(), Invalidation::Done);

    let commands = server.commands();
    let ran = |name: &str| commands.get(name).copied().unwrap_or(0);
    // Each step looks at 500 of 11,000, or a few more, and then of the 1000 that are left.
    assert!((13..=48).contains(&ran("scan")), "{commands:?}");
    assert_eq!(ran("unlink"), 20, "{commands:?}");
    assert_eq!(ran("keys"), 0, "{commands:?}");
    let batches = unlinked(server);
    assert_eq!(batches, [500; 20]);
    assert_eq!(server.run::<usize>(&["DBSIZE"]), 1000, "the others stay");
    assert_eq!(cache.stats().total().invalidations, 10_000);
}

async fn keys_that_are_far_apart_are_removed_by_few_commands(world: World) {
    let cache = world.cache().await;
    let server = world.server().unwrap();
    plant(server, "far:", 10_000);
    plant(server, "near:", 100);
    server.reset_commands();
    matching(&cache, "near:*").await;
    assert_eq!(server.commands()["unlink"], 1);
    assert_eq!(server.run::<usize>(&["DBSIZE"]), 10_000);
}

async fn exact_targets_beside_a_pattern_are_one_unlink_in_each_pass(world: World) {
    #[invalidates("e:1", "e:2", "e:x:*", "e:3")]
    async fn change() {}
    let cache = world.cache().await;
    let server = world.server().unwrap();
    server.reset_commands();
    cache.scope(change()).await;
    let commands = server.commands();
    let sent = ["scan", "unlink"].map(|name| commands[name]);
    assert_eq!(sent, [2, 2], "{commands:?}");
}

async fn keys_of_the_cache_itself_match_no_pattern(world: World) {
    let cache = world.cache().await;
    let server = world.server().unwrap();
    let own = ["#epoch", "#tag:a", "#fn:a", "#refresh:a", "#lock:a"];
    for key in own {
        server.plant(&format!("it:{key}"), b"1");
    }
    server.plant("it:tag:a", b"1");
    for pattern in ["*a", "#*", "*epoch", "*:*", "**a"] {
        matching(&cache, pattern).await;
    }
    assert_eq!(server.bytes("it:tag:a"), None);
    for key in own {
        assert!(server.bytes(&format!("it:{key}")).is_some(), "{key}");
    }
    // What is given by hand or by a value is never one of them.
    cache.invalidate("#epoch").await.unwrap();
    assert!(server.bytes("it:#epoch").is_some());
}

async fn a_load_that_lost_its_lease_is_not_joined_after_a_pattern(world: World) {
    let patient = world.patient().wait_budget(Duration::from_secs(600));
    let cache = patient.build().await.unwrap();
    let source = Source::held();
    let overtaken = reader(&cache, &source);
    source.begun(1).await;
    // Evicted, say.
    world
        .server()
        .unwrap()
        .run::<()>(&["DEL", "it:pattern:1:a"]);
    cache.scope(write(&source, 1)).await;
    let late = reader(&cache, &source);
    in_time(source.begun(2)).await;
    source.release();
    assert_eq!((overtaken.await.unwrap(), late.await.unwrap()), (1, 2));
}

/// Lets the server do everything but remove keys at our wish.
fn refuse(server: &RedisServer) {
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
}

fn allow(server: &RedisServer) {
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
}

async fn replayed(cache: &Cache) {
    let empty = async || cache.stats().pending_invalidations().is_empty();
    eventually("the replay", empty).await;
}

async fn status(cache: &Cache, source: &Source, user: u64, part: &str) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, user, part).with_info()).await;
    (value, info.status())
}

async fn a_pattern_is_kept_as_such_until_it_is_replayed(mut world: World) {
    let here = world.patient().build().await.unwrap();
    let source = Source::new();
    for user in [1, 2] {
        here.scope(read(&source, user, "a")).await;
    }
    filled(&here, 2).await;
    // It comes back with all that it holds now.
    world.redis().run::<()>(&["SAVE"]);
    world.redis().kill();
    in_time(here.scope(write(&source, 1))).await;
    let again = here
        .invalidation()
        .matching("pattern:1:*")
        .send()
        .await
        .unwrap();
    assert_eq!(again, Invalidation::Deferred);
    let pending = here.stats().pending_invalidations();
    assert_eq!(
        (pending.keys, pending.patterns, pending.namespace),
        (0, 1, false)
    );
    assert_eq!(pending.to_string(), "0 keys, 1 pattern");
    for part in ["a", "b"] {
        assert_eq!(status(&here, &source, 1, part).await, (2, Status::Bypass));
    }
    world.redis().restart();
    replayed(&here).await;
    let there = world.cache().await;
    assert_eq!(status(&there, &source, 1, "a").await, (2, Status::Miss));
    assert_eq!(status(&there, &source, 2, "a").await, (1, Status::Hit));
    let total = here.stats().total();
    assert_eq!(total.deferred_invalidations, 2);
    assert_eq!(
        (total.replayed_invalidations, total.lost_invalidations),
        (1, 0)
    );
}

async fn a_pattern_that_was_removed_half_way_is_deferred(world: World) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    for (user, part) in [(1, "a"), (1, "b"), (2, "a")] {
        cache.scope(read(&source, user, part)).await;
    }
    filled(&cache, 3).await;
    let server = world.server().unwrap();
    refuse(server);
    cache.scope(write(&source, 1)).await;
    // The keys that match are bypassed, those that do not are served.
    assert_eq!(status(&cache, &source, 1, "b").await, (2, Status::Bypass));
    assert_eq!(cache.get::<u64>("pattern:1:a").await.unwrap(), None);
    assert!(!cache.put(&POLICY, "pattern:1:c", &7_u64).await.unwrap());
    assert_eq!(status(&cache, &source, 2, "a").await, (1, Status::Hit));
    allow(server);
    // One that succeeds settles the one that was deferred.
    matching(&cache, "pattern:1:*").await;
    assert!(cache.stats().pending_invalidations().is_empty());
    assert_eq!(server.bytes("it:pattern:1:a"), None);
    assert_eq!(status(&cache, &source, 1, "a").await, (2, Status::Miss));
}

async fn more_patterns_than_can_be_kept_are_the_whole_namespace(world: World) {
    let cache = world.patient().build().await.unwrap();
    put(&cache, &["pattern:50:a", "other"]).await;
    let server = world.server().unwrap();
    server.plant("it:#epoch", b"1");
    refuse(server);
    for user in 0..100 {
        let pattern = format!("pattern:{user}:*a");
        // Of most of them there is no key to remove: one that needs none is done.
        put(&cache, &[&format!("pattern:{user}:a")]).await;
        let deferred = cache.invalidation().matching(pattern).send().await.unwrap();
        assert_eq!(deferred, Invalidation::Deferred);
        if cache.stats().pending_invalidations().namespace {
            break;
        }
    }
    assert!(cache.stats().pending_invalidations().namespace);
    assert_eq!(cache.get::<u64>("other").await.unwrap(), None, "bypassed");
    allow(server);
    replayed(&cache).await;
    assert_eq!(server.run::<Vec<String>>(&["KEYS", "*"]), ["it:#epoch"]);
}

async fn by_default_a_pattern_is_repeated_on_a_server_that_came_back_with_what_it_had_removed(
    mut world: World,
) {
    let cache = world.patient().build().await.unwrap();
    let source = Source::new();
    for user in [1, 2] {
        cache.scope(read(&source, user, "a")).await;
    }
    filled(&cache, 2).await;
    world.redis().run::<()>(&["SAVE"]);
    cache.scope(write(&source, 1)).await;
    assert_eq!(cache.stats().total().invalidations, 1);
    world.redis().kill();
    world.redis().restart();
    let repeated = async || cache.stats().total().repeated_invalidations == 1;
    eventually("the repetition", repeated).await;
    assert_eq!(status(&cache, &source, 1, "a").await, (2, Status::Miss));
    assert_eq!(status(&cache, &source, 2, "a").await, (1, Status::Hit));
}

#[tokio::test]
async fn a_sweep_tells_how_many_keys_it_removed_and_never_which() {
    let (log, _guard) = Log::collect();
    let cache = World::in_memory().cache().await;
    put(&cache, &["secret:1:a", "secret:1:b"]).await;
    matching(&cache, "secret:1:*").await;
    assert_eq!(log.count(Level::DEBUG, "batch of a sweep"), 1);
    assert_eq!(log.count(Level::DEBUG, "a sweep has ended"), 1);
    assert!(
        log.text().contains("Swept { keys: 2, done: true }"),
        "{}",
        log.text()
    );
    assert!(!log.text().contains("secret"), "{}", log.text());
}
