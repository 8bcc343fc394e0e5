//! One address behind which servers can be exchanged, as a name or a load balancer does it, and
//! connections lost, as networks do it.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::RedisServer;

/// Forwards connections to the server it points at when they are made. They stay with that server;
/// what one of them is cut off from, it finds closed.
pub(crate) struct Forwarder {
    port: u16,
    target: Arc<AtomicU16>,
    line: watch::Sender<Line>,
    accepting: JoinHandle<()>,
}

/// What happens to the connections.
#[derive(Clone, Copy, Default)]
struct Line {
    cuts: u64,
    silent: bool,
}

impl Forwarder {
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let target = Arc::new(AtomicU16::new(server.port()));
        let line = watch::Sender::new(Line::default());
        let accepting = tokio::spawn(accept(listener, Arc::clone(&target), line.subscribe()));
        Self {
            port,
            target,
            line,
            accepting,
        }
    }

    /// Leads the connections that come from now on to another server.
    pub(crate) fn point_at(&self, server: &RedisServer) {
        self.target.store(server.port(), Ordering::SeqCst);
    }

    /// Closes all connections that there are.
    pub(crate) fn cut(&self) {
        self.line.send_modify(|line| line.cuts += 1);
    }

    /// From now on nothing gets through and nobody is told. The connections that are there, and those
    /// that come before it [speaks](Self::speak), never carry anything again.
    pub(crate) fn fall_silent(&self) {
        self.line.send_modify(|line| line.silent = true);
    }

    /// Lets those that come from now on through.
    pub(crate) fn speak(&self) {
        self.line.send_modify(|line| line.silent = false);
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

async fn accept(listener: TcpListener, target: Arc<AtomicU16>, line: watch::Receiver<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        let port = target.load(Ordering::SeqCst);
        tokio::spawn(until_cut(client, port, line.clone()));
    }
}

/// It ends with the forwarder as well.
async fn until_cut(client: TcpStream, port: u16, line: watch::Receiver<Line>) {
    let cuts = line.borrow().cuts;
    let mut cut = line.clone();
    tokio::select! {
        () = forward(client, port, line) => {}
        _ = cut.wait_for(|line| line.cuts > cuts) => {}
    }
}

/// An error on either side ends both.
async fn forward(mut client: TcpStream, port: u16, mut line: watch::Receiver<Line>) {
    let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let silence = async {
        // An error means the end of the forwarder, which ends this as well.
        let _ = line.wait_for(|line| line.silent).await;
    };
    tokio::select! {
        // In this order, so that a line that is silent carries not a byte.
        biased;
        () = silence => pending().await,
        _ = copy_bidirectional(&mut client, &mut server) => {}
    }
}
