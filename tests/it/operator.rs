//! What operators ask and do, on each store.

use std::time::Duration;

use cached_redis::operator::{Life, Standing, TagState};
use cached_redis::{Cache, Error, Mode, redis_cached};

use crate::support::{World, eventually, filled, on_both_stores};

on_both_stores!(
    what_stands_under_a_key_is_told,
    keys_are_listed_by_their_headers,
    a_tag_that_was_invalidated_is_gone_and_its_entry_dead,
    a_mode_that_is_ordered_is_in_force_at_once_and_for_its_time,
    a_process_that_follows_no_orders_goes_its_own_way,
    of_two_operators_neither_undoes_the_others,
    a_mode_without_end_is_refused,
);

#[redis_cached(ttl = 600, jitter = 0, key = "operator:<id>")]
async fn number(id: u64) -> u64 {
    id
}

#[redis_cached(
    ttl = 600,
    jitter = 0,
    key = "operator:of:<team>:<id>",
    tags = "operator:<team>"
)]
async fn member(team: u64, id: u64) -> u64 {
    team + id
}

async fn what_stands_under_a_key_is_told(world: World) {
    let cache = world.cache().await;
    cache.scope(number(1)).await;
    filled(&cache, 1).await;
    let found = cache.operator().inspect("operator:1").await.unwrap();
    assert_eq!(found.function.as_deref(), Some("it::operator::number"));
    assert!(found.ttl.unwrap() <= Duration::from_secs(600));
    let Standing::Entry(entry) = &found.standing else {
        panic!("{found:?}");
    };
    assert_eq!((entry.life, entry.negative), (Life::Alive, false));
    assert_eq!(
        (entry.codec.as_str(), &entry.payload[..]),
        ("bincode", &[1][..])
    );
    assert!(!format!("{entry:?}").contains("payload"));
    let nothing = cache.operator().inspect("operator:2").await.unwrap();
    assert_eq!(nothing.standing, Standing::Nothing);
}

async fn keys_are_listed_by_their_headers(world: World) {
    let cache = world.cache().await;
    for id in 0..5 {
        cache.scope(number(id)).await;
    }
    cache.scope(member(1, 1)).await;
    filled(&cache, 6).await;
    let listed = cache.operator().list("operator:*", 100).await.unwrap();
    assert_eq!((listed.keys.len(), listed.complete), (6, true));
    assert!(
        listed
            .keys
            .iter()
            .all(|it| it.kind == "value" && it.ttl.is_some())
    );
    let some = cache.operator().list("operator:*", 2).await.unwrap();
    assert_eq!((some.keys.len(), some.complete), (2, false));
}

async fn a_tag_that_was_invalidated_is_gone_and_its_entry_dead(world: World) {
    let cache = world.cache().await;
    cache.scope(member(1, 1)).await;
    filled(&cache, 1).await;
    let life = async || {
        let found = cache.operator().inspect("operator:of:1:1").await.unwrap();
        match found.standing {
            Standing::Entry(entry) => (entry.life, entry.tags[0].state),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(life().await, (Life::Alive, TagState::Stands));
    cache.invalidate_tag("operator:1").await.unwrap();
    assert_eq!(life().await, (Life::Dead, TagState::Gone));
    // Another entry gives the tag a generation again; that is not the one of this entry.
    cache.scope(member(1, 2)).await;
    filled(&cache, 2).await;
    assert_eq!(life().await, (Life::Dead, TagState::Stands));
    assert_eq!(
        cache.operator().tag("operator:1").await.unwrap(),
        TagState::Stands
    );
}

async fn a_mode_that_is_ordered_is_in_force_at_once_and_for_its_time(world: World) {
    let cache = world.builder().follow_modes(true).build().await.unwrap();
    let operator = cache.operator();
    cache.set_mode("operator::number", Mode::Shadow).unwrap();
    let life = Duration::from_secs(4);
    operator
        .set_mode("operator::number", Mode::Off, life)
        .await
        .unwrap();
    assert_eq!(cache.mode("operator::number").unwrap(), Mode::Off);
    let set = operator.modes().await.unwrap();
    assert_eq!((set.len(), set[0].mode), (1, Mode::Off));
    let over = async || cache.mode("operator::number").unwrap() == Mode::Shadow;
    eventually("the end of the order", over).await;
    assert_eq!(operator.modes().await.unwrap(), []);
}

async fn a_process_that_follows_no_orders_goes_its_own_way(world: World) {
    let builder = world.builder().follow_modes(false);
    let orders = async |cache: &Cache, mode| {
        let life = Duration::from_secs(100);
        let operator = cache.operator();
        let order = operator.set_mode("operator::number", mode, life);
        order.await.unwrap();
        assert_eq!(cache.mode("operator::number").unwrap(), Mode::On);
    };
    let cache = builder.clone().build().await.unwrap();
    orders(&cache, Mode::Off).await;
    // One that is started afterwards does not either.
    orders(&builder.build().await.unwrap(), Mode::Shadow).await;
}

async fn of_two_operators_neither_undoes_the_others(world: World) {
    let caches = [world.cache().await, world.cache().await];
    let set = async |at: usize| {
        for name in 0..10 {
            let name = format!("of-{at}-{name}");
            let operator = caches[at].operator();
            let life = Duration::from_secs(100);
            operator.set_mode(&name, Mode::Off, life).await.unwrap();
        }
    };
    tokio::join!(set(0), set(1));
    assert_eq!(caches[0].operator().modes().await.unwrap().len(), 20);
    assert!(caches[1].operator().reset_mode("of-0-3").await.unwrap());
    assert!(!caches[1].operator().reset_mode("of-0-3").await.unwrap());
    assert_eq!(caches[0].operator().modes().await.unwrap().len(), 19);
}

async fn a_mode_without_end_is_refused(world: World) {
    let cache = world.cache().await;
    for life in [Duration::ZERO, Duration::MAX] {
        let refused = cache.operator().set_mode("number", Mode::Off, life).await;
        assert!(matches!(refused, Err(Error::Setting { .. })), "{refused:?}");
    }
}
