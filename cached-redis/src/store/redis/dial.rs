//! A way to the server, whatever it is made of.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};

#[cfg(feature = "tls")]
use super::cluster::Name;
use super::failure;
use super::sentinel::{self, Primary, Sentinels};
use super::settings::PendingSettings;
#[cfg(feature = "tls")]
use super::tls::Tls;
use crate::error::ConnectProblem;
use crate::store::address::{Endpoint, RedisAddress};

/// After how long without a sign of life the peer of a TCP connection counts as gone.
const PEER_GONE: Duration = Duration::from_secs(10);

/// Where to connect, and what that takes.
pub(super) struct Route {
    pub(super) address: RedisAddress,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Tls>,
    pub(super) sentinels: Sentinels,
    /// What the certificate of a node of a cluster is for, if that is not its host.
    #[cfg(feature = "tls")]
    pub(super) name: Option<Name>,
    /// Whether it is to be a node of a cluster.
    pub(super) is_shard: bool,
    pub(super) pending: PendingSettings,
}

impl Route {
    /// The key that tells whether values may be pending, where a server alone has all keys.
    pub(super) fn marker(&self) -> Option<&str> {
        let key = &*self.pending.key;
        (!key.is_empty() && !self.is_shard).then_some(key)
    }
}

/// Where a connection is to lead beside those of the steps, asked whenever one is made.
pub(super) type Way = Box<dyn Fn() -> Result<Arc<Route>, ConnectProblem> + Send + Sync>;

pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<W: AsyncRead + AsyncWrite + Unpin + Send> Wire for W {}

pub(super) async fn dial(route: &Route) -> Result<Box<dyn Wire>, ConnectProblem> {
    Ok(dial_found(route).await?.0)
}

/// The same, and what Sentinels have led to, if they were asked.
pub(super) async fn dial_found(
    route: &Route,
) -> Result<(Box<dyn Wire>, Option<Primary>), ConnectProblem> {
    let stream = match &route.address.endpoint {
        Endpoint::Tcp { host, port, .. } => dial_to(host, *port, route).await?,
        Endpoint::Sentinel(service) => {
            let primary = sentinel::primary(service, route).await?;
            let (host, port) = &primary.place;
            return Ok((dial_to(host, *port, route).await?, Some(primary)));
        }
        Endpoint::Unix(path) => unix(path).await?,
    };
    Ok((stream, None))
}

#[cfg(unix)]
async fn unix(path: &Path) -> Result<Box<dyn Wire>, ConnectProblem> {
    match tokio::net::UnixStream::connect(path).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ConnectProblem::NoSocket),
        Err(error) => Err(failure::of_system(&error)),
    }
}

#[cfg(not(unix))]
async fn unix(_: &Path) -> Result<Box<dyn Wire>, ConnectProblem> {
    Err(ConnectProblem::Io(io::ErrorKind::Unsupported))
}

/// To one of the hosts that the route leads to.
pub(super) async fn dial_to(
    host: &str,
    port: u16,
    route: &Route,
) -> Result<Box<dyn Wire>, ConnectProblem> {
    let stream = tcp(host, port).await?;
    #[cfg(not(feature = "tls"))]
    let _: &Route = route;
    #[cfg(feature = "tls")]
    if let Some(tls) = &route.tls {
        let name = route.name.as_ref().and_then(Name::get);
        let name = name.as_deref().unwrap_or(host);
        return Ok(Box::new(tls.secure(name, stream).await?));
    }
    Ok(Box::new(stream))
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, ConnectProblem> {
    let found = lookup_host((host, port)).await;
    let addresses: Vec<_> = found.map_err(|_| ConnectProblem::UnknownHost)?.collect();
    let connected = async {
        let stream = TcpStream::connect(&*addresses).await?;
        tune(&stream, stream.peer_addr()?.ip())?;
        Ok(stream)
    };
    connected.await.map_err(|error| failure::of_system(&error))
}

fn tune(stream: &TcpStream, peer: IpAddr) -> io::Result<()> {
    // Nagle's algorithm (RFC 896) keeps a command back until the one before is acknowledged, which
    // comes with its answer. Over a network that costs up to a round trip. On one host it costs
    // nothing, and spares both sides most of what many small packets cost.
    stream.set_nodelay(!peer.is_loopback())?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new().with_time(PEER_GONE);
    socket.set_tcp_keepalive(&keepalive.with_interval(PEER_GONE / 5))?;
    // A peer that vanished would otherwise be written to for a quarter of an hour.
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket.set_tcp_user_timeout(Some(PEER_GONE))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_tcp_connection_sends_at_once_over_a_network_and_notices_a_peer_that_is_gone() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = tcp("127.0.0.1", port).await.unwrap();
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            assert_eq!(socket.tcp_keepalive_time().unwrap(), PEER_GONE);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), PEER_GONE / 5);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(PEER_GONE));
        }
        for (peer, at_once) in [("10.0.0.1", true), ("::1", false), ("127.0.0.1", false)] {
            tune(&stream, peer.parse().unwrap()).unwrap();
            assert_eq!(socket.tcp_nodelay().unwrap(), at_once, "{peer}");
        }
    }
}
