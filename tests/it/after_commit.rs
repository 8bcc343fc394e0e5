//! What is invalidated inside a transaction is sent when that has been committed, and never before; until
//! then this process bypasses those keys.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use cached_redis::{Cache, CachedExt as _, Error, Invalidation, Policy, Status};
use cached_redis::{after_commit, invalidates, redis_cached, write_through};

use crate::support::{
    Source, World, eventually, filled, in_time, on_both_stores, on_redis, poll_once,
};

on_both_stores!(
    nothing_is_sent_before_the_commit_and_everything_at_it,
    a_rollback_sends_nothing_and_the_key_is_served_again,
    from_its_collection_to_the_commit_a_key_is_bypassed_here_and_not_elsewhere,
    a_commit_polled_once_and_dropped_sends_everything,
    a_commit_that_may_have_been_done_sends_everything,
    of_scopes_inside_one_another_the_innermost_of_the_cache_collects,
    what_is_invalidated_in_another_cache_waits_for_the_same_commit,
    the_free_form_is_that_of_the_cache_in_scope,
    each_writer_is_counted_under_its_own_name,
    what_is_published_or_updated_under_a_lock_waits_too,
    a_key_that_two_transactions_change_is_bypassed_until_both_have_ended,
    what_is_loaded_inside_a_transaction_is_shared_with_nobody,
    a_writer_that_fails_panics_or_is_dropped_inside_a_scope_is_collected,
    a_scope_does_not_cross_spawn,
    a_guarded_write_inside_a_scope_bars_its_key_until_the_commit,
    a_guarded_write_inside_a_scope_that_is_rolled_back_opens_its_key,
    a_write_through_inside_a_scope_stores_nothing_and_invalidates_at_the_commit,
    a_replica_lag_inside_a_scope_counts_from_the_commit,
);
on_redis!(
    a_commit_is_one_command,
    until_a_commit_is_answered_its_keys_are_bypassed,
    a_commit_that_redis_does_not_confirm_is_deferred_and_replayed,
    a_commit_in_several_caches_that_redis_does_not_confirm_takes_one_deadline,
);

const HOUR: Duration = Duration::from_secs(3600);
const POLICY: Policy = Policy::new().ttl(HOUR);

#[redis_cached(ttl = 60, key = "commit:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

/// A statement inside a transaction: its change is seen by others when `Source::write` commits.
#[invalidates("commit:<id>")]
async fn change(id: u64) {
    let _ = id;
}

#[invalidates("commit:<id>", guard, cache = cache)]
async fn change_guarded(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("commit:<id>", guard, cache = cache)]
async fn change_guarded_and_wait(cache: &Cache, id: u64, gate: &Source) {
    let _ = id;
    gate.load().await;
}

#[invalidates("commit:<id>", replica_lag = HOUR, cache = cache)]
async fn change_with_lag(cache: &Cache, id: u64) {
    let _ = id;
}

#[invalidates("commit:<id>:*")]
async fn change_matching(id: u64) {
    let _ = id;
}

#[write_through(ttl = 60, key = "commit:<id>", tags = [])]
async fn change_through(id: u64, value: u64) -> u64 {
    let _ = id;
    value
}

#[invalidates("commit:<id>")]
async fn change_and(id: u64, gate: &Source, end: &str) -> Result<(), String> {
    let _ = id;
    gate.load().await;
    match end {
        "panic" => panic!("this writer was asked to panic"),
        _ => Err("as it was told".to_owned()),
    }
}

async fn process(world: &World) -> Cache {
    let builder = world.patient().guarded(true).hold(HOUR);
    builder.build().await.unwrap()
}

/// Two processes in which the first version of each key is cached.
async fn processes(world: &World, source: &Source, ids: u64) -> [Cache; 2] {
    let processes = [process(world).await, process(world).await];
    for id in 1..=ids {
        processes[0].scope(read(source, id)).await;
        filled(&processes[0], id).await;
    }
    processes
}

async fn status(cache: &Cache, source: &Source, id: u64) -> (u64, Status) {
    let (value, info) = cache.scope(read(source, id).with_info()).await;
    (value, info.status())
}

/// Reads until the store answers; every value on the way is the newest.
async fn assert_open(cache: &Cache, source: &Source, id: u64) {
    eventually("the key to be cached again", async || {
        let (value, status) = status(cache, source, id).await;
        assert_eq!(value, source.version());
        status == Status::Hit
    })
    .await;
}

async fn nothing_is_sent_before_the_commit_and_everything_at_it(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 5).await;
    let after = cache.after_commit();
    let transaction = async {
        change(1).await;
        change(1).await;
        let direct = cache.invalidate("commit:2").await.unwrap();
        assert_eq!(direct, Invalidation::Collected);
        cache
            .invalidation()
            .keys(["commit:3", "commit:1"])
            .send()
            .await
            .unwrap();
    };
    cache.scope(after.scope(transaction)).await;
    after.invalidate("commit:4");
    after.collect(cache.invalidation().key("commit:5")).unwrap();
    source.write();
    for id in 1..=5 {
        assert_eq!(status(&other, &source, id).await, (1, Status::Hit));
    }
    assert_eq!(cache.stats().total().invalidations, 0);

    assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    assert_eq!(cache.stats().total().invalidations, 5);
    for process in [&cache, &other] {
        for id in 1..=5 {
            assert_open(process, &source, id).await;
        }
    }
    let nothing = cache.after_commit();
    assert_eq!(nothing.commit().await.unwrap(), Invalidation::Done);
}

async fn a_rollback_sends_nothing_and_the_key_is_served_again(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let after = cache.after_commit();
    cache.scope(after.scope(change(1))).await;
    drop(after);
    for process in [&cache, &other] {
        assert_eq!(status(process, &source, 1).await, (1, Status::Hit));
    }
    assert_eq!(cache.stats().total().invalidations, 0);
}

async fn from_its_collection_to_the_commit_a_key_is_bypassed_here_and_not_elsewhere(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 2).await;
    let after = cache.after_commit();
    assert_eq!(status(&cache, &source, 1).await, (1, Status::Hit));
    cache.scope(after.scope(change(1))).await;
    source.write();
    for _ in 0..2 {
        assert_eq!(status(&cache, &source, 1).await, (2, Status::Bypass));
        assert_eq!(status(&cache, &source, 2).await, (1, Status::Hit));
        assert_eq!(status(&other, &source, 1).await, (1, Status::Hit));
        assert_eq!(cache.get::<u64>("commit:1").await.unwrap(), None);
        assert!(!cache.put(&POLICY, "commit:1", &7_u64).await.unwrap());
        cache.scope(read(&source, 1).refreshed()).await;
    }
    after.commit().await.unwrap();
    assert_open(&cache, &source, 1).await;
    assert_eq!(status(&other, &source, 1).await, (2, Status::Hit));
}

async fn a_commit_polled_once_and_dropped_sends_everything(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 2).await;
    let after = cache.after_commit();
    after
        .collect(cache.invalidation().keys(["commit:1", "commit:2"]))
        .unwrap();
    source.write();
    {
        let mut commit = pin!(after.commit());
        let _ = poll_once(commit.as_mut());
    }
    // Until it is answered, nothing old is served here either.
    assert_eq!(cache.scope(read(&source, 1)).await, 2);
    eventually("the invalidation", async || {
        other.scope(read(&source, 2)).await == 2
    })
    .await;
    for process in [&cache, &other] {
        assert_open(process, &source, 1).await;
    }
}

async fn a_commit_that_may_have_been_done_sends_everything(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    for end in ["ok", "err", "dropped", "panic"] {
        let after = cache.after_commit();
        cache.scope(after.scope(change(1))).await;
        let gate = Source::held();
        let task = tokio::spawn({
            let (source, gate) = (source.clone(), gate.clone());
            let commit = async move {
                source.write();
                gate.load().await;
                assert_ne!(end, "panic");
                (end == "ok").then_some(()).ok_or("the connection was lost")
            };
            after.commit_with(commit)
        });
        gate.begun(1).await;
        match end {
            "dropped" => task.abort(),
            _ => gate.release(),
        }
        let committed = in_time(task).await.ok();
        assert_eq!(committed.is_some(), matches!(end, "ok" | "err"));
        assert_eq!(committed.is_some_and(|end| end.is_ok()), end == "ok");
        eventually("the invalidation", async || {
            other.scope(read(&source, 1)).await == source.version()
        })
        .await;
        for process in [&cache, &other] {
            assert_open(process, &source, 1).await;
        }
    }
    // One that was never begun sends nothing.
    let after = cache.after_commit();
    after.invalidate("commit:1");
    drop(after.commit_with(async {}));
    assert_eq!(status(&other, &source, 1).await.1, Status::Hit);
}

async fn of_scopes_inside_one_another_the_innermost_of_the_cache_collects(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 4).await;
    let (outer, inner) = (cache.after_commit(), cache.after_commit());
    let elsewhere = other.after_commit();
    let transaction = outer.scope(async {
        change(1).await;
        inner.scope(change(2)).await;
        // One of another cache collects nothing of this one.
        elsewhere.scope(change(3)).await;
    });
    cache.scope(transaction).await;
    source.write();
    drop(elsewhere);
    drop(inner);
    assert_eq!(status(&cache, &source, 2).await, (1, Status::Hit));
    outer.commit().await.unwrap();
    for id in [1, 3] {
        assert_open(&other, &source, id).await;
    }
    assert_eq!(status(&other, &source, 2).await, (1, Status::Hit));
}

async fn what_is_invalidated_in_another_cache_waits_for_the_same_commit(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 3).await;
    for committed in [false, true] {
        let (outer, after) = (cache.after_commit(), cache.after_commit());
        let transaction = async {
            change(1).await;
            other.scope(change(2)).await;
            let direct = other.invalidate("commit:3").await.unwrap();
            assert_eq!(direct, Invalidation::Collected);
        };
        outer.scope(after.scope(cache.scope(transaction))).await;
        drop(outer);
        source.write();
        let before = source.version() - 1;
        // Each is bypassed where it would be invalidated.
        for (process, id) in [(&cache, 2), (&cache, 3), (&other, 1)] {
            assert_eq!(status(process, &source, id).await, (before, Status::Hit));
        }
        for (process, id) in [(&cache, 1), (&other, 2), (&other, 3)] {
            let found = status(process, &source, id).await;
            assert_eq!(found, (before + 1, Status::Bypass));
        }
        match committed {
            true => assert_eq!(after.commit().await.unwrap(), Invalidation::Done),
            false => drop(after),
        }
        for id in 1..=3 {
            if !committed {
                cache.scope(read(&source, id).refreshed()).await;
            }
            assert_open(&cache, &source, id).await;
        }
    }
    let [cache, other] = [cache, other].map(|cache| cache.stats().total().invalidations);
    assert_eq!((cache, other), (1, 2), "only at the commit");
}

async fn the_free_form_is_that_of_the_cache_in_scope(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let transaction = async {
        let after = after_commit();
        after.invalidate("commit:1");
        source.write();
        assert_eq!(read(&source, 1).await, 2);
        after
    };
    let after = cache.scope(transaction).await;
    assert_eq!(status(&other, &source, 1).await, (1, Status::Hit));
    assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    assert_open(&other, &source, 1).await;
    // Without a cache of its own it collects for those that are named.
    let after = after_commit();
    after.invalidate("commit:1");
    after.scope(change_with_lag(&cache, 1)).await;
    assert_eq!(status(&cache, &source, 1).await, (2, Status::Bypass));
    assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    assert_eq!(status(&other, &source, 1).await, (2, Status::Bypass));
}

async fn each_writer_is_counted_under_its_own_name(world: World) {
    let cache = process(&world).await;
    let after = cache.after_commit();
    let transaction = async {
        change(1).await;
        change(2).await;
        change_through(2, 7).await;
        change_through(3, 7).await;
        change_matching(4).await;
        cache.put(&POLICY, "commit:4:a", &1_u64).await.unwrap();
        cache
            .invalidation()
            .keys(["commit:5", "commit:1"])
            .send()
            .await
            .unwrap();
    };
    cache.scope(after.scope(transaction)).await;
    cache.put(&POLICY, "commit:4:a", &1_u64).await.unwrap();
    after.invalidate("commit:6");
    after.commit().await.unwrap();
    let stats = cache.stats();
    let of = |writer: &str| stats.function(writer).unwrap().invalidations;
    assert_eq!(of("after_commit::change"), 2);
    assert_eq!(
        of("change_through"),
        1,
        "of a key that nobody had collected"
    );
    assert_eq!(of("(direct)"), 2);
    assert_eq!(stats.total().invalidations, 5 + of("change_matching"));
}

async fn what_is_published_or_updated_under_a_lock_waits_too(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 2).await;
    let after = cache.after_commit();
    let transaction = async {
        let published = cache
            .invalidation()
            .key("commit:1")
            .publish()
            .send()
            .await
            .unwrap();
        assert_eq!(published, Invalidation::Collected);
        let update = cache.update_versioned("commit:2", async |_| Ok::<_, Error>(()));
        update.await.unwrap();
    };
    after.scope(transaction).await;
    source.write();
    for id in [1, 2] {
        assert_eq!(status(&other, &source, id).await, (1, Status::Hit));
    }
    after.commit().await.unwrap();
    for id in [1, 2] {
        assert_open(&other, &source, id).await;
    }
    let published = async || cache.stats().total().published_events == 1;
    eventually("one event for all", published).await;
}

async fn a_key_that_two_transactions_change_is_bypassed_until_both_have_ended(world: World) {
    let source = Source::new();
    let [cache, _] = processes(&world, &source, 1).await;
    let (first, second) = (cache.after_commit(), cache.after_commit());
    for _ in 0..2 {
        first.invalidate("commit:1");
    }
    second.invalidate("commit:1");
    source.write();
    drop(first);
    assert_eq!(status(&cache, &source, 1).await, (2, Status::Bypass));
    second.commit().await.unwrap();
    assert_open(&cache, &source, 1).await;
}

async fn what_is_loaded_inside_a_transaction_is_shared_with_nobody(world: World) {
    let committed = Source::new();
    let [cache, _] = processes(&world, &committed, 1).await;
    // What the transaction sees.
    let changed = Source::held();
    changed.write();
    let after = cache.after_commit();
    cache.scope(after.scope(change(1))).await;
    let inside = after.scope(cache.scope(read(&changed, 1)));
    let outside = async {
        changed.begun(1).await;
        for _ in 0..3 {
            let found = status(&cache, &committed, 1).await;
            assert_eq!(found, (1, Status::Bypass), "while the other one runs");
        }
        changed.release();
    };
    let (inside, ()) = in_time(async { tokio::join!(inside, outside) }).await;
    assert_eq!(inside, 2);
    drop(after);
    assert_eq!(status(&cache, &committed, 1).await, (1, Status::Hit));
}

async fn a_writer_that_fails_panics_or_is_dropped_inside_a_scope_is_collected(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    for end in ["err", "panic", "dropped"] {
        let gate = Source::held();
        let task = tokio::spawn({
            let (cache, gate) = (cache.clone(), gate.clone());
            async move {
                let after = cache.after_commit();
                let statement = after.scope(change_and(1, &gate, end));
                let statement = cache.scope(statement);
                if end == "dropped" {
                    let mut statement = pin!(statement);
                    assert!(poll_once(statement.as_mut()).is_pending());
                } else {
                    gate.release();
                    caught(statement).await;
                }
                after
            }
        });
        let after = in_time(task).await.unwrap();
        source.write();
        assert_eq!(status(&cache, &source, 1).await.1, Status::Bypass);
        assert_eq!(status(&other, &source, 1).await.1, Status::Hit);
        after.commit().await.unwrap();
        assert_open(&cache, &source, 1).await;
    }
}

/// Runs `future` until it ends or panics.
async fn caught<F: Future>(future: F) {
    let mut future = pin!(future);
    poll_fn(|context| {
        let poll = AssertUnwindSafe(|| future.as_mut().poll(context).map(drop));
        catch_unwind(poll).unwrap_or(Poll::Ready(()))
    })
    .await;
}

async fn a_scope_does_not_cross_spawn(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let after = cache.after_commit();
    let transaction = async {
        source.write();
        cache.spawn(change(1)).await.unwrap();
    };
    after.scope(cache.scope(transaction)).await;
    assert_open(&other, &source, 1).await;
}

async fn a_guarded_write_inside_a_scope_bars_its_key_until_the_commit(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let after = cache.after_commit();
    after.scope(change_guarded(&cache, 1)).await;
    for process in [&cache, &other] {
        assert_eq!(status(process, &source, 1).await, (1, Status::Bypass));
    }
    source.write();
    for process in [&cache, &other] {
        assert_eq!(status(process, &source, 1).await, (2, Status::Bypass));
    }
    assert_eq!(after.commit().await.unwrap(), Invalidation::Done);
    for process in [&cache, &other] {
        assert_open(process, &source, 1).await;
    }
    let stats = cache.stats().total();
    assert_eq!((stats.unguarded_writes, stats.invalidations), (0, 1));
}

async fn a_guarded_write_inside_a_scope_that_is_rolled_back_opens_its_key(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    for dropped in [false, true] {
        let (after, gate) = (cache.after_commit(), Source::held());
        let statement = after.scope(change_guarded_and_wait(&cache, 1, &gate));
        let meanwhile = async {
            gate.begun(1).await;
            if !dropped {
                gate.release();
                std::future::pending::<()>().await;
            }
        };
        let ended = async {
            tokio::select! {
                () = statement => false,
                () = meanwhile => true,
            }
        };
        assert_eq!(in_time(ended).await, dropped);
        // Nobody knows yet what becomes of the transaction.
        assert_eq!(status(&other, &source, 1).await.1, Status::Bypass);
        drop(after);
        for process in [&cache, &other] {
            assert_open(process, &source, 1).await;
        }
    }
}

async fn a_write_through_inside_a_scope_stores_nothing_and_invalidates_at_the_commit(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 2).await;
    let after = cache.after_commit();
    let transaction = async {
        change_through(1, 7).await;
        let by_hand = cache.entry("commit:2").policy(&POLICY);
        let written = by_hand.put_through(async || Ok::<u64, ()>(7)).await;
        assert_eq!(written, Ok(7));
    };
    cache.scope(after.scope(transaction)).await;
    for id in [1, 2] {
        assert_eq!(status(&other, &source, id).await, (1, Status::Hit));
        assert_eq!(status(&cache, &source, id).await, (1, Status::Bypass));
    }
    source.write();
    after.commit().await.unwrap();
    for id in [1, 2] {
        assert_open(&other, &source, id).await;
    }
}

async fn a_replica_lag_inside_a_scope_counts_from_the_commit(world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let after = cache.after_commit();
    after.scope(change_with_lag(&cache, 1)).await;
    assert_eq!(status(&other, &source, 1).await, (1, Status::Hit));
    after.commit().await.unwrap();
    for _ in 0..2 {
        assert_eq!(status(&other, &source, 1).await, (1, Status::Bypass));
    }
}

async fn a_commit_is_one_command(mut world: World) {
    let cache = world.cache().await;
    let server = world.redis();
    server.reset_commands();
    let after = cache.after_commit();
    for id in 1..=9 {
        cache.scope(after.scope(change(id))).await;
    }
    assert!(server.commands().is_empty());
    after.commit().await.unwrap();
    let commands: Vec<_> = server.commands().into_iter().collect();
    assert_eq!(commands, [("unlink".to_owned(), 1)]);
}

async fn until_a_commit_is_answered_its_keys_are_bypassed(mut world: World) {
    let source = Source::new();
    let [cache, other] = processes(&world, &source, 1).await;
    let after = cache.after_commit();
    after.invalidate("commit:1");
    source.write();
    world.redis().freeze();
    let mut commit = pin!(after.commit());
    assert!(poll_once(commit.as_mut()).is_pending());
    let found = in_time(status(&cache, &source, 1)).await;
    assert_eq!(found, (2, Status::Bypass));
    assert_eq!(cache.stats().total().errors, 0, "nobody asked the server");
    world.redis().thaw();
    assert_eq!(in_time(commit).await.unwrap(), Invalidation::Done);
    for process in [&cache, &other] {
        assert_open(process, &source, 1).await;
    }
}

async fn a_commit_that_redis_does_not_confirm_is_deferred_and_replayed(world: World) {
    let source = Source::new();
    let [cache, other] = [world.cache().await, world.cache().await];
    cache.scope(read(&source, 1)).await;
    filled(&cache, 1).await;
    let server = world.server().unwrap();
    server.run::<()>(&["ACL", "SETUSER", "default", "-unlink"]);
    let after = cache.after_commit();
    cache.scope(after.scope(change(1))).await;
    source.write();
    assert_eq!(after.commit().await.unwrap(), Invalidation::Deferred);
    // Released, and still bypassed: it is in the journal now.
    assert_eq!(status(&cache, &source, 1).await, (2, Status::Bypass));
    server.run::<()>(&["ACL", "SETUSER", "default", "+unlink"]);
    in_time(cache.flush()).await.unwrap();
    for process in [&cache, &other] {
        assert_open(process, &source, 1).await;
    }
}

async fn a_commit_in_several_caches_that_redis_does_not_confirm_takes_one_deadline(
    mut world: World,
) {
    let cache = async || {
        let deadline = Duration::from_millis(500);
        world.builder().deadline(deadline).build().await.unwrap()
    };
    let caches = [cache().await, cache().await, cache().await];
    let watch = cache().await;
    let after = caches[0].after_commit();
    let writes = async {
        for cache in &caches {
            cache.invalidate("commit:1").await.unwrap();
        }
    };
    after.scope(writes).await;
    world.redis().freeze();
    let two_deadlines = async {
        for _ in 0..2 {
            let late = watch.get::<u64>("commit:1").await;
            assert!(late.is_err(), "{late:?}");
        }
    };
    tokio::select! {
        biased;
        ended = after.commit() => assert_eq!(ended.unwrap(), Invalidation::Deferred),
        () = two_deadlines => panic!("they were waited for one after the other"),
    }
    world.redis().thaw();
}
