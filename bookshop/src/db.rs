//! The database: a file of SQLite in the directory for temporary files.
//!
//! Every row that answers a cached read has a version, which the writes count up in the same
//! transaction as the change. A read takes the version from the same snapshot as the data.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::time::Duration;
use std::{env, fs, process};

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{FromRow, Result, Sqlite, SqliteConnection, Transaction};
use tokio::time::sleep;

use crate::model::BookRef;

pub(crate) const AUTHORS: i64 = 12;
pub(crate) const GENRES: i64 = 5;
pub(crate) const BOOKS: i64 = 60;
/// Books above `BOOKS` up to here are published while the shop is open.
pub(crate) const BOOKS_IN_THE_END: i64 = 75;
const REVIEWS: i64 = 300;

/// A database is seldom in the same process. It makes the answer late, not the query: what arrives
/// may be outdated already, as with any other database.
const WAY_BACK: Duration = Duration::from_millis(2);

const SCHEMA: &str = "
    CREATE TABLE authors (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
    CREATE TABLE genres (id INTEGER PRIMARY KEY, version INTEGER NOT NULL);
    CREATE TABLE books (
        id INTEGER PRIMARY KEY,
        title TEXT NOT NULL,
        author INTEGER NOT NULL,
        genre INTEGER NOT NULL,
        sold INTEGER NOT NULL DEFAULT 0,
        version INTEGER NOT NULL
    );
    CREATE TABLE stock (book INTEGER PRIMARY KEY, copies INTEGER NOT NULL, version INTEGER NOT NULL);
    CREATE TABLE ratings (book INTEGER PRIMARY KEY, version INTEGER NOT NULL);
    CREATE TABLE reviews (book INTEGER NOT NULL, stars INTEGER NOT NULL);
    CREATE INDEX books_by_author ON books (author);
    CREATE INDEX books_by_genre ON books (genre);
    CREATE INDEX reviews_by_book ON reviews (book);
";

#[derive(Clone)]
pub(crate) struct Database {
    file: PathBuf,
    reading: SqlitePool,
    /// Of one connection: SQLite has one writer at a time.
    writing: SqlitePool,
}

impl Database {
    /// A new database with books, stock and reviews in it.
    pub(crate) async fn create() -> Result<Self> {
        let file = env::temp_dir().join(format!("bookshop-{}.sqlite", process::id()));
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Off);
        let pool = |size| SqlitePoolOptions::new().max_connections(size);
        let database = Self {
            file,
            writing: pool(1).connect_with(options.clone()).await?,
            reading: pool(8).connect_with(options).await?,
        };
        database.stock_up().await?;
        Ok(database)
    }

    async fn stock_up(&self) -> Result<()> {
        let mut db = self.write().await?;
        sqlx::raw_sql(SCHEMA).execute(&mut *db).await?;
        for id in 1..=AUTHORS {
            run(&mut db, "INSERT INTO authors VALUES (?, 1)", &[id]).await?;
        }
        for id in 1..=GENRES {
            run(&mut db, "INSERT INTO genres VALUES (?, 1)", &[id]).await?;
        }
        for id in 1..=BOOKS {
            insert(&mut db, book_ref(id), &format!("Volume {id}")).await?;
            for review in 0..REVIEWS {
                let stars = (id + review) % 5 + 1;
                run(&mut db, "INSERT INTO reviews VALUES (?, ?)", &[id, stars]).await?;
            }
        }
        db.commit().await
    }

    /// Closes all connections and removes the file.
    pub(crate) async fn close(self) {
        self.reading.close().await;
        self.writing.close().await;
        // One that stays is the business of whoever cleans up temporary files.
        let _ = fs::remove_file(self.file);
    }

    /// Begins to read; all reads see the same snapshot.
    pub(crate) async fn read(&self) -> Result<Reading> {
        self.reading.begin().await.map(Reading)
    }

    /// Begins to write. Dropped without a commit, nothing is written.
    pub(crate) async fn write(&self) -> Result<Transaction<'static, Sqlite>> {
        self.writing.begin_with("BEGIN IMMEDIATE").await
    }
}

pub(crate) struct Reading(Transaction<'static, Sqlite>);

impl Reading {
    /// Ends the transaction and lets the result travel.
    pub(crate) async fn finish(self) -> Result<()> {
        self.0.commit().await?;
        sleep(WAY_BACK).await;
        Ok(())
    }
}

impl Deref for Reading {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0
    }
}

impl DerefMut for Reading {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

/// The books by their numbers, authors and genres taken in turns.
pub(crate) fn book_ref(id: i64) -> BookRef {
    BookRef {
        id,
        author: id % AUTHORS + 1,
        genre: id % GENRES + 1,
    }
}

pub(crate) async fn insert(db: &mut SqliteConnection, book: BookRef, title: &str) -> Result<()> {
    sqlx::query("INSERT INTO books (id, title, author, genre, version) VALUES (?, ?, ?, ?, 1)")
        .bind(book.id)
        .bind(title)
        .bind(book.author)
        .bind(book.genre)
        .execute(&mut *db)
        .await?;
    run(db, "INSERT INTO stock VALUES (?, 20, 1)", &[book.id]).await?;
    run(db, "INSERT INTO ratings VALUES (?, 1)", &[book.id]).await
}

/// The first column of the row with this id, or 0: what does not exist is older than its first
/// version.
pub(crate) async fn version(db: &mut SqliteConnection, sql: &'static str, id: i64) -> Result<i64> {
    let row: Option<(i64,)> = first(db, sql, &[id]).await?;
    Ok(row.map_or(0, |(version,)| version))
}

/// The first row of a query whose parameters are numbers.
pub(crate) async fn first<R: Row>(
    db: &mut SqliteConnection,
    sql: &'static str,
    numbers: &[i64],
) -> Result<Option<R>> {
    let query = sqlx::query_as(sql);
    let query = numbers
        .iter()
        .fold(query, |query, number| query.bind(*number));
    query.fetch_optional(db).await
}

/// All rows of a query whose parameters are numbers.
pub(crate) async fn all<R: Row>(
    db: &mut SqliteConnection,
    sql: &'static str,
    numbers: &[i64],
) -> Result<Vec<R>> {
    let query = sqlx::query_as(sql);
    let query = numbers
        .iter()
        .fold(query, |query, number| query.bind(*number));
    query.fetch_all(db).await
}

/// Runs a statement whose parameters are numbers.
pub(crate) async fn run(
    db: &mut SqliteConnection,
    sql: &'static str,
    numbers: &[i64],
) -> Result<()> {
    let query = sqlx::query(sql);
    let query = numbers
        .iter()
        .fold(query, |query, number| query.bind(*number));
    query.execute(db).await.map(drop)
}

/// What a row can become.
pub(crate) trait Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin {}

impl<R: for<'r> FromRow<'r, SqliteRow> + Send + Unpin> Row for R {}
