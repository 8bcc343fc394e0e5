//! What everybody sees: products, and shelves of them. A price is under the product's key and on the shelf's pages,
//! of which nobody wants to work out which ones a change concerns: they carry the tag of their shelf.

use std::collections::BTreeMap;

use cached_redis::{invalidates, redis_cached};
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow, Result, Row as _};

use crate::db::{Db, Transaction};
use crate::failure::Failure;

const SHELF: u32 = 8;

/// How many pages a shelf of so many products has.
pub(crate) fn pages(products: i64) -> u32 {
    (products as u32).div_ceil(SHELF)
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) text: String,
    pub(crate) cents: i64,
    pub(crate) stock: i64,
}

impl FromRow<'_, AnyRow> for Product {
    fn from_row(row: &AnyRow) -> Result<Self> {
        Ok(Self {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            category: row.try_get("category")?,
            text: row.try_get("text")?,
            cents: row.try_get("cents")?,
            stock: row.try_get("stock")?,
        })
    }
}

/// One product. That there is none is kept as well, for the `negative_ttl`.
#[redis_cached(key = "product:<id>", ttl = "10m", skip(db))]
pub(crate) async fn product(db: &Db, id: i64) -> Result<Option<Product>> {
    let query = sqlx::query_as("SELECT * FROM products WHERE id = $1");
    query.bind(id).fetch_optional(db).await
}

/// Many products: of those that are kept, no query asks.
#[redis_cached(key = "product:<id>", ttl = "10m", skip(db), batch(id in ids))]
pub(crate) async fn products(db: &Db, ids: &[i64]) -> Result<BTreeMap<i64, Product>> {
    let places: Vec<_> = (1..=ids.len()).map(|n| format!("${n}")).collect();
    let query = format!("SELECT * FROM products WHERE id IN ({})", places.join(","));
    let query = sqlx::query_as(AssertSqlSafe(query)); // of numbers of parameters alone
    let query = ids.iter().fold(query, |query, id| query.bind(*id));
    let found: Vec<Product> = query.fetch_all(db).await?;
    Ok(found.into_iter().map(|found| (found.id, found)).collect())
}

/// A page of a category.
#[redis_cached(key = "shelf:<category>:<page>", tags = ["shelf:<category>"], ttl = "10m", skip(db))]
pub(crate) async fn shelf(db: &Db, category: &str, page: u32) -> Result<Vec<Product>> {
    let query = "SELECT * FROM products WHERE category = $1 ORDER BY name LIMIT $2 OFFSET $3";
    let query = sqlx::query_as(query).bind(category).bind(i64::from(SHELF));
    query.bind(i64::from(page * SHELF)).fetch_all(db).await
}

/// The categories, each with how much is in it.
#[redis_cached(key = "categories", ttl = "10m", skip(db))]
pub(crate) async fn categories(db: &Db) -> Result<BTreeMap<String, i64>> {
    let query = sqlx::query_as("SELECT category, COUNT(*) FROM products GROUP BY category");
    let found: Vec<(String, i64)> = query.fetch_all(db).await?;
    Ok(found.into_iter().collect())
}

/// The same entries, kept decoded in the memory of this process as well: for pages on which a price may be a moment late
/// in the processes that did not change it. What is paid is read by [`products`].
pub(crate) mod nearby {
    use super::{Db, Product, Result, redis_cached};

    #[redis_cached(key = "product:<id>", ttl = "10m", local = "10s", skip(db))]
    pub(crate) async fn product(db: &Db, id: i64) -> Result<Option<Product>> {
        let query = sqlx::query_as("SELECT * FROM products WHERE id = $1");
        query.bind(id).fetch_optional(db).await
    }
}

/// A price of the clerk's, and what was delivered.
#[invalidates("product:<product.id>", tag = "shelf:<product.category>")]
pub(crate) async fn change(db: &Db, product: &Product, cents: i64, delivered: i64) -> Result<()> {
    let update = "UPDATE products SET cents = $2, stock = stock + $3 WHERE id = $1";
    let update = sqlx::query(update).bind(product.id).bind(cents);
    update.bind(delivered).execute(db).await.map(drop)
}

pub(crate) struct New {
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) text: String,
    pub(crate) cents: i64,
}

/// Its number is known only afterwards. Somebody may have asked for it before, and been told that there is none.
#[invalidates(
    "product:<result>",
    "categories",
    tag = "shelf:<new.category>",
    when = "ok"
)]
pub(crate) async fn add(db: &Db, new: &New) -> Result<i64> {
    let insert = "INSERT INTO products (name, category, text, cents, stock) VALUES ($1, $2, $3, $4, 0) RETURNING id";
    let insert = sqlx::query_scalar(insert)
        .bind(&new.name)
        .bind(&new.category);
    insert.bind(&new.text).bind(new.cents).fetch_one(db).await
}

/// What was taken from a shelf.
pub(crate) struct Taken {
    pub(crate) category: String,
    pub(crate) cents: i64,
}

/// A step of an order: its transaction is still open, so what is invalidated waits for the commit.
#[invalidates("product:<product>", tag = "shelf:<result.category>", when = "ok")]
pub(crate) async fn take(
    tx: &mut Transaction,
    product: i64,
    quantity: i64,
) -> Result<Taken, Failure> {
    let update = "UPDATE products SET stock = stock - $2 WHERE id = $1 AND stock >= $2 RETURNING category, cents";
    let update = sqlx::query_as(update).bind(product).bind(quantity);
    let taken: Option<(String, i64)> = update.fetch_optional(&mut **tx).await?;
    let (category, cents) = taken.ok_or(Failure::SoldOut)?;
    Ok(Taken { category, cents })
}
