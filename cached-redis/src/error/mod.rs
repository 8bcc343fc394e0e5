//! What can go wrong, split by what a caller would do about it.
//!
//! No message, `Debug` included, carries a password, a key or a value: errors end in logs, and logs
//! are read by more people than may read the data.

use std::borrow::Cow;
use std::time::Duration;

use crate::error::pending::Pending;

mod busy;
mod connect;
pub(crate) mod conversion;
pub(crate) mod pending;

pub use busy::Busy;
pub use connect::ConnectProblem;

/// Why a cache could not be built, or a direct call on it failed.
///
/// Annotated functions never fail with it: when the store is away they simply run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store's address cannot be used. Fix the configuration.
    #[error("store address `{address}`: {problem}")]
    Address {
        /// The address without user, password and query.
        address: String,
        /// What is wrong with it.
        problem: AddressProblem,
    },
    /// There is no connection to the store, and
    /// [`require_connection`](crate::Builder::require_connection) asks for one; or what listens at its
    /// address cannot be used, whether or not a connection is required.
    #[error("no connection to `{address}`: {problem}")]
    Connect {
        /// The address without user, password and query.
        address: String,
        /// Why there is none.
        problem: ConnectProblem,
    },
    /// A setting is missing or outside its range. Fix the configuration.
    #[error("setting `{setting}` {problem}")]
    Setting {
        /// The setter's name, or the function or policy at fault.
        setting: Cow<'static, str>,
        /// What is wrong with the value.
        problem: &'static str,
    },
    /// A function names a policy that the builder was not given.
    #[error("`{function}` names the policy `{name}`, which the builder was not given")]
    UnknownPolicy {
        /// The policy.
        name: &'static str,
        /// The function.
        function: &'static str,
    },
    /// Another cache has been installed already; it stays.
    #[error("a cache is installed already")]
    AlreadyInstalled,
    /// The numbers of two caches of one namespace cannot be told apart: give each a namespace of its own, or tell
    /// those of one.
    #[error(
        "two caches have the namespace `{namespace}`, so their numbers cannot be told apart: give each one of its own"
    )]
    SameNamespace {
        /// The namespace of both.
        namespace: String,
    },
    /// No cached function of the program has this name.
    #[error("no cached function is named `{function}`")]
    UnknownFunction {
        /// The name.
        function: String,
    },
    /// More than one cached function of the program has this name. Say its module too.
    #[error("`{function}` may be any of: {}", candidates.join(", "))]
    AmbiguousFunction {
        /// The name.
        function: String,
        /// The paths of those that have it.
        candidates: Vec<Cow<'static, str>>,
    },
    /// No codec can read the value back, or the policy does not let it be kept.
    #[error("the value cannot be kept")]
    Unstorable,
    /// Others changed or held the key each time and all the time that
    /// [`update`](crate::request::EntryRequest::update) or [`Cache::lock`](crate::Cache::lock) tried. Nothing
    /// was changed; it may succeed later.
    #[error("others changed or held the key at every attempt")]
    Contended,
    /// The store did not answer whether it has stored an update, and later something else stood
    /// there: it may have been stored, it may still be, or it may be lost. Read the value before you
    /// try again.
    #[error("it is not known whether the update was stored")]
    Unconfirmed,
    /// What stands under the key is no entry of this type, so it cannot be updated; it is left
    /// untouched. [`Cache::invalidate`](crate::Cache::invalidate) the key to begin anew.
    #[error("what stands under the key is no value of this type")]
    Unreadable,
    /// An invalidation of the key was [deferred](crate::Invalidation::Deferred), so what stands there
    /// may be outdated. Nothing was changed; it may succeed after the replay.
    #[error("an invalidation of the key has not been confirmed yet")]
    Deferred,
    /// The lock was lost before it was released: others may have held it meanwhile.
    #[error("the lock was lost before it was released")]
    LockLost,
    /// Invalidations, or tasks in the background, were not through when
    /// [`Cache::flush`](crate::Cache::flush) gave up. They go on while the cache lives.
    #[error("the store has not confirmed all in time: {pending}")]
    Unflushed {
        /// How many.
        pending: Pending,
    },
    /// The store could not do what was asked. It may succeed later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    pub(crate) fn setting(setting: impl Into<Cow<'static, str>>, problem: &'static str) -> Self {
        Self::Setting {
            setting: setting.into(),
            problem,
        }
    }

    /// Refuses a setting that is not as it must be.
    pub(crate) fn require(
        is_met: bool,
        setting: impl Into<Cow<'static, str>>,
        problem: &'static str,
    ) -> Result<(), Self> {
        match is_met {
            true => Ok(()),
            false => Err(Self::setting(setting, problem)),
        }
    }
}

/// A call took longer than its `timeout` and was given up.
///
/// A function under `#[redis_cached(…, timeout = …)]` returns it, made into its own error by `From`.
///
/// ```
/// # #[derive(Debug)]
/// enum DbError {
///     TooSlow(cached_redis::error::Timeout),
/// }
///
/// impl From<cached_redis::error::Timeout> for DbError {
///     fn from(timeout: cached_redis::error::Timeout) -> Self {
///         Self::TooSlow(timeout)
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no value after {after:?}")]
#[non_exhaustive]
pub struct Timeout {
    /// How long the call had.
    pub after: Duration,
}

/// Why a write is not guarded: the keys it will change could not all be barred before it began.
///
/// A function under `#[invalidates(…, guard = "require")]` returns it, made into its own error by
/// `From`, and its body has not run. A write by hand finds it in [`Error`].
///
/// ```
/// # #[derive(Debug)]
/// enum DbError {
///     NotNow(cached_redis::error::Unguarded),
/// }
///
/// impl From<cached_redis::error::Unguarded> for DbError {
///     fn from(unguarded: cached_redis::error::Unguarded) -> Self {
///         Self::NotNow(unguarded)
///     }
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unguarded {
    /// The cache was built without [`guarded`](crate::Builder::guarded). Fix the configuration.
    #[error("the cache was built without `guarded(true)`")]
    NotEnabled,
    /// A part of a key could not be rendered.
    #[error("a key of the write could not be rendered")]
    Key,
    /// The store could not bar the keys. It may succeed later.
    #[error("the keys of the write could not be barred: {0}")]
    Store(#[source] StoreError),
}

impl From<Unguarded> for Error {
    fn from(unguarded: Unguarded) -> Self {
        match unguarded {
            Unguarded::NotEnabled => Self::setting("guarded", "is off, and the write needs it"),
            Unguarded::Key => Self::setting("key", "could not be rendered"),
            Unguarded::Store(error) => Self::Store(error),
        }
    }
}

impl StoreError {
    /// Whether nothing came of a step but that it was sent too early: there was no connection, or the server has forgotten a
    /// script.
    pub(crate) fn is_to_be_repeated(&self) -> bool {
        match self {
            Self::Unavailable => true,
            Self::Server { code } => code == "NOSCRIPT",
            _ => false,
        }
    }

    /// Whether the store is away, rather than refusing.
    pub(crate) fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Unavailable | Self::Timeout | Self::Lost | Self::Connect(_)
        )
    }

    /// Whether the step certainly has not run and will not.
    pub(crate) fn is_definite(&self) -> bool {
        !matches!(self, Self::Timeout | Self::Lost | Self::Answer)
    }

    /// A fill was held up by a bar.
    pub(crate) fn barred() -> Self {
        let code = "BARRED".to_owned();
        Self::Server { code }
    }

    pub(crate) fn is_barred(&self) -> bool {
        matches!(self, Self::Server { code } if code == "BARRED")
    }

    /// A write of the key waits in a queue.
    pub(crate) fn pending() -> Self {
        let code = "PENDING".to_owned();
        Self::Server { code }
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Server { code } if code == "PENDING")
    }

    /// Of the keys of one step some have moved to another server of a cluster, and others are yet to.
    pub(crate) fn is_apart(&self) -> bool {
        matches!(self, Self::Server { code } if code == "TRYAGAIN")
    }
}

/// What is wrong with the address of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressProblem {
    /// There is no text.
    #[error("is empty: is the variable set that it is read from? Write redis://host:port")]
    Empty,
    /// There are quotation marks around the text.
    #[error("has quotation marks around it; write redis://host:port without them")]
    Quoted,
    /// There is a space, a line break or another blank before, inside of or behind the text.
    #[error("has a blank in it; write redis://host:port without one")]
    Blank,
    /// The text does not begin with a scheme and `://`.
    #[error(
        "has no scheme; write redis://host:port, rediss://host:port for TLS, or memory:// to go without a server"
    )]
    MissingScheme,
    /// The text is not a URL, or has parts that its scheme does not take.
    #[error("is malformed (special characters in a password must be percent-encoded)")]
    Malformed,
    /// Nothing knows this scheme.
    #[error(
        "has an unknown scheme; known are memory://, redis://, rediss://, redis+unix://, redis+cluster:// and \
         redis+sentinel://, and valkey:// for redis://"
    )]
    UnknownScheme,
    /// The scheme is known, but this system has no Unix sockets.
    #[error(
        "has a scheme that is not supported here; use redis://, rediss://, redis+cluster://, redis+sentinel:// or \
         memory://"
    )]
    UnsupportedScheme,
    /// The address is one of TLS, and the crate was built without it.
    #[error("needs TLS; enable the feature `tls` of cached-redis")]
    NeedsTls,
    /// The URL names no host.
    #[error("names no host")]
    MissingHost,
    /// A `redis+unix://` or `unix://` URL names no socket.
    #[error("names no path of a socket")]
    MissingPath,
    /// A `redis+sentinel://` URL does not say what the Sentinels call the primary and its replicas.
    #[error("names no service; write redis+sentinel://host:port/service, as the Sentinels call it")]
    MissingService,
    /// The database is not a number.
    #[error("names a database that is not a number")]
    Database,
    /// A cluster has one database, whose number is 0.
    #[error("names a database, and a cluster has none but 0: leave it out")]
    ClusterDatabase,
    /// A query parameter is unknown or repeated.
    #[error("has a query parameter that is unknown or repeated")]
    Query,
}

/// Why a store did not do what it was asked.
///
/// After [`Timeout`](Self::Timeout) and [`Lost`](Self::Lost) the step may have run or may still run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no connection at the moment, or the store has stopped answering: nothing was sent.
    /// A background task connects, or finds out when answers come again.
    #[error("the store is not connected or does not answer")]
    Unavailable,
    /// No answer came within the deadline.
    #[error("the store did not answer within the deadline")]
    Timeout,
    /// The connection broke before the answer came.
    #[error("the connection to the store was lost")]
    Lost,
    /// The key holds something that is not a string, which is left untouched.
    #[error("the key holds a value of another type")]
    WrongType,
    /// The server refused.
    #[error("the store refused with {code}")]
    Server {
        /// The error's code, such as `OOM` or `NOPERM`; never its text, which may quote arguments.
        code: String,
    },
    /// The value is larger than [`max_value_bytes`](crate::Builder::max_value_bytes) lets it be, or than
    /// the server takes.
    #[error("the value is too large for the store")]
    TooLarge,
    /// The answer is not one that the step can have.
    #[error("the store gave an answer that makes no sense")]
    Answer,
    /// No connection could be made.
    #[error("there is no connection to the store: {0}")]
    Connect(#[from] ConnectProblem),
}

/// At what TLS failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The server's certificate was not issued by an authority that is trusted here.
    #[error("nobody who is trusted here issued the certificate of the server")]
    Issuer,
    /// The server's certificate does not name the host of the address.
    #[error("the certificate of the server is for another name")]
    Name,
    /// The server's certificate has expired or is not valid yet.
    #[error("the certificate of the server has expired, or is not valid yet")]
    Expired,
    /// The server's certificate is malformed, revoked or not meant for servers.
    #[error("the certificate of the server cannot be used")]
    Certificate,
    /// The server asks for a client certificate, or refuses the one it got.
    #[error("the server refuses the client certificate, or the lack of one")]
    ClientCertificate,
    /// The server speaks no TLS on this port, or ended the handshake: without TLS 1.3 that is also
    /// how it refuses a client certificate.
    #[error("the server speaks no TLS on this port, or ended the handshake")]
    Protocol,
}
