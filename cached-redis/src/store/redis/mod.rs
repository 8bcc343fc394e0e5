//! The store on one Redis server.
//!
//! Two rules keep an outage of Redis from becoming one of the caller. No operation ever waits for a
//! connection: it is there or the operation fails at once, and reconnecting is a background task's
//! business. And every operation has one deadline over queueing and answer.
//!
//! A command whose future is dropped early may never be sent: whoever needs a fill or an invalidation
//! to arrive spawns it. The breaker (`breaker.rs`) and other topologies than one server
//! (`topology.rs`) have their place beside these modules.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};
use tokio::task::JoinHandle;

use super::address::RedisAddress;
use super::{Store, bounded, envelope_token};
use crate::entry::Token;
use crate::error::{Error, StoreError};

mod backoff;
mod batch;
mod connection;
mod deadline;
mod handshake;
mod reply;
mod script;
#[cfg(test)]
pub(crate) mod server;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use batch::{Batches, Lead, Turn};
use connection::Connection;
use deadline::Deadline;
use handshake::Route;
use script::Script;
#[cfg(feature = "tls")]
use tls::Tls;
#[cfg(feature = "tls")]
pub(crate) use tls::TlsSettings;

/// What a Redis store works with.
#[derive(Debug, Clone)]
pub(crate) struct RedisSettings {
    /// How long one attempt to connect may take, login included.
    pub(crate) connect_timeout: Duration,
    /// How long an operation may take; see [`Deadline`] for how exactly.
    pub(crate) deadline: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: TlsSettings,
}

impl Default for RedisSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(1),
            deadline: Duration::from_millis(100),
            #[cfg(feature = "tls")]
            tls: TlsSettings::default(),
        }
    }
}

impl RedisSettings {
    /// Refuses what cannot be meant.
    pub(crate) fn check(&self) -> Result<(), Error> {
        refuse_zero("connect_timeout", self.connect_timeout)?;
        refuse_zero("deadline", self.deadline)
    }
}

/// See the module. Dropping it ends its tasks and closes its connection.
pub(crate) struct RedisStore {
    connection: Connection,
    batches: Batches,
    deadline: Deadline,
    address: RedisAddress,
}

impl RedisStore {
    /// Starts connecting and waits for the first attempt; that it fails is no error.
    pub(crate) async fn connect(
        address: RedisAddress,
        settings: RedisSettings,
    ) -> Result<Self, Error> {
        settings.check()?;
        let route = Route {
            address: address.clone(),
            #[cfg(feature = "tls")]
            tls: Tls::of(&address, &settings.tls)?,
        };
        Ok(Self {
            deadline: Deadline::new(settings.deadline),
            batches: Batches::default(),
            connection: Connection::open(route, settings.connect_timeout).await,
            address,
        })
    }

    /// Whether the first attempt to connect succeeded; else why not.
    pub(crate) fn first_try(&self) -> Result<(), StoreError> {
        self.connection.first_try()
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, StoreError> {
        let mut connection = self.connection.current()?;
        let answer = self.deadline.limit(connection.send_packed_command(command));
        self.judged(reply::value(answer.await?))
    }

    /// A read, under no deadline of its own.
    async fn read(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        loop {
            let answer = match self.batches.turn(key) {
                Turn::Alone(_sent) => Some(self.read_alone(key).await),
                Turn::Lead(lead) => self.read_together(key, lead).await,
                Turn::Join(seat) => seat.answer().await,
            };
            if let Some(answer) = answer {
                return answer;
            }
        }
    }

    /// `None`: not to be read together, start over.
    async fn read_together(
        &self,
        key: &str,
        lead: Lead<'_>,
    ) -> Option<Result<Option<Bytes>, StoreError>> {
        let batch = lead.close().await?;
        let answers = match batch.keys {
            1 => self.read_alone(key).await.map(|answer| vec![answer]),
            _ => self.send(&batch.command).await.and_then(reply::all_bytes),
        };
        if let Err(StoreError::Server { code }) = &answers
            && code == "NOPERM"
            && batch.keys > 1
        {
            self.batches.refuse();
            return None;
        }
        Some(batch.land(answers))
    }

    async fn read_alone(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let mut command = Cmd::with_capacity(2, 3 + key.len());
        command.arg("GET").arg(key);
        reply::bytes(self.send(&command).await?)
    }

    async fn send(&self, command: &Cmd) -> Result<Value, StoreError> {
        let mut connection = self.connection.current()?;
        let answer = connection.send_packed_command(command).await;
        self.judged(reply::value(answer))
    }

    async fn run(&self, script: &Script, key: &str, args: &[&[u8]]) -> Result<bool, StoreError> {
        let mut connection = self.connection.current()?;
        let answer = self.deadline.limit(script.run(&mut connection, key, args));
        reply::flag(&self.judged(answer.await?)?)
    }

    /// A server that became a replica refuses all writes for ever; the name may by now lead to the
    /// new primary.
    fn judged(&self, answer: Result<Value, StoreError>) -> Result<Value, StoreError> {
        if let Err(StoreError::Server { code }) = &answer
            && code == "READONLY"
        {
            self.connection.abandon();
        }
        answer
    }
}

impl Store for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        self.deadline.limit(self.read(key)).await?
    }

    async fn acquire(
        &self,
        key: &str,
        lease: Bytes,
        ttl: Duration,
    ) -> Result<Option<Bytes>, StoreError> {
        let mut command = Cmd::with_capacity(7, 30 + key.len() + lease.len());
        command.arg("SET").arg(key).arg(&*lease);
        command.arg("NX").arg("GET").arg("PX").arg(millis(ttl));
        reply::bytes(self.ask(&command).await?)
    }

    async fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let (token, whole): (&[u8], &[u8]) = match envelope_token(&seen) {
            Some(token) => (token, &[]),
            None => (&[], &seen),
        };
        let ttl = millis(ttl).to_string();
        let args = [&*lease, ttl.as_bytes(), token, whole];
        self.run(&script::ACQUIRE_OVER, key, &args).await
    }

    async fn seize(&self, key: &str, lease: Bytes, ttl: Duration) -> Result<(), StoreError> {
        let ttl = millis(ttl).to_string();
        let args = [&*lease, ttl.as_bytes()];
        self.run(&script::SEIZE, key, &args).await.map(drop)
    }

    async fn extend(&self, key: &str, token: Token, ttl: Duration) -> Result<bool, StoreError> {
        let ttl = millis(ttl).to_string();
        let args = [token.as_bytes(), ttl.as_bytes()];
        self.run(&script::EXTEND, key, &args).await
    }

    async fn fill(
        &self,
        key: &str,
        token: Token,
        entry: Bytes,
        ttl: Duration,
    ) -> Result<bool, StoreError> {
        let ttl = millis(ttl).to_string();
        let args = [token.as_bytes(), &*entry, ttl.as_bytes()];
        self.run(&script::FILL, key, &args).await
    }

    async fn release(&self, key: &str, token: Token) -> Result<bool, StoreError> {
        self.run(&script::RELEASE, key, &[token.as_bytes()]).await
    }

    async fn invalidate(&self, keys: &[String]) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let size: usize = keys.iter().map(String::len).sum();
        let mut command = Cmd::with_capacity(1 + keys.len(), 6 + size);
        command.arg("UNLINK").arg(keys);
        self.ask(&command).await.map(drop)
    }

    fn now_ms(&self) -> u64 {
        self.connection.now_ms()
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.address)
    }
}

fn millis(ttl: Duration) -> u64 {
    bounded(ttl).as_millis() as u64
}

fn refuse_zero(setting: &'static str, value: Duration) -> Result<(), Error> {
    if value.is_zero() {
        let problem = "must not be zero";
        return Err(Error::setting(setting, problem));
    }
    Ok(())
}

/// A task that ends with its owner.
struct Background(JoinHandle<()>);

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}
