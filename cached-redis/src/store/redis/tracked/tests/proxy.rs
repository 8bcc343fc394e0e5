//! One address before a server, whose connections can each be held back and cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::super::super::server::Server;
use crate::util::background::Background;
use crate::util::lock::Mutex;

pub(super) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _accepting: Background,
}

struct Shared {
    target: Mutex<String>,
    accepted: AtomicUsize,
    weather: watch::Sender<Weather>,
}

#[derive(Default)]
struct Weather {
    /// Nothing comes through from the server.
    held_back: Vec<usize>,
    cut: Vec<usize>,
}

impl Proxy {
    pub(super) async fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            target: Mutex::new(address(server)),
            accepted: AtomicUsize::new(0),
            weather: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Self {
            port,
            shared,
            _accepting: Background(accepting),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(super) fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Connections from now on.
    pub(super) fn point_at(&self, server: &Server) {
        *self.shared.target.lock() = address(server);
    }

    /// What the server sends on a connection, by its number.
    pub(super) fn hold_back(&self, connection: usize, on: bool) {
        self.shared.weather.send_modify(|weather| {
            weather.held_back.retain(|it| *it != connection);
            weather.held_back.extend(on.then_some(connection));
        });
    }

    pub(super) fn cut(&self, connection: usize) {
        let cut = |weather: &mut Weather| weather.cut.push(connection);
        self.shared.weather.send_modify(cut);
    }
}

fn address(server: &Server) -> String {
    server.url().trim_start_matches("redis://").to_owned()
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(forward(client, number, Arc::clone(&shared)));
    }
}

async fn forward(mut client: TcpStream, number: usize, shared: Arc<Shared>) {
    let target = shared.target.lock().clone();
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let answers = async {
        let mut weather = shared.weather.subscribe();
        let mut piece = vec![0; 16 * 1024];
        loop {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            let Ok(length @ 1..) = from_server.read(&mut piece).await else {
                return;
            };
            let light = weather.wait_for(|now| !now.held_back.contains(&number));
            if light.await.is_err() || to_client.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    };
    let mut cut = shared.weather.subscribe();
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        () = answers => {}
        _ = cut.wait_for(|now| now.cut.contains(&number)) => {}
    }
}
