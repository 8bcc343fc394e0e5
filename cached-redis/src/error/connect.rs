//! Why there is no connection.

use std::io;

use super::{StoreError, TlsProblem};

/// Why there is no connection to the store; [`Error::Connect`](crate::Error::Connect) tells it together
/// with the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectProblem {
    /// The host refused the connection.
    #[error("the connection was refused: does a server listen on this port?")]
    Refused,
    /// The host's name could not be resolved.
    #[error("the host is not known")]
    UnknownHost,
    /// There is nothing under the path of a `redis+unix://` address.
    #[error("there is no such socket")]
    NoSocket,
    /// There was no connection, or no answer of the server, within the time that
    /// [`connect_timeout`](crate::Builder::connect_timeout) gives.
    #[error("no answer in time")]
    Timeout,
    /// The connection was closed before the server had answered, and it did not say why.
    #[error("the server closed the connection")]
    Closed,
    /// The system failed in another way.
    #[error("{0}")]
    Io(io::ErrorKind),
    /// The server was reached and TLS failed, before any password was sent.
    #[error("TLS failed: {0}")]
    Tls(TlsProblem),
    /// What listens there does not speak the protocol of Redis.
    #[error("what answers there does not speak the protocol of Redis")]
    Protocol,
    /// The server asks for a login, and the address has none.
    #[error("the server asks for a login, and the address has none")]
    LoginMissing,
    /// The server does not accept the login of the address.
    #[error("the server refuses the login")]
    LoginRefused,
    /// The server has fewer databases than the number in the address.
    #[error("the server has no database of this number")]
    Database,
    /// The server has as many clients as it is configured to take.
    #[error("the server takes no more clients (`maxclients`)")]
    TooManyClients,
    /// The server is in protected mode: without a password it takes connections from its own host only.
    #[error("the server is in protected mode and refuses other hosts (DENIED)")]
    Protected,
    /// The server is a node of a Redis Cluster, which answers for a part of the keys only.
    #[error("the server is a node of a Redis Cluster: write redis+cluster:// in its address")]
    Cluster,
    /// The address is that of a Redis Cluster, and the server is none of one.
    #[error("the server is no node of a Redis Cluster: write redis:// in its address")]
    NotCluster,
    /// No server of the cluster is known that has the keys: the one that was asked is in none yet, or is no more.
    #[error("no server of the cluster is known to have the slots")]
    NoSlots,
    /// The user may not ask who is in the cluster.
    #[error(
        "the user may not ask who is in the cluster: give him `+cluster|slots +cluster|info +cluster|nodes`"
    )]
    ClusterRights,
    /// The server is a Sentinel, which holds no data.
    #[error(
        "the server is a Sentinel: write redis+sentinel://host:port/service, as it calls what it watches"
    )]
    Sentinel,
    /// What the address gives as a Sentinel is none, and none of the others answers.
    #[error("what is given as a Sentinel is a server with data: write redis:// in its address")]
    NotSentinel,
    /// The Sentinels of the address watch nothing of this name.
    #[error(
        "the Sentinels watch no service of this name: `SENTINEL MASTERS` lists those that they watch"
    )]
    UnknownService,
    /// No Sentinel of the address answers, and no other that they had named.
    #[error("no Sentinel can be asked: {0}")]
    NoSentinel(Box<ConnectProblem>),
    /// The server is older than Redis 7.0.
    #[error(
        "the server is Redis {found}, and 7.0 is the oldest that is supported: before it `SET` takes no `NX` with \
         `GET`, and a script that is refused does not tell why"
    )]
    Version {
        /// What the server says.
        found: String,
    },
    /// The server is a replica: it refuses writes, and what it shows may be outdated. Once it is
    /// promoted, or the address leads to its primary, the cache connects.
    #[error("the server is a replica")]
    Replica,
    /// Writes of the namespace wait in queues, and this cache was built without
    /// [`write_behind`](crate::Builder::write_behind) and without [`guarded`](crate::Builder::guarded): its removals would
    /// take away values that are still to be written.
    #[error("the namespace has write-behind, and the cache was built without `write_behind(true)`")]
    WriteBehind,
    /// The server may evict keys without a time to live, and so lose writes that wait in queues.
    #[error(
        "the server evicts by `{policy}`, and so writes that wait: set `maxmemory-policy noeviction`, or one of `volatile-*`"
    )]
    Evicts {
        /// Its `maxmemory-policy`.
        policy: String,
    },
    /// Writes are to be [synced](crate::behind::Durability::Synced) before they are accepted, and the server is older than
    /// Redis 7.2, which has `WAITAOF`; every Valkey has it.
    #[error("the server (version {found}) has no `WAITAOF`, which `Durability::Synced` needs")]
    NoWaitAof {
        /// What the server says.
        found: String,
    },
    /// The same, and the server keeps no append-only file.
    #[error(
        "the server has no append-only file, which `Durability::Synced` needs: set `appendonly yes`"
    )]
    NoAof,
    /// The runtime that the cache is built in has no I/O driver or no timer.
    #[error("the runtime has no I/O driver or no timer: build it with `enable_all()`")]
    Runtime,
    /// The epoch that [`OnFailover::Epoch`](crate::OnFailover::Epoch) asks for could not be agreed on.
    #[error("the epoch of `on_failover` could not be agreed on: {0}")]
    Epoch(Box<StoreError>),
    /// The server refused in another way.
    #[error("the server refused with {code}")]
    Server {
        /// The error's code, such as `NOPERM`; never its text, which may quote arguments.
        code: String,
    },
}

impl ConnectProblem {
    /// Whether no waiting helps: the address leads to something that cannot be used, or the runtime cannot
    /// lead anywhere.
    pub(crate) fn is_lasting(&self) -> bool {
        use ConnectProblem::*;
        matches!(
            self,
            Cluster | NotCluster | Sentinel | NotSentinel | UnknownService // of the address
                | WriteBehind | Evicts { .. } | NoWaitAof { .. } | NoAof // of writes that wait
                | Version { .. } | Runtime
        )
    }
}
