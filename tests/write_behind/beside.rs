//! What else is there beside queues: batches, compression, operators, and logins that may do little.

use cached_redis::operator::Standing;
use cached_redis::{CachedExt as _, Status};

use crate::shop::{Db, Stock, builder, cache, flush, note, save, save_note, stock, stocks, worker};
use crate::support::{World, on_both_stores, on_redis};

on_both_stores!(
    a_batch_is_given_what_is_pending,
    of_a_pending_value_there_is_no_content,
    a_large_value_is_pending_where_entries_are_compressed,
    an_operator_sees_what_is_pending_and_removes_nothing_of_it,
);
on_redis!(a_login_that_may_do_what_the_page_says_is_enough);

async fn a_batch_is_given_what_is_pending(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    for _ in 0..2 {
        let found = cache.scope(stocks(&db, &[1, 2])).await;
        assert_eq!(found[&1], Stock::from(7));
        assert_eq!(found[&2], Stock::from(0));
    }
    assert_eq!(cache.scope(stock(&db, 1)).await, Stock::from(7));
}

async fn of_a_pending_value_there_is_no_content(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    let (_, info) = cache.scope(stock(&db, 1).with_info()).await;
    assert_eq!((info.status(), info.content()), (Status::Hit, None));
    assert!(
        info.age().is_some_and(|age| age.as_secs() < 3600),
        "{info:?}"
    );
    let page = async { stock(&db, 1).await.pieces };
    let (_, reads) = cache.scope(page.with_reads()).await;
    assert_eq!(
        reads.iter().map(|read| read.content()).collect::<Vec<_>>(),
        [None]
    );
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    worker.stop().await;
    cache.scope(stock(&db, 1)).await;
    crate::support::filled(&cache, 1).await;
    let (_, info) = cache.scope(stock(&db, 1).with_info()).await;
    assert!(info.content().is_some());
}

async fn a_large_value_is_pending_where_entries_are_compressed(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    let text = "a word ".repeat(10_000);
    cache.scope(save_note(&db, 1, text.clone())).await.unwrap();
    assert_eq!(cache.scope(note(&db, 1)).await, text);
    assert_eq!(cache.scope(note(&db, 1)).await, text);
}

async fn an_operator_sees_what_is_pending_and_removes_nothing_of_it(world: World) {
    let (db, cache) = (Db::new(), cache(&world).await);
    cache.scope(save(&db, 1, 7.into())).await.unwrap();
    cache.operator().clear("shop::stock").await.unwrap();
    cache.clear_namespace().await.unwrap();
    let found = cache.operator().inspect("{stock}:1").await.unwrap();
    let Standing::Pending(entry) = &found.standing else {
        panic!("{found:?}");
    };
    assert_eq!((found.standing.kind(), found.ttl), ("pending", None));
    assert_eq!(entry.decoded().unwrap()["pieces"], 7);
    let listing = cache.operator().list("*", 100).await.unwrap();
    let listed: Vec<_> = listing.keys.iter().map(|it| (&*it.key, it.kind)).collect();
    assert_eq!(listed, [("{stock}:1", "pending")]);
    // What waits is there, too.
    let worker = worker(&cache, &db).start().await.unwrap();
    flush(&cache, "stock").await;
    assert_eq!(db.pieces(1), [7]);
    worker.stop().await;
}

async fn a_login_that_may_do_what_the_page_says_is_enough(mut world: World) {
    let page = include_str!("../../cached-redis/src/docs/write_behind.md");
    let all = include_str!("../../cached-redis/src/docs/redis.md");
    let allowed = |page: &str, line: &str| {
        let line = page.lines().find(|it| it.starts_with(line)).unwrap();
        line.replace("shop", "it")
    };
    let (all, more) = (allowed(all, "user app on"), allowed(page, "+xadd"));
    let rules = format!("{} {more}", all.strip_prefix("user ").unwrap());
    let words: Vec<_> = ["ACL", "SETUSER"]
        .into_iter()
        .chain(rules.split(' '))
        .collect();
    let server = world.redis();
    server.run::<()>(&words);
    let url = server.url_of("app", "password");
    let built = builder(&world).url(url).require_connection(true).build();
    let (db, cache) = (Db::new(), built.await.unwrap());
    db.refuse(Some(2));
    let worker = worker(&cache, &db).attempts(1).start().await.unwrap();
    for (id, pieces) in [(1, 1), (1, 2), (1, 3), (2, 5)] {
        cache.scope(save(&db, id, pieces.into())).await.unwrap();
        assert_eq!(cache.scope(stock(&db, id)).await, pieces.into());
    }
    flush(&cache, "stock").await;
    let queue = cache.write_behind_queue("stock").unwrap();
    crate::support::eventually("the dead letters", async || {
        queue.dead_letters().await.unwrap().len() == 2
    })
    .await;
    db.refuse(None);
    assert!(queue.drop_first("{stock}:1").await.unwrap());
    assert_eq!(queue.retry("{stock}:1").await.unwrap(), 1);
    flush(&cache, "stock").await;
    assert_eq!((db.pieces(1), db.pieces(2)), (vec![1, 3], vec![5]));
    cache.clear("shop::stock").await.unwrap();
    worker.stop().await;
}
