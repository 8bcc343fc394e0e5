//! The source of truth: versions, and floors below which no read may come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Script, ToRedisArgs};

use crate::KEYS;
use crate::shards::WINDOWS;

/// Raises a number, and never lowers it.
const RAISE: &str = "
    local floor = tonumber(redis.call('GET', KEYS[1]) or '0')
    if floor < tonumber(ARGV[1]) then
        redis.call('SET', KEYS[1], ARGV[1])
    end
";

/// A load that the source has refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Refused;

/// A connection to the server that holds the truth.
#[derive(Clone)]
pub(crate) struct Truth {
    connection: MultiplexedConnection,
    raise: Script,
    /// The share of the loads that it refuses, of those that may be.
    refuses: f64,
    refused: Arc<AtomicU64>,
    moved: Arc<AtomicU64>,
}

impl Truth {
    pub(crate) async fn connect(url: &str) -> Self {
        Self {
            connection: connect(url).await,
            raise: Script::new(RAISE),
            refuses: 0.02,
            refused: Arc::default(),
            moved: Arc::default(),
        }
    }

    /// One that refuses all.
    pub(crate) fn refusing(&self) -> Self {
        Self {
            refuses: 1.0,
            ..self.clone()
        }
    }

    /// What a load finds, unless it is refused.
    pub(crate) async fn try_version(&self, key: u64) -> Result<u64, Refused> {
        if fastrand::f64() < self.refuses {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refused);
        }
        Ok(self.version(key).await)
    }

    /// How many loads it has refused.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What a load finds of a row that moves between tags.
    pub(crate) async fn moving_version(&self, key: u64) -> u64 {
        self.moved.fetch_add(1, Ordering::Relaxed);
        self.version(key).await
    }

    /// How many loads may have found a tag that they did not know, so that nothing was kept but its name.
    pub(crate) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// What a load finds.
    pub(crate) async fn version(&self, key: u64) -> u64 {
        self.ask("GET", format!("version:{key}")).await.unwrap_or(0)
    }

    /// A new version of `key`, committed.
    pub(crate) async fn commit(&self, key: u64) -> u64 {
        self.ask("INCR", format!("version:{key}"))
            .await
            .expect("a number")
    }

    /// The newest version whose invalidation had returned.
    pub(crate) async fn floor(&self, key: u64) -> u64 {
        self.ask("GET", format!("floor:{key}")).await.unwrap_or(0)
    }

    /// The invalidation of `version` has returned.
    pub(crate) async fn raise_floor(&self, key: u64, version: u64) {
        let mut connection = self.connection.clone();
        let mut raise = self.raise.key(format!("floor:{key}"));
        let raised: redis::RedisResult<()> = raise.arg(version).invoke_async(&mut connection).await;
        raised.expect("the source answers");
    }

    /// How many windows in which another server answers were opened or closed so far.
    pub(crate) async fn windows(&self) -> u64 {
        self.ask("GET", WINDOWS).await.unwrap_or(0)
    }

    async fn ask(&self, command: &str, key: impl ToRedisArgs) -> Option<u64> {
        let mut connection = self.connection.clone();
        let answer = redis::cmd(command)
            .arg(key)
            .query_async(&mut connection)
            .await;
        answer.expect("the source answers")
    }
}

/// The floors that bind one process alone: its own invalidations that wait for their replay.
#[derive(Clone)]
pub(crate) struct Floors(Arc<[AtomicU64]>);

impl Floors {
    pub(crate) fn new() -> Self {
        Self((0..KEYS).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn of(&self, key: u64) -> u64 {
        self.0[key as usize].load(Ordering::SeqCst)
    }

    pub(crate) fn raise(&self, key: u64, version: u64) {
        self.0[key as usize].fetch_max(version, Ordering::SeqCst);
    }
}

/// A connection that waits however long a busy machine takes.
async fn connect(url: &str) -> MultiplexedConnection {
    let config =
        redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    let client = redis::Client::open(url).expect("the address is right");
    let connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await;
    connection.expect("the server accepts connections")
}
