//! One address behind which servers can be exchanged, as a name or a load balancer does it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::RedisServer;

/// Forwards connections to the server it points at when they are made. They stay with that server;
/// what one of them is cut off from, it finds closed.
pub(crate) struct Forwarder {
    port: u16,
    target: Arc<AtomicU16>,
    accepting: JoinHandle<()>,
}

impl Forwarder {
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let target = Arc::new(AtomicU16::new(server.port()));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&target)));
        Self {
            port,
            target,
            accepting,
        }
    }

    /// Leads the connections that come from now on to another server.
    pub(crate) fn point_at(&self, server: &RedisServer) {
        self.target.store(server.port(), Ordering::SeqCst);
    }

    /// The address, as a user writes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, target: Arc<AtomicU16>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, target.load(Ordering::SeqCst)));
    }
}

/// An error on either side ends both.
async fn forward(mut client: TcpStream, port: u16) {
    if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
