//! Why there is no connection. No text of the server's is passed on: it may quote arguments.

use std::io;

use redis::RedisError;

use super::reply;
use crate::error::StoreError;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Io(io::ErrorKind),
    #[error("no answer in time")]
    Timeout,
    #[error("{0}")]
    Refused(#[from] StoreError),
    #[error("the epoch of `on_failover` could not be agreed on: {0}")]
    Epoch(StoreError),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error.kind())
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self::Refused(reply::error(&error))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Io(_) | Failure::Timeout => Self::Unavailable,
            Failure::Refused(error) | Failure::Epoch(error) => error,
        }
    }
}
