//! The cache as it is often written: GET, on a miss SET; DEL after a write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue};

use crate::subject::Ended;

/// One server, or several that are asked in turn for who has the key.
#[derive(Clone)]
pub(crate) struct ByHand {
    servers: Vec<Server>,
    loads: Arc<AtomicU64>,
}

/// Makes its connection again when that is lost; what fails meanwhile has failed.
#[derive(Clone)]
struct Server {
    client: Client,
    connection: Arc<Mutex<Option<MultiplexedConnection>>>,
}

impl ByHand {
    pub(crate) fn new(url: &str) -> Self {
        let url = url.replace("redis+cluster://", "redis://");
        let addresses = url.trim_start_matches("redis://").split(',');
        let server = |address| Server {
            client: Client::open(format!("redis://{address}")).expect("the address is right"),
            connection: Arc::default(),
        };
        Self {
            servers: addresses.map(server).collect(),
            loads: Arc::default(),
        }
    }

    pub(crate) async fn read<L: Future<Output = u64>>(
        &self,
        key: u64,
        load: impl FnOnce() -> L,
    ) -> u64 {
        if let Some(version) = self.kept(key).await {
            return version;
        }
        self.loads.fetch_add(1, Ordering::Relaxed);
        let version = load().await;
        let mut set = redis::cmd("SET");
        set.arg(name(key)).arg(version).arg("EX").arg(600);
        let _: Option<()> = self.ask(&set).await;
        version
    }

    pub(crate) async fn invalidate(&self, key: u64) -> Ended {
        let removed: Option<u64> = self.ask(redis::cmd("DEL").arg(name(key))).await;
        removed.map_or(Ended::Failed, |_| Ended::Confirmed)
    }

    pub(crate) async fn kept(&self, key: u64) -> Option<u64> {
        self.ask(redis::cmd("GET").arg(name(key))).await.flatten()
    }

    pub(crate) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// `None`: it failed everywhere.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        for server in &self.servers {
            if let Some(answer) = server.ask(command).await {
                return Some(answer);
            }
        }
        None
    }
}

impl Server {
    /// `None`: it failed.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        let standing = self.connection().clone();
        let mut connection = match standing {
            Some(connection) => connection,
            None => self.open().await?,
        };
        let answer = command.query_async(&mut connection).await;
        if answer
            .as_ref()
            .is_err_and(|error| error.is_connection_dropped() || error.is_timeout())
        {
            *self.connection() = None;
        }
        answer.ok()
    }

    async fn open(&self) -> Option<MultiplexedConnection> {
        // As long as a busy machine may take; a connection that is cut fails at once.
        let patience = Duration::from_secs(10);
        let config = AsyncConnectionConfig::new().set_response_timeout(Some(patience));
        let opened = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        let connection = opened.await.ok()?;
        *self.connection() = Some(connection.clone());
        Some(connection)
    }

    fn connection(&self) -> MutexGuard<'_, Option<MultiplexedConnection>> {
        self.connection.lock().expect("nothing panics meanwhile")
    }
}

fn name(key: u64) -> String {
    format!("naive:{key}")
}
