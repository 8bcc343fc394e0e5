//! A real PostgreSQL server for one test: on a free port of the loopback interface, stopped when it is dropped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

use super::signal;

const START_TIMEOUT: Duration = Duration::from_secs(60);

const MISSING: &str = "these tests start PostgreSQL 14 or newer, which was not found: install it (`apt-get install \
     postgresql`), or put its programs on the PATH";

/// A running server; or one that was stopped and can be started again.
pub(crate) struct Postgres {
    child: Child,
    port: u16,
    dir: PathBuf,
}

/// A connection.
pub(crate) struct Session {
    client: Client,
}

impl std::ops::Deref for Session {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl std::ops::DerefMut for Session {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

impl Postgres {
    /// Starts a server that is not afraid of a loss of power.
    pub(crate) fn start() -> Self {
        Self::start_with("fsync = off")
    }

    /// Starts a server with further settings.
    pub(crate) fn start_with(settings: &str) -> Self {
        let port = free_port();
        let dir = directory(&format!("{port}"));
        // The server refuses a directory that others can read, and one that is another's.
        run(as_owner("cp").arg("-a").arg(template()).arg(&dir));
        let text = format!(
            "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{}'\n{SETTINGS}{settings}\n",
            dir.display()
        );
        let file = dir.join("postgresql.auto.conf");
        run(as_owner("sh")
            .args(["-c", "printf %s \"$1\" > \"$2\"", "sh", &text])
            .arg(file));
        let mut server = Self {
            child: spawn(&dir),
            port,
            dir,
        };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let until = Instant::now() + START_TIMEOUT;
        let mut ready = program("pg_isready");
        ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        while !ready.status().expect("pg_isready runs").success() {
            let log = || fs::read_to_string(self.dir.join("log")).unwrap_or_default();
            let ended = self.child.try_wait().expect("a child to ask");
            assert!(
                ended.is_none() && Instant::now() < until,
                "postgres does not start:\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The address for another role, which may come with a password.
    pub(crate) fn url_of(&self, role: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) async fn connect(&self) -> Session {
        self.connect_as("postgres").await
    }

    pub(crate) async fn connect_as(&self, role: &str) -> Session {
        let connected = tokio_postgres::connect(&self.url_of(role), NoTls).await;
        let (client, connection) = connected.expect("the server accepts connections");
        tokio::spawn(connection);
        Session { client }
    }

    /// Runs one statement on a connection of its own.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect().await.batch_execute(sql).await.expect(sql);
    }

    /// Changes a setting while the server runs.
    pub(crate) async fn set(&self, setting: &str) {
        self.alter(&format!("SET {setting}")).await;
    }

    pub(crate) async fn alter(&self, change: &str) {
        self.run(&format!("ALTER SYSTEM {change}")).await;
        self.run("SELECT pg_reload_conf()").await;
    }

    /// `psql`, as any user runs it.
    pub(crate) fn psql(&self) -> Command {
        let mut psql = program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1"])
            .arg(self.url());
        psql
    }

    /// A standby that confirms what it has received, under the name `receiver`.
    pub(crate) fn receiver(&self) -> Receiver {
        let dir = self.dir.join("received");
        run(as_owner("mkdir").arg(&dir));
        let mut receive = as_owner(bin("pg_receivewal"));
        receive
            .args(["--synchronous", "--no-loop", "-d"])
            .arg(format!("{}?application_name=receiver", self.url()));
        let receive = receive.arg("-D").arg(dir).stderr(Stdio::null()).spawn();
        Receiver(receive.expect("pg_receivewal starts"))
    }

    /// Ends it at once, without a checkpoint.
    pub(crate) fn crash(&mut self) {
        signal(&self.child, "QUIT");
        self.child.wait().expect("the server ends");
    }

    /// Puts what it has on disk, stopped as it is, aside.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.dir.with_extension("copy");
        run(as_owner("cp").arg("-a").arg(&self.dir).arg(&copy));
        copy
    }

    /// Starts again from a copy, as a standby that becomes the primary with a timeline of its own.
    pub(crate) async fn promote(&mut self, copy: &Path) {
        run(as_owner("rm").arg("-rf").arg(&self.dir));
        run(as_owner("mv").arg(copy).arg(&self.dir));
        run(as_owner("touch").arg(self.dir.join("standby.signal")));
        self.restart();
        self.run("SELECT pg_promote()").await;
    }

    /// Starts it again, where it was.
    pub(crate) fn restart(&mut self) {
        self.child = spawn(&self.dir);
        self.wait();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // A test that fails may leave one that has crashed.
        if let Ok(None) = self.child.try_wait() {
            self.crash();
        }
        let _ = as_owner("rm").arg("-rf").arg(&self.dir).status();
    }
}

/// It ends with the test.
pub(crate) struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const SETTINGS: &str = "wal_level = logical\nmax_slot_wal_keep_size = '64MB'\nshared_buffers = '16MB'\n\
     max_prepared_transactions = 5\nautovacuum = off\nlogging_collector = off\n";

/// A new cluster, made once for all tests of this process.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        remove_leftovers();
        let dir = directory("template");
        let _ = as_owner("rm").arg("-rf").arg(&dir).status();
        let mut init = as_owner(bin("initdb"));
        init.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale",
            "C.UTF-8",
            "--no-sync",
            "-D",
        ]);
        run(init.arg(&dir));
        let hba = "host all scrammed 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n\
             host replication all 127.0.0.1/32 trust\nlocal all all trust\n";
        run(as_owner("sh")
            .args(["-c", "printf %s \"$1\" > \"$2\"", "sh", hba])
            .arg(dir.join("pg_hba.conf")));
        dir
    })
}

const PREFIX: &str = "cached-redis-postgres-";

fn directory(name: &str) -> PathBuf {
    let process = std::process::id();
    std::env::temp_dir().join(format!("{PREFIX}{process}-{name}"))
}

/// Of processes that have ended: the template outlives its tests, and all of it those that were killed.
fn remove_leftovers() {
    let processes = Path::new("/proc");
    if !processes.join("self").exists() {
        return; // elsewhere it is not known which have ended
    }
    let all = fs::read_dir(std::env::temp_dir());
    for entry in all.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let of = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        let of = of.and_then(|rest| rest.split('-').next());
        if of.is_some_and(|process| !processes.join(process).exists()) {
            let _ = as_owner("rm").arg("-rf").arg(entry.path()).status();
        }
    }
}

fn spawn(dir: &Path) -> Child {
    let mut server = as_owner("sh");
    server
        .args(["-c", "exec \"$1\" -D \"$2\" > \"$2/log\" 2>&1", "sh"])
        .arg(bin("postgres"))
        .arg(dir);
    server
        .stdin(Stdio::null())
        .spawn()
        .expect("postgres starts")
}

fn program(name: &str) -> Command {
    Command::new(bin(name))
}

/// Where a program of PostgreSQL is: on the PATH, or where Debian puts it.
fn bin(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_debian = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let mut of_debian: Vec<_> = of_debian
        .map(|version| version.path().join("bin"))
        .collect();
    of_debian.sort();
    let mut all = std::env::split_paths(&path).chain(of_debian.into_iter().rev());
    // Debian has a wrapper for `psql` on the PATH, and the rest is beside the server.
    let found = all.find(|dir| dir.join("postgres").exists() && dir.join(name).exists());
    found.unwrap_or_else(|| panic!("{MISSING}")).join(name)
}

/// The server refuses to run as root.
fn as_owner(program: impl AsRef<std::ffi::OsStr>) -> Command {
    static IS_ROOT: OnceLock<bool> = OnceLock::new();
    let is_root = *IS_ROOT.get_or_init(|| {
        let id = Command::new("id").arg("-u").output().expect("id runs");
        id.stdout.trim_ascii() == b"0"
    });
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    // A directory that the other user may be in.
    command.current_dir("/");
    command
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
}

/// Below the range from which the system takes ports for outgoing connections.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() as u16).wrapping_mul(67);
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + start.wrapping_add(step) % 7000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
