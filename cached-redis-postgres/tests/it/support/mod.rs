//! What the tests share: servers of their own, and a table whose rows are read through a cache.

mod postgres;
mod shop;

// Shared with the tests of the library, which use more of it.
#[allow(dead_code)]
#[path = "../../../../tests/support/log.rs"]
mod log;
#[allow(dead_code)]
#[path = "../../../../tests/support/patience.rs"]
mod patience;
#[allow(dead_code)]
#[path = "../../../../tests/support/process.rs"]
mod process;
#[path = "../../../../cached-redis/src/store/redis/server/program.rs"]
mod program;
#[allow(dead_code)]
#[path = "../../../../tests/support/server.rs"]
mod server;
#[path = "../../../../tests/support/tier.rs"]
mod tier;

pub(crate) use log::Log;
pub(crate) use patience::{eventually, in_time};
pub(crate) use postgres::{Postgres, Session};
pub(crate) use process::signal;
pub(crate) use server::RedisServer;
pub(crate) use shop::{Shop, UPDATE, item, item_of, items, streams};
pub(crate) use tier::tier;
