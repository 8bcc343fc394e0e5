//! Writes that fail for good hold up those of their own key, and no others.

use cached_redis::Cache;
use cached_redis::behind::WriteBehindQueue;

use crate::shop::{Db, Stock, cache, flush, save, save_badly, stock, worker};
use crate::support::{World, eventually, on_both_stores};

on_both_stores!(
    a_write_that_fails_for_a_while_is_applied_in_its_order,
    a_dead_letter_holds_up_its_own_key_alone,
    dead_letters_are_put_back_in_their_order,
    a_dead_letter_that_is_dropped_lets_the_others_go_on,
    the_last_one_that_is_dropped_takes_its_value_with_it,
    a_function_that_panics_becomes_a_dead_letter,
);

fn queue(cache: &Cache) -> WriteBehindQueue {
    cache.write_behind_queue("stock").unwrap()
}

async fn reasons(cache: &Cache) -> Vec<String> {
    let letters = queue(cache).dead_letters().await.unwrap();
    letters
        .iter()
        .map(|letter| format!("{} {}", letter.key(), letter.reason()))
        .collect()
}

async fn a_write_that_fails_for_a_while_is_applied_in_its_order(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    db.refuse(Some(2));
    for pieces in 1..4 {
        cache.scope(save(&db, 1, pieces.into())).await.unwrap();
    }
    let worker = worker(&cache, &db)
        .attempts(u32::MAX)
        .start()
        .await
        .unwrap();
    eventually("some attempts", async || db.tries() > 4).await;
    assert_eq!(db.pieces(1), [1]);
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(3));
    db.refuse(None);
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1, 2, 3]);
    worker.stop().await;
}

/// Key 1 has the dead letters 2, 3 and 4.
async fn with_dead_letters(world: &World) -> (Db, Cache) {
    let (db, cache) = (Db::new(), cache(world).await);
    db.refuse(Some(2));
    for (id, pieces) in [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1)] {
        cache.scope(save(&db, id, pieces.into())).await.unwrap();
    }
    let worker = worker(&cache, &db).attempts(2).start().await.unwrap();
    flush(&cache, "stock").await;
    cache.scope(save(&db, 1, 4.into())).await.unwrap();
    cache.scope(save(&db, 2, 5.into())).await.unwrap();
    flush(&cache, "stock").await;
    worker.stop().await;
    (db, cache)
}

async fn a_dead_letter_holds_up_its_own_key_alone(world: World) {
    let (db, cache) = with_dead_letters(&world).await;
    assert_eq!(
        (db.pieces(1), db.pieces(2), db.pieces(3)),
        (vec![1], vec![1, 5], vec![1])
    );
    let expected = ["{stock}:1 failed", "{stock}:1 behind", "{stock}:1 behind"];
    assert_eq!(reasons(&cache).await, expected);
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(4));
    cache.invalidate("{stock}:1").await.unwrap();
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(4));
    let letter = &queue(&cache).dead_letters().await.unwrap()[0];
    assert!(letter.function().ends_with("shop::save"));
    assert!(
        !format!("{letter:?}").contains("stock}:1"),
        "no key in `Debug`"
    );
}

async fn dead_letters_are_put_back_in_their_order(world: World) {
    let (db, cache) = with_dead_letters(&world).await;
    db.refuse(None);
    let worker = worker(&cache, &db).start().await.unwrap();
    assert_eq!(queue(&cache).retry("{stock}:2").await.unwrap(), 0);
    assert_eq!(queue(&cache).retry("{stock}:1").await.unwrap(), 3);
    cache.scope(save(&db, 1, 5.into())).await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1, 2, 3, 4, 5]);
    assert!(reasons(&cache).await.is_empty());
    let numbers: Vec<_> = db.log().into_iter().filter(|write| write.id == 1).collect();
    let number = |write: &crate::shop::Write| write.number.as_ref().unwrap().number;
    assert!(numbers.is_sorted_by(|a, b| number(a) < number(b)));
    worker.stop().await;
}

async fn a_dead_letter_that_is_dropped_lets_the_others_go_on(world: World) {
    let (db, cache) = with_dead_letters(&world).await;
    let worker = worker(&cache, &db).start().await.unwrap();
    assert!(queue(&cache).drop_first("{stock}:1").await.unwrap());
    assert_eq!(queue(&cache).retry("{stock}:1").await.unwrap(), 2);
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [1, 3, 4]);
    worker.stop().await;
}

async fn the_last_one_that_is_dropped_takes_its_value_with_it(world: World) {
    let (db, cache) = with_dead_letters(&world).await;
    for _ in 0..3 {
        assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(4));
        assert!(queue(&cache).drop_first("{stock}:1").await.unwrap());
    }
    assert!(!queue(&cache).drop_first("{stock}:1").await.unwrap());
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(1));
}

async fn a_function_that_panics_becomes_a_dead_letter(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save_badly(1, 1.into())).await.unwrap();
    let worker = worker(&cache, &db).attempts(2).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(reasons(&cache).await, ["{stock}:1 panicked"]);
    worker.stop().await;
}
