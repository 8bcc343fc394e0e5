//! One address behind which servers can be exchanged, as a name or a load balancer does it, over a
//! network that can be made a bad one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::RedisServer;

/// Forwards connections to the server it points at when they are made. They stay with that server;
/// what one of them is cut off from, it finds closed.
pub(crate) struct Forwarder {
    port: u16,
    network: Arc<Network>,
    accepting: JoinHandle<()>,
}

/// It could be a part of an answer, and not the beginning of one.
const NOISE: &[u8] = b"?\r\n";

/// What all connections have in common.
struct Network {
    target: AtomicU16,
    accepted: AtomicUsize,
    /// By how many seconds the server's clock seems to be ahead.
    ahead: AtomicI64,
    weather: watch::Sender<Weather>,
}

/// How it goes with what is on its way.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// How long each piece takes.
    delay: Duration,
    /// Nothing gets through; what is on its way waits, as packets are sent again.
    dark: bool,
    /// Grows with each cut: connections from before have ended.
    cuts: usize,
    /// The same for half-closes: their servers have nothing more to say.
    half_closes: usize,
    /// The same for what is no answer: it comes before the next one of each connection.
    noises: usize,
}

impl Forwarder {
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let network = Arc::new(Network {
            target: AtomicU16::new(server.port()),
            accepted: AtomicUsize::new(0),
            ahead: AtomicI64::new(0),
            weather: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&network)));
        Self {
            port,
            network,
            accepting,
        }
    }

    /// Leads the connections that come from now on to another server.
    pub(crate) fn point_at(&self, server: &RedisServer) {
        self.network.target.store(server.port(), Ordering::SeqCst);
    }

    /// The address, as a user writes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// How many connections were made so far.
    pub(crate) fn accepted(&self) -> usize {
        self.network.accepted.load(Ordering::SeqCst)
    }

    /// Lets the server's clock seem to be ahead of what it is, on connections that come from now on.
    pub(crate) fn shift_clock(&self, seconds: i64) {
        self.network.ahead.store(seconds, Ordering::SeqCst);
    }

    /// Everything takes so long from now on, in either direction.
    pub(crate) fn delay(&self, delay: Duration) {
        self.change(|weather| weather.delay = delay);
    }

    /// While it is on, connections stand and are accepted, and nothing gets through. What was sent
    /// arrives when it is over, even from a client that has gone.
    pub(crate) fn black_hole(&self, on: bool) {
        self.change(|weather| weather.dark = on);
    }

    /// Ends every connection on both sides, with what is on its way.
    pub(crate) fn cut(&self) {
        self.change(|weather| weather.cuts += 1);
    }

    /// Ends every connection on its way from the server: the client reads its end, while what it
    /// still sends arrives.
    pub(crate) fn half_close(&self) {
        self.change(|weather| weather.half_closes += 1);
    }

    /// Puts what is no answer between those of every connection, or into the middle of one.
    pub(crate) fn garble(&self) {
        self.change(|weather| weather.noises += 1);
    }

    fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.network.weather.send_modify(change);
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        network.accepted.fetch_add(1, Ordering::SeqCst);
        let weather = network.weather.subscribe();
        tokio::spawn(forward(
            client,
            network.target.load(Ordering::SeqCst),
            network.ahead.load(Ordering::SeqCst),
            weather,
        ));
    }
}

/// Until both directions have ended, or a cut.
async fn forward(client: TcpStream, port: u16, ahead: i64, weather: watch::Receiver<Weather>) {
    let began = *weather.borrow();
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let requests = pump(from_client, to_server, 0, usize::MAX, weather.clone());
    let mut half_closed = weather.clone();
    let answers = async {
        // Dropped, it closes its direction.
        tokio::select! {
            () = pump(from_server, to_client, ahead, began.noises, weather.clone()) => {}
            _ = half_closed.wait_for(|now| now.half_closes > began.half_closes) => {}
        }
    };
    let mut cut = weather.clone();
    tokio::select! {
        _ = async { tokio::join!(requests, answers) } => {}
        _ = cut.wait_for(|now| now.cuts > began.cuts) => {}
    }
}

/// One direction. At its end the other side reads the end as well.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut ahead: i64,
    mut noises: usize,
    mut weather: watch::Receiver<Weather>,
) {
    let mut piece = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let heard = weather.borrow().noises;
        if heard > noises && to.write_all(NOISE).await.is_ok() {
            noises = heard;
        }
        if ahead != 0 && shift_time(&mut piece[..length], ahead) {
            ahead = 0;
        }
        let delay = weather.borrow().delay;
        if !delay.is_zero() {
            sleep(delay).await;
        }
        // An error means that the forwarder is gone.
        let light = weather.wait_for(|now| !now.dark).await.is_ok();
        if !light || to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}

/// Changes the first answer to `TIME`, if there is one: an array of the seconds, which have ten
/// digits until the year 2286, and the microseconds.
fn shift_time(piece: &mut [u8], ahead: i64) -> bool {
    const HEAD: &[u8] = b"*2\r\n$10\r\n";
    let found = piece.windows(HEAD.len()).position(|bytes| bytes == HEAD);
    let Some(digits) = found.map(|at| at + HEAD.len()..at + HEAD.len() + 10) else {
        return false;
    };
    let seconds = std::str::from_utf8(&piece[digits.clone()]).expect("digits");
    let seconds: i64 = seconds.parse().expect("seconds since 1970");
    piece[digits].copy_from_slice((seconds + ahead).to_string().as_bytes());
    true
}
