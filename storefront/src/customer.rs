//! What is one customer's: the customer is in every key, so nobody is shown what is another's.

use cached_redis::{Cache, invalidates, redis_cached};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{FromRow, Result, Row as _};

use crate::db::{Db, Transaction};
use crate::failure::Failure;
use crate::shop;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) is_admin: bool,
}

impl FromRow<'_, AnyRow> for User {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            is_admin: row.try_get::<i64, _>("is_admin")? != 0,
        })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    pub(crate) product: i64,
    pub(crate) quantity: i64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) cents: i64,
}

/// Nothing here changes a user. Where something does, it is a writer with `guard`: an old permission does harm.
#[redis_cached(key = "user:<id>", ttl = "1m", skip(db))]
pub(crate) async fn user(db: &Db, id: i64) -> Result<Option<User>> {
    let query = sqlx::query_as("SELECT id, name, is_admin FROM users WHERE id = $1");
    query.bind(id).fetch_optional(db).await
}

/// The number and the hash of the password of who has this name. Not kept: it is asked for once in a session.
pub(crate) async fn credentials(db: &Db, name: &str) -> Result<Option<(i64, String)>> {
    let query = sqlx::query_as("SELECT id, password FROM users WHERE name = $1");
    query.bind(name).fetch_optional(db).await
}

#[redis_cached(key = "user:<user>:cart", ttl = "10m", skip(db))]
pub(crate) async fn cart(db: &Db, user: i64) -> Result<Vec<Line>> {
    let query = "SELECT product, quantity FROM carts WHERE user_id = $1 ORDER BY product";
    let lines: Vec<(i64, i64)> = sqlx::query_as(query).bind(user).fetch_all(db).await?;
    Ok(lines.into_iter().map(line).collect())
}

fn line((product, quantity): (i64, i64)) -> Line {
    Line { product, quantity }
}

#[redis_cached(key = "user:<user>:orders", ttl = "10m", skip(db))]
pub(crate) async fn orders(db: &Db, user: i64) -> Result<Vec<Order>> {
    let query = "SELECT id, cents FROM orders WHERE user_id = $1 ORDER BY id DESC LIMIT 20";
    let orders: Vec<(i64, i64)> = sqlx::query_as(query).bind(user).fetch_all(db).await?;
    let order = |(id, cents)| Order { id, cents };
    Ok(orders.into_iter().map(order).collect())
}

#[invalidates("user:<user>:cart")]
pub(crate) async fn put_into_cart(db: &Db, user: i64, product: i64, quantity: i64) -> Result<()> {
    let insert = "
        INSERT INTO carts VALUES ($1, $2, $3)
        ON CONFLICT (user_id, product) DO UPDATE SET quantity = carts.quantity + excluded.quantity";
    let insert = sqlx::query(insert).bind(user).bind(product);
    insert.bind(quantity).execute(db).await.map(drop)
}

#[invalidates("user:<user>:cart")]
pub(crate) async fn remove_from_cart(db: &Db, user: i64, product: i64) -> Result<()> {
    let delete = sqlx::query("DELETE FROM carts WHERE user_id = $1 AND product = $2");
    delete.bind(user).bind(product).execute(db).await.map(drop)
}

/// Orders what is in the cart, at the prices of now; or nothing happens.
pub(crate) async fn order(db: &Db, cache: &Cache, user: i64) -> Result<(), Failure> {
    let mut tx = db.begin().await?;
    let after = cache.after_commit();
    after.scope(place(&mut tx, user)).await?; // an error drops both: nothing is written, nothing invalidated
    Ok(after.commit_with(tx.commit()).await?)
}

/// It begins with a write, so that SQLite lets it wait for its turn instead of refusing it later.
async fn place(tx: &mut Transaction, user: i64) -> Result<(), Failure> {
    let mut lines = empty_cart(tx, user).await?;
    if lines.is_empty() {
        return Err(Failure::NothingToOrder);
    }
    lines.sort_by_key(|line| line.product); // two orders wait for each other in one direction only
    let mut priced = Vec::new();
    for line in lines {
        let taken = shop::take(tx, line.product, line.quantity).await?;
        priced.push((line, taken.cents));
    }
    Ok(write_down(tx, user, &priced).await?)
}

#[invalidates("user:<user>:cart")]
async fn empty_cart(tx: &mut Transaction, user: i64) -> Result<Vec<Line>, Failure> {
    let delete = "DELETE FROM carts WHERE user_id = $1 RETURNING product, quantity";
    let lines: Vec<(i64, i64)> = sqlx::query_as(delete)
        .bind(user)
        .fetch_all(&mut **tx)
        .await?;
    Ok(lines.into_iter().map(line).collect())
}

#[invalidates("user:<user>:orders")]
async fn write_down(tx: &mut Transaction, user: i64, lines: &[(Line, i64)]) -> Result<()> {
    let total: i64 = lines
        .iter()
        .map(|(line, cents)| line.quantity * cents)
        .sum();
    let insert = "INSERT INTO orders (user_id, cents) VALUES ($1, $2) RETURNING id";
    let insert = sqlx::query_scalar(insert).bind(user).bind(total);
    let id: i64 = insert.fetch_one(&mut **tx).await?;
    for (line, cents) in lines {
        let insert = sqlx::query("INSERT INTO order_lines VALUES ($1, $2, $3, $4)");
        let insert = insert.bind(id).bind(line.product).bind(line.quantity);
        insert.bind(cents).execute(&mut **tx).await?;
    }
    Ok(())
}
