//! Writers that write their invalidation down inside of their transaction.

use cached_redis::{AfterCommit, invalidates};
use cached_redis_postgres::{commit, emit};
use tokio_postgres::GenericClient;

use crate::support::{Shop, in_time};

/// Without triggers: who writes must tell.
const ALONE: &str = "ALTER TABLE items DISABLE TRIGGER ALL";

#[invalidates("item:<id>")]
async fn set<C: GenericClient>(client: &C, id: i32, n: i32) {
    let update = "UPDATE items SET n = $2 WHERE id = $1";
    client.execute(update, &[&id, &n]).await.unwrap();
}

#[tokio::test]
async fn a_writer_that_dies_after_its_commit_leaves_nothing_old() {
    let shop = Shop::open().await;
    shop.postgres.run(ALONE).await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let mut client = shop.postgres.connect().await;
    let transaction = client.transaction().await.unwrap();
    let writer = shop.cache().await;
    let after = writer.after_commit();
    writer.scope(after.scope(set(&transaction, 1, 7))).await;
    emit(&transaction, &after).await.unwrap();
    transaction.commit().await.unwrap();
    // Its own invalidation is never sent.
    drop((after, writer));
    shop.settle(&feed).await;
    assert_eq!((shop.read(&cache, 1).await, feed.stats().messages), (7, 1));
}

#[tokio::test]
async fn a_commit_is_told_directly_and_by_the_feed() {
    let shop = Shop::open().await;
    shop.postgres.run(ALONE).await;
    let cache = shop.cache().await;
    assert_eq!(shop.fill(&cache, 1).await, 0);
    let feed = shop.feed(&cache).await;
    let mut client = shop.postgres.connect().await;
    let transaction = client.transaction().await.unwrap();
    let after = cache.after_commit();
    cache.scope(after.scope(set(&transaction, 1, 7))).await;
    after
        .collect(cache.invalidation().tag("shelf:a").matching("search:*"))
        .unwrap();
    commit(transaction, after).await.unwrap();
    assert_eq!(shop.read(&cache, 1).await, 7);
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 1);
}

#[tokio::test]
async fn what_is_rolled_back_was_not_told_and_nothing_is_told_of_nothing() {
    let shop = Shop::open().await;
    shop.postgres.run(ALONE).await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    let mut client = shop.postgres.connect().await;
    let transaction = client.transaction().await.unwrap();
    let after: AfterCommit = cache.after_commit();
    cache.scope(after.scope(set(&transaction, 1, 7))).await;
    emit(&transaction, &after).await.unwrap();
    transaction.rollback().await.unwrap();
    drop(after);
    let transaction = client.transaction().await.unwrap();
    commit(transaction, cache.after_commit()).await.unwrap();
    shop.settle(&feed).await;
    assert_eq!(feed.stats().messages, 0);
}

#[tokio::test]
async fn transactions_of_sqlx_tell_as_well() {
    use sqlx::Connection;

    let shop = Shop::open().await;
    shop.postgres.run(ALONE).await;
    let cache = shop.cache().await;
    let feed = shop.feed(&cache).await;
    assert_eq!(
        (shop.fill(&cache, 1).await, shop.fill(&cache, 2).await),
        (0, 0)
    );
    let mut connection = sqlx::PgConnection::connect(&shop.postgres.url())
        .await
        .unwrap();
    let update = "UPDATE items SET n = 7 WHERE id = 1";

    let writer = shop.cache().await;
    let after = writer.after_commit();
    after.invalidate("item:1");
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query(update)
        .execute(&mut *transaction)
        .await
        .unwrap();
    cached_redis_postgres::sqlx::emit(&mut transaction, &after)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    drop((after, writer));
    shop.settle(&feed).await;
    assert_eq!(shop.read(&cache, 1).await, 7);

    let after = cache.after_commit();
    after.invalidate("item:2");
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("UPDATE items SET n = 8 WHERE id = 2")
        .execute(&mut *transaction)
        .await
        .unwrap();
    in_time(cached_redis_postgres::sqlx::commit(transaction, after))
        .await
        .unwrap();
    assert_eq!(shop.read(&cache, 2).await, 8);
}
