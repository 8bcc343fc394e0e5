//! Why there is no connection, in terms that can be shown: texts of the server may quote arguments, so
//! they are looked at here and go no further.

use std::io::{self, ErrorKind};

use redis::{RedisError, ServerError};

use super::reply;
use crate::error::{ConnectProblem, StoreError};

/// Of the system.
pub(super) fn of_system(error: &io::Error) -> ConnectProblem {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectProblem::Refused,
        ErrorKind::TimedOut => ConnectProblem::Timeout,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
            ConnectProblem::Closed
        }
        kind => ConnectProblem::Io(kind),
    }
}

/// Of the client.
pub(super) fn of_client(error: &RedisError) -> ConnectProblem {
    match (error.kind(), reply::error(error)) {
        (redis::ErrorKind::AuthenticationFailed, _) => ConnectProblem::LoginRefused,
        (_, StoreError::Lost) => ConnectProblem::Closed,
        (_, StoreError::Server { code }) => refusal(code, error.detail().unwrap_or_default()),
        _ => ConnectProblem::Protocol,
    }
}

/// Of the server, in the place of an answer.
pub(super) fn of_server(error: &ServerError) -> ConnectProblem {
    of_client(&error.clone().into())
}

/// What a server says at once to a client that it does not let in, before it closes the connection.
pub(super) fn turned_away(code: &str, text: &str) -> Option<ConnectProblem> {
    match code {
        "DENIED" => Some(ConnectProblem::Protected),
        "ERR" if text.starts_with("max number of clients") => Some(ConnectProblem::TooManyClients),
        _ => None,
    }
}

fn refusal(code: String, text: &str) -> ConnectProblem {
    turned_away(&code, text).unwrap_or_else(|| match code.as_str() {
        "NOAUTH" => ConnectProblem::LoginMissing,
        "WRONGPASS" => ConnectProblem::LoginRefused,
        "ERR" if text.contains("DB index") => ConnectProblem::Database,
        "ERR" if text.contains("cluster support disabled") => ConnectProblem::NotCluster,
        "ERR" if text.starts_with("No such master") => ConnectProblem::UnknownService,
        _ => ConnectProblem::Server { code },
    })
}
