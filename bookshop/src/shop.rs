//! The shop's queries. The attributes are all that caching takes: what a read is kept under, and
//! which reads a write makes outdated.

use cached_redis::{Cache, invalidates, redis_cached, write_through};
use sqlx::{Error, Result, SqliteConnection};

use crate::db::{Database, all, first, insert, run, version};
use crate::model::{Book, BookRef, Chart, Rating, Shelf, Stock, Subject, Written};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shop {
    database: Database,
    cache: Cache,
}

impl Shop {
    pub(crate) fn new(database: Database, cache: Cache) -> Self {
        Self { database, cache }
    }

    /// `None` is kept too, but not for long: asking for books that do not exist stays cheap.
    #[redis_cached(key = "book:<id>", ttl = "10m", negative_ttl = "10s")]
    pub(crate) async fn book(&self, id: i64) -> Result<Option<Book>> {
        let sql = "SELECT title, author, version FROM books WHERE id = ?";
        let mut db = self.database.read().await?;
        let row: Option<(String, i64, i64)> = first(&mut db, sql, &[id]).await?;
        db.finish().await?;
        Ok(row.map(|(title, author, version)| Book {
            title,
            author,
            version,
        }))
    }

    #[redis_cached(key = "author:<author>:books", ttl = "10m")]
    pub(crate) async fn books_by(&self, author: i64) -> Result<Shelf> {
        let sql = "SELECT title FROM books WHERE author = ? ORDER BY title";
        let mut db = self.database.read().await?;
        let rows: Vec<(String,)> = all(&mut db, sql, &[author]).await?;
        let version = version(&mut db, "SELECT version FROM authors WHERE id = ?", author).await?;
        db.finish().await?;
        let titles = rows.into_iter().map(|(title,)| title).collect();
        Ok(Shelf { titles, version })
    }

    #[redis_cached(key = "stock:<book>", ttl = "1m")]
    pub(crate) async fn stock(&self, book: i64) -> Result<Stock> {
        let sql = "SELECT copies, version FROM stock WHERE book = ?";
        let mut db = self.database.read().await?;
        let (copies, version) = first(&mut db, sql, &[book]).await?.unwrap_or_default();
        db.finish().await?;
        Ok(Stock { copies, version })
    }

    #[redis_cached(key = "bestsellers:<genre>", ttl = "1m", jitter = 0.2)]
    pub(crate) async fn bestsellers(&self, genre: i64) -> Result<Chart> {
        let sql = "SELECT title, sold FROM books WHERE genre = ? ORDER BY sold DESC, id LIMIT 5";
        let mut db = self.database.read().await?;
        let best = all(&mut db, sql, &[genre]).await?;
        let version = version(&mut db, "SELECT version FROM genres WHERE id = ?", genre).await?;
        db.finish().await?;
        Ok(Chart { best, version })
    }

    #[redis_cached(key = "rating:<book>", ttl = "10m")]
    pub(crate) async fn rating(&self, book: i64) -> Result<Rating> {
        let sql = "SELECT count(*), coalesce(avg(stars), 0.0) FROM reviews WHERE book = ?";
        let mut db = self.database.read().await?;
        let (reviews, mean) = first(&mut db, sql, &[book]).await?.unwrap_or_default();
        let version = version(&mut db, "SELECT version FROM ratings WHERE book = ?", book).await?;
        db.finish().await?;
        Ok(Rating {
            reviews,
            mean,
            version,
        })
    }

    /// Sells a copy, if there is one.
    #[invalidates("stock:<book.id>", "bestsellers:<book.genre>")]
    pub(crate) async fn sell(&self, book: BookRef) -> Result<Written> {
        let sql = "UPDATE stock SET copies = copies - 1, version = version + 1
                   WHERE book = ? AND copies > 0 RETURNING version";
        let mut db = self.database.write().await?;
        let Some((stock,)) = first(&mut db, sql, &[book.id]).await? else {
            // Sold out, or not published yet.
            return Ok(Written::new());
        };
        let sold = "UPDATE books SET sold = sold + 1 WHERE id = ?";
        run(&mut db, sold, &[book.id]).await?;
        let chart = version(&mut db, NEW_CHART, book.genre).await?;
        db.commit().await?;
        Ok(vec![
            (Subject::Stock(book.id), stock),
            (Subject::Chart(book.genre), chart),
        ])
    }

    /// What is written here is what is read next: it is stored at once.
    #[write_through(key = "stock:<book>", ttl = "1m", tags = [])]
    pub(crate) async fn restock(&self, book: i64, copies: i64) -> Result<Stock> {
        let sql = "UPDATE stock SET copies = copies + ?, version = version + 1
                   WHERE book = ? RETURNING copies, version";
        let mut db = self.database.write().await?;
        let row = first(&mut db, sql, &[copies, book]).await?;
        db.commit().await?;
        let (copies, version) = row.unwrap_or_default();
        Ok(Stock { copies, version })
    }

    /// Takes a copy of one book back and gives one of another out: both, or neither. What its steps
    /// make outdated is invalidated when the transaction has been committed, and not at all if it is
    /// rolled back.
    pub(crate) async fn exchange(&self, back: i64, out: i64) -> Result<Written> {
        let mut db = self.database.write().await?;
        let after = self.cache.after_commit();
        let Some(written) = after.scope(swap(&mut db, back, out)).await? else {
            // Sold out, or not published yet. Dropped, the transaction is rolled back.
            return Ok(Written::new());
        };
        after.commit_with(db.commit()).await?;
        Ok(written)
    }

    /// The title is on the author's shelf and in the chart as well.
    #[invalidates(
        "book:<book.id>",
        "author:<book.author>:books",
        "bestsellers:<book.genre>"
    )]
    pub(crate) async fn rename(&self, book: BookRef, title: &str) -> Result<Written> {
        let mut db = self.database.write().await?;
        let sql = "UPDATE books SET title = ? WHERE id = ?";
        let query = sqlx::query(sql).bind(title).bind(book.id);
        query.execute(&mut *db).await?;
        let renamed = version(&mut db, NEW_BOOK, book.id).await?;
        let shelf = version(&mut db, NEW_SHELF, book.author).await?;
        let chart = version(&mut db, NEW_CHART, book.genre).await?;
        db.commit().await?;
        Ok(vec![
            (Subject::Book(book.id), renamed),
            (Subject::Shelf(book.author), shelf),
            (Subject::Chart(book.genre), chart),
        ])
    }

    /// What did not exist may have been asked for, and its absence been kept.
    #[invalidates(
        "book:<book.id>",
        "stock:<book.id>",
        "rating:<book.id>",
        "author:<book.author>:books",
        "bestsellers:<book.genre>"
    )]
    pub(crate) async fn publish(&self, book: BookRef, title: &str) -> Result<Written> {
        let mut db = self.database.write().await?;
        match insert(&mut db, book, title).await {
            // It is published already.
            Err(Error::Database(error)) if error.is_unique_violation() => return Ok(Written::new()),
            inserted => inserted?,
        }
        let shelf = version(&mut db, NEW_SHELF, book.author).await?;
        let chart = version(&mut db, NEW_CHART, book.genre).await?;
        db.commit().await?;
        Ok(vec![
            (Subject::Book(book.id), 1),
            (Subject::Stock(book.id), 1),
            (Subject::Rating(book.id), 1),
            (Subject::Shelf(book.author), shelf),
            (Subject::Chart(book.genre), chart),
        ])
    }

    /// Reviews a book, if it is published.
    #[invalidates("rating:<book>")]
    pub(crate) async fn review(&self, book: i64, stars: i64) -> Result<Written> {
        let sql = "INSERT INTO reviews SELECT id, ?2 FROM books WHERE id = ?1";
        let mut db = self.database.write().await?;
        run(&mut db, sql, &[book, stars]).await?;
        let rating = version(&mut db, NEW_RATING, book).await?;
        db.commit().await?;
        Ok(vec![(Subject::Rating(book), rating)])
    }
}

async fn swap(db: &mut SqliteConnection, back: i64, out: i64) -> Result<Option<Written>> {
    let back = move_copies(db, back, 1).await?;
    let out = move_copies(db, out, -1).await?;
    Ok(back.zip(out).map(|(back, out)| vec![back, out]))
}

/// A step of a transaction: `None` if there are not as many copies.
#[invalidates("stock:<book>")]
async fn move_copies(
    db: &mut SqliteConnection,
    book: i64,
    copies: i64,
) -> Result<Option<(Subject, i64)>> {
    let sql = "UPDATE stock SET copies = copies + ?1, version = version + 1
               WHERE book = ?2 AND copies + ?1 >= 0 RETURNING version";
    let stock: Option<(i64,)> = first(db, sql, &[copies, book]).await?;
    Ok(stock.map(|(version,)| (Subject::Stock(book), version)))
}

const NEW_BOOK: &str = "UPDATE books SET version = version + 1 WHERE id = ? RETURNING version";
const NEW_SHELF: &str = "UPDATE authors SET version = version + 1 WHERE id = ? RETURNING version";
const NEW_CHART: &str = "UPDATE genres SET version = version + 1 WHERE id = ? RETURNING version";
const NEW_RATING: &str =
    "UPDATE ratings SET version = version + 1 WHERE book = ? RETURNING version";
