//! The same for transactions of sqlx.

use ::sqlx::{PgConnection, Postgres, Transaction};
use cached_redis::AfterCommit;
use cached_redis::behind::WriteId;

use crate::applied::{REMEMBER, columns};
use crate::emit::{EMIT, messages};
use crate::message::PREFIX;

/// [`emit`](crate::emit()) for a connection of sqlx with an open transaction.
///
/// # Errors
///
/// Those of the database; then the transaction cannot be committed.
///
/// # Cancel safety
///
/// Dropped early, some of it may be written down: roll back.
pub async fn emit(
    transaction: &mut PgConnection,
    after: &AfterCommit,
) -> Result<(), ::sqlx::Error> {
    for message in messages(after) {
        let emission = ::sqlx::query(EMIT).bind(PREFIX).bind(message);
        emission.execute(&mut *transaction).await?;
    }
    Ok(())
}

/// [`commit`](crate::commit) for a transaction of sqlx.
///
/// # Errors
///
/// As there.
///
/// # Cancel safety
///
/// As there.
pub async fn commit(
    mut transaction: Transaction<'_, Postgres>,
    after: AfterCommit,
) -> Result<(), ::sqlx::Error> {
    emit(&mut transaction, &after).await?;
    after.commit_with(transaction.commit()).await
}

/// [`is_first`](crate::is_first) in a transaction of sqlx.
///
/// ```no_run
/// use cached_redis::behind::WriteId;
/// use sqlx::{Error, PgPool, query};
///
/// async fn apply(pool: &PgPool, write: &WriteId, item: i64, pieces: i64) -> Result<(), Error> {
///     let mut transaction = pool.begin().await?;
///     if cached_redis_postgres::sqlx::is_first(&mut transaction, write).await? {
///         let update = query("UPDATE items SET pieces = $2 WHERE id = $1");
///         update.bind(item).bind(pieces).execute(&mut *transaction).await?;
///     }
///     transaction.commit().await
/// }
/// ```
///
/// # Errors
///
/// As there.
///
/// # Cancel safety
///
/// As there.
pub async fn is_first(
    transaction: &mut Transaction<'_, Postgres>,
    write: &WriteId,
) -> Result<bool, ::sqlx::Error> {
    let (queue, partition, number) = columns(write);
    let remember = ::sqlx::query(REMEMBER).bind(queue);
    let remember = remember.bind(partition).bind(number);
    let done = remember.execute(&mut **transaction).await?;
    Ok(done.rows_affected() == 1)
}
