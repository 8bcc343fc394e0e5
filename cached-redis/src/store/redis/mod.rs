//! The store on one Redis server, or on those of a cluster.
//!
//! Two rules keep an outage of Redis from becoming one of the caller. No operation ever waits for a
//! connection: it is there or the operation fails at once, and reconnecting is a background task's
//! business. And every operation has one deadline over queueing and answer.
//!
//! A command whose future is dropped early may never be sent: whoever needs a fill or an invalidation
//! to arrive spawns it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use redis::Cmd;

use super::address::{ClusterAddress, RedisAddress};
use super::many::MOST;
use super::stats::StoreStats;
use super::{Answer, Errand, Outlet, Put, Store, Told, Watch, millis};
use crate::error::{ConnectProblem, Error};
use crate::store::health::State;
use crate::store::size;
use crate::util::tasks::Tasks;
use crate::wire::entry::Token;
use crate::wire::lock::{self, Grant};
use crate::wire::tag::Generation;

mod agreement;
mod batch;
mod breaker;
mod cluster;
mod command;
mod connection;
mod connector;
mod deadline;
mod dial;
mod durable;
mod epoch;
mod facts;
mod failure;
mod handshake;
mod head;
mod kept;
mod link;
mod links;
mod listen;
mod log;
mod login;
mod many;
mod monitor;
mod mux;
mod packed;
mod pact;
mod publish;
mod queue;
mod reply;
mod report;
mod sample;
mod script;
mod send;
mod sentinel;
#[cfg(test)]
pub(crate) mod server;
mod settings;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod tracked;
mod tracking;
#[cfg(test)]
pub(crate) mod trio;

pub(crate) use cluster::AddressMap;
use cluster::Cluster;
use command::millis_or_zero;
use connector::Role;
use deadline::Deadline;
use dial::Route;
use durable::Groups;
pub(crate) use facts::Identity;
use link::Link;
pub(crate) use link::Waiting;
use links::Links;
pub(crate) use sentinel::SentinelSettings;
use sentinel::Sentinels;
pub(crate) use settings::{PendingSettings, RedisSettings};
#[cfg(feature = "tls")]
use tls::Tls;
#[cfg(feature = "tls")]
pub(crate) use tls::TlsSettings;
use tracked::Tracked;
use tracking::{Steps, Tracking};

/// How many keys one step of a scan looks at: little enough to hold nobody up.
const SCANNED: u32 = 500;

/// See the module. Dropping it ends its tasks and closes its connection.
pub(crate) struct RedisStore {
    links: Links,
    settings: Box<RedisSettings>,
    /// Why the first attempt to connect came to nothing.
    first_failure: Option<ConnectProblem>,
    /// Entries of another epoch that were met.
    outdated: AtomicU64,
    /// Whether all processes can know that values may be pending.
    marked: AtomicBool,
    /// Writes that are to be on more than this server.
    groups: Groups,
    /// It measures what goes over any of the connections.
    deadline: Arc<Deadline>,
}

impl RedisStore {
    /// Starts connecting and waits for the first attempt; that it fails is no error.
    pub(crate) async fn connect(
        address: RedisAddress,
        settings: RedisSettings,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, Error> {
        let deadline = deadline(&settings)?;
        let route = Arc::new(Route {
            #[cfg(feature = "tls")]
            tls: Tls::of(&address, &settings.tls)?,
            sentinels: Sentinels::of(&settings.sentinel),
            address,
            #[cfg(feature = "tls")]
            name: None,
            is_shard: false,
            pending: settings.pending.clone(),
        });
        let tracking = Arc::new(Tracking::of(&settings, None));
        let role = Role::Steps(Steps {
            watch,
            tracking: Arc::clone(&tracking),
        });
        let link = Link::start(route, &settings, role, &deadline, Tasks::here());
        let links = Links::Server(link, Tracked::new(tracking));
        Ok(Self::on(links, settings, deadline).await)
    }

    /// The same for a cluster.
    pub(crate) async fn connect_cluster(
        address: ClusterAddress,
        settings: RedisSettings,
        watch: Arc<dyn Watch>,
    ) -> Result<Self, Error> {
        let deadline = deadline(&settings)?;
        let cluster = Cluster::open(address, settings.clone(), Arc::clone(&deadline), watch)?;
        Ok(Self::on(Links::Cluster(cluster), settings, deadline).await)
    }

    async fn on(links: Links, settings: RedisSettings, deadline: Arc<Deadline>) -> Self {
        Self {
            first_failure: links.first_attempt().await,
            links,
            settings: Box::new(settings),
            outdated: AtomicU64::new(0),
            marked: AtomicBool::new(false),
            groups: Groups::default(),
            deadline,
        }
    }

    /// Whether the first attempt to connect succeeded; else why not.
    pub(crate) fn first_try(&self) -> Result<(), ConnectProblem> {
        self.first_failure.clone().map_or(Ok(()), Err)
    }

    /// Without user, password and query.
    pub(crate) fn address(&self) -> String {
        self.links.to_string()
    }

    /// Where its tasks live.
    pub(crate) fn tasks(&self) -> &Arc<Tasks> {
        self.links.tasks()
    }

    #[cfg(test)]
    pub(crate) fn is_connected(&self) -> bool {
        self.stats().connected
    }

    #[cfg(test)]
    fn link(&self) -> &Link {
        self.server().0
    }

    #[cfg(test)]
    fn server(&self) -> (&Link, &Tracked) {
        match &self.links {
            Links::Server(link, tracked) => (link, tracked),
            Links::Cluster(_) => panic!("it is of several servers"),
        }
    }

    /// Those of several servers have to be followed, by whoever waits for them.
    pub(crate) fn takes(&self, errand: Errand<'_>) -> bool {
        let bytes = errand.size();
        let is_small = (1..=MOST).contains(&errand.keys().count()) && bytes <= link::LARGE / 2;
        let is_fit = is_small && bytes as u64 <= self.settings.value_bytes;
        is_fit && matches!(&self.links, Links::Server(link, _) if link.connection.admits())
    }

    /// See [`AnyStore::tell`](super::AnyStore::tell).
    pub(crate) fn tell(&self, errand: Errand<'_>, told: Arc<dyn Told>) -> Option<Waiting> {
        match &self.links {
            Links::Server(link, _) => {
                link.tell(&command::of(errand, &self.settings.bars_key), told)
            }
            Links::Cluster(_) => None,
        }
    }

    /// See [`AnyStore::attend`](super::AnyStore::attend).
    pub(crate) fn attend(&self, waiting: &mut Waiting, context: &Context<'_>) -> bool {
        match &self.links {
            Links::Server(link, _) => link.attend(waiting, context),
            Links::Cluster(_) => true,
        }
    }

    /// See [`AnyStore::measured`](super::AnyStore::measured).
    pub(crate) fn measured(&self, mut waiting: Waiting) {
        waiting.measured(&self.deadline.measured);
    }

    fn bars(&self, key: &str) -> Cow<'_, str> {
        self.links.bars(&self.settings.bars_key, key)
    }

    /// See [`AnyStore::layout`](super::AnyStore::layout).
    pub(crate) async fn layout(&self) -> Answer<u64> {
        self.links.layout().await
    }

    /// See [`AnyStore::reaches`](super::AnyStore::reaches).
    pub(crate) fn reaches(&self, keys: &[String]) -> bool {
        self.links.reaches(keys)
    }

    pub(crate) fn condition(&self) -> State {
        self.links.condition()
    }

    pub(crate) fn stats(&self) -> StoreStats {
        StoreStats {
            outdated: self.outdated.load(Ordering::Relaxed),
            round_trips: self.deadline.measured.snapshot(),
            ..self.links.stats()
        }
    }
}

impl Store for RedisStore {
    // A hit's future is not to have a place for it here, too.
    fn get(&self, key: &str) -> impl Future<Output = Answer<Option<Bytes>>> + Send {
        self.links.read(key)
    }

    async fn get_all(&self, keys: &[&str]) -> Answer<Vec<Option<Bytes>>> {
        self.links.read_all(keys).await
    }

    async fn stamp(
        &self,
        tags: &[(String, Generation)],
        ttl: Duration,
    ) -> Answer<Vec<Option<Generation>>> {
        let ttl = millis(ttl).to_string();
        let stamp = |(tag, new): &(String, Generation)| {
            script::STAMP.on(&[tag], &[new.bytes(), ttl.as_bytes()])
        };
        let answers = self.links.send(tags.iter().map(stamp)).await.into_iter();
        answers.map(|answer| reply::generation(answer?)).collect()
    }

    async fn acquire(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<Option<Bytes>> {
        let command = command::acquire(key, &lease, ttl);
        self.links.call(&command).await
    }

    async fn acquire_over(
        &self,
        key: &str,
        seen: Bytes,
        lease: Bytes,
        ttl: Duration,
    ) -> Answer<bool> {
        let command = command::acquire_over(key, &seen, &lease, ttl);
        self.links.run(command).await
    }

    async fn seize(&self, key: &str, lease: Bytes, ttl: Duration) -> Answer<bool> {
        self.links.run(command::seize(key, &lease, ttl)).await
    }

    async fn extend(&self, key: &str, token: Token, ttl: Duration) -> Answer<bool> {
        self.links.run(command::extend(key, token, ttl)).await
    }

    async fn fill(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<bool> {
        size::check(entry.len(), self.settings.value_bytes)?;
        let command = command::fill(key, token, &entry, ttl, &self.bars(key));
        size::judged(self.links.run(command).await, entry.len())
    }

    async fn release(&self, key: &str, token: Token) -> Answer<bool> {
        self.links.run(command::release(key, token)).await
    }

    async fn invalidate(&self, keys: &[String]) -> Answer<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.links.unlink(keys).await
    }

    async fn bar(&self, id: Token, life: Option<Duration>, prefixes: &[String]) -> Answer<bool> {
        let (id, life) = (lock::name(id), millis_or_zero(life));
        let mut args = vec![id.as_bytes(), life.as_bytes()];
        args.extend(prefixes.iter().map(String::as_bytes));
        let bars = self.links.all_bars(&self.settings.bars_key, prefixes);
        let set = bars.iter().map(|bars| script::BAR.on(&[bars], &args));
        let stood = self.links.run_each(set).await.into_iter();
        stood
            .into_iter()
            .try_fold(true, |all, stood| Ok(all & stood?))
    }

    async fn scan(&self, prefix: &str, cursor: u128) -> Answer<(Vec<String>, u128)> {
        let command = |cursor: u64| {
            let mut command = Cmd::new();
            command.arg("SCAN").arg(cursor);
            command.arg("MATCH").arg(beginning_with(prefix));
            command.arg("COUNT").arg(SCANNED);
            command
        };
        self.links.scan(cursor, command).await
    }

    async fn begin(&self, keys: &[String], token: Token, hold: Duration) -> Answer<()> {
        let hold = millis(hold).to_string();
        let args = [token.as_bytes(), hold.as_bytes()];
        self.links
            .run_on(&script::BEGIN, keys, &args)
            .await
            .map(drop)
    }

    async fn hold(&self, keys: &[String], token: Token, hold: Duration) -> Answer<bool> {
        let hold = millis(hold).to_string();
        let args = [token.as_bytes(), hold.as_bytes()];
        self.links.run_on(&script::HOLD, keys, &args).await
    }

    async fn end(&self, keys: &[String], token: Token, hold_off: Option<Duration>) -> Answer<bool> {
        let hold_off = millis_or_zero(hold_off);
        let args = [token.as_bytes(), hold_off.as_bytes()];
        self.links.run_on(&script::END, keys, &args).await
    }

    async fn put(&self, key: &str, token: Token, entry: Bytes, ttl: Duration) -> Answer<Put> {
        size::check(entry.len(), self.settings.value_bytes)?;
        let put = command::put(key, token, &entry, ttl, &self.bars(key));
        Put::of(size::judged(self.links.evaluate(put).await, entry.len())?)
    }

    async fn invalidate_guarded(&self, keys: &[String], hold_off: Option<Duration>) -> Answer<()> {
        let (token, hold_off) = (Token::next(), millis_or_zero(hold_off));
        let args = [token.as_bytes(), hold_off.as_bytes()];
        self.links
            .run_all(&script::INVALIDATE, keys, &args)
            .await
            .map(drop)
    }

    async fn lock(&self, key: &str, holder: Token, life: Duration) -> Answer<Grant> {
        let (holder, life) = (lock::name(holder), millis(life).to_string());
        let args = [holder.as_bytes(), life.as_bytes()];
        let command = script::LOCK.on(&[key], &args);
        Ok(reply::grant(self.links.evaluate(command).await?))
    }

    async fn extend_lock(&self, key: &str, holder: Token, life: Duration) -> Answer<bool> {
        let (holder, life) = (lock::name(holder), millis(life).to_string());
        let args = [holder.as_bytes(), life.as_bytes()];
        self.links.run(script::EXTEND_LOCK.on(&[key], &args)).await
    }

    async fn unlock(&self, key: &str, holder: Token) -> Answer<bool> {
        let holder = lock::name(holder);
        let command = script::UNLOCK.on(&[key], &[holder.as_bytes()]);
        self.links.run(command).await
    }

    async fn publish(&self, outlet: &Outlet, message: Bytes) -> Answer<()> {
        publish::publish(&self.links, outlet, &message).await
    }

    fn now_ms(&self, key: &str) -> u64 {
        self.links.now_ms(key)
    }

    fn epoch(&self, key: &str) -> u32 {
        self.links.epoch(key)
    }

    fn is_shared_out(&self) -> bool {
        matches!(self.links, Links::Cluster(_))
    }

    #[inline]
    fn is_current(&self, key: &str, epoch: u32) -> bool {
        let current = self.epoch(key);
        // None is known where the key may be at either of two servers.
        let is_known = epoch != 0 || self.settings.epoch_key.is_none();
        let is_current = epoch == current && is_known;
        if !is_current {
            self.outdated(epoch, current);
        }
        is_current
    }
}

impl RedisStore {
    /// Counts an entry of another epoch.
    #[cold]
    fn outdated(&self, epoch: u32, current: u32) {
        self.outdated.fetch_add(1, Ordering::Relaxed);
        // Others know of a later one: agree on it anew, with a new connection.
        if let Links::Server(link, _) = &self.links
            && epoch > current
            && current != 0
        {
            link.connection.abandon();
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.links)
    }
}

/// That of all their operations.
fn deadline(settings: &RedisSettings) -> Result<Arc<Deadline>, Error> {
    settings.check()?;
    let deadline = Deadline::new(settings.deadline);
    deadline
        .map(Arc::new)
        .map_err(|_| Error::setting("deadline", "no thread could be started for it"))
}

/// The pattern of all keys that begin with `prefix`, whatever it is made of.
fn beginning_with(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 1);
    for c in prefix.chars() {
        if matches!(c, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('*');
    pattern
}
