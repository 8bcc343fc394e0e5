//! The login to a server of any kind, over a stream that leads there.

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo};
use tokio::io::{AsyncRead, AsyncWrite};

use super::failure;
use crate::error::ConnectProblem;
use crate::store::address::Login;
use crate::util::background::Background;

/// How many operations may wait for the driver before the next one waits for room.
const QUEUE: usize = 1024;
/// How many bytes of commands the driver collects before it writes them out.
const WRITE_BUFFER: usize = 64 * 1024;

/// The login and nothing else: the client would keep to itself what a server says to the first of
/// several commands before it closes the connection.
pub(super) fn info(login: Option<&Login>, protocol: ProtocolVersion) -> RedisConnectionInfo {
    let info = RedisConnectionInfo::default()
        .set_protocol(protocol)
        .set_skip_set_lib_name();
    match login {
        None => info,
        Some(Login { user, password }) => {
            let info = info.set_password(password);
            match user {
                Some(user) => info.set_username(user),
                None => info,
            }
        }
    }
}

pub(super) fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        // Both are outer matters: one attempt and one operation each have one deadline.
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE)
        .set_write_backpressure_boundary(WRITE_BUFFER)
}

pub(super) async fn log_in(
    info: &RedisConnectionInfo,
    config: AsyncConnectionConfig,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<(MultiplexedConnection, Background), ConnectProblem> {
    let opened = MultiplexedConnection::new_with_config(info, stream, config).await;
    let (connection, driver) = opened.map_err(|error| failure::of_client(&error))?;
    Ok((connection, Background(tokio::spawn(driver))))
}
