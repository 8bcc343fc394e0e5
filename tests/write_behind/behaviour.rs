//! One process, or two on the same store.

use cached_redis::Error;
use cached_redis::error::Busy;

use crate::shop::{
    Db, DbError, Stock, builder, cache, double, flush, price, save, save_badly, save_price, stock,
    worker,
};
use crate::support::{World, on_both_stores};

on_both_stores!(
    what_was_accepted_is_read_by_all_before_it_is_applied,
    it_is_applied_in_its_order_and_then_loaded,
    a_load_that_began_before_stores_nothing,
    no_removal_takes_away_what_is_pending,
    after_the_write_a_removal_is_one_as_ever,
    what_is_made_of_a_pending_value_is_not_stored,
    nobody_stores_by_hand_over_what_is_pending,
    a_function_knows_the_number_of_its_write,
    only_the_last_state_is_applied_where_that_is_enough,
    a_queue_that_is_full_says_so,
    a_reader_of_another_type_loads_and_stores_nothing,
    writes_are_counted,
);

async fn what_was_accepted_is_read_by_all_before_it_is_applied(world: World) {
    let (db, here, there) = (Db::new(), cache(&world).await, cache(&world).await);
    assert_eq!(here.scope(stock(&db, 1)).await, Stock::from(0));
    for pieces in 1..4 {
        here.scope(save(&db, 1, pieces.into())).await.unwrap();
        assert_eq!(here.scope(stock(&db, 1)).await, pieces.into());
        assert_eq!(there.scope(stock(&db, 1)).await, pieces.into());
        assert_eq!(
            there.get("{stock}:1").await.unwrap(),
            Some(Stock::from(pieces))
        );
    }
    assert_eq!((db.loads(), db.tries()), (1, 0));
    let depth = here
        .write_behind_queue("stock")
        .unwrap()
        .depth()
        .await
        .unwrap();
    assert_eq!((depth.waiting, depth.dead), (3, 0));
}

async fn it_is_applied_in_its_order_and_then_loaded(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    for (id, pieces) in [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)] {
        cache.scope(save(&db, id, pieces.into())).await.unwrap();
    }
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!((db.pieces(1), db.pieces(2)), (vec![1, 2, 3], vec![1, 2]));
    // The source has the last word from then on.
    db.set(1, 30);
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(30));
    assert_eq!(cache.scope(stock(&db, 2)).await, Stock::from(2));
    // Those who come while it is at work are served too.
    cache.scope(save(&db, 1, 4.into())).await.unwrap();
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(4));
    flush(&cache, "stock").await;
    assert_eq!(db.row(1), 4);
    worker.stop().await;
}

async fn a_load_that_began_before_stores_nothing(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(60));
    let (release, released) = tokio::sync::oneshot::channel::<()>();
    let (loader, source) = (cache.clone(), db.clone());
    let loading = tokio::spawn(async move {
        let load = || async move {
            let pieces = source.row(1);
            released.await.unwrap();
            Ok::<_, Error>(Stock { pieces })
        };
        loader.get_or_fill(&policy, "{stock}:1", load).await
    });
    crate::support::eventually("the load", async || cache.stats().total().misses == 1).await;
    cache.scope(save(&db, 1, 5.into())).await.unwrap();
    release.send(()).unwrap();
    assert_eq!(loading.await.unwrap().unwrap(), Stock::from(0));
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(5));
}

async fn no_removal_takes_away_what_is_pending(world: World) {
    let (db, here, there) = (Db::new(), cache(&world).await, cache(&world).await);
    here.scope(save(&db, 1, 7.into())).await.unwrap();
    for cache in [&here, &there] {
        cache.invalidate("{stock}:1").await.unwrap();
        cache
            .invalidation()
            .keys(["{stock}:1", "another", "third"])
            .send()
            .await
            .unwrap();
        cache
            .invalidation()
            .matching("{stock}:*")
            .send()
            .await
            .unwrap();
        cache.clear("shop::stock").await.unwrap();
        assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(7));
    }
    assert_eq!(db.loads(), 0);
    let worker = worker(&there, &db).start().await.unwrap();
    flush(&here, "stock").await;
    assert_eq!(db.pieces(1), [7]);
    worker.stop().await;
}

async fn after_the_write_a_removal_is_one_as_ever(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(7));
    db.set(1, 8);
    cache.invalidate("{stock}:1").await.unwrap();
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(8));
    worker.stop().await;
}

async fn what_is_made_of_a_pending_value_is_not_stored(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    assert_eq!(cache.scope(double(&db, 1)).await, 14);
    assert_eq!(cache.get::<u64>("double:1").await.unwrap(), None);
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(cache.scope(double(&db, 1)).await, 14);
    crate::support::filled(&cache, 2).await;
    assert_eq!(cache.get::<u64>("double:1").await.unwrap(), Some(14));
    worker.stop().await;
}

async fn nobody_stores_by_hand_over_what_is_pending(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(60));
    cache
        .put(&policy, "{stock}:1", &Stock::from(1))
        .await
        .unwrap();
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(7));
}

async fn a_function_knows_the_number_of_its_write(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    for pieces in 1..10 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    worker.stop().await;
    let numbers: Vec<_> = db
        .log()
        .into_iter()
        .map(|write| write.number.unwrap())
        .collect();
    assert_eq!(numbers.len(), 9);
    assert!(
        numbers.is_sorted_by(|a, b| a.number < b.number),
        "{numbers:?}"
    );
    let place = |id: &cached_redis::behind::WriteId| (id.queue.to_string(), id.partition);
    assert!(
        numbers
            .iter()
            .all(|id| place(id) == place(&numbers[0]) && id.partition < 16)
    );
    assert_eq!(cached_redis::behind::WriteId::current(), None);
}

async fn only_the_last_state_is_applied_where_that_is_enough(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save_price(&db, 1, 10)).await.unwrap();
    cache.scope(save_price(&db, 1, 20)).await.unwrap();
    assert_eq!(cache.scope(price(&db, 1)).await, 20);
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "price").await;
    worker.stop().await;
    assert_eq!(db.pieces(1), [20]);
    assert_eq!(cache.scope(price(&db, 1)).await, 20);
    let stats = cache.stats();
    let stats = stats.function("save_price").unwrap();
    assert_eq!((stats.applied_writes, stats.coalesced_writes), (1, 1));
}

async fn a_queue_that_is_full_says_so(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    // Two in each partition.
    for price in 1..3 {
        cache.scope(save_price(&db, 1, price)).await.unwrap();
    }
    let full = cache.scope(save_price(&db, 1, 3)).await;
    assert_eq!(full, Err(DbError::Busy(Busy::Full)));
    assert_eq!(cache.scope(price(&db, 1)).await, 2);
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "price").await;
    cache.scope(save_price(&db, 1, 3)).await.unwrap();
    assert_eq!(cache.scope(price(&db, 1)).await, 3);
    worker.stop().await;
    assert_eq!(
        cache.stats().function("save_price").unwrap().refused_writes,
        1
    );
}

/// As one of another release.
async fn a_reader_of_another_type_loads_and_stores_nothing(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    let policy = cached_redis::Policy::new().ttl(std::time::Duration::from_secs(60));
    let other = || async { Ok::<_, Error>("another type".to_owned()) };
    for _ in 0..2 {
        let read = cache
            .get_or_fill(&policy, "{stock}:1", other)
            .await
            .unwrap();
        assert_eq!(read, "another type");
        assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(7));
    }
}

async fn writes_are_counted(world: World) {
    let (db, cache) = (Db::new(), builder(&world).build().await.unwrap());
    cache.scope(save(&db, 1, 1.into())).await.unwrap();
    cache.scope(save(&db, 2, 2.into())).await.unwrap();
    cache.scope(save_badly(3, 3.into())).await.unwrap();
    let worker = worker(&cache, &db).attempts(2).start().await.unwrap();
    flush(&cache, "stock").await;
    worker.stop().await;
    let stats = cache.stats();
    let (good, bad) = (
        stats.function("save").unwrap(),
        stats.function("save_badly").unwrap(),
    );
    assert_eq!(
        (
            good.accepted_writes,
            good.applied_writes,
            good.failed_writes
        ),
        (2, 2, 0)
    );
    assert_eq!(
        (bad.accepted_writes, bad.failed_writes, bad.dead_letters),
        (1, 2, 1)
    );
}
