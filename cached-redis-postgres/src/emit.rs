//! Writing an invalidation down inside of the transaction that makes it necessary.
//!
//! The message is committed with the change, or rolled back with it. So a writer that dies between its commit
//! and its own invalidation leaves nothing old behind: a [`Feed`](crate::Feed) invalidates too.

use cached_redis::AfterCommit;
use tokio_postgres::{GenericClient, Transaction};

use crate::message::{Message, PREFIX};

pub(crate) const EMIT: &str = "SELECT pg_logical_emit_message(true, $1::text, $2::text)";

pub(crate) fn messages(after: &AfterCommit) -> impl Iterator<Item = String> {
    let collected = after.collected().into_iter().map(Message::of);
    collected
        .filter(|message| !message.is_empty())
        .map(|message| message.text())
}

/// Writes down, inside of the open transaction, what `after` has collected until now: to be called as the last
/// thing before the commit. It needs neither the SQL kit nor a privilege.
///
/// # Errors
///
/// Those of the database; then the transaction cannot be committed.
///
/// # Cancel safety
///
/// Dropped early, some of it may be written down: roll back.
pub async fn emit<C: GenericClient>(
    transaction: &C,
    after: &AfterCommit,
) -> Result<(), tokio_postgres::Error> {
    for message in messages(after) {
        transaction.execute(EMIT, &[&PREFIX, &message]).await?;
    }
    Ok(())
}

/// [Emits](emit) what `after` has collected, commits, and invalidates directly: readers see the change at once,
/// and if this process dies before, a feed makes up for it.
///
/// ```no_run
/// use cached_redis::{Cache, invalidates};
/// use tokio_postgres::{Client, Transaction};
///
/// #[invalidates("user:<id>")]
/// async fn rename(transaction: &Transaction<'_>, id: i64, name: &str) -> Result<(), tokio_postgres::Error> {
///     let update = "UPDATE users SET name = $2 WHERE id = $1";
///     transaction.execute(update, &[&id, &name]).await.map(drop)
/// }
///
/// # async fn write(cache: &Cache, client: &mut Client) -> Result<(), tokio_postgres::Error> {
/// let after = cache.after_commit();
/// let transaction = client.transaction().await?;
/// after.scope(rename(&transaction, 42, "Ann")).await?;
/// cached_redis_postgres::commit(transaction, after).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Those of the database. After one of the commit itself it is not known whether it was done, and the direct
/// invalidation is sent all the same.
///
/// # Cancel safety
///
/// Dropped before the commit was sent, it is rolled back; dropped later, everything is sent.
pub async fn commit(
    transaction: Transaction<'_>,
    after: AfterCommit,
) -> Result<(), tokio_postgres::Error> {
    emit(&transaction, &after).await?;
    after.commit_with(transaction.commit()).await
}
