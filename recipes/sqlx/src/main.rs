//! sqlx: reads through the pool are cached, writes work in transactions, and what they invalidate waits for the commit.
//!
//! ```text
//! cargo run -p recipe-sqlx
//! ```

use cached_redis::{Cache, CachedExt as _, invalidates, redis_cached};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use sqlx::{Result, Sqlite, SqliteConnection, Transaction};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Account {
    owner: String,
    balance: i64,
}

/// It takes a connection, which the pool has and a transaction is.
#[redis_cached(key = "account:<id>", ttl = "10m", skip(db))]
async fn account(db: &mut SqliteConnection, id: i64) -> Result<Option<Account>> {
    let query = sqlx::query_as("SELECT owner, balance FROM accounts WHERE id = ?").bind(id);
    let row: Option<(String, i64)> = query.fetch_optional(db).await?;
    Ok(row.map(|(owner, balance)| Account { owner, balance }))
}

/// A step. It returns before the commit, so what it invalidates is collected.
#[invalidates("account:<id>")]
async fn add(tx: &mut Transaction<'_, Sqlite>, id: i64, amount: i64) -> Result<()> {
    let update = sqlx::query("UPDATE accounts SET balance = balance + ? WHERE id = ?");
    update
        .bind(amount)
        .bind(id)
        .execute(&mut **tx)
        .await
        .map(drop)
}

/// Moves money, or nothing happens. `false`: there was not enough.
async fn transfer(db: &SqlitePool, cache: &Cache, from: i64, to: i64, amount: i64) -> Result<bool> {
    let mut tx = db.begin().await?;
    let after = cache.after_commit();
    let steps = async {
        add(&mut tx, from, -amount).await?;
        add(&mut tx, to, amount).await?;
        // In here nothing is kept: what a transaction sees may never come true.
        account(&mut tx, from).uncached().await
    };
    let account = after.scope(steps).await?;
    if account.is_none_or(|account| account.balance < 0) {
        return Ok(false); // both are dropped: rolled back, and nothing is invalidated
    }
    after.commit_with(tx.commit()).await?; // and then it is sent, whatever becomes of the caller
    Ok(true)
}

async fn balance(db: &SqlitePool, id: i64) -> Result<Option<i64>> {
    let mut connection = db.acquire().await?;
    let account = account(&mut connection, id).await?;
    Ok(account.map(|account| account.balance))
}

/// A database in memory. It lives in its connection, so there is one, which stays.
async fn open() -> Result<SqlitePool> {
    let one = SqlitePoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None);
    let db = one.connect("sqlite::memory:").await?;
    let schema = "
        CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, balance INTEGER NOT NULL);
        INSERT INTO accounts (owner, balance) VALUES ('ada', 100), ('ben', 0);
    ";
    sqlx::raw_sql(schema).execute(&db).await?;
    Ok(db)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cache = Cache::builder().url("memory://").build().await?;
    cache.clone().install()?;
    let db = open().await?;
    assert_eq!(
        (balance(&db, 1).await?, balance(&db, 2).await?),
        (Some(100), Some(0))
    );
    assert_eq!(balance(&db, 3).await?, None); // kept as well, for the `negative_ttl`

    assert!(transfer(&db, &cache, 1, 2, 30).await?);
    assert_eq!(
        (balance(&db, 1).await?, balance(&db, 2).await?),
        (Some(70), Some(30))
    );

    let before = cache.stats().total().loads;
    assert!(!transfer(&db, &cache, 1, 2, 1000).await?);
    assert_eq!(
        (balance(&db, 1).await?, balance(&db, 2).await?),
        (Some(70), Some(30))
    );
    println!(
        "sqlx: a transfer is seen at once, and one that was rolled back cost {} loads",
        cache.stats().total().loads - before
    );
    assert_eq!(cache.stats().total().loads, before);
    cache.flush().await?;
    Ok(())
}
