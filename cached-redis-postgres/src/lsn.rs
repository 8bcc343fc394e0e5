//! Places in the write-ahead log.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use tokio_postgres::types::PgLsn;

/// A place in the write-ahead log of a database, as `pg_current_wal_lsn()` gives it.
///
/// ```
/// use cached_redis_postgres::Lsn;
///
/// let lsn: Lsn = "16/B374D848".parse()?;
/// assert_eq!(lsn.to_string(), "16/B374D848");
/// # Ok::<(), cached_redis_postgres::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub(crate) u64);

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 as u32)
    }
}

impl FromStr for Lsn {
    type Err = crate::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lsn: Result<PgLsn, _> = text.parse();
        lsn.map(Self::from).map_err(|_| crate::Error::Lsn)
    }
}

impl From<PgLsn> for Lsn {
    fn from(lsn: PgLsn) -> Self {
        Self(lsn.into())
    }
}

impl From<u64> for Lsn {
    fn from(lsn: u64) -> Self {
        Self(lsn)
    }
}

impl From<Lsn> for u64 {
    fn from(lsn: Lsn) -> Self {
        lsn.0
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
