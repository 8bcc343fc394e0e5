//! sea-orm: a model is a cached value as it is, and a transaction collects what its steps invalidate.
//!
//! ```text
//! cargo run -p recipe-sea-orm
//! ```

use cached_redis::{Cache, invalidates, redis_cached};
use sea_orm::{
    ActiveModelTrait as _, ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection,
    DatabaseTransaction, DbErr, EntityTrait as _, QueryOrder as _, Schema, Set,
    TransactionTrait as _,
};

mod article {
    use sea_orm::entity::prelude::*;
    use serde::{Deserialize, Serialize};

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, Serialize, Deserialize)]
    #[sea_orm(table_name = "articles")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub title: String,
        pub cents: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

#[redis_cached(key = "article:<id>", ttl = "10m", skip(db))]
async fn find(db: &DatabaseConnection, id: i32) -> Result<Option<article::Model>, DbErr> {
    article::Entity::find_by_id(id).one(db).await
}

#[redis_cached(key = "articles", tags = ["articles"], ttl = "10m", skip(db))]
async fn all(db: &DatabaseConnection) -> Result<Vec<article::Model>, DbErr> {
    article::Entity::find()
        .order_by_asc(article::Column::Id)
        .all(db)
        .await
}

/// A step of a transaction. Its readers take a `DatabaseConnection`, so that nobody reads through an open one by mistake.
#[invalidates("article:<id>", tag = "articles")]
async fn set_price(tx: &DatabaseTransaction, id: i32, cents: i64) -> Result<(), DbErr> {
    let change = article::ActiveModel {
        id: Set(id),
        cents: Set(cents),
        ..Default::default()
    };
    change.update(tx).await.map(drop)
}

/// All prices, or none.
async fn reprice(
    db: &DatabaseConnection,
    cache: &Cache,
    prices: &[(i32, i64)],
) -> Result<(), DbErr> {
    let tx = db.begin().await?;
    let after = cache.after_commit();
    let steps = async {
        for (id, cents) in prices {
            set_price(&tx, *id, *cents).await?; // an error drops both
        }
        Ok::<_, DbErr>(())
    };
    after.scope(steps).await?;
    after.commit_with(tx.commit()).await
}

async fn open() -> Result<DatabaseConnection, DbErr> {
    let mut one = ConnectOptions::new("sqlite::memory:");
    one.max_connections(1).sqlx_logging(false);
    let db = Database::connect(one).await?;
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(article::Entity))
        .await?;
    for (title, cents) in [("kettle", 2900), ("whisk", 1400)] {
        let new = article::ActiveModel {
            title: Set(title.to_owned()),
            cents: Set(cents),
            ..Default::default()
        };
        new.insert(&db).await?;
    }
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = Cache::builder().url("memory://").build().await?;
    cache.clone().install()?;
    let db = open().await?;
    for _ in 0..2 {
        assert_eq!(find(&db, 1).await?.map(|article| article.cents), Some(2900));
        assert_eq!(all(&db).await?.len(), 2);
    }
    assert_eq!(cache.stats().total().loads, 2);

    reprice(&db, &cache, &[(1, 2500), (2, 1200)]).await?;
    assert_eq!(find(&db, 1).await?.map(|article| article.cents), Some(2500));
    let prices: Vec<_> = all(&db)
        .await?
        .into_iter()
        .map(|article| article.cents)
        .collect();
    assert_eq!(prices, [2500, 1200]);

    let before = cache.stats().total().loads;
    reprice(&db, &cache, &[(1, 1), (99, 1)])
        .await
        .expect_err("there is no 99");
    assert_eq!(find(&db, 1).await?.map(|article| article.cents), Some(2500));
    assert_eq!(cache.stats().total().loads, before);
    println!("sea-orm: models are hits until they change; what was rolled back changed nothing");
    cache.flush().await?;
    Ok(())
}
