//! A settled writer returns when no process serves what was there before, from memory either: it waits out
//! what was agreed on in the namespace from the confirmation on.

use std::pin::pin;
use std::time::{Duration, Instant};

use cached_redis::{Cache, Invalidation, after_commit};
use cached_redis::{invalidates, redis_cached, write_through};
use tokio::time;

use crate::support::{Source, World, in_time, on_both_stores, on_redis};

on_both_stores!(a_settled_write_does_what_others_do,);
on_redis!(
    writers_that_settle_return_after_those_that_do_not,
    what_a_transaction_collects_settles_at_its_commit,
    more_than_is_asked_for_here_is_waited_for_where_it_was_agreed_on,
    less_than_is_asked_for_here_may_be_what_is_left_of_more,
    what_is_deferred_does_not_wait_to_settle,
    an_answer_that_is_late_is_asked_for_again,
);

/// What is asked for by default.
const STALENESS: Duration = Duration::from_secs(1);
const AGREED: &str = "it:#local";

#[redis_cached(ttl = 60, key = "settled:<id>", tags = ["settled"], skip(source))]
async fn read(source: &Source, id: u64) -> u64 {
    source.load().await
}

#[invalidates("settled:<id>", settled)]
async fn change(id: u64) {
    let _ = id;
}

#[invalidates(tag = "settled", settled)]
async fn change_all() {}

#[invalidates("settled:<id>")]
async fn change_at_once(id: u64) {
    let _ = id;
}

#[invalidates("settled:<id>", guard, settled, cache = cache)]
async fn change_guarded(cache: &Cache, id: u64) {
    let _ = id;
}

#[write_through(ttl = 60, key = "settled:<id>", tags = ["settled"], settled)]
async fn change_through(id: u64, value: u64) -> u64 {
    let _ = id;
    value
}

async fn cache(world: &World) -> Cache {
    let built = world.builder().guarded(true).build();
    built.await.expect("the settings are right")
}

/// How long it took, which must not be for ever.
async fn took<F: Future>(future: F) -> Duration {
    let begun = Instant::now();
    in_time(future).await;
    begun.elapsed()
}

async fn a_settled_write_does_what_others_do(world: World) {
    let (cache, source) = (cache(&world).await, Source::new());
    let read = || cache.scope(read(&source, 7));
    for round in 1..=4 {
        read().await;
        assert_eq!(source.loads(), round);
        match round {
            1 => cache.scope(change(7)).await,
            2 => cache.scope(change_all()).await,
            3 => change_guarded(&cache, 7).await,
            _ => drop(cache.scope(change_through(7, 99)).await),
        }
    }
    assert_eq!(read().await, 99);
    let request = cache.invalidation().key("settled:7").settled();
    assert_eq!(request.send().await.unwrap(), Invalidation::Done);
    assert_eq!(read().await, source.version());
    let request = cache.invalidation().function("settled::read").unwrap();
    assert_eq!(request.settled().send().await.unwrap(), Invalidation::Done);
    assert_eq!(read().await, source.version());
    assert!(cache.invalidation().function("nobody").is_err());
}

/// Each form with one that does not wait: that one returns first.
async fn writers_that_settle_return_after_those_that_do_not(world: World) {
    let cache = cache(&world).await;
    let all = async {
        tokio::join!(
            took(cache.scope(change(1))),
            took(cache.scope(change_all())),
            took(change_guarded(&cache, 2)),
            took(cache.scope(change_through(3, 3))),
            took(cache.invalidation().keys(["a", "b"]).settled().send()),
            took(async {
                let write = cache.begin_write(["c"]).await.unwrap();
                write.settled().finish().await.unwrap();
            }),
        )
    };
    let mut all = pin!(all);
    tokio::select! {
        biased;
        _ = &mut all => panic!("they wait"),
        () = cache.scope(change_at_once(4)) => {}
    }
    let (one, tagged, guarded, through, by_hand, guarded_by_hand) = all.await;
    for took in [one, tagged, guarded, through, by_hand, guarded_by_hand] {
        assert!(took >= STALENESS, "{took:?}");
    }
}

async fn what_a_transaction_collects_settles_at_its_commit(world: World) {
    let cache = cache(&world).await;
    let after = cache.after_commit();
    let scoped = async {
        after.scope(cache.scope(change_at_once(1))).await;
        after.scope(cache.scope(change(2))).await;
    };
    tokio::select! {
        () = scoped => {}
        () = time::sleep(STALENESS) => panic!("there is nothing to wait for yet"),
    }
    let request = cache.invalidation().key("settled:3").settled();
    after.collect(request).unwrap();
    assert!(took(after.commit()).await >= STALENESS);
    let after = cache.scope(async { after_commit() }).await;
    after.scope(cache.scope(change_through(1, 1))).await;
    assert!(took(after.commit_with(async {})).await >= STALENESS);
}

async fn more_than_is_asked_for_here_is_waited_for_where_it_was_agreed_on(world: World) {
    let (cache, more) = (cache(&world).await, STALENESS + Duration::from_millis(300));
    let server = world.server().unwrap();
    server.plant(AGREED, more.as_millis().to_string().as_bytes());
    assert!(took(cache.scope(change(1))).await >= more);
}

/// A server that lost what was agreed on may have been told of less since.
async fn less_than_is_asked_for_here_may_be_what_is_left_of_more(world: World) {
    let cache = cache(&world).await;
    world.server().unwrap().plant(AGREED, b"10");
    assert!(took(cache.scope(change(1))).await >= STALENESS);
}

async fn what_is_deferred_does_not_wait_to_settle(mut world: World) {
    let cache = cache(&world).await;
    world.redis().kill();
    let sent = in_time(cache.invalidation().key("a").settled().send()).await;
    assert_eq!(sent.unwrap(), Invalidation::Deferred);
    in_time(cache.scope(change(1))).await;
}

async fn an_answer_that_is_late_is_asked_for_again(world: World) {
    let (cache, server) = (cache(&world).await, world.server().unwrap());
    let more = STALENESS + Duration::from_millis(200);
    // No string: the server answers with an error until it is replaced.
    server.run::<u64>(&["RPUSH", AGREED, "x"]);
    let request = cache.invalidation().key("a").settled();
    let mut sent = pin!(took(request.send()));
    let asked = async {
        while !server.commands().contains_key("get") {
            time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        _ = &mut sent => panic!("it cannot know for how long"),
        () = asked => {}
    }
    server.run::<u64>(&["DEL", AGREED]);
    server.plant(AGREED, more.as_millis().to_string().as_bytes());
    assert!(sent.await >= more);
}
