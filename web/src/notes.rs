//! The queries. What a user may see is part of every key, so no user is served what is another's.

use cached_redis::{Cache, invalidates, redis_cached};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{FromRow, Result, Row as _, Sqlite, Transaction};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: i64,
    pub(crate) text: String,
}

impl FromRow<'_, SqliteRow> for Note {
    fn from_row(row: &SqliteRow) -> Result<Self> {
        let (id, text) = (row.try_get("id")?, row.try_get("text")?);
        Ok(Self { id, text })
    }
}

/// A database in memory. It lives in its connection, so there is one.
pub(crate) async fn open() -> Result<SqlitePool> {
    let one = SqlitePoolOptions::new().max_connections(1);
    let db = one.connect("sqlite::memory:").await?;
    let schema = "
        CREATE TABLE notes (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL);
        INSERT INTO notes (owner, text) VALUES ('ada', 'tea'), ('ada', 'engine'), ('ben', 'bread');
    ";
    sqlx::raw_sql(schema).execute(&db).await?;
    Ok(db)
}

/// A page of a user's notes. Which pages a write changes nobody wants to work out: all of them carry
/// the tag of the user's list, and it drops them at once.
#[redis_cached(
    key = "user:<user>:notes:<page>",
    tags = ["user:<user>:notes"],
    ttl = "10m",
    skip(db)
)]
pub(crate) async fn list(db: &SqlitePool, user: &str, page: u32) -> Result<Vec<Note>> {
    let query = "SELECT id, text FROM notes WHERE owner = ? ORDER BY id LIMIT 10 OFFSET ?";
    let query = sqlx::query_as(query).bind(user).bind(page * 10);
    query.fetch_all(db).await
}

/// One note. That there is none is kept as well, for the `negative_ttl`.
#[redis_cached(key = "user:<user>:note:<id>", ttl = "10m", skip(db))]
pub(crate) async fn find(db: &SqlitePool, user: &str, id: i64) -> Result<Option<Note>> {
    let query = "SELECT id, text FROM notes WHERE owner = ? AND id = ?";
    let query = sqlx::query_as(query).bind(user).bind(id);
    query.fetch_optional(db).await
}

/// The id is known only afterwards. A reader may have asked for it before, and been told that there is
/// no such note.
#[invalidates("user:<user>:note:<result>", tag = "user:<user>:notes", when = "ok")]
pub(crate) async fn add(db: &SqlitePool, user: &str, text: &str) -> Result<i64> {
    let query = sqlx::query("INSERT INTO notes (owner, text) VALUES (?, ?)");
    let done = query.bind(user).bind(text).execute(db).await?;
    Ok(done.last_insert_rowid())
}

/// A step of a transaction. It returns before the commit, so what it invalidates is collected.
#[invalidates("user:<from>:note:<id>", tag = "user:<from>:notes")]
async fn take(tx: &mut Transaction<'_, Sqlite>, from: &str, id: i64) -> Result<Option<String>> {
    let query = "DELETE FROM notes WHERE owner = ? AND id = ? RETURNING text";
    let query = sqlx::query_scalar(query).bind(from).bind(id);
    query.fetch_optional(&mut **tx).await
}

/// Another one.
#[invalidates("user:<to>:note:<id>", tag = "user:<to>:notes")]
async fn put(tx: &mut Transaction<'_, Sqlite>, to: &str, id: i64, text: &str) -> Result<()> {
    let query = sqlx::query("INSERT INTO notes (id, owner, text) VALUES (?, ?, ?)");
    let query = query.bind(id).bind(to).bind(text);
    query.execute(&mut **tx).await?;
    Ok(())
}

/// Gives a note to somebody else, or nothing happens. `false`: there is no such note.
pub(crate) async fn give(
    db: &SqlitePool,
    cache: &Cache,
    from: &str,
    id: i64,
    to: &str,
) -> Result<bool> {
    let mut tx = db.begin().await?;
    let after = cache.after_commit();
    let steps = async {
        let Some(text) = take(&mut tx, from, id).await? else {
            return Ok(false);
        };
        put(&mut tx, to, id, &text).await?;
        Ok::<_, sqlx::Error>(true)
    };
    if !after.scope(steps).await? {
        return Ok(false); // both are dropped: nothing is written, nothing is invalidated
    }
    after.commit_with(tx.commit()).await?;
    Ok(true)
}
