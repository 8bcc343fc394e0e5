//! From settings to a [`Cache`].

use std::fmt;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;

use crate::api::catalog::Catalog;
use crate::engine::handle::{Cache, Inner};
use crate::engine::mode::Mode;
use crate::engine::orders;
use crate::engine::settings::Settings;
use crate::error::Error;
#[cfg(feature = "testing")]
use crate::observe::recorder::Recorder;
use crate::policy::failover::OnFailover;
use crate::policy::schema::Schema;
use crate::policy::{Jitter, LONGEST_TTL, Policy};
use crate::protocol::journal::Journal;
#[cfg(feature = "testing")]
use crate::store::faults::Faults;
use crate::store::queue::Durability;
#[cfg(feature = "testing")]
use crate::store::trace::Trace;
use crate::store::{AddressMap, AnyStore, MemoryLimits, PendingSettings, RedisSettings};
use crate::wire::codec::Format;
use crate::write::start;

mod check;

/// Configures a [`Cache`]; made by [`Cache::builder`].
///
/// ```
/// use std::time::Duration;
/// use cached_redis::{Cache, Jitter, Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cached_redis::Error> {
/// let cache = Cache::builder()
///     .url("memory://")
///     .namespace("shop")
///     .jitter(Jitter::below(0.1))
///     .policy("slow", Policy::new().ttl(Duration::from_secs(3600)))
///     .build()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct Builder {
    url: Option<String>,
    namespace: Option<String>,
    process: String,
    modes: Vec<(String, Mode)>,
    settings: Settings,
    event_stream: Option<u64>,
    redis: RedisSettings,
    memory: MemoryLimits,
    require_connection: bool,
    #[cfg(feature = "testing")]
    faults: Option<Faults>,
}

impl fmt::Debug for Builder {
    /// Leaves the address out: it may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Where entries live. Required.
    ///
    /// * `memory://`: in this process, for this cache alone
    /// * `memory://NAME`: in this process, shared by all caches that give this name
    /// * `redis://[[user]:password@]host[:port][/db]`: a Redis server
    /// * `rediss://…`: the same over TLS; needs the feature `tls`
    /// * `redis+unix:///path[?db=N&user=NAME&pass=PASSWORD]`: one behind a Unix socket
    /// * `valkey://…`, `valkeys://…`, `unix:///…`: the same three
    /// * `redis+cluster://[[user]:password@]host[:port][,host[:port]…]`: a Redis Cluster, by any of its
    ///   servers, of which one that answers is enough; `rediss+cluster://…`: over TLS
    /// * `redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/service[?db=N]`: the primary that
    ///   Sentinels name; with `rediss+sentinel://` they and it are spoken to over TLS
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The first part of every key, `namespace:key`: letters, digits, `_`, `-`, `.` and `/`.
    /// Required on Redis; `"app"` by default in memory.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Plays another process, which shares nothing with this one but the store: for tests that show how
    /// several get on.
    #[doc(hidden)]
    pub fn process(mut self, name: impl Into<String>) -> Self {
        self.process = name.into();
        self
    }

    /// The jitter of policies that give none; see [`Policy::jitter`]. A number stands for
    /// [`Jitter::around`]; by default 0.05, so that an entry lives for 95 % to 105 % of its TTL.
    pub fn jitter(mut self, jitter: impl Into<Jitter>) -> Self {
        self.settings.defaults.jitter = Some(jitter.into());
        self
    }

    /// The TTL of policies that give none: of those that attributes name, and of those given by hand. An
    /// attribute that names no policy gives its own. By default there is none. `build` fails where a
    /// function of the program would have no TTL; a read by hand under a policy without one runs
    /// uncached, with an error event, and a [`put`](crate::Cache::put) fails.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.settings.defaults.ttl = Some(ttl);
        self
    }

    /// A policy that attributes can name: `#[redis_cached(policy = "slow", …)]`.
    pub fn policy(mut self, name: impl Into<String>, policy: Policy) -> Self {
        self.settings.policies.insert(name.into(), policy);
        self
    }

    /// How much the function of this name, with or without its module, uses the cache; see [`Mode`].
    /// [`Mode::On`] by default.
    pub fn mode(mut self, function: impl Into<String>, mode: Mode) -> Self {
        self.modes.push((function.into(), mode));
        self
    }

    /// The codec of functions that name none. [`Format::Bincode`] by default, where the feature
    /// `bincode` is on.
    pub fn codec(mut self, format: Format) -> Self {
        self.settings.format = format;
        self
    }

    /// Which entries a type reads that was changed since they were written, for policies that do not
    /// say so and functions whose codec describes itself. [`Schema::Exact`] by default;
    /// [`Schema::Additive`] is refused where the cache's [codec](Self::codec) is bincode.
    pub fn schema(mut self, schema: Schema) -> Self {
        self.settings.defaults.schema = Some(schema);
        self
    }

    /// Above how many bytes of encoded value an entry is compressed, for policies that do not say so; see
    /// [`Policy::compress`]. Not at all by default. Needs the feature `zstd`.
    pub fn compress(mut self, above: u64) -> Self {
        self.settings.defaults.compress = Some(above);
        self
    }

    /// How long one operation on Redis may take, queueing included; after that the function runs
    /// without the cache. 100 ms by default.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.redis.deadline = deadline;
        self
    }

    /// How long connecting to Redis may take. 1 s by default; also the longest that
    /// [`build`](Self::build) waits for Redis.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.redis.connect_timeout = timeout;
        self
    }

    /// Who may vouch for a server under `rediss://`: certificates in PEM form. They take the place
    /// of those that the system trusts, which is the default.
    #[cfg(feature = "tls")]
    pub fn tls_ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.redis.tls.ca = Some(pem.into());
        self
    }

    /// What proves to a server under `rediss://` who connects: a certificate, with those between it
    /// and its authority behind it, and its private key, both in PEM form. None by default.
    #[cfg(feature = "tls")]
    pub fn tls_client_cert(
        mut self,
        certificate: impl Into<Vec<u8>>,
        key: impl Into<Vec<u8>>,
    ) -> Self {
        self.redis.tls.client = Some((certificate.into(), key.into()));
        self
    }

    /// The user that Sentinels ask for, under `redis+sentinel://`; that of the servers stands in the
    /// [`url`](Self::url). None by default.
    pub fn sentinel_user(mut self, user: impl Into<String>) -> Self {
        self.redis.sentinel.user = Some(user.into());
        self
    }

    /// The password that Sentinels ask for, under `redis+sentinel://`; that of the servers stands in the
    /// [`url`](Self::url). None by default.
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.redis.sentinel.password = Some(password.into());
        self
    }

    /// Where to connect to the servers of a Redis Cluster, under `redis+cluster://`, that call themselves by other
    /// addresses than lead to them from here: those of containers, or of a network behind a translation of addresses.
    /// It is given the host and the port that a server has announced, and says where that is; `None`, as by default:
    /// there. Those of the [`url`](Self::url) are taken as they are.
    ///
    /// ```
    /// use cached_redis::Cache;
    ///
    /// let builder = Cache::builder()
    ///     .url("redis+cluster://localhost:7001")
    ///     // Each container has its port here.
    ///     .address_map(|_, port| Some(("localhost".to_owned(), port)));
    /// ```
    pub fn address_map(
        mut self,
        map: impl Fn(&str, u16) -> Option<(String, u16)> + Send + Sync + 'static,
    ) -> Self {
        self.redis.address_map = AddressMap::new(map);
        self
    }

    /// After how many operations in a row without an answer the circuit breaker opens: no further
    /// one is attempted, and functions run without the cache at once, until a probe in the
    /// background is answered. 5 by default. Errors that Redis answers do not count.
    pub fn breaker_failures(mut self, failures: u32) -> Self {
        self.redis.breaker_failures = failures;
        self
    }

    /// What happens when Redis restarts or fails over, which may lose invalidations that it has
    /// confirmed. [`OnFailover::Replay`] by default; of no meaning in memory.
    pub fn on_failover(mut self, on_failover: OnFailover) -> Self {
        self.settings.on_failover = on_failover;
        self
    }

    /// How long the right to load a key, or a [lock](Cache::lock), outlives a process that died with
    /// it. 3 s by default; loads and locks may take longer, a heartbeat renews the lease.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a read waits for others to load, before it loads for itself, and how long
    /// [`Cache::lock`] and [`EntryRequest::update`](crate::request::EntryRequest::update) wait before they give up. 10 s by default. See
    /// [stampedes](crate::docs::stampedes#how-long-a-read-waits).
    pub fn wait_budget(mut self, budget: Duration) -> Self {
        self.settings.wait = budget;
        self
    }

    /// How long the source is left alone after a load failed whose old value can be served, inside a
    /// [stale window](Policy::stale_if_error) or before its TTL: all processes together ask it once in
    /// this time, counted from the failure. More than zero; 1 s by default.
    pub fn throttle(mut self, throttle: Duration) -> Self {
        self.settings.throttle = throttle;
        self
    }

    /// How often [`EntryRequest::update`](crate::request::EntryRequest::update) tries, each time against what others have stored meanwhile, before
    /// it fails with [`Error::Contended`]. 64 by default, with pauses that double from 1 ms to 128 ms.
    pub fn update_attempts(mut self, attempts: u32) -> Self {
        self.settings.update_attempts = attempts;
        self
    }

    /// How many keys of deferred invalidations are kept one by one, and as many confirmed ones for
    /// [`on_failover`](Self::on_failover). 10,000 by default. When there are more, none is lost:
    /// this process bypasses the whole namespace until all of it could be invalidated.
    pub fn journal_keys(mut self, keys: usize) -> Self {
        self.settings.journal_keys = keys;
        self
    }

    /// How long [`Cache::flush`] waits at most, and [`Cache::warm`] at its end. 10 s by default.
    pub fn flush_timeout(mut self, timeout: Duration) -> Self {
        self.settings.flush_timeout = timeout;
        self
    }

    /// Whether writers of this namespace may use `guard`, `replica_lag` and
    /// [`begin_write`](Cache::begin_write): see
    /// [two-phase writers](crate::docs::two_phases#two-phase-writers). Off by default.
    ///
    /// **Every process that invalidates in the namespace must set it**: an invalidation of one that
    /// does not removes the tombstones of the others. It costs each invalidation a script in the
    /// place of `UNLINK`; reads cost the same.
    pub fn guarded(mut self, guarded: bool) -> Self {
        self.settings.guarded = guarded;
        self
    }

    /// Whether functions of this namespace may be under [`#[write_behind]`](crate::write_behind): see
    /// [write-behind](crate::docs::write_behind). Off by default.
    ///
    /// **Every process that uses the namespace must set it**, once one does: each of its removals then spares the
    /// values that are still to be written to their source. A process that sets neither this nor
    /// [`guarded`](Self::guarded) is refused a connection once the namespace is in use so; on a cluster, `build` refuses
    /// it. So is a server that may evict keys without a
    /// time to live; one that does not tell is warned of. It costs each invalidation a script in the place of `UNLINK`;
    /// reads cost the same.
    pub fn write_behind(mut self, write_behind: bool) -> Self {
        self.settings.write_behind = write_behind;
        self
    }

    /// What has to have happened to a [write behind](crate::docs::write_behind) before its call returns, and within what
    /// time. [`Durability::Server`] by default. With anything else each queue has a connection of its own, on which
    /// those that come together wait together; what is not reached in time is
    /// [`StoreError::Timeout`](crate::error::StoreError::Timeout), and the write may be applied all the same.
    ///
    /// [`build`](Self::build) refuses a server that cannot do it, and zero: a time, or replicas of
    /// [`Durability::Replicated`].
    pub fn durability(mut self, durability: Durability, within: Duration) -> Self {
        self.redis.pending.durability = durability;
        // Added to the clock, a longer one would overflow it.
        self.redis.pending.within = LONGEST_TTL.min(within);
        self
    }

    /// How much memory the [level in process memory](crate::docs::two_levels) of this cache may take, about: an
    /// entry counts as twice its encoded length (of a [compressed](Self::compress) one, once as it is stored and once
    /// as it is decompressed), its key, and 100 bytes. 64 MiB by default, more than zero. It is
    /// kept in parts of 8 MiB at least, and a value that is encoded in more than 48 % of a part is not kept.
    pub fn local_bytes(mut self, bytes: u64) -> Self {
        self.settings.local_bytes = bytes;
        self
    }

    /// For how long, after an invalidation of another process, the [level in process
    /// memory](crate::docs::two_levels) may still serve what it had read before, at most: even if this process
    /// is cut off from Redis. 1 s by default, from 10 ms to 60 s; an idle connection is asked for a sign of life
    /// each third of it.
    pub fn local_staleness(mut self, staleness: Duration) -> Self {
        self.settings.local_staleness = staleness;
        self
    }

    /// How long a guarded write bars its keys after its last sign of life, which it gives at each
    /// third of this time. 10 s by default, 30 ms at least.
    ///
    /// It must be longer than the time from the last sign of life of a writer that dies until its
    /// commit is visible, or certain never to come. A longer one costs loads without the cache, for
    /// as long, after a writer has died.
    pub fn hold(mut self, hold: Duration) -> Self {
        self.settings.hold = hold;
        self
    }

    /// Whether functions follow the modes that an operator sets for all processes of the namespace, by
    /// [`Operator::set_mode`](crate::operator::Operator::set_mode) or on the
    /// [command line](crate::docs::command_line). `true` by default. They stand under `namespace:#modes`, which is
    /// read when the cache is built and every 5 s, beside all calls.
    pub fn follow_modes(mut self, follow: bool) -> Self {
        self.settings.follow_modes = follow;
        self
    }

    /// Keeps the last events that this process publishes, about so many, in a stream, for
    /// [`durable_events`](Cache::durable_events): see [events](crate::docs::events). Off by default;
    /// every process that publishes should set it, and the same.
    ///
    /// The stream stands under `namespace:#stream`, without a TTL. A service finds all that it missed as
    /// long as fewer than `most` events were published meanwhile.
    pub fn event_stream(mut self, most: u64) -> Self {
        self.event_stream = Some(most);
        self
    }

    /// How large an entry may be: an encoded value, before it is [compressed](Self::compress), and some 50 bytes of header. 64 MiB by default, from
    /// 1 KiB to 512 MiB; of caches that share a `memory://NAME`, the first one's holds.
    ///
    /// A larger value is returned and not stored, and what it was to replace is removed; the first one of
    /// each function is told with a warning, and [`too_large`](crate::stats::FunctionStats::too_large) counts.
    /// So is one that the server refuses, whose `proto-max-bulk-len` may be lower. For 30 s no lease is
    /// taken for its key: whoever reads it loads.
    pub fn max_value_bytes(mut self, bytes: u64) -> Self {
        self.redis.value_bytes = bytes;
        self.memory.value_bytes = bytes;
        self
    }

    /// The most entries that a `memory://` store keeps. 100,000 by default.
    pub fn memory_entries(mut self, entries: u64) -> Self {
        self.memory.entries = entries;
        self
    }

    /// The most bytes that a `memory://` store keeps, keys included. Not bounded by default.
    pub fn memory_bytes(mut self, bytes: u64) -> Self {
        self.memory.bytes = Some(bytes);
        self
    }

    /// Whether [`build`](Self::build) fails when Redis cannot be reached, with
    /// [`Error::Connect`]. By default it does not: functions run, and the cache works as soon as Redis
    /// does.
    pub fn require_connection(mut self, required: bool) -> Self {
        self.require_connection = required;
        self
    }

    /// Puts faults between the cache and its store, whichever that is: see [`Faults`]. Connecting is
    /// spared, and so are the circuit breaker and the connection of Redis, which are behind them.
    #[cfg(feature = "testing")]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = Some(faults);
        self
    }

    /// Records everything that the cache does: see [`Recorder`].
    #[cfg(feature = "testing")]
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.settings.recorder = Some(recorder);
        self
    }

    /// Writes down what some keys go through: see [`Trace`].
    #[cfg(feature = "testing")]
    pub fn trace(mut self, trace: Trace) -> Self {
        self.settings.trace = Some(trace);
        self
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// When a setting is missing or out of its range, when a function of the program without `cache = …`
    /// names an unknown policy, when a writer asks for `guard` or `replica_lag` without [`guarded`](Self::guarded), outside
    /// of a Tokio runtime; [`Error::Connect`] when the server can never be used (a node of a Cluster or a Sentinel
    /// under `redis://`, anything else under `redis+cluster://` or `redis+sentinel://`, a service that Sentinels do
    /// not know, a Redis before 7.0), and with [`require_connection`](Self::require_connection) whenever there is no
    /// connection.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, nothing remains.
    pub async fn build(self) -> Result<Cache, Error> {
        Runtime::try_current()
            .map_err(|_| Error::setting("runtime", "`build` needs a Tokio runtime"))?;
        let address = self.address()?;
        let namespace = self.checked_namespace(&address)?;
        self.check_durability(&address)?;
        let settings = self.checked_settings(&namespace)?;
        let catalog = Catalog::collect();
        check::functions(&catalog, &settings)?;
        check::advise(&catalog, &settings);
        let redis = RedisSettings {
            epoch_key: settings.on_failover.epoch_key(&namespace),
            bars_key: format!("{namespace}:#sweep"),
            staleness_key: format!("{namespace}:#local"),
            staleness: settings.local_staleness,
            pending: PendingSettings {
                key: format!("{namespace}:#write-behind"),
                allowed: settings.write_behind,
                spared: settings.write_behind || settings.guarded,
                ..self.redis.pending
            },
            ..self.redis
        };
        #[cfg(feature = "testing")]
        let (faults, deadline) = (self.faults, redis.deadline);
        let follows = settings.follow_modes && !address.is_memory();
        let remembers = settings.on_failover != OnFailover::Ttl && !address.is_memory();
        let journal = Journal::new(settings.journal_keys, remembers);
        journal.set_guarded(settings.guarded || settings.write_behind);
        if let Some(store) = address.shared_name() {
            let realm = format!("{}\n{namespace}", self.process);
            journal.enrol(realm, &store);
        }
        let (memory, watch) = (self.memory, journal.clone());
        let store = AnyStore::open(address, redis, memory, self.require_connection, watch).await?;
        let problem = "is off, and writes of the namespace wait in queues";
        Error::require(!store.hides_pending().await, "write_behind", problem)?;
        let runtime = store.tasks();
        #[cfg(feature = "testing")]
        let store = store
            .with_faults(faults, deadline, &runtime)
            .with_trace(settings.trace.clone());
        let inner = Inner::new(store, namespace, settings, journal, runtime);
        start::start(&inner);
        for (function, mode) in &self.modes {
            inner.modes.set(function, *mode)?;
        }
        if follows {
            orders::begin(&inner).await;
        }
        Ok(Cache { inner })
    }
}
