//! What can go wrong with a database.

/// Why a feed does not start, or is not connected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be used. Its text is not shown: it may hold a password.
    #[error("the address of the database {0}")]
    Address(&'static str),
    /// The name of a slot or of a publication cannot be used.
    #[error(
        "`{0}` cannot be the name of a slot or a publication: use up to 59 of `a-z`, `0-9` and `_`"
    )]
    Name(String),
    /// A text is no place in a write-ahead log.
    #[error(
        "no place in a write-ahead log: write it as `pg_current_wal_lsn()` gives it, like 16/B374D848"
    )]
    Lsn,
    /// The server is too old.
    #[error("the server is PostgreSQL {0}, and 14 is the oldest that is supported")]
    Version(i32),
    /// The server writes too little into its log.
    #[error("`wal_level` is `{0}`: `ALTER SYSTEM SET wal_level = logical`, and restart the server")]
    WalLevel(String),
    /// The role may not read a slot.
    #[error(
        "the role may not replicate: `ALTER ROLE … REPLICATION` (on RDS, `GRANT rds_replication TO …`)"
    )]
    Role,
    /// There is no such publication.
    #[error("there is no publication `{0}`: run what `cached-redis-postgres sql` prints")]
    NoPublication(String),
    /// The slot is another's.
    #[error(
        "the slot `{0}` is no logical one of this database with the plugin `pgoutput`: choose another name"
    )]
    ForeignSlot(String),
    /// The server is a standby: what is visible there says nothing of the primary.
    #[error("the server is a standby: the feed needs the primary")]
    Standby,
    /// The two connections of a feed led to different servers, or to one that was restarted in between.
    #[error(
        "the address leads to different servers: the feed needs one of its own, without a pooler or balancer"
    )]
    TwoServers,
    /// The server did not answer in time.
    #[error("the database did not answer within {0:?}")]
    Timeout(std::time::Duration),
    /// The database refused, or there is no connection to it.
    #[error("the database: {}", told(.0))]
    Database(#[from] tokio_postgres::Error),
    /// The stream of changes ended.
    #[error("the stream of changes: {0}")]
    Stream(String),
}

impl Error {
    /// Whether no waiting helps.
    pub(crate) fn is_lasting(&self) -> bool {
        !matches!(
            self,
            Self::Timeout(_)
                | Self::Database(_)
                | Self::Stream(_)
                | Self::Standby
                | Self::TwoServers
        )
    }
}

/// The text of the server with its code, which `Display` of the error leaves out.
fn told(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(refusal) => format!("{} ({})", refusal.message(), refusal.code().code()),
        None => match std::error::Error::source(error) {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        },
    }
}
