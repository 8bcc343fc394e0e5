//! A real Redis server for one test: on a free port of the loopback interface, without
//! persistence, stopped when it is dropped.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use redis::{Client, Connection, FromRedisValue};

use super::{program, signal};

/// Below the range from which the system takes ports for outgoing connections, so that nothing
/// moves in while a test has its server down.
const PORTS: std::ops::Range<u16> = 17_000..32_000;

const START_TIMEOUT: Duration = Duration::from_secs(20);

const MISSING: &str = "these tests start `redis-server`, which was not found: install it (`apt-get install redis-server`)";

/// A running server; or one that was killed and can be restarted.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    dir: PathBuf,
    args: Vec<String>,
}

impl RedisServer {
    /// Starts a server.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a server with further arguments, in which `<port>` stands for its port.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        // Somebody else may take the port between the look and the start.
        let started = (0..20).find_map(|_| Self::start_on(free_port(), &args));
        started.expect("redis-server starts on one of twenty ports")
    }

    fn start_on(port: u16, args: &[String]) -> Option<Self> {
        let name = format!("cached-redis-{}-{port}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a directory for the server");
        let child = spawn(port, &dir, args);
        let mut server = Self {
            child,
            port,
            dir,
            args: args.to_vec(),
        };
        server.is_up().then_some(server)
    }

    /// Waits until the server answers; `false` if it ended instead.
    ///
    /// Asked through the socket in its own directory: on the port, another server might answer.
    fn is_up(&mut self) -> bool {
        let until = Instant::now() + START_TIMEOUT;
        loop {
            if self
                .try_connect()
                .is_ok_and(|mut connection| is_ready(&mut connection))
            {
                return true;
            }
            if self.child.try_wait().expect("a child to ask").is_some() {
                return false;
            }
            assert!(Instant::now() < until, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its address, as a user writes it.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its address with a login.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@127.0.0.1:{}", self.port)
    }

    /// Its address behind the Unix socket.
    pub(crate) fn socket_url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    fn socket(&self) -> PathBuf {
        self.dir.join("redis.sock")
    }

    /// A connection that the cache knows nothing about.
    pub(crate) fn connect(&self) -> Connection {
        self.try_connect().expect("the server accepts connections")
    }

    fn try_connect(&self) -> redis::RedisResult<Connection> {
        Client::open(self.socket_url())?.get_connection()
    }

    /// Runs one command on a connection of its own.
    pub(crate) fn run<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        let answer = command.query(&mut self.connect());
        answer.unwrap_or_else(|error| panic!("`{}`: {error}", words.join(" ")))
    }

    /// Sets `key` to bytes that no cache has written.
    pub(crate) fn plant(&self, key: &str, bytes: &[u8]) {
        let set = redis::cmd("SET")
            .arg(key)
            .arg(bytes)
            .exec(&mut self.connect());
        set.expect("the server stores it");
    }

    /// What stands under `key`, byte by byte.
    pub(crate) fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        let get = redis::cmd("GET").arg(key).query(&mut self.connect());
        get.expect("the server answers")
    }

    /// Every key and the milliseconds it has left; negative for a key without a TTL.
    pub(crate) fn lives(&self) -> BTreeMap<String, i64> {
        let keys: Vec<String> = self.run(&["KEYS", "*"]);
        let life = |key: &str| self.run(&["PTTL", key]);
        keys.into_iter()
            .map(|key| (key.clone(), life(&key)))
            .collect()
    }

    /// Forgets which commands were run.
    pub(crate) fn reset_commands(&self) {
        self.run::<()>(&["CONFIG", "RESETSTAT"]);
    }

    /// Which commands were run since, by name, without those of the tests.
    pub(crate) fn commands(&self) -> BTreeMap<String, u64> {
        let stats: String = self.run(&["INFO", "commandstats"]);
        let rows = stats.lines().filter_map(|line| {
            let (name, row) = line.strip_prefix("cmdstat_")?.split_once(':')?;
            let calls = row.strip_prefix("calls=")?.split(',').next()?;
            Some((name.to_owned(), calls.parse().ok()?))
        });
        rows.filter(|(name, _)| !is_ours(name)).collect()
    }

    /// Stops the process without ending it: connections stay and nothing is answered.
    pub(crate) fn freeze(&self) {
        signal(&self.child, "STOP");
    }

    /// Lets a frozen server go on.
    pub(crate) fn thaw(&self) {
        signal(&self.child, "CONT");
    }

    /// Ends the server at once, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("the server can be killed");
        self.child.wait().expect("the server ends");
    }

    /// Makes it a replica of `primary`, and waits until it has all that stands there.
    pub(crate) fn demote(&self, primary: &Self) {
        self.run::<()>(&["REPLICAOF", "127.0.0.1", &primary.port.to_string()]);
        let until = Instant::now() + START_TIMEOUT;
        while !self.replication().contains("master_link_status:up") {
            assert!(Instant::now() < until, "the replica does not follow");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Makes a replica a primary.
    pub(crate) fn promote(&self) {
        self.run::<()>(&["REPLICAOF", "NO", "ONE"]);
    }

    fn replication(&self) -> String {
        self.run(&["INFO", "replication"])
    }

    /// Starts a killed server again under the same address: empty, or with what `SAVE` had saved.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(self.port, &self.dir, &self.args);
        assert!(self.is_up(), "redis-server starts on its old port");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Nothing to do about a server that is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn spawn(port: u16, dir: &PathBuf, args: &[String]) -> Child {
    let mut command = Command::new(program(args));
    if args.iter().any(|arg| arg == "--sentinel") {
        // It keeps what it learns in the file that it was started with.
        fs::write(dir.join("sentinel.conf"), "").expect("a file for the sentinel");
        command.arg("sentinel.conf");
    }
    let spawned = command
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args([
            "--unixsocket",
            "redis.sock",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        // Else a replica waits five seconds for others to be served along with it.
        .args(["--repl-diskless-sync-delay", "0"])
        .arg("--dir")
        .arg(dir)
        .args(
            args.iter()
                .map(|arg| arg.replace("<port>", &port.to_string())),
        )
        .current_dir(dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    match spawned {
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{MISSING}"),
        spawned => spawned.expect("redis-server starts"),
    }
}

/// What is said of TLS is said of the server of the PATH: the others are built without it.
fn program(args: &[String]) -> PathBuf {
    match args.iter().any(|arg| arg == "--tls-port") {
        true => "redis-server".into(),
        false => program::program(),
    }
}

fn is_ready(connection: &mut Connection) -> bool {
    redis::cmd("PING").exec(connection).is_ok()
}

fn is_ours(command: &str) -> bool {
    [
        "info",
        "config|resetstat",
        "hello",
        "client|setinfo",
        "ping",
    ]
    .contains(&command)
}

/// A port that is free now and that no other server of this process was given.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() as u16).wrapping_mul(61);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + start.wrapping_add(step) % (PORTS.end - PORTS.start);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
