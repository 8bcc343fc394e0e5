//! A writer whose caller is dropped, because its client hung up, may have committed. Its
//! invalidation reaches the store all the same.

use std::pin::pin;

use cached_redis::{Cache, invalidates, redis_cached};

use crate::support::{
    Source, World, after_polls, eventually, in_time, on_both_stores, on_redis, poll_once,
};

const WRITES: u64 = 200;

on_both_stores!(
    a_writer_dropped_after_one_poll_invalidates,
    a_writer_dropped_when_its_body_had_ended_invalidates,
    a_writer_dropped_after_any_number_of_polls_invalidates,
    a_writer_that_would_invalidate_on_ok_only_may_have_committed_when_dropped,
    an_aborted_writer_invalidates,
    an_invalidation_by_hand_dropped_after_one_poll_is_sent,
    an_invalidation_that_is_polled_once_and_then_left_alone_is_sent,
);
on_redis!(an_invalidation_that_is_left_alone_and_not_answered_is_deferred);

#[redis_cached(ttl = 600, key = "dropped-writer:<id>", skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("dropped-writer:<id>")]
async fn write(source: &Source, id: u64) {
    source.write();
}

/// Commits, and then has something else to do.
#[invalidates("dropped-writer:<id>")]
async fn write_and_wait(source: &Source, id: u64) {
    source.write();
    source.wait_open().await;
}

#[invalidates("dropped-writer:<id>", when = "ok")]
async fn write_if_ok(source: &Source, id: u64) -> Result<(), String> {
    source.write();
    source.wait_open().await;
    Err("rolled back".to_owned())
}

/// A cache with an entry for every write to come.
async fn full(world: &World, source: &Source) -> Cache {
    let cache = world.cache().await;
    for id in 0..WRITES {
        cache.scope(read(source, id)).await;
    }
    eventually("the entries", async || present(&cache).await == WRITES).await;
    cache
}

async fn present(cache: &Cache) -> u64 {
    let mut present = 0;
    for id in 0..WRITES {
        let entry = cache.get::<u64>(format!("dropped-writer:{id}")).await;
        present += u64::from(entry.unwrap().is_some());
    }
    present
}

async fn all_gone(cache: &Cache) {
    eventually("every key to be gone", async || present(cache).await == 0).await;
    assert_eq!(cache.stats().total().lost_invalidations, 0);
}

async fn a_writer_dropped_after_one_poll_invalidates(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    source.hold();
    for id in 0..WRITES {
        let mut writer = pin!(cache.scope(write_and_wait(&source, id)));
        assert!(poll_once(writer.as_mut()).is_pending());
    }
    assert_eq!(source.version(), 1 + WRITES, "each had committed");
    all_gone(&cache).await;
}

async fn a_writer_dropped_when_its_body_had_ended_invalidates(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    for id in 0..WRITES {
        let mut writer = pin!(cache.scope(write(&source, id)));
        // The body has nothing to wait for: what is left to do is the invalidation.
        let _ = poll_once(writer.as_mut());
    }
    assert_eq!(source.version(), 1 + WRITES);
    all_gone(&cache).await;
}

async fn a_writer_dropped_after_any_number_of_polls_invalidates(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    for id in 0..WRITES {
        let polls = 1 + id as usize % 5;
        after_polls(polls, cache.scope(write(&source, id))).await;
    }
    all_gone(&cache).await;
}

async fn a_writer_that_would_invalidate_on_ok_only_may_have_committed_when_dropped(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    source.hold();
    for id in 0..WRITES {
        let mut writer = pin!(cache.scope(write_if_ok(&source, id)));
        assert!(poll_once(writer.as_mut()).is_pending());
    }
    all_gone(&cache).await;
}

async fn an_aborted_writer_invalidates(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    source.hold();
    for id in 0..WRITES {
        let committed = source.version() + 1;
        let writer = cache.spawn({
            let source = source.clone();
            async move { write_and_wait(&source, id).await }
        });
        eventually("the commit", async || source.version() == committed).await;
        writer.abort();
        assert!(writer.await.is_err_and(|error| error.is_cancelled()));
    }
    all_gone(&cache).await;
}

async fn an_invalidation_by_hand_dropped_after_one_poll_is_sent(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    for id in 0..WRITES {
        let mut invalidation = pin!(cache.invalidate(format!("dropped-writer:{id}")));
        let _ = poll_once(invalidation.as_mut());
    }
    all_gone(&cache).await;
}

/// As the loser of a `select!` that is kept for later.
async fn an_invalidation_that_is_polled_once_and_then_left_alone_is_sent(world: World) {
    let source = Source::new();
    let cache = full(&world, &source).await;
    let invalidate = |id| Box::pin(cache.invalidate(format!("dropped-writer:{id}")));
    let mut left: Vec<_> = (0..WRITES).map(invalidate).collect();
    for invalidation in &mut left {
        let _ = poll_once(invalidation.as_mut());
    }
    in_time(cache.flush()).await.unwrap();
    assert_eq!(present(&cache).await, 0);
    assert_eq!(cache.stats().total().deferred_invalidations, 0);
}

async fn an_invalidation_that_is_left_alone_and_not_answered_is_deferred(mut world: World) {
    let builder = world
        .builder()
        .deadline(std::time::Duration::from_millis(20));
    let cache = builder.build().await.unwrap();
    let server = world.redis();
    server.freeze();
    let mut invalidation = pin!(cache.invalidate("dropped-writer:1"));
    assert!(poll_once(invalidation.as_mut()).is_pending());
    let deferred = async || cache.stats().total().deferred_invalidations == 1;
    eventually("the journal to have it", deferred).await;
    server.thaw();
    in_time(cache.flush()).await.unwrap();
    assert!(cache.stats().pending_invalidations().is_empty());
}
