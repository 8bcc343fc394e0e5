//! What a client could gain at most where one call at a time waits for the server: a bare socket, written and read by
//! the task that asks, beside the client with which it is written by hand. A hit; the head of a large entry, which is
//! what a checked hit asks for; and two scripts that look and store, which is what a write-through takes. See [`rounds`].

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

mod rounds;

use rounds::order::{Order, by_hand, hand_key, order};
use rounds::support::RedisServer;
use rounds::{Cell, compare, decoded, encoded, measure, prepare};

const ROWS: [&str; 3] = ["100 B", "16 KB, head", "write-through"];
const LINES: [usize; 3] = [1, 256, 1];
const THROUGH: usize = 2;

const KEYS: usize = 64;

/// As much of an entry as says whether a decoded value still stands.
const HEAD: &str = "39";

const SCRIPT: &str = "redis.call('GETRANGE', KEYS[1], 0, 2) return redis.call('SET', KEYS[1], ARGV[1], 'PX', 3600000)";

/// A connection of one task, whose replies are strings that come in one piece or many.
#[derive(Clone)]
struct Bare(Arc<Mutex<TcpStream>>);

impl Bare {
    async fn to(server: &RedisServer) -> Self {
        let socket = TcpStream::connect(("127.0.0.1", server.port())).await;
        let socket = socket.expect("the server is up");
        socket.set_nodelay(true).expect("it is a socket of TCP");
        Self(Arc::new(Mutex::new(socket)))
    }

    /// The reply without its ends.
    async fn ask(&self, command: &[&str]) -> Vec<u8> {
        let mut socket = self.0.lock().await;
        let mut request = format!("*{}\r\n", command.len());
        for part in command {
            request += &format!("${}\r\n{part}\r\n", part.len());
        }
        socket
            .write_all(request.as_bytes())
            .await
            .expect("it is sent");
        let mut reply = Vec::with_capacity(32 * 1024);
        loop {
            let read = socket.read_buf(&mut reply).await;
            assert_ne!(read.expect("it is answered"), 0, "the server is there");
            let end = reply.iter().position(|byte| *byte == b'\n');
            let Some(begin) = end.map(|end| end + 1) else {
                continue;
            };
            let line = str::from_utf8(&reply[1..begin - 2]).expect("it is a line");
            let length = match reply[0] {
                b'$' => line.parse::<usize>().expect("it is a string"),
                b'+' => return line.into(),
                _ => panic!("{line}"),
            };
            if reply.len() >= begin + length + 2 {
                return reply[begin..begin + length].to_vec();
            }
        }
    }
}

async fn bare(connection: Bare, row: usize, id: usize, script: &str) {
    let key = hand_key(LINES[row], id);
    match row {
        THROUGH => {
            for _ in 0..2 {
                let command = ["EVALSHA", script, "1", &key, "value"];
                assert_eq!(connection.ask(&command).await, b"OK");
            }
        }
        1 => assert_eq!(
            connection.ask(&["GETRANGE", &key, "0", HEAD]).await.len(),
            40
        ),
        _ => {
            let order: Order = decoded(&connection.ask(&["GET", &key]).await);
            assert_eq!(order.id, id);
        }
    }
}

async fn set_by_hand(mut connection: MultiplexedConnection, id: usize) {
    let mut set = redis::cmd("SET");
    set.arg(hand_key(1, id))
        .arg("value")
        .arg("PX")
        .arg(3_600_000);
    let stored: redis::RedisResult<()> = set.query_async(&mut connection).await;
    stored.expect("the server answers");
}

fn main() {
    measure(&ROWS, &[1], cell);
}

async fn cell(row: usize, tasks: usize) -> Cell {
    let (server, _, connection) = prepare(|builder| builder).await;
    for id in 0..KEYS {
        server.plant(&hand_key(LINES[row], id), &encoded(&order(LINES[row], id)));
    }
    let socket = Bare::to(&server).await;
    let script = socket.ask(&["SCRIPT", "LOAD", SCRIPT]).await;
    let script = Arc::<str>::from(String::from_utf8(script).expect("it is a digest"));
    let ours = move |turn: usize| {
        let (socket, script) = (socket.clone(), Arc::clone(&script));
        async move { bare(socket, row, turn % KEYS, &script).await }
    };
    let by_hand = move |turn: usize| {
        let (connection, id) = (connection.clone(), turn % KEYS);
        async move {
            match row {
                THROUGH => set_by_hand(connection, id).await,
                _ => assert_eq!(by_hand(connection, LINES[row], id).await.id, id),
            }
        }
    };
    compare(tasks, ours, by_hand).await
}
