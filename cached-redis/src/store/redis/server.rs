//! A Redis server for a test: its own process, on a free port of the loopback interface.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use tokio::time::Instant;

use super::{RedisSettings, RedisStore};
use crate::store::Watch;
use crate::store::address::Address;

mod program;

/// What only turns a hang into a failure: no busy machine needs so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    process: Child,
    port: u16,
    bus: u16,
    directory: PathBuf,
    options: Vec<String>,
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(options: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cached-redis-{}-{count}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let options: Vec<_> = options.iter().map(ToString::to_string).collect();
        // Another process may take a free port before the server does.
        for _ in 0..10 {
            let port = free_port();
            let mut process = spawn(port, &directory, &options);
            if answers(&directory, &mut process) {
                return Self {
                    process,
                    port,
                    bus: 0,
                    directory,
                    options,
                };
            }
        }
        panic!("redis-server does not start");
    }

    /// One that is to be in a cluster.
    pub(crate) fn start_in_cluster() -> Self {
        let bus = free_port();
        let options = [
            "--cluster-enabled",
            "yes",
            "--cluster-node-timeout",
            "5000",
            "--cluster-port",
            &bus.to_string(),
        ];
        let mut server = Self::start_with(&options);
        server.bus = bus;
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The port that the others of its cluster know.
    pub(crate) fn bus(&self) -> u16 {
        self.bus
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket(&self) -> String {
        self.directory.join("redis.sock").display().to_string()
    }

    pub(crate) async fn store(&self) -> RedisStore {
        store(
            &self.url(),
            RedisSettings {
                deadline: Duration::from_secs(2),
                ..RedisSettings::default()
            },
        )
        .await
    }

    /// One command over a connection of its own; the first line of the answer, or the string.
    pub(crate) fn command(&self, words: &[&[u8]]) -> String {
        ask(&self.directory, words).unwrap()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args([signal, &id]).status().unwrap();
        assert!(status.success());
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Again on the same port.
    pub(crate) fn restart(&mut self) {
        self.kill();
        self.process = spawn(self.port, &self.directory, &self.options);
        assert!(answers(&self.directory, &mut self.process));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// The output of `future`, which must not hang.
pub(crate) async fn in_time<F: Future>(future: F) -> F::Output {
    let output = tokio::time::timeout(PATIENCE, future).await;
    output.expect("an end within a minute")
}

/// Looks again and again until `condition` holds.
pub(crate) async fn eventually(mut condition: impl AsyncFnMut() -> bool) {
    in_time(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// A store on `url`, with `settings`.
pub(crate) async fn store(url: &str, settings: RedisSettings) -> RedisStore {
    watched(url, settings, Arc::default()).await
}

/// The same, whose connections are noted.
pub(crate) async fn watched(url: &str, settings: RedisSettings, seen: Arc<Seen>) -> RedisStore {
    match Address::parse(url) {
        Ok(Address::Redis(address)) => RedisStore::connect(address, settings, seen).await.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// For each connection, whether the server had changed; and what ended.
#[derive(Default)]
pub(crate) struct Seen(Mutex<Vec<bool>>, Mutex<Vec<Instant>>);

impl Seen {
    pub(crate) fn connections(&self) -> Vec<bool> {
        self.0.lock().unwrap().clone()
    }

    /// For each end of a connection, its last sign of life.
    pub(crate) fn ends(&self) -> Vec<Instant> {
        self.1.lock().unwrap().clone()
    }
}

impl Watch for Seen {
    fn connected(&self, changed: bool) {
        self.0.lock().unwrap().push(changed);
    }

    fn lost(&self, seen: Instant) {
        self.1.lock().unwrap().push(seen);
    }
}

fn spawn(port: u16, directory: &Path, options: &[String]) -> Child {
    let port = port.to_string();
    let spawned = Command::new(program::program())
        .args([
            "--port",
            &port,
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            "redis.sock",
        ])
        .args([
            "--save",
            "",
            "--appendonly",
            "no",
            "--loglevel",
            "warning",
            "--dir",
        ])
        .arg(directory)
        .args(options)
        .current_dir(directory)
        .stdout(Stdio::null())
        .spawn();
    match spawned {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("install redis-server (Debian/Ubuntu: apt-get install redis-server)")
        }
        Err(error) => panic!("redis-server: {error}"),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn answers(directory: &Path, process: &mut Child) -> bool {
    for _ in 0..500 {
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        if let Ok(answer) = ask(directory, &[b"PING"]) {
            return !answer.is_empty();
        }
        sleep(Duration::from_millis(10));
    }
    false
}

fn encoded(words: &[&[u8]]) -> Vec<u8> {
    let mut encoded = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        encoded.extend(format!("${}\r\n", word.len()).as_bytes());
        encoded.extend(*word);
        encoded.extend(b"\r\n");
    }
    encoded
}

/// Through the socket in the server's own directory: on the port, another one might answer.
fn ask(directory: &Path, words: &[&[u8]]) -> io::Result<String> {
    let mut stream = UnixStream::connect(directory.join("redis.sock"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(&encoded(words))?;
    let mut buffer = [0; 64 * 1024];
    let count = stream.read(&mut buffer)?;
    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
    Ok(match text.split_once("\r\n") {
        Some((head, string)) if head.starts_with('$') => string.trim_end().to_owned(),
        Some((head, _)) => head.to_owned(),
        None => text,
    })
}
