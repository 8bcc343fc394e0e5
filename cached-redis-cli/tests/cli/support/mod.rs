//! Servers, from the tests of the library.

#[path = "../../../../tests/support/cluster.rs"]
pub(crate) mod cluster;
#[path = "../../../../tests/support/patience.rs"]
pub(crate) mod patience;
#[path = "../../../../tests/support/process.rs"]
pub(crate) mod process;
#[path = "../../../../cached-redis/src/store/redis/server/program.rs"]
pub(crate) mod program;
#[path = "../../../../tests/support/sentinel.rs"]
pub(crate) mod sentinel;
#[path = "../../../../tests/support/server.rs"]
pub(crate) mod server;
#[path = "../../../../tests/support/tls.rs"]
pub(crate) mod tls;

pub(crate) use cluster::Cluster;
pub(crate) use patience::eventually;
pub(crate) use process::signal;
pub(crate) use server::RedisServer;
