//! What the tests, the stress test and the benchmarks share.

pub(crate) mod cluster;
pub(crate) mod forwarder;
pub(crate) mod impostor;
pub(crate) mod log;
pub(crate) mod patience;
pub(crate) mod process;
#[path = "../../cached-redis/src/store/redis/server/program.rs"]
pub(crate) mod program;
pub(crate) mod prometheus;
pub(crate) mod rows;
pub(crate) mod sentinel;
pub(crate) mod server;
pub(crate) mod source;
pub(crate) mod table;
pub(crate) mod tier;
#[cfg(feature = "tls")]
pub(crate) mod tls;
pub(crate) mod versions;
pub(crate) mod world;

pub(crate) use cluster::Cluster;
pub(crate) use forwarder::Forwarder;
pub(crate) use log::Log;
pub(crate) use patience::{after_polls, eventually, in_time, poll_once, until_stale};
pub(crate) use process::{again, signal};
pub(crate) use rows::Rows;
pub(crate) use server::RedisServer;
pub(crate) use source::{Failed, Source};
pub(crate) use tier::tier;
pub(crate) use versions::{two_versions, versions_meet};
pub(crate) use world::{
    Form, World, expired, filled, hit_again, in_both_forms, landed, new_process, on_a_cluster,
    on_both_stores, on_redis, refused, unanswered, waiting,
};
