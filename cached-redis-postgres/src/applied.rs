//! Which writes of [write-behind](cached_redis::docs::write_behind) the database has, remembered together with them.
//!
//! One row for each partition of a queue is enough, since the numbers of its writes rise: what is not above the last one
//! was applied before, by whomever. The row is locked until the end of the transaction, so a worker that was given up
//! and goes on waits there for its successor, and then finds that it was overtaken.

use cached_redis::behind::WriteId;
use tokio_postgres::Transaction;
use tokio_postgres::types::ToSql;

/// Changes no row where the number is not above the last one.
pub(crate) const REMEMBER: &str = "INSERT INTO cached_redis_applied AS applied VALUES ($1, $2, $3) \
    ON CONFLICT (queue, partition) DO UPDATE SET number = EXCLUDED.number WHERE applied.number < EXCLUDED.number";

/// Of the types that the table has; no server gives a number that does not fit.
pub(crate) fn columns(write: &WriteId) -> (&str, i32, i64) {
    (&write.queue, write.partition as i32, write.number as i64)
}

/// Whether a write under [`#[write_behind]`](cached_redis::write_behind) is still to be applied, and remembers in the same
/// transaction that it was. Called by the function before anything else. `false`: it was applied, so there is nothing
/// to do.
///
/// The [number of the write](WriteId::current) is kept in the table [`sql::APPLIED`](crate::sql::APPLIED), by the name of the
/// queue: **queues of several namespaces that write to one database need names of their own.**
///
/// It holds a row of its partition until the transaction ends, also where the worker is suspended in the middle: let
/// `idle_in_transaction_session_timeout` end those.
///
/// ```no_run
/// use cached_redis::behind::WriteId;
/// use tokio_postgres::{Client, Error};
///
/// async fn apply(client: &mut Client, write: &WriteId, item: i64, pieces: i64) -> Result<(), Error> {
///     let transaction = client.transaction().await?;
///     if cached_redis_postgres::is_first(&transaction, write).await? {
///         let update = "UPDATE items SET pieces = $2 WHERE id = $1";
///         transaction.execute(update, &[&item, &pieces]).await?;
///     }
///     transaction.commit().await
/// }
/// ```
///
/// # Errors
///
/// Those of the database; then the transaction cannot be committed.
///
/// # Cancel safety
///
/// Dropped early, it may be remembered: roll back.
pub async fn is_first(
    transaction: &Transaction<'_>,
    write: &WriteId,
) -> Result<bool, tokio_postgres::Error> {
    let (queue, partition, number) = columns(write);
    let columns: [&(dyn ToSql + Sync); 3] = [&queue, &partition, &number];
    Ok(transaction.execute(REMEMBER, &columns).await? == 1)
}
